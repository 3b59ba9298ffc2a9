package conformance

import (
	"time"

	"google.golang.org/grpc/codes"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// inFuture is a time of access that no clock has reached.
func inFuture(hours int) time.Time {
	return time.Date(2230, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(hours) * time.Hour)
}

// during lets something happen at a certain time of the storage's clock, where that can be stopped.
func (g *gallery) during(at time.Time, do func()) {
	g.t.Helper()
	if g.media.Clock == nil {
		do()
		return
	}
	_, goOn := g.media.Clock.stop()
	defer goOn()
	g.media.Clock.set(at)
	do()
}

// urlAt gives an alias a URL that was used at a certain time. The time of the relation is forgotten
// first, where that can be done: times may never move backwards.
func (g *gallery) urlAt(alias string, at time.Time) (url string) {
	g.t.Helper()
	g.during(at, func() { url = g.url(alias) })
	_ = try(g, g.media.Access.RemoveAlias, &mediav1.AliasRequest{Alias: alias})
	ask(g, g.media.Access.Alias, &mediav1.AccessedAliasRequest{Alias: alias, Accessed: stamp(at)})
	return url
}

// generatedAt gives a hash a variant that was used at a certain time, as urlAt does.
func (g *gallery) generatedAt(hash []byte, variant string, at time.Time) {
	g.t.Helper()
	g.during(at, func() { g.generated(hash, variant) })
	_ = try(g, g.media.Access.RemoveVariant, &mediav1.VariantRequest{Hash: hash, Variant: variant})
	ask(g, g.media.Access.Variant, &mediav1.AccessedVariantRequest{Hash: hash, Variant: variant, Accessed: stamp(at)})
}

func (g *gallery) aliasAt(alias string) time.Time {
	g.t.Helper()
	return ask(g, g.media.Access.AliasAt, &mediav1.AliasRequest{Alias: alias}).GetAccessed().AsTime()
}

func (g *gallery) variantAt(hash []byte, variant string) time.Time {
	g.t.Helper()
	return ask(g, g.media.Access.VariantAt, &mediav1.VariantRequest{Hash: hash, Variant: variant}).GetAccessed().AsTime()
}

func (g *gallery) touchAlias(alias string, at time.Time) {
	g.t.Helper()
	ask(g, g.media.Access.Alias, &mediav1.AccessedAliasRequest{Alias: alias, Accessed: stamp(at)})
}

func (g *gallery) touchVariant(hash []byte, variant string, at time.Time) {
	g.t.Helper()
	ask(g, g.media.Access.Variant, &mediav1.AccessedVariantRequest{Hash: hash, Variant: variant, Accessed: stamp(at)})
}

// settles checks a time of access that was followed by an earlier one.
func (g *gallery) settles(got, later, earlier time.Time) {
	g.t.Helper()
	if !got.Equal(later) && !got.Equal(earlier) {
		g.t.Errorf("the time of access is %s; it should be the last one, %s, or stay %s", shown(got), shown(earlier), shown(later))
	}
}

const (
	accessSets  = "the last access is set; a time before the stored one sets it or changes nothing"
	accessOther = "only what was used is touched"
	accessNone  = "what was never used has no time of access; to record that of something unknown is no error"
)

func aliasAccessCases() []mediaCase {
	access := keys(aliasAccessAccessed, aliasAccessAccessedAt)
	proxied := on(access, keys(proxiesRelate))
	return []mediaCase{
		{name: "alias_access.accessed sets the time of access", on: proxied, says: accessSets,
			run: func(g *gallery) {
				alias := g.alias(g.original().hash)
				g.url(alias)
				g.isNow("the time of access of a new URL's alias", g.aliasAt(alias))
				for hours := range 3 {
					g.touchAlias(alias, inFuture(hours))
					equal(g, "the time of access", g.aliasAt(alias), inFuture(hours))
				}
				g.touchAlias(alias, inFuture(1))
				g.settles(g.aliasAt(alias), inFuture(2), inFuture(1))
			}},
		{name: "alias_access.accessed takes the time of now where none is given", on: proxied, says: "accessed is now, or the time that is given", needs: []Capability{AgesAccess}, exclusive: true,
			run: func(g *gallery) {
				alias := g.alias(g.original().hash)
				g.urlAt(alias, longAgo())
				equal(g, "the time of access", g.aliasAt(alias), longAgo())
				ask(g, g.media.Access.Alias, &mediav1.AccessedAliasRequest{Alias: alias})
				g.isNow("the time of access", g.aliasAt(alias))
			}},
		{name: "alias_access.accessed changes no other alias", on: proxied, says: accessOther,
			run: func(g *gallery) {
				g.beside(func(o original) {
					alias := g.alias(o.hash)
					g.url(alias)
					before := map[string]time.Time{}
					for _, other := range similar(alias)[1:] {
						g.named(o.hash, other)
						g.url(other)
						before[other] = g.aliasAt(other)
					}
					g.touchAlias(alias, inFuture(1))
					for other, at := range before {
						equal(g, "the time of access of another alias", g.aliasAt(other), at)
					}
				})
			}},
		{name: "alias_access.accessed_at is the latest of several URLs", on: proxied, says: "an alias that several URLs stand for was used when the last of them was", needs: []Capability{AgesAccess, ClockStops}, exclusive: true,
			run: func(g *gallery) {
				alias := g.alias(g.original().hash)
				for i, days := range []int{2, 1} { // first the newer, then the older
					g.during(longAgo().AddDate(0, 0, days), func() { g.url(alias) })
					if i == 0 {
						g.touchAlias(alias, longAgo().AddDate(0, 0, days))
					}
				}
				equal(g, "the time of access", g.aliasAt(alias), longAgo().AddDate(0, 0, 2))
				g.touchAlias(alias, longAgo().AddDate(0, 0, 3))
				equal(g, "the time of access after another access", g.aliasAt(alias), longAgo().AddDate(0, 0, 3))
			}},
		{name: "alias_access.accessed of an unknown alias is no error", on: access, says: accessNone,
			run: func(g *gallery) {
				alias := newAlias()
				g.later(func() { _ = try(g, g.media.Access.RemoveAlias, &mediav1.AliasRequest{Alias: alias}) })
				absent(g, g.media.Access.AliasAt, &mediav1.AliasRequest{Alias: alias})
				g.touchAlias(alias, inFuture(0))
				g.nobody(alias)
			}},
		{name: "alias_access.accessed_at of an alias without URL", on: access, says: accessNone,
			run: func(g *gallery) {
				g.beside(func(o original) {
					alias := g.alias(o.hash)
					absent(g, g.media.Access.AliasAt, &mediav1.AliasRequest{Alias: alias})
				})
			}},
		{name: "alias_access.accessed of an alias without URL", on: access, says: "the access of an alias without a URL is recorded, or it is not; both is no error",
			run: func(g *gallery) {
				alias := g.alias(g.original().hash)
				g.touchAlias(alias, inFuture(0))
				got, err := g.media.Access.AliasAt(g.ctx, &mediav1.AliasRequest{Alias: alias})
				if err != nil {
					refused(g.t, "Access.AliasAt of an alias without URL", err, codes.NotFound, fault.DoesNotExist)
					return
				}
				equal(g, "the time of access", got.GetAccessed().AsTime(), inFuture(0))
			}},
		{name: "alias_access.remove forgets the time of access", on: on(proxied, keys(aliasAccessRemove)), says: "the time is forgotten, or nothing is done where it goes with the URL; no other is touched",
			run: func(g *gallery) {
				g.beside(func(o original) {
					alias := g.alias(o.hash)
					url := g.url(alias)
					g.touchAlias(alias, inFuture(0))
					got := ask(g, g.media.Access.RemoveAlias, &mediav1.AliasRequest{Alias: alias})
					if got.Affected == nil {
						equal(g, "the time of access", g.aliasAt(alias), inFuture(0))
						ask(g, g.media.Proxies.Remove, &mediav1.AliasRequest{Alias: alias})
					} else {
						g.affects(1, "remove", got)
						g.relates(url, alias)
					}
					absent(g, g.media.Access.AliasAt, &mediav1.AliasRequest{Alias: alias})
					ask(g, g.media.Access.RemoveAlias, &mediav1.AliasRequest{Alias: alias})
					ask(g, g.media.Access.RemoveAlias, &mediav1.AliasRequest{Alias: newAlias()})
					absent(g, g.media.Access.AliasAt, &mediav1.AliasRequest{Alias: alias})
				})
			}},
		{name: "alias_access.accessed sets a forgotten time again", on: on(proxied, keys(aliasAccessRemove)), says: accessSets,
			run: func(g *gallery) {
				alias := g.alias(g.original().hash)
				g.url(alias)
				if ask(g, g.media.Access.RemoveAlias, &mediav1.AliasRequest{Alias: alias}).Affected != nil {
					g.touchAlias(alias, longAgo())
					equal(g, "the time of access", g.aliasAt(alias), longAgo())
				}
				g.touchAlias(alias, inFuture(0))
				equal(g, "the time of access", g.aliasAt(alias), inFuture(0))
			}},
	}
}

func variantAccessCases() []mediaCase {
	access := keys(variantAccessAccessed, variantAccessAccessedAt)
	return []mediaCase{
		{name: "variant_access.accessed sets the time of access", on: access, says: accessSets,
			run: func(g *gallery) {
				o := g.original()
				g.generated(o.hash, thumbnail)
				for hours := range 3 {
					ask(g, g.media.Access.Variant, &mediav1.AccessedVariantRequest{Hash: o.hash, Variant: thumbnail, Accessed: stamp(inFuture(hours))})
					equal(g, "the time of access", g.variantAt(o.hash, thumbnail), inFuture(hours))
				}
				g.touchVariant(o.hash, thumbnail, inFuture(1))
				g.settles(g.variantAt(o.hash, thumbnail), inFuture(2), inFuture(1))
			}},
		{name: "variant_access.accessed takes the time of now where none is given", on: access, says: "accessed is now, or the time that is given", needs: []Capability{AgesAccess}, exclusive: true,
			run: func(g *gallery) {
				o := g.original()
				g.generatedAt(o.hash, thumbnail, longAgo())
				equal(g, "the time of access", g.variantAt(o.hash, thumbnail), longAgo())
				ask(g, g.media.Access.Variant, &mediav1.AccessedVariantRequest{Hash: o.hash, Variant: thumbnail})
				g.isNow("the time of access", g.variantAt(o.hash, thumbnail))
			}},
		{name: "variant_access.accessed changes no other variant", on: access, says: accessOther,
			run: func(g *gallery) {
				g.beside(func(o original) {
					before := map[string]time.Time{}
					for _, other := range similar(thumbnail)[1:] {
						g.generated(o.hash, other)
						before[other] = g.variantAt(o.hash, other)
					}
					identifier := ask(g, g.media.Variants.Identifier, &mediav1.VariantRequest{Hash: o.hash, Variant: thumbnail}).Identifier
					g.touchVariant(o.hash, thumbnail, inFuture(1))
					equal(g, "the identifier of the variant", ask(g, g.media.Variants.Identifier, &mediav1.VariantRequest{Hash: o.hash, Variant: thumbnail}).Identifier, identifier)
					for other, at := range before {
						equal(g, "the time of access of another variant", g.variantAt(o.hash, other), at)
					}
				})
			}},
		{name: "variant_access.accessed of an unknown variant is no error", on: access, says: accessNone,
			run: func(g *gallery) {
				g.beside(func(o original) {
					for _, hash := range [][]byte{o.hash, newHash()} {
						request := &mediav1.VariantRequest{Hash: hash, Variant: "resize/1/png"}
						g.later(func() { _ = try(g, g.media.Access.RemoveVariant, request) })
						absent(g, g.media.Access.VariantAt, request)
						g.touchVariant(hash, request.Variant, inFuture(0))
						absent(g, g.media.Variants.Identifier, request)
					}
				})
			}},
		{name: "variant_access.contains tells whether a time of access is known", on: on(access, keys(variantAccessContains)), says: "a time of access is known, or not", needs: []Capability{RelatingIsAccess},
			run: func(g *gallery) {
				g.beside(func(o original) {
					contained := func(hash []byte, variant string, want bool) {
						g.t.Helper()
						equal(g, "contained", ask(g, g.media.Access.ContainsVariant, &mediav1.VariantRequest{Hash: hash, Variant: variant}).Contained, want)
					}
					contained(o.hash, thumbnail, true)
					contained(o.hash, blurred, true)
					for _, variant := range similar(thumbnail)[1:] {
						contained(o.hash, variant, false)
					}
					contained(newHash(), thumbnail, false)
					ask(g, g.media.Variants.Remove, &mediav1.VariantRequest{Hash: o.hash, Variant: thumbnail})
					contained(o.hash, thumbnail, false)
					contained(o.hash, blurred, true)
				})
			}},
		{name: "variant_access.remove forgets the time of access", on: on(access, keys(variantAccessRemove, variantAccessContains)), says: "the time is forgotten, or nothing is done where it goes with the variant; no other is touched",
			run: func(g *gallery) {
				g.beside(func(o original) {
					request := &mediav1.VariantRequest{Hash: o.hash, Variant: thumbnail}
					other := g.variantAt(o.hash, blurred)
					g.touchVariant(o.hash, thumbnail, inFuture(0))
					got := ask(g, g.media.Access.RemoveVariant, request)
					if got.Affected == nil {
						equal(g, "the time of access", g.variantAt(o.hash, thumbnail), inFuture(0))
						ask(g, g.media.Variants.Remove, request)
					} else {
						g.affects(1, "remove", got)
						ask(g, g.media.Variants.Identifier, request)
					}
					absent(g, g.media.Access.VariantAt, request)
					ask(g, g.media.Access.RemoveVariant, request)
					ask(g, g.media.Access.RemoveVariant, &mediav1.VariantRequest{Hash: newHash(), Variant: thumbnail})
					absent(g, g.media.Access.VariantAt, request)
					equal(g, "contained", ask(g, g.media.Access.ContainsVariant, request).Contained, false)
					equal(g, "the time of access of another variant", g.variantAt(o.hash, blurred), other)
				})
			}},
		{name: "variant_access.accessed sets a forgotten time again", on: on(access, keys(variantAccessRemove, variantAccessContains)), says: accessSets,
			run: func(g *gallery) {
				o := g.original()
				g.generated(o.hash, thumbnail)
				request := &mediav1.VariantRequest{Hash: o.hash, Variant: thumbnail}
				if ask(g, g.media.Access.RemoveVariant, request).Affected != nil {
					g.touchVariant(o.hash, thumbnail, longAgo())
					equal(g, "the time of access", g.variantAt(o.hash, thumbnail), longAgo())
				}
				g.touchVariant(o.hash, thumbnail, inFuture(0))
				equal(g, "the time of access", g.variantAt(o.hash, thumbnail), inFuture(0))
				equal(g, "contained", ask(g, g.media.Access.ContainsVariant, request).Contained, true)
			}},
	}
}
