package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/host/hosttest"
	"github.com/mortise-storage/mortise/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// apiKey opens /internal/ of all test servers.
const apiKey = "the-key-of-the-tests"

// loopback lets tests fetch from servers of their own.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// A site is a media server on a stand, with its client.
type site struct {
	t    *testing.T
	base string
	host *host.Host
}

// serve starts a media server. Its workers are the test's own affair.
func serve(t *testing.T, s *hosttest.Stand, ho host.Options, o Options) site {
	t.Helper()
	h := s.Host(ho)
	o.APIKey = apiKey
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	handler, err := New(h, o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return site{t, server.URL, h}
}

// An answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request. Headers are name and value in turn.
func (s site) do(method, path string, body io.Reader, headers ...string) answer {
	s.t.Helper()
	got, err := s.try(method, path, body, headers...)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return got
}

func (s site) try(method, path string, body io.Reader, headers ...string) (answer, error) {
	request, err := http.NewRequest(method, s.base+path, body)
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	got := answer{status: response.StatusCode, header: response.Header}
	got.body, err = io.ReadAll(response.Body)
	return got, err
}

func (s site) get(path string, headers ...string) answer {
	s.t.Helper()
	return s.do(http.MethodGet, path, nil, headers...)
}

// internal sends a request with the key.
func (s site) internal(method, path string, body io.Reader) answer {
	s.t.Helper()
	return s.do(method, path, body, tokenHeader, apiKey)
}

// expect compares the status, and the code of an error if there is to be one, and reads the body.
func (a answer) expect(t *testing.T, status int, code string, into any) {
	t.Helper()
	var failed errorBody
	if code != "" {
		if err := json.Unmarshal(a.body, &failed); err != nil || failed.Message == "" {
			t.Fatalf("status %d with %q is not an error in JSON: %v", a.status, a.body, err)
		}
	}
	if a.status != status || string(failed.Code) != code {
		t.Fatalf("status %d with %q; want %d with code %q", a.status, a.body, status, code)
	}
	if into != nil {
		if err := json.Unmarshal(a.body, into); err != nil {
			t.Fatalf("%q: %v", a.body, err)
		}
	}
}

// empty compares the status of an answer that has no body.
func (a answer) empty(t *testing.T, status int) {
	t.Helper()
	if a.status != status || len(a.body) > 0 {
		t.Fatalf("status %d with %q; want %d without a body", a.status, a.body, status)
	}
}

// A named is a file in a form.
type named struct {
	name    string
	content []byte
}

// form encodes files as browsers do.
func form(t *testing.T, field string, files ...named) (io.Reader, string) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, file := range files {
		part, err := w.CreateFormFile(field, file.name)
		if err == nil {
			_, err = part.Write(file.content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &body, w.FormDataContentType()
}

// post uploads files to a path.
func (s site) post(path string, contents ...[]byte) answer {
	s.t.Helper()
	var files []named
	for i, content := range contents {
		files = append(files, named{fmt.Sprintf("picture-%d.bin", i), content})
	}
	body, contentType := form(s.t, filesField, files...)
	return s.do(http.MethodPost, path, body, "Content-Type", contentType, tokenHeader, apiKey)
}

// upload uploads files and returns what they became.
func (s site) upload(contents ...[]byte) []uploadedFile {
	s.t.Helper()
	var body uploadedBody
	s.post("/image", contents...).expect(s.t, http.StatusCreated, "", &body)
	if body.Message != "ok" || len(body.Files) != len(contents) {
		s.t.Fatalf("%+v for %d files", body, len(contents))
	}
	return body.Files
}

// remove deletes an alias with its token.
func (s site) remove(file uploadedFile) {
	s.t.Helper()
	s.do(http.MethodDelete, "/image/delete/"+file.DeleteToken+"/"+file.File, nil).empty(s.t, http.StatusNoContent)
}
