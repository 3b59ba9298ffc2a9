package conformance

import (
	"context"
	"fmt"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

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
		{name: "Races: a stale claim is taken over by several", on: on(claims, keys(variantsExpireClaims)),
			says: one, needs: []Capability{ExclusiveClaims, StaleClaimsFreed}, exclusive: true,
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
		{name: "Races: every claimer of a variant ends with the same file", on: on(claims, keys(variantsRelate, variantsRelease)),
			says: "the variant is generated once, and everybody gets it", needs: needs, run: generateOnce},
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
