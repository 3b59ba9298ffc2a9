package conformance

import (
	"google.golang.org/grpc/codes"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

func announcePeersCases() []swarmCase {
	const (
		byRole   = "a seeder gets leechers only; a leecher gets seeders, then leechers"
		strict   = "address families are strictly separate"
		atMost   = "at most as many peers as wanted, and as many as there are up to that"
		fillUp   = "seeders first, then leechers to fill up"
		notFound = "nothing found is NOT_FOUND"
		once     = "an address and port is listed once; the first of its peers is kept"
	)
	return []swarmCase{
		{name: "announce lists seeders, then leechers, for a leecher", on: lists, says: byRole,
			run: func(w *swarm) {
				seeders, leechers := some(3), some(4)
				w.put(leecher, leechers...)
				w.put(seeder, seeders...)
				w.lists(leecher, 50, seeders, leechers)
			}},
		{name: "announce lists leechers only for a seeder", on: lists, says: byRole,
			run: func(w *swarm) {
				seeders, leechers := some(3), some(4)
				w.put(leecher, leechers...)
				w.put(seeder, seeders...)
				w.lists(seeder, 50, leechers)
			}},
		{name: "announce keeps address families apart", on: lists, says: strict,
			run: func(w *swarm) {
				p4, s4, p6, s6 := peer4(), peer4(), peer6(), peer6()
				w.put(leecher, p4, p6)
				w.put(seeder, s4, s6)
				w.expect(peers{s4, s6}, peers{p4, p6})
			}},
		{name: "announce is not crowded out by the other family", on: lists, says: atMost,
			run: func(w *swarm) {
				v, few4, few6 := w.other(), some(3), peers{peer6(), peer6(), peer6()}
				w.put(leecher, few4...)
				v.put(leecher, few6...)
				for range 30 {
					w.put(leecher, peer6())
					v.put(leecher, peer4())
				}
				for range 4 {
					w.lists(seeder, 3, few4)
					w.lists(leecher, 3, few4)
					got := v.list(&trackerv1.AnnouncePeersRequest{ForSeeder: true, Want: 3, V6: true})
					if wrong := misplaced(got, few6); wrong != "" {
						w.t.Errorf("3 IPv6 peers wanted for a seeder: %s", wrong)
					}
				}
			}},
		{name: "announce keeps swarms apart", on: lists, says: "peers of one info hash are listed",
			run: func(w *swarm) {
				p, other := peer4(), w.other()
				q := peer4()
				w.put(leecher, p)
				other.put(leecher, q)
				other.put(seeder, peer4())
				w.lists(leecher, 50, peers{p})
				w.lists(seeder, 50, peers{p})
			}},
		{name: "announce misses nobody, however often it is asked", on: lists, says: atMost,
			run: func(w *swarm) {
				var seeders, leechers peers
				for _, first := range []byte{1, 11, 60, 126, 150, 200, 223} {
					seeders = append(seeders, peerAt(append([]byte{first}, random(3)...)))
					leechers = append(leechers, peerAt(append([]byte{first}, random(3)...)))
				}
				w.put(seeder, seeders...)
				w.put(leecher, leechers...)
				for range 24 {
					w.lists(leecher, 14, seeders, leechers)
					w.lists(seeder, 7, leechers)
				}
			}},
		{name: "announce lists no more seeders than wanted", on: lists, says: atMost,
			run: func(w *swarm) {
				seeders := some(6)
				w.put(seeder, seeders...)
				w.lists(leecher, 6, seeders)
				w.listsSome(leecher, 4, seeders)
				w.listsSome(leecher, 1, seeders)
			}},
		{name: "announce lists no more leechers than wanted", on: lists, says: atMost,
			run: func(w *swarm) {
				leechers := some(6)
				w.put(leecher, leechers...)
				w.lists(seeder, 6, leechers)
				w.listsSome(seeder, 4, leechers)
				w.listsSome(leecher, 4, leechers)
			}},
		{name: "announce fills up with leechers", on: lists, says: fillUp,
			run: func(w *swarm) {
				seeders, leechers := some(2), some(5)
				w.put(leecher, leechers...)
				w.put(seeder, seeders...)
				got := w.list(&trackerv1.AnnouncePeersRequest{Want: 4})
				if len(got) != 4 {
					w.t.Fatalf("%d peers of 7 with 4 wanted", len(got))
				}
				if wrong := misplaced(got[:2], seeders); wrong != "" {
					w.t.Errorf("the first two peers should be the seeders: %s", wrong)
				}
				w.among(got[2:], leechers)
			}},
		{name: "announce lists no leechers where seeders suffice", on: lists, says: fillUp,
			run: func(w *swarm) {
				seeders := some(5)
				w.put(leecher, some(5)...)
				w.put(seeder, seeders...)
				w.listsSome(leecher, 3, seeders)
				w.lists(leecher, 5, seeders)
			}},
		{name: "announce gives a big swarm's share", on: on(lists, keys(peerAdd)), says: atMost,
			run: func(w *swarm) {
				all := some(300)
				w.change(puts(w.hash, leecher, all...)...)
				w.listsSome(seeder, 100, all)
				w.listsSome(leecher, 200, all)
				w.lists(seeder, 300, all)
			}},
		{name: "announce gives different peers to different clients", on: lists, says: "for a big swarm the choice is random", needs: []Capability{PicksAtRandom},
			run: func(w *swarm) {
				v := w.other()
				w.put(leecher, some(20)...)
				v.put(seeder, some(20)...)
				for role, n := range map[bool]int{seeder: w.picked(seeder), leecher: v.picked(leecher)} {
					if n <= 2 {
						w.t.Errorf("every %s gets the same 2 peers of 20", roleName(role))
					}
				}
			}},
		{name: "announce for nobody is an empty list", on: lists, says: "a want of zero or less is an empty list, no error",
			run: func(w *swarm) {
				w.put(seeder, peer4())
				for _, v := range []*swarm{w, w.other()} {
					for _, want := range []int32{0, -1, -50} {
						got, err := w.client().AnnouncePeers(w.ctx, &trackerv1.AnnouncePeersRequest{InfoHash: v.hash, Want: want})
						if err != nil || len(got.GetPeers()) != 0 {
							w.t.Errorf("a want of %d: %d peers, error %v", want, len(got.GetPeers()), err)
						}
					}
				}
			}},
		{name: "announce of an unknown swarm is not found", on: lists, says: notFound,
			run: func(w *swarm) {
				w.nothing("an unknown swarm", &trackerv1.AnnouncePeersRequest{Want: 50})
				w.nothing("an unknown swarm, for a seeder", &trackerv1.AnnouncePeersRequest{Want: 50, ForSeeder: true})
			}},
		{name: "announce without a suitable peer is not found", on: lists, says: notFound,
			run: func(w *swarm) {
				w.put(seeder, peer4())
				w.nothing("only seeders, for a seeder", &trackerv1.AnnouncePeersRequest{Want: 50, ForSeeder: true})
				w.nothing("only IPv4, asked for IPv6", &trackerv1.AnnouncePeersRequest{Want: 50, V6: true})
			}},
		{name: "announce lists an address and port once", on: lists, says: once,
			run: func(w *swarm) {
				p, q := peer4(), peer4()
				same := peers{p, twin(p), twin(p), q}
				w.put(seeder, same...)
				w.lists(leecher, 50, same)
				w.put(leecher, same...)
				w.lists(seeder, 50, same)
			}},
		{name: "announce prefers the seeder of an address and port", on: lists, says: once,
			run: func(w *swarm) {
				p, q := peer4(), peer4()
				w.put(leecher, twin(p), q)
				w.put(seeder, p)
				w.lists(leecher, 50, peers{p}, peers{q})
			}},
		{name: "announce lists clients behind one address", on: lists, says: "peers at one address that differ in their port are different",
			run: func(w *swarm) {
				p := peer4()
				q := with(peer4(), func(q *trackerv1.Peer) { q.Address, q.Port = p.Address, p.Port^1 })
				w.put(leecher, p, q)
				w.lists(seeder, 50, peers{p, q})
			}},
	}
}

// twin is another client at the same address and port.
func twin(p *trackerv1.Peer) *trackerv1.Peer {
	return with(p, func(p *trackerv1.Peer) { p.PeerId = random(20) })
}

// lists checks the IPv4 peers that a seeder or a leecher gets.
func (w *swarm) lists(role bool, want int32, groups ...peers) {
	w.t.Helper()
	got := w.list(&trackerv1.AnnouncePeersRequest{ForSeeder: role, Want: want})
	if wrong := misplaced(got, groups...); wrong != "" {
		w.t.Errorf("%d wanted for a %s: %s", want, roleName(role), wrong)
	}
}

// listsSome checks that a seeder or a leecher gets exactly as many peers as wanted, all different and
// out of a larger group.
func (w *swarm) listsSome(role bool, want int32, group peers) {
	w.t.Helper()
	got := w.list(&trackerv1.AnnouncePeersRequest{ForSeeder: role, Want: want})
	if len(got) != int(want) {
		w.t.Errorf("%d peers for a %s, with %d wanted of %d", len(got), roleName(role), want, len(group))
	}
	w.among(got, group)
}

// picked returns how many different peers are listed if two are wanted a number of times.
func (w *swarm) picked(role bool) int {
	w.t.Helper()
	seen := map[string]bool{}
	for range 12 {
		for _, p := range w.list(&trackerv1.AnnouncePeersRequest{ForSeeder: role, Want: 2}) {
			seen[place(p)] = true
		}
	}
	return len(seen)
}

// among checks that peers are different and belong to a group.
func (w *swarm) among(got, group peers) {
	w.t.Helper()
	seen := map[string]bool{}
	for _, p := range got {
		if seen[place(p)] {
			w.t.Errorf("%s is listed twice", name(p))
		}
		seen[place(p)] = true
		if !containsPeer(group, p) {
			w.t.Errorf("%s is not expected here", name(p))
		}
	}
}

// nothing checks that a list which would be empty is NOT_FOUND.
func (w *swarm) nothing(what string, request *trackerv1.AnnouncePeersRequest) {
	w.t.Helper()
	request.InfoHash = w.hash
	_, err := w.client().AnnouncePeers(w.ctx, request)
	refused(w.t, "AnnouncePeers, "+what+",", err, codes.NotFound, fault.DoesNotExist)
}

func requesterCases() []swarmCase {
	const says = "the peer that asks is left out: its own key, and its address and port under another id"
	return []swarmCase{
		{name: "announce leaves the requester out", on: lists, says: says,
			run: func(w *swarm) {
				p, others := peer4(), some(3)
				w.put(leecher, append(others, p)...)
				w.listsFor(p, seeder, 50, others)
				w.listsFor(p, leecher, 50, others)
				w.put(seeder, p)
				w.listsFor(p, leecher, 50, others)
			}},
		{name: "announce leaves an IPv6 requester out", on: lists, says: says,
			run: func(w *swarm) {
				p, q := peer6(), peer6()
				w.put(leecher, p, q)
				for _, requester := range (peers{p, twin(p)}) {
					got := w.list(&trackerv1.AnnouncePeersRequest{ForSeeder: true, Want: 50, V6: true, Requester: requester})
					if wrong := misplaced(got, peers{q}); wrong != "" {
						w.t.Errorf("IPv6 peers for a certain seeder: %s", wrong)
					}
				}
			}},
		{name: "announce leaves the requester out under another id", on: lists, says: says,
			run: func(w *swarm) {
				p, others := peer4(), some(3)
				w.put(leecher, append(others, p)...)
				w.listsFor(twin(p), seeder, 50, others)
				w.listsFor(twin(p), leecher, 50, others)
			}},
		{name: "announce leaves the requester out in both roles", on: lists, says: says,
			run: func(w *swarm) {
				p, q := peer4(), peer4()
				w.put(leecher, twin(p), q)
				w.put(seeder, p)
				w.listsFor(p, leecher, 50, peers{q})
			}},
		{name: "announce unmaps an IPv4-mapped requester", on: lists, says: "an IPv4-mapped IPv6 address is unmapped",
			run: func(w *swarm) {
				p, q := peer4(), peer4()
				w.put(leecher, p, q)
				w.listsFor(mapped(p), seeder, 50, peers{q})
			}},
		{name: "announce fills the requester's place", on: lists, says: "the requester costs the others no place",
			run: func(w *swarm) {
				p, others := peer4(), some(3)
				w.put(leecher, append(others, p)...)
				for range 12 {
					w.listsFor(p, seeder, 3, others)
				}
			}},
		{name: "announce fills the places of a requester who changed its id often", on: lists, says: "the requester costs the others no place",
			needs: []Capability{ExcludesRequester},
			run: func(w *swarm) {
				for range 16 {
					if got := w.other().crowded(); got != 3 {
						w.t.Errorf("%d peers of 3, with 3 wanted", got)
					}
				}
			}},
		{name: "announce to the only peer is not found", on: lists, says: "nothing found is NOT_FOUND",
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				w.nothing("the requester is alone", &trackerv1.AnnouncePeersRequest{Want: 50, Requester: p})
			}},
		{name: "announce keeps those who only resemble the requester", on: lists, says: says,
			run: func(w *swarm) {
				p := peer4()
				port := with(p, func(q *trackerv1.Peer) { q.PeerId, q.Port = random(20), p.Port^1 })
				address := with(p, func(q *trackerv1.Peer) { q.PeerId, q.Address[3] = random(20), q.Address[3]^1 })
				w.put(leecher, p, port, address)
				w.put(seeder, twin(port))
				w.listsFor(p, seeder, 50, peers{port, address})
			}},
		{name: "announce to a requester of the other family leaves nobody out", on: lists, says: "address families are strictly separate",
			run: func(w *swarm) {
				p, q := peer4(), peer4()
				w.put(leecher, p, q)
				w.listsFor(peer6(), seeder, 50, peers{p, q})
			}},
		{name: "announce takes an unknown requester", on: lists, says: "a requester need not be stored",
			run: func(w *swarm) {
				seeders, leechers := some(2), some(2)
				w.put(leecher, leechers...)
				w.put(seeder, seeders...)
				w.listsFor(peer4(), leecher, 50, seeders, leechers)
			}},
	}
}

// crowded returns how many of three other peers a client gets that is stored under many ids.
func (w *swarm) crowded() int {
	w.t.Helper()
	p, others := peer4(), some(3)
	for range 9 {
		w.put(leecher, twin(p))
	}
	w.put(leecher, others...)
	return len(w.list(&trackerv1.AnnouncePeersRequest{ForSeeder: true, Want: 3, Requester: p}))
}

// listsFor checks the IPv4 peers that a certain client gets.
func (w *swarm) listsFor(requester *trackerv1.Peer, role bool, want int32, groups ...peers) {
	w.t.Helper()
	got := w.list(&trackerv1.AnnouncePeersRequest{ForSeeder: role, Want: want, Requester: requester})
	if wrong := misplaced(got, groups...); wrong != "" {
		w.t.Errorf("%d wanted for a certain %s: %s", want, roleName(role), wrong)
	}
}
