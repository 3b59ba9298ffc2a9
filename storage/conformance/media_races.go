package conformance

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
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
		{name: "Races: one variant is related by several", on: keys(variantsRelate, variantsIdentifier, detailsRelate, detailsCleanup), says: "the first one wins, and the others are told its identifier", run: variantRace},
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

func deletionRaces() []mediaCase {
	const integrity = "whatever comes first, no alias, variant or URL is left without what it belongs to"
	aliases := keys(aliasesDeleteToken, aliasesHash, aliasesCleanup, aliasesForHash)
	return []mediaCase{
		{name: "Races: the last two aliases of a hash are deleted at once", on: aliases, says: "at least one of two callers is told that no alias is left", run: func(g *gallery) { lastAliases(g, 2) }},
		{name: "Races: all aliases of a hash are deleted at once", on: aliases, says: "at least one caller is told that no alias is left", run: func(g *gallery) { lastAliases(g, racers) }},
		{name: "Races: one alias is deleted by several", on: aliases, says: "an alias that is gone is no error",
			run: func(g *gallery) {
				g.rounds(10, func() {
					hash, token := newHash(), newToken()
					_, names := g.saved(hash, token, 2)
					report(g.t, "Aliases.Delete", together(racers, func(int) error {
						got, err := g.media.Aliases.Delete(g.ctx, &mediav1.DeleteAliasRequest{Alias: names[0], DeleteToken: token})
						if err == nil && got.LastAlias {
							return fmt.Errorf("the last alias is said to be deleted, though there is another one")
						}
						return err
					}))
					if g.pointsAt(names[0]) != nil || !bytes.Equal(g.pointsAt(names[1]), hash) {
						g.t.Errorf("another alias is deleted than the one that was meant, or none")
					}
				})
			}},
		{name: "Races: a file is uploaded while its hash is cleaned up", on: keys(hashesCreate, aliasesCreate, hashesCleanup, queuePush), says: "the upload keeps the hash or makes it again, and a cleanup that is refused schedules nothing", run: uploadDuringCleanup},
		{name: "Races: a variant is related while its hash is cleaned up", on: keys(variantsRelate, variantsForHash, hashesCleanup, variantsRemoveAll), says: integrity, run: variantDuringCleanup},
		{name: "Races: a URL is related while its alias is deleted", on: on(aliases, keys(proxiesRelate, proxiesRelated, proxiesRemove)), says: integrity, run: urlDuringDelete},
		{name: "Races: one upload is claimed by several", on: keys(uploadsClaim), says: "exactly one of several claims succeeds",
			run: func(g *gallery) {
				g.rounds(10, func() {
					id, told := g.background(), &tally{}
					g.completeUpload(id, succeeded, 1)
					report(g.t, "Uploads.Claim", together(racers, func(i int) error {
						return told.tells(i, try(g, g.media.Uploads.Claim, &mediav1.UploadRequest{UploadId: id}), codes.FailedPrecondition)
					}))
					told.only(g, "are told that the upload is theirs")
					g.noUpload(id)
				})
			}},
		{name: "Races: an upload is completed while it is claimed", on: keys(uploadsClaim, uploadsComplete, uploadsResult), says: "an upload that is gone stays gone",
			run: func(g *gallery) {
				g.rounds(20, func() {
					id := g.background()
					report(g.t, "Uploads.Complete or Uploads.Claim", together(racers, func(i int) error {
						if i == racers/2 {
							return try(g, g.media.Uploads.Claim, &mediav1.UploadRequest{UploadId: id})
						}
						return try(g, g.media.Uploads.Complete, &mediav1.CompleteUploadRequest{UploadId: id, Result: succeeded})
					}))
					g.noUpload(id)
				})
			}},
	}
}

func lastAliases(g *gallery, n int) {
	g.rounds(20, func() {
		hash, token := newHash(), newToken()
		_, names := g.saved(hash, token, n)
		last := make([]bool, n)
		report(g.t, "Aliases.Delete", together(n, func(i int) error {
			got, err := g.media.Aliases.Delete(g.ctx, &mediav1.DeleteAliasRequest{Alias: names[i], DeleteToken: token})
			last[i] = got.GetLastAlias()
			if err == nil && (!bytes.Equal(got.Hash, hash) || (got.Deleted != nil && !*got.Deleted)) {
				return fmt.Errorf("deleted %v, with another hash than the alias had: %v", got.GetDeleted(), !bytes.Equal(got.Hash, hash))
			}
			return err
		}))
		if !slices.Contains(last, true) {
			g.t.Fatalf("none of those who delete the last %d aliases of a hash at once is told that none is left", n)
		}
		if left := ask(g, g.media.Aliases.ForHash, &mediav1.HashRequest{Hash: hash}).Aliases; len(left) != 0 {
			g.t.Errorf("%d aliases are left of %d that were deleted at once", len(left), n)
		}
	})
}

