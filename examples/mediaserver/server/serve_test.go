package server

import (
	"bytes"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	_ "golang.org/x/image/webp"

	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/host/hosttest"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
)

func TestOriginal(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	content := hosttest.PNG(t, 1, 40, 30)
	file := site.upload(content)[0]
	size := strconv.Itoa(len(content))
	for _, path := range []string{"/image/original/" + file.File, "/image/original?alias=" + file.File} {
		whole := site.get(path)
		if whole.status != http.StatusOK || !bytes.Equal(whole.body, content) {
			t.Fatalf("%s: status %d, %d bytes", path, whole.status, len(whole.body))
		}
		for name, want := range map[string]string{
			"Content-Type": "image/png", "Content-Length": size, "Accept-Ranges": "bytes",
			"Cache-Control": "public, max-age=604800, immutable", "X-Content-Type-Options": "nosniff",
			"Last-Modified": file.Details.CreatedAt.UTC().Format(http.TimeFormat),
		} {
			if got := whole.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		head := site.do(http.MethodHead, path, nil)
		head.empty(t, http.StatusOK)
		if head.header.Get("Content-Length") != size || head.header.Get("Content-Type") != "image/png" {
			t.Errorf("HEAD %s: %v", path, head.header)
		}
		site.get(path, "If-Modified-Since", whole.header.Get("Last-Modified")).empty(t, http.StatusNotModified)
	}
	site.do(http.MethodHead, "/image/original/unknown.png", nil).empty(t, http.StatusNotFound)
	site.get("/image/original/unknown.png").empty(t, http.StatusNotFound)
	site.get("/image/original").expect(t, http.StatusBadRequest, "invalid-query", nil)
	site.get("/image/original?alias=a&proxy=b").expect(t, http.StatusBadRequest, "invalid-query", nil)
	site.get("/image/details/original/unknown.png").expect(t, http.StatusNotFound, "alias-not-found", nil)
}

func TestRanges(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	content := hosttest.PNG(t, 1, 40, 30)
	path := "/image/original/" + site.upload(content)[0].File
	n := len(content)
	for _, tt := range []struct {
		given    string
		from, to int // to is behind the last byte; 0: not satisfiable
	}{
		{"bytes=0-9", 0, 10},
		{"bytes=10-", 10, n},
		{"bytes=-7", n - 7, n},
		{"bytes=5-99999999", 5, n},
		{"bytes=-99999999", 0, n},
		{"bytes=" + strconv.Itoa(n) + "-", 0, 0},
		{"bytes=9-5", 0, 0},
		{"bytes=-0", 0, 0},
		{"bytes=x-y", 0, 0},
		{"bytes=", 0, 0},
		{"bytes=0-1,4-5", 0, 0},
	} {
		t.Run(tt.given, func(t *testing.T) {
			got := site.get(path, "Range", tt.given)
			if tt.to == 0 {
				got.expect(t, http.StatusRequestedRangeNotSatisfiable, "range-not-satisfiable", nil)
				if r := got.header.Get("Content-Range"); r != "bytes */"+strconv.Itoa(n) {
					t.Errorf("Content-Range is %q", r)
				}
				return
			}
			want := "bytes " + strconv.Itoa(tt.from) + "-" + strconv.Itoa(tt.to-1) + "/" + strconv.Itoa(n)
			if got.status != http.StatusPartialContent || !bytes.Equal(got.body, content[tt.from:tt.to]) || got.header.Get("Content-Range") != want {
				t.Errorf("status %d, %d bytes, Content-Range %q, want %q", got.status, len(got.body), got.header.Get("Content-Range"), want)
			}
		})
	}
	if got := site.get(path, "Range", "lines=1-2"); got.status != http.StatusOK || len(got.body) != n {
		t.Errorf("a range in other units: status %d", got.status)
	}
	if got := site.get(path, "Range", "bytes=0-9", "If-Range", "Mon, 02 Jan 2006 15:04:05 GMT"); got.status != http.StatusOK || len(got.body) != n {
		t.Errorf("a range of another version: status %d", got.status)
	}
}

func TestProcess(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	file := site.upload(hosttest.PNG(t, 1, 80, 60))[0]
	path := "/image/process.webp?src=" + file.File + "&resize=20"

	// Without a worker: HEAD does not generate, nor do details.
	site.do(http.MethodHead, path, nil).empty(t, http.StatusNotFound)
	site.get("/image/details/process.webp?src="+file.File+"&resize=20").expect(t, http.StatusNotFound, "alias-not-found", nil)
	if n := s.Jobs(); n != 0 {
		t.Fatalf("%d jobs after HEAD and details", n)
	}

	s.Work(site.host)
	got := site.get(path)
	config, format, err := image.DecodeConfig(bytes.NewReader(got.body))
	if got.status != http.StatusOK || err != nil || format != "webp" || config.Width != 20 || config.Height != 15 {
		t.Fatalf("status %d, %s %+v, %v", got.status, format, config, err)
	}
	if got.header.Get("Content-Type") != "image/webp" || got.header.Get("Cache-Control") != cacheControl {
		t.Errorf("%v", got.header)
	}
	head := site.do(http.MethodHead, path, nil)
	head.empty(t, http.StatusOK)
	if head.header.Get("Content-Length") != strconv.Itoa(len(got.body)) {
		t.Errorf("HEAD: %v", head.header)
	}
	part := site.get("/image/process.webp?alias="+file.File+"&resize=lanczos2.20", "Range", "bytes=0-9")
	if part.status != http.StatusPartialContent || !bytes.Equal(part.body, got.body[:10]) {
		t.Errorf("the same variant, spelt otherwise: status %d, %d bytes", part.status, len(part.body))
	}
	var details picture.Details
	site.get("/image/details/process.webp?src="+file.File+"&resize=20").expect(t, http.StatusOK, "", &details)
	if details.Width != 20 || details.Height != 15 || details.ContentType != "image/webp" {
		t.Errorf("%+v", details)
	}
	for _, extension := range []string{"jpg", "jpeg", "gif", "png"} {
		got := site.get("/image/process." + extension + "?src=" + file.File + "&identity&crop=1x1&blur=1.5&thumbnail=16")
		config, _, err := image.DecodeConfig(bytes.NewReader(got.body))
		if err != nil || config.Width != 16 || config.Height != 16 {
			t.Errorf("%s: status %d, %+v, %v", extension, got.status, config, err)
		}
	}
	s.Drain()
	if n := len(s.Files()); n != 5 { // jpg and jpeg are one
		t.Errorf("%d files, want the original and 4 variants", n)
	}

	site.get("/image/process.avif?src="+file.File).expect(t, http.StatusBadRequest, "invalid-file-extension", nil)
	site.get("/image/process.png?src="+file.File+"&explode=1").expect(t, http.StatusInternalServerError, "invalid-process-path", nil)
	site.get("/image/process.png?resize=20").expect(t, http.StatusBadRequest, "invalid-query", nil)
	site.get("/image/process.png?src=unknown.png&resize=20").empty(t, http.StatusNotFound)
	site.get("/image/process_backgrounded.png?src=unknown.png").expect(t, http.StatusBadRequest, "alias-not-found", nil)
	site.get("/image/process_backgrounded.png?proxy=http://127.0.0.1:1/x").expect(t, http.StatusNotFound, "proxy-not-found", nil)
	site.get("/image/nothing.png").expect(t, http.StatusNotFound, "not-found", nil)
}

// TestOneGeneration has two servers asked for one missing variant at the same time.
func TestOneGeneration(t *testing.T) {
	s := hosttest.Open(t)
	sites := []site{serve(t, s, host.Options{}, Options{}), serve(t, s, host.Options{}, Options{})}
	file := sites[0].upload(hosttest.PNG(t, 1, 400, 300))[0]
	for _, site := range sites {
		s.Work(site.host)
	}
	answers := make([]answer, 6)
	var requests sync.WaitGroup
	for i := range answers {
		requests.Go(func() {
			answers[i], _ = sites[i%2].try(http.MethodGet, "/image/process.jpg?src="+file.File+"&blur=3&resize=200", nil)
		})
	}
	requests.Wait()
	for i, got := range answers {
		if got.status != http.StatusOK || !bytes.Equal(got.body, answers[0].body) || len(got.body) == 0 {
			t.Errorf("request %d: status %d, %d bytes", i, got.status, len(got.body))
		}
	}
	s.Drain()
	if files := s.Files(); len(files) != 2 {
		t.Errorf("files are %v, want the original and one variant", files)
	}
	if n := s.Count("SELECT count(*) FROM media_variant_claims"); n != 0 {
		t.Errorf("%d claims are left", n)
	}
}

// TestNoWorker waits for a variant that nobody makes.
func TestNoWorker(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{VariantWait: 50 * time.Millisecond}, Options{})
	file := site.upload(hosttest.PNG(t, 1, 40, 30))[0]
	for range 2 {
		site.get("/image/process.jpg?src="+file.File).expect(t, http.StatusInternalServerError, "command-timeout", nil)
	}
	if n := s.Jobs(); n != 1 {
		t.Errorf("%d jobs for one variant", n)
	}
}

