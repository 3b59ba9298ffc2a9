package conformance

import (
	"strings"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

func variantCases() []mediaCase {
	const (
		inserts = "a variant is stored with the identifier of its file"
		winner  = "a variant that exists is told, with the identifier of the winner, and nothing of it changes"
		own     = "a variant belongs to its hash, and is compared exactly"
		removes = "the variant of that hash goes, with its time of access; one that is gone is no error"
	)
	relate := keys(variantsRelate, variantsIdentifier, variantsForHash)
	return []mediaCase{
		{name: "variants.relate_identifier stores a variant", on: relate, says: inserts,
			run: func(g *gallery) {
				o, want := g.original(), map[string]string{}
				for _, variant := range []string{thumbnail, blurred, "", "x"} {
					identifier := newIdentifier()
					got := ask(g, g.media.Variants.Relate, &mediav1.RelateVariantRequest{Hash: o.hash, Variant: variant, Identifier: identifier})
					if got.Existed || got.Identifier != identifier {
						g.t.Errorf("Variants.Relate of a new variant tells %v", got)
					}
					want[variant] = identifier
					g.hasVariants(o.hash, want)
				}
			}},
		{name: "variants.relate_identifier stores the details", on: on(relate, keys(detailsRelate, detailsGet)), says: "details are recorded with the variant, if any are given",
			run: func(g *gallery) {
				o := g.original()
				first, second := newIdentifier(), newIdentifier()
				const details = `{"width":200,"frames":null,"content_type":"image/webp"}`
				given := details
				g.forgetLater(first)
				ask(g, g.media.Variants.Relate, &mediav1.RelateVariantRequest{Hash: o.hash, Variant: thumbnail, Identifier: first, Details: &given})
				ask(g, g.media.Variants.Relate, &mediav1.RelateVariantRequest{Hash: o.hash, Variant: blurred, Identifier: second})
				g.describedAs(first, details)
				g.describedAs(second, "")
				g.describedAs(o.identifier, "")
			}},
		{name: "variants.relate_identifier counts as access", on: on(relate, keys(variantAccessAccessedAt)), says: "the time of access of a new variant is now", needs: []Capability{RelatingIsAccess},
			run: func(g *gallery) {
				o := g.original()
				g.generated(o.hash, thumbnail)
				g.isNow("the time of access", g.variantAt(o.hash, thumbnail))
				absent(g, g.media.Access.VariantAt, &mediav1.VariantRequest{Hash: o.hash, Variant: blurred})
			}},
		{name: "variants.relate_identifier of an existing variant tells the winner", on: relate, says: winner,
			run: func(g *gallery) {
				g.beside(func(o original) {
					g.keeps(o.hash, func() {
						loser := newIdentifier()
						stored := ask(g, g.media.Variants.Identifier, &mediav1.VariantRequest{Hash: o.hash, Variant: thumbnail}).Identifier
						got := ask(g, g.media.Variants.Relate, &mediav1.RelateVariantRequest{Hash: o.hash, Variant: thumbnail, Identifier: loser})
						if !got.Existed || got.Identifier != stored {
							g.t.Errorf("Variants.Relate of an existing variant tells %v; existed should be true, and the identifier %q", got, stored)
						}
					})
				})
			}},
		{name: "variants.relate_identifier leaves no details of the loser", on: on(relate, keys(detailsRelate, detailsGet, detailsCleanup)), says: "the loser's details are forgotten, the winner's stay",
			run: func(g *gallery) {
				o := g.original()
				winner, loser := g.generated(o.hash, thumbnail), newIdentifier()
				details, given := g.details(winner), `{"width":1}`
				g.forgetLater(loser)
				ask(g, g.media.Variants.Relate, &mediav1.RelateVariantRequest{Hash: o.hash, Variant: thumbnail, Identifier: loser, Details: &given})
				g.describedAs(loser, "")
				g.describedAs(winner, details)
			}},
		{name: "variants.relate_identifier that is sent twice is success", on: on(relate, keys(detailsRelate, detailsGet, detailsCleanup)), says: "the own effect, seen again, is success: the file must not be deleted",
			run: func(g *gallery) {
				o, identifier, details := g.original(), newIdentifier(), `{"width":1}`
				g.forgetLater(identifier)
				request := &mediav1.RelateVariantRequest{Hash: o.hash, Variant: thumbnail, Identifier: identifier, Details: &details}
				for range 2 {
					got := ask(g, g.media.Variants.Relate, request)
					if got.Existed || got.Identifier != identifier {
						g.t.Errorf("Variants.Relate of the own variant tells %v", got)
					}
					g.describedAs(identifier, details)
					g.hasVariants(o.hash, map[string]string{thumbnail: identifier})
				}
			}},
		{name: "variants.relate_identifier needs the hash", on: on(relate, keys(detailsRelate, detailsGet)), says: "a variant of a hash that is not there is not stored, and neither are its details", needs: []Capability{RefusesLostVariants},
			run: func(g *gallery) {
				hash, identifier, details := newHash(), newIdentifier(), `{"width":1}`
				g.forgetLater(identifier)
				absent(g, g.media.Variants.Relate, &mediav1.RelateVariantRequest{Hash: hash, Variant: thumbnail, Identifier: identifier, Details: &details})
				g.hasVariants(hash, nil)
				g.describedAs(identifier, "")
			}},
		{name: "variants.identifier keeps hashes and variants apart", on: relate, says: own,
			run: func(g *gallery) {
				hash, want := newHash(), map[string]map[string]string{}
				all := append(neighboursOf(hash), hash)
				for _, hash := range all {
					g.create(hash)
					want[string(hash)] = map[string]string{}
					for _, variant := range similar(thumbnail) {
						want[string(hash)][variant] = g.generated(hash, variant)
					}
				}
				for _, hash := range all {
					g.hasVariants(hash, want[string(hash)])
				}
			}},
		{name: "variants.identifier finds nothing for an unknown variant", on: keys(variantsIdentifier, variantsForHash), says: "a variant that is not generated yet is not found",
			run: func(g *gallery) {
				g.beside(func(o original) {
					for _, variant := range append(similar(thumbnail)[1:], "", "'", "%") {
						absent(g, g.media.Variants.Identifier, &mediav1.VariantRequest{Hash: o.hash, Variant: variant})
					}
					absent(g, g.media.Variants.Identifier, &mediav1.VariantRequest{Hash: newHash(), Variant: thumbnail})
					g.hasVariants(newHash(), nil)
				})
			}},
		{name: "variants.relate_identifier stores any variant", on: relate, says: "a variant is any text",
			run: func(g *gallery) {
				o, want := g.original(), map[string]string{}
				for _, variant := range oddTexts() {
					want[variant] = g.generated(o.hash, variant)
				}
				g.hasVariants(o.hash, want)
			}},
		{name: "variants.remove removes a variant", on: keys(variantsRemove), says: removes,
			run: func(g *gallery) {
				g.beside(func(o original) {
					identifier := ask(g, g.media.Variants.Identifier, &mediav1.VariantRequest{Hash: o.hash, Variant: thumbnail}).Identifier
					g.affects(1, "remove", ask(g, g.media.Variants.Remove, &mediav1.VariantRequest{Hash: o.hash, Variant: blurred}))
					g.hasVariants(o.hash, map[string]string{thumbnail: identifier})
					g.affects(0, "remove of what is gone", ask(g, g.media.Variants.Remove, &mediav1.VariantRequest{Hash: o.hash, Variant: blurred}))
					g.hasVariants(o.hash, map[string]string{thumbnail: identifier})
				})
			}},
		{name: "variants.remove removes no other variant", on: keys(variantsRemove), says: removes,
			run: func(g *gallery) {
				o, want := g.original(), map[string]string{}
				all := similar(thumbnail)
				for _, variant := range all {
					want[variant] = g.generated(o.hash, variant)
				}
				g.affects(0, "remove of an unknown variant", ask(g, g.media.Variants.Remove, &mediav1.VariantRequest{Hash: newHash(), Variant: thumbnail}))
				for _, variant := range all {
					ask(g, g.media.Variants.Remove, &mediav1.VariantRequest{Hash: o.hash, Variant: variant})
					delete(want, variant)
					g.hasVariants(o.hash, want)
				}
			}},
		{name: "variants.remove forgets the time of access", on: keys(variantsRemove, variantAccessRemove, variantAccessAccessedAt), says: removes, needs: []Capability{RelatingIsAccess},
			run: func(g *gallery) {
				o := g.original()
				g.generated(o.hash, thumbnail)
				g.generated(o.hash, blurred)
				ask(g, g.media.Variants.Remove, &mediav1.VariantRequest{Hash: o.hash, Variant: thumbnail})
				absent(g, g.media.Access.VariantAt, &mediav1.VariantRequest{Hash: o.hash, Variant: thumbnail})
				g.isNow("the other variant's time of access", g.variantAt(o.hash, blurred))
			}},
		{name: "variants.remove_all removes the variants of one hash", on: keys(variantsRemoveAll, hashesCleanup), says: "every variant of the hash goes, and no other",
			run: func(g *gallery) {
				hash := newHash()
				for _, neighbour := range neighboursOf(hash) {
					g.create(neighbour)
					identifier := g.generated(neighbour, thumbnail)
					defer func() { g.hasVariants(neighbour, map[string]string{thumbnail: identifier}) }()
				}
				g.create(hash)
				g.generated(hash, thumbnail)
				g.generated(hash, strings.Repeat("x", 40))
				g.cleansUp(hash, true)
				g.hasVariants(hash, nil)
				o := g.create(hash)
				g.hasVariants(o.hash, nil)
			}},
		{name: "Variants.Cleanup removes a variant and pushes a job", on: on(keys(variantsRemove, variantAccessRemove), keys(queuePush)), says: "the variant goes and the job comes, all or nothing",
			run: func(g *gallery) {
				g.beside(func(o original) {
					queue := newQueue()
					job := g.jobs(queue, 1)[0]
					identifier := ask(g, g.media.Variants.Identifier, &mediav1.VariantRequest{Hash: o.hash, Variant: blurred}).Identifier
					got := ask(g, g.media.Variants.Cleanup, &mediav1.CleanupVariantRequest{Hash: o.hash, Variant: thumbnail, Job: job})
					if got.Removed != nil && !*got.Removed {
						g.t.Errorf("Variants.Cleanup tells that the variant was not there")
					}
					g.hasVariants(o.hash, map[string]string{blurred: identifier})
					g.pops(queue, job)
					got = ask(g, g.media.Variants.Cleanup, &mediav1.CleanupVariantRequest{Hash: o.hash, Variant: thumbnail})
					if got.GetRemoved() {
						g.t.Errorf("Variants.Cleanup removes a variant that is gone")
					}
				})
			}},
	}
}

// hasVariants checks the variants of a hash with their identifiers, together and one by one.
func (g *gallery) hasVariants(hash []byte, want map[string]string) {
	g.t.Helper()
	got := ask(g, g.media.Variants.ForHash, &mediav1.HashRequest{Hash: hash}).Variants
	var listed, wanted []string
	for _, v := range got {
		listed = append(listed, v.Variant+" "+v.Identifier)
	}
	for variant, identifier := range want {
		wanted = append(wanted, variant+" "+identifier)
		equal(g, "the identifier of a variant", ask(g, g.media.Variants.Identifier, &mediav1.VariantRequest{Hash: hash, Variant: variant}).Identifier, identifier)
	}
	sameSet(g, "the variants of the hash", listed, wanted)
}
