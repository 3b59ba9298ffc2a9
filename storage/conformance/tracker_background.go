package conformance

import (
	"errors"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

func gcCases() []swarmCase {
	const (
		deletes = "peers that were last seen at or before the cutoff are deleted"
		keeps   = "a younger peer is never deleted"
	)
	needs := []Capability{Collects}
	return []swarmCase{
		{name: "gc deletes stale peers of both roles and families", on: keys(gcQuery), says: deletes, needs: needs, exclusive: true,
			run: func(w *swarm) {
				p, q, r, s := peer4(), peer4(), peer6(), peer6()
				w.putAt(w.stale(), leecher, p)
				w.putAt(w.stale(), seeder, q)
				w.putAt(w.stale(), leecher, r)
				w.putAt(w.stale(), seeder, s)
				w.collect()
				w.expect(nobody, nobody)
				w.collected(leecher, p, r)
				w.collected(seeder, q, s)
			}},
		{name: "gc keeps younger peers of both roles and families", on: keys(gcQuery), says: keeps, needs: needs, exclusive: true,
			run: func(w *swarm) {
				p, q, r, s, t := peer4(), peer4(), peer6(), peer6(), peer4()
				w.putAt(w.young(), leecher, p)
				w.putAt(w.young(), seeder, q)
				w.putAt(w.young(), leecher, r)
				w.putAt(w.young(), seeder, s)
				w.put(leecher, t)
				w.collect()
				w.expect(peers{q, s}, peers{p, r, t})
			}},
		{name: "gc deletes a peer of exactly the cutoff, and none that is younger", on: keys(gcQuery), says: deletes, needs: []Capability{Collects, ClockStops}, exclusive: true,
			run: func(w *swarm) {
				at, goOn := w.tracker.Clock.stop()
				w.later(goOn)
				old, young := peer4(), peer4()
				w.putSeen(at.Add(-w.tracker.lifetime()), leecher, old)
				w.putSeen(at.Add(-w.tracker.lifetime()+time.Second), leecher, young)
				w.collect()
				w.collected(leecher, old)
				if !w.stillThere(leecher, young) {
					w.t.Errorf("a peer that is a second younger than the cutoff was collected")
				}
			}},
		{name: "gc deletes only the stale peers of a swarm", on: keys(gcQuery), says: keeps, needs: needs, exclusive: true,
			run: func(w *swarm) {
				old, young := some(3), some(3)
				for i := range old {
					w.putAt(w.stale(), leecher, old[i])
					w.putAt(w.young(), leecher, young[i])
				}
				got := w.collect()
				w.expect(nobody, young)
				w.collected(leecher, old...)
				if got.Deleted != nil && *got.Deleted < 3 {
					w.t.Errorf("%d peers deleted; there were at least 3", *got.Deleted)
				}
			}},
		{name: "gc leaves nothing stale however much there is", on: keys(gcQuery), says: "chunks follow each other until nothing stale is left", needs: needs, exclusive: true,
			run: func(w *swarm) {
				young, old := some(5), some(60)
				for _, p := range old {
					w.putAt(w.stale(), leecher, p)
				}
				w.put(leecher, young...)
				got := w.collect()
				w.expect(nobody, young)
				w.collected(leecher, old...)
				if got.Deleted != nil && *got.Deleted < 60 {
					w.t.Errorf("%d peers deleted; there were at least 60", *got.Deleted)
				}
			}},
		{name: "gc deletes a stale peer that is the only one", on: keys(gcQuery), says: deletes, needs: needs, exclusive: true,
			run: func(w *swarm) {
				w.collect()
				for _, p := range (peers{peer4(), peer6()}) {
					w.putAt(w.stale(), leecher, p)
					w.collect()
					w.collected(leecher, p)
				}
			}},
		{name: "gc finds stale peers among many younger ones", on: keys(gcQuery), says: "chunks follow each other until nothing stale is left", needs: needs, exclusive: true,
			run: func(w *swarm) {
				old, young := some(40), some(80)
				for i := range old {
					w.put(leecher, young[2*i], young[2*i+1])
					w.putAt(w.stale(), leecher, old[i])
				}
				w.collect()
				w.expect(nobody, young)
				w.collected(leecher, old...)
			}},
		{name: "gc with nothing to do does nothing", on: keys(gcQuery), says: keeps, needs: needs, exclusive: true,
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				w.collect()
				if got := w.collect(); got.Deleted != nil && *got.Deleted != 0 {
					w.t.Errorf("a second collection deletes %d peers; there should be none left", *got.Deleted)
				}
				w.expect(nobody, peers{p})
			}},
		{name: "gc keeps the download counters", on: keys(gcQuery, downloadsGet), says: "counters outlive the peers", needs: []Capability{Collects, CountsDownloads}, exclusive: true,
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				w.graduate(p)
				w.mustRemove(p)
				w.putAt(w.stale(), seeder, peer6())
				w.collect()
				w.counted(0, 0)
				w.downloaded(1)
			}},
		{name: "gc runs beside announces", on: keys(gcQuery, peerAdd), says: "collection disturbs no other operation, and never deletes a peer that comes back", needs: needs, exclusive: true,
			run: func(w *swarm) {
				all := some(40)
				for _, p := range all {
					w.putAt(w.stale(), leecher, p)
				}
				report(w.t, "a peer coming back or a collection", together(len(all)+4, func(i int) error {
					if i >= len(all) {
						_, err := w.client().RunGC(w.ctx, &trackerv1.RunGCRequest{})
						return err
					}
					put := &trackerv1.PutPeerRequest{InfoHash: w.hash, Peer: all[i], IsSeeder: i%2 == 0}
					_, first := w.client().PutPeer(w.ctx, put)
					_, second := w.client().PutPeer(w.ctx, put)
					return errors.Join(first, second)
				}))
				w.collect()
				var seeders, leechers peers
				for i, p := range all {
					if i%2 == 0 {
						seeders = append(seeders, p)
					} else {
						leechers = append(leechers, p)
					}
				}
				w.expect(seeders, leechers)
			}},
	}
}

