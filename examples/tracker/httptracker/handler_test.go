package httptracker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/mortise-storage/mortise/examples/tracker/announce"
)

// scripted answers as it is told, and remembers what it was asked.
type scripted struct {
	asked announce.Request
	reply announce.Reply
	swarm announce.Swarm
	err   error
}

func (s *scripted) Announce(_ context.Context, r announce.Request) (announce.Reply, error) {
	s.asked = r
	return s.reply, s.err
}

func (s *scripted) Scrape(_ context.Context, hashes [][]byte) ([]announce.Swarm, error) {
	swarms := make([]announce.Swarm, len(hashes))
	for i := range swarms {
		swarms[i] = s.swarm
	}
	return swarms, s.err
}

func (s *scripted) Ping(context.Context) error { return s.err }

// get asks a handler on the script, and returns status and body.
func get(t *testing.T, s *scripted, target string) (int, string) {
	t.Helper()
	handler := New(s, Options{Interval: 30 * time.Minute, MinInterval: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, target, nil))
	body, err := io.ReadAll(recorder.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return recorder.Code, string(body)
}

func TestReplies(t *testing.T) {
	four := announce.Peer{ID: [20]byte([]byte("-AA0001-abcdefghijkl")), Address: netip.MustParseAddrPort("1.2.3.4:258")}
	six := announce.Peer{ID: [20]byte([]byte("-BB0001-abcdefghijkl")), Address: netip.MustParseAddrPort("[102:304::ff]:6881")}
	packed6 := "\x01\x02\x03\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\x1a\xe1"
	head := "d8:completei2e10:incompletei3e8:intervali1800e12:min intervali60e5:peers"
	raw20 := "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\xff"
	counts := announce.Reply{Complete: 2, Incomplete: 3}
	with := func(peers ...announce.Peer) *scripted {
		s := &scripted{reply: counts, swarm: announce.Swarm{Complete: 1, Incomplete: 2, Downloaded: 3}}
		s.reply.Peers = peers
		return s
	}
	for _, tt := range []struct {
		name   string
		script *scripted
		target string
		want   string
	}{
		{"nobody", with(), "/announce?" + base, head + "0:e"},
		{"compact", with(four), "/announce?" + base, head + "6:\x01\x02\x03\x04\x01\x02e"},
		{"both families", with(four, six), "/announce?" + base, head + "6:\x01\x02\x03\x04\x01\x026:peers618:" + packed6 + "e"},
		{"IPv6 only", with(six), "/announce?" + base, head + "0:6:peers618:" + packed6 + "e"},
		{"nobody, as dictionaries", with(), "/announce?" + base + "&compact=0", head + "lee"},
		{"dictionaries", with(four, six), "/announce?" + base + "&compact=0",
			head + "ld2:ip7:1.2.3.47:peer id20:-AA0001-abcdefghijkl4:porti258eed2:ip11:102:304::ff7:peer id20:-BB0001-abcdefghijkl4:porti6881eeee"},
		{"dictionaries without ids", with(four), "/announce?" + base + "&compact=0&no_peer_id=1", head + "ld2:ip7:1.2.3.44:porti258eeee"},
		{"scrape", with(), "/scrape?info_hash=" + hash20, "d5:filesd20:" + raw20 + "d8:completei1e10:downloadedi3e10:incompletei2eeee"},
		{"bad announce", with(), "/announce?left=1", "d14:failure reason28:info_hash must be given oncee"},
		{"scrape of everything", with(), "/scrape", "d14:failure reason41:a scrape must name at least one info_hashe"},
		{"refused", &scripted{err: announce.Refusal("no")}, "/announce?" + base, "d14:failure reason2:noe"},
		{"trouble", &scripted{err: errors.New("password=hunter2")}, "/announce?" + base,
			"d14:failure reason63:the tracker cannot answer at the moment, please try again latere"},
		{"trouble with a scrape", &scripted{err: errors.New("password=hunter2")}, "/scrape?info_hash=" + hash20,
			"d14:failure reason63:the tracker cannot answer at the moment, please try again latere"},
	} {
		code, body := get(t, tt.script, tt.target)
		if code != http.StatusOK || body != tt.want {
			t.Errorf("%s: %d %q\n\twant %q", tt.name, code, body, tt.want)
		}
	}
}

func TestRequestReachesTracker(t *testing.T) {
	s := &scripted{}
	get(t, s, "/announce?"+base+"&event=stopped&numwant=9")
	if s.asked.Event != announce.Stopped || s.asked.Want != 9 || s.asked.Left != 5 || s.asked.OwnFamilyOnly {
		t.Errorf("%+v", s.asked)
	}
	// The address is that of httptest's requests.
	if len(s.asked.Addresses) != 1 || s.asked.Addresses[0].String() != "192.0.2.1:6881" {
		t.Errorf("%v", s.asked.Addresses)
	}
}

func TestHealth(t *testing.T) {
	if code, body := get(t, &scripted{}, "/health"); code != http.StatusOK || body != "ok\n" {
		t.Errorf("%d %q", code, body)
	}
	if code, body := get(t, &scripted{err: errors.New("password=hunter2")}, "/health"); code != http.StatusServiceUnavailable || bytes.Contains([]byte(body), []byte("hunter2")) {
		t.Errorf("%d %q", code, body)
	}
}

func TestUserAgent(t *testing.T) {
	for given, want := range map[string]string{"aria2/1.36.0": "aria2/1.36.0", "bad\x00agent": "bad", "tab\there": "tab", "": "", "caf\xe9": "caf"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["User-Agent"] = []string{given}
		if got := userAgent(r); got != want {
			t.Errorf("userAgent(%q) = %q, want %q", given, got, want)
		}
	}
}
