package tracker

import (
	"net/netip"

	"google.golang.org/protobuf/proto"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// announceParameters are the requests of the operations that list peers.
type announceParameters interface{ proto.Message }

// endpoint is where a peer can be reached; peer ids change, and a peer is given out once.
type endpoint struct {
	addr netip.Addr
	port uint32
}

func endpointOf(peer *trackerv1.Peer) endpoint {
	addr, _ := netip.AddrFromSlice(peer.GetAddress())
	return endpoint{addr: addr.Unmap(), port: peer.GetPort()}
}

func isV6(address []byte) bool {
	addr, ok := netip.AddrFromSlice(address)
	return ok && addr.Unmap().Is6()
}

// A merge collects the peers of an answer in order: without the requester, whatever its peer id,
// without repeated endpoints, and no more than wanted.
type merge struct {
	want  int
	seen  map[endpoint]bool
	peers []*trackerv1.Peer
}

func newMerge(want int, asking []*trackerv1.Peer) *merge {
	m := &merge{want: want, seen: make(map[endpoint]bool, min(max(want, 0), 64)+len(asking))}
	for _, peer := range asking {
		m.seen[endpointOf(peer)] = true
	}
	return m
}

func (m *merge) add(peer *trackerv1.Peer) {
	at := endpointOf(peer)
	if len(m.peers) >= m.want || m.seen[at] {
		return
	}
	m.seen[at] = true
	m.peers = append(m.peers, peer)
}
