package conformance

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// mediaRaceCases are what several callers do at the same moment. Where calls have to wait for each other
// they are one after the other, and the cases hold all the same.
func mediaRaceCases() []mediaCase {
	return slices.Concat(creationRaces(), deletionRaces(), generationRaces(), queueRaces())
}

const racers = 8

// rounds repeats a race: as often as it says, but for no longer than a second.
func (g *gallery) rounds(n int, race func()) {
	end := time.Now().Add(time.Second)
	for range n {
		race()
		if g.ctx.Err() != nil || time.Now().After(end) {
			return
		}
	}
}

// A tally counts by what callers were told.
type tally struct {
	mu  sync.Mutex
	won []int
}

func (c *tally) winner(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.won = append(c.won, i)
}

// only returns the one caller that won.
func (c *tally) only(g *gallery, what string) int {
	g.t.Helper()
	if len(c.won) != 1 {
		g.t.Fatalf("%d callers of %d %s; it should be one", len(c.won), racers, what)
	}
	return c.won[0]
}

// tells counts a caller as the winner if a call succeeds; code is what the others are told.
func (c *tally) tells(i int, err error, code codes.Code) error {
	if err == nil {
		c.winner(i)
	}
	if status.Code(err) == code {
		return nil
	}
	return err
}

// identifiers returns as many as there are callers.
func identifiers() []string {
	list := make([]string, racers)
	for i := range list {
		list[i] = newIdentifier()
	}
	return list
}

// info returns details that differ from all others.
func info() string { return `{"content_type":"image/png","frames":null,"id":"` + unique(6) + `"}` }

// described checks whether there are details of an identifier.
func (g *gallery) described(identifier string, want bool, why string) {
	g.t.Helper()
	err := try(g, g.media.Details.Get, &mediav1.IdentifierRequest{Identifier: identifier})
	if got := err == nil; got != want || (err != nil && status.Code(err) != codes.NotFound) {
		g.t.Errorf("Details.Get: there are details: %v (%v), though %s", got, err, why)
	}
}

// identifierOf returns the identifier of a hash, or "" if the hash is gone.
func (g *gallery) identifierOf(hash []byte) string {
	g.t.Helper()
	got, err := g.media.Hashes.Identifier(g.ctx, &mediav1.HashRequest{Hash: hash})
	if err != nil && status.Code(err) != codes.NotFound {
		g.t.Fatalf("Hashes.Identifier: %v", err)
	}
	return got.GetIdentifier()
}

// pointsAt returns the hash of an alias, or nil if the alias is gone.
func (g *gallery) pointsAt(alias string) []byte {
	g.t.Helper()
	got, err := g.media.Aliases.Hash(g.ctx, &mediav1.AliasRequest{Alias: alias})
	if err != nil && status.Code(err) != codes.NotFound {
		g.t.Fatalf("Aliases.Hash: %v", err)
	}
	return got.GetHash()
}

// saved stores a hash with some aliases, and returns their names. The token is that of all of them.
func (g *gallery) saved(hash []byte, token string, n int) (identifier string, aliases []string) {
	g.t.Helper()
	identifier = g.create(hash).identifier
	for range n {
		alias := newAlias()
		ask(g, g.media.Aliases.Create, &mediav1.CreateAliasRequest{Alias: alias, DeleteToken: token, Hash: hash})
		aliases = append(aliases, alias)
	}
	return identifier, aliases
}

func creationRaces() []mediaCase {
	const one = "of several callers at the same moment one is told that it made the row, and the others that it was there"
	return []mediaCase{
		{name: "Races: one hash is created by several", on: keys(hashesCreate, hashesIdentifier), says: one,
			run: func(g *gallery) {
				g.rounds(10, func() {
					hash, files, told := newHash(), identifiers(), &tally{}
					g.discardLater(hash)
					report(g.t, "Hashes.Create", together(racers, func(i int) error {
						return told.tells(i, try(g, g.media.Hashes.Create, &mediav1.CreateHashRequest{Hash: hash, Identifier: files[i]}), codes.AlreadyExists)
					}))
					equal(g, "the identifier that is stored", g.identifierOf(hash), files[told.only(g, "are told that they created a hash")])
				})
			}},
		{name: "Races: one alias is created by several", on: keys(aliasesCreate, aliasesHash, aliasesDeleteToken), says: one, run: aliasRace},
		{name: "Races: one file is uploaded by several under aliases of their own", on: keys(hashesCreate, detailsRelate, detailsCleanup, aliasesCreate), says: one, run: uploadRace},
		{name: "Races: several files are uploaded under one alias", on: keys(hashesCreate, detailsRelate, aliasesCreate), says: one, run: uploadAliasRace},
		{name: "Races: one URL is related by several", on: keys(proxiesRelate, proxiesRelated), says: one,
			run: func(g *gallery) {
				g.rounds(10, func() {
					_, aliases := g.saved(newHash(), newToken(), racers)
					url, told := newURL(), &tally{}
					report(g.t, "Proxies.Relate", together(racers, func(i int) error {
						return told.tells(i, try(g, g.media.Proxies.Relate, &mediav1.RelateURLRequest{Url: url, Alias: aliases[i]}), codes.AlreadyExists)
					}))
					got := ask(g, g.media.Proxies.Related, &mediav1.URLRequest{Url: url}).Alias
					equal(g, "the alias of the URL", got, aliases[told.only(g, "are told that they related a URL")])
				})
			}},
		{name: "Races: one variant is related by several", on: keys(variantsRelate, variantsIdentifier, detailsRelate, detailsCleanup),
			says: "the first one wins, and the others are told its identifier", run: variantRace},
		{name: "Races: one setting is set by several", on: keys(settingsSet, settingsGet), says: "the last one wins, and none of them fails",
			run: func(g *gallery) {
				g.rounds(10, func() {
					key := unique(8)
					report(g.t, "Settings.Set", together(racers, func(i int) error {
						return try(g, g.media.Settings.Set, &mediav1.SetRequest{Key: key, Value: bytes.Repeat([]byte{byte(i)}, 20)})
					}))
					got := ask(g, g.media.Settings.Get, &mediav1.SettingRequest{Key: key}).Value
					if len(got) != 20 || got[0] >= racers || !bytes.Equal(got, bytes.Repeat(got[:1], 20)) {
						g.t.Errorf("a setting that several set has a value that none of them gave: %s", brief(got))
					}
				})
			}},
	}
}

