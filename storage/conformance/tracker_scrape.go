package conformance

import (
	"slices"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

func scrapeCases() []swarmCase {
	const (
		summed  = "a swarm is counted over both address families"
		unknown = "an unknown hash has zeros, and is no error"
		ordered = "the answer is in the order of the request"
		family  = "a swarm is counted in one address family"
	)
	return []swarmCase{
		{name: "ScrapeSwarm counts roles over both families", on: counts, says: summed,
			run: func(w *swarm) {
				w.put(seeder, peer4(), peer6(), peer6())
				w.put(leecher, peer4(), peer4(), peer6(), peer6(), peer6())
				w.counted(3, 5)
			}},
		{name: "ScrapeSwarm of an unknown hash is zero", on: on(counts, keys(downloadsGet)), says: unknown,
			run: func(w *swarm) { w.other().put(leecher, peer4()); w.counted(0, 0); w.downloaded(0) }},
		{name: "ScrapeSwarm counts one hash", on: counts, says: "peers of other hashes are not counted",
			run: func(w *swarm) {
				v, _ := neighbours[0].of(w, nil)
				w.put(seeder, some(2)...)
				v.put(seeder, some(3)...)
				v.put(leecher, peer4())
				w.counted(2, 0)
				v.counted(3, 1)
			}},
		{name: "ScrapeSwarm counts the clients behind one address", on: counts, says: "each key is a peer, also at one address and port",
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p, twin(p))
				w.counted(0, 2)
			}},
		{name: "ScrapeFamily counts one family", on: keys(byFamily), says: family, needs: []Capability{Families},
			run: func(w *swarm) {
				v, _ := neighbours[0].of(w, nil)
				w.put(seeder, peer4(), peer6(), peer6())
				w.put(leecher, peer4(), peer4(), peer4(), peer6())
				v.put(seeder, peer4(), peer6())
				w.family(false, 1, 3)
				w.family(true, 2, 1)
			}},
		{name: "ScrapeFamily of a family without peers is zero", on: keys(byFamily), says: unknown, needs: []Capability{Families},
			run: func(w *swarm) {
				w.put(leecher, peer4())
				w.family(true, 0, 0)
				w.other().family(false, 0, 0)
			}},
		{name: "ScrapeFamily says so where it counts both families", on: keys(byFamily, byInfoHash), says: "without the clause both families are counted and both_families is set",
			run: func(w *swarm) {
				w.put(seeder, peer4(), peer6())
				w.put(leecher, peer6())
				got, err := w.client().ScrapeFamily(w.ctx, &trackerv1.ScrapeFamilyRequest{InfoHash: w.hash})
				if err != nil {
					w.t.Fatalf("ScrapeFamily: %v", err)
				}
				want := trackerv1.Swarm{Seeders: 1, Leechers: 0}
				if got.BothFamilies {
					want.Seeders, want.Leechers = 2, 1
				}
				if got.Seeders != want.Seeders || got.Leechers != want.Leechers {
					w.t.Errorf("%d seeders and %d leechers with both_families %v; there should be %d and %d",
						got.Seeders, got.Leechers, got.BothFamilies, want.Seeders, want.Leechers)
				}
			}},
		{name: "ScrapeFamily gives the downloads of the swarm", on: keys(downloadsGet), says: "completed downloads are counted by hash, not by family", needs: []Capability{CountsDownloads},
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, p)
				w.graduate(p)
				for _, v6 := range []bool{false, true} {
					got, err := w.client().ScrapeFamily(w.ctx, &trackerv1.ScrapeFamilyRequest{InfoHash: w.hash, V6: v6})
					if err != nil || got.Snatched != 1 {
						w.t.Errorf("%s: %d downloads, error %v; there should be 1", familyName(v6), got.GetSnatched(), err)
					}
				}
			}},
		{name: "ScrapeSwarms answers in order", on: keys(peerScrape, byInfoHash, downloadsGet), says: ordered,
			run: func(w *swarm) {
				hashes := [][]byte{random(20)}
				want := []int{0}
				for i := 1; i <= 6; i++ {
					v := w.other()
					v.put(leecher, some(i)...)
					hashes, want = append(hashes, v.hash, random(20)), append(want, i, 0)
				}
				w.scraped(hashes, want)
				slices.Reverse(hashes)
				slices.Reverse(want)
				w.scraped(hashes, want)
			}},
		{name: "ScrapeSwarms answers a repeated hash each time", on: keys(peerScrape, byInfoHash), says: ordered,
			run: func(w *swarm) {
				v := w.other()
				w.put(leecher, some(2)...)
				v.put(leecher, peer6())
				w.scraped([][]byte{w.hash, v.hash, w.hash, random(20), w.hash, v.hash}, []int{2, 1, 2, 0, 2, 1})
			}},
		{name: "ScrapeSwarms of nothing is nothing", on: keys(peerScrape), says: "no hashes, no counts, no error",
			run: func(w *swarm) { w.scraped(nil, nil) }},
		{name: "ScrapeSwarms answers hundreds of hashes", on: keys(peerScrape, byInfoHash), says: "each hash asked for is answered",
			run: func(w *swarm) {
				v := w.other()
				w.put(leecher, some(2)...)
				v.put(leecher, peer4())
				hashes, want := make([][]byte, 250), make([]int, 250)
				for i := range hashes {
					hashes[i] = random(20)
				}
				hashes[0], want[0] = w.hash, 2
				hashes[249], want[249] = v.hash, 1
				w.scraped(hashes, want)
			}},
		{name: "ScrapeSwarms keeps a 32-byte hash apart from its prefix", on: keys(peerScrape, byInfoHash), says: "an info hash is opaque: 32 bytes and their first 20 are two swarms",
			needs: []Capability{Stores32ByteHashes},
			run: func(w *swarm) {
				long := w.of(slices.Concat(w.hash, random(12)))
				w.put(leecher, peer4())
				long.put(leecher, some(2)...)
				w.scraped([][]byte{long.hash, w.hash, long.hash}, []int{2, 1, 2})
			}},
		{name: "ScrapeSwarms gives each swarm its seeders and downloads", on: keys(peerScrape, byInfoHash, downloadsGet), says: "seeders, leechers and downloads are those of the hash",
			needs: []Capability{CountsDownloads},
			run: func(w *swarm) {
				v, gone := w.other(), w.other()
				for _, at := range []*swarm{w, v, v, gone, gone, gone} {
					p := peer4()
					at.put(leecher, p)
					at.graduate(p)
					if at == gone {
						at.mustRemove(p)
					}
				}
				v.put(leecher, peer4())
				for i, got := range w.scrape(v.hash, random(20), gone.hash, w.hash) {
					want := [][3]int64{{2, 1, 2}, {0, 0, 0}, {0, 0, 3}, {1, 0, 1}}[i]
					if [3]int64{got.Seeders, got.Leechers, got.Snatched} != want {
						w.t.Errorf("swarm %d: seeders, leechers, downloads are %d, %d, %d; they should be %v", i+1, got.Seeders, got.Leechers, got.Snatched, want)
					}
				}
			}},
	}
}

func (w *swarm) family(v6 bool, seeders, leechers int64) {
	w.t.Helper()
	got, err := w.client().ScrapeFamily(w.ctx, &trackerv1.ScrapeFamilyRequest{InfoHash: w.hash, V6: v6})
	if err != nil {
		w.t.Fatalf("ScrapeFamily, %s: %v", familyName(v6), err)
	}
	if got.BothFamilies || got.Seeders != seeders || got.Leechers != leechers {
		w.t.Errorf("%s: %d seeders, %d leechers, both_families %v; there should be %d and %d of this family",
			familyName(v6), got.Seeders, got.Leechers, got.BothFamilies, seeders, leechers)
	}
}

// scraped checks the leechers of several swarms.
func (w *swarm) scraped(hashes [][]byte, leechers []int) {
	w.t.Helper()
	for i, got := range w.scrape(hashes...) {
		if got.Leechers != int64(leechers[i]) || got.Seeders != 0 {
			w.t.Errorf("swarm %d of %d: %d seeders and %d leechers; there should be 0 and %d", i+1, len(hashes), got.Seeders, got.Leechers, leechers[i])
		}
	}
}
