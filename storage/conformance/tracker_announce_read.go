package conformance

import (
	"slices"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// Announce, the composed call: what it reads.
func announceReadCases() []swarmCase {
	const (
		inOrder = "peers come in the order of hashes and families; in each of them seeders, then leechers"
		total   = "at most as many peers as wanted, over all hashes and families"
		others  = "the client's own addresses and repeated addresses are left out"
	)
	v4, v6 := trackerv1.Family_IPV4, trackerv1.Family_IPV6
	return []swarmCase{
		{name: "Announce lists seeders, then leechers, for a leecher", on: lists, says: inOrder,
			run: func(w *swarm) {
				seeders, leechers := some(2), some(3)
				w.put(leecher, leechers...)
				w.put(seeder, seeders...)
				w.reads(&trackerv1.AnnounceRequest{Peers: peers{peer4()}, Action: trackerv1.Action_PUT_LEECHER, Want: 50, Families: both}, seeders, leechers)
			}},
		{name: "Announce lists leechers only for a seeder", on: lists, says: inOrder,
			run: func(w *swarm) {
				leechers := some(3)
				w.put(leecher, leechers...)
				w.put(seeder, some(2)...)
				w.reads(&trackerv1.AnnounceRequest{Peers: peers{peer4()}, Action: trackerv1.Action_PUT_SEEDER, ForSeeder: true, Want: 50, Families: both}, leechers)
			}},
		{name: "Announce lists families in the order asked for", on: lists, says: inOrder,
			run: func(w *swarm) {
				s4, s6, l4, l6 := peer4(), peer6(), peer4(), peer6()
				w.put(seeder, s4, s6)
				w.put(leecher, l4, l6)
				w.reads(&trackerv1.AnnounceRequest{Peers: peers{peer4()}, Want: 50, Families: []trackerv1.Family{v4, v6}}, peers{s4}, peers{l4}, peers{s6}, peers{l6})
				w.reads(&trackerv1.AnnounceRequest{Peers: peers{peer4()}, Want: 50, Families: []trackerv1.Family{v6, v4}}, peers{s6}, peers{l6}, peers{s4}, peers{l4})
			}},
		{name: "Announce lists only the families asked for", on: lists, says: "address families are strictly separate",
			run: func(w *swarm) {
				p, q := peer4(), peer6()
				w.put(seeder, p, q)
				w.reads(&trackerv1.AnnounceRequest{Peers: peers{peer4()}, Want: 50, Families: []trackerv1.Family{v4}}, peers{p})
				w.reads(&trackerv1.AnnounceRequest{Peers: peers{peer4()}, Want: 50, Families: []trackerv1.Family{v6}}, peers{q})
			}},
		{name: "Announce lists hashes in the order asked for", on: lists, says: inOrder,
			run: func(w *swarm) {
				v := w.other()
				first, second := some(2), some(2)
				w.put(leecher, first...)
				v.put(leecher, second...)
				w.reads(&trackerv1.AnnounceRequest{InfoHashes: [][]byte{w.hash, v.hash}, Peers: peers{peer4()}, Want: 50, Families: both}, first, second)
				w.reads(&trackerv1.AnnounceRequest{InfoHashes: [][]byte{v.hash, w.hash}, Peers: peers{peer4()}, Want: 50, Families: both}, second, first)
			}},
		{name: "Announce lists no more than wanted over families", on: lists, says: total,
			run: func(w *swarm) {
				four, six := some(3), peers{peer6(), peer6(), peer6()}
				w.put(leecher, append(slices.Clone(four), six...)...)
				got := w.announce(&trackerv1.AnnounceRequest{Peers: peers{peer4()}, Want: 4, Families: both})
				if len(got.Peers) != 4 {
					w.t.Fatalf("%d peers of 6 with 4 wanted", len(got.Peers))
				}
				if wrong := misplaced(got.Peers[:3], four); wrong != "" {
					w.t.Errorf("the first family should come first: %s", wrong)
				}
				w.among(got.Peers[3:], six)
			}},
		{name: "Announce lists no more than wanted over hashes", on: lists, says: total,
			run: func(w *swarm) {
				v := w.other()
				first, second := some(3), some(3)
				w.put(seeder, first...)
				v.put(leecher, second...)
				got := w.announce(&trackerv1.AnnounceRequest{InfoHashes: [][]byte{w.hash, v.hash}, Peers: peers{peer4()}, Want: 4, Families: both})
				if len(got.Peers) != 4 {
					w.t.Fatalf("%d peers of 6 with 4 wanted", len(got.Peers))
				}
				w.among(got.Peers[:3], first)
				w.among(got.Peers[3:], second)
			}},
		{name: "Announce lists exactly as many as wanted beside the client", on: lists, says: "the client costs the others no place",
			run: func(w *swarm) {
				p, all := peer4(), some(3)
				w.put(leecher, all...)
				for range 8 {
					w.reads(&trackerv1.AnnounceRequest{Peers: peers{p}, Action: trackerv1.Action_PUT_LEECHER, Want: 3, Families: both}, all)
				}
			}},
		{name: "Announce leaves the client out", on: lists, says: others,
			run: func(w *swarm) {
				p, q := peer4(), peer4()
				w.put(seeder, q)
				w.reads(&trackerv1.AnnounceRequest{Peers: peers{p}, Action: trackerv1.Action_PUT_LEECHER, Want: 50, Families: both}, peers{q})
				w.reads(&trackerv1.AnnounceRequest{Peers: peers{twin(p)}, Want: 50, Families: both}, peers{q})
			}},
		{name: "Announce leaves out all addresses of the client", on: lists, says: others, needs: []Capability{ManyAddresses},
			run: func(w *swarm) {
				p, q := dual()
				other := peer6()
				w.put(leecher, other)
				w.reads(&trackerv1.AnnounceRequest{Peers: peers{p, q}, Action: trackerv1.Action_PUT_LEECHER, Want: 50, Families: both}, peers{other})
			}},
		{name: "Announce lists a peer of both hashes once", on: lists, says: others,
			run: func(w *swarm) {
				v, p := w.other(), peer4()
				w.put(leecher, p)
				v.put(leecher, p)
				w.reads(&trackerv1.AnnounceRequest{InfoHashes: [][]byte{w.hash, v.hash}, Peers: peers{peer4()}, Want: 50, Families: both}, peers{p})
			}},
		{name: "Announce lists an address and port once", on: lists, says: others,
			run: func(w *swarm) {
				p := peer4()
				same := peers{p, twin(p)}
				w.put(seeder, same...)
				w.put(leecher, twin(p))
				w.reads(&trackerv1.AnnounceRequest{Peers: peers{peer4()}, Want: 50, Families: both}, same)
			}},
		{name: "Announce lists nothing where nothing is wanted", on: lists, says: "with a want of zero or less no peers are read",
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				w.put(seeder, peer4())
				for _, want := range []int32{0, -1} {
					got := w.announce(&trackerv1.AnnounceRequest{Peers: peers{peer4()}, Want: want, Families: both, WantCounts: true})
					w.answered(got, 1, 1)
					if len(got.Peers) != 0 {
						w.t.Errorf("%d peers with %d wanted", len(got.Peers), want)
					}
				}
			}},
		{name: "Announce to an unknown swarm is an empty answer", on: on(lists, counts), says: "an empty list is no error",
			run: func(w *swarm) {
				got := w.announce(&trackerv1.AnnounceRequest{Peers: peers{peer4()}, Want: 50, Families: both, WantCounts: true})
				w.answered(got, 0, 0)
				if len(got.Peers) != 0 || got.Downloaded != 0 {
					w.t.Errorf("%d peers and %d downloads of an unknown swarm", len(got.Peers), got.Downloaded)
				}
			}},
		{name: "Announce counts only if asked", on: counts, says: "counts are zero unless asked for",
			run: func(w *swarm) {
				w.put(seeder, some(2)...)
				got := w.announce(&trackerv1.AnnounceRequest{Peers: peers{peer4()}, Want: 50, Families: both})
				w.answered(got, 0, 0)
				if len(got.Peers) != 2 {
					w.t.Errorf("%d peers; there should be 2", len(got.Peers))
				}
			}},
		{name: "Announce counts both families, whatever is listed", on: counts, says: "counts are of both families, summed over the hashes",
			run: func(w *swarm) {
				v := w.other()
				w.put(seeder, peer4(), peer6(), peer6())
				w.put(leecher, peer6())
				v.put(leecher, some(4)...)
				got := w.announce(&trackerv1.AnnounceRequest{InfoHashes: [][]byte{w.hash, v.hash}, Peers: peers{peer4()}, Want: 1, Families: []trackerv1.Family{v4}, WantCounts: true})
				w.answered(got, 3, 5)
			}},
		{name: "Announce sums the downloads of both hashes", on: keys(downloadsGet, peerScrape), says: "counts are summed over the hashes", needs: []Capability{CountsDownloads},
			run: func(w *swarm) {
				v := w.other()
				for i, at := range []*swarm{w, v, v} {
					p := peer4()
					at.put(leecher, p)
					at.graduate(p)
					got := w.announce(&trackerv1.AnnounceRequest{InfoHashes: [][]byte{w.hash, v.hash}, Peers: peers{peer4()}, WantCounts: true})
					if got.Downloaded != int64(i+1) {
						w.t.Errorf("%d downloads; there should be %d", got.Downloaded, i+1)
					}
				}
			}},
	}
}

// reads announces and checks the peers in the answer.
func (w *swarm) reads(request *trackerv1.AnnounceRequest, groups ...peers) {
	w.t.Helper()
	got := w.announce(request)
	w.wrote(got)
	if wrong := misplaced(got.Peers, groups...); wrong != "" {
		w.t.Errorf("peers in the answer: %s", wrong)
	}
}
