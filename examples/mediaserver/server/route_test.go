package server

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/host/hosttest"
)

// direct asks a handler without a connection.
func direct(t *testing.T, h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, request)
	return answer
}

// A logbook is a log that may be read while it is written.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestDeadline(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{AllowedFetch: loopback}, Options{})
	web := publish(t, nil)
	file := site.upload(hosttest.PNG(t, 1, 40, 30))[0]
	at := func(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).UnixNano(), 10) }
	path := "/image/original/" + file.File
	if got := site.get(path, deadlineHeader, at(time.Hour)); got.status != http.StatusOK {
		t.Errorf("in an hour: status %d", got.status)
	}
	for _, bad := range []string{"soon", "1.5", "99999999999999999999"} {
		site.get(path, deadlineHeader, bad).expect(t, http.StatusBadRequest, "parse-deadline", nil)
	}
	site.get(path, deadlineHeader, at(-time.Second)).expect(t, http.StatusRequestTimeout, "request-timeout", nil)
	// Nobody makes the variant, nor answers from elsewhere: the client's time ends first.
	site.get(proxied("/image/original?", web.URL+"/never"), deadlineHeader, at(200*time.Millisecond)).expect(t, http.StatusRequestTimeout, "request-timeout", nil)
	site.get("/image/process.jpg?src="+file.File, deadlineHeader, at(200*time.Millisecond)).expect(t, http.StatusRequestTimeout, "request-timeout", nil)
}

// TestSlowBody gives up on a client that sends half a file and then nothing.
func TestSlowBody(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{BodyTimeout: 200 * time.Millisecond})
	body, contentType := form(t, filesField, named{"a.png", hosttest.PNG(t, 1, 40, 30)})
	whole, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	for name, part := range map[string][]byte{"half a file": whole[:len(whole)/2], "nothing": nil} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(site.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /image HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", contentType, len(whole), part)
		answer, err := io.ReadAll(conn)
		conn.Close()
		if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ")) || !bytes.Contains(answer, []byte(`"code":"stream-too-slow"`)) {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
	}
	if files := s.Files(); len(files) != 0 {
		t.Errorf("files are %v", files)
	}
}

// TestUnknownPaths answers everything in JSON.
func TestUnknownPaths(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{Page: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("the page"))
	})})
	for _, path := range []string{"/nothing", "/image/details/nothing.png", "/image/delete/x"} {
		site.get(path).expect(t, http.StatusNotFound, "not-found", nil)
	}
	site.do(http.MethodPut, "/image", nil).expect(t, http.StatusMethodNotAllowed, "method-not-allowed", nil)
	if got := site.get("/"); got.status != http.StatusOK || string(got.body) != "the page" {
		t.Errorf("the page: status %d with %q", got.status, got.body)
	}
	site.get("/healthz").empty(t, http.StatusOK)
}

// TestNoStorage answers when the storage is gone.
func TestNoStorage(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	file := site.upload(hosttest.PNG(t, 1, 40, 30))[0]
	s.Close()
	site.get("/healthz").expect(t, http.StatusInternalServerError, "postgres-error", nil)
	site.get("/image/original/"+file.File).expect(t, http.StatusInternalServerError, "postgres-error", nil)
	site.post("/image", hosttest.PNG(t, 2, 40, 30)).expect(t, http.StatusInternalServerError, "postgres-error", nil)
}

