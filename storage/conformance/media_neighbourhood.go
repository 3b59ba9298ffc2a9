package conformance

import (
	"slices"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// neighbourhoodCases hold on tables without times of creation, too: whatever the order is, pages and
// streams have to agree on it.
func neighbourhoodCases() []mediaCase {
	const one = "all pages and streams have one order"
	return []mediaCase{
		{name: "Hashes.Page and Hashes.Ordered agree on the order", on: on(bySlug, byPlace), says: one, exclusive: true,
			run: func(g *gallery) {
				for _, o := range g.several(6) {
					for _, n := range []int64{1, 2, 5} {
						g.agree(o.hash, n)
					}
				}
			}},
		{name: "Hashes.List and Hashes.Page agree on the order", on: on(bySlug, keys(hashesFirstPage, hashesPage)), says: one, exclusive: true,
			run: func(g *gallery) {
				s := span{g: g}
				for _, o := range g.several(4) {
					paged := s.bySlug(o.hash, int64(several(g.batch()))).Hashes
					streamed, _ := s.listed(paged[0], len(paged))
					if !slices.EqualFunc(paged, streamed[:min(len(paged), len(streamed))], samePlace) {
						g.t.Errorf("the page has %s; the stream begins with %s", shownHashes(paged), shownHashes(streamed))
					}
				}
			}},
		{name: "hashes.first_page agrees with the others on the order", on: on(bySlug, byPlace, keys(hashesFirstPage)), says: one, exclusive: true,
			run: func(g *gallery) {
				g.several(4)
				first := ask(g, g.media.Hashes.Page, &mediav1.PageRequest{Limit: 4})
				if len(first.Hashes) != 4 || first.Prev != nil {
					g.t.Fatalf("the first page has %d hashes of 4, and prev %v", len(first.Hashes), first.Prev)
				}
				s := span{g: g}
				for at := range first.Hashes {
					s.shows("the page of a hash of the first page", s.bySlug(first.Hashes[at].Hash, int64(4-at)), turn{hashes: first.Hashes[at:], prev: anything, next: first.GetNext()})
				}
				streamed, _ := s.listed(nil, 4)
				if !slices.EqualFunc(first.Hashes, streamed[:min(4, len(streamed))], samePlace) {
					g.t.Errorf("the first page has %s; the stream begins with %s", shownHashes(first.Hashes), shownHashes(streamed))
				}
			}},
	}
}

// several stores some hashes.
func (g *gallery) several(n int) []original {
	g.t.Helper()
	all := make([]original, n)
	for i := range all {
		all[i] = g.original()
	}
	return all
}

// agree checks the page that begins with a hash against those around it.
func (g *gallery) agree(hash []byte, n int64) {
	g.t.Helper()
	s := span{g: g}
	longer := s.bySlug(hash, n+1)
	if len(longer.Hashes) == 0 || string(longer.Hashes[0].Hash) != string(hash) {
		g.t.Fatalf("the page that begins with a hash begins with %s", shownHashes(longer.Hashes))
	}
	most := min(int(n), len(longer.Hashes))
	want := turn{hashes: longer.Hashes[:most], prev: anything}
	if len(longer.Hashes) > most {
		want.next = slugOf(longer.Hashes[most].Hash)
	}
	page := s.bySlug(hash, n)
	s.shows("a page", page, want)
	want.prev = page.GetPrev()
	s.shows("the page by place", s.page(longer.Hashes[0], n), want)
	for at, h := range longer.Hashes[1:] {
		optional(g, "prev of a later page", s.bySlug(h.Hash, int64(at+1)).Prev, slugOf(hash))
	}
}
