package media_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// many is fifty hashes, of which five at a time have the same time, and lengths that need padding.
const many = `INSERT INTO hashes SELECT convert_to('hash-' || lpad(n::text, 2, '0') || repeat('x', (n + 1) % 3), 'UTF8'), 'file-' || n, NULL, NULL,
	timestamptz '2026-03-01' - (n / 5) * interval '1 microsecond' FROM generate_series(0, 49) AS n`

// inOrder is all hashes as the queries order them, newest first.
func (s *store) inOrder(t *testing.T) []string {
	t.Helper()
	return strings.Fields(s.selected(t, "SELECT convert_from(hash, 'UTF8') FROM hashes ORDER BY created_at DESC, hash DESC"))
}

func hashesIn(hashes []*mediav1.OrderedHash) (all []string) {
	for _, one := range hashes {
		all = append(all, string(one.GetHash()))
	}
	return all
}

// pagingSets are those that look a slug's hash up themselves, and those that leave it to the service.
func pagingSets(t *testing.T) map[string]querySet {
	return map[string]querySet{"full": full(t), "bare": bare(t), "page by hash only": full(t).without("hashes.prev_by_hash_query")}
}

func TestPagingForwardAndBack(t *testing.T) {
	for name, set := range pagingSets(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, set, many)
			all := s.inOrder(t)
			for _, limit := range []int{1, 7, 10, 49, 50, 51} {
				at, pages := 0, 0
				for slug := (*string)(nil); slug != nil || pages == 0; pages++ {
					page := ok[*mediav1.HashPage](t)(s.hashes.Page(t.Context(), &mediav1.PageRequest{Slug: slug, Limit: int64(limit)}))
					checkPage(t, page, all, at, limit)
					at, slug = at+limit, page.Next
				}
				if at < len(all) || pages != (len(all)+limit-1)/limit {
					t.Errorf("limit %d: %d pages up to %d", limit, pages, at)
				}
			}
		})
	}
}

// checkPage compares a page that begins at a place in the order of all hashes.
func checkPage(t *testing.T, page *mediav1.HashPage, all []string, at, limit int) {
	t.Helper()
	want := &mediav1.HashPage{Limit: int64(limit), Hashes: page.GetHashes(), Current: slug([]byte(all[at]))}
	if at > 0 {
		want.Prev = slug([]byte(all[max(at-limit, 0)]))
	}
	if at+limit < len(all) {
		want.Next = slug([]byte(all[at+limit]))
	}
	if !proto.Equal(page, want) {
		t.Errorf("at %d, limit %d: %v; expected %v", at, limit, page, want)
	}
	hashes := all[at:min(at+limit, len(all))]
	if got := hashesIn(page.GetHashes()); fmt.Sprint(got) != fmt.Sprint(hashes) {
		t.Errorf("at %d, limit %d: %v; expected %v", at, limit, got, hashes)
	}
}

func TestPageOfAnySlug(t *testing.T) {
	for name, set := range pagingSets(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, set, many)
			all := s.inOrder(t)
			padded := base64.URLEncoding.EncodeToString([]byte(all[2]))
			for _, c := range []struct {
				slug string
				at   int
			}{
				{padded, 2}, {strings.TrimRight(padded, "="), 2}, {"", 0}, {"!", 0}, {"=", 0}, {"ab/+", 0}, {"A", 0}, {*slug([]byte("unknown")), 0},
			} {
				page := ok[*mediav1.HashPage](t)(s.hashes.Page(t.Context(), &mediav1.PageRequest{Slug: &c.slug, Limit: 3}))
				checkPage(t, page, all, c.at, 3)
			}
			if padded == strings.TrimRight(padded, "=") {
				t.Error("the slug is not padded; the test needs another hash")
			}
		})
	}
}