// uploadDuringCleanup uploads the file of a hash without aliases again, while the cleanup of the hash is
// under way. Who is told that the hash existed deletes the file that it brought; who is not keeps it.
func uploadDuringCleanup(g *gallery) {
	kept, again := 0, 0
	g.rounds(25, func() {
		hash, alias, w := newHash(), newAlias(), g.worker(newQueue())
		old, _ := g.saved(hash, "", 0)
		brought, details, existed, cleaned := newIdentifier(), info(), false, false
		report(g.t, "Uploads.Save or Hashes.Cleanup", together(2, func(i int) error {
			if i == 0 {
				got, err := g.media.Uploads.Save(g.ctx, &mediav1.SaveUploadRequest{Hash: hash, Identifier: brought, Details: &details, Alias: alias})
				existed = got.GetHashExisted()
				if err == nil && got.AliasExisted {
					return fmt.Errorf("an alias that nobody else has is taken")
				}
				return err
			}
			err := try(g, g.media.Hashes.Cleanup, &mediav1.CleanupHashRequest{Hash: hash, Jobs: []*mediav1.NewJob{{Queue: w.queue, Job: newJob()}}})
			cleaned = err == nil
			if fault.ReasonOf(err) == fault.InUse {
				return nil
			}
			return err
		}))
		g.consistent(alias, hash, old, brought, existed, cleaned)
		if !cleaned {
			kept++
			w.findsNothing("the cleanup that it belongs to was refused")
			return
		}
		again++
		w.pop()
	})
	g.t.Logf("%d times the upload kept the hash, %d times it was cleaned up", kept, again)
}

// consistent checks what is left after an upload and a cleanup of one hash.
func (g *gallery) consistent(alias string, hash []byte, old, brought string, existed, cleaned bool) {
	g.t.Helper()
	stored, points := g.identifierOf(hash), g.pointsAt(alias)
	if points != nil && (!bytes.Equal(points, hash) || stored == "") {
		g.t.Errorf("an alias is left that points at a hash which is gone")
	}
	switch {
	case points == nil && !cleaned:
		g.t.Errorf("the alias of an upload is gone, though the cleanup was refused")
	case points == nil:
		// A schema that cascades on purpose takes the alias with the hash.
	case existed && (stored != old || cleaned):
		g.t.Errorf("an upload is told that the hash existed (so that its file is deleted), but the identifier is another one: %v, or the hash was cleaned up: %v", stored != old, cleaned)
	case !existed && stored != brought:
		g.t.Errorf("an upload is told that the hash is new, but the identifier is another one")
	default:
		g.described(brought, !existed, "an upload's details are kept with its file, and only then")
	}
}

func variantDuringCleanup(g *gallery) {
	g.rounds(20, func() {
		v, w := g.generation(), g.worker(newQueue())
		related := false
		report(g.t, "Variants.Relate or Hashes.Cleanup", together(2, func(i int) error {
			if i == 0 {
				err := try(g, g.media.Variants.Relate, &mediav1.RelateVariantRequest{Hash: v.hash, Variant: v.variant, Identifier: newIdentifier()})
				if related = err == nil; status.Code(err) == codes.NotFound {
					return nil
				}
				return err
			}
			err := try(g, g.media.Hashes.Cleanup, &mediav1.CleanupHashRequest{Hash: v.hash, Jobs: []*mediav1.NewJob{{Queue: w.queue, Job: newJob()}}})
			if fault.ReasonOf(err) == fault.InUse {
				return nil // the variant came between the two steps of the cleanup
			}
			return err
		}))
		left := ask(g, g.media.Variants.ForHash, &mediav1.HashRequest{Hash: v.hash}).Variants
		if there := g.identifierOf(v.hash) != ""; len(left) > 0 && (!there || !related) {
			g.t.Errorf("%d variants are left: the hash is there: %v, the variant was related: %v", len(left), there, related)
		}
	})
}

