package udptracker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/anacrolix/torrent/tracker/udp"

	"github.com/mortise-storage/mortise/examples/tracker/announce"
)

// packet builds a request as a client does, with the library's own encoding.
func packet(t testing.TB, id udp.ConnectionId, action udp.Action, body ...any) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, part := range append([]any{udp.RequestHeader{ConnectionId: id, Action: action, TransactionId: 0x01020304}}, body...) {
		if err := udp.Write(&out, part); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// ordinary is an announce without anything special.
func ordinary() udp.AnnounceRequest {
	return udp.AnnounceRequest{InfoHash: [20]byte{1, 19: 0xff}, PeerId: [20]byte([]byte("-XX0001-abcdefghijkl")), Left: 5, NumWant: -1, Port: 6881}
}

func TestParseAnnounce(t *testing.T) {
	four, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for _, tt := range []struct {
		name       string
		change     func(*udp.AnnounceRequest)
		options    string
		source     netip.Addr
		fromPacket bool
		check      func(announce.Request) bool
	}{
		{"ordinary", nil, "", four, false, func(r announce.Request) bool {
			return r.Event == announce.None && r.Left == 5 && r.Want == 50 && r.OwnFamilyOnly && len(r.InfoHash) == 20 && r.InfoHash[19] == 0xff &&
				string(r.PeerID[:]) == "-XX0001-abcdefghijkl" && r.Addresses[0].String() == "192.0.2.1:6881"
		}},
		{"completed", func(w *udp.AnnounceRequest) { w.Event = 1 }, "", four, false, func(r announce.Request) bool { return r.Event == announce.Completed }},
		{"started", func(w *udp.AnnounceRequest) { w.Event = 2 }, "", four, false, func(r announce.Request) bool { return r.Event == announce.Started }},
		{"stopped", func(w *udp.AnnounceRequest) { w.Event = 3 }, "", four, false, func(r announce.Request) bool { return r.Event == announce.Stopped }},
		{"paused", func(w *udp.AnnounceRequest) { w.Event = 4 }, "", four, false, func(r announce.Request) bool { return r.Event == announce.Paused }},
		{"amounts", func(w *udp.AnnounceRequest) { w.Downloaded, w.Left, w.Uploaded = 1, 2, 3 }, "", four, false,
			func(r announce.Request) bool { return r.Downloaded == 1 && r.Left == 2 && r.Uploaded == 3 }},
		{"left unknown", func(w *udp.AnnounceRequest) { w.Left = -1 }, "", four, false, func(r announce.Request) bool { return r.Left == math.MaxInt64 }},
		{"wants many", func(w *udp.AnnounceRequest) { w.NumWant = 1000 }, "", four, false, func(r announce.Request) bool { return r.Want == 100 }},
		{"wants none", func(w *udp.AnnounceRequest) { w.NumWant = 0 }, "", four, false, func(r announce.Request) bool { return r.Want == 0 }},
		{"other address, not believed", func(w *udp.AnnounceRequest) { w.IPAddress = 0x0a000001 }, "", four, false,
			func(r announce.Request) bool { return r.Addresses[0].Addr() == four }},
		{"other address, believed", func(w *udp.AnnounceRequest) { w.IPAddress = 0x0a000001 }, "", four, true,
			func(r announce.Request) bool { return r.Addresses[0].String() == "10.0.0.1:6881" }},
		{"other address over IPv6", func(w *udp.AnnounceRequest) { w.IPAddress = 0x0a000001 }, "", six, true,
			func(r announce.Request) bool { return r.Addresses[0].Addr() == six }},
		{"URL option", nil, "\x02\x0c/announce?k=v"[:14], four, false, func(r announce.Request) bool { return r.Left == 5 }},
		{"no-operations, unknown option, end, rest", nil, "\x01\x01\x99\x03abc\x00\xff\xff", four, false, func(r announce.Request) bool { return r.Left == 5 }},
		{"zeros behind", nil, "\x00\x00", four, false, func(r announce.Request) bool { return r.Left == 5 }},
	} {
		wire := ordinary()
		if tt.change != nil {
			tt.change(&wire)
		}
		r, err := parseAnnounce(append(packet(t, 1, udp.ActionAnnounce, wire), tt.options...), tt.source, tt.fromPacket)
		if err != nil || !tt.check(r) {
			t.Errorf("%s: %+v, %v", tt.name, r, err)
		}
	}
}

func TestParseAnnounceRefuses(t *testing.T) {
	good := packet(t, 1, udp.ActionAnnounce, ordinary())
	noPort, badEvent := ordinary(), ordinary()
	noPort.Port, badEvent.Event = 0, 5
	for name, bad := range map[string][]byte{
		"short":                 good[:97],
		"header only":           good[:16],
		"port 0":                packet(t, 1, udp.ActionAnnounce, noPort),
		"unknown event":         packet(t, 1, udp.ActionAnnounce, badEvent),
		"option without length": append(bytes.Clone(good), 2),
		"option cut off":        append(bytes.Clone(good), 2, 5, 'a'),
	} {
		if _, err := parseAnnounce(bad, netip.MustParseAddr("192.0.2.1"), false); !errors.As(err, new(announce.Refusal)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseScrape(t *testing.T) {
	head := packet(t, 1, udp.ActionScrape)
	for size, count := range map[int]int{0: 0, 19: 0, 20: 1, 21: 0, 40: 2, 20 * 74: 74, 20 * 75: 0} {
		hashes, err := parseScrape(append(bytes.Clone(head), make([]byte, size)...))
		if len(hashes) != count || (err == nil) != (count > 0) {
			t.Errorf("%d bytes: %d hashes, %v", size, len(hashes), err)
		}
	}
}

func TestAnnounceReply(t *testing.T) {
	four := announce.Peer{Address: netip.MustParseAddrPort("1.2.3.4:258")}
	six := announce.Peer{Address: netip.MustParseAddrPort("[102:304::ff]:6881")}
	reply := announce.Reply{Complete: 2, Incomplete: 1 << 40, Peers: []announce.Peer{four, six, four}}
	head := "\x00\x00\x00\x01\x01\x02\x03\x04\x00\x00\x07\x08\x7f\xff\xff\xff\x00\x00\x00\x02"
	if got := string(announceReply(0x01020304, reply, false, 30*time.Minute)); got != head+strings.Repeat("\x01\x02\x03\x04\x01\x02", 2) {
		t.Errorf("IPv4: %q", got)
	}
	if got := string(announceReply(0x01020304, reply, true, 30*time.Minute)); got != head+"\x01\x02\x03\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\x1a\xe1" {
		t.Errorf("IPv6: %q", got)
	}
}

// TestReplyFitsPacket is about replies that would be cut into fragments.
func TestReplyFitsPacket(t *testing.T) {
	var reply announce.Reply
	for i := range announce.MaxWant {
		port := uint16(i + 1)
		reply.Peers = append(reply.Peers, announce.Peer{Address: netip.AddrPortFrom(netip.MustParseAddr("2001:db8::1"), port)},
			announce.Peer{Address: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port)})
	}
	if got := len(announceReply(1, reply, false, time.Minute)); got != 20+6*announce.MaxWant {
		t.Errorf("IPv4: %d bytes", got)
	}
	if got := len(announceReply(1, reply, true, time.Minute)); got > maxReplyV6 || got <= maxReplyV6-18 || (got-20)%18 != 0 {
		t.Errorf("IPv6: %d bytes", got)
	}
}

func TestScrapeReply(t *testing.T) {
	got := scrapeReply(7, []announce.Swarm{{Complete: 1, Incomplete: 2, Downloaded: 3}, {Downloaded: -1}})
	want := []uint32{2, 7, 1, 3, 2, 0, 0, 0}
	if len(got) != 4*len(want) {
		t.Fatalf("%x", got)
	}
	for i, number := range want {
		if word := binary.BigEndian.Uint32(got[4*i:]); word != number {
			t.Errorf("word %d is %d, want %d", i, word, number)
		}
	}
}
