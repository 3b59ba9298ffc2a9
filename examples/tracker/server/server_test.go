package server

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/anacrolix/torrent/bencode"
	"github.com/anacrolix/torrent/tracker"
	trhttp "github.com/anacrolix/torrent/tracker/http"
	"github.com/anacrolix/torrent/tracker/udp"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/examples/tracker/announce"
)

// randomHash is that of a swarm that no other test uses.
func randomHash() [20]byte {
	var hash [20]byte
	_, _ = rand.Read(hash[:]) // never fails
	return hash
}

// urls are those of the two protocols, over IPv4.
func urls(s *Server) map[string]string {
	return map[string]string{
		"http": "http://" + s.HTTPAddrs()[0].String() + "/announce",
		"udp":  "udp://" + s.UDPAddrs()[0].String() + "/announce",
	}
}

// client announces with the library's client, which is a party of its own.
type client struct {
	t    *testing.T
	url  string
	hash [20]byte
	port uint16
	id   [20]byte
}

func (c client) announce(event tracker.AnnounceEvent, left int64) tracker.AnnounceResponse {
	c.t.Helper()
	response, err := c.try(event, left)
	if err != nil {
		c.t.Fatalf("%s of port %d at %s: %v", event, c.port, c.url, err)
	}
	return response
}

func (c client) try(event tracker.AnnounceEvent, left int64) (tracker.AnnounceResponse, error) {
	network := ""
	if strings.HasPrefix(c.url, "udp") {
		network = "udp4"
		if strings.Contains(c.url, "[") {
			network = "udp6"
		}
	}
	return tracker.Announce{
		TrackerUrl: c.url, UdpNetwork: network, Context: c.t.Context(),
		Request: tracker.AnnounceRequest{InfoHash: c.hash, PeerId: c.id, Port: c.port, Event: event, Left: left, NumWant: -1},
	}.Do()
}

// ports are those of the peers in a reply.
func ports(r tracker.AnnounceResponse) string {
	var found []int
	for _, peer := range r.Peers {
		found = append(found, peer.Port)
	}
	return fmt.Sprint(found)
}

// TestLifeOfSwarm follows a swarm from its first seeder to its last stop, over each protocol, on the
// real database.
func TestLifeOfSwarm(t *testing.T) {
	s := begin(t, Options{})
	for name, address := range urls(s) {
		t.Run(name, func(t *testing.T) {
			hash := randomHash()
			seeder := client{t, address, hash, 1001, [20]byte{1}}
			leecher := client{t, address, hash, 1002, [20]byte{2}}
			expect := func(what string, got tracker.AnnounceResponse, seeders, leechers int32, peers string) {
				t.Helper()
				if got.Seeders != seeders || got.Leechers != leechers || ports(got) != peers || got.Interval != 17 {
					t.Errorf("%s: %d seeders, %d leechers, peers %s, interval %d; want %d, %d, %s, 17",
						what, got.Seeders, got.Leechers, ports(got), got.Interval, seeders, leechers, peers)
				}
			}
			expect("the seeder starts", seeder.announce(tracker.Started, 0), 1, 0, "[]")
			expect("the leecher starts", leecher.announce(tracker.Started, 100), 1, 1, "[1001]")
			expect("the seeder looks again", seeder.announce(tracker.None, 0), 1, 1, "[1002]")
			expect("the leecher completes", leecher.announce(tracker.Completed, 0), 2, 0, "[]")
			expectScrape(t, s, hash, udp.ScrapeInfohashResult{Seeders: 2, Completed: 1})
			expect("the seeder stops", seeder.announce(tracker.Stopped, 0), 1, 0, "[]")
			late := client{t, address, hash, 1003, [20]byte{3}}
			expect("a late leecher gets the former leecher", late.announce(tracker.Started, 5), 1, 1, "[1002]")
			expect("it stops", late.announce(tracker.Stopped, 5), 1, 0, "[]")
			expect("it stops once more", late.announce(tracker.Stopped, 5), 1, 0, "[]")
			expect("the last one stops", leecher.announce(tracker.Stopped, 0), 0, 0, "[]")
			expectScrape(t, s, hash, udp.ScrapeInfohashResult{Completed: 1})
		})
	}
}