func urlDuringDelete(g *gallery) {
	g.rounds(20, func() {
		token, url := newToken(), newURL()
		_, names := g.saved(newHash(), token, 1)
		report(g.t, "Proxies.Relate or Aliases.Delete", together(2, func(i int) error {
			if i == 0 {
				err := try(g, g.media.Proxies.Relate, &mediav1.RelateURLRequest{Url: url, Alias: names[0]})
				if status.Code(err) == codes.NotFound {
					return nil
				}
				return err
			}
			err := try(g, g.media.Aliases.Delete, &mediav1.DeleteAliasRequest{Alias: names[0], DeleteToken: token})
			if fault.ReasonOf(err) == fault.InUse {
				return nil // the URL came between the two steps of the deletion
			}
			return err
		}))
		err := try(g, g.media.Proxies.Related, &mediav1.URLRequest{Url: url})
		if err == nil && g.pointsAt(names[0]) == nil {
			g.t.Errorf("a URL is left whose alias is gone")
		}
	})
}

func generationRaces() []mediaCase {
	const one = "of several callers at the same moment one has the right to generate the variant"
	claims := keys(variantsClaim, variantsIdentifier)
	// race lets several claim one variant, which exactly one must get.
	race := func(g *gallery, v *generation) {
		g.t.Helper()
		told := &tally{}
		report(g.t, "Variants.Claim", together(racers, func(i int) error {
			got, err := g.media.Variants.Claim(g.ctx, v.request())
			if err == nil && got.Outcome == claimed {
				told.winner(i)
			}
			if err == nil && got.Outcome == exists {
				return fmt.Errorf("a variant exists that nobody generated")
			}
			return err
		}))
		told.only(g, "may generate one variant")
	}
	needs := []Capability{ExclusiveClaims}
	return []mediaCase{
		{name: "Races: one variant is claimed by several", on: claims, says: one, needs: needs,
			run: func(g *gallery) {
				g.rounds(20, func() {
					v := g.generation()
					race(g, v)
					v.claims(busy, "it is claimed")
					v.release()
					race(g, v)
				})
			}},
		{name: "Races: a stale claim is taken over by several", on: on(claims, keys(variantsExpireClaims)), says: one, needs: []Capability{ExclusiveClaims, StaleClaimsFreed}, exclusive: true,
			run: func(g *gallery) {
				at := g.stopClock()
				g.rounds(20, func() {
					v := g.generation()
					v.claims(claimed, "nobody has claimed it")
					at = at.Add(g.claimStaleAfter())
					g.at(at)
					race(g, v)
				})
			}},
		{name: "Races: every claimer of a variant ends with the same file", on: on(claims, keys(variantsRelate, variantsRelease)), says: "the variant is generated once, and everybody gets it", needs: needs, run: generateOnce},
	}
}

// generateOnce lets several processes need one variant: each claims it, and generates it or waits.
func generateOnce(g *gallery) {
	g.rounds(5, func() {
		v, told := g.generation(), &tally{}
		files, got := identifiers(), make([]string, racers)
		report(g.t, "a need for a variant", together(racers, func(i int) error {
			ctx, cancel := context.WithTimeout(g.ctx, patience)
			defer cancel()
			right, err := g.media.Variants.Claim(ctx, v.request())
			if err != nil {
				return err
			}
			switch got[i] = right.Identifier; right.Outcome {
			case claimed:
				told.winner(i)
				related, err := g.media.Variants.Relate(ctx, &mediav1.RelateVariantRequest{Hash: v.hash, Variant: v.variant, Identifier: files[i]})
				if err != nil {
					return err
				}
				got[i] = related.Identifier
				_, err = g.media.Variants.Release(ctx, v.request())
				return err
			case busy:
				waited, err := g.media.Variants.Wait(ctx, &mediav1.WaitVariantRequest{Hash: v.hash, Variant: v.variant})
				got[i] = waited.GetIdentifier()
				return err
			}
			return nil
		}))
		first := told.only(g, "generated one variant")
		for _, identifier := range got {
			equal(g, "the variant that somebody gets", identifier, files[first])
		}
		v.claims(exists, "it is generated")
	})
}