// TestLostOriginal serves what is recorded and not there.
func TestLostOriginal(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{VariantWait: 50 * time.Millisecond}, Options{})
	file := site.upload(hosttest.PNG(t, 1, 40, 30))[0]
	if err := s.Store.Remove(s.Files()[0]); err != nil {
		t.Fatal(err)
	}
	site.get("/image/original/"+file.File).expect(t, http.StatusInternalServerError, "lost-file", nil)
	s.Work(site.host)
	site.get("/image/process.jpg?src="+file.File).expect(t, http.StatusInternalServerError, "command-timeout", nil)
	s.Drain()
	if n := s.Count("SELECT count(*) FROM media_variant_claims"); n != 0 {
		t.Errorf("%d claims are left by a generation that failed", n)
	}
	s.Exec("UPDATE media_details SET details = '{}'")
	site.get("/image/details/original/"+file.File).expect(t, http.StatusInternalServerError, "extract-details", nil)
}

func TestMissingDetails(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	s.Work(site.host)
	file := site.upload(hosttest.PNG(t, 1, 40, 30))[0]
	variant := "/image/process.jpg?src=" + file.File + "&resize=20"
	site.get(variant)
	s.Exec("DELETE FROM media_details")
	site.get("/image/details/process.jpg?src="+file.File+"&resize=20").expect(t, http.StatusBadRequest, "validate-no-files", nil)
	var details picture.Details
	site.get("/image/details/original/"+file.File).expect(t, http.StatusOK, "", &details)
	if details.Width != 40 || details.ContentType != "image/png" || details.CreatedAt.IsZero() {
		t.Errorf("%+v", details)
	}
	if got := site.get(variant); got.status != http.StatusOK || got.header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("status %d", got.status)
	}
	if n := s.Count("SELECT count(*) FROM media_details"); n != 2 {
		t.Errorf("details of %d files are recorded again, want 2", n)
	}
}