// expectScrape compares scrapes over both protocols with what is expected.
func expectScrape(t *testing.T, s *Server, hash [20]byte, want udp.ScrapeInfohashResult) {
	t.Helper()
	_, body := get(t, s, "/scrape?info_hash="+url.QueryEscape(string(hash[:])))
	var answer struct {
		Files map[string]udp.ScrapeInfohashResult `bencode:"files"`
	}
	if err := bencode.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	if got := answer.Files[string(hash[:])]; len(answer.Files) != 1 || got != want {
		t.Errorf("scrape over HTTP: %+v, want %+v", got, want)
	}
	client, err := udp.NewConnClient(udp.NewConnClientOpts{Network: "udp4", Host: s.UDPAddrs()[0].String()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	unknown := randomHash()
	swarms, err := client.Client.Scrape(t.Context(), []udp.InfoHash{unknown, hash})
	if err != nil || len(swarms) != 2 || swarms[1] != want || swarms[0] != (udp.ScrapeInfohashResult{}) {
		t.Errorf("scrape over UDP: %+v, %v; want %+v last", swarms, err, want)
	}
}

// TestProtocolsShareSwarm has one client over HTTP and one over UDP in the same swarm.
func TestProtocolsShareSwarm(t *testing.T) {
	all := urls(begin(t, Options{}))
	hash := randomHash()
	client{t, all["http"], hash, 2001, [20]byte{1}}.announce(tracker.Started, 0)
	if got := ports(client{t, all["udp"], hash, 2002, [20]byte{2}}.announce(tracker.Started, 7)); got != "[2001]" {
		t.Errorf("over UDP: %s", got)
	}
	if got := ports(client{t, all["http"], hash, 2001, [20]byte{1}}.announce(tracker.None, 0)); got != "[2002]" {
		t.Errorf("over HTTP: %s", got)
	}
}

// TestFamilies has clients of IPv4 and IPv6 in one swarm: HTTP replies hold both, UDP replies the
// client's own.
func TestFamilies(t *testing.T) {
	for _, own := range []bool{false, true} {
		s := begin(t, Options{Announce: announce.Options{OwnFamilyOnly: own}})
		hash := randomHash()
		http4, http6 := urls(s)["http"], "http://"+s.HTTPAddrs()[1].String()+"/announce"
		udp4, udp6 := urls(s)["udp"], "udp://"+s.UDPAddrs()[1].String()+"/announce"
		client{t, http4, hash, 3004, [20]byte{4}}.announce(tracker.Started, 0)
		client{t, http6, hash, 3006, [20]byte{6}}.announce(tracker.Started, 0)
		for address, want := range map[string]string{http4: "[3004 3006]", http6: "[3004 3006]", udp4: "[3004]", udp6: "[3006]"} {
			if own && address == http4 {
				want = "[3004]"
			}
			if own && address == http6 {
				want = "[3006]"
			}
			asking := client{t, address, hash, 3009, [20]byte{9}}
			if got := ports(asking.announce(tracker.Started, 1)); got != want {
				t.Errorf("own family only %v, %s: %s, want %s", own, address, got, want)
			}
			asking.announce(tracker.Stopped, 1)
		}
	}
}

// TestV2 has a client that gives all 32 bytes of a v2 hash and one that can give only 20.
func TestV2(t *testing.T) {
	s := begin(t, Options{})
	start, end := randomHash(), randomHash()
	hash := [32]byte(append(start[:], end[:12]...))
	query := func(port int, id, event string) string {
		return fmt.Sprintf("/announce?info_hash=%s&peer_id=%s&port=%d&left=0&event=%s&compact=0",
			url.QueryEscape(string(hash[:])), strings.Repeat(id, 20), port, event)
	}
	if _, body := get(t, s, query(4001, "a", "started")); strings.Contains(body, "failure") {
		t.Fatal(body)
	}
	short := client{t, urls(s)["udp"], [20]byte(hash[:20]), 4002, [20]byte{2}}
	if got := ports(short.announce(tracker.Started, 5)); got != "[4001]" {
		t.Errorf("by the short form: %s", got)
	}
	_, body := get(t, s, query(4001, "a", ""))
	if !strings.Contains(body, "4:porti4002e") || !strings.Contains(body, "2:ip9:127.0.0.1") {
		t.Errorf("by the long form: %q", body)
	}
	if _, body := get(t, s, query(4001, "a", "stopped")); strings.Contains(body, "failure") {
		t.Error(body)
	}
	if got := ports(short.announce(tracker.None, 5)); got != "[]" {
		t.Errorf("after the stop: %s", got)
	}
}

// TestSelfAndOthers asks for peers with many in the swarm: at most 50 by default, never oneself.
func TestSelfAndOthers(t *testing.T) {
	all := urls(begin(t, Options{}))
	hash := randomHash()
	for i := range 60 {
		var id [20]byte
		binary.BigEndian.PutUint16(id[:], uint16(i))
		client{t, all["http"], hash, uint16(5000 + i), id}.announce(tracker.Started, 1)
	}
	got := client{t, all["http"], hash, 5000, [20]byte{}}.announce(tracker.None, 1)
	if len(got.Peers) != 50 || got.Leechers != 60 {
		t.Errorf("%d peers, %d leechers", len(got.Peers), got.Leechers)
	}
	for _, peer := range got.Peers {
		if peer.Port == 5000 {
			t.Error("a client was given itself")
		}
	}
}

func TestApprovedOnly(t *testing.T) {
	all := urls(begin(t, Options{Announce: announce.Options{ApprovedOnly: true}}))
	hash := randomHash()
	data := trackerv1.NewDataClient(storage.Conn())
	for name, address := range all {
		asking := client{t, address, hash, 6001, [20]byte{1}}
		if _, err := asking.try(tracker.Started, 1); err == nil || !strings.Contains(err.Error(), "not approved") {
			t.Errorf("%s, before: %v", name, err)
		}
		put := &trackerv1.PutRequest{Context: announce.DefaultApprovalContext, Entries: []*trackerv1.Entry{{Key: hash[:], Value: []byte("_")}}}
		if _, err := data.Put(t.Context(), put); err != nil {
			t.Fatal(err)
		}
		asking.announce(tracker.Started, 1)
		if _, err := data.Delete(t.Context(), &trackerv1.DeleteRequest{Context: announce.DefaultApprovalContext, Key: [][]byte{hash[:]}}); err != nil {
			t.Fatal(err)
		}
		if _, err := asking.try(tracker.None, 1); err == nil {
			t.Errorf("%s: an approval that was withdrawn still holds", name)
		}
		asking.announce(tracker.Stopped, 1)
	}
}

func TestHealthAndMetrics(t *testing.T) {
	s := begin(t, Options{})
	if code, body := get(t, s, "/health"); code != http.StatusOK || body != "ok\n" {
		t.Errorf("health: %d %q", code, body)
	}
	client{t, urls(s)["http"], randomHash(), 7001, [20]byte{1}}.announce(tracker.Started, 1)
	client{t, urls(s)["udp"], randomHash(), 7001, [20]byte{1}}.announce(tracker.Started, 1)
	code, page := get(t, s, "/metrics")
	for _, line := range []string{
		`tracker_request_seconds_count{kind="announce",outcome="answered",protocol="http"} 1`,
		`tracker_request_seconds_count{kind="announce",outcome="answered",protocol="udp"} 1`,
		`tracker_request_seconds_count{kind="connect",outcome="answered",protocol="udp"} 1`,
		`mortise_tracker_op_seconds_count{op="peer.add"}`,
	} {
		if code != http.StatusOK || !strings.Contains(page, line) {
			t.Errorf("metrics: status %d, no line %s", code, line)
		}
	}
}

// TestRefusals has errors reach the clients of both protocols in words.
func TestRefusals(t *testing.T) {
	s := begin(t, Options{})
	for name, address := range urls(s) {
		_, err := client{t, address, randomHash(), 0, [20]byte{1}}.try(tracker.Started, 1)
		if err == nil || !strings.Contains(err.Error(), "port must be 1 to 65535") {
			t.Errorf("%s: %v", name, err)
		}
	}
	httpClient, err := url.Parse(urls(s)["http"])
	if err != nil {
		t.Fatal(err)
	}
	c := trhttp.NewClient(httpClient, trhttp.NewClientOpts{})
	defer c.Close()
	if _, err := c.Announce(t.Context(), tracker.AnnounceRequest{InfoHash: randomHash(), Port: 1, Left: 1}, trhttp.AnnounceOpt{}); err != nil {
		t.Errorf("a peer id of zeros is a peer id: %v", err)
	}
}

// TestAllAddresses has a tracker on every address of the machine, both families at one port.
func TestAllAddresses(t *testing.T) {
	s, err := Start(storage.Conn(), Options{UDP: []string{":0"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	hash := randomHash()
	for _, address := range s.UDPAddrs() {
		host := net.IPv4(127, 0, 0, 1)
		if address.Addr().Is6() {
			host = net.IPv6loopback
		}
		target := "udp://" + net.JoinHostPort(host.String(), fmt.Sprint(address.Port()))
		client{t, target, hash, 8001, [20]byte(bytes.Repeat([]byte{1}, 20))}.announce(tracker.Started, 0)
	}
	if len(s.UDPAddrs()) != 2 || s.UDPAddrs()[0].Port() != s.UDPAddrs()[1].Port() {
		t.Errorf("served on %v", s.UDPAddrs())
	}
}
