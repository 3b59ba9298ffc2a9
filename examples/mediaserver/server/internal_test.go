package server

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/host/hosttest"
)

// TestKey keeps everybody out of /internal/ who has no key, and all if none is configured.
func TestKey(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	handler, err := New(site.host, Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for method, path := range map[string]string{
		http.MethodGet: "/internal/aliases?alias=a", http.MethodPost: "/internal/purge?alias=a",
		http.MethodDelete: "/internal/variants", http.MethodPut: "/internal/nothing",
	} {
		for name, headers := range map[string][]string{"no key": nil, "an empty key": {tokenHeader, ""}, "a wrong key": {tokenHeader, apiKey + "x"}} {
			site.do(method, path, nil, headers...).expect(t, http.StatusUnauthorized, "invalid-api-token", nil)
			if t.Failed() {
				t.Fatal(name)
			}
		}
		answer := direct(t, handler, method, path, tokenHeader, "")
		if answer.Code != http.StatusUnauthorized {
			t.Errorf("%s %s without a configured key: status %d", method, path, answer.Code)
		}
	}
	site.internal(http.MethodPost, "/internal/export", nil).expect(t, http.StatusNotFound, "not-found", nil)
	got := site.internal(http.MethodGet, "/internal/purge?alias=a", nil)
	got.expect(t, http.StatusMethodNotAllowed, "method-not-allowed", nil)
	if allow := got.header.Get("Allow"); allow != "POST" {
		t.Errorf("Allow is %q", allow)
	}
}

func TestInternalLookups(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	file := site.upload(hosttest.PNG(t, 1, 40, 30))[0]
	var found struct{ Identifier string }
	site.internal(http.MethodGet, "/internal/identifier?alias="+file.File, nil).expect(t, http.StatusOK, "", &found)
	if files := s.Files(); len(files) != 1 || found.Identifier != files[0] {
		t.Errorf("%q is not one of %v", found.Identifier, files)
	}
	site.internal(http.MethodGet, "/internal/identifier?alias=unknown", nil).expect(t, http.StatusNotFound, "alias-not-found", nil)
	site.internal(http.MethodGet, "/internal/identifier", nil).expect(t, http.StatusBadRequest, "invalid-query", nil)
	got := site.internal(http.MethodGet, "/internal/aliases?alias=unknown", nil)
	if got.status != http.StatusOK || string(got.body) != `{"msg":"ok","aliases":[]}` {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestPurgeAndInternalDelete(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	s.Work(site.host)
	content := hosttest.PNG(t, 1, 40, 30)
	first, second := site.upload(content)[0], site.upload(content)[0]
	other := site.upload(hosttest.PNG(t, 2, 40, 30))[0]
	site.get("/image/process.jpg?src=" + first.File)

	var purged namesBody
	site.internal(http.MethodPost, "/internal/purge?alias="+second.File, nil).expect(t, http.StatusOK, "", &purged)
	slices.Sort(purged.Aliases)
	want := []string{first.File, second.File}
	slices.Sort(want)
	if !slices.Equal(purged.Aliases, want) {
		t.Errorf("purged %v, want %v", purged.Aliases, want)
	}
	s.Drain()
	site.internal(http.MethodPost, "/internal/purge?alias="+second.File, nil).expect(t, http.StatusNotFound, "alias-not-found", nil)
	site.get("/image/original/"+first.File).empty(t, http.StatusNotFound)
	if got := site.get("/image/original/" + other.File); got.status != http.StatusOK || len(s.Files()) != 1 {
		t.Errorf("the other file: status %d, files %v", got.status, s.Files())
	}

	again := site.upload(hosttest.PNG(t, 2, 40, 30))[0]
	site.internal(http.MethodPost, "/internal/delete?alias="+other.File, nil).expect(t, http.StatusOK, "", nil)
	s.Drain()
	site.get("/image/original/"+other.File).empty(t, http.StatusNotFound)
	if got := site.get("/image/original/" + again.File); got.status != http.StatusOK {
		t.Errorf("its other name: status %d", got.status)
	}
	site.internal(http.MethodPost, "/internal/delete?alias="+other.File, nil).empty(t, http.StatusNotFound)
	site.internal(http.MethodPost, "/internal/delete?alias="+again.File, nil).expect(t, http.StatusOK, "", nil)
	s.Drain()
	s.Empty()
}

// pageOf asks for a page of hashes.
func pageOf(t *testing.T, site site, query string) pageBody {
	t.Helper()
	var body hashesBody
	site.internal(http.MethodGet, "/internal/hashes?"+query, nil).expect(t, http.StatusOK, "", &body)
	return body.Page
}

// TestPages walks through 50 hashes of which ten each were created at the same time, forward and back.
func TestPages(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	for i := range 5 {
		var files [][]byte
		for j := range 10 {
			files = append(files, hosttest.PNG(t, uint64(10*i+j), 8, 8))
		}
		site.upload(files...)
	}
	s.Exec(`UPDATE media_hashes SET created_at = '2026-01-01T00:00:00Z'::timestamptz + n / 10 * interval '1 hour'
		FROM (SELECT hash, (row_number() OVER (ORDER BY hash DESC) - 1)::int AS n FROM media_hashes) numbered WHERE numbered.hash = media_hashes.hash`)

	var forward []string
	var starts []string
	next := ""
	for {
		page := pageOf(t, site, "limit=7&slug="+url.QueryEscape(next))
		if page.Limit != 7 || len(page.Hashes) == 0 || len(page.Hashes) > 7 {
			t.Fatalf("limit %d, %d hashes", page.Limit, len(page.Hashes))
		}
		if (page.Prev == "") != (next == "") {
			t.Errorf("page %d: prev is %q", len(starts), page.Prev)
		}
		for _, hash := range page.Hashes {
			if len(hash.Hex) != 78 || len(hash.Aliases) != 1 || hash.Details == nil || hash.Details.Width != 8 {
				t.Errorf("%+v", hash)
			}
			forward = append(forward, hash.Hex)
		}
		starts = append(starts, page.Current)
		if next = page.Next; next == "" {
			break
		}
	}
	sorted := slices.Clone(forward)
	slices.Sort(sorted)
	if len(slices.Compact(sorted)) != 50 || len(forward) != 50 {
		t.Fatalf("%d hashes on %d pages", len(forward), len(starts))
	}
	for at := len(starts) - 1; at > 0; at-- {
		if page := pageOf(t, site, "limit=7&slug="+url.QueryEscape(starts[at])); page.Prev != starts[at-1] {
			t.Errorf("the page before page %d begins with %q, want %q", at, page.Prev, starts[at-1])
		}
	}

	if page := pageOf(t, site, ""); page.Limit != 20 || len(page.Hashes) != 20 || page.Hashes[0].Hex != forward[0] {
		t.Errorf("without arguments: %d of %d hashes", len(page.Hashes), page.Limit)
	}
	if page := pageOf(t, site, "slug=unknown&limit=1"); page.Hashes[0].Hex != forward[0] || page.Prev != "" {
		t.Errorf("an unknown slug: %+v", page)
	}
	if page := pageOf(t, site, "limit=3&timestamp=2026-01-01T03:00:00Z"); page.Hashes[0].Hex != forward[20] || page.Prev == "" {
		t.Errorf("before three o'clock: %+v, want to begin with %s", page, forward[20])
	}
	if page := pageOf(t, site, "timestamp="+url.QueryEscape("2026-01-01T01:00:00.5+01:00")); len(page.Hashes) != 10 || page.Hashes[0].Hex != forward[40] {
		t.Errorf("in another time zone: %d hashes", len(page.Hashes))
	}
	for _, query := range []string{"limit=0", "limit=x", "timestamp=yesterday", "timestamp=2026-01-01T00:00:00Z&slug=x"} {
		site.internal(http.MethodGet, "/internal/hashes?"+query, nil).expect(t, http.StatusBadRequest, "invalid-query", nil)
	}
}

func TestEmptyPage(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	got := site.internal(http.MethodGet, "/internal/hashes", nil)
	if string(got.body) != `{"msg":"ok","page":{"limit":20,"hashes":[]}}` {
		t.Errorf("%s", got.body)
	}
}

// TestPrune removes what is recorded and has no file.
func TestPrune(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	lost := site.upload(hosttest.PNG(t, 1, 40, 30))[0]
	if err := s.Store.Remove(s.Files()[0]); err != nil {
		t.Fatal(err)
	}
	kept := site.upload(hosttest.PNG(t, 2, 40, 30), hosttest.PNG(t, 3, 40, 30))
	type pruning struct {
		Complete        bool
		Progress, Total int64
	}
	prune := func(query string) (state pruning) {
		t.Helper()
		site.internal(http.MethodPost, "/internal/prune_missing"+query, nil).expect(t, http.StatusOK, "", &state)
		return state
	}
	if got := prune(""); got != (pruning{Total: 3}) {
		t.Errorf("begun: %+v", got)
	}
	prune("")
	if n := s.Jobs(); n != 1 {
		t.Errorf("%d jobs after two calls", n)
	}
	s.Work(site.host)
	s.Drain()
	if got := prune(""); got != (pruning{true, 3, 2}) {
		t.Errorf("done: %+v", got)
	}
	site.get("/image/original/"+lost.File).empty(t, http.StatusNotFound)
	for _, file := range kept {
		if got := site.get("/image/original/" + file.File); got.status != http.StatusOK {
			t.Errorf("a file that is there: status %d", got.status)
		}
	}
	if n := s.Jobs(); n != 0 {
		t.Errorf("%d jobs after the third call", n)
	}
	prune("?force=true")
	s.Drain()
	if got := prune(""); got != (pruning{true, 2, 2}) {
		t.Errorf("done again: %+v", got)
	}
	if got := site.upload(hosttest.PNG(t, 1, 40, 30))[0]; got.File == lost.File {
		t.Errorf("%+v", got)
	}
}

// TestUploadDuringCleanup uploads a file again after its last alias is gone and before it is collected.
func TestUploadDuringCleanup(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	content := hosttest.PNG(t, 1, 40, 30)
	first := site.upload(content)[0]
	site.remove(first)
	second := site.upload(content)[0]
	if n := s.Jobs(); n != 1 {
		t.Fatalf("%d jobs", n)
	}
	s.Work(site.host)
	s.Drain()
	if got := site.get("/image/original/" + second.File); got.status != http.StatusOK {
		t.Errorf("status %d", got.status)
	}
	var found hashesBody
	got := site.internal(http.MethodGet, "/internal/hashes", nil)
	if err := json.Unmarshal(got.body, &found); err != nil || len(found.Page.Hashes) != 1 || fmt.Sprint(found.Page.Hashes[0].Aliases) != "["+second.File+"]" {
		t.Errorf("%s, %v", got.body, err)
	}
	hash, err := hex.DecodeString(found.Page.Hashes[0].Hex)
	if err != nil || hash[38] != 7 || !strings.HasSuffix(second.File, ".png") { // PNG is format 7 in hashes
		t.Errorf("hash %x of %s, %v", hash, second.File, err)
	}
}
