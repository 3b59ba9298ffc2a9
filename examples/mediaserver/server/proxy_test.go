package server

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/host/hosttest"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
)

// An elsewhere is a web server that files are fetched from.
type elsewhere struct {
	*httptest.Server
	hits atomic.Int64
}

// publish starts a web server with a picture, and ways to go wrong.
func publish(t *testing.T, content []byte) *elsewhere {
	t.Helper()
	e := &elsewhere{}
	mux := http.NewServeMux()
	mux.HandleFunc("/picture.png", func(w http.ResponseWriter, _ *http.Request) {
		e.hits.Add(1)
		_, _ = w.Write(content)
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/picture.png", http.StatusFound)
	})
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/round", http.StatusFound)
	})
	mux.HandleFunc("/short", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(content[:100])
	})
	mux.HandleFunc("/page.html", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<!doctype html><p>no picture</p>"))
	})
	mux.HandleFunc("/never", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	e.Server = httptest.NewServer(mux)
	t.Cleanup(e.Close)
	return e
}

// proxied is the path and query of an endpoint for a URL.
func proxied(endpoint, address string) string {
	return endpoint + "proxy=" + url.QueryEscape(address)
}

// TestProxy fetches a URL once, however often and in whatever way it is asked for, and forgets it when
// nobody asks any more.
func TestProxy(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{AllowedFetch: loopback}, Options{})
	s.Work(site.host)
	content := hosttest.PNG(t, 1, 40, 30)
	web := publish(t, content)
	address := web.URL + "/picture.png"
	original := proxied("/image/original?", address)

	site.do(http.MethodHead, original, nil).empty(t, http.StatusNotFound)
	site.get(proxied("/image/details/original?", address)).expect(t, http.StatusNotFound, "proxy-not-found", nil)
	site.internal(http.MethodGet, proxied("/internal/identifier?", address), nil).expect(t, http.StatusNotFound, "alias-not-found", nil)
	site.internal(http.MethodPost, proxied("/internal/delete?", address), nil).empty(t, http.StatusNotFound)
	site.internal(http.MethodPost, proxied("/internal/purge?", address), nil).expect(t, http.StatusNotFound, "alias-not-found", nil)
	var names namesBody
	site.internal(http.MethodGet, proxied("/internal/aliases?", address), nil).expect(t, http.StatusOK, "", &names)
	if len(names.Aliases) != 0 || web.hits.Load() != 0 {
		t.Errorf("aliases %v, %d fetches of what was only looked at", names.Aliases, web.hits.Load())
	}

	for _, path := range []string{original, original, proxied("/image/original?", "HTTP://"+web.Listener.Addr().String()+"/picture.png#top")} {
		if got := site.get(path); got.status != http.StatusOK || !bytes.Equal(got.body, content) {
			t.Fatalf("%s: status %d with %q", path, got.status, got.body)
		}
	}
	site.do(http.MethodHead, original, nil).empty(t, http.StatusOK)
	if got := site.get(proxied("/image/process.jpg?resize=20&", address)); got.status != http.StatusOK {
		t.Errorf("a variant: status %d with %q", got.status, got.body)
	}
	site.do(http.MethodHead, proxied("/image/process.jpg?resize=20&", address), nil).empty(t, http.StatusOK)
	site.get(proxied("/image/process_backgrounded.jpg?resize=30&", address)).empty(t, http.StatusAccepted)
	site.get(proxied("/image/details/process.jpg?resize=20&", address)).expect(t, http.StatusOK, "", nil)
	site.get(proxied("/image/blurhash?", address)).expect(t, http.StatusOK, "", nil)
	site.internal(http.MethodGet, proxied("/internal/identifier?", address), nil).expect(t, http.StatusOK, "", nil)
	site.internal(http.MethodGet, proxied("/internal/aliases?", address), nil).expect(t, http.StatusOK, "", &names)
	if len(names.Aliases) != 1 || web.hits.Load() != 1 {
		t.Errorf("aliases %v after %d fetches", names.Aliases, web.hits.Load())
	}

	s.Drain()
	aging(t, s, site.host.PushOutdatedProxies, 6*24*time.Hour)
	if got := site.get(original); got.status != http.StatusOK || web.hits.Load() != 1 {
		t.Errorf("after six days: status %d, %d fetches", got.status, web.hits.Load())
	}
	aging(t, s, site.host.PushOutdatedProxies, 8*24*time.Hour)
	s.Empty()
	if got := site.get(original); got.status != http.StatusOK || web.hits.Load() != 2 {
		t.Errorf("after eight days: status %d, %d fetches", got.status, web.hits.Load())
	}
	site.internal(http.MethodPost, proxied("/internal/delete?", address), nil).expect(t, http.StatusOK, "", nil)
	s.Drain()
	s.Empty()
	if got := site.get(proxied("/image/process.png?resize=20&", address)); got.status != http.StatusOK || web.hits.Load() != 3 {
		t.Errorf("a variant of an unknown URL: status %d, %d fetches", got.status, web.hits.Load())
	}
}

