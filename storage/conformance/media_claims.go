package conformance

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// mediaClaimCases are the behaviours of the exclusive right to generate a variant, and of those who wait.
func mediaClaimCases() []mediaCase {
	all := slices.Concat(claimCases(), staleClaimCases(), variantWaitCases())
	for i := range all {
		all[i].needs = append(all[i].needs, ExclusiveClaims)
	}
	return all
}

// A generation is a variant of a hash that somebody wants.
type generation struct {
	*gallery
	hash    []byte
	variant string
}

// generation returns a variant that nobody knows, of a hash that is stored.
func (g *gallery) generation() *generation {
	g.t.Helper()
	return &generation{gallery: g, hash: g.original().hash, variant: "resize/" + unique(4) + "/webp"}
}

// of returns the same variant of another hash.
func (v *generation) of() *generation {
	v.t.Helper()
	w := v.generation()
	w.variant = v.variant
	return w
}

// as returns another variant of the same hash.
func (v *generation) as(variant string) *generation {
	return &generation{gallery: v.gallery, hash: v.hash, variant: variant}
}

// request names the variant.
func (v *generation) request() *mediav1.VariantRequest {
	return &mediav1.VariantRequest{Hash: v.hash, Variant: v.variant}
}

func (v *generation) claim() *mediav1.ClaimVariantResponse {
	v.t.Helper()
	return ask(v.gallery, v.media.Variants.Claim, v.request())
}

// claims checks what somebody is told who wants to generate the variant.
func (v *generation) claims(want mediav1.ClaimVariantResponse_Outcome, why string) {
	v.t.Helper()
	got := v.claim()
	if got.Outcome != want {
		v.t.Errorf("Variants.Claim: %s, though %s", got.Outcome, why)
	}
	if got.Outcome != mediav1.ClaimVariantResponse_EXISTS && got.Identifier != "" {
		v.t.Errorf("Variants.Claim: %s with an identifier", got.Outcome)
	}
}

// beat sends a heartbeat, and tells whether the variant is claimed.
func (v *generation) beat() bool {
	v.t.Helper()
	return ask(v.gallery, v.media.Variants.Heartbeat, v.request()).Held
}

func (v *generation) held(want bool, why string) {
	v.t.Helper()
	if got := v.beat(); got != want {
		v.t.Errorf("Variants.Heartbeat: held %v, though %s", got, why)
	}
}

func (v *generation) release() {
	v.t.Helper()
	ask(v.gallery, v.media.Variants.Release, v.request())
}

// relate records that the variant is generated, and returns its identifier.
func (v *generation) relate() string {
	v.t.Helper()
	identifier := newIdentifier()
	got := ask(v.gallery, v.media.Variants.Relate, &mediav1.RelateVariantRequest{Hash: v.hash, Variant: v.variant, Identifier: identifier})
	if got.Existed || got.Identifier != identifier {
		v.t.Fatalf("Variants.Relate of a variant that nobody has: existed %v", got.Existed)
	}
	return identifier
}

// waits waits for the variant beside the case.
func (v *generation) waits(whileClaimed bool) *pending[mediav1.IdentifierResponse] {
	return begin(v.gallery, v.media.Variants.Wait, &mediav1.WaitVariantRequest{Hash: v.hash, Variant: v.variant, WhileClaimed: whileClaimed})
}

// gets checks that one who waits gets the variant.
func (v *generation) gets(p *pending[mediav1.IdentifierResponse], identifier string) {
	v.t.Helper()
	if got, err := p.answer(); err != nil || got.Identifier != identifier {
		v.t.Errorf("Variants.Wait: identifier %q, %v; it should be %q", got.GetIdentifier(), err, identifier)
	}
}

