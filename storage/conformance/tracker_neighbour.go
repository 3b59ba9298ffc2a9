package conformance

import (
	"slices"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// A neighbour differs from a peer in exactly one part of the key.
type neighbour struct {
	part  string
	needs []Capability
	// of returns the neighbour's swarm and key.
	of func(w *swarm, p *trackerv1.Peer) (*swarm, *trackerv1.Peer)
}

var neighbours = []neighbour{
	{part: "info hash", of: func(w *swarm, p *trackerv1.Peer) (*swarm, *trackerv1.Peer) {
		hash := slices.Clone(w.hash)
		hash[len(hash)-1] ^= 1
		return w.of(hash), p
	}},
	{part: "peer id", of: changed(func(p *trackerv1.Peer) { p.PeerId[19] ^= 1 })},
	{part: "address", needs: []Capability{ManyAddresses}, of: changed(func(p *trackerv1.Peer) {
		p.Address[len(p.Address)-1] ^= 1
	})},
	{part: "port", needs: []Capability{ManyAddresses}, of: changed(func(p *trackerv1.Peer) { p.Port ^= 1 })},
	{part: "address family", needs: []Capability{ManyAddresses}, of: changed(func(p *trackerv1.Peer) {
		if isV6(p) {
			p.Address = p.Address[12:]
			p.Address[0] = 82
			return
		}
		// The same bytes and then others: only its length tells it from the IPv4 address.
		p.Address = append(p.Address, random(12)...)
	})},
}

func changed(change func(*trackerv1.Peer)) func(*swarm, *trackerv1.Peer) (*swarm, *trackerv1.Peer) {
	return func(w *swarm, p *trackerv1.Peer) (*swarm, *trackerv1.Peer) { return w, with(p, change) }
}

// beside makes a case for each part of the key. run gets a swarm with a peer in it that nothing has
// been done to yet, and its neighbour; it must leave the neighbour alone.
func beside(verb, says string, operations []string, also func(part string) []Capability,
	run func(w *swarm, p *trackerv1.Peer, v *swarm, n *trackerv1.Peer)) []swarmCase {
	var cases []swarmCase
	for _, by := range neighbours {
		needs := by.needs
		if also != nil {
			needs = append(slices.Clone(needs), also(by.part)...)
		}
		cases = append(cases, swarmCase{
			name: verb + " with another " + by.part, on: operations, says: says, needs: needs,
			run: func(w *swarm) {
				for _, p := range (peers{peer4(), peer6()}) {
					at := w.other()
					v, n := by.of(at, p)
					run(at, p, v, n)
				}
			},
		})
	}
	return cases
}

// expectBoth checks a peer and its neighbour, which may be in the same swarm or in two.
func expectBoth(w *swarm, seeders, leechers peers, v *swarm, n *trackerv1.Peer, role bool) {
	w.t.Helper()
	if string(v.hash) != string(w.hash) {
		w.expect(seeders, leechers)
		seeders, leechers = nobody, nobody
	}
	if role {
		seeders = append(slices.Clone(seeders), n)
	} else {
		leechers = append(slices.Clone(leechers), n)
	}
	v.expect(seeders, leechers)
}