// aging makes everything look as old as it will be after some time, has a feeder push, and waits until
// the workers have cleaned up.
func aging(t *testing.T, s *hosttest.Stand, push func(context.Context) error, by time.Duration) {
	t.Helper()
	s.Exec("UPDATE media_proxies SET accessed = accessed - interval '" + by.String() + "'")
	s.Exec("UPDATE media_variants SET accessed = accessed - interval '" + by.String() + "'")
	if err := push(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Drain()
}

// TestOutdatedVariant removes a variant that nobody asks for, and makes it again.
func TestOutdatedVariant(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	s.Work(site.host)
	file := site.upload(hosttest.PNG(t, 1, 40, 30))[0]
	kept := "/image/process.jpg?src=" + file.File + "&resize=20"
	forgotten := "/image/process.jpg?src=" + file.File + "&resize=10"
	site.get(kept)
	site.get(forgotten)
	s.Drain()
	aging(t, s, site.host.PushOutdatedVariants, 6*24*time.Hour)
	if n := len(s.Files()); n != 3 {
		t.Errorf("%d files after six days, want 3", n)
	}
	site.do(http.MethodHead, kept, nil).empty(t, http.StatusOK) // touches it
	aging(t, s, site.host.PushOutdatedVariants, 2*24*time.Hour)
	if n := len(s.Files()); n != 2 {
		t.Errorf("%d files after eight days, want the original and the variant in use", n)
	}
	site.do(http.MethodHead, kept, nil).empty(t, http.StatusOK)
	site.do(http.MethodHead, forgotten, nil).empty(t, http.StatusNotFound)
	if got := site.get(forgotten); got.status != http.StatusOK {
		t.Errorf("asked for again: status %d", got.status)
	}
	site.internal(http.MethodDelete, "/internal/variants", nil).empty(t, http.StatusNoContent)
	s.Drain()
	if n := len(s.Files()); n != 1 {
		t.Errorf("%d files after all variants were removed, want the original", n)
	}
	if got := site.get("/image/original/" + file.File); got.status != http.StatusOK {
		t.Errorf("the original: status %d", got.status)
	}
}

// TestConcurrentFetches has several ask for an unknown URL at once: one alias stays.
func TestConcurrentFetches(t *testing.T) {
	s := hosttest.Open(t)
	sites := []site{
		serve(t, s, host.Options{AllowedFetch: loopback}, Options{}),
		serve(t, s, host.Options{AllowedFetch: loopback}, Options{}),
	}
	s.Work(sites[0].host)
	content := hosttest.PNG(t, 1, 40, 30)
	web := publish(t, content)
	answers := make([]answer, 8)
	var requests sync.WaitGroup
	for i := range answers {
		requests.Go(func() {
			answers[i], _ = sites[i%2].try(http.MethodGet, proxied("/image/original?", web.URL+"/picture.png"), nil)
		})
	}
	requests.Wait()
	for i, got := range answers {
		if got.status != http.StatusOK || !bytes.Equal(got.body, content) {
			t.Errorf("request %d: status %d with %.100q", i, got.status, got.body)
		}
	}
	s.Drain()
	if aliases, files := s.Count("SELECT count(*) FROM media_aliases"), len(s.Files()); aliases != 1 || files != 1 {
		t.Errorf("%d aliases and %d files after %d fetches, want 1 and 1", aliases, files, web.hits.Load())
	}
}

func TestDownload(t *testing.T) {
	s := hosttest.Open(t)
	limits := picture.DefaultLimits()
	limits.MaxBytes = 5000
	site := serve(t, s, host.Options{AllowedFetch: loopback, Limits: &limits, FetchTimeout: 5 * time.Second}, Options{})
	s.Work(site.host)
	content := hosttest.PNG(t, 1, 40, 30)
	web, large := publish(t, content), publish(t, hosttest.PNG(t, 1, 400, 300))
	from := func(address, rest string) string {
		return "/image/download?url=" + url.QueryEscape(address) + rest
	}
	file := claimed(t, site, site.get(from(web.URL+"/picture.png", "")))
	background := claimed(t, site, site.get(from(web.URL+"/moved", "&backgrounded=true")))
	if file.Details != background.Details || file.File == background.File {
		t.Errorf("%+v and %+v", file, background)
	}
	processed := claimed(t, site, site.get(from(web.URL+"/picture.png", "&backgrounded=false&resize=10&max_width=40")))
	if processed.Details.Width != 10 {
		t.Errorf("%+v", processed)
	}
	for _, tt := range []struct {
		name, path string
		status     int
		code       string
	}{
		{"status 404", from(web.URL+"/nothing", ""), 500, "download-file-error"},
		{"redirected for ever", from(web.URL+"/round", ""), 500, "download-file-error"},
		{"broken off", from(web.URL+"/short", ""), 500, "download-file-error"},
		{"nobody there", from("http://127.0.0.1:1/x", ""), 500, "download-file-error"},
		{"too large", from(large.URL+"/picture.png", ""), 400, "validate-file-size"},
		{"too large, in the background", from(large.URL+"/picture.png", "&backgrounded=true"), 400, "validate-file-size"},
		{"too wide", from(web.URL+"/picture.png", "&max_width=39"), 400, "validate-width"},
		{"no picture", from(web.URL+"/page.html", ""), 400, "unsupported-file"},
		{"no URL", "/image/download", 400, "invalid-url"},
		{"a file of this machine", from("file:///etc/passwd", ""), 400, "invalid-url"},
		{"with a password", from("http://me:secret@127.0.0.1/x", ""), 400, "invalid-url"},
		{"neither true nor false", from(web.URL+"/picture.png", "&backgrounded=perhaps"), 400, "invalid-query"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			site.get(tt.path).expect(t, tt.status, tt.code, nil)
		})
	}
	for _, up := range []uploadedFile{file, background, processed} {
		site.remove(up)
	}
	s.Drain()
	s.Empty()
}

