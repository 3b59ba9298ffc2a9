package host_test

import (
	"bytes"
	"context"
	"path"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/host/hosttest"
)

// A lossyConn loses one call of a method: before it arrives, or its answer.
type lossyConn struct {
	grpc.ClientConnInterface
	mu     sync.Mutex
	method string
	done   bool // the call takes effect, and its answer is lost
}

// lose makes the next call of a method fail.
func (c *lossyConn) lose(method string, done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.method, c.done = method, done
}

// lost takes the loss back, and says whether it happened.
func (c *lossyConn) lost() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	happened := c.method == ""
	c.method = ""
	return happened
}

// Invoke makes a call, unless it is the one to lose.
func (c *lossyConn) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	c.mu.Lock()
	lost, done := c.method == method, c.done
	if lost {
		c.method = ""
	}
	c.mu.Unlock()
	if !lost {
		return c.ClientConnInterface.Invoke(ctx, method, args, reply, options...)
	}
	if done {
		if err := c.ClientConnInterface.Invoke(ctx, method, args, reply, options...); err != nil {
			return err
		}
	}
	return status.Error(codes.Unavailable, "the connection was lost")
}

func png(t *testing.T, seed uint64) *bytes.Reader {
	return bytes.NewReader(hosttest.PNG(t, seed, 40, 30))
}

// TestLostSave fails an upload whose recording may or may not have happened: either way nothing stays.
func TestLostSave(t *testing.T) {
	for name, done := range map[string]bool{"not done": false, "done": true} {
		t.Run(name, func(t *testing.T) {
			s := hosttest.Open(t)
			conn := &lossyConn{ClientConnInterface: s.Conn}
			h := s.HostOn(conn, host.Options{})
			conn.lose(mediav1.Uploads_Save_FullMethodName, done)
			if _, err := h.Ingest(t.Context(), png(t, 1), host.IngestOptions{}); host.CodeOf(err) != host.RepoFailed {
				t.Fatalf("%v", err)
			}
			each(t, s, h, 1, false)
			s.Empty()

			// The same with a file that is there already, which stays.
			up, err := h.Ingest(t.Context(), png(t, 1), host.IngestOptions{})
			if err != nil {
				t.Fatal(err)
			}
			conn.lose(mediav1.Uploads_Save_FullMethodName, done)
			if _, err := h.Ingest(t.Context(), png(t, 1), host.IngestOptions{}); host.CodeOf(err) != host.RepoFailed {
				t.Fatalf("%v", err)
			}
			each(t, s, h, 1, false)
			file, err := h.Original(t.Context(), up.Alias)
			if files := s.Files(); err != nil || len(files) != 1 || files[0] != file.Identifier {
				t.Errorf("%+v, %v, files %v", file, err, files)
			}
			if n := s.Count("SELECT count(*) FROM media_aliases"); n != 1 {
				t.Errorf("%d aliases", n)
			}
		})
	}
}

// A loss is a call that is lost in each job that makes it, and what the job then says.
type loss struct {
	method string
	done   bool
	first  mediav1.JobResult
}

// run does all jobs, each with the loss, then once more; it returns how many jobs met it.
func (l loss) run(t *testing.T, s *hosttest.Stand, h *host.Host, conn *lossyConn) (met int) {
	t.Helper()
	do := func(job hosttest.Job) mediav1.JobResult { return h.Run(t.Context(), job.Queue, []byte(job.Payload)) }
	for jobs := s.Take(); len(jobs) > 0; jobs = s.Take() {
		for _, job := range jobs {
			conn.lose(l.method, l.done)
			first, want := do(job), mediav1.JobResult_SUCCESS
			if conn.lost() {
				met++
				want = l.first
			}
			if first != want {
				t.Errorf("%s: %s, want %s", job.Payload, first, want)
			}
			if first == mediav1.JobResult_FAILURE {
				if again := do(job); again != mediav1.JobResult_SUCCESS {
					t.Errorf("%s again: %s", job.Payload, again)
				}
			}
		}
	}
	return met
}

// TestLostInJobs loses calls in the middle of jobs, which are then run again.
func TestLostInJobs(t *testing.T) {
	const failure, success = mediav1.JobResult_FAILURE, mediav1.JobResult_SUCCESS
	s := hosttest.Open(t)
	for _, l := range []loss{
		{mediav1.Uploads_Result_FullMethodName, false, failure},
		{mediav1.Uploads_Save_FullMethodName, false, failure},
		{mediav1.Uploads_Save_FullMethodName, true, failure},
		{mediav1.Uploads_Complete_FullMethodName, false, failure},
		{mediav1.Uploads_Complete_FullMethodName, true, failure},
		{mediav1.Variants_Claim_FullMethodName, false, failure},
		{mediav1.Hashes_Identifier_FullMethodName, false, failure},
		{mediav1.Variants_Relate_FullMethodName, false, failure},
		{mediav1.Variants_Relate_FullMethodName, true, success},
		{mediav1.Variants_Release_FullMethodName, true, success},
		{mediav1.Aliases_Delete_FullMethodName, false, failure},
		{mediav1.Aliases_Delete_FullMethodName, true, failure},
		{mediav1.Queue_Push_FullMethodName, false, failure},
		{mediav1.Queue_Push_FullMethodName, true, failure},
		{mediav1.Hashes_Contents_FullMethodName, false, failure},
		{mediav1.Hashes_Cleanup_FullMethodName, false, failure},
		{mediav1.Hashes_Cleanup_FullMethodName, true, failure},
		{mediav1.Details_Cleanup_FullMethodName, false, failure},
	} {
		name := path.Base(l.method)
		if l.done {
			name += " done"
		}
		t.Run(name, func(t *testing.T) {
			conn := &lossyConn{ClientConnInterface: s.Conn}
			h := s.HostOn(conn, host.Options{})
			id, err := h.Background(t.Context(), png(t, 1), host.IngestOptions{})
			if err != nil {
				t.Fatal(err)
			}
			met := l.run(t, s, h, conn)
			up, err := h.ClaimUpload(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			source, resize := host.Source{Alias: up.Alias}, process(t, "resize=20", "png")
			if err := h.VariantBehind(t.Context(), source, resize); err != nil {
				t.Fatal(err)
			}
			met += l.run(t, s, h, conn)
			if _, err := h.ExistingVariant(t.Context(), source, resize, true); err != nil {
				t.Error(err)
			}
			if files := s.Files(); len(files) != 2 {
				t.Errorf("files are %v", files)
			}
			if err := h.DeleteBehind(t.Context(), source); err != nil {
				t.Fatal(err)
			}
			met += l.run(t, s, h, conn)
			s.Empty()
			if met == 0 {
				t.Error("no job makes this call")
			}
		})
	}
}

// TestLostInBackground fails a request whose job may or may not have been pushed.
func TestLostInBackground(t *testing.T) {
	for _, done := range []bool{false, true} {
		for _, method := range []string{mediav1.Uploads_Create_FullMethodName, mediav1.Queue_Push_FullMethodName} {
			s := hosttest.Open(t)
			conn := &lossyConn{ClientConnInterface: s.Conn}
			h := s.HostOn(conn, host.Options{})
			conn.lose(method, done)
			if _, err := h.Background(t.Context(), png(t, 1), host.IngestOptions{}); host.CodeOf(err) != host.RepoFailed {
				t.Errorf("%s: %v", method, err)
			}
			each(t, s, h, 1, false)
			s.Empty()
		}
	}
}
