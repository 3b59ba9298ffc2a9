package conformance

import (
	"time"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// aliveCases are about peers between two collections: a query may hide those that are stale, and
// must not hide any other.
func aliveCases() []swarmCase {
	const (
		hides   = "peers last seen before now - peer_lifetime are stale, and are hidden until they are collected"
		exactly = "a peer is stale at the age of peer_lifetime, and not a moment earlier"
		shows   = "a peer is listed and counted until it is stale"
	)
	return []swarmCase{
		{name: "announce lists peers until they are stale", on: on(lists, counts, keys(byFamily)), says: shows,
			run: func(w *swarm) {
				p, q, r, s := peer4(), peer6(), peer4(), peer6()
				w.putAt(w.young(), leecher, p)
				w.putAt(w.young(), leecher, q)
				w.putAt(w.young(), seeder, r)
				w.putAt(w.young(), seeder, s)
				w.expect(peers{r, s}, peers{p, q})
			}},
		{name: "announce hides stale peers", on: lists, says: hides, needs: []Capability{HidesStale},
			run: func(w *swarm) {
				p, q := peer4(), peer6()
				w.putAt(w.stale(), leecher, peer4())
				w.putAt(w.stale(), leecher, peer6())
				w.putAt(w.stale(), seeder, peer4())
				w.putAt(w.stale(), seeder, peer6())
				w.nothing("all peers are stale", &trackerv1.AnnouncePeersRequest{Want: 50})
				w.nothing("all IPv6 peers are stale", &trackerv1.AnnouncePeersRequest{Want: 50, V6: true})
				w.nothing("all leechers are stale", &trackerv1.AnnouncePeersRequest{Want: 50, ForSeeder: true})
				w.put(leecher, p)
				w.put(seeder, q)
				w.lists(leecher, 50, peers{p})
				w.lists(seeder, 50, peers{p})
				w.reads(&trackerv1.AnnounceRequest{Peers: peers{peer4()}, Want: 50, Families: both}, peers{p}, peers{q})
			}},
		{name: "peer.count does not count stale peers of a swarm", on: keys(peerCount, byInfoHash), says: hides, needs: []Capability{CountsAlive},
			run: func(w *swarm) {
				w.staleAndFresh()
				got, err := w.client().ScrapeSwarm(w.ctx, &trackerv1.ScrapeSwarmRequest{InfoHash: w.hash})
				if err != nil || got.Seeders != 1 || got.Leechers != 2 {
					w.t.Errorf("%d seeders and %d leechers, error %v; there should be 1 and 2", got.GetSeeders(), got.GetLeechers(), err)
				}
			}},
		{name: "peer.count does not count stale peers of a family", on: keys(byFamily), says: hides, needs: []Capability{CountsAlive, Families},
			run: func(w *swarm) { w.staleAndFresh(); w.family(false, 1, 1); w.family(true, 0, 1) }},
		{name: "peer.scrape does not count stale peers", on: keys(peerScrape), says: hides, needs: []Capability{ScrapesAlive},
			run: func(w *swarm) {
				w.staleAndFresh()
				if got := w.scrapeAmong(); got.Seeders != 1 || got.Leechers != 2 {
					w.t.Errorf("%d seeders and %d leechers; there should be 1 and 2", got.Seeders, got.Leechers)
				}
			}},
		{name: "announce hides a peer of exactly peer_lifetime", on: lists, says: exactly, needs: []Capability{HidesStale, ClockStops}, exclusive: true,
			run: func(w *swarm) {
				alive := w.atTheCutoff()
				for range 20 { // a query may begin its choice anywhere, and have a part before and one behind
					w.lists(leecher, 50, peers{alive[1]}, peers{alive[0]})
					w.lists(seeder, 50, peers{alive[0]})
				}
			}},
		{name: "peer.count does not count a peer of exactly peer_lifetime", on: keys(peerCount, byInfoHash), says: exactly, needs: []Capability{CountsAlive, ClockStops}, exclusive: true,
			run: func(w *swarm) {
				w.atTheCutoff()
				got, err := w.client().ScrapeSwarm(w.ctx, &trackerv1.ScrapeSwarmRequest{InfoHash: w.hash})
				if err != nil || got.Seeders != 1 || got.Leechers != 1 {
					w.t.Errorf("%d seeders and %d leechers, error %v; there should be 1 of each", got.GetSeeders(), got.GetLeechers(), err)
				}
			}},
		{name: "peer.scrape does not count a peer of exactly peer_lifetime", on: keys(peerScrape), says: exactly, needs: []Capability{ScrapesAlive, ClockStops}, exclusive: true,
			run: func(w *swarm) {
				w.atTheCutoff()
				if got := w.scrapeAmong(); got.Seeders != 1 || got.Leechers != 1 {
					w.t.Errorf("%d seeders and %d leechers; there should be 1 of each", got.Seeders, got.Leechers)
				}
			}},
	}
}

// atTheCutoff stops the clock until the case ends, and stores in each role a peer of exactly the age at
// which it is stale, and one that is a second younger. It returns the younger ones.
func (w *swarm) atTheCutoff() (alive peers) {
	w.t.Helper()
	at, goOn := w.tracker.Clock.stop()
	w.later(goOn)
	for _, role := range []bool{leecher, seeder} {
		alive = append(alive, peer4())
		w.putSeen(at.Add(-w.tracker.lifetime()), role, peer4())
		w.putSeen(at.Add(-w.tracker.lifetime()+time.Second), role, alive[len(alive)-1])
	}
	return alive
}

// staleAndFresh stores stale peers of all kinds, one IPv4 seeder, and a leecher of each family.
func (w *swarm) staleAndFresh() {
	w.t.Helper()
	for _, role := range []bool{leecher, seeder} {
		w.putAt(w.stale(), role, peer4())
		w.putAt(w.stale(), role, peer6())
	}
	w.put(seeder, peer4())
	w.put(leecher, peer4(), peer6())
}