// TestReadOnly lets nothing be changed, by the server or by a request.
func TestReadOnly(t *testing.T) {
	s := hosttest.Open(t)
	writer := serve(t, s, host.Options{AllowedFetch: loopback}, Options{})
	stop := s.Work(writer.host)
	file := writer.upload(hosttest.PNG(t, 1, 40, 30))[0]
	writer.get("/image/process.jpg?resize=20&src=" + file.File)
	web := publish(t, hosttest.PNG(t, 2, 40, 30))
	known := proxied("/image/original?", web.URL+"/picture.png")
	writer.get(known)
	s.Drain()
	stop()
	// Nothing may be written, so nothing can be.
	s.Exec("ALTER DATABASE " + database(s.DSN) + " SET default_transaction_read_only = on")
	s.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")

	site := serve(t, s, host.Options{ReadOnly: true, AllowedFetch: loopback}, Options{})
	s.Eventually("the storage has new connections", func() bool {
		return site.get("/image/original/"+file.File).status == http.StatusOK
	})
	for _, path := range []string{known, "/image/process.jpg?resize=20&src=" + file.File, "/image/blurhash?alias=" + file.File,
		"/image/details/original/" + file.File, "/image/details/process.jpg?resize=20&src=" + file.File} {
		if got := site.get(path); got.status != http.StatusOK {
			t.Errorf("%s: status %d with %q", path, got.status, got.body)
		}
	}
	if got := site.get("/healthz"); got.status != http.StatusOK {
		t.Errorf("health: status %d", got.status)
	}
	for _, refused := range []struct{ method, path string }{
		{http.MethodGet, proxied("/image/original?", web.URL+"/moved")},
		{http.MethodGet, "/image/download?url=" + url.QueryEscape(web.URL)},
		{http.MethodGet, "/image/process.jpg?resize=10&src=" + file.File},
		{http.MethodGet, "/image/process_backgrounded.jpg?resize=10&src=" + file.File},
		{http.MethodGet, "/image/delete/" + file.DeleteToken + "/" + file.File},
		{http.MethodPost, "/internal/purge?alias=" + file.File},
		{http.MethodPost, "/internal/delete?alias=" + file.File},
		{http.MethodPost, "/internal/prune_missing?force=true"},
		{http.MethodDelete, "/internal/variants"},
	} {
		site.internal(refused.method, refused.path, nil).expect(t, http.StatusBadRequest, "read-only", nil)
	}
	site.post("/image", hosttest.PNG(t, 3, 40, 30)).expect(t, http.StatusBadRequest, "read-only", nil)
	site.post("/image/backgrounded", hosttest.PNG(t, 3, 40, 30)).expect(t, http.StatusBadRequest, "read-only", nil)
	// A host that does not know says the same, from what the database answers.
	writer.post("/image", hosttest.PNG(t, 3, 40, 30)).expect(t, http.StatusBadRequest, "read-only", nil)
	if n := len(s.Files()); n != 3 {
		t.Errorf("%d files, want 3", n)
	}
}

// database is the name at the end of a DSN.
func database(dsn string) string { return dsn[strings.LastIndex(dsn, "=")+1:] }

// TestLogAndMetrics counts requests by route, and logs nothing that opens anything.
func TestLogAndMetrics(t *testing.T) {
	s := hosttest.Open(t)
	var log logbook
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	registry := prometheus.NewRegistry()
	site := serve(t, s, host.Options{Logger: logger, AllowedFetch: loopback}, Options{Logger: logger, Registerer: registry})
	s.Work(site.host)
	file := site.upload(hosttest.PNG(t, 1, 40, 30))[0]
	site.get("/image/delete/not-the-token/" + file.File)
	site.internal(http.MethodGet, "/internal/aliases?alias="+file.File, nil)
	site.get(proxied("/image/original?", "http://127.0.0.1:1/secret-path?key=secret-value"))
	site.remove(file)
	s.Drain()
	for _, secret := range []string{file.DeleteToken, "not-the-token", apiKey, "secret-path", "secret-value", file.File} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in the log:\n%s", secret, log.String())
		}
	}
	if !strings.Contains(log.String(), "route=/image/delete/{token}/{alias} status=403") {
		t.Errorf("the log is\n%s", log.String())
	}
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || len(families[0].GetMetric()) != 5 {
		t.Errorf("%v, %v", families, err)
	}
}

// TestPanic contains the panic of one request.
func TestPanic(t *testing.T) {
	var log logbook
	s := &server{log: slog.New(slog.NewTextHandler(&log, nil)), mux: http.NewServeMux()}
	s.route("/panic", methods{http.MethodGet: func(http.ResponseWriter, *http.Request) error { panic("oh") }})
	s.route("/late", methods{http.MethodGet: func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		panic("oh")
	}})
	answer := direct(t, s.mux, http.MethodGet, "/panic")
	if answer.Code != http.StatusInternalServerError || !strings.Contains(answer.Body.String(), `"internal-error"`) || !strings.Contains(log.String(), "route_test.go") {
		t.Errorf("status %d with %q, log %s", answer.Code, answer.Body, log.String())
	}
	if answer := direct(t, s.mux, http.MethodGet, "/late"); answer.Code != http.StatusOK || answer.Body.Len() > 0 {
		t.Errorf("status %d with %q", answer.Code, answer.Body)
	}
}
