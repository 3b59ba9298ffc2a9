package conformance

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// soon is how far two clocks may differ.
const soon = time.Hour

// isNow checks that a time was taken from a clock just now, be it the service's or the database's.
func (g *gallery) isNow(what string, at time.Time) {
	g.t.Helper()
	now := time.Now()
	if g.media.Clock != nil {
		now = g.media.Clock.Now()
	}
	if at.Before(now.Add(-soon)) || at.After(now.Add(soon)) {
		g.t.Errorf("%s is %s; it should be now", what, shown(at))
	}
}

// an instant that is not now, in whole seconds.
func longAgo() time.Time { return time.Date(2017, 3, 14, 15, 9, 26, 0, time.UTC) }

func hashCreateCases() []mediaCase {
	const (
		inserts = "a hash is stored with the identifier of its file and the time of its creation"
		keeps   = "an existing hash is told, and nothing of its row changes"
		opaque  = "a hash is any bytes, an identifier any text: they are stored as they are and never understood"
	)
	reads := keys(hashesCreate, hashesIdentifier, hashesMotion, hashesBlurhash, hashesBound, hashesGet)
	return []mediaCase{
		{name: "hashes.create stores a hash", on: reads, says: inserts,
			run: func(g *gallery) {
				g.holds(g.original(), "", "")
				g.holds(g.createAt(newHash(), longAgo()), "", "")
			}},
		{name: "hashes.create stores the time of creation", on: reads, says: inserts, needs: []Capability{KeepsCreatedAt},
			run: func(g *gallery) {
				for _, at := range []time.Time{longAgo(), longAgo().AddDate(-60, 0, 0), longAgo().AddDate(300, 0, 0)} {
					o := g.createAt(newHash(), at)
					g.holds(o, "", "")
					equal(g, "created_at", g.bound(o.hash), at)
				}
			}},
		{name: "hashes.create takes the time of now where none is given", on: keys(hashesCreate, hashesBound), says: "created_at is now, or the time that is given", needs: []Capability{KeepsCreatedAt},
			run: func(g *gallery) { g.isNow("created_at", g.bound(g.original().hash)) }},
		{name: "hashes.create keeps microseconds", on: keys(hashesCreate, hashesBound, hashesGet), says: "times have the precision of microseconds", needs: []Capability{KeepsMicroseconds},
			run: func(g *gallery) {
				at := longAgo().Add(123456 * time.Microsecond)
				o := g.createAt(newHash(), at)
				equal(g, "created_at", g.bound(o.hash), at)
				equal(g, "created_at in the whole row", ask(g, g.media.Hashes.Info, &mediav1.HashRequest{Hash: o.hash}).GetCreatedAt().AsTime(), at)
			}},
		{name: "hashes.create truncates finer times", on: keys(hashesCreate, hashesBound), says: "what is finer than a microsecond is cut off", needs: []Capability{KeepsMicroseconds},
			run: func(g *gallery) {
				at := longAgo().Add(123456 * time.Microsecond)
				equal(g, "created_at", g.bound(g.createAt(newHash(), at.Add(999*time.Nanosecond)).hash), at)
			}},
		{name: "hashes.create of an existing hash changes nothing", on: keys(hashesCreate), says: keeps,
			run: func(g *gallery) {
				g.beside(func(o original) {
					g.keeps(o.hash, func() {
						again := &mediav1.CreateHashRequest{Hash: o.hash, Identifier: newIdentifier(), CreatedAt: stamp(longAgo())}
						refuse(g, codes.AlreadyExists, fault.AlreadyExists, g.media.Hashes.Create, again)
						again.CreatedAt = nil
						refuse(g, codes.AlreadyExists, fault.AlreadyExists, g.media.Hashes.Create, again)
					})
				})
			}},
		{name: "hashes.create tells which operation met an existing hash", on: keys(hashesCreate), says: keeps,
			run: func(g *gallery) {
				o := g.original()
				err := try(g, g.media.Hashes.Create, &mediav1.CreateHashRequest{Hash: o.hash, Identifier: newIdentifier()})
				equal(g, "the operation in the error", fault.OperationOf(err), hashesCreate)
			}},
		{name: "hashes.create that is sent twice changes nothing the second time", on: keys(hashesCreate), says: "the own effect, seen again, is success or tells the existing hash",
			run: func(g *gallery) {
				o := g.original()
				g.keeps(o.hash, func() {
					err := try(g, g.media.Hashes.Create, &mediav1.CreateHashRequest{Hash: o.hash, Identifier: o.identifier, CreatedAt: stamp(longAgo())})
					if err != nil && status.Code(err) != codes.AlreadyExists {
						g.t.Errorf("Hashes.Create for the second time: %v", err)
					}
				})
			}},
		{name: "hashes.create does not take a file for an existing hash", on: keys(hashesCreate), says: "an identifier that another hash has is no existing hash: it is stored, or it is an error of its own",
			run: func(g *gallery) {
				o, hash := g.original(), newHash()
				g.discardLater(hash)
				g.keeps(o.hash, func() {
					err := try(g, g.media.Hashes.Create, &mediav1.CreateHashRequest{Hash: hash, Identifier: o.identifier})
					if err == nil {
						g.holds(original{hash, o.identifier}, "", "")
						return
					}
					if status.Code(err) == codes.AlreadyExists {
						g.t.Errorf("Hashes.Create with another hash's identifier tells that the hash exists: %v", err)
					}
					g.unknown(hash)
				})
			}},
		{name: "hashes.create stores hashes of all lengths", on: reads, says: opaque, needs: []Capability{AnyHash},
			run: func(g *gallery) {
				for _, length := range []int{8, 16, 20, 31, 32, 33, 40, 57, 58, 64, 100} {
					g.holds(g.create(random(length)), "", "")
				}
			}},
		{name: "hashes.create stores any bytes", on: reads, says: opaque,
			run: func(g *gallery) {
				for what, start := range awkward {
					g.t.Logf("a hash with %s", what)
					hash := slices.Concat(start, random(23), start)
					o := g.create(hash)
					g.holds(o, "", "")
					g.furnish(o)
					page := ask(g, g.media.Hashes.Ordered, &mediav1.OrderedRequest{Limit: 1, Bound: &mediav1.OrderedHash{Hash: hash, CreatedAt: stamp(g.bound(hash))}})
					if len(page.Hashes) != 1 || !bytes.Equal(page.Hashes[0].Hash, hash) {
						g.t.Errorf("the page that begins with the hash does not begin with it: %v", shownHashes(page.Hashes))
					}
				}
			}},
		{name: "hashes.create stores any identifier", on: keys(hashesCreate, hashesIdentifier, hashesUpdateIdentifier, hashesMotion, hashesRelateMotion), says: opaque,
			run: func(g *gallery) {
				for _, odd := range oddTexts() {
					o := original{newHash(), unique(6) + odd}
					g.store(&mediav1.CreateHashRequest{Hash: o.hash, Identifier: o.identifier})
					motion := unique(6) + odd
					ask(g, g.media.Hashes.RelateMotionIdentifier, &mediav1.HashAndIdentifier{Hash: o.hash, Identifier: motion})
					g.holds(o, motion, "")
					o.identifier += odd
					ask(g, g.media.Hashes.UpdateIdentifier, &mediav1.HashAndIdentifier{Hash: o.hash, Identifier: o.identifier})
					g.holds(o, motion, "")
				}
			}},
		{name: "hashes.size counts each hash once", on: keys(hashesSize), says: "the number of hashes; 0 only when there is none", exclusive: true,
			run: func(g *gallery) {
				before := g.count()
				first := g.createAt(newHash(), longAgo())
				equal(g, "the number of hashes more", g.count()-before, 1)
				g.createAt(newHash(), longAgo())
				third := g.original()
				g.furnish(third)
				equal(g, "the number of hashes more", g.count()-before, 3)
				ask(g, g.media.Hashes.Cleanup, &mediav1.CleanupHashRequest{Hash: first.hash})
				equal(g, "the number of hashes more", g.count()-before, 2)
			}},
	}
}