// TestFetchTimeout gives up on a server that does not answer.
func TestFetchTimeout(t *testing.T) {
	s := hosttest.Open(t)
	web := publish(t, hosttest.PNG(t, 1, 40, 30))
	site := serve(t, s, host.Options{AllowedFetch: loopback, FetchTimeout: 50 * time.Millisecond}, Options{})
	site.get(proxied("/image/original?", web.URL+"/never")).expect(t, 500, "download-file-error", nil)
}

// TestForbiddenRedirect does not follow where it must not go.
func TestForbiddenRedirect(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{AllowedFetch: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, Options{})
	inside := publish(t, hosttest.PNG(t, 1, 40, 30))
	_, port, _ := strings.Cut(inside.Listener.Addr().String(), ":")
	outside := httptest.NewServer(http.RedirectHandler("http://127.0.0.2:"+port+"/picture.png", http.StatusFound))
	t.Cleanup(outside.Close)
	site.get(proxied("/image/original?", outside.URL)).expect(t, 400, "invalid-url", nil)
	if got := site.get(proxied("/image/original?", inside.URL+"/picture.png")); got.status != http.StatusOK {
		t.Errorf("what is allowed: status %d", got.status)
	}
}

// TestFetchForbidden does not let anybody look into the server's own network.
func TestFetchForbidden(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	web := publish(t, hosttest.PNG(t, 1, 40, 30))
	_, port, _ := strings.Cut(web.Listener.Addr().String(), ":")
	for _, address := range []string{web.URL, "http://localhost:" + port, "http://[::ffff:127.0.0.1]:" + port} {
		site.get(proxied("/image/original?", address+"/picture.png")).expect(t, 400, "invalid-url", nil)
	}
	if web.hits.Load() != 0 {
		t.Errorf("%d fetches", web.hits.Load())
	}
}