// collected checks that peers are gone, not only hidden.
func (w *swarm) collected(role bool, list ...*trackerv1.Peer) {
	w.t.Helper()
	left := 0
	for _, p := range list {
		if w.stillThere(role, p) {
			left++
		}
	}
	if left > 0 {
		w.t.Errorf("%d stale peers of %d are still stored after a collection", left, len(list))
	}
}

// stillThere says whether a peer is known to be stored, be it hidden or not. It deletes it.
func (w *swarm) stillThere(role bool, p *trackerv1.Peer) bool {
	w.t.Helper()
	got, err := w.delete(role, p)
	if err != nil && status.Code(err) != codes.NotFound {
		w.t.Fatalf("DeletePeer of %s: %v", name(p), err)
	}
	return got.GetAffected() > 0
}

func statsCases() []swarmCase {
	const all = "all swarms and both families are counted"
	return []swarmCase{
		{name: "Stats counts the peers of all swarms", on: keys(peerCount), says: all, exclusive: true,
			run: func(w *swarm) {
				v := w.other()
				before := w.stats()
				w.put(seeder, peer4(), peer6(), peer6())
				w.put(leecher, peer4())
				v.put(leecher, peer4(), peer6(), peer6(), peer6())
				after := w.stats()
				if s, l := after.Seeders-before.Seeders, after.Leechers-before.Leechers; s != 3 || l != 5 {
					w.t.Errorf("%d seeders and %d leechers more; there should be 3 and 5", s, l)
				}
			}},
		{name: "Stats follows peers that change and leave", on: keys(peerCount), says: all, exclusive: true,
			run: func(w *swarm) {
				p, q, r := peer4(), peer6(), peer4()
				w.put(leecher, p, q, r)
				before := w.stats()
				w.graduate(p)
				w.mustRemove(q)
				w.put(leecher, r)
				after := w.stats()
				if s, l := after.Seeders-before.Seeders, after.Leechers-before.Leechers; s != 1 || l != -2 {
					w.t.Errorf("seeders change by %d and leechers by %d; it should be 1 and -2", s, l)
				}
			}},
		{name: "Stats counts each info hash with peers once", on: keys(infoHashCount), says: "the number of distinct hashes that have peers", needs: []Capability{CountsInfoHashes}, exclusive: true,
			run: func(w *swarm) {
				v, gone := w.other(), w.other()
				p := peer4()
				gone.put(leecher, p)
				before := w.stats()
				w.put(seeder, peer4(), peer6())
				w.put(leecher, peer4())
				v.put(leecher, peer6())
				gone.mustDelete(leecher, p)
				if n := w.stats().GetInfoHashes() - before.GetInfoHashes(); n != 1 {
					w.t.Errorf("%d info hashes more; there should be 1: two came and one left", n)
				}
			}},
		{name: "Stats counts no info hash that was only completed", on: keys(infoHashCount), says: "the number of distinct hashes that have peers", needs: []Capability{CountsInfoHashes}, exclusive: true,
			run: func(w *swarm) {
				before := w.stats()
				p := peer4()
				w.graduate(p)
				w.mustRemove(p)
				if n := w.stats().GetInfoHashes() - before.GetInfoHashes(); n != 0 {
					w.t.Errorf("%d info hashes more; there should be none", n)
				}
			}},
		{name: "Capabilities tells what the query set does", on: keys(byFamily, downloadsGet, gcQuery, infoHashCount), says: "what is said to be there is there, and the other way round",
			run: capabilitiesAgree},
	}
}

func (w *swarm) stats() *trackerv1.StatsResponse {
	w.t.Helper()
	response, err := w.client().Stats(w.ctx, &trackerv1.StatsRequest{})
	if err != nil {
		w.t.Fatalf("Stats: %v", err)
	}
	return response
}

func capabilitiesAgree(w *swarm) {
	says, err := w.client().Capabilities(w.ctx, &trackerv1.CapabilitiesRequest{})
	if err != nil {
		w.t.Fatalf("Capabilities: %v", err)
	}
	if !says.Peers || !says.Preservable {
		w.t.Errorf("peers %v, preservable %v; both should be true", says.Peers, says.Preservable)
	}
	scraped, err := w.client().ScrapeFamily(w.ctx, &trackerv1.ScrapeFamilyRequest{InfoHash: w.hash})
	if err != nil {
		w.t.Fatalf("ScrapeFamily: %v", err)
	}
	if says.Families == scraped.BothFamilies {
		w.t.Errorf("families %v, but both_families %v", says.Families, scraped.BothFamilies)
	}
	p := peer4()
	w.put(leecher, p)
	w.graduate(p)
	if got := w.scrapeAmong().Snatched; says.Downloads != (got > 0) {
		w.t.Errorf("downloads %v, but %d counted after a graduation", says.Downloads, got)
	}
	for key, is := range map[string]bool{
		peerAdd: says.Peers, dataAdd: says.Data, gcQuery: says.Collects,
		infoHashCount: w.stats().InfoHashes != nil, byFamily: says.Families,
	} {
		if slices.Contains(says.Queries, key) != is {
			w.t.Errorf("%s is listed: %v, but what it is for is there: %v", key, !is, is)
		}
	}
}
