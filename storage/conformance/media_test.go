package conformance

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// Old schemas have columns of 30 characters.
func TestNamesFitOldSchemas(t *testing.T) {
	names := append(similar(newAlias()), newToken(), newQueue())
	for _, odd := range shortOddTexts() {
		names = append(names, unique(6)+odd)
	}
	for _, name := range names {
		if n := utf8.RuneCountInString(name); n > 30 {
			t.Errorf("%q has %d characters", name, n)
		}
	}
	if len(shortOddTexts()) < 8 {
		t.Errorf("only %q are short", shortOddTexts())
	}
}

func TestHashesHaveTheFormOfPictRS(t *testing.T) {
	for range 100 {
		hash := newHash()
		text := base64.StdEncoding.EncodeToString(hash)
		if len(hash) != 39 || hash[38] > 10 || len(text) != 52 || strings.HasSuffix(text, "=") {
			t.Fatalf("%x is %s", hash, text)
		}
	}
}

func TestNeighboursOfHashes(t *testing.T) {
	hash := newHash()
	for _, neighbour := range neighboursOf(hash) {
		differ := 0
		for i := range hash {
			if hash[i] != neighbour[i] {
				differ++
			}
		}
		if differ != 1 || len(hash) != len(neighbour) {
			t.Errorf("%x differs from %x in %d bytes", neighbour, hash, differ)
		}
	}
	twin := base64.StdEncoding.EncodeToString(neighboursOf(hash)[1])
	if text := base64.StdEncoding.EncodeToString(hash); text == twin || !strings.EqualFold(text, twin) {
		t.Errorf("%s and %s differ in more than the case of a letter", text, twin)
	}
}

func TestSimilarTextsDiffer(t *testing.T) {
	for _, text := range []string{newAlias(), newIdentifier(), newURL(), thumbnail} {
		all := similar(text)
		if all[0] != text || len(slices.Compact(slices.Sorted(slices.Values(all)))) != len(all) {
			t.Errorf("%q", all)
		}
	}
}

func TestGroupsOf(t *testing.T) {
	got := groupsOf(keys(hashesCreate, healthCheck, aliasAccessOlder, hashesSize))
	if want := []Capability{HashesServed, AliasAccessServed}; !slices.Equal(got, want) {
		t.Errorf("%v; it should be %v", got, want)
	}
}

func TestNameOf(t *testing.T) {
	m := NewMedia(nil, nil, nil)
	if got := nameOf(m.StoreMigration.MarkMigrated); got != "StoreMigration.MarkMigrated" {
		t.Errorf("%q", got)
	}
}