func TestPageByDate(t *testing.T) {
	s := open(t, full(t), many)
	all := s.inOrder(t)
	newest := ok[*mediav1.HashPage](t)(s.hashes.Page(t.Context(), &mediav1.PageRequest{Limit: 1})).GetHashes()[0].GetCreatedAt().AsTime()
	for _, c := range []struct {
		micros, at int
		noneOlder  bool
	}{{1, 0, false}, {0, 5, false}, {-8, 45, false}, {-9, 0, true}} {
		before := timestamppb.New(newest.Add(time.Duration(c.micros) * time.Microsecond))
		page := ok[*mediav1.HashPage](t)(s.hashes.PageByDate(t.Context(), &mediav1.PageByDateRequest{Before: before, Limit: 4}))
		if page.GetNoneOlder() != c.noneOlder {
			t.Errorf("%d: none_older is %t", c.micros, page.GetNoneOlder())
		}
		page.NoneOlder = false
		checkPage(t, page, all, c.at, 4)
	}
	_, err := s.hashes.PageByDate(t.Context(), &mediav1.PageByDateRequest{})
	expect(t, err, codes.InvalidArgument, fault.InvalidArgument, "")
}

// A page begins at its place also when the hash that stood there is gone.
func TestPageAtAPlace(t *testing.T) {
	s := open(t, full(t), many)
	all := s.inOrder(t)
	first := ok[*mediav1.HashPage](t)(s.hashes.Ordered(t.Context(), &mediav1.OrderedRequest{Limit: 12}))
	checkPage(t, first, all, 0, 12)
	bound := first.GetHashes()[11]
	checkPage(t, ok[*mediav1.HashPage](t)(s.hashes.Ordered(t.Context(), &mediav1.OrderedRequest{Bound: bound, Limit: 5})), all, 11, 5)
	s.exec(t, "DELETE FROM hashes WHERE hash = '"+all[11]+"'")
	checkPage(t, ok[*mediav1.HashPage](t)(s.hashes.Ordered(t.Context(), &mediav1.OrderedRequest{Bound: bound, Limit: 5})), s.inOrder(t), 11, 5)
	_, err := s.hashes.Ordered(t.Context(), &mediav1.OrderedRequest{Bound: &mediav1.OrderedHash{Hash: bound.GetHash()}})
	expect(t, err, codes.InvalidArgument, fault.InvalidArgument, "")
}

func TestPageLimits(t *testing.T) {
	for _, c := range []struct {
		setting           string
		asked, used, told int64
	}{{"1000", 0, 20, 1000}, {"1000", 5000, 1000, 1000}, {"5000", 5000, 1000, 1000}, {"7", 0, 7, 7}, {"7", 8, 7, 7}, {"7", 6, 6, 7}} {
		s := open(t, full(t).with("hashes.page_limit", c.setting))
		page := ok[*mediav1.HashPage](t)(s.hashes.Page(t.Context(), &mediav1.PageRequest{Limit: c.asked}))
		if page.GetLimit() != c.used || page.Current != nil || page.Next != nil || page.Prev != nil {
			t.Errorf("setting %s, asked for %d: %v", c.setting, c.asked, page)
		}
		if told := ok[*mediav1.CapabilitiesResponse](t)(s.repo.Capabilities(t.Context(), &mediav1.CapabilitiesRequest{})).GetPageLimit(); told != c.told {
			t.Errorf("setting %s: %d is told", c.setting, told)
		}
		for _, call := range []func() error{
			func() error { _, err := s.hashes.Page(t.Context(), &mediav1.PageRequest{Limit: -1}); return err },
			func() error {
				_, err := s.hashes.PageByDate(t.Context(), &mediav1.PageByDateRequest{Limit: -1, Before: ago(0)})
				return err
			},
			func() error { _, err := s.hashes.Ordered(t.Context(), &mediav1.OrderedRequest{Limit: -1}); return err },
		} {
			expect(t, call(), codes.InvalidArgument, fault.InvalidArgument, "")
		}
	}
}
