package conformance

import (
	"slices"

	"google.golang.org/grpc/codes"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// Announce, the composed call: what it writes.
func announceWriteCases() []swarmCase {
	const (
		included = "the write comes before the reads: the counts include the client"
		every    = "each address is written to each hash"
	)
	return []swarmCase{
		{name: "Announce stores a leecher and counts it", on: on(keys(peerAdd), counts), says: included,
			run: func(w *swarm) {
				p := peer4()
				got := w.announce(&trackerv1.AnnounceRequest{Peers: peers{p}, Action: trackerv1.Action_PUT_LEECHER, WantCounts: true})
				w.answered(got, 0, 1)
				w.expect(nobody, peers{p})
			}},
		{name: "Announce stores a seeder and counts it", on: on(keys(peerAdd), counts), says: included,
			run: func(w *swarm) {
				p := peer6()
				got := w.announce(&trackerv1.AnnounceRequest{Peers: peers{p}, Action: trackerv1.Action_PUT_SEEDER, WantCounts: true})
				w.answered(got, 1, 0)
				w.expect(peers{p}, nobody)
			}},
		{name: "Announce changes the role of a peer", on: keys(peerAdd), says: "a peer with the same key takes the new role; it is never there twice",
			run: func(w *swarm) {
				p, q := peer4(), peer4()
				w.put(leecher, p, q)
				got := w.announce(&trackerv1.AnnounceRequest{Peers: peers{p}, Action: trackerv1.Action_PUT_SEEDER, WantCounts: true})
				w.answered(got, 1, 1)
				w.expect(peers{p}, peers{q})
			}},
		{name: "Announce graduates a leecher", on: keys(peerGraduate), says: included,
			run: func(w *swarm) {
				p, q := peer4(), peer6()
				w.put(leecher, p, q)
				got := w.announce(&trackerv1.AnnounceRequest{Peers: peers{p}, Action: trackerv1.Action_GRADUATE, ForSeeder: true, WantCounts: true})
				w.answered(got, 1, 1)
				w.expect(peers{p}, peers{q})
			}},
		{name: "Announce counts the download of a leecher", on: keys(peerGraduate, downloadsInc), says: "each graduation of a leecher counts as exactly one download",
			needs: []Capability{CountsDownloads},
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				w.wrote(w.announce(&trackerv1.AnnounceRequest{Peers: peers{p}, Action: trackerv1.Action_GRADUATE}))
				w.downloaded(1)
			}},
		{name: "Announce answers with the download that it counts", on: keys(downloadsInc, downloadsGet), says: included + ", unless only promotions count: these are known after the first round trip",
			needs: []Capability{CountsDownloads, CountsEveryCompletion},
			run: func(w *swarm) {
				got := w.announce(&trackerv1.AnnounceRequest{Peers: peers{peer4()}, Action: trackerv1.Action_GRADUATE, WantCounts: true})
				if w.wrote(got); got.Downloaded != 1 {
					w.t.Errorf("the answer counts %d downloads; there should be 1", got.Downloaded)
				}
			}},
		{name: "Announce graduates an unknown peer", on: keys(peerGraduate, peerAdd), says: "a peer that is no leecher is stored as a seeder before the call is answered",
			run: func(w *swarm) {
				p := peer4()
				w.wrote(w.announce(&trackerv1.AnnounceRequest{Peers: peers{p}, Action: trackerv1.Action_GRADUATE, ForSeeder: true}))
				w.expect(peers{p}, nobody)
			}},
		{name: "Announce removes a peer in whatever role", on: keys(peerDel), says: "REMOVE takes the peer out of the swarm in both roles",
			run: func(w *swarm) {
				p, q, r := peer4(), peer6(), peer4()
				w.put(leecher, p, r)
				w.put(seeder, q)
				w.answered(w.announce(&trackerv1.AnnounceRequest{Peers: peers{p}, Action: trackerv1.Action_REMOVE, WantCounts: true}), 1, 1)
				w.answered(w.announce(&trackerv1.AnnounceRequest{Peers: peers{q}, Action: trackerv1.Action_REMOVE, WantCounts: true}), 0, 1)
				w.expect(nobody, peers{r})
			}},
		{name: "Announce of a departure reads no peers", on: keys(peerDel), says: "with REMOVE no peers are read",
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p, peer4())
				got := w.announce(&trackerv1.AnnounceRequest{Peers: peers{p}, Action: trackerv1.Action_REMOVE, Want: 50, Families: both})
				if len(got.Peers) != 0 {
					w.t.Errorf("%d peers for a client that leaves", len(got.Peers))
				}
			}},
		{name: "Announce of an unknown client's departure is no failure", on: keys(peerDel), says: "that there was nothing to remove does not fail the announce",
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				got := w.announce(&trackerv1.AnnounceRequest{Peers: peers{peer4()}, Action: trackerv1.Action_REMOVE, WantCounts: true})
				if code := codes.Code(got.WriteError.GetCode()); code != codes.OK && code != codes.NotFound {
					w.t.Errorf("the write failed with %s: %s", code, got.WriteError.GetMessage())
				}
				w.expect(nobody, peers{p})
			}},
		{name: "Announce without an action writes nothing", on: on(lists, counts), says: "NONE only reads",
			run: func(w *swarm) {
				p, q := peer4(), peer4()
				w.put(leecher, q)
				got := w.announce(&trackerv1.AnnounceRequest{Peers: peers{p}, WantCounts: true, Want: 50, Families: both})
				w.answered(got, 0, 1)
				w.expect(nobody, peers{q})
				w.announce(&trackerv1.AnnounceRequest{Peers: peers{q}, ForSeeder: true})
				w.expect(nobody, peers{q})
			}},
		{name: "Announce stores all addresses of a client", on: keys(peerAdd), says: every, needs: []Capability{ManyAddresses},
			run: func(w *swarm) {
				p, q := dual()
				got := w.announce(&trackerv1.AnnounceRequest{Peers: peers{p, q}, Action: trackerv1.Action_PUT_LEECHER, WantCounts: true})
				w.answered(got, 0, 2)
				w.expect(nobody, peers{p, q})
			}},
		{name: "Announce graduates all addresses of a client", on: keys(peerGraduate), says: every, needs: []Capability{ManyAddresses},
			run: func(w *swarm) {
				p, q := dual()
				w.put(leecher, p, q)
				w.wrote(w.announce(&trackerv1.AnnounceRequest{Peers: peers{p, q}, Action: trackerv1.Action_GRADUATE}))
				w.expect(peers{p, q}, nobody)
			}},
		{name: "Announce counts one download for a client with two addresses", on: keys(downloadsInc), says: "exactly one increment per call and hash",
			needs: []Capability{ManyAddresses, CountsDownloads},
			run: func(w *swarm) {
				p, q := dual()
				w.put(leecher, p, q)
				w.wrote(w.announce(&trackerv1.AnnounceRequest{Peers: peers{p, q}, Action: trackerv1.Action_GRADUATE}))
				w.downloaded(1)
			}},
		{name: "Announce removes all addresses of a client", on: keys(peerDel), says: every, needs: []Capability{ManyAddresses},
			run: func(w *swarm) {
				p, q := dual()
				other := peer6()
				w.put(leecher, p, other)
				w.put(seeder, q)
				w.wrote(w.announce(&trackerv1.AnnounceRequest{Peers: peers{p, q}, Action: trackerv1.Action_REMOVE}))
				w.expect(nobody, peers{other})
			}},
		{name: "Announce writes to both hashes", on: keys(peerAdd, peerDel), says: every,
			run: func(w *swarm) {
				p, v := peer4(), w.other()
				both := [][]byte{w.hash, v.hash}
				got := w.announce(&trackerv1.AnnounceRequest{InfoHashes: both, Peers: peers{p}, Action: trackerv1.Action_PUT_LEECHER, WantCounts: true})
				w.answered(got, 0, 2)
				w.expect(nobody, peers{p})
				v.expect(nobody, peers{p})
				got = w.announce(&trackerv1.AnnounceRequest{InfoHashes: both, Peers: peers{p}, Action: trackerv1.Action_REMOVE, WantCounts: true})
				w.answered(got, 0, 0)
				w.expect(nobody, nobody)
				v.expect(nobody, nobody)
			}},
		{name: "Announce graduates in both hashes", on: keys(peerGraduate, downloadsInc), says: every, needs: []Capability{CountsDownloads},
			run: func(w *swarm) {
				p, v := peer4(), w.other()
				w.put(leecher, p)
				v.put(leecher, p)
				got := w.announce(&trackerv1.AnnounceRequest{InfoHashes: [][]byte{w.hash, v.hash}, Peers: peers{p}, Action: trackerv1.Action_GRADUATE, WantCounts: true})
				w.answered(got, 2, 0)
				w.expect(peers{p}, nobody)
				v.expect(peers{p}, nobody)
				w.downloaded(1)
				v.downloaded(1)
			}},
		{name: "Announce writes to a v2 hash and its short form", on: keys(peerAdd), says: "the second hash takes part in everything (BEP 52)", needs: []Capability{Stores32ByteHashes},
			run: func(w *swarm) {
				p, long := peer4(), w.of(slices.Concat(w.hash, random(12)))
				got := w.announce(&trackerv1.AnnounceRequest{InfoHashes: [][]byte{long.hash, w.hash}, Peers: peers{p}, Action: trackerv1.Action_PUT_SEEDER, WantCounts: true})
				w.answered(got, 2, 0)
				w.expect(peers{p}, nobody)
				long.expect(peers{p}, nobody)
			}},
		{name: "Announce unmaps an IPv4-mapped address", on: keys(peerAdd), says: "an IPv4-mapped IPv6 address is unmapped",
			run: func(w *swarm) {
				p := peer4()
				w.wrote(w.announce(&trackerv1.AnnounceRequest{Peers: peers{mapped(p)}, Action: trackerv1.Action_PUT_LEECHER}))
				w.expect(nobody, peers{p})
			}},
		{name: "Announce takes what the host knows of the client", on: on(keys(peerAdd, peerGraduate, peerDel), lists), says: "the values of the host reach the queries that use them, and disturb no other",
			run: func(w *swarm) {
				p, q := peer4(), peer4()
				w.put(leecher, q)
				for _, action := range []trackerv1.Action{trackerv1.Action_PUT_LEECHER, trackerv1.Action_GRADUATE, trackerv1.Action_REMOVE, trackerv1.Action_PUT_SEEDER} {
					w.wrote(w.announce(&trackerv1.AnnounceRequest{Peers: peers{p}, Action: action, Want: 50, Families: both, HostValues: hostValues("started", 3)}))
				}
				w.expect(peers{p}, peers{q})
			}},
	}
}

var both = []trackerv1.Family{trackerv1.Family_IPV4, trackerv1.Family_IPV6}

// dual returns the IPv4 and the IPv6 address of one client.
func dual() (p4, p6 *trackerv1.Peer) {
	p4 = peer4()
	return p4, with(p4, func(p *trackerv1.Peer) { p.Address = peer6().Address })
}

// answered checks that an announce wrote, and its counts.
func (w *swarm) answered(got *trackerv1.AnnounceResponse, complete, incomplete int64) {
	w.t.Helper()
	w.wrote(got)
	if got.Complete != complete || got.Incomplete != incomplete {
		w.t.Errorf("the answer counts %d seeders and %d leechers; there should be %d and %d",
			got.Complete, got.Incomplete, complete, incomplete)
	}
}

func (w *swarm) wrote(got *trackerv1.AnnounceResponse) {
	w.t.Helper()
	if got.WriteError != nil {
		w.t.Errorf("the write failed: code %s, reason %q, %s: %s", codes.Code(got.WriteError.Code),
			got.WriteError.Reason, got.WriteError.Operation, got.WriteError.Message)
	}
}