func aliasRace(g *gallery) {
	g.rounds(10, func() {
		alias, told := newAlias(), &tally{}
		tokens, hashes := identifiers(), make([][]byte, racers)
		for i := range hashes {
			tokens[i], hashes[i] = newToken(), newHash()
			g.saved(hashes[i], "", 0)
		}
		report(g.t, "Aliases.Create", together(racers, func(i int) error {
			return told.tells(i, try(g, g.media.Aliases.Create, &mediav1.CreateAliasRequest{Alias: alias, DeleteToken: tokens[i], Hash: hashes[i]}), codes.AlreadyExists)
		}))
		i := told.only(g, "are told that they created an alias")
		if !bytes.Equal(g.pointsAt(alias), hashes[i]) {
			g.t.Errorf("the alias points at another hash than that of the caller who created it")
		}
		equal(g, "the token of the alias", ask(g, g.media.Aliases.DeleteToken, &mediav1.AliasRequest{Alias: alias}).DeleteToken, tokens[i])
	})
}

// uploadRace uploads the same file several times at the same moment: its hash is stored once, and the
// copies that their owners have to delete leave no details behind.
func uploadRace(g *gallery) {
	g.rounds(10, func() {
		hash, files, told := newHash(), identifiers(), &tally{}
		aliases := make([]string, racers)
		g.discardLater(hash)
		report(g.t, "Uploads.Save", together(racers, func(i int) error {
			aliases[i] = newAlias()
			details := info()
			got, err := g.media.Uploads.Save(g.ctx, &mediav1.SaveUploadRequest{Hash: hash, Identifier: files[i], Details: &details, Alias: aliases[i]})
			if err == nil && !got.HashExisted {
				told.winner(i)
			}
			if err == nil && got.AliasExisted {
				return fmt.Errorf("an alias that nobody else has is taken")
			}
			return err
		}))
		first := told.only(g, "are told that the hash is new")
		equal(g, "the identifier that is stored", g.identifierOf(hash), files[first])
		for i := range racers {
			if !bytes.Equal(g.pointsAt(aliases[i]), hash) {
				g.t.Errorf("an alias of an upload does not point at its hash")
			}
			g.described(files[i], i == first, "the file of the first upload is kept, and those of the others are not")
		}
	})
}

func uploadAliasRace(g *gallery) {
	g.rounds(10, func() {
		alias, told := newAlias(), &tally{}
		files, tokens, hashes := identifiers(), identifiers(), make([][]byte, racers)
		for i := range hashes {
			tokens[i], hashes[i] = newToken(), newHash()
			g.discardLater(hashes[i])
		}
		report(g.t, "Uploads.Save", together(racers, func(i int) error {
			got, err := g.media.Uploads.Save(g.ctx, &mediav1.SaveUploadRequest{Hash: hashes[i], Identifier: files[i], Alias: alias, DeleteToken: tokens[i]})
			if err == nil && !got.AliasExisted {
				told.winner(i)
			}
			if err == nil && got.HashExisted {
				return fmt.Errorf("a hash that nobody else has is there")
			}
			return err
		}))
		i := told.only(g, "are told that the alias is theirs")
		if !bytes.Equal(g.pointsAt(alias), hashes[i]) {
			g.t.Errorf("the alias points at another hash than that of the upload that it was given to")
		}
		equal(g, "the token of the alias", ask(g, g.media.Aliases.DeleteToken, &mediav1.AliasRequest{Alias: alias}).DeleteToken, tokens[i])
		equal(g, "the identifier of the upload", g.identifierOf(hashes[i]), files[i])
	})
}

func variantRace(g *gallery) {
	g.rounds(10, func() {
		v, files, told := g.generation(), identifiers(), &tally{}
		winners := make([]string, racers)
		report(g.t, "Variants.Relate", together(racers, func(i int) error {
			details := info()
			got, err := g.media.Variants.Relate(g.ctx, &mediav1.RelateVariantRequest{Hash: v.hash, Variant: v.variant, Identifier: files[i], Details: &details})
			if err == nil && !got.Existed {
				told.winner(i)
			}
			winners[i] = got.GetIdentifier()
			return err
		}))
		first := told.only(g, "are told that the variant is theirs")
		equal(g, "the identifier of the variant", ask(g, g.media.Variants.Identifier, v.request()).Identifier, files[first])
		for i := range racers {
			equal(g, "the identifier that is told", winners[i], files[first])
			g.described(files[i], i == first, "the file of the first one is kept, and those of the others are not")
		}
	})
}
