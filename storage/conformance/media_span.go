package conformance

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// A span is a stretch of time in which only one case has hashes. Pages that begin in it go on with
// older hashes, which may be anybody's.
type span struct {
	g *gallery
	// above is later than everything in the span.
	above time.Time
}

// span returns a stretch of the future that nobody else has hashes in.
func (g *gallery) span() span {
	hours := binary.BigEndian.Uint64(random(8)) % (6900 * 365 * 24)
	return span{g, time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(hours%8760)*time.Hour).AddDate(int(hours/8760), 0, 0)}
}

// topmost returns the stretch that is newer than everybody's hashes. Only one case at a time can have it.
func (g *gallery) topmost() span { return span{g, time.Date(9990, 1, 1, 0, 0, 0, 0, time.UTC)} }

// lowest returns the stretch that is older than everybody's hashes. Only one case at a time can have it.
func (g *gallery) lowest() span { return span{g, time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC)} }

// at is a time in the span; the more seconds, the older.
func (s span) at(seconds int) time.Time { return s.above.Add(-time.Duration(seconds) * time.Second) }

// fill stores hashes of certain ages, in this order, and returns the span's hashes in the order that
// pages have: newest first, and of several with one time as the query set has it.
func (s span) fill(seconds ...int) []*mediav1.OrderedHash {
	s.g.t.Helper()
	var stored []string
	for _, n := range seconds {
		o := s.g.createAt(newHash(), s.at(n))
		stored = append(stored, shownPlace(&mediav1.OrderedHash{Hash: o.hash, CreatedAt: stamp(s.at(n))}))
	}
	order := s.page(s.top(), int64(len(seconds))).Hashes
	var listed []string
	for _, h := range order {
		listed = append(listed, shownPlace(h))
	}
	sameSet(s.g, "the hashes of the span", listed, stored)
	if !slices.IsSortedFunc(order, func(a, b *mediav1.OrderedHash) int { return b.CreatedAt.AsTime().Compare(a.CreatedAt.AsTime()) }) {
		s.g.t.Errorf("the hashes of the span are not newest first: %s", shownHashes(order))
	}
	return order
}

// top is a place above all hashes of the span, where there is none.
func (s span) top() *mediav1.OrderedHash {
	return &mediav1.OrderedHash{Hash: newHash(), CreatedAt: stamp(s.above)}
}

// page asks for the page that begins at a place.
func (s span) page(bound *mediav1.OrderedHash, limit int64) *mediav1.HashPage {
	s.g.t.Helper()
	return ask(s.g, s.g.media.Hashes.Ordered, &mediav1.OrderedRequest{Bound: bound, Limit: limit})
}

// bySlug asks for the page that begins with a hash.
func (s span) bySlug(hash []byte, limit int64) *mediav1.HashPage {
	s.g.t.Helper()
	slug := slugOf(hash)
	return ask(s.g, s.g.media.Hashes.Page, &mediav1.PageRequest{Slug: &slug, Limit: limit})
}

// before asks for the page that begins before a time.
func (s span) before(at time.Time, limit int64) *mediav1.HashPage {
	s.g.t.Helper()
	return ask(s.g, s.g.media.Hashes.PageByDate, &mediav1.PageByDateRequest{Before: stamp(at), Limit: limit})
}

func slugOf(hash []byte) string { return base64.URLEncoding.EncodeToString(hash) }

// anything stands for a slug that is not checked: it leads to other people's hashes.
const anything = "(anything)"

// A turn is what a page should be. Slugs are checked unless they are anything; "" is unset.
type turn struct {
	hashes     []*mediav1.OrderedHash
	prev, next string
	noneOlder  bool
}

// shows checks a page. Hashes are compared with their times, as many as the turn has.
func (s span) shows(what string, got *mediav1.HashPage, want turn) {
	s.g.t.Helper()
	if !slices.EqualFunc(got.Hashes, want.hashes, samePlace) {
		s.g.t.Errorf("%s has %s; it should have %s", what, shownHashes(got.Hashes), shownHashes(want.hashes))
	}
	current := ""
	if len(want.hashes) > 0 {
		current = slugOf(want.hashes[0].Hash)
	}
	optional(s.g, what+": current", got.Current, current)
	if want.prev != anything {
		optional(s.g, what+": prev", got.Prev, want.prev)
	}
	if want.next != anything {
		optional(s.g, what+": next", got.Next, want.next)
	}
	if got.NoneOlder != want.noneOlder {
		s.g.t.Errorf("%s: none_older is %v; it should be %v", what, got.NoneOlder, want.noneOlder)
	}
}

func samePlace(a, b *mediav1.OrderedHash) bool {
	return bytes.Equal(a.Hash, b.Hash) && a.CreatedAt.AsTime().Equal(b.CreatedAt.AsTime())
}

func shownPlace(h *mediav1.OrderedHash) string {
	return fmt.Sprintf("%x of %s", h.GetHash(), shown(h.GetCreatedAt().AsTime()))
}

func shownHashes(list []*mediav1.OrderedHash) string {
	if len(list) == 0 {
		return "no hashes"
	}
	var parts []string
	for _, h := range list {
		parts = append(parts, fmt.Sprintf("%.8x of %s", h.GetHash(), shown(h.GetCreatedAt().AsTime())))
	}
	return strings.Join(parts, ", ")
}
