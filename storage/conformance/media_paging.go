package conformance

import (
	"encoding/base64"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// What pages go through, whichever of it a query set has.
var (
	byPlace = keys(hashesPage, hashesPrev)
	bySlug  = on(keys(hashesPageByHash, hashesPrevByHash, hashesBound), byPlace)
	byDate  = on(keys(hashesBoundByDate), byPlace)
)

// timed is what cases need that work in a span of time.
var timed = []Capability{KeepsCreatedAt}

// A way leads to the page that begins with a stored hash.
type way struct {
	name string
	on   []string
	page func(s span, bound *mediav1.OrderedHash, limit int64) *mediav1.HashPage
}

var ways = []way{
	{"Hashes.Ordered", byPlace, func(s span, bound *mediav1.OrderedHash, limit int64) *mediav1.HashPage { return s.page(bound, limit) }},
	{"Hashes.Page", bySlug, func(s span, bound *mediav1.OrderedHash, limit int64) *mediav1.HashPage {
		return s.bySlug(bound.Hash, limit)
	}},
}

// The ages of eight hashes that are stored in no order, and of eight of which six have one time.
var (
	scrambled = []int{30, 10, 70, 50, 20, 80, 40, 60}
	level     = []int{30, 30, 10, 30, 30, 50, 30, 30}
	mixtures  = []struct {
		name string
		ages []int
	}{{"different times", scrambled}, {"equal times", level}}
)

func pagingCases() []mediaCase {
	const (
		order = "pages are ordered by time and then by hash, newest first, and begin with their hash"
		next  = "next is the hash behind the page, if there is one"
		prev  = "prev is the start of the page before: as many hashes up as a page has"
	)
	var cases []mediaCase
	for _, w := range ways {
		for _, mix := range mixtures {
			cases = append(cases,
				mediaCase{name: w.name + " begins with its hash among " + mix.name, on: w.on, says: order, needs: timed,
					run: func(g *gallery) { s := g.span(); s.beginsWithEach(w, s.fill(mix.ages...)) }},
				mediaCase{name: w.name + " leads through all pages among " + mix.name, on: w.on, says: next, needs: timed,
					run: func(g *gallery) { s := g.span(); s.leadsDown(w, s.fill(mix.ages...)) }},
				mediaCase{name: w.name + " leads back among " + mix.name, on: w.on, says: prev, needs: timed,
					run: func(g *gallery) { s := g.span(); s.leadsUp(w, s.fill(mix.ages...)) }},
				mediaCase{name: w.name + " ends with the oldest among " + mix.name, on: w.on, says: next, needs: timed, exclusive: true,
					run: func(g *gallery) { s := g.lowest(); s.endsWithOldest(w, s.fill(mix.ages...)) }},
				mediaCase{name: w.name + " leads back to the newest among " + mix.name, on: w.on, says: "near the newest hash prev is the newest; there is none on the first page", needs: timed, exclusive: true,
					run: func(g *gallery) { s := g.topmost(); s.clamps(w, s.fill(mix.ages...)) }},
			)
		}
	}
	return slices.Concat(cases, placeCases(), neighbourhoodCases())
}

// beginsWithEach asks for pages of each length from each hash.
func (s span) beginsWithEach(w way, order []*mediav1.OrderedHash) {
	s.g.t.Helper()
	for i, bound := range order {
		for n := 1; i+n <= len(order); n++ {
			got := w.page(s, bound, int64(n))
			equal(s.g, "the limit of the page", got.Limit, int64(n))
			s.shows(w.name, got, turn{hashes: order[i : i+n], prev: anything, next: anything})
		}
	}
}

// leadsDown goes from page to page by next.
func (s span) leadsDown(w way, order []*mediav1.OrderedHash) {
	s.g.t.Helper()
	for _, n := range []int{1, 2, 3} {
		for at := 0; at+n < len(order); at += n {
			s.shows(w.name, w.page(s, order[at], int64(n)), turn{hashes: order[at : at+n], prev: anything, next: slugOf(order[at+n].Hash)})
		}
	}
}

// leadsUp goes from page to page by prev, from hashes that have enough of the span's above them.
func (s span) leadsUp(w way, order []*mediav1.OrderedHash) {
	s.g.t.Helper()
	for at := range order {
		for n := 1; n <= at; n++ {
			optional(s.g, w.name+": prev", w.page(s, order[at], int64(n)).Prev, slugOf(order[at-n].Hash))
		}
	}
}

// endsWithOldest asks for pages at the end of all hashes.
func (s span) endsWithOldest(w way, order []*mediav1.OrderedHash) {
	s.g.t.Helper()
	for n := 1; n <= len(order); n++ {
		last := order[len(order)-n:]
		s.shows(w.name+" whose limit is met", w.page(s, last[0], int64(n)), turn{hashes: last, prev: anything})
		s.shows(w.name+" whose limit is not met", w.page(s, last[0], int64(n+1)), turn{hashes: last, prev: anything})
		if n > 1 {
			s.shows(w.name+" of which one is left over", w.page(s, last[0], int64(n-1)), turn{hashes: last[:n-1], prev: anything, next: slugOf(last[n-1].Hash)})
		}
	}
}

// clamps asks for pages near the newest of all hashes.
func (s span) clamps(w way, order []*mediav1.OrderedHash) {
	s.g.t.Helper()
	s.shows(w.name+" of the newest", w.page(s, order[0], 2), turn{hashes: order[:2], next: slugOf(order[2].Hash)})
	for at := 1; at < 4; at++ {
		for _, n := range []int{at, at + 1, 20} {
			optional(s.g, w.name+": prev", w.page(s, order[at], int64(n)).Prev, slugOf(order[0].Hash))
		}
	}
}

func placeCases() []mediaCase {
	const (
		still   = "a place in the order need not be that of a hash that is there"
		strict  = "a page by date begins with the newest hash that was created strictly before; of several with one time with the first in the order of pages"
		newest  = "without a slug, or with one that is no hash's, it is the first page"
		limited = "a limit of 0 is 20, one above the page limit is brought down to it, and the page tells"
	)
	return []mediaCase{
		{name: "Hashes.Ordered needs no hash at its place", on: byPlace, says: still, needs: timed,
			run: func(g *gallery) {
				s := g.span()
				order := s.fill(10, 20, 20, 20, 20, 20, 30, 40)
				for len(order) > 6 {
					gone := order[3]
					ask(g, g.media.Hashes.Cleanup, &mediav1.CleanupHashRequest{Hash: gone.Hash})
					order = slices.Delete(order, 3, 4)
					s.shows("the page at the place of a deleted hash", s.page(gone, 2), turn{hashes: order[3:5], prev: slugOf(order[1].Hash), next: slugOf(order[5].Hash)})
				}
				between := &mediav1.OrderedHash{Hash: newHash(), CreatedAt: stamp(s.at(15))}
				s.shows("the page between two times", s.page(between, 2), turn{hashes: order[1:3], prev: anything, next: slugOf(order[3].Hash)})
				optional(g, "prev between two times", s.page(between, 1).Prev, slugOf(order[0].Hash))
			}},
		{name: "Hashes.Ordered has a place for each hash among equal times", on: byPlace, says: still, needs: timed,
			run: func(g *gallery) {
				s := g.span()
				order := s.fill(10, 20, 20, 20, 20, 20, 20, 30)
				for range 8 {
					s.fitsIn(order, &mediav1.OrderedHash{Hash: newHash(), CreatedAt: stamp(s.at(20))})
				}
			}},
		{name: "Hashes.Page of an unknown slug is the first page", on: on(bySlug, keys(hashesFirstPage)), says: newest, needs: timed, exclusive: true,
			run: func(g *gallery) {
				s := g.topmost()
				order := s.fill(30, 10, 20, 20, 20)
				for _, slug := range []string{slugOf(newHash()), "", "!", "a", "====", slugOf(order[3].Hash)[:40], slugOf(order[3].Hash) + "AAAA", "äöü", "' OR true --"} {
					got := ask(g, g.media.Hashes.Page, &mediav1.PageRequest{Slug: &slug, Limit: 3})
					s.shows("the page of an unknown slug", got, turn{hashes: order[:3], next: slugOf(order[3].Hash)})
				}
			}},
		{name: "hashes.first_page begins with the newest", on: keys(hashesFirstPage), says: newest, needs: timed, exclusive: true,
			run: func(g *gallery) {
				s := g.topmost()
				for _, ages := range [][]int{scrambled, level} {
					s = span{g, s.above.AddDate(1, 0, 0)}
					order := s.fill(ages...)
					for n := 1; n < len(order); n++ {
						want := turn{hashes: order[:n], next: slugOf(order[n].Hash)}
						s.shows("the first page", ask(g, g.media.Hashes.Page, &mediav1.PageRequest{Limit: int64(n)}), want)
						s.shows("the first page by place", s.page(nil, int64(n)), want)
					}
				}
			}},
		{name: "Hashes.Page takes slugs with padding", on: bySlug, says: "a slug is URL-safe base64, padded where needed", needs: []Capability{KeepsCreatedAt, AnyHash},
			run: func(g *gallery) {
				s := g.span()
				for _, length := range []int{31, 32, 33} {
					hash := slices.Concat([]byte{0xfb, 0xff, 0xbf}, random(length-3)) // letters in which the alphabets differ
					at := s.at(length)
					g.createAt(hash, at)
					want := turn{hashes: []*mediav1.OrderedHash{{Hash: hash, CreatedAt: stamp(at)}}, prev: anything, next: anything}
					s.shows("the page of a padded slug", s.bySlug(hash, 1), want)
					bare := base64.RawURLEncoding.EncodeToString(hash)
					s.shows("the page of a slug without its padding", ask(g, g.media.Hashes.Page, &mediav1.PageRequest{Slug: &bare, Limit: 1}), want)
				}
			}},
		{name: "hashes.bound_by_date finds the newest before a time", on: byDate, says: strict, needs: timed,
			run: func(g *gallery) {
				s := g.span()
				order := s.fill(10, 50, 30, 40, 20)
				for i, h := range order[:len(order)-1] {
					at := h.CreatedAt.AsTime()
					s.shows("the page before a hash's time", s.before(at, 1), turn{hashes: order[i+1 : i+2], prev: slugOf(h.Hash), next: anything})
					s.shows("the page before a second later", s.before(at.Add(time.Second), 1), turn{hashes: order[i : i+1], prev: anything, next: slugOf(order[i+1].Hash)})
				}
			}},
		{name: "hashes.bound_by_date finds the first of equal times", on: byDate, says: strict, needs: timed,
			run: func(g *gallery) {
				// Several times: of six the first in the order may by chance be the one that any query finds.
				for range 6 {
					s := g.span()
					order := s.fill(level...)
					s.shows("the page before a time that six hashes have", s.before(s.at(30), 1), turn{hashes: order[7:], prev: slugOf(order[6].Hash), next: anything})
					s.shows("the page before a later time", s.before(s.at(20), 6), turn{hashes: order[1:7], prev: anything, next: slugOf(order[7].Hash)})
					optional(g, "prev of the page before a later time", s.before(s.at(20), 1).Prev, slugOf(order[0].Hash))
				}
			}},
		{name: "hashes.bound_by_date looks at microseconds", on: byDate, says: strict, needs: []Capability{KeepsMicroseconds},
			run: func(g *gallery) {
				s := g.span()
				at := s.at(100)
				upper, lower := g.createAt(newHash(), at), g.createAt(newHash(), at.Add(-time.Microsecond))
				for before, want := range map[time.Time]*mediav1.OrderedHash{
					at.Add(time.Microsecond): {Hash: upper.hash, CreatedAt: stamp(at)},
					at:                       {Hash: lower.hash, CreatedAt: stamp(at.Add(-time.Microsecond))},
				} {
					s.shows("the page by date", s.before(before, 1), turn{hashes: []*mediav1.OrderedHash{want}, prev: anything, next: anything})
				}
			}},
		{name: "Hashes.PageByDate with nothing older is the first page", on: on(byDate, keys(hashesFirstPage)), says: "where nothing is older it is the first page, and says so", needs: timed, exclusive: true,
			run: func(g *gallery) {
				s, low := g.topmost(), g.lowest()
				order := s.fill(10, 20, 30)
				oldest := low.fill(5)[0]
				want := turn{hashes: order[:2], next: slugOf(order[2].Hash), noneOlder: true}
				s.shows("the page before the oldest", s.before(oldest.CreatedAt.AsTime(), 2), want)
				s.shows("the page before all times", s.before(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), 2), want)
				low.shows("the page of the oldest", low.before(oldest.CreatedAt.AsTime().Add(time.Second), 2), turn{hashes: []*mediav1.OrderedHash{oldest}, prev: anything})
			}},
		{name: "Hashes.Page keeps to its limits", on: on(bySlug, byDate, keys(hashesFirstPage)), says: limited, needs: timed,
			run: func(g *gallery) {
				most := ask(g, g.media.Repo.Capabilities, &mediav1.CapabilitiesRequest{}).PageLimit
				if most < 1 {
					g.t.Fatalf("the page limit is %d", most)
				}
				s, usual := g.span(), min(20, most)
				order := s.fill(10, 20, 30)
				slug := slugOf(order[0].Hash)
				for limit, want := range map[int64]int64{0: usual, 1: 1, most: most, most + 1: most, 1 << 40: most} {
					for what, page := range map[string]*mediav1.HashPage{
						"by slug":  ask(g, g.media.Hashes.Page, &mediav1.PageRequest{Slug: &slug, Limit: limit}),
						"first":    ask(g, g.media.Hashes.Page, &mediav1.PageRequest{Limit: limit}),
						"by date":  s.before(s.at(5), limit),
						"by place": s.page(order[0], limit),
					} {
						if page.Limit != want || int64(len(page.Hashes)) > want {
							g.t.Errorf("the page %s with the limit %d says that it is %d, and has %d hashes; the limit should be %d", what, limit, page.Limit, len(page.Hashes), want)
						}
					}
				}
			}},
		{name: "Hashes.Page refuses arguments that make no sense", on: on(bySlug, byDate), says: "a limit is not negative, and a place and a date have a time; anything else is INVALID_ARGUMENT",
			run: func(g *gallery) {
				bad := func(err error) {
					g.t.Helper()
					refused(g.t, "a page of nonsense", err, codes.InvalidArgument, fault.InvalidArgument)
				}
				bad(try(g, g.media.Hashes.Page, &mediav1.PageRequest{Limit: -1}))
				bad(try(g, g.media.Hashes.PageByDate, &mediav1.PageByDateRequest{Before: stamp(longAgo()), Limit: -1}))
				bad(try(g, g.media.Hashes.PageByDate, &mediav1.PageByDateRequest{Limit: 1}))
				bad(try(g, g.media.Hashes.Ordered, &mediav1.OrderedRequest{Limit: -1}))
				bad(try(g, g.media.Hashes.Ordered, &mediav1.OrderedRequest{Limit: 1, Bound: &mediav1.OrderedHash{Hash: newHash()}}))
			}},
	}
}

// fitsIn checks that a place between stored hashes has the ones above it above, and the others below.
func (s span) fitsIn(order []*mediav1.OrderedHash, place *mediav1.OrderedHash) {
	s.g.t.Helper()
	got := s.page(place, 1)
	at := -1
	if len(got.Hashes) == 1 {
		at = slices.IndexFunc(order, func(h *mediav1.OrderedHash) bool { return samePlace(h, got.Hashes[0]) })
	}
	if at < 1 || !order[at-1].CreatedAt.AsTime().After(s.at(21)) {
		s.g.t.Fatalf("the page among equal times begins with %s, of %s", shownHashes(got.Hashes), shownHashes(order))
	}
	optional(s.g, "prev of a place among equal times", got.Prev, slugOf(order[at-1].Hash))
	most := len(order) - at
	s.shows("the page at a place among equal times", s.page(place, int64(most)), turn{hashes: order[at:], prev: anything, next: anything})
}