// getsNone checks that one who waits learns that nobody generates the variant.
func (v *generation) getsNone(p *pending[mediav1.IdentifierResponse]) {
	v.t.Helper()
	if _, err := p.answer(); status.Code(err) != codes.NotFound || fault.ReasonOf(err) != fault.DoesNotExist {
		v.t.Fatalf("Variants.Wait while claimed: %v; it should be NOT_FOUND, since nobody generates the variant any more", err)
	}
}

// abandoned says whether one who would wait for a claim to end is told that there is none.
func (v *generation) abandoned() bool {
	ctx, cancel := context.WithTimeout(v.ctx, 2*time.Second)
	defer cancel()
	_, err := v.media.Variants.Wait(ctx, &mediav1.WaitVariantRequest{Hash: v.hash, Variant: v.variant, WhileClaimed: true})
	return status.Code(err) == codes.NotFound
}

// unclaimed checks that nobody generates the variant.
func (v *generation) unclaimed(why string) {
	v.t.Helper()
	if !v.abandoned() {
		v.t.Fatalf("Variants.Wait while claimed: it does not tell that nobody generates the variant, though %s", why)
	}
}

// around returns variants that differ from one in one part of its key.
func (v *generation) around() []*generation {
	v.t.Helper()
	return []*generation{v.of(), v.as(v.variant + "x"), v.as(v.variant + " "), v.as(v.variant[:len(v.variant)-1]), v.as("RESIZE" + v.variant[6:])}
}

// Shorthands for what somebody is told who wants to generate a variant.
const (
	claimed = mediav1.ClaimVariantResponse_CLAIMED
	busy    = mediav1.ClaimVariantResponse_BUSY
	exists  = mediav1.ClaimVariantResponse_EXISTS
)

func claimCases() []mediaCase {
	const (
		exclusive = "one at a time has the right to generate a variant"
		there     = "a variant that exists is not generated again"
	)
	claims := keys(variantsClaim, variantsIdentifier)
	return []mediaCase{
		{name: "variants.claim gives one the right to generate", on: claims, says: exclusive,
			run: func(g *gallery) {
				v := g.generation()
				v.claims(claimed, "nobody has claimed it")
				v.claims(busy, "it is claimed")
				v.claims(busy, "it is claimed")
			}},
		{name: "variants.claim is about one variant of one hash", on: on(claims, keys(variantsRelease)), says: exclusive,
			run: func(g *gallery) {
				v := g.generation()
				v.claims(claimed, "nobody has claimed it")
				for _, w := range v.around() {
					w.claims(claimed, "only another variant or hash is claimed")
				}
				v.claims(busy, "it is claimed")
			}},
		{name: "variants.claim returns the variant that exists", on: on(claims, keys(variantsRelate)), says: there,
			run: func(g *gallery) {
				v := g.generation()
				neighbours := v.around()
				identifier := v.relate()
				for range 2 {
					got := v.claim()
					if got.Outcome != exists || got.Identifier != identifier {
						g.t.Errorf("Variants.Claim of a variant that exists: %s, %q; it should be EXISTS, %q", got.Outcome, got.Identifier, identifier)
					}
				}
				for _, w := range neighbours {
					w.claims(claimed, "only another variant exists, or that of another hash")
				}
			}},
		{name: "variants.claim leaves no claim of a variant that exists", on: on(claims, keys(variantsRelate, variantsRemove)), says: there,
			run: func(g *gallery) {
				v := g.generation()
				v.relate()
				v.claims(exists, "it is generated")
				ask(g, g.media.Variants.Remove, v.request())
				v.claims(claimed, "it was removed, and nobody has claimed it since")
			}},
		{name: "variants.claim returns a variant that was related under a claim", on: on(claims, keys(variantsRelate)), says: there,
			run: func(g *gallery) {
				v := g.generation()
				v.claims(claimed, "nobody has claimed it")
				identifier := v.relate()
				if got := v.claim(); got.Outcome != exists || got.Identifier != identifier {
					g.t.Errorf("Variants.Claim of a variant that exists: %s, %q; it should be EXISTS, %q", got.Outcome, got.Identifier, identifier)
				}
				v.release()
				v.claims(exists, "it is generated")
			}},
		{name: "variants.claim may be asked for odd hashes and variants", on: on(claims, keys(variantsRelease, variantsHeartbeat)), says: "hash and variant are opaque", run: oddClaims},
		{name: "variants.release frees the variant", on: keys(variantsRelease, variantsClaim), says: "a claim is given up after success and failure alike",
			run: func(g *gallery) {
				v := g.generation()
				for range 3 {
					v.claims(claimed, "it is free")
					v.release()
				}
				v.release()
				v.claims(claimed, "it is free")
				v.claims(busy, "it is claimed")
			}},
		{name: "variants.release frees nothing else", on: keys(variantsRelease, variantsClaim), says: "one claim is given up",
			run: func(g *gallery) {
				v := g.generation()
				neighbours := v.around()
				for _, w := range append(neighbours, v) {
					w.claims(claimed, "nobody has claimed it")
				}
				v.release()
				for _, w := range neighbours {
					w.claims(busy, "only another variant was released, or that of another hash")
				}
				v.claims(claimed, "it was released")
			}},
		{name: "variants.release of what nobody claimed is no error", on: keys(variantsRelease), says: "a claim that is gone is no error",
			run: func(g *gallery) {
				v := g.generation()
				v.release()
				v.claims(claimed, "nobody has claimed it")
			}},
		{name: "variants.heartbeat tells whether the claim is held", on: keys(variantsHeartbeat, variantsRelease, variantsClaim),
			says: "held is false if the claim was lost", needs: []Capability{TellsClaimHeld},
			run: func(g *gallery) {
				v := g.generation()
				neighbours := v.around()
				v.held(false, "nobody has claimed it")
				v.claims(claimed, "nobody has claimed it")
				v.held(true, "it is claimed")
				v.held(true, "it is claimed")
				for _, w := range neighbours {
					w.held(false, "only another variant is claimed, or that of another hash")
				}
				v.release()
				v.held(false, "it was released")
				v.claims(claimed, "a heartbeat makes no claim")
			}},
	}
}

