package conformance

import (
	"google.golang.org/grpc/codes"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

func peerDelCases() []swarmCase {
	const (
		removes = "a removed peer is neither listed nor counted"
		role    = "a peer is removed if it has the given role; in the other role it stays"
		absent  = "removing what is not there is NOT_FOUND where the number of rows is known"
	)
	cases := []swarmCase{
		{name: "peer.del removes a leecher", on: keys(peerDel), says: removes,
			run: func(w *swarm) {
				p, q := peer4(), peer4()
				w.put(leecher, p, q)
				w.mustDelete(leecher, p)
				w.expect(nobody, peers{q})
			}},
		{name: "peer.del removes a seeder", on: keys(peerDel), says: removes,
			run: func(w *swarm) {
				p, q := peer6(), peer6()
				w.put(seeder, p, q)
				w.mustDelete(seeder, p)
				w.expect(peers{q}, nobody)
			}},
		{name: "peer.del keeps the other role", on: keys(peerDel), says: role,
			run: func(w *swarm) {
				p, q := peer4(), peer6()
				w.put(leecher, p)
				w.put(seeder, q)
				w.tryDelete(seeder, p)
				w.tryDelete(leecher, q)
				w.expect(peers{q}, peers{p})
			}},
		{name: "peer.del of the other role is not found", on: keys(peerDel), says: absent, needs: []Capability{ReportsAbsence},
			run: func(w *swarm) {
				p := peer4()
				w.put(seeder, p)
				_, err := w.delete(leecher, p)
				notThere(w.t, "DeletePeer of a seeder as leecher", err)
			}},
		{name: "peer.del of an unknown peer is not found", on: keys(peerDel), says: absent, needs: []Capability{ReportsAbsence},
			run: func(w *swarm) {
				_, err := w.delete(leecher, peer4())
				notThere(w.t, "DeletePeer in an unknown swarm", err)
				p := peer4()
				w.put(leecher, p)
				_, err = w.delete(leecher, peer4())
				notThere(w.t, "DeletePeer of an unknown peer", err)
				w.mustDelete(leecher, p)
				_, err = w.delete(leecher, p)
				notThere(w.t, "DeletePeer of a peer removed before", err)
			}},
		{name: "peer.del never fails for want of a peer otherwise", on: keys(peerDel), says: "where the number of rows is not known, absence is no error",
			run: func(w *swarm) { w.tryDelete(leecher, peer4()); w.tryDelete(seeder, peer6()) }},
		{name: "peer.del tells one affected row, or nothing", on: keys(peerDel), says: "a known number of rows is the number of rows",
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				if got := w.mustDelete(leecher, p); got.Affected != nil && *got.Affected != 1 {
					w.t.Errorf("one removed peer affects %d rows; it should be 1", *got.Affected)
				}
			}},
		{name: "peer.del lets the peer come back", on: keys(peerAdd, peerDel), says: "a removed peer that announces again is there again",
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				w.mustDelete(leecher, p)
				w.put(seeder, p)
				w.expect(peers{p}, nobody)
			}},
		{name: "peer.del unmaps an IPv4-mapped address", on: keys(peerDel), says: "an IPv4-mapped IPv6 address is unmapped",
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				w.mustDelete(leecher, mapped(p))
				w.expect(nobody, nobody)
			}},
		{name: "peer.del keeps the swarm of the longer hash", on: keys(peerDel), says: "an info hash is opaque: 32 bytes and their first 20 are two swarms",
			needs: []Capability{Stores32ByteHashes},
			run: func(w *swarm) {
				p, long := peer4(), w.of(append(append([]byte{}, w.hash...), random(12)...))
				w.put(leecher, p)
				long.put(leecher, p)
				w.mustDelete(leecher, p)
				long.expect(nobody, peers{p})
				w.put(leecher, p)
				long.mustDelete(leecher, p)
				w.expect(nobody, peers{p})
			}},
	}
	for _, of := range []bool{leecher, seeder} {
		cases = append(cases, beside("peer.del of a "+roleName(of)+" leaves alone the peer", "only the peer with this key is removed",
			keys(peerDel), nil, func(w *swarm, p *trackerv1.Peer, v *swarm, n *trackerv1.Peer) {
				v.put(of, n)
				w.put(of, p)
				w.mustDelete(of, p)
				expectBoth(w, nobody, nobody, v, n, of)
				w.tryDelete(of, p)
				expectBoth(w, nobody, nobody, v, n, of)
			})...)
	}
	return cases
}

func notThere(t T, call string, err error) {
	t.Helper()
	refused(t, call, err, codes.NotFound, fault.DoesNotExist)
	if key := fault.OperationOf(err); err != nil && key != "" && key != peerDel {
		t.Errorf("%s: the error is about %s; it should be about %s", call, key, peerDel)
	}
}

func removePeerCases() []swarmCase {
	const says = "a peer is removed in whatever role it has"
	cases := []swarmCase{
		{name: "RemovePeer removes a leecher", on: keys(peerDel), says: says,
			run: func(w *swarm) {
				p, q := peer4(), peer4()
				w.put(leecher, p, q)
				w.mustRemove(p)
				w.expect(nobody, peers{q})
			}},
		{name: "RemovePeer removes a seeder", on: keys(peerDel), says: says,
			run: func(w *swarm) {
				p, q := peer6(), peer6()
				w.put(seeder, p, q)
				w.mustRemove(p)
				w.expect(peers{q}, nobody)
			}},
		{name: "RemovePeer of an unknown peer is not found", on: keys(peerDel), says: "absence is told only if both roles affected nothing",
			needs: []Capability{ReportsAbsence},
			run: func(w *swarm) {
				p := peer4()
				notThere(w.t, "RemovePeer in an unknown swarm", w.remove(p))
				w.put(seeder, p)
				w.mustRemove(p)
				notThere(w.t, "RemovePeer of a peer removed before", w.remove(p))
			}},
		{name: "RemovePeer tells one affected row, or nothing", on: keys(peerDel), says: "a known number of rows is the number of rows",
			run: func(w *swarm) {
				p := peer4()
				w.put(seeder, p)
				got, err := w.client().RemovePeer(w.ctx, &trackerv1.RemovePeerRequest{InfoHash: w.hash, Peer: p})
				if err != nil {
					w.t.Fatalf("RemovePeer: %v", err)
				}
				if got.Affected != nil && *got.Affected != 1 {
					w.t.Errorf("one removed peer affects %d rows; it should be 1", *got.Affected)
				}
			}},
	}
	return append(cases, beside("RemovePeer leaves alone the peer", "only the peer with this key is removed",
		keys(peerDel), nil, func(w *swarm, p *trackerv1.Peer, v *swarm, n *trackerv1.Peer) {
			v.put(leecher, n)
			w.put(seeder, p)
			w.mustRemove(p)
			expectBoth(w, nobody, nobody, v, n, leecher)
		})...)
}

func (w *swarm) mustRemove(p *trackerv1.Peer) {
	w.t.Helper()
	if err := w.remove(p); err != nil {
		w.t.Fatalf("RemovePeer of %s: %v", name(p), err)
	}
}
