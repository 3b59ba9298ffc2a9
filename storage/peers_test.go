package storage_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// hashOf returns an info hash of 20 bytes that differs by its first.
func hashOf(first byte) []byte { return append([]byte{first}, bytes.Repeat([]byte{0xee}, 19)...) }

// peerAt returns a peer with an id that follows from its port. The id is plain text, so that it fits
// columns of text as well.
func peerAt(address string, port uint32) *trackerv1.Peer {
	return &trackerv1.Peer{PeerId: fmt.Appendf(nil, "-MO0001-%012d", port), Address: netip.MustParseAddr(address).AsSlice(), Port: port}
}

func describe(peer *trackerv1.Peer) string {
	address, _ := netip.AddrFromSlice(peer.GetAddress())
	return fmt.Sprintf("%s at %s", peer.GetPeerId(), netip.AddrPortFrom(address, uint16(peer.GetPort())))
}

func describeAll(peers []*trackerv1.Peer) []string {
	var all []string
	for _, peer := range peers {
		all = append(all, describe(peer))
	}
	slices.Sort(all)
	return all
}

func (o *opened) put(t testing.TB, hash []byte, seeder bool, peers ...*trackerv1.Peer) {
	t.Helper()
	for _, peer := range peers {
		if _, err := o.swarms.PutPeer(t.Context(), &trackerv1.PutPeerRequest{InfoHash: hash, Peer: peer, IsSeeder: seeder}); err != nil {
			t.Fatalf("PutPeer of %s: %v", describe(peer), err)
		}
	}
}

// listed returns the seeders, or what a seeder sees: leechers.
func (o *opened) listed(t testing.TB, hash []byte, forSeeder, v6 bool) []string {
	t.Helper()
	response, err := o.swarms.AnnouncePeers(t.Context(), &trackerv1.AnnouncePeersRequest{InfoHash: hash, ForSeeder: forSeeder, Want: 50, V6: v6})
	if err != nil {
		t.Fatalf("AnnouncePeers: %v", err)
	}
	return describeAll(response.GetPeers())
}
