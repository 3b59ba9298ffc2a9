package httptracker

import (
	"bytes"
	"errors"
	"math"
	"net/url"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/examples/tracker/announce"
)

const (
	hash20 = "%01%02%03%04%05%06%07%08%09%0a%0b%0c%0d%0e%0f%10%11%12%13%ff"
	hash32 = hash20 + "123456789abc"
	peerID = "-XX0001-abcdefghijkl"
	base   = "info_hash=" + hash20 + "&peer_id=" + peerID + "&port=6881&left=5"
)

// wants is what of an announce a test looks at.
type wants struct {
	event            announce.Event
	left, up, down   int64
	want             int
	port             uint16
	dictionaries, id bool
	hash             int
}

func TestParseAnnounce(t *testing.T) {
	ordinary := wants{left: 5, want: 50, port: 6881, id: true, hash: 20}
	with := func(change func(*wants)) wants {
		w := ordinary
		change(&w)
		return w
	}
	for _, tt := range []struct {
		query string
		want  wants
	}{
		{base, ordinary},
		{base + "&&", ordinary},
		{base + "&key=abc&supportcrypto=1&trackerid=", ordinary},
		{base + "&event=", ordinary},
		{base + "&event=started", with(func(w *wants) { w.event = announce.Started })},
		{base + "&event=completed", with(func(w *wants) { w.event = announce.Completed })},
		{base + "&event=stopped", with(func(w *wants) { w.event = announce.Stopped })},
		{base + "&event=paused", with(func(w *wants) { w.event = announce.Paused })},
		{base + "&uploaded=7&downloaded=8", with(func(w *wants) { w.up, w.down = 7, 8 })},
		{base + "&numwant=0", with(func(w *wants) { w.want = 0 })},
		{base + "&numwant=-1", ordinary},
		{base + "&numwant=", ordinary},
		{base + "&numwant=7", with(func(w *wants) { w.want = 7 })},
		{base + "&numwant=200", with(func(w *wants) { w.want = 100 })},
		{base + "&compact=1", ordinary},
		{base + "&compact=0", with(func(w *wants) { w.dictionaries = true })},
		{base + "&compact=0&no_peer_id=1", with(func(w *wants) { w.dictionaries, w.id = true, false })},
		{strings.Replace(base, "left=5", "left=0", 1), with(func(w *wants) { w.left = 0 })},
		{strings.Replace(base, "left=5", "left=9223372036854775808", 1), with(func(w *wants) { w.left = math.MaxInt64 })},
		{strings.Replace(base, "left=5", "left=99999999999999999999", 1), with(func(w *wants) { w.left = math.MaxInt64 })},
		{strings.Replace(base, hash20, hash32, 1), with(func(w *wants) { w.hash = 32 })},
		{strings.Replace(base, "port=6881", "port=65535", 1), with(func(w *wants) { w.port = 65535 })},
	} {
		p, err := parseQuery(tt.query)
		if err != nil {
			t.Errorf("%s: %v", tt.query, err)
			continue
		}
		r, port, form, err := parseAnnounce(p)
		got := wants{r.Event, r.Left, r.Uploaded, r.Downloaded, r.Want, port, form.dictionaries, !form.withoutIDs, len(r.InfoHash)}
		if err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", tt.query, got, err, tt.want)
		}
		if string(r.PeerID[:]) != peerID || r.InfoHash[19] != 0xff {
			t.Errorf("%s: peer id %q, hash %x", tt.query, r.PeerID, r.InfoHash)
		}
	}
}

func TestParseAnnounceRefuses(t *testing.T) {
	for name, query := range map[string]string{
		"nothing":                "",
		"no info_hash":           "peer_id=" + peerID + "&port=1&left=0",
		"two info_hashes":        base + "&info_hash=" + hash20,
		"hash of 19 bytes":       strings.Replace(base, "%ff", "", 1),
		"hash in hexadecimal":    strings.Replace(base, hash20, strings.Repeat("ab", 20), 1),
		"peer_id of 21 bytes":    strings.Replace(base, peerID, peerID+"x", 1),
		"no peer_id":             strings.Replace(base, "peer_id", "peer", 1),
		"port 0":                 strings.Replace(base, "port=6881", "port=0", 1),
		"port 65536":             strings.Replace(base, "port=6881", "port=65536", 1),
		"negative port":          strings.Replace(base, "port=6881", "port=-1", 1),
		"no port":                strings.Replace(base, "port=6881", "", 1),
		"no left":                strings.Replace(base, "left=5", "", 1),
		"negative left":          strings.Replace(base, "left=5", "left=-1", 1),
		"left in words":          strings.Replace(base, "left=5", "left=all", 1),
		"uploaded in words":      base + "&uploaded=much",
		"unknown event":          base + "&event=exploded",
		"numwant in words":       base + "&numwant=all",
		"broken percent-coding":  base + "&key=%zz",
		"cut-off percent-coding": base + "&key=%a",
	} {
		p, err := parseQuery(query)
		if err == nil {
			_, _, _, err = parseAnnounce(p)
		}
		if !errors.As(err, new(announce.Refusal)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseScrape(t *testing.T) {
	one := "info_hash=" + hash20
	long := "info_hash=" + hash32
	var many []string
	for i := range MaxScrape + 1 {
		many = append(many, "info_hash="+strings.ReplaceAll(hash20, "%ff", url.QueryEscape(string(rune(' '+i)))))
	}
	for _, tt := range []struct {
		name, query string
		lengths     []int
	}{
		{"one", one, []int{20}},
		{"both kinds", one + "&" + long, []int{20, 32}},
		{"a repeated one counts once", one + "&" + one, []int{20}},
		{"as many as allowed", strings.Join(many[:MaxScrape], "&"), make([]int, MaxScrape)},
		{"none", "", nil},
		{"too many", strings.Join(many, "&"), nil},
		{"a short one", one + "&info_hash=abc", nil},
	} {
		p, err := parseQuery(tt.query)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		hashes, err := parseScrape(p)
		if (err != nil) != (tt.lengths == nil) || len(hashes) != len(tt.lengths) {
			t.Errorf("%s: %d hashes, %v", tt.name, len(hashes), err)
		}
		for i, length := range tt.lengths {
			if length > 0 && len(hashes[i]) != length {
				t.Errorf("%s: hash %d has %d bytes", tt.name, i, len(hashes[i]))
			}
		}
	}
}

// FuzzQuery looks for queries that panic, or that are taken though they break a rule.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{base, base + "&event=stopped&numwant=0&compact=0", "info_hash=" + hash20 + "&info_hash=" + hash32, "&&=&a", "left=+1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		p, err := parseQuery(query)
		if err != nil {
			return
		}
		if r, port, _, err := parseAnnounce(p); err == nil {
			if port == 0 || r.Left < 0 || r.Uploaded < 0 || r.Downloaded < 0 || r.Want < 0 || r.Want > announce.MaxWant ||
				(len(r.InfoHash) != 20 && len(r.InfoHash) != 32) || len(p.all("info_hash")) != 1 {
				t.Errorf("%q was taken as %+v", query, r)
			}
		}
		if hashes, err := parseScrape(p); err == nil {
			if len(hashes) == 0 || len(hashes) > MaxScrape {
				t.Errorf("%q has %d hashes", query, len(hashes))
			}
			for i := 1; i < len(hashes); i++ {
				if bytes.Equal(hashes[i], hashes[0]) {
					t.Errorf("%q gave a hash twice", query)
				}
			}
		}
	})
}