func TestSpansLieInTheFuture(t *testing.T) {
	g := newGallery(t.Context(), t, nil)
	for range 1000 {
		if year := g.span().above.Year(); year < 2100 || year >= 9001 {
			t.Fatalf("a span in the year %d", year)
		}
	}
	if !g.topmost().above.After(time.Date(9001, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Error("the topmost span is not above the others")
	}
}

// complaints returns what a check reports.
func complaints(t *testing.T, check func(g *gallery)) []string {
	t.Helper()
	return isolate(nil, func(r T) { check(newGallery(t.Context(), r, nil)) }).failures
}

func TestShows(t *testing.T) {
	at := func(second int) *mediav1.OrderedHash {
		return &mediav1.OrderedHash{Hash: []byte{byte(second)}, CreatedAt: stamp(longAgo().Add(-time.Duration(second) * time.Second))}
	}
	two := []*mediav1.OrderedHash{at(1), at(2)}
	want := turn{hashes: two, prev: slugOf([]byte{0}), next: slugOf([]byte{3})}
	right := func() *mediav1.HashPage {
		return &mediav1.HashPage{Hashes: []*mediav1.OrderedHash{at(1), at(2)}, Current: proto.String(slugOf([]byte{1})),
			Prev: proto.String(slugOf([]byte{0})), Next: proto.String(slugOf([]byte{3}))}
	}
	for name, c := range map[string]struct {
		spoil func(p *mediav1.HashPage)
		wrong int
	}{
		"right":           {func(*mediav1.HashPage) {}, 0},
		"one missing":     {func(p *mediav1.HashPage) { p.Hashes = p.Hashes[:1] }, 1},
		"one too many":    {func(p *mediav1.HashPage) { p.Hashes = append(p.Hashes, at(3)) }, 1},
		"another order":   {func(p *mediav1.HashPage) { slices.Reverse(p.Hashes) }, 1},
		"another time":    {func(p *mediav1.HashPage) { p.Hashes[1].CreatedAt.Nanos++ }, 1},
		"no current":      {func(p *mediav1.HashPage) { p.Current = nil }, 1},
		"no next":         {func(p *mediav1.HashPage) { p.Next = nil }, 1},
		"another prev":    {func(p *mediav1.HashPage) { p.Prev = p.Next }, 1},
		"a wrong flag":    {func(p *mediav1.HashPage) { p.NoneOlder = true }, 1},
		"nothing is left": {func(p *mediav1.HashPage) { proto.Reset(p) }, 4},
	} {
		page := right()
		c.spoil(page)
		if got := complaints(t, func(g *gallery) { span{g: g}.shows("the page", page, want) }); len(got) != c.wrong {
			t.Errorf("%s: %q", name, got)
		}
	}
	free := turn{hashes: two, prev: anything, next: anything}
	page := right()
	page.Prev, page.Next = nil, nil
	if got := complaints(t, func(g *gallery) { span{g: g}.shows("the page", page, free) }); len(got) != 0 {
		t.Errorf("slugs that may be anything: %q", got)
	}
}

func TestComparisons(t *testing.T) {
	text := "x"
	for name, c := range map[string]struct {
		check func(g *gallery)
		right bool
	}{
		"equal sets":          {func(g *gallery) { sameSet(g, "", []string{"b", "a"}, []string{"a", "b"}) }, true},
		"sets with doubles":   {func(g *gallery) { sameSet(g, "", []string{"a", "a"}, []string{"a"}) }, false},
		"no set":              {func(g *gallery) { sameSet(g, "", nil, []string{}) }, true},
		"unset as wanted":     {func(g *gallery) { optional(g, "", nil, "") }, true},
		"unset":               {func(g *gallery) { optional(g, "", nil, "x") }, false},
		"set":                 {func(g *gallery) { optional(g, "", &text, "") }, false},
		"set as wanted":       {func(g *gallery) { optional(g, "", &text, "x") }, true},
		"set to another":      {func(g *gallery) { optional(g, "", &text, "y") }, false},
		"details by meaning":  {func(g *gallery) { d := `{"a": 1, "b":2}`; g.sameDetails("", &d, `{"b":2,"a":1}`) }, true},
		"other details":       {func(g *gallery) { d := `{"a":1}`; g.sameDetails("", &d, `{"a":2}`) }, false},
		"no details":          {func(g *gallery) { g.sameDetails("", nil, `{"a":2}`) }, false},
		"unchanged":           {func(g *gallery) { g.unchanged("", "a\nb", "b\na") }, true},
		"something gone":      {func(g *gallery) { g.unchanged("", "a\nb", "a") }, false},
		"something new":       {func(g *gallery) { g.unchanged("", "a", "a\nb") }, false},
		"now":                 {func(g *gallery) { g.media = &Media{}; g.isNow("", time.Now()) }, true},
		"long ago":            {func(g *gallery) { g.media = &Media{}; g.isNow("", longAgo()) }, false},
		"the later access":    {func(g *gallery) { g.settles(inFuture(2), inFuture(2), inFuture(1)) }, true},
		"the earlier access":  {func(g *gallery) { g.settles(inFuture(1), inFuture(2), inFuture(1)) }, true},
		"an invented access":  {func(g *gallery) { g.settles(inFuture(3), inFuture(2), inFuture(1)) }, false},
		"affected unknown":    {func(g *gallery) { g.affects(1, "", &mediav1.Affected{}) }, true},
		"affected as wanted":  {func(g *gallery) { g.affects(1, "", &mediav1.Affected{Affected: proto.Int64(1)}) }, true},
		"affected too many":   {func(g *gallery) { g.affects(1, "", &mediav1.Affected{Affected: proto.Int64(2)}) }, false},
		"equal values":        {func(g *gallery) { equal(g, "", longAgo(), longAgo()) }, true},
		"values that are not": {func(g *gallery) { equal(g, "", 1, 2) }, false},
	} {
		if got := complaints(t, c.check); (len(got) == 0) != c.right {
			t.Errorf("%s: %q", name, got)
		}
	}
}
