package conformance

import (
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

func proxyCases() []mediaCase {
	const (
		inserts = "a URL is stored with its alias"
		keeps   = "a URL that has an alias is told, and keeps it"
		exact   = "URLs are compared exactly"
		removes = "every URL of the alias is forgotten, and no other; none is no error"
	)
	return []mediaCase{
		{name: "proxies.relate_url stores a URL", on: keys(proxiesRelate, proxiesRelated), says: inserts,
			run: func(g *gallery) {
				alias := g.alias(g.original().hash)
				other := g.alias(g.original().hash)
				first, second, third := g.url(alias), g.url(other), g.url(alias)
				g.relates(first, alias)
				g.relates(second, other)
				g.relates(third, alias)
			}},
		{name: "proxies.relate_url of a known URL changes nothing", on: keys(proxiesRelate, proxiesRelated), says: keeps,
			run: func(g *gallery) {
				g.beside(func(o original) {
					alias, other := g.alias(o.hash), g.alias(o.hash)
					url := g.url(alias)
					g.keeps(o.hash, func() {
						refuse(g, codes.AlreadyExists, fault.AlreadyExists, g.media.Proxies.Relate, &mediav1.RelateURLRequest{Url: url, Alias: other})
						g.relates(url, alias)
						err := try(g, g.media.Proxies.Relate, &mediav1.RelateURLRequest{Url: url, Alias: alias})
						if err != nil && status.Code(err) != codes.AlreadyExists {
							g.t.Errorf("Proxies.Relate for the second time: %v", err)
						}
						g.relates(url, alias)
					})
				})
			}},
		{name: "proxies.relate_url needs the alias", on: keys(proxiesRelate), says: "a URL of an alias that is not there is not stored", needs: []Capability{KeepsProxiedAliases},
			run: func(g *gallery) {
				alias, url := newAlias(), newURL()
				absent(g, g.media.Proxies.Relate, &mediav1.RelateURLRequest{Url: url, Alias: alias})
				absent(g, g.media.Proxies.Related, &mediav1.URLRequest{Url: url})
			}},
		{name: "proxies.related keeps URLs apart", on: keys(proxiesRelate, proxiesRelated), says: exact,
			run: func(g *gallery) {
				o, base := g.original(), newURL()
				want := map[string]string{}
				for _, url := range append(similar(base), base+"?a=b&c=d#e", base+"%20%27", strings.Replace(base, "https", "http", 1)) {
					absent(g, g.media.Proxies.Related, &mediav1.URLRequest{Url: url})
					want[url] = g.alias(o.hash)
					ask(g, g.media.Proxies.Relate, &mediav1.RelateURLRequest{Url: url, Alias: want[url]})
				}
				for url, alias := range want {
					g.relates(url, alias)
				}
			}},
		{name: "proxies.relate_url stores any URL", on: keys(proxiesRelate, proxiesRelated), says: "a URL is any text",
			run: func(g *gallery) {
				alias := g.alias(g.original().hash)
				for _, odd := range oddTexts() {
					url := newURL() + odd
					ask(g, g.media.Proxies.Relate, &mediav1.RelateURLRequest{Url: url, Alias: alias})
					g.relates(url, alias)
				}
			}},
		{name: "proxies.remove forgets all URLs of an alias", on: keys(proxiesRemove), says: removes,
			run: func(g *gallery) {
				o := g.original()
				all := similar(newAlias())
				urls := map[string][]string{}
				for _, alias := range all {
					g.named(o.hash, alias)
					urls[alias] = []string{g.url(alias), g.url(alias)}
				}
				g.affects(2, "remove", ask(g, g.media.Proxies.Remove, &mediav1.AliasRequest{Alias: all[0]}))
				g.affects(0, "remove of what is gone", ask(g, g.media.Proxies.Remove, &mediav1.AliasRequest{Alias: all[0]}))
				g.affects(0, "remove of an unknown alias", ask(g, g.media.Proxies.Remove, &mediav1.AliasRequest{Alias: newAlias()}))
				for _, alias := range all {
					for _, url := range urls[alias] {
						if alias == all[0] {
							absent(g, g.media.Proxies.Related, &mediav1.URLRequest{Url: url})
						} else {
							g.relates(url, alias)
						}
					}
				}
				sameSet(g, "the aliases of the hash", g.aliasesOf(o.hash), all)
			}},
		{name: "proxies.relate_url relates a forgotten URL again", on: keys(proxiesRemove, proxiesRelate), says: removes,
			run: func(g *gallery) {
				o := g.original()
				alias, other := g.alias(o.hash), g.alias(o.hash)
				url := g.url(alias)
				ask(g, g.media.Proxies.Remove, &mediav1.AliasRequest{Alias: alias})
				ask(g, g.media.Proxies.Relate, &mediav1.RelateURLRequest{Url: url, Alias: other})
				g.relates(url, other)
			}},
	}
}

func (g *gallery) relates(url, alias string) {
	g.t.Helper()
	equal(g, "the alias of the URL", ask(g, g.media.Proxies.Related, &mediav1.URLRequest{Url: url}).Alias, alias)
}

func proxyResolveCases() []mediaCase {
	const (
		resolves = "what is needed to serve the original of a URL: alias, hash, identifier, details"
		touches  = "with touch the time of access is recorded, without it is not"
	)
	resolve := keys(proxiesResolve, proxiesRelated, aliasesHash, hashesIdentifier, detailsGet)
	touch := on(resolve, keys(aliasAccessAccessed, aliasAccessAccessedAt))
	of := func(g *gallery, url string, touch bool) *mediav1.Resolved {
		g.t.Helper()
		return ask(g, g.media.Proxies.Resolve, &mediav1.ResolveURLRequest{Url: url, Touch: touch})
	}
	return []mediaCase{
		{name: "proxies.resolve returns what serves a URL", on: resolve, says: resolves,
			run: func(g *gallery) {
				for _, o := range g.crowd() {
					for range 2 {
						alias := g.alias(o.hash)
						for _, url := range []string{g.url(alias), g.url(alias)} {
							for _, touch := range []bool{false, true} {
								got := of(g, url, touch)
								g.resolved("a URL", got, o.hash, o.identifier, g.seenDetails(o.identifier))
								optional(g, "the alias of the URL", got.Alias, alias)
							}
						}
					}
				}
			}},
		{name: "proxies.resolve finds an original without details", on: resolve, says: "details are unset if none are recorded",
			run: func(g *gallery) {
				o := g.original()
				url := g.url(g.alias(o.hash))
				g.resolved("a URL", of(g, url, false), o.hash, o.identifier, "")
				details := g.details(o.identifier)
				g.resolved("a URL", of(g, url, false), o.hash, o.identifier, details)
			}},
		{name: "proxies.resolve finds nothing for an unknown URL", on: resolve, says: "a URL that is unknown is not found",
			run: func(g *gallery) {
				url := g.url(g.alias(g.original().hash))
				for _, unknown := range append(similar(url)[1:], newURL()) {
					for _, touch := range []bool{false, true} {
						absent(g, g.media.Proxies.Resolve, &mediav1.ResolveURLRequest{Url: unknown, Touch: touch})
					}
				}
			}},
		{name: "proxies.resolve records the access", on: touch, says: touches, needs: []Capability{AgesAccess}, exclusive: true,
			run: func(g *gallery) {
				o := g.original()
				alias, other := g.alias(o.hash), g.alias(o.hash)
				url := g.urlAt(alias, longAgo())
				g.urlAt(other, longAgo())
				if got := of(g, url, false); got.GetTouched() {
					g.t.Errorf("Proxies.Resolve without touch tells that the access is recorded")
				}
				equal(g, "the time of access without touch", g.aliasAt(alias), longAgo())
				if got := of(g, url, true); !got.GetTouched() {
					g.t.Errorf("Proxies.Resolve with touch does not tell that the access is recorded")
				}
				g.isNow("the time of access with touch", g.aliasAt(alias))
				equal(g, "the other alias's time of access", g.aliasAt(other), longAgo())
			}},
		{name: "proxies.resolve never takes an access back", on: touch, says: "an access that was recorded for a later time stays, or the last one is taken",
			run: func(g *gallery) {
				alias := g.alias(g.original().hash)
				url := g.url(alias)
				g.touchAlias(alias, inFuture(0))
				of(g, url, false)
				equal(g, "the time of access without touch", g.aliasAt(alias), inFuture(0))
				of(g, url, true)
				if at := g.aliasAt(alias); !at.Equal(inFuture(0)) {
					g.isNow("the time of access with touch", at)
				}
			}},
	}
}

func variantResolveCases() []mediaCase {
	const (
		resolves = "what is needed to serve a variant of an alias: the variant's identifier and that one's details"
		missing  = "without an identifier the variant is not generated yet"
		touches  = "with touch the time of access is recorded, without it is not"
	)
	resolve := keys(variantsResolve, aliasesHash, variantsIdentifier, detailsGet)
	touch := on(resolve, keys(variantAccessAccessed, variantAccessAccessedAt))
	of := func(g *gallery, alias, variant string, touch bool) *mediav1.Resolved {
		g.t.Helper()
		return ask(g, g.media.Variants.Resolve, &mediav1.ResolveVariantRequest{Alias: alias, Variant: variant, Touch: touch})
	}
	return []mediaCase{
		{name: "variants.resolve returns what serves a variant", on: resolve, says: resolves,
			run: func(g *gallery) {
				for _, o := range g.crowd() {
					for _, alias := range g.aliasesOf(o.hash) {
						for _, variant := range []string{thumbnail, blurred} {
							identifier := ask(g, g.media.Variants.Identifier, &mediav1.VariantRequest{Hash: o.hash, Variant: variant}).Identifier
							for _, touch := range []bool{false, true} {
								g.resolved("a variant", of(g, alias, variant, touch), o.hash, identifier, g.seenDetails(identifier))
							}
						}
					}
				}
			}},
		{name: "variants.resolve tells that a variant is not generated", on: resolve, says: missing,
			run: func(g *gallery) {
				g.beside(func(o original) {
					for _, alias := range g.aliasesOf(o.hash) {
						for _, variant := range append(similar(thumbnail)[1:], "", "'") {
							for _, touch := range []bool{false, true} {
								g.resolved("a variant that is not generated", of(g, alias, variant, touch), o.hash, "", "")
							}
						}
					}
				})
			}},
		{name: "variants.resolve finds a variant without details", on: resolve, says: "details are unset if none are recorded; those of the original are not the variant's",
			run: func(g *gallery) {
				o := g.original()
				g.details(o.identifier)
				alias, identifier := g.alias(o.hash), g.generated(o.hash, thumbnail)
				g.resolved("a variant", of(g, alias, thumbnail, false), o.hash, identifier, "")
				details := g.details(identifier)
				g.resolved("a variant", of(g, alias, thumbnail, false), o.hash, identifier, details)
			}},
		{name: "variants.resolve finds nothing for an unknown alias", on: resolve, says: "an alias that is unknown is not found",
			run: func(g *gallery) {
				o := g.original()
				g.generated(o.hash, thumbnail)
				for _, unknown := range append(similar(g.alias(o.hash))[1:], newAlias()) {
					for _, touch := range []bool{false, true} {
						absent(g, g.media.Variants.Resolve, &mediav1.ResolveVariantRequest{Alias: unknown, Variant: thumbnail, Touch: touch})
					}
				}
			}},
		{name: "variants.resolve records the access", on: touch, says: touches, needs: []Capability{AgesAccess}, exclusive: true,
			run: func(g *gallery) {
				hash := newHash()
				var others []string
				for _, neighbour := range neighboursOf(hash) {
					g.create(neighbour)
					g.generatedAt(neighbour, thumbnail, longAgo())
					others = append(others, g.alias(neighbour))
				}
				alias := g.alias(g.create(hash).hash)
				g.generatedAt(hash, thumbnail, longAgo())
				g.generatedAt(hash, blurred, longAgo())
				if got := of(g, alias, thumbnail, false); got.GetTouched() {
					g.t.Errorf("Variants.Resolve without touch tells that the access is recorded")
				}
				equal(g, "the time of access without touch", g.variantAt(hash, thumbnail), longAgo())
				if got := of(g, alias, thumbnail, true); !got.GetTouched() {
					g.t.Errorf("Variants.Resolve with touch does not tell that the access is recorded")
				}
				g.isNow("the time of access with touch", g.variantAt(hash, thumbnail))
				equal(g, "the other variant's time of access", g.variantAt(hash, blurred), longAgo())
				for i, neighbour := range neighboursOf(hash) {
					equal(g, "the time of access of another hash's variant", g.variantAt(neighbour, thumbnail), longAgo())
					of(g, others[i], thumbnail, true)
					g.isNow("the time of access of another hash's variant", g.variantAt(neighbour, thumbnail))
				}
			}},
		{name: "variants.resolve never takes an access back", on: touch, says: "an access that was recorded for a later time stays, or the last one is taken",
			run: func(g *gallery) {
				o := g.original()
				alias := g.alias(o.hash)
				g.generated(o.hash, thumbnail)
				g.touchVariant(o.hash, thumbnail, inFuture(0))
				of(g, alias, thumbnail, false)
				equal(g, "the time of access without touch", g.variantAt(o.hash, thumbnail), inFuture(0))
				of(g, alias, thumbnail, true)
				if at := g.variantAt(o.hash, thumbnail); !at.Equal(inFuture(0)) {
					g.isNow("the time of access with touch", at)
				}
			}},
		{name: "variants.resolve touches a variant that is not there", on: touch, says: "to touch a variant that is not generated is no error",
			run: func(g *gallery) {
				o := g.original()
				alias := g.alias(o.hash)
				for range 2 {
					g.resolved("a variant that is not generated", of(g, alias, thumbnail, true), o.hash, "", "")
				}
				g.hasVariants(o.hash, nil)
			}},
	}
}
