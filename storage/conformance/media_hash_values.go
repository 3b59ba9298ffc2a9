package conformance

import (
	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

func hashValueCases() []mediaCase {
	const (
		replaces  = "the identifier of a hash is replaced, and nothing else; a hash that is not there is told"
		overrides = "the value is set, or takes the place of the one before; a hash that is not there is told"
		onlyOne   = "a write changes the row of its own hash only"
		none      = "what was never set, and a hash that is not there, are not found"
		wholeRow  = "the whole row holds what the getters return one by one"
	)
	return []mediaCase{
		{name: "hashes.update_identifier replaces the identifier", on: keys(hashesUpdateIdentifier), says: replaces,
			run: func(g *gallery) {
				o, motion := g.original(), newIdentifier()
				ask(g, g.media.Hashes.RelateMotionIdentifier, &mediav1.HashAndIdentifier{Hash: o.hash, Identifier: motion})
				at := g.bound(o.hash)
				for range 2 {
					o.identifier = newIdentifier()
					g.affects(1, "update_identifier", ask(g, g.media.Hashes.UpdateIdentifier, &mediav1.HashAndIdentifier{Hash: o.hash, Identifier: o.identifier}))
					g.holds(o, motion, "")
				}
				equal(g, "created_at", g.bound(o.hash), at)
			}},
		{name: "hashes.update_identifier changes no other hash", on: keys(hashesUpdateIdentifier), says: onlyOne,
			run: func(g *gallery) {
				g.beside(func(o original) {
					ask(g, g.media.Hashes.UpdateIdentifier, &mediav1.HashAndIdentifier{Hash: o.hash, Identifier: newIdentifier()})
				})
			}},
		{name: "hashes.update_identifier of an unknown hash is not found", on: keys(hashesUpdateIdentifier), says: replaces,
			run: func(g *gallery) {
				hash := newHash()
				absent(g, g.media.Hashes.UpdateIdentifier, &mediav1.HashAndIdentifier{Hash: hash, Identifier: newIdentifier()})
				g.unknown(hash)
			}},
		{name: "hashes.relate_motion_identifier sets and overwrites", on: keys(hashesRelateMotion, hashesMotion, hashesGet), says: overrides,
			run: func(g *gallery) {
				o := g.original()
				for range 2 {
					motion := newIdentifier()
					g.affects(1, "relate_motion_identifier", ask(g, g.media.Hashes.RelateMotionIdentifier, &mediav1.HashAndIdentifier{Hash: o.hash, Identifier: motion}))
					g.holds(o, motion, "")
				}
			}},
		{name: "hashes.relate_motion_identifier changes no other hash", on: keys(hashesRelateMotion), says: onlyOne,
			run: func(g *gallery) {
				g.beside(func(o original) {
					ask(g, g.media.Hashes.RelateMotionIdentifier, &mediav1.HashAndIdentifier{Hash: o.hash, Identifier: newIdentifier()})
				})
			}},
		{name: "hashes.relate_motion_identifier of an unknown hash is not found", on: keys(hashesRelateMotion), says: overrides,
			run: func(g *gallery) {
				hash := newHash()
				absent(g, g.media.Hashes.RelateMotionIdentifier, &mediav1.HashAndIdentifier{Hash: hash, Identifier: newIdentifier()})
				g.unknown(hash)
			}},
		{name: "hashes.relate_blurhash sets and overwrites", on: keys(hashesRelateBlurhash, hashesBlurhash, hashesGet), says: overrides, needs: []Capability{KeepsBlurhash},
			run: func(g *gallery) {
				o := g.original()
				for _, blurhash := range []string{"LEHV6nWB2yk8pyo0adR*.7kCMdnj", `L'";\$1@x`, "L"} {
					g.affects(1, "relate_blurhash", ask(g, g.media.Hashes.RelateBlurhash, &mediav1.RelateBlurhashRequest{Hash: o.hash, Blurhash: blurhash}))
					g.holds(o, "", blurhash)
				}
			}},
		{name: "hashes.relate_blurhash changes no other hash", on: keys(hashesRelateBlurhash), says: onlyOne,
			run: func(g *gallery) {
				g.beside(func(o original) {
					ask(g, g.media.Hashes.RelateBlurhash, &mediav1.RelateBlurhashRequest{Hash: o.hash, Blurhash: "L" + unique(6)})
				})
			}},
		{name: "hashes.relate_blurhash of an unknown hash is not found", on: keys(hashesRelateBlurhash), says: overrides,
			run: func(g *gallery) {
				hash := newHash()
				absent(g, g.media.Hashes.RelateBlurhash, &mediav1.RelateBlurhashRequest{Hash: hash, Blurhash: "L"})
				g.unknown(hash)
			}},
		{name: "hashes.get returns the whole row", on: keys(hashesGet, hashesIdentifier, hashesMotion, hashesBlurhash, hashesBound), says: wholeRow, needs: []Capability{KeepsBlurhash},
			run: func(g *gallery) {
				o := g.createAt(newHash(), longAgo())
				g.holds(o, "", "")
				ask(g, g.media.Hashes.RelateBlurhash, &mediav1.RelateBlurhashRequest{Hash: o.hash, Blurhash: "LEHV6nWB2yk8"})
				g.holds(o, "", "LEHV6nWB2yk8")
				motion := newIdentifier()
				ask(g, g.media.Hashes.RelateMotionIdentifier, &mediav1.HashAndIdentifier{Hash: o.hash, Identifier: motion})
				g.holds(o, motion, "LEHV6nWB2yk8")
			}},
		{name: "hashes.identifier and its like find nothing for an unknown hash", on: keys(hashesIdentifier, hashesMotion, hashesBlurhash, hashesGet, hashesBound), says: none,
			run: func(g *gallery) {
				g.beside(func(o original) {
					for _, hash := range [][]byte{newHash(), o.hash[:38], append(o.hash[:39:39], 0)} {
						g.unknown(hash)
					}
				})
			}},
		{name: "hashes.identifier and its like keep hashes apart", on: keys(hashesIdentifier, hashesMotion, hashesBlurhash, hashesGet, hashesBound), says: onlyOne,
			run: func(g *gallery) {
				hash := newHash()
				all := []original{g.create(hash)}
				for _, neighbour := range neighboursOf(hash) {
					all = append(all, g.create(neighbour))
				}
				for i, o := range all {
					motion := newIdentifier()
					ask(g, g.media.Hashes.RelateMotionIdentifier, &mediav1.HashAndIdentifier{Hash: o.hash, Identifier: motion})
					g.holds(o, motion, "")
					for _, bare := range all[i+1:] {
						g.holds(bare, "", "")
					}
				}
			}},
		{name: "hashes.bound keeps hashes apart", on: keys(hashesBound, hashesGet), says: onlyOne, needs: []Capability{KeepsCreatedAt},
			run: func(g *gallery) {
				hash := newHash()
				all := append(neighboursOf(hash), hash)
				for i, hash := range all {
					g.createAt(hash, longAgo().AddDate(0, 0, i))
				}
				for i, hash := range all {
					equal(g, "created_at", g.bound(hash), longAgo().AddDate(0, 0, i))
					equal(g, "created_at in the whole row", ask(g, g.media.Hashes.Info, &mediav1.HashRequest{Hash: hash}).GetCreatedAt().AsTime(), longAgo().AddDate(0, 0, i))
				}
			}},
	}
}

// affects checks how many rows a write changed, where the query set tells.
func (g *gallery) affects(want int64, what string, got *mediav1.Affected) {
	g.t.Helper()
	if got.Affected != nil && *got.Affected != want {
		g.t.Errorf("%s affects %d rows; it should be %d", what, *got.Affected, want)
	}
}