// oddClaims claims variants whose keys would be equal if hash and variant were joined carelessly.
func oddClaims(g *gallery) {
	v := g.generation()
	base := unique(4)
	var all []*generation
	for _, variant := range []string{"", base, base + "'", base + `"\`, base + "%", base + "\n", base + "ü漢字", base + " -- ;", base + "$1@key"} {
		all = append(all, v.as(variant))
	}
	for _, w := range all {
		w.claims(claimed, fmt.Sprintf("nobody has claimed it, variant %q", w.variant))
	}
	for _, w := range all {
		w.claims(busy, fmt.Sprintf("it is claimed, variant %q", w.variant))
		w.held(true, fmt.Sprintf("it is claimed, variant %q", w.variant))
		w.release()
	}
	for _, w := range all {
		w.claims(claimed, fmt.Sprintf("it was released, variant %q", w.variant))
	}
}

func staleClaimCases() []mediaCase {
	const frees = "a claim whose last heartbeat is stale counts as free, and a younger one does not"
	stale := keys(variantsClaim, variantsExpireClaims)
	needs := []Capability{StaleClaimsFreed}
	return []mediaCase{
		{name: "variants.claim takes over a claim of exactly the cutoff, and none that is younger", on: stale, says: frees, needs: needs, exclusive: true,
			run: func(g *gallery) {
				at, age := g.stopClock(), g.claimStaleAfter()
				v := g.generation()
				v.claims(claimed, "nobody has claimed it")
				g.at(at.Add(age - time.Second))
				v.claims(busy, "its claim is younger than stale_after")
				g.at(at.Add(age))
				v.claims(claimed, "its claim is stale_after old")
				v.claims(busy, "it was taken over")
				g.at(at.Add(2*age - time.Second))
				v.claims(busy, "it was taken over less than stale_after ago")
				g.at(at.Add(2 * age))
				v.claims(claimed, "it was taken over stale_after ago")
			}},
		{name: "variants.heartbeat keeps a claim from becoming stale", on: on(stale, keys(variantsHeartbeat)), says: frees, needs: needs, exclusive: true,
			run: func(g *gallery) {
				at, age := g.stopClock(), g.claimStaleAfter()
				v := g.generation()
				v.claims(claimed, "nobody has claimed it")
				g.at(at.Add(age / 2))
				v.held(true, "it is claimed")
				g.at(at.Add(age))
				v.claims(busy, "a heartbeat came in time")
				g.at(at.Add(age/2 + age - time.Second))
				v.claims(busy, "its last heartbeat is younger than stale_after")
				g.at(at.Add(age/2 + age))
				v.claims(claimed, "its last heartbeat is stale_after old")
			}},
		{name: "variants.heartbeat keeps one claim only", on: on(stale, keys(variantsHeartbeat)), says: frees, needs: needs, exclusive: true,
			run: func(g *gallery) {
				at, age := g.stopClock(), g.claimStaleAfter()
				v := g.generation()
				neighbours := v.around()
				for _, w := range append(neighbours, v) {
					w.claims(claimed, "nobody has claimed it")
				}
				g.at(at.Add(age / 2))
				v.held(true, "it is claimed")
				g.at(at.Add(age))
				for _, w := range neighbours {
					w.claims(claimed, "only another claim had a heartbeat")
				}
				v.claims(busy, "a heartbeat came in time")
			}},
		{name: "variants.claim leaves younger claims alone", on: stale, says: frees, needs: needs, exclusive: true,
			run: func(g *gallery) {
				at, age := g.stopClock(), g.claimStaleAfter()
				old, young := g.generation(), g.generation()
				old.claims(claimed, "nobody has claimed it")
				g.at(at.Add(time.Second))
				young.claims(claimed, "nobody has claimed it")
				g.at(at.Add(age))
				g.generation().claims(claimed, "nobody has claimed it")
				young.claims(busy, "its claim is younger than stale_after")
				old.claims(claimed, "its claim is stale_after old")
			}},
		{name: "variants.expire_claims deletes the stale claims of all variants", on: keys(variantsExpireClaims, variantsHeartbeat),
			says: "whoever claims a variant expires all stale claims", needs: []Capability{ExpiresClaims}, exclusive: true,
			run: func(g *gallery) {
				at, age := g.stopClock(), g.claimStaleAfter()
				old, young := []*generation{g.generation(), g.generation()}, g.generation()
				for _, v := range old {
					v.claims(claimed, "nobody has claimed it")
				}
				g.at(at.Add(time.Second))
				young.claims(claimed, "nobody has claimed it")
				g.at(at.Add(age))
				g.generation().claims(claimed, "nobody has claimed it")
				for _, v := range old {
					v.held(false, "its claim was stale when another variant was claimed")
				}
				young.held(true, "its claim is younger than stale_after")
			}},
		{name: "variants.heartbeat of a stale claim keeps it, if nobody took it", on: on(stale, keys(variantsHeartbeat)),
			says: "a claim is lost when it is released, expired or taken over", needs: needs, exclusive: true,
			run: func(g *gallery) {
				at, age := g.stopClock(), g.claimStaleAfter()
				v := g.generation()
				v.claims(claimed, "nobody has claimed it")
				g.at(at.Add(age + time.Second))
				v.held(true, "nobody has taken it over")
				v.claims(busy, "it has just had a heartbeat")
			}},
	}
}

func variantWaitCases() []mediaCase {
	const waits = "those who wait for a variant get it as soon as it is generated"
	life := keys(variantsIdentifier, variantsRelate, variantsRelease, variantsNotify, variantsListen)
	tells := on(life, keys(variantsClaimed))
	return []mediaCase{
		{name: "Wait returns a variant that exists", on: life, says: waits,
			run: func(g *gallery) {
				v := g.generation()
				identifier := v.relate()
				for _, whileClaimed := range []bool{false, true} {
					v.gets(v.waits(whileClaimed), identifier)
				}
			}},
		{name: "Wait returns a variant that is generated meanwhile", on: life, says: waits,
			run: func(g *gallery) {
				v := g.generation()
				v.claims(claimed, "nobody has claimed it")
				all := []*pending[mediav1.IdentifierResponse]{v.waits(false), v.waits(true), v.waits(false)}
				identifier := v.relate()
				v.release()
				for _, p := range append(all, v.waits(true)) {
					v.gets(p, identifier)
				}
			}},
		{name: "Wait returns a variant that is generated without a claim", on: life, says: waits,
			run: func(g *gallery) {
				v := g.generation()
				waiting := v.waits(false)
				identifier := v.relate()
				v.gets(waiting, identifier)
			}},
		{name: "Wait outlasts a generation that fails", on: life, says: "without while_claimed those who wait do so until their deadline",
			run: func(g *gallery) {
				v := g.generation()
				v.claims(claimed, "nobody has claimed it")
				waiting := v.waits(false)
				v.release()
				v.claims(claimed, "it was released")
				identifier := v.relate()
				v.release()
				v.gets(waiting, identifier)
			}},
		{name: "Wait goes on while other variants are generated", on: life, says: waits,
			run: func(g *gallery) {
				v := g.generation()
				neighbours := v.around()
				waiting := v.waits(false)
				for _, w := range neighbours {
					identifier := w.relate()
					w.release()
					w.gets(w.waits(false), identifier)
				}
				identifier := v.relate()
				v.release()
				v.gets(waiting, identifier)
			}},
		{name: "Wait ends with its deadline", on: keys(variantsIdentifier), says: "DEADLINE_EXCEEDED if the variant is not generated",
			run: func(g *gallery) {
				v := g.generation()
				request := &mediav1.WaitVariantRequest{Hash: v.hash, Variant: v.variant}
				timesOut(g, g.media.Variants.Wait, request, "nobody generates the variant, which is not asked for")
				v.claims(claimed, "nobody has claimed it")
				timesOut(g, g.media.Variants.Wait, request, "the variant is being generated")
				request.WhileClaimed = true
				timesOut(g, g.media.Variants.Wait, request, "the variant is being generated")
			}},
		{name: "Wait while claimed tells that nobody generates the variant", on: tells,
			says: "with while_claimed those who wait are told when the claim is gone", needs: []Capability{TellsClaimed},
			run: func(g *gallery) {
				v := g.generation()
				for _, w := range v.around() {
					w.claims(claimed, "nobody has claimed it")
				}
				v.unclaimed("only other variants are claimed, or those of other hashes")
				v.claims(claimed, "nobody has claimed it")
				waiting := []*pending[mediav1.IdentifierResponse]{v.waits(true), v.waits(true)}
				v.release()
				v.unclaimed("it was released")
				for _, p := range waiting {
					v.getsNone(p)
				}
			}},
		{name: "Wait while claimed does not count a stale claim", on: tells, says: "a stale claim counts as free", needs: []Capability{TellsClaimed, StaleClaimsFreed}, exclusive: true,
			run: func(g *gallery) {
				at, age := g.stopClock(), g.claimStaleAfter()
				v := g.generation()
				v.claims(claimed, "nobody has claimed it")
				request := &mediav1.WaitVariantRequest{Hash: v.hash, Variant: v.variant, WhileClaimed: true}
				g.at(at.Add(age - time.Second))
				timesOut(g, g.media.Variants.Wait, request, "its claim is younger than stale_after")
				g.at(at.Add(age))
				v.unclaimed("its claim is stale_after old")
			}},
	}
}
