package host_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/host/hosttest"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture/sample"
)

// process is what ParseProcess makes of operations.
func process(t *testing.T, query, format string) picture.Process {
	t.Helper()
	arguments, err := picture.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	p, err := picture.ParseProcess(arguments, format)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// each runs every job that is pushed, and those that come of it, as often as times says: one after the
// other, or all at once.
func each(t *testing.T, s *hosttest.Stand, h *host.Host, times int, atOnce bool) {
	t.Helper()
	for jobs := s.Take(); len(jobs) > 0; jobs = s.Take() {
		for _, job := range jobs {
			var running sync.WaitGroup
			for range times {
				running.Go(func() {
					if result := h.Run(t.Context(), job.Queue, []byte(job.Payload)); result != mediav1.JobResult_SUCCESS {
						t.Errorf("%s: %s", job.Payload, result)
					}
				})
				if !atOnce {
					running.Wait()
				}
			}
			running.Wait()
		}
	}
}

// TestJobsTwice delivers every kind of job more than once, in a row and at the same time: each may be,
// at any time, and nothing must be lost or left.
func TestJobsTwice(t *testing.T) {
	for _, atOnce := range []bool{false, true} {
		t.Run(fmt.Sprintf("at once %v", atOnce), func(t *testing.T) {
			s := hosttest.Open(t)
			h := s.Host(host.Options{})
			content := hosttest.PNG(t, 1, 60, 40)
			up, err := h.Ingest(t.Context(), bytes.NewReader(content), host.IngestOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var all []host.Uploaded
			for i, o := range []host.IngestOptions{
				{}, {Operations: []picture.KeyValue{{Key: "resize", Value: "10"}}},
			} {
				for _, file := range [][]byte{content, hosttest.PNG(t, uint64(2+i), 60, 40)} {
					id, err := h.Background(t.Context(), bytes.NewReader(file), o)
					if err != nil {
						t.Fatal(err)
					}
					each(t, s, h, 3, atOnce)
					uploaded, err := h.ClaimUpload(t.Context(), id)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, uploaded)
				}
			}
			// The first content, two others, and both contents of the second round made smaller.
			if n := len(s.Files()); n != 4 {
				t.Errorf("%d files, want 4", n)
			}
			for i, uploaded := range all {
				file, err := h.Original(t.Context(), uploaded.Alias)
				if err != nil {
					t.Errorf("upload %d: %v", i, err)
					continue
				}
				opened, err := h.Open(file)
				if err != nil {
					t.Fatalf("upload %d: %v", i, err)
				}
				opened.Close()
			}
			resize := process(t, "resize=20", "jpg")
			if err := h.VariantBehind(t.Context(), host.Source{Alias: up.Alias}, resize); err != nil {
				t.Fatal(err)
			}
			each(t, s, h, 3, atOnce)
			if n := len(s.Files()); n != 5 {
				t.Errorf("%d files with one variant, want 5", n)
			}
			if err := h.RemoveVariants(t.Context()); err != nil {
				t.Fatal(err)
			}
			each(t, s, h, 2, atOnce)
			if n := len(s.Files()); n != 4 {
				t.Errorf("%d files without variants, want 4", n)
			}
			if _, err := h.Purge(t.Context(), host.Source{Alias: up.Alias}); err != nil {
				t.Fatal(err)
			}
			for _, uploaded := range all {
				if err := h.DeleteBehind(t.Context(), host.Source{Alias: uploaded.Alias}); err != nil {
					t.Fatal(err)
				}
			}
			each(t, s, h, 2, atOnce)
			s.Empty()
		})
	}
}

// TestBrokenIngest runs the job of an upload that nobody waits for any more.
func TestBrokenIngest(t *testing.T) {
	s := hosttest.Open(t)
	h := s.Host(host.Options{})
	id, err := h.Background(t.Context(), bytes.NewReader(hosttest.PNG(t, 1, 40, 30)), host.IngestOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.DiscardUpload(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	each(t, s, h, 2, false)
	s.Empty()

	// Discarded after it was taken in.
	if id, err = h.Background(t.Context(), bytes.NewReader(hosttest.PNG(t, 1, 40, 30)), host.IngestOptions{}); err != nil {
		t.Fatal(err)
	}
	each(t, s, h, 1, false)
	if err := h.DiscardUpload(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	each(t, s, h, 1, false)
	s.Empty()

	// The file is gone when the job is run: the upload fails, and says so.
	if id, err = h.Background(t.Context(), bytes.NewReader(hosttest.PNG(t, 1, 40, 30)), host.IngestOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Store.Remove(s.Files()[0]); err != nil {
		t.Fatal(err)
	}
	jobs := s.Take()
	if result := h.Run(t.Context(), jobs[0].Queue, []byte(jobs[0].Payload)); result != mediav1.JobResult_ABORTED {
		t.Errorf("an ingest without its file: %s", result)
	}
	if _, err := h.ClaimUpload(t.Context(), id); host.CodeOf(err) != host.LostFile {
		t.Errorf("%v", err)
	}
	s.Empty()
}

// TestGenerateByTwo has two hosts generate one variant at the same time: one does, the other waits.
func TestGenerateByTwo(t *testing.T) {
	s := hosttest.Open(t)
	hosts := []*host.Host{s.Host(host.Options{}), s.Host(host.Options{})}
	up, err := hosts[0].Ingest(t.Context(), bytes.NewReader(hosttest.Sample(t, sample.JPEG, 1, 800, 600)), host.IngestOptions{})
	if err != nil {
		t.Fatal(err)
	}
	blurred := process(t, "blur=5", "webp")
	if err := hosts[0].VariantBehind(t.Context(), host.Source{Alias: up.Alias}, blurred); err != nil {
		t.Fatal(err)
	}
	job := s.Take()[0]
	var running sync.WaitGroup
	for i := range 6 {
		running.Go(func() {
			if result := hosts[i%2].Run(t.Context(), job.Queue, []byte(job.Payload)); result != mediav1.JobResult_SUCCESS {
				t.Errorf("host %d: %s", i, result)
			}
		})
	}
	running.Wait()
	if files := s.Files(); len(files) != 2 {
		t.Errorf("files are %v", files)
	}
	if n := s.Count("SELECT count(*) FROM media_variant_claims"); n != 0 {
		t.Errorf("%d claims are left", n)
	}
	file, err := hosts[1].ExistingVariant(t.Context(), host.Source{Alias: up.Alias}, blurred, false)
	if err != nil || file.Details.Width != 800 || file.Details.ContentType != "image/webp" {
		t.Errorf("%+v, %v", file, err)
	}
}

// TestGenerateInVain gives its claim up when it cannot generate.
func TestGenerateInVain(t *testing.T) {
	s := hosttest.Open(t)
	h := s.Host(host.Options{})
	up, err := h.Ingest(t.Context(), bytes.NewReader(hosttest.PNG(t, 1, 40, 30)), host.IngestOptions{})
	if err != nil {
		t.Fatal(err)
	}
	original, err := h.Original(t.Context(), up.Alias)
	if err != nil {
		t.Fatal(err)
	}
	generate := func(ctx context.Context, hash []byte, variant string) mediav1.JobResult {
		return h.Run(ctx, host.ProcessQueue, fmt.Appendf(nil, `{"kind":"Generate","hash":%q,"variant":%q}`, base64.StdEncoding.EncodeToString(hash), variant))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx     context.Context
		hash    []byte
		variant string
		want    mediav1.JobResult
	}{
		"an unknown operation": {t.Context(), original.Hash, "explode/1/png", mediav1.JobResult_ABORTED},
		"an unknown hash":      {t.Context(), []byte("unknown"), "resize/20/png", mediav1.JobResult_ABORTED},
		"no time":              {ended, original.Hash, "resize/20/png", mediav1.JobResult_FAILURE},
	} {
		if got := generate(tt.ctx, tt.hash, tt.variant); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	if err := s.Store.Remove(original.Identifier); err != nil {
		t.Fatal(err)
	}
	if got := generate(t.Context(), original.Hash, "resize/20/png"); got != mediav1.JobResult_ABORTED {
		t.Errorf("a lost original: %s", got)
	}
	if n := s.Count("SELECT count(*) FROM media_variant_claims"); n != 0 || len(s.Files()) != 0 {
		t.Errorf("%d claims and files %v are left", n, s.Files())
	}
}

// TestLostClaim gives up a generation whose claim another took over.
func TestLostClaim(t *testing.T) {
	s := hosttest.Open(t, "heartbeat_interval: 5s", "heartbeat_interval: 10ms")
	h := s.Host(host.Options{})
	up, err := h.Ingest(t.Context(), bytes.NewReader(hosttest.Sample(t, sample.PNG, 1, 1500, 1500)), host.IngestOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.VariantBehind(t.Context(), host.Source{Alias: up.Alias}, process(t, "blur=20", "webp")); err != nil {
		t.Fatal(err)
	}
	job := s.Take()[0]
	ended := make(chan mediav1.JobResult)
	go func() { ended <- h.Run(t.Context(), job.Queue, []byte(job.Payload)) }()
	s.Eventually("the variant is claimed", func() bool { return s.Count("SELECT count(*) FROM media_variant_claims") == 1 })
	s.Exec("DELETE FROM media_variant_claims")
	if got := <-ended; got != mediav1.JobResult_FAILURE {
		t.Errorf("%s", got)
	}
	if files := s.Files(); len(files) != 1 {
		t.Errorf("files are %v", files)
	}
}

// TestUnreadableJobs gives up what it does not understand.
func TestUnreadableJobs(t *testing.T) {
	s := hosttest.Open(t)
	h := s.Host(host.Options{})
	for _, job := range []string{``, `null`, `"Hash"`, `[]`, `{}`, `{"kind":"Unknown"}`, `{"kind":"Hash"}`, `{"kind":"Hash","hash":"?"}`,
		`{"kind":"Alias"}`, `{"kind":"Identifier"}`, `{"kind":"Variant"}`, `{"kind":"Ingest"}`, `{"kind":"Generate","hash":"AA=="}`,
		`{"kind":"AllVariants","since":"v99"}`, `{"kind":"AllVariants"} {}`} {
		for _, queue := range []string{host.CleanupQueue, host.ProcessQueue} {
			if got := h.Run(t.Context(), queue, []byte(job)); got != mediav1.JobResult_ABORTED {
				t.Errorf("%q in queue %s: %s", job, queue, got)
			}
		}
	}
	for queue, job := range map[string]string{
		host.CleanupQueue: `{"kind":"Generate","hash":"AA==","variant":"resize/20/png"}`,
		host.ProcessQueue: `{"kind":"AllVariants"}`,
		"another":         `{"kind":"AllVariants"}`,
	} {
		if got := h.Run(t.Context(), queue, []byte(job)); got != mediav1.JobResult_ABORTED {
			t.Errorf("%q in queue %s: %s", job, queue, got)
		}
	}
	// Identifiers out of the folder remove nothing.
	if got := h.Run(t.Context(), host.CleanupQueue, []byte(`{"kind":"Identifier","identifier":"../../etc/passwd"}`)); got != mediav1.JobResult_SUCCESS {
		t.Errorf("a file that cannot be: %s", got)
	}
}

// TestJobsWithoutStorage are to be tried again.
func TestJobsWithoutStorage(t *testing.T) {
	s := hosttest.Open(t)
	h := s.Host(host.Options{})
	if _, err := h.Background(t.Context(), bytes.NewReader(hosttest.PNG(t, 1, 40, 30)), host.IngestOptions{}); err != nil {
		t.Fatal(err)
	}
	ingest := s.Take()[0]
	s.Close()
	jobs := []hosttest.Job{ingest, {Queue: host.ProcessQueue, Payload: `{"kind":"Generate","hash":"AA==","variant":"resize/20/png"}`}}
	for _, payload := range []string{`{"kind":"Hash","hash":"AA=="}`, `{"kind":"PurgeHash","hash":"AA=="}`, `{"kind":"Identifier","identifier":"x"}`,
		`{"kind":"Alias","alias":"x"}`, `{"kind":"Variant","hash":"AA==","variant":"x"}`, `{"kind":"Variant","hash":"AA=="}`,
		`{"kind":"AllVariants"}`, `{"kind":"OutdatedVariants"}`, `{"kind":"OutdatedProxies"}`, `{"kind":"Prune"}`} {
		jobs = append(jobs, hosttest.Job{Queue: host.CleanupQueue, Payload: payload})
	}
	for _, job := range jobs {
		if got := h.Run(t.Context(), job.Queue, []byte(job.Payload)); got != mediav1.JobResult_FAILURE {
			t.Errorf("%s: %s", job.Payload, got)
		}
	}
	if _, err := h.Ingest(t.Context(), bytes.NewReader(hosttest.PNG(t, 2, 40, 30)), host.IngestOptions{}); host.CodeOf(err) != host.RepoFailed || strings.Contains(host.As(t.Context(), err).Message, "media") {
		t.Errorf("%v", err)
	}
}

// TestOutdatedBatches cleans up more proxied aliases than one batch of the repo has, and drops only the
// URL of one that has no token.
func TestOutdatedBatches(t *testing.T) {
	s := hosttest.Open(t)
	h := s.Host(host.Options{Clock: func() time.Time { return time.Now().Add(8 * 24 * time.Hour) }})
	if _, err := h.Ingest(t.Context(), bytes.NewReader(hosttest.PNG(t, 1, 40, 30)), host.IngestOptions{Alias: "kept.png"}); err != nil {
		t.Fatal(err)
	}
	s.Exec(`INSERT INTO media_aliases (alias, hash, delete_token) SELECT 'alias ' || n, hash, nullif('token', repeat('token', (n = 7)::int)) FROM media_hashes, generate_series(1, 250) n`)
	s.Exec(`INSERT INTO media_proxies (url, alias, accessed) SELECT 'http://example.org/' || n, 'alias ' || n, now() FROM generate_series(1, 250) n`)
	if err := h.PushOutdatedProxies(t.Context()); err != nil {
		t.Fatal(err)
	}
	each(t, s, h, 1, false)
	if proxies, aliases := s.Count("SELECT count(*) FROM media_proxies"), s.Count("SELECT count(*) FROM media_aliases"); proxies != 0 || aliases != 2 {
		t.Errorf("%d URLs and %d aliases are left, want 0 and 2", proxies, aliases)
	}
}

// TestUsedMeanwhile keeps what somebody asked for after it was found outdated.
func TestUsedMeanwhile(t *testing.T) {
	s := hosttest.Open(t)
	h := s.Host(host.Options{})
	up, err := h.Ingest(t.Context(), bytes.NewReader(hosttest.PNG(t, 1, 40, 30)), host.IngestOptions{})
	if err != nil {
		t.Fatal(err)
	}
	source, resize := host.Source{Alias: up.Alias}, process(t, "resize=20", "jpg")
	if err := h.VariantBehind(t.Context(), source, resize); err != nil {
		t.Fatal(err)
	}
	each(t, s, h, 1, false)
	s.Exec(`INSERT INTO media_proxies (url, alias, accessed) SELECT 'http://example.org/', alias, now() FROM media_aliases`)
	s.Exec("UPDATE media_variants SET accessed = accessed - interval '8 days'")
	s.Exec("UPDATE media_proxies SET accessed = accessed - interval '8 days'")
	for _, push := range []func(context.Context) error{h.PushOutdatedProxies, h.PushOutdatedVariants} {
		if err := push(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, job := range s.Take() { // pushes one job for each
		if got := h.Run(t.Context(), job.Queue, []byte(job.Payload)); got != mediav1.JobResult_SUCCESS {
			t.Fatal(got)
		}
	}
	if _, err := h.ExistingVariant(t.Context(), source, resize, true); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ByURL(t.Context(), "http://example.org"); err != nil {
		t.Fatal(err)
	}
	if n := s.Jobs(); n != 2 {
		t.Fatalf("%d jobs", n)
	}
	each(t, s, h, 1, false)
	if _, err := h.ExistingVariant(t.Context(), source, resize, true); err != nil {
		t.Errorf("the variant: %v", err)
	}
	if _, err := h.ByURL(t.Context(), "http://example.org"); err != nil {
		t.Errorf("the URL: %v", err)
	}
}
