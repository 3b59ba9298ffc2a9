package conformance

import (
	"google.golang.org/grpc/codes"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

func migrationCases() []mediaCase {
	const (
		marks     = "an identifier is recorded as the old one of a moved file, or as the new one"
		keeps     = "a file that is recorded keeps its record, which is no error"
		continues = "a move was begun and not finished as long as there is a record"
	)
	marking := keys(migrationMark, migrationIsMigrated)
	return []mediaCase{
		{name: "store_migration.mark_migrated records the old identifier", on: marking, says: marks,
			run: func(g *gallery) {
				old := newIdentifier()
				g.migrated(false, old)
				g.mark(old, newIdentifier())
				g.migrated(true, old)
				g.migrated(false, append(similar(old)[1:], newIdentifier(), "")...)
			}},
		{name: "store_migration.is_migrated knows the new identifier", on: marking, says: marks, needs: []Capability{MarksNewIdentifiers},
			run: func(g *gallery) {
				old, moved := newIdentifier(), newIdentifier()
				g.migrated(false, old, moved)
				g.mark(old, moved)
				g.migrated(true, old, moved)
				g.migrated(false, append(similar(moved)[1:], similar(old)[1:]...)...)
			}},
		{name: "store_migration.mark_migrated of a recorded file keeps the record", on: marking, says: keeps,
			run: func(g *gallery) {
				old, moved := newIdentifier(), newIdentifier()
				g.mark(old, moved)
				g.mark(old, moved)
				g.migrated(true, old)
			}},
		{name: "store_migration.mark_migrated of a recorded file takes no other new identifier", on: marking, says: keeps, needs: []Capability{MarksNewIdentifiers},
			run: func(g *gallery) {
				old, moved, other := newIdentifier(), newIdentifier(), newIdentifier()
				g.mark(old, moved)
				g.mark(old, other)
				g.migrated(true, old, moved)
				g.migrated(false, other)
			}},
		{name: "store_migration.mark_migrated takes any identifier", on: marking, says: "an identifier is any text",
			run: func(g *gallery) {
				for _, odd := range oddTexts() {
					old := unique(6) + odd
					g.mark(old, newIdentifier()+odd)
					g.migrated(true, old)
				}
			}},
		{name: "store_migration.clear forgets all records", on: on(marking, keys(migrationClear, migrationIsContinuing)), says: "after a move all records are forgotten", exclusive: true,
			run: func(g *gallery) {
				ask(g, g.media.StoreMigration.Clear, &mediav1.ClearRequest{})
				g.continuing(false)
				var all []string
				for range 3 {
					all = append(all, newIdentifier())
					g.mark(all[len(all)-1], newIdentifier())
					g.continuing(true)
				}
				g.migrated(true, all...)
				g.affects(3, "clear", ask(g, g.media.StoreMigration.Clear, &mediav1.ClearRequest{}))
				g.migrated(false, all...)
				g.continuing(false)
				g.affects(0, "clear of nothing", ask(g, g.media.StoreMigration.Clear, &mediav1.ClearRequest{}))
				g.mark(all[0], newIdentifier())
				g.continuing(true)
				ask(g, g.media.StoreMigration.Clear, &mediav1.ClearRequest{})
			}},
		{name: "store_migration.is_continuing tells that there are records", on: keys(migrationMark, migrationIsContinuing), says: continues, exclusive: true,
			run: func(g *gallery) {
				g.mark(newIdentifier(), newIdentifier())
				g.continuing(true)
				ask(g, g.media.StoreMigration.Clear, &mediav1.ClearRequest{})
			}},
	}
}

func (g *gallery) mark(old, moved string) {
	g.t.Helper()
	ask(g, g.media.StoreMigration.MarkMigrated, &mediav1.MarkMigratedRequest{OldIdentifier: old, NewIdentifier: moved})
}

func (g *gallery) migrated(want bool, identifiers ...string) {
	g.t.Helper()
	for _, identifier := range identifiers {
		if got := ask(g, g.media.StoreMigration.IsMigrated, &mediav1.IdentifierRequest{Identifier: identifier}).Migrated; got != want {
			g.t.Errorf("migrated is %v for %q; it should be %v", got, identifier, want)
		}
	}
}

func (g *gallery) continuing(want bool) {
	g.t.Helper()
	equal(g, "continuing", ask(g, g.media.StoreMigration.IsContinuing, &mediav1.IsContinuingRequest{}).Continuing, want)
}

// A move is a kind of file that gets a new identifier.
type move struct {
	name    string
	kind    mediav1.MoveIdentifierRequest_Kind
	on      []string
	variant string
	// current reads the identifier that is moved.
	current func(g *gallery, hash []byte) string
}

var moves = []move{
	{"an original", mediav1.MoveIdentifierRequest_ORIGINAL, keys(hashesUpdateIdentifier), "", func(g *gallery, hash []byte) string {
		return ask(g, g.media.Hashes.Identifier, &mediav1.HashRequest{Hash: hash}).Identifier
	}},
	{"a still image", mediav1.MoveIdentifierRequest_MOTION, keys(hashesRelateMotion), "", func(g *gallery, hash []byte) string {
		return ask(g, g.media.Hashes.MotionIdentifier, &mediav1.HashRequest{Hash: hash}).MotionIdentifier
	}},
	{"a variant", mediav1.MoveIdentifierRequest_VARIANT, keys(variantsRemove, variantsRelate), thumbnail, func(g *gallery, hash []byte) string {
		return ask(g, g.media.Variants.Identifier, &mediav1.VariantRequest{Hash: hash, Variant: thumbnail}).Identifier
	}},
}

func moveCases() []mediaCase {
	const (
		replaces = "the identifier is replaced, with its details, and the move is recorded, all or nothing"
		whole    = "a hash that is not there is told, and nothing happens"
	)
	parts := keys(migrationMark, migrationIsMigrated, detailsRelate, detailsGet, detailsCleanup, hashesMotion, variantsRelate)
	var cases []mediaCase
	for _, m := range moves {
		operations := on(m.on, parts)
		cases = append(cases,
			mediaCase{name: "MoveIdentifier moves " + m.name, on: operations, says: replaces,
				run: func(g *gallery) {
					g.beside(func(o original) {
						old, moved := m.current(g, o.hash), newIdentifier()
						other := g.rest(o.hash, m)
						details := g.details(old)
						g.moves(m, o.hash, old, moved, &details)
						equal(g, "the identifier of "+m.name, m.current(g, o.hash), moved)
						g.describedAs(moved, details)
						g.describedAs(old, "")
						g.migrated(true, old)
						g.unchanged("the rest of the hash", other, g.rest(o.hash, m))
					})
				}},
			mediaCase{name: "MoveIdentifier moves " + m.name + " without details", on: operations, says: replaces,
				run: func(g *gallery) {
					o := g.original()
					g.furnish(o)
					old, moved := m.current(g, o.hash), newIdentifier()
					g.moves(m, o.hash, old, moved, nil)
					equal(g, "the identifier of "+m.name, m.current(g, o.hash), moved)
					g.describedAs(moved, "")
					g.describedAs(old, "")
					g.migrated(true, old)
				}},
			mediaCase{name: "MoveIdentifier moves " + m.name + " that is recorded already", on: operations, says: "a move that is done once more is done: records and details that are there stay",
				run: func(g *gallery) {
					o := g.original()
					g.furnish(o)
					old, moved := m.current(g, o.hash), newIdentifier()
					details := g.details(moved)
					g.mark(old, moved)
					for range 2 {
						g.moves(m, o.hash, old, moved, &details)
						equal(g, "the identifier of "+m.name, m.current(g, o.hash), moved)
						g.describedAs(moved, details)
						g.describedAs(old, "")
						g.migrated(true, old)
					}
				}},
		)
		lost := mediaCase{name: "MoveIdentifier of " + m.name + " needs the hash", on: operations, says: whole,
			run: func(g *gallery) {
				hash, old, moved, details := newHash(), newIdentifier(), newIdentifier(), `{"width":2}`
				kept := g.details(old)
				g.forgetLater(moved)
				refuse(g, codes.NotFound, fault.DoesNotExist, g.media.StoreMigration.MoveIdentifier, &mediav1.MoveIdentifierRequest{
					Kind: m.kind, Hash: hash, Variant: m.variant, OldIdentifier: old, NewIdentifier: moved, Details: &details})
				g.describedAs(old, kept)
				g.describedAs(moved, "")
				g.migrated(false, old, moved)
				g.unknown(hash)
			}}
		if m.kind == mediav1.MoveIdentifierRequest_VARIANT {
			lost.needs = []Capability{RefusesLostVariants}
		}
		cases = append(cases, lost)
	}
	return append(cases, mediaCase{name: "MoveIdentifier refuses an unknown kind", on: keys(migrationMark, hashesUpdateIdentifier), says: "what the API does not define is INVALID_ARGUMENT",
		run: func(g *gallery) {
			o := g.original()
			g.keeps(o.hash, func() {
				refuse(g, codes.InvalidArgument, fault.InvalidArgument, g.media.StoreMigration.MoveIdentifier, &mediav1.MoveIdentifierRequest{
					Kind: 99, Hash: o.hash, OldIdentifier: o.identifier, NewIdentifier: newIdentifier()})
			})
			g.migrated(false, o.identifier)
		}})
}

func (g *gallery) moves(m move, hash []byte, old, moved string, details *string) {
	g.t.Helper()
	g.forgetLater(moved)
	ask(g, g.media.StoreMigration.MoveIdentifier, &mediav1.MoveIdentifierRequest{
		Kind: m.kind, Hash: hash, Variant: m.variant, OldIdentifier: old, NewIdentifier: moved, Details: details})
}

// rest describes everything about a hash that does not belong to what is moved.
func (g *gallery) rest(hash []byte, m move) string {
	g.t.Helper()
	without := map[mediav1.MoveIdentifierRequest_Kind][]string{
		mediav1.MoveIdentifierRequest_ORIGINAL: {"identifier ", "details "},
		mediav1.MoveIdentifierRequest_MOTION:   {"motion "},
		mediav1.MoveIdentifierRequest_VARIANT:  {"variant " + m.variant + " "},
	}
	return g.seenWithout(hash, without[m.kind]...)
}
