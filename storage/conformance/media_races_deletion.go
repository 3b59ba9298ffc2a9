package conformance

import (
	"bytes"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

func deletionRaces() []mediaCase {
	const integrity = "whatever comes first, no alias, variant or URL is left without what it belongs to"
	aliases := keys(aliasesDeleteToken, aliasesHash, aliasesCleanup, aliasesForHash)
	return []mediaCase{
		{name: "Races: the last two aliases of a hash are deleted at once", on: aliases,
			says: "at least one of two callers is told that no alias is left", run: func(g *gallery) { lastAliases(g, 2) }},
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
		{name: "Races: a file is uploaded while its hash is cleaned up", on: keys(hashesCreate, aliasesCreate, hashesCleanup, queuePush),
			says: "the upload keeps the hash or makes it again, and a cleanup that is refused schedules nothing", run: uploadDuringCleanup},
		{name: "Races: a variant is related while its hash is cleaned up", on: keys(variantsRelate, variantsForHash, hashesCleanup, variantsRemoveAll),
			says: integrity, run: variantDuringCleanup},
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
