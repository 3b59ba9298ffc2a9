package conformance

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// A probe finds out whether a query set has an ability. It is only asked if those it builds on are
// there. A probe that fails proves nothing: then the ability counts as there, and the cases that
// need it say what is wrong.
type probe struct {
	finds Capability
	on    []Capability
	has   func(w *swarm, d *shelf) bool
}

var trackerProbes = []probe{
	{finds: PeersServed, has: func(w *swarm, _ *shelf) bool { return configured(w.t, w.tryPut(leecher, peer4())) }},
	{finds: DataServed, has: func(_ *swarm, d *shelf) bool { return configured(d.t, d.tryPut(entry(random(20), nil))) }},
	{finds: ManyAddresses, on: []Capability{PeersServed}, has: func(w *swarm, _ *shelf) bool {
		p, q := dual()
		w.put(leecher, p, q, with(p, func(q *trackerv1.Peer) { q.Port ^= 1 }))
		return w.scrapeAmong().Leechers == 3
	}},
	{finds: Stores32ByteHashes, on: []Capability{PeersServed}, has: func(w *swarm, _ *shelf) bool {
		return fault.ReasonOf(w.of(random(32)).tryPut(leecher, peer4())) != fault.Rejected
	}},
	{finds: ReportsAbsence, on: []Capability{PeersServed}, has: func(w *swarm, _ *shelf) bool {
		_, err := w.delete(leecher, peer4())
		return err != nil
	}},
	{finds: ExactGraduate, on: []Capability{PeersServed}, has: func(w *swarm, _ *shelf) bool {
		p := peer4()
		w.put(leecher, p)
		w.graduate(twin(p))
		return w.scrapeAmong().Leechers == 1
	}},
	{finds: TellsPromotion, on: []Capability{PeersServed}, has: func(w *swarm, _ *shelf) bool {
		got := w.graduate(peer4())
		return got.Promoted != nil && !*got.Promoted
	}},
	{finds: CountsDownloads, on: []Capability{PeersServed}, has: func(w *swarm, _ *shelf) bool {
		p := peer4()
		w.put(leecher, p)
		w.graduate(p)
		return w.scrapeAmong().Snatched > 0
	}},
	{finds: CountsEveryCompletion, on: []Capability{PeersServed, CountsDownloads}, has: func(w *swarm, _ *shelf) bool {
		w.graduate(peer4())
		return w.scrapeAmong().Snatched > 0
	}},
	{finds: Families, on: []Capability{PeersServed}, has: func(w *swarm, _ *shelf) bool {
		got, err := w.client().ScrapeFamily(w.ctx, &trackerv1.ScrapeFamilyRequest{InfoHash: w.hash})
		return err != nil || !got.BothFamilies
	}},
	{finds: CountsInfoHashes, on: []Capability{PeersServed}, has: func(w *swarm, _ *shelf) bool { return w.stats().InfoHashes != nil }},
	{finds: ExcludesRequester, on: []Capability{PeersServed}, has: func(w *swarm, _ *shelf) bool {
		for range 6 {
			if w.other().crowded() < 3 {
				return false
			}
		}
		return true
	}},
	{finds: PicksAtRandom, on: []Capability{PeersServed}, has: func(w *swarm, _ *shelf) bool {
		w.put(leecher, some(20)...)
		return w.picked(seeder) > 2
	}},
	{finds: ClockStops, on: []Capability{PeersServed}, has: func(w *swarm, _ *shelf) bool { return w.tracker.Clock != nil }},
	{finds: HidesStale, on: []Capability{PeersServed}, has: func(w *swarm, _ *shelf) bool {
		w.putAt(w.stale(), leecher, peer4())
		return len(w.list(&trackerv1.AnnouncePeersRequest{Want: 5})) == 0
	}},
	{finds: CountsAlive, on: []Capability{PeersServed}, has: func(w *swarm, _ *shelf) bool {
		w.putAt(w.stale(), leecher, peer4())
		got, err := w.client().ScrapeSwarm(w.ctx, &trackerv1.ScrapeSwarmRequest{InfoHash: w.hash})
		return err != nil || got.Leechers == 0
	}},
	{finds: ScrapesAlive, on: []Capability{PeersServed}, has: func(w *swarm, _ *shelf) bool {
		w.putAt(w.stale(), leecher, peer4())
		return w.scrapeAmong().Leechers == 0
	}},
	{finds: Collects, on: []Capability{PeersServed}, has: func(w *swarm, _ *shelf) bool {
		p := peer4()
		w.putAt(w.stale(), leecher, p)
		if _, err := w.client().RunGC(w.ctx, &trackerv1.RunGCRequest{}); err != nil {
			return configured(w.t, err)
		}
		return !w.stillThere(leecher, p) && w.scrapeAmong().Leechers == 0
	}},
	{finds: GraduateRefreshes, on: []Capability{PeersServed, Collects}, has: func(w *swarm, _ *shelf) bool {
		p := peer4()
		w.putAt(w.stale(), leecher, p)
		w.graduate(p)
		w.collect()
		return w.scrapeAmong().Seeders == 1
	}},
	{finds: KVOverwrite, on: []Capability{DataServed}, has: func(_ *swarm, d *shelf) bool {
		key := random(20)
		d.put(entry(key, []byte("first")))
		d.put(entry(key, []byte("second")))
		return d.tryHolds(key, []byte("first")) != nil
	}},
	{finds: KVNull, on: []Capability{DataServed}, has: func(_ *swarm, d *shelf) bool {
		key := random(20)
		d.put(bare(key))
		got, err := d.client().Load(d.ctx, &trackerv1.LoadRequest{Context: d.context, Key: key})
		return err != nil || got.Value == nil
	}},
}

// configured says whether a call got as far as a query.
func configured(t T, err error) bool {
	if fault.ReasonOf(err) == fault.NotConfigured || status.Code(err) == codes.Unimplemented {
		return false
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return true
}

// Probe finds out what a query set can do, by trying. It uses the tables: what it stores it leaves
// behind, and it collects stale peers, so nothing else should use them. An ability that builds on
// one that is lacking is lacking as well. The error says that the storage cannot be used at all.
func Probe(ctx context.Context, s *Tracker) (Capabilities, error) { return trackerSuite(s).probe(ctx) }