func TestBlurhash(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	file := site.upload(hosttest.PNG(t, 1, 40, 30))[0]
	var body struct {
		Message  string `json:"msg"`
		Blurhash string `json:"blurhash"`
	}
	site.get("/image/blurhash?alias="+file.File).expect(t, http.StatusOK, "", &body)
	if len(body.Blurhash) < 6 || body.Message != "ok" {
		t.Errorf("%+v", body)
	}
	s.Exec("UPDATE media_hashes SET blurhash = 'what was computed first'")
	site.get("/image/blurhash?alias="+file.File).expect(t, http.StatusOK, "", &body)
	if body.Blurhash != "what was computed first" {
		t.Errorf("the second request computes it again: %q", body.Blurhash)
	}
	site.get("/image/blurhash?alias=unknown").expect(t, http.StatusNotFound, "alias-not-found", nil)
}

func TestDelete(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	s.Work(site.host)
	file := site.upload(hosttest.PNG(t, 1, 40, 30))[0]
	site.get("/image/process.jpg?src=" + file.File)
	path := "/image/delete/" + file.DeleteToken + "/" + file.File
	site.get("/image/delete/wrong/"+file.File).expect(t, http.StatusForbidden, "invalid-delete-token", nil)
	// Who only looks deletes nothing.
	if got := site.do(http.MethodHead, path, nil); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "DELETE, GET" {
		t.Errorf("HEAD: status %d, Allow %q", got.status, got.header.Get("Allow"))
	}
	if got := site.get("/image/original/" + file.File); got.status != http.StatusOK {
		t.Errorf("after a wrong token: status %d", got.status)
	}
	site.get(path).empty(t, http.StatusNoContent)
	site.get("/image/original/"+file.File).empty(t, http.StatusNotFound)
	site.get(path).empty(t, http.StatusNoContent)
	site.remove(file)
	s.Drain()
	s.Empty()
}