// oddTexts are texts that a careless query would not take as they are.
func oddTexts() []string {
	return []string{
		`'"''";-- `, `\'\\x41`, "äöü/日本語/🙂", "%_*?[", "@alias $1 :x", "a  b", " a ", "\t\n", "A", strings.Repeat("long/", 100),
	}
}

func (g *gallery) count() int64 {
	g.t.Helper()
	size := ask(g, g.media.Hashes.Count, &mediav1.CountRequest{}).Size
	if size < 0 {
		g.t.Errorf("%d hashes are counted", size)
	}
	return size
}

// bound returns the time at which a hash was created.
func (g *gallery) bound(hash []byte) time.Time {
	g.t.Helper()
	return ask(g, g.media.Hashes.Bound, &mediav1.HashRequest{Hash: hash}).GetCreatedAt().AsTime()
}

// holds checks all that is stored in the row of a hash, alone and together. "" stands for none.
func (g *gallery) holds(o original, motion, blurhash string) {
	g.t.Helper()
	request := &mediav1.HashRequest{Hash: o.hash}
	equal(g, "the identifier", ask(g, g.media.Hashes.Identifier, request).Identifier, o.identifier)
	info := ask(g, g.media.Hashes.Info, request)
	equal(g, "the identifier in the whole row", info.Identifier, o.identifier)
	equal(g, "created_at in the whole row", info.GetCreatedAt().AsTime(), g.bound(o.hash))
	optional(g, "the still image in the whole row", info.MotionIdentifier, motion)
	optional(g, "the blurhash in the whole row", info.Blurhash, blurhash)
	if motion == "" {
		absent(g, g.media.Hashes.MotionIdentifier, request)
	} else {
		equal(g, "the still image", ask(g, g.media.Hashes.MotionIdentifier, request).MotionIdentifier, motion)
	}
	if blurhash == "" {
		absent(g, g.media.Hashes.Blurhash, request)
	} else {
		equal(g, "the blurhash", ask(g, g.media.Hashes.Blurhash, request).Blurhash, blurhash)
	}
}

// optional checks a value that may be unset; "" stands for that.
func optional(g *gallery, what string, got *string, want string) {
	g.t.Helper()
	switch {
	case got == nil && want != "":
		g.t.Errorf("%s is unset; it should be %q", what, want)
	case got != nil && want == "":
		g.t.Errorf("%s is %q; it should be unset", what, *got)
	case got != nil && *got != want:
		g.t.Errorf("%s is %q; it should be %q", what, *got, want)
	}
}

// unknown checks that a hash is not there.
func (g *gallery) unknown(hash []byte) {
	g.t.Helper()
	request := &mediav1.HashRequest{Hash: hash}
	absent(g, g.media.Hashes.Identifier, request)
	absent(g, g.media.Hashes.MotionIdentifier, request)
	absent(g, g.media.Hashes.Blurhash, request)
	absent(g, g.media.Hashes.Info, request)
	absent(g, g.media.Hashes.Bound, request)
}

// aliasesOf returns the aliases of a hash, sorted.
func (g *gallery) aliasesOf(hash []byte) []string {
	g.t.Helper()
	var all []string
	for _, a := range ask(g, g.media.Aliases.ForHash, &mediav1.HashRequest{Hash: hash}).Aliases {
		all = append(all, a.Alias)
	}
	slices.Sort(all)
	return all
}
