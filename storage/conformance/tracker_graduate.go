package conformance

import (
	"slices"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

func graduateCases() []swarmCase {
	const (
		promotes = "the leecher with this key becomes a seeder, and stays one peer"
		adds     = "a peer that is no leecher is stored as a seeder, without an error"
		fresh    = "a graduation counts as a sign of life"
	)
	cases := []swarmCase{
		{name: "peer.graduate promotes an IPv4 leecher", on: keys(peerGraduate), says: promotes,
			run: func(w *swarm) { p := peer4(); w.put(leecher, p); w.graduate(p); w.expect(peers{p}, nobody) }},
		{name: "peer.graduate promotes an IPv6 leecher", on: keys(peerGraduate), says: promotes,
			run: func(w *swarm) { p := peer6(); w.put(leecher, p); w.graduate(p); w.expect(peers{p}, nobody) }},
		{name: "peer.graduate unmaps an IPv4-mapped address", on: keys(peerGraduate), says: "an IPv4-mapped IPv6 address is unmapped",
			run: func(w *swarm) { p := peer4(); w.put(leecher, p); w.graduate(mapped(p)); w.expect(peers{p}, nobody) }},
		{name: "peer.graduate leaves the other leechers of the swarm", on: keys(peerGraduate), says: promotes,
			run: func(w *swarm) {
				all, p := some(3), peer4()
				w.put(leecher, append(all, p)...)
				w.graduate(p)
				w.expect(peers{p}, all)
			}},
		{name: "peer.graduate adds a peer of an unknown swarm", on: keys(peerGraduate, peerAdd), says: adds,
			run: func(w *swarm) { p := peer4(); w.graduate(p); w.expect(peers{p}, nobody) }},
		{name: "peer.graduate adds an unknown peer", on: keys(peerGraduate, peerAdd), says: adds,
			run: func(w *swarm) {
				p, q, r := peer6(), peer4(), peer6()
				w.put(leecher, q)
				w.put(seeder, r)
				w.graduate(p)
				w.expect(peers{p, r}, peers{q})
			}},
		{name: "peer.graduate of a seeder makes no second row", on: keys(peerGraduate, peerAdd), says: adds,
			run: func(w *swarm) {
				p := peer4()
				w.put(seeder, p)
				w.graduate(p)
				w.graduate(p)
				w.expect(peers{p}, nobody)
			}},
		{name: "peer.graduate takes what the host knows of the client", on: keys(peerGraduate, downloadsInc), says: "the values of the host reach the queries that use them, and disturb no other",
			run: func(w *swarm) {
				p, q := peer4(), peer6()
				w.put(leecher, p)
				for _, peer := range (peers{p, q}) {
					request := &trackerv1.GraduateLeecherRequest{InfoHash: w.hash, Peer: peer, HostValues: hostValues("completed", 0)}
					if _, err := w.client().GraduateLeecher(w.ctx, request); err != nil {
						w.t.Fatalf("GraduateLeecher with host values: %v", err)
					}
				}
				w.expect(peers{p, q}, nobody)
			}},
		{name: "peer.graduate refreshes the timestamp", on: keys(peerGraduate, gcQuery), says: fresh,
			needs: []Capability{GraduateRefreshes, Collects}, exclusive: true,
			run: func(w *swarm) {
				p := peer4()
				w.putAt(w.stale(), leecher, p)
				w.graduate(p)
				w.collect()
				w.expect(peers{p}, nobody)
			}},
		{name: "peer.graduate refreshes a seeder", on: keys(peerGraduate, peerAdd, gcQuery), says: fresh,
			needs: []Capability{Collects}, exclusive: true,
			run: func(w *swarm) {
				p, q := peer4(), peer6()
				w.putAt(w.stale(), seeder, p)
				w.graduate(p)
				w.graduate(q)
				w.collect()
				w.expect(peers{p, q}, nobody)
			}},
		{name: "peer.graduate tells whether there was a leecher", on: keys(peerGraduate), says: "promoted is true for a leecher, false for a new seeder and for one that was a seeder before",
			needs: []Capability{TellsPromotion},
			run: func(w *swarm) {
				p, q := peer4(), peer6()
				w.put(leecher, p)
				w.promoted("a leecher", p, true)
				w.promoted("that peer again", p, false)
				w.promoted("a new peer", q, false)
			}},
		{name: "peer.graduate never denies a promotion", on: keys(peerGraduate), says: "promoted is true for a leecher, or not told",
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				if got := w.graduate(p); got.Promoted != nil && !*got.Promoted {
					w.t.Errorf("promoted is false for a leecher")
				}
			}},
	}
	exact := func(part string) []Capability {
		if part == "peer id" {
			return []Capability{ExactGraduate}
		}
		return nil
	}
	cases = append(cases, beside("peer.graduate of a leecher leaves alone the leecher", "only the leecher with this key is promoted",
		keys(peerGraduate), exact, func(w *swarm, p *trackerv1.Peer, v *swarm, n *trackerv1.Peer) {
			v.put(leecher, n)
			w.put(leecher, p)
			w.graduate(p)
			expectBoth(w, peers{p}, nobody, v, n, leecher)
		})...)
	return append(cases, beside("peer.graduate of an unknown peer leaves alone the leecher", "only the leecher with this key is promoted",
		keys(peerGraduate), exact, func(w *swarm, p *trackerv1.Peer, v *swarm, n *trackerv1.Peer) {
			v.put(leecher, n)
			w.graduate(p)
			expectBoth(w, peers{p}, nobody, v, n, leecher)
		})...)
}

