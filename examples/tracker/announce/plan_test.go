package announce

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"testing"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

func TestPlan(t *testing.T) {
	for _, tt := range []struct {
		event     Event
		left      int64
		action    trackerv1.Action
		forSeeder bool
	}{
		{None, 1, trackerv1.Action_PUT_LEECHER, false},
		{None, 0, trackerv1.Action_PUT_SEEDER, true},
		{Started, 9, trackerv1.Action_PUT_LEECHER, false},
		{Started, 0, trackerv1.Action_PUT_SEEDER, true},
		{Paused, 1, trackerv1.Action_PUT_LEECHER, false},
		{Paused, 0, trackerv1.Action_PUT_SEEDER, true},
		{Completed, 0, trackerv1.Action_GRADUATE, true},
		{Completed, 1, trackerv1.Action_GRADUATE, false},
		{Stopped, 0, trackerv1.Action_REMOVE, true},
		{Stopped, 1, trackerv1.Action_REMOVE, false},
	} {
		action, forSeeder, err := plan(tt.event, tt.left)
		if err != nil || action != tt.action || forSeeder != tt.forSeeder {
			t.Errorf("plan(%v, %d) = %v, %v, %v; want %v, %v", tt.event, tt.left, action, forSeeder, err, tt.action, tt.forSeeder)
		}
	}
	if _, _, err := plan(Event(99), 0); err == nil {
		t.Error("an unknown event was taken")
	}
}

func TestParseEvent(t *testing.T) {
	for event := None; event <= Paused; event++ {
		if got, err := ParseEvent(event.String()); err != nil || got != event {
			t.Errorf("ParseEvent(%q) = %v, %v", event.String(), got, err)
		}
	}
	for _, name := range []string{"", "empty"} {
		if got, err := ParseEvent(name); err != nil || got != None {
			t.Errorf("ParseEvent(%q) = %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"Started", "finished", "\x00"} {
		if _, err := ParseEvent(name); !errors.As(err, new(Refusal)) {
			t.Errorf("ParseEvent(%q) gave %v", name, err)
		}
	}
}

func TestWant(t *testing.T) {
	for asked, want := range map[int64]int{-1: 50, -1 << 31: 50, 0: 0, 1: 1, 100: 100, 101: 100, 1 << 40: 100} {
		if got := Want(asked); got != want {
			t.Errorf("Want(%d) = %d, want %d", asked, got, want)
		}
	}
}

func TestCall(t *testing.T) {
	v1, v2 := bytes.Repeat([]byte{1}, 20), append(bytes.Repeat([]byte{2}, 20), bytes.Repeat([]byte{3}, 12)...)
	four, six := netip.MustParseAddrPort("192.0.2.1:6881"), netip.MustParseAddrPort("[2001:db8::1]:6882")
	both := []trackerv1.Family{trackerv1.Family_IPV4, trackerv1.Family_IPV6}
	for _, tt := range []struct {
		name     string
		request  Request
		hashes   [][]byte
		families []trackerv1.Family
		want     int32
	}{
		{"v1 over IPv4", Request{InfoHash: v1, Addresses: []netip.AddrPort{four}, Left: 1, Want: 7}, [][]byte{v1}, both, 7},
		{"v2 is tracked under both forms", Request{InfoHash: v2, Addresses: []netip.AddrPort{four}, Left: 1, Want: 7}, [][]byte{v2, v2[:20]}, both, 7},
		{"IPv6 first for who has it", Request{InfoHash: v1, Addresses: []netip.AddrPort{six}, Left: 1, Want: 7}, [][]byte{v1},
			[]trackerv1.Family{trackerv1.Family_IPV6, trackerv1.Family_IPV4}, 7},
		{"own family", Request{InfoHash: v1, Addresses: []netip.AddrPort{six, four}, Left: 1, Want: 7, OwnFamilyOnly: true}, [][]byte{v1},
			[]trackerv1.Family{trackerv1.Family_IPV6}, 7},
		{"too many wanted", Request{InfoHash: v1, Addresses: []netip.AddrPort{four}, Left: 1, Want: 5000}, [][]byte{v1}, both, 100},
		{"who stops gets no peers", Request{InfoHash: v1, Addresses: []netip.AddrPort{four}, Event: Stopped, Want: 7}, [][]byte{v1}, both, 0},
	} {
		got, err := call(tt.request)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !slices.EqualFunc(got.InfoHashes, tt.hashes, bytes.Equal) || !slices.Equal(got.Families, tt.families) || got.Want != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		if !got.WantCounts || len(got.Peers) != len(tt.request.Addresses) {
			t.Errorf("%s: counts or peers are missing: %v", tt.name, got)
		}
	}
}

func TestCallPeer(t *testing.T) {
	request := Request{
		InfoHash: make([]byte, 20), PeerID: [20]byte{9, 8, 7}, Event: Completed, Left: 3, Uploaded: 4, Downloaded: 5, UserAgent: "tester/1",
		Addresses: []netip.AddrPort{netip.MustParseAddrPort("[::ffff:192.0.2.7]:51413")},
	}
	got, err := call(request)
	if err != nil {
		t.Fatal(err)
	}
	peer, host := got.Peers[0], got.HostValues
	if !bytes.Equal(peer.PeerId, request.PeerID[:]) || !bytes.Equal(peer.Address, []byte{192, 0, 2, 7}) || peer.Port != 51413 {
		t.Errorf("peer %v", peer)
	}
	if got.Families[0] != trackerv1.Family_IPV4 {
		t.Error("an IPv4-mapped address counts as IPv6")
	}
	if host.GetEvent() != "completed" || host.GetLeft() != 3 || host.GetUploaded() != 4 || host.GetDownloaded() != 5 || host.GetUserAgent() != "tester/1" {
		t.Errorf("host values %v", host)
	}
}

func TestCallRefuses(t *testing.T) {
	address := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:1")}
	for name, request := range map[string]Request{
		"hash of 19 bytes": {InfoHash: make([]byte, 19), Addresses: address},
		"hash of 21 bytes": {InfoHash: make([]byte, 21), Addresses: address},
		"no hash":          {Addresses: address},
		"no address":       {InfoHash: make([]byte, 20)},
		"port 0":           {InfoHash: make([]byte, 20), Addresses: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:0")}},
		"unknown event":    {InfoHash: make([]byte, 20), Addresses: address, Event: 17},
	} {
		if _, err := call(request); !errors.As(err, new(Refusal)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
