package conformance

import (
	"strings"

	"google.golang.org/grpc/codes"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

func aliasChangeCases() []mediaCase {
	const (
		deletes  = "the alias goes with its token; one that is gone is no error"
		inUse    = "an alias that a URL refers to is in use, and stays"
		setsOnce = "the token of an alias is set if it has none or the same one; otherwise it stays, and the conflict is told"
		points   = "the alias points at the other hash, and keeps its token; an alias or a hash that is not there is told"
		owns     = "an alias is removed only if it belongs to the hash"
	)
	return []mediaCase{
		{name: "aliases.cleanup deletes an alias", on: keys(aliasesCleanup), says: deletes,
			run: func(g *gallery) {
				g.beside(func(o original) {
					alias := g.alias(o.hash)
					g.keeps(o.hash, func() {
						other := g.alias(o.hash)
						g.affects(1, "cleanup", ask(g, g.media.Aliases.Cleanup, &mediav1.AliasRequest{Alias: other}))
						g.nobody(other)
						g.affects(0, "cleanup of what is gone", ask(g, g.media.Aliases.Cleanup, &mediav1.AliasRequest{Alias: other}))
					})
					ask(g, g.media.Aliases.Cleanup, &mediav1.AliasRequest{Alias: alias})
					g.nobody(alias)
				})
			}},
		{name: "aliases.cleanup deletes no other alias", on: keys(aliasesCleanup), says: deletes,
			run: func(g *gallery) {
				o := g.original()
				all := similar(newAlias())
				for _, alias := range all {
					g.named(o.hash, alias)
				}
				ask(g, g.media.Aliases.Cleanup, &mediav1.AliasRequest{Alias: all[0]})
				g.nobody(all[0])
				sameSet(g, "the aliases of the hash", g.aliasesOf(o.hash), all[1:])
			}},
		{name: "aliases.cleanup of an unknown alias is no error", on: keys(aliasesCleanup), says: deletes,
			run: func(g *gallery) {
				g.affects(0, "cleanup of an unknown alias", ask(g, g.media.Aliases.Cleanup, &mediav1.AliasRequest{Alias: newAlias()}))
			}},
		{name: "aliases.cleanup makes room for the same alias", on: keys(aliasesCleanup, aliasesCreate), says: deletes,
			run: func(g *gallery) {
				o, p := g.original(), g.original()
				alias := g.alias(o.hash)
				ask(g, g.media.Aliases.Cleanup, &mediav1.AliasRequest{Alias: alias})
				g.stands(alias, g.named(p.hash, alias), p.hash)
				sameSet(g, "the aliases of the first hash", g.aliasesOf(o.hash), nil)
			}},
		{name: "aliases.cleanup refuses an alias that a URL refers to", on: keys(aliasesCleanup, proxiesRemove), says: inUse, needs: []Capability{KeepsProxiedAliases},
			run: func(g *gallery) {
				o := g.original()
				alias := g.alias(o.hash)
				token, url := g.token(alias), g.url(alias)
				refuse(g, codes.FailedPrecondition, fault.InUse, g.media.Aliases.Cleanup, &mediav1.AliasRequest{Alias: alias})
				g.stands(alias, token, o.hash)
				g.relates(url, alias)
				ask(g, g.media.Proxies.Remove, &mediav1.AliasRequest{Alias: alias})
				ask(g, g.media.Aliases.Cleanup, &mediav1.AliasRequest{Alias: alias})
				g.nobody(alias)
			}},
		{name: "aliases.relate_delete_token keeps the token that is there", on: keys(aliasesRelateDeleteToken), says: setsOnce, needs: []Capability{RelatesTokens},
			run: func(g *gallery) {
				g.beside(func(o original) {
					alias := g.alias(o.hash)
					g.keeps(o.hash, func() {
						g.affects(1, "relate_delete_token", ask(g, g.media.Aliases.RelateDeleteToken, &mediav1.RelateDeleteTokenRequest{Alias: alias, DeleteToken: g.token(alias)}))
						refuse(g, codes.FailedPrecondition, fault.Precondition, g.media.Aliases.RelateDeleteToken, &mediav1.RelateDeleteTokenRequest{Alias: alias, DeleteToken: newToken()})
					})
				})
			}},
		{name: "aliases.relate_delete_token needs the alias", on: keys(aliasesRelateDeleteToken), says: setsOnce, needs: []Capability{RelatesTokens},
			run: func(g *gallery) {
				alias := newAlias()
				refuse(g, codes.FailedPrecondition, fault.Precondition, g.media.Aliases.RelateDeleteToken, &mediav1.RelateDeleteTokenRequest{Alias: alias, DeleteToken: newToken()})
				g.nobody(alias)
				o := g.original()
				token := g.token(g.alias(o.hash)) // a token is nobody's name
				refuse(g, codes.FailedPrecondition, fault.Precondition, g.media.Aliases.RelateDeleteToken, &mediav1.RelateDeleteTokenRequest{Alias: alias, DeleteToken: token})
				refuse(g, codes.FailedPrecondition, fault.Precondition, g.media.Aliases.RelateDeleteToken, &mediav1.RelateDeleteTokenRequest{Alias: token, DeleteToken: alias})
			}},
		{name: "aliases.relate_hash points an alias at another hash", on: keys(aliasesRelateHash), says: points, needs: []Capability{RelatesHashes},
			run: func(g *gallery) {
				g.beside(func(o original) {
					target := g.original()
					alias := g.alias(o.hash)
					token := g.token(alias)
					g.keeps(o.hash, func() {
						moved := g.alias(o.hash)
						token := g.token(moved)
						g.affects(1, "relate_hash", ask(g, g.media.Aliases.RelateHash, &mediav1.RelateHashRequest{Alias: moved, Hash: target.hash}))
						g.stands(moved, token, target.hash)
					})
					g.stands(alias, token, o.hash)
					ask(g, g.media.Aliases.RelateHash, &mediav1.RelateHashRequest{Alias: alias, Hash: o.hash})
					g.stands(alias, token, o.hash)
				})
			}},
		{name: "aliases.relate_hash needs the alias", on: keys(aliasesRelateHash), says: points, needs: []Capability{RelatesHashes},
			run: func(g *gallery) {
				g.beside(func(o original) {
					g.keeps(o.hash, func() {
						absent(g, g.media.Aliases.RelateHash, &mediav1.RelateHashRequest{Alias: newAlias(), Hash: o.hash})
					})
				})
			}},
		{name: "aliases.relate_hash needs the hash", on: keys(aliasesRelateHash), says: points, needs: []Capability{RelatesHashes, RefusesLostAliases},
			run: func(g *gallery) {
				o := g.original()
				alias := g.alias(o.hash)
				g.keeps(o.hash, func() {
					absent(g, g.media.Aliases.RelateHash, &mediav1.RelateHashRequest{Alias: alias, Hash: newHash()})
				})
			}},
		{name: "aliases.remove removes an alias of its hash only", on: keys(aliasesRemove, aliasesCleanup, aliasesHash), says: owns,
			run: func(g *gallery) {
				g.beside(func(o original) {
					alias, other := g.alias(o.hash), g.original()
					g.keeps(o.hash, func() {
						for _, hash := range append(neighboursOf(o.hash), other.hash, newHash()) {
							g.affects(0, "remove of another hash's alias", ask(g, g.media.Aliases.Remove, &mediav1.RemoveAliasRequest{Hash: hash, Alias: alias}))
						}
						for _, unknown := range similar(alias)[1:] {
							g.affects(0, "remove of an unknown alias", ask(g, g.media.Aliases.Remove, &mediav1.RemoveAliasRequest{Hash: o.hash, Alias: unknown}))
						}
						more := g.alias(o.hash)
						g.affects(1, "remove", ask(g, g.media.Aliases.Remove, &mediav1.RemoveAliasRequest{Hash: o.hash, Alias: more}))
						g.nobody(more)
						g.affects(0, "remove of what is gone", ask(g, g.media.Aliases.Remove, &mediav1.RemoveAliasRequest{Hash: o.hash, Alias: more}))
					})
				})
			}},
		{name: "aliases.remove refuses an alias that a URL refers to", on: keys(aliasesRemove, aliasesCleanup), says: inUse, needs: []Capability{ProxiesServed, KeepsProxiedAliases},
			run: func(g *gallery) {
				o := g.original()
				alias := g.alias(o.hash)
				g.url(alias)
				g.keeps(o.hash, func() {
					refuse(g, codes.FailedPrecondition, fault.InUse, g.media.Aliases.Remove, &mediav1.RemoveAliasRequest{Hash: o.hash, Alias: alias})
				})
			}},
	}
}

// deletion is what Delete goes through.
var deletion = keys(aliasesDeleteToken, aliasesHash, aliasesCleanup, aliasesForHash)

func aliasDeleteCases() []mediaCase {
	const (
		deletes = "the owner of the token deletes an alias, with its URLs and its time of access"
		token   = "a token that differs from the stored one deletes nothing"
		last    = "the host is told when no alias of the hash is left"
	)
	return []mediaCase{
		{name: "Aliases.Delete deletes for the owner of the token", on: deletion, says: deletes,
			run: func(g *gallery) {
				g.beside(func(o original) {
					g.keeps(o.hash, func() {
						alias := g.alias(o.hash)
						g.deletes(&mediav1.DeleteAliasRequest{Alias: alias, DeleteToken: g.token(alias)}, o.hash, false)
						g.nobody(alias)
					})
				})
			}},
		{name: "Aliases.Delete tells when the last alias goes", on: deletion, says: last,
			run: func(g *gallery) {
				hash := newHash()
				o := g.create(hash)
				for _, neighbour := range neighboursOf(hash) {
					g.alias(g.create(neighbour).hash)
				}
				aliases := []string{g.alias(hash), g.alias(hash), g.alias(hash)}
				for i, alias := range aliases {
					g.deletes(&mediav1.DeleteAliasRequest{Alias: alias, DeleteToken: g.token(alias)}, hash, i == 2)
					sameSet(g, "the aliases that are left", g.aliasesOf(hash), aliases[i+1:])
				}
				g.holds(o, "", "")
			}},
		{name: "Aliases.Delete refuses another token", on: deletion, says: token,
			run: func(g *gallery) {
				g.beside(func(o original) {
					alias := g.alias(o.hash)
					right := g.token(alias)
					other := g.token(g.alias(o.hash))
					g.keeps(o.hash, func() {
						for _, wrong := range []string{newToken(), other, "", right[:len(right)-1], right + " ", right + "x", strings.ToUpper(right) + "A", alias} {
							refuse(g, codes.FailedPrecondition, fault.InvalidToken, g.media.Aliases.Delete, &mediav1.DeleteAliasRequest{Alias: alias, DeleteToken: wrong})
						}
					})
				})
			}},
		{name: "Aliases.Delete of a host needs no token", on: deletion, says: "the host may vouch for the caller; then the token is not compared",
			run: func(g *gallery) {
				o := g.original()
				for _, given := range []string{"", newToken()} {
					alias := g.alias(o.hash)
					g.deletes(&mediav1.DeleteAliasRequest{Alias: alias, DeleteToken: given, WithoutToken: true}, o.hash, true)
					g.nobody(alias)
				}
			}},
		{name: "Aliases.Delete of an unknown alias is success", on: deletion, says: "an alias that is gone is deleted",
			run: func(g *gallery) {
				o := g.original()
				alias := g.alias(o.hash)
				g.keeps(o.hash, func() {
					for _, unknown := range append(similar(alias)[1:], newAlias()) {
						for _, vouched := range []bool{false, true} {
							got := ask(g, g.media.Aliases.Delete, &mediav1.DeleteAliasRequest{Alias: unknown, DeleteToken: g.token(alias), WithoutToken: vouched})
							if got.GetDeleted() || got.Hash != nil || got.LastAlias {
								g.t.Errorf("Aliases.Delete of an unknown alias tells %v", got)
							}
						}
					}
				})
			}},
		{name: "Aliases.Delete deletes the URLs of the alias", on: on(deletion, keys(proxiesRemove)), says: deletes,
			run: func(g *gallery) {
				g.beside(func(o original) {
					g.keeps(o.hash, func() {
						alias := g.alias(o.hash)
						urls := []string{g.url(alias), g.url(alias)}
						g.deletes(&mediav1.DeleteAliasRequest{Alias: alias, DeleteToken: g.token(alias)}, o.hash, false)
						g.nobody(alias)
						for _, url := range urls {
							absent(g, g.media.Proxies.Related, &mediav1.URLRequest{Url: url})
						}
					})
				})
			}},
		{name: "Aliases.Delete with another token keeps the URLs of the alias", on: on(deletion, keys(proxiesRemove)), says: token,
			run: func(g *gallery) {
				o := g.original()
				alias := g.alias(o.hash)
				url := g.url(alias)
				g.keeps(o.hash, func() {
					refuse(g, codes.FailedPrecondition, fault.InvalidToken, g.media.Aliases.Delete, &mediav1.DeleteAliasRequest{Alias: alias, DeleteToken: newToken()})
				})
				g.relates(url, alias)
			}},
		{name: "Aliases.Delete deletes the time of access", on: on(deletion, keys(aliasAccessAccessed, aliasAccessAccessedAt, aliasAccessRemove, proxiesRemove)), says: deletes,
			run: func(g *gallery) {
				o := g.original()
				alias := g.alias(o.hash)
				g.url(alias)
				g.isNow("the time of access", g.aliasAt(alias))
				g.deletes(&mediav1.DeleteAliasRequest{Alias: alias, DeleteToken: g.token(alias)}, o.hash, true)
				absent(g, g.media.Access.AliasAt, &mediav1.AliasRequest{Alias: alias})
			}},
	}
}

// deletes deletes an alias that is there, and checks what is told of it.
func (g *gallery) deletes(request *mediav1.DeleteAliasRequest, hash []byte, last bool) {
	g.t.Helper()
	got := ask(g, g.media.Aliases.Delete, request)
	if got.Deleted != nil && !*got.Deleted {
		g.t.Errorf("Aliases.Delete tells that the alias was not there")
	}
	if string(got.Hash) != string(hash) {
		g.t.Errorf("Aliases.Delete tells the hash %s; it should be %s", brief(got.Hash), brief(hash))
	}
	equal(g, "last_alias", got.LastAlias, last)
}