// promoted graduates a peer and checks what is said of it.
func (w *swarm) promoted(what string, p *trackerv1.Peer, want bool) {
	w.t.Helper()
	switch got := w.graduate(p); {
	case got.Promoted == nil:
		w.t.Errorf("graduating %s: promoted is not told; it should be %v", what, want)
	case *got.Promoted != want:
		w.t.Errorf("graduating %s: promoted is %v; it should be %v", what, *got.Promoted, want)
	}
}

func downloadsCases() []swarmCase {
	const once = "each graduation of a leecher counts as exactly one download"
	counted := keys(downloadsInc, downloadsGet, peerScrape)
	return []swarmCase{
		{name: "downloads.inc creates the counter at 1", on: counted, says: once, needs: []Capability{CountsDownloads},
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				w.downloaded(0)
				w.graduate(p)
				w.downloaded(1)
			}},
		{name: "downloads.inc adds 1 each time", on: counted, says: once, needs: []Capability{CountsDownloads},
			run: func(w *swarm) {
				for i, p := range some(4) {
					w.put(leecher, p)
					w.graduate(p)
					w.downloaded(i + 1)
				}
			}},
		{name: "downloads.inc counts again a peer that became a leecher again", on: counted, says: once, needs: []Capability{CountsDownloads},
			run: func(w *swarm) {
				p := peer4()
				for i := range 3 {
					w.put(leecher, p)
					w.graduate(p)
					w.downloaded(i + 1)
				}
			}},
		{name: "downloads.inc works without peers", on: counted, says: "a completion of an unknown torrent creates its counter",
			needs: []Capability{CountsDownloads, CountsEveryCompletion},
			run: func(w *swarm) {
				p := peer4()
				w.graduate(p)
				w.downloaded(1)
				w.graduate(p)
				w.downloaded(2)
			}},
		{name: "downloads.inc leaves the counters of other swarms", on: counted, says: "the counter belongs to one info hash", needs: []Capability{CountsDownloads},
			run: func(w *swarm) {
				hash := slices.Clone(w.hash)
				hash[19] ^= 1
				next := w.of(hash)
				for i, p := range some(5) {
					v := w
					if i >= 3 {
						v = next
					}
					v.put(leecher, p)
					v.graduate(p)
				}
				w.downloaded(3)
				next.downloaded(2)
				w.other().downloaded(0)
			}},
		{name: "downloads.inc keeps a 32-byte hash apart from its prefix", on: counted, says: "an info hash is opaque: 32 bytes and their first 20 are two swarms",
			needs: []Capability{CountsDownloads, Stores32ByteHashes},
			run: func(w *swarm) {
				long := w.of(slices.Concat(w.hash, random(12)))
				p := peer4()
				long.put(leecher, p)
				long.graduate(p)
				long.downloaded(1)
				w.downloaded(0)
			}},
		{name: "downloads.get goes on after the last peer left", on: counted, says: "counters outlive the peers", needs: []Capability{CountsDownloads},
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				w.graduate(p)
				w.mustRemove(p)
				w.counted(0, 0)
				w.downloaded(1)
			}},
		{name: "downloads.get counts no seeder who never leeched", on: counted, says: "only a graduation is a download", needs: []Capability{CountsDownloads},
			run: func(w *swarm) {
				p, q := peer4(), peer6()
				w.put(seeder, p)
				w.put(leecher, q)
				w.put(seeder, q)
				w.downloaded(0)
			}},
		{name: "downloads.inc loses no count", on: counted, says: "concurrent graduations lose no count", needs: []Capability{CountsDownloads},
			run: func(w *swarm) {
				all := some(32)
				w.put(leecher, all...)
				for i, err := range together(len(all), func(i int) error {
					_, err := w.client().GraduateLeecher(w.ctx, &trackerv1.GraduateLeecherRequest{InfoHash: w.hash, Peer: all[i]})
					return err
				}) {
					if err != nil {
						w.t.Errorf("graduation %d of %d at once: %v", i+1, len(all), err)
					}
				}
				w.downloaded(len(all))
				w.expect(all, nobody)
			}},
		{name: "downloads.inc counts a repeated completion every time", on: counted, says: "with count_on: completed each completion counts, with and without a leecher",
			needs: []Capability{CountsDownloads, CountsEveryCompletion},
			run: func(w *swarm) {
				const n = 16
				p := peer4()
				w.put(leecher, p)
				for _, err := range together(n, func(int) error {
					_, err := w.client().GraduateLeecher(w.ctx, &trackerv1.GraduateLeecherRequest{InfoHash: w.hash, Peer: p})
					return err
				}) {
					if err != nil {
						w.t.Errorf("one of %d completions at once: %v", n, err)
					}
				}
				w.downloaded(n)
				w.expect(peers{p}, nobody)
			}},
	}
}