// TestNotFoundImage shows a picture in place of missing ones.
func TestNotFoundImage(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	s.Work(site.host)
	content := hosttest.PNG(t, 1, 40, 30)
	file := site.upload(content)[0]
	set := func(body string) answer {
		return site.internal(http.MethodPost, "/internal/set_not_found", bytes.NewReader([]byte(body)))
	}
	set(`{"alias":"unknown.png"}`).expect(t, http.StatusNotFound, "alias-not-found", nil)
	set(`{"proxy":"http://example.org/x.png"}`).expect(t, http.StatusBadRequest, "proxy-not-allowed", nil)
	set(`nothing`).expect(t, http.StatusBadRequest, "invalid-body", nil)
	set(`{"alias":"`+file.File+`"}`).expect(t, http.StatusCreated, "", nil)

	got := site.get("/image/original/unknown.png")
	if got.status != http.StatusNotFound || !bytes.Equal(got.body, content) || got.header.Get("Content-Type") != "image/png" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, %d bytes, %v", got.status, len(got.body), got.header)
	}
	got = site.get("/image/process.png?src=unknown.png&resize=10")
	if config, _, err := image.DecodeConfig(bytes.NewReader(got.body)); got.status != http.StatusNotFound || err != nil || config.Width != 10 {
		t.Errorf("processed: status %d, %+v, %v", got.status, config, err)
	}
	site.do(http.MethodHead, "/image/original/unknown.png", nil).empty(t, http.StatusNotFound)
	site.remove(file)
	site.get("/image/original/unknown.png").empty(t, http.StatusNotFound)
}

// TestNamesThatCannotBe asks for what no database stores as text.
func TestNamesThatCannotBe(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	for _, name := range []string{"%00", "a%00b", "%ff", "%c3%28"} {
		site.get("/image/original/"+name).empty(t, http.StatusNotFound)
		site.get("/image/process.png?src="+name).empty(t, http.StatusNotFound)
		site.do(http.MethodHead, "/image/process.png?src="+name, nil).empty(t, http.StatusNotFound)
		site.get("/image/details/original?alias="+name).expect(t, http.StatusNotFound, "alias-not-found", nil)
		site.get("/image/delete/token/"+name).empty(t, http.StatusNoContent)
		site.get("/image/delete/"+name+"/some.png").expect(t, http.StatusForbidden, "invalid-delete-token", nil)
		site.get("/image/original?proxy=http://127.0.0.1/?"+name).expect(t, http.StatusBadRequest, "invalid-url", nil)
		site.internal(http.MethodPost, "/internal/purge?alias="+name, nil).expect(t, http.StatusNotFound, "alias-not-found", nil)
		site.internal(http.MethodGet, "/internal/hashes?slug="+name, nil).expect(t, http.StatusOK, "", nil)
	}
	body := bytes.NewReader([]byte(`{"alias":"a\u0000b"}`))
	site.internal(http.MethodPost, "/internal/set_not_found", body).expect(t, http.StatusNotFound, "alias-not-found", nil)
}

// TestNamesInPaths serves aliases with characters that mean something in URLs.
func TestNamesInPaths(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	for i, name := range []string{"a b.png", "50%.png", "what?.png", "#1.png", "process.png", "ünï&cödé=1.png"} {
		content := hosttest.PNG(t, uint64(i), 10, 10)
		up, err := site.host.Ingest(t.Context(), bytes.NewReader(content), host.IngestOptions{Alias: name})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/image/original/" + url.PathEscape(name), "/image/original?alias=" + url.QueryEscape(name)} {
			if got := site.get(path); got.status != http.StatusOK || !bytes.Equal(got.body, content) {
				t.Errorf("%s: status %d", path, got.status)
			}
		}
		site.do(http.MethodDelete, "/image/delete/"+up.DeleteToken+"/"+url.PathEscape(name), nil).empty(t, http.StatusNoContent)
	}
}
