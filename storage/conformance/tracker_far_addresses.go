package conformance

import (
	"math/rand/v2"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// far are makers of clients at both ends of the space of each address family. A query that chooses
// peers by their addresses treats these in ways of their own.
var far = []struct {
	where string
	peer  func() *trackerv1.Peer
}{
	{"at low IPv4 addresses", func() *trackerv1.Peer { return peerAt(append([]byte{0}, random(3)...)) }},
	{"at high IPv4 addresses", func() *trackerv1.Peer { return peerAt(append([]byte{240}, random(3)...)) }},
	{"at low IPv6 addresses", func() *trackerv1.Peer { return peerAt(append([]byte{0, 1}, random(14)...)) }},
	{"at high IPv6 addresses", func() *trackerv1.Peer { return peerAt(append([]byte{0xfe, 1}, random(14)...)) }},
}

// scattered returns n clients all over the IPv4 addresses that are in use.
func scattered(n int) peers {
	list := make(peers, n)
	for i := range list {
		list[i] = peerAt(append([]byte{byte(1 + rand.IntN(223))}, random(3)...))
	}
	return list
}

// farCases are about how peers are chosen, wherever they are.
func farCases() []swarmCase {
	const (
		resemble = "the peer that asks is left out, and nobody who only shares its address or its port"
		choice   = "for a big swarm the choice is random"
	)
	var cases []swarmCase
	for _, at := range far {
		cases = append(cases, farCase(at.where, at.peer, resemble, choice)...)
	}
	return append(cases, swarmCase{name: "announce gives everyone in a big swarm a turn", on: on(lists, keys(peerAdd)), says: choice,
		needs: []Capability{PicksAtRandom},
		run: func(w *swarm) {
			all := scattered(1000)
			w.change(puts(w.hash, leecher, all...)...)
			seen := map[string]bool{}
			for range 24 {
				for _, p := range w.list(&trackerv1.AnnouncePeersRequest{ForSeeder: true, Want: 100}) {
					seen[place(p)] = true
				}
			}
			// A fair choice gives 920 on average.
			if len(seen) < 500 {
				w.t.Errorf("%d peers of 1000 were listed when 100 were asked for 24 times; there should be most of them", len(seen))
			}
		}})
}

func farCase(where string, maker func() *trackerv1.Peer, resemble, choice string) []swarmCase {
	several := func(n int) peers {
		list := make(peers, n)
		for i := range list {
			list[i] = maker()
		}
		return list
	}
	return []swarmCase{
		{name: "announce is not crowded out by the other family " + where, on: lists, says: "address families are strictly separate, and at most as many peers are listed as wanted, and as many as there are up to that",
			run: func(w *swarm) {
				crowd := several(30)
				own := peers{peer4(), peer4(), peer4()}
				if !isV6(crowd[0]) {
					own = peers{peer6(), peer6(), peer6()}
				}
				w.change(puts(w.hash, leecher, append(crowd, own...)...)...)
				for range 3 {
					got := w.list(&trackerv1.AnnouncePeersRequest{ForSeeder: true, Want: 3, V6: isV6(own[0])})
					if wrong := misplaced(got, own); wrong != "" {
						w.t.Errorf("3 %s peers wanted for a seeder: %s", familyName(isV6(own[0])), wrong)
					}
				}
			}},
		{name: "announce keeps those who only resemble the requester " + where, on: lists, says: resemble,
			run: func(w *swarm) {
				p := maker()
				port := with(p, func(q *trackerv1.Peer) { q.PeerId, q.Port = random(20), p.Port^1 })
				address := with(p, func(q *trackerv1.Peer) { q.PeerId = random(20); q.Address[len(q.Address)-1] ^= 1 })
				w.put(leecher, p, port, address)
				for _, requester := range (peers{p, twin(p)}) {
					got := w.list(&trackerv1.AnnouncePeersRequest{ForSeeder: true, Want: 50, V6: isV6(p), Requester: requester})
					if wrong := misplaced(got, peers{port, address}); wrong != "" {
						w.t.Errorf("peers for a certain seeder: %s", wrong)
					}
				}
			}},
		{name: "announce hides stale peers " + where, on: lists, says: "peers last seen before now - peer_lifetime are stale, and are hidden until they are collected",
			needs: []Capability{HidesStale},
			run: func(w *swarm) {
				p := maker()
				w.putAt(w.stale(), leecher, maker())
				w.putAt(w.stale(), seeder, maker())
				w.put(leecher, p)
				for _, forSeeder := range []bool{false, true} {
					got := w.list(&trackerv1.AnnouncePeersRequest{ForSeeder: forSeeder, Want: 50, V6: isV6(p)})
					if wrong := misplaced(got, peers{p}); wrong != "" {
						w.t.Errorf("peers for a %s: %s", roleName(forSeeder), wrong)
					}
				}
			}},
		{name: "announce fills the places of a requester who changed its id often " + where, on: lists, says: "the requester costs the others no place",
			needs: []Capability{ExcludesRequester},
			run: func(w *swarm) {
				p, others := maker(), several(3)
				for range 9 {
					w.put(leecher, twin(p))
				}
				w.put(leecher, others...)
				for range 4 {
					got := w.list(&trackerv1.AnnouncePeersRequest{ForSeeder: true, Want: 3, V6: isV6(p), Requester: p})
					if wrong := misplaced(got, others); wrong != "" {
						w.t.Errorf("3 peers wanted for a certain seeder: %s", wrong)
					}
				}
			}},
		{name: "announce gives different peers to different clients " + where, on: lists, says: choice, needs: []Capability{PicksAtRandom},
			run: func(w *swarm) {
				all := several(20)
				w.put(leecher, all...)
				seen := map[string]bool{}
				for range 12 {
					for _, p := range w.list(&trackerv1.AnnouncePeersRequest{ForSeeder: true, Want: 2, V6: isV6(all[0])}) {
						seen[place(p)] = true
					}
				}
				// A fair choice gives 14 on average, and less than 5 once in some millions.
				if len(seen) < 5 {
					w.t.Errorf("%d peers of 20 were listed when 2 were asked for 12 times", len(seen))
				}
			}},
	}
}
