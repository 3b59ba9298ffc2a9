package conformance

import (
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// Many callers at once: that is where calls share round trips, statements and locks.
func manyCallersCases() []swarmCase {
	const (
		own  = "calls that share a round trip or a statement have their own effect and their own answer"
		race = "racing calls for one key leave one peer, and none of them fails"
	)
	return []swarmCase{
		{name: "peer.add of one peer by many callers makes one row", on: keys(peerAdd), says: race,
			run: func(w *swarm) {
				p := peer4()
				report(w.t, "PutPeer of one peer", together(24, func(int) error { return w.tryPut(leecher, p) }))
				w.expect(nobody, peers{p})
			}},
		{name: "peer.add of one peer in both roles by many callers makes one row", on: keys(peerAdd), says: race,
			run: func(w *swarm) {
				p := peer6()
				report(w.t, "PutPeer of one peer", together(24, func(i int) error { return w.tryPut(i%2 == 0, p) }))
				got := w.scrapeAmong()
				if got.Seeders+got.Leechers != 1 {
					w.t.Errorf("%d seeders and %d leechers; there should be one peer", got.Seeders, got.Leechers)
				}
			}},
		{name: "peer.add serves many callers at once", on: keys(peerAdd), says: own, run: manyPuts},
		{name: "peer.del serves many callers at once", on: keys(peerDel), says: own, run: func(w *swarm) { manyDeletes(w, false) }},
		{name: "peer.del tells many callers apart", on: keys(peerDel), says: own, needs: []Capability{ReportsAbsence},
			run: func(w *swarm) { manyDeletes(w, true) }},
		{name: "peer.graduate serves many callers at once", on: keys(peerGraduate), says: own,
			run: func(w *swarm) {
				promoted, added, left := some(8), some(8), some(8)
				w.put(leecher, append(left, promoted...)...)
				all := append(promoted, added...)
				report(w.t, "GraduateLeecher", together(len(all), func(i int) error {
					_, err := w.client().GraduateLeecher(w.ctx, &trackerv1.GraduateLeecherRequest{InfoHash: w.hash, Peer: all[i]})
					return err
				}))
				w.expect(all, left)
			}},
		{name: "reads give every caller his own answer", on: on(lists, counts), says: own, run: manyReads},
		{name: "Announce serves many callers at once", on: on(keys(peerAdd), lists, counts), says: own,
			run: func(w *swarm) {
				const n = 24
				all := some(n)
				report(w.t, "Announce", together(n, func(i int) error {
					got, err := w.client().Announce(w.ctx, &trackerv1.AnnounceRequest{InfoHashes: [][]byte{w.hash}, Peers: peers{all[i]},
						Action: trackerv1.Action_PUT_LEECHER, Want: n, Families: both, WantCounts: true})
					if err != nil {
						return err
					}
					if got.WriteError != nil || got.Incomplete < 1 || got.Incomplete > n || containsPeer(got.Peers, all[i]) {
						return fmt.Errorf("%d leechers counted, %d peers, write error %v", got.Incomplete, len(got.Peers), got.WriteError)
					}
					return nil
				}))
				w.expect(nobody, all)
			}},
	}
}

func (w *swarm) tryPut(role bool, p *trackerv1.Peer) error {
	_, err := w.client().PutPeer(w.ctx, &trackerv1.PutPeerRequest{InfoHash: w.hash, Peer: p, IsSeeder: role})
	return err
}

// manyPuts stores peers of which no two agree in role, family and swarm with their neighbours in
// the queue, so that values dealt to the wrong row are seen.
func manyPuts(w *swarm) {
	at := []*swarm{w, w.other(), w.other()}
	seeders, leechers := make([]peers, len(at)), make([]peers, len(at))
	type entry struct {
		swarm *swarm
		role  bool
		peer  *trackerv1.Peer
	}
	var all []entry
	for i := range 48 {
		e := entry{at[i%len(at)], i%5 < 2, peer4()}
		if i%4 < 2 {
			e.peer = peer6()
		}
		all = append(all, e)
		if e.role {
			seeders[i%len(at)] = append(seeders[i%len(at)], e.peer)
		} else {
			leechers[i%len(at)] = append(leechers[i%len(at)], e.peer)
		}
	}
	report(w.t, "PutPeer", together(len(all), func(i int) error { return all[i].swarm.tryPut(all[i].role, all[i].peer) }))
	for i, v := range at {
		v.expect(seeders[i], leechers[i])
	}
}

// manyDeletes deletes, all at once, peers that are there, that have the other role and that are
// not there.
func manyDeletes(w *swarm, told bool) {
	there, flipped, absent, stay := some(12), some(8), some(8), some(4)
	w.put(leecher, append(stay, there...)...)
	w.put(seeder, flipped...)
	all := append(append(append(peers{}, there...), flipped...), absent...)
	errs := together(len(all), func(i int) error {
		_, err := w.delete(leecher, all[i])
		return err
	})
	for i, err := range errs {
		switch {
		case i < len(there) && err != nil:
			w.t.Errorf("DeletePeer of a leecher that is there: %v", err)
		case i >= len(there) && told:
			refused(w.t, "DeletePeer of a leecher that is not there", err, codes.NotFound, fault.DoesNotExist)
		case i >= len(there) && err != nil && status.Code(err) != codes.NotFound:
			w.t.Errorf("DeletePeer of a leecher that is not there: %v", err)
		}
	}
	w.expect(flipped, stay)
}

func manyReads(w *swarm) {
	const n = 16
	at, all := make([]*swarm, n), some(n)
	for i := range at {
		at[i] = w.other()
		at[i].put(leecher, some(i)...)
		at[i].put(seeder, all[i])
	}
	report(w.t, "a read", together(3*n, func(k int) error {
		i := k % n
		switch k / n {
		case 0:
			got, err := w.client().AnnouncePeers(w.ctx, &trackerv1.AnnouncePeersRequest{InfoHash: at[i].hash, Want: 1})
			if err != nil {
				return err
			}
			if wrong := misplaced(got.Peers, peers{all[i]}); wrong != "" {
				return fmt.Errorf("AnnouncePeers: %s", wrong)
			}
		case 1:
			got, err := w.client().ScrapeSwarm(w.ctx, &trackerv1.ScrapeSwarmRequest{InfoHash: at[i].hash})
			if err != nil {
				return err
			}
			if got.Leechers != int64(i) || got.Seeders != 1 {
				return fmt.Errorf("ScrapeSwarm: %d seeders and %d leechers; there should be 1 and %d", got.Seeders, got.Leechers, i)
			}
		default:
			_, err := w.client().AnnouncePeers(w.ctx, &trackerv1.AnnouncePeersRequest{InfoHash: random(20), Want: 5})
			if status.Code(err) != codes.NotFound {
				return fmt.Errorf("AnnouncePeers of an unknown swarm: %w; it should be NOT_FOUND", err)
			}
		}
		return nil
	}))
}
