package conformance

import (
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// puts makes one change for each peer.
func puts(hash []byte, role bool, list ...*trackerv1.Peer) []*trackerv1.PeerChange {
	return changes(trackerv1.PeerChange_PUT, hash, role, list...)
}

func changes(kind trackerv1.PeerChange_Kind, hash []byte, role bool, list ...*trackerv1.Peer) []*trackerv1.PeerChange {
	all := make([]*trackerv1.PeerChange, len(list))
	for i, p := range list {
		all[i] = &trackerv1.PeerChange{Kind: kind, InfoHash: hash, Peer: p, IsSeeder: role}
	}
	return all
}

func (w *swarm) putChange(role bool, p *trackerv1.Peer) *trackerv1.PeerChange {
	return puts(w.hash, role, p)[0]
}

func (w *swarm) deleteChange(role bool, p *trackerv1.Peer) *trackerv1.PeerChange {
	return changes(trackerv1.PeerChange_DELETE, w.hash, role, p)[0]
}

func (w *swarm) graduateChange(p *trackerv1.Peer) *trackerv1.PeerChange {
	return changes(trackerv1.PeerChange_GRADUATE, w.hash, false, p)[0]
}

// apply sends changes and returns one result for each.
func (w *swarm) apply(all ...*trackerv1.PeerChange) []*trackerv1.PeerChangeResult {
	w.t.Helper()
	response, err := w.client().PutPeers(w.ctx, &trackerv1.PutPeersRequest{Changes: all})
	if err != nil {
		w.t.Fatalf("PutPeers of %d changes: %v", len(all), err)
	}
	if len(response.Results) != len(all) {
		w.t.Fatalf("PutPeers of %d changes gives %d results", len(all), len(response.Results))
	}
	return response.Results
}

// change applies changes of which none may fail.
func (w *swarm) change(all ...*trackerv1.PeerChange) {
	w.t.Helper()
	for i, result := range w.apply(all...) {
		if e := result.Error; e != nil {
			w.t.Fatalf("change %d of %d failed: code %s, reason %q, %s: %s", i+1, len(all), codes.Code(e.Code), e.Reason, e.Operation, e.Message)
		}
	}
}

func putPeersCases() []swarmCase {
	const (
		mixed     = "changes of all kinds are applied"
		collapses = "changes of the same peer collapse to the last"
		alone     = "only the bad changes fail"
	)
	return slices.Concat(collapsingCases(collapses), []swarmCase{
		{name: "PutPeers stores, deletes and graduates", on: keys(peerAdd, peerDel, peerGraduate), says: mixed,
			run: func(w *swarm) {
				stays, leaves, promoted, comes, added, flips := peer4(), peer4(), peer6(), peer6(), peer4(), peer6()
				w.put(leecher, stays, leaves, promoted, flips)
				w.change(w.deleteChange(leecher, leaves), w.graduateChange(promoted), w.putChange(leecher, comes),
					w.graduateChange(added), w.putChange(seeder, flips))
				w.expect(peers{promoted, added, flips}, peers{stays, comes})
			}},
		{name: "PutPeers changes several swarms", on: keys(peerAdd, peerDel, peerGraduate), says: mixed,
			run: func(w *swarm) {
				v, u, p := w.other(), w.other(), peer4()
				w.put(leecher, p)
				v.put(leecher, p)
				w.change(w.graduateChange(p), u.putChange(leecher, p), v.deleteChange(leecher, p))
				w.expect(peers{p}, nobody)
				v.expect(nobody, nobody)
				u.expect(nobody, peers{p})
			}},
		{name: "PutPeers deletes in the given role only", on: keys(peerDel), says: "a peer is removed if it has the given role",
			run: func(w *swarm) {
				p, q := peer4(), peer4()
				w.put(leecher, p)
				w.put(seeder, q)
				w.apply(w.deleteChange(seeder, p), w.deleteChange(seeder, q))
				w.expect(nobody, peers{p})
			}},
		{name: "PutPeers tells what was not there to delete", on: keys(peerDel), says: "the results are in the order of the changes", needs: []Capability{ReportsAbsence},
			run: func(w *swarm) {
				all := some(9)
				for i := 0; i < len(all); i += 2 {
					w.put(leecher, all[i])
				}
				for i, result := range w.apply(changes(trackerv1.PeerChange_DELETE, w.hash, leecher, all...)...) {
					there := result.Error == nil && (result.Affected == nil || *result.Affected == 1)
					absent := codes.Code(result.Error.GetCode()) == codes.NotFound || (result.Affected != nil && *result.Affected == 0)
					if was := i%2 == 0; there != was || absent == was {
						w.t.Errorf("result %d: affected %d, error %v; the peer was there: %v", i+1, result.GetAffected(), result.Error, was)
					}
				}
				w.expect(nobody, nobody)
			}},
		{name: "PutPeers counts each graduation", on: keys(peerGraduate, downloadsInc), says: "each graduation counts one download", needs: []Capability{CountsDownloads},
			run: func(w *swarm) {
				v, all := w.other(), some(5)
				w.put(leecher, all[:3]...)
				v.put(leecher, all[3:]...)
				w.change(append(changes(trackerv1.PeerChange_GRADUATE, w.hash, false, all[:3]...),
					changes(trackerv1.PeerChange_GRADUATE, v.hash, false, all[3:]...)...)...)
				w.downloaded(3)
				v.downloaded(2)
				w.expect(all[:3], nobody)
				v.expect(all[3:], nobody)
			}},
		{name: "PutPeers of nothing does nothing", on: keys(peerAdd), says: "no changes, no results, no error",
			run: func(w *swarm) { w.change() }},
		{name: "PutPeers takes more than one chunk", on: keys(peerAdd, peerDel), says: "any number up to 10000 is applied, and the results are in order",
			run: func(w *swarm) {
				all, v := some(1203), w.other()
				seeders, leechers := all[:701], all[701:]
				w.change(append(puts(w.hash, seeder, seeders...), puts(v.hash, leecher, leechers...)...)...)
				w.counted(len(seeders), 0)
				v.counted(0, len(leechers))
				w.change(changes(trackerv1.PeerChange_DELETE, w.hash, seeder, seeders...)...)
				w.counted(0, 0)
				v.counted(0, len(leechers))
			}},
		{name: "PutPeers refuses more than 10000 changes", on: keys(peerAdd), says: "more than 10000 is INVALID_ARGUMENT, and nothing is stored",
			run: func(w *swarm) {
				_, err := w.client().PutPeers(w.ctx, &trackerv1.PutPeersRequest{Changes: puts(w.hash, leecher, some(10001)...)})
				refused(w.t, "PutPeers of 10001 changes", err, codes.InvalidArgument, fault.InvalidArgument)
				w.counted(0, 0)
			}},
		{name: "PutPeers never stores an invalid peer", on: keys(peerAdd), says: "an invalid change is INVALID_ARGUMENT: alone if the others are applied, else for the call",
			run: func(w *swarm) {
				good := some(2)
				bad := with(peer4(), func(p *trackerv1.Peer) { p.PeerId = p.PeerId[:19] })
				request := &trackerv1.PutPeersRequest{Changes: puts(w.hash, leecher, good[0], bad, good[1])}
				response, err := w.client().PutPeers(w.ctx, request)
				if err != nil {
					refused(w.t, "PutPeers with an invalid change", err, codes.InvalidArgument, fault.InvalidArgument)
					w.counted(0, 0)
					return
				}
				w.failed(response.Results, 1, codes.InvalidArgument, fault.InvalidArgument)
				w.expect(nobody, good)
			}},
		{name: "PutPeers stores what it can beside a refused peer", on: keys(peerAdd), says: alone,
			run: func(w *swarm) {
				// Tables may refuse a hash of 32 bytes. Those that take it have nothing to refuse here.
				good, long := some(3), w.of(append(slices.Clone(w.hash), random(12)...))
				p := peer4()
				results := w.apply(w.putChange(leecher, good[0]), w.putChange(leecher, good[1]), long.putChange(leecher, p), w.putChange(leecher, good[2]))
				w.expect(nobody, good)
				if results[2].Error != nil {
					w.failed(results, 2, codes.FailedPrecondition, fault.Rejected)
					return
				}
				long.counted(0, 1)
			}},
		{name: "PutPeers from many callers does not deadlock", on: keys(peerAdd), says: "changes are applied in one order, whatever order they are given in",
			run: func(w *swarm) {
				all, v := some(40), w.other()
				report(w.t, "PutPeers of the same peers in another order", together(12, func(i int) error {
					order := append(puts(w.hash, i%2 == 0, all...), puts(v.hash, i%2 == 0, all...)...)
					slices.Reverse(order[:i*6])
					if i%2 == 0 {
						slices.Reverse(order)
					}
					response, err := w.client().PutPeers(w.ctx, &trackerv1.PutPeersRequest{Changes: order})
					for _, result := range response.GetResults() {
						if result.Error != nil {
							return fmt.Errorf("code %d, reason %s: %s", result.Error.Code, result.Error.Reason, result.Error.Message)
						}
					}
					return err
				}))
				w.change(append(puts(w.hash, seeder, all...), puts(v.hash, leecher, all...)...)...)
				w.expect(all, nobody)
				v.expect(nobody, all)
			}},
	})
}

func collapsingCases(collapses string) []swarmCase {
	const graduates = "a graduation that is collapsed keeps its count"
	return []swarmCase{
		{name: "PutPeers lets the last role of a peer win", on: keys(peerAdd), says: collapses,
			run: func(w *swarm) {
				p, q := peer4(), peer6()
				w.change(w.putChange(leecher, p), w.putChange(seeder, q), w.putChange(seeder, p), w.putChange(leecher, q))
				w.expect(peers{p}, peers{q})
			}},
		{name: "PutPeers lets a last deletion win", on: keys(peerAdd, peerDel), says: collapses,
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				w.apply(w.putChange(leecher, p), w.deleteChange(leecher, p))
				w.expect(nobody, nobody)
			}},
		{name: "PutPeers lets a last put win", on: keys(peerAdd, peerDel), says: collapses,
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				w.apply(w.deleteChange(leecher, p), w.putChange(seeder, p))
				w.expect(peers{p}, nobody)
			}},
		{name: "PutPeers gives a collapsed change the result of the last", on: keys(peerAdd), says: "a collapsed change has the result of the one it was collapsed into",
			run: func(w *swarm) {
				p := peer4()
				results := w.apply(w.putChange(leecher, p), w.putChange(leecher, peer6()), w.putChange(seeder, p))
				if results[0].GetAffected() != results[2].GetAffected() || (results[0].Error == nil) != (results[2].Error == nil) {
					w.t.Errorf("the collapsed change has result %v, the last has %v", results[0], results[2])
				}
			}},
		{name: "PutPeers graduates a peer that it stores", on: keys(peerAdd, peerGraduate), says: collapses,
			run: func(w *swarm) {
				p := peer4()
				w.change(w.putChange(leecher, p), w.graduateChange(p))
				w.expect(peers{p}, nobody)
			}},
		{name: "PutPeers counts a graduation before a put", on: keys(peerGraduate, downloadsInc), says: graduates, needs: []Capability{CountsDownloads, CountsEveryCompletion},
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				w.change(w.graduateChange(p), w.putChange(seeder, p))
				w.expect(peers{p}, nobody)
				w.downloaded(1)
			}},
		{name: "PutPeers counts a graduation before a deletion", on: keys(peerGraduate, downloadsInc), says: graduates, needs: []Capability{CountsDownloads, CountsEveryCompletion},
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				// The role of the deletion is not known to the test: the peer is a leecher if the graduation was
				// collapsed away, a seeder if it was applied first.
				w.apply(w.graduateChange(p), w.deleteChange(leecher, p))
				w.downloaded(1)
			}},
		{name: "PutPeers does not collapse neighbours", on: keys(peerAdd), says: "changes collapse only if the whole key is the same", needs: []Capability{ManyAddresses},
			run: func(w *swarm) {
				p := peer4()
				all := peers{p}
				for _, by := range neighbours[1:] {
					_, n := by.of(w, p)
					all = append(all, n)
				}
				v, n := neighbours[0].of(w, p)
				w.change(append(puts(w.hash, leecher, all...), puts(v.hash, seeder, n)...)...)
				w.expect(nobody, all)
				v.expect(peers{n}, nobody)
			}},
	}
}

// failed checks that one change failed as it should, and no other.
func (w *swarm) failed(results []*trackerv1.PeerChangeResult, bad int, code codes.Code, reason fault.Reason) {
	w.t.Helper()
	for i, result := range results {
		e := result.Error
		switch {
		case i != bad && e != nil:
			w.t.Errorf("change %d failed with change %d: %s", i+1, bad+1, e.Message)
		case i == bad && (e == nil || codes.Code(e.Code) != code || e.Reason != string(reason)):
			w.t.Errorf("change %d: error %v; it should be code %s, reason %s", i+1, e, code, reason)
		}
	}
}

// report fails the case for each error of several calls.
func report(t T, call string, errs []error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Errorf("%s, %d of %d at once: %v", call, i+1, len(errs), err)
		}
	}
}
