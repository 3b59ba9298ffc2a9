package conformance

import (
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

func aliasCreateCases() []mediaCase {
	const (
		inserts = "alias, token and hash are stored together"
		keeps   = "an alias that is taken is told, and nothing of it changes"
		opaque  = "an alias is any text: it is stored as it is, and never understood"
	)
	reads := keys(aliasesCreate, aliasesHash, aliasesDeleteToken, aliasesForHash)
	return []mediaCase{
		{name: "aliases.create stores an alias", on: reads, says: inserts,
			run: func(g *gallery) {
				o, alias, token := g.original(), newAlias(), newToken()
				got := ask(g, g.media.Aliases.Create, &mediav1.CreateAliasRequest{Alias: alias, DeleteToken: token, Hash: o.hash})
				g.stands(alias, got.DeleteToken, o.hash)
				sameSet(g, "the aliases of the hash", g.aliasesOf(o.hash), []string{alias})
			}},
		{name: "aliases.create stores the token that is given", on: reads, says: inserts, needs: []Capability{KeepsTokens},
			run: func(g *gallery) {
				o := g.original()
				for _, token := range []string{newToken(), "x", `'";--\$1 @t`, "Ünïcödé 🙂", " a "} {
					alias := newAlias()
					got := ask(g, g.media.Aliases.Create, &mediav1.CreateAliasRequest{Alias: alias, DeleteToken: token, Hash: o.hash})
					equal(g, "the token that is told", got.DeleteToken, token)
					g.stands(alias, token, o.hash)
				}
			}},
		{name: "aliases.create makes a token where none is given", on: reads, says: "an empty token is replaced by a random one, which is told", needs: []Capability{LongNames},
			run: func(g *gallery) {
				o, made := g.original(), map[string]bool{}
				for range 3 {
					alias := newAlias()
					token := ask(g, g.media.Aliases.Create, &mediav1.CreateAliasRequest{Alias: alias, Hash: o.hash}).DeleteToken
					if len(token) < 16 || made[token] {
						g.t.Errorf("the token that was made is %q, which can be guessed", token)
					}
					made[token] = true
					g.stands(alias, token, o.hash)
				}
			}},
		{name: "aliases.create takes several aliases of one hash", on: reads, says: "a hash has any number of aliases",
			run: func(g *gallery) {
				g.beside(func(o original) {
					had := g.aliasesOf(o.hash)
					for range 3 {
						had = append(had, g.alias(o.hash))
						sameSet(g, "the aliases of the hash", g.aliasesOf(o.hash), had)
					}
				})
			}},
		{name: "aliases.create of a taken alias changes nothing", on: keys(aliasesCreate), says: keeps,
			run: func(g *gallery) {
				g.beside(func(o original) {
					alias, other := g.alias(o.hash), g.original()
					token := g.token(alias)
					g.keeps(o.hash, func() {
						for _, request := range []*mediav1.CreateAliasRequest{
							{Alias: alias, DeleteToken: newToken(), Hash: other.hash},
							{Alias: alias, DeleteToken: newToken(), Hash: o.hash},
							{Alias: alias, DeleteToken: token, Hash: other.hash},
						} {
							refuse(g, codes.AlreadyExists, fault.AlreadyExists, g.media.Aliases.Create, request)
							g.stands(alias, token, o.hash)
						}
					})
					sameSet(g, "the aliases of the other hash", g.aliasesOf(other.hash), nil)
				})
			}},
		{name: "aliases.create tells which operation met a taken alias", on: keys(aliasesCreate), says: keeps,
			run: func(g *gallery) {
				o := g.original()
				err := try(g, g.media.Aliases.Create, &mediav1.CreateAliasRequest{Alias: g.alias(o.hash), DeleteToken: newToken(), Hash: o.hash})
				equal(g, "the operation in the error", fault.OperationOf(err), aliasesCreate)
			}},
		{name: "aliases.create that is sent twice changes nothing the second time", on: keys(aliasesCreate), says: "the own effect, seen again, is success or tells the taken alias",
			run: func(g *gallery) {
				o := g.original()
				alias := g.alias(o.hash)
				g.keeps(o.hash, func() {
					err := try(g, g.media.Aliases.Create, &mediav1.CreateAliasRequest{Alias: alias, DeleteToken: g.token(alias), Hash: o.hash})
					if err != nil && status.Code(err) != codes.AlreadyExists {
						g.t.Errorf("Aliases.Create for the second time: %v", err)
					}
				})
			}},
		{name: "aliases.create needs the hash", on: keys(aliasesCreate), says: "an alias of a hash that is not there is not stored", needs: []Capability{RefusesLostAliases},
			run: func(g *gallery) {
				g.beside(func(o original) {
					hash, alias := newHash(), newAlias()
					absent(g, g.media.Aliases.Create, &mediav1.CreateAliasRequest{Alias: alias, DeleteToken: newToken(), Hash: hash})
					g.nobody(alias)
					sameSet(g, "the aliases of the hash that is not there", g.aliasesOf(hash), nil)
				})
			}},
		{name: "aliases.create keeps aliases apart", on: reads, says: "aliases are compared exactly",
			run: func(g *gallery) {
				base, tokens, hashes := newAlias(), map[string]string{}, map[string][]byte{}
				for _, alias := range similar(base) {
					o := g.original()
					tokens[alias], hashes[alias] = g.named(o.hash, alias), o.hash
				}
				for alias, token := range tokens {
					g.stands(alias, token, hashes[alias])
					sameSet(g, "the aliases of the hash", g.aliasesOf(hashes[alias]), []string{alias})
				}
			}},
		{name: "aliases.create stores any alias", on: reads, says: opaque,
			run: func(g *gallery) {
				o := g.original()
				for _, alias := range append(shortOddTexts(), "äöü日本語🙂.png", "../a b/c?d=e&f#g") {
					alias = unique(5) + alias
					token := g.named(o.hash, alias)
					g.stands(alias, token, o.hash)
				}
				equal(g, "the number of aliases of the hash", len(g.aliasesOf(o.hash)), len(shortOddTexts())+2)
			}},
		{name: "aliases.create stores long aliases and tokens", on: reads, says: "a UUID with an extension has 41 characters, and an imported file may have any name", needs: []Capability{LongNames},
			run: func(g *gallery) {
				o := g.original()
				for _, length := range []int{36, 41, 200} {
					alias := strings.Repeat("x", length-12) + unique(6)
					token := strings.Repeat("t", length)
					ask(g, g.media.Aliases.Create, &mediav1.CreateAliasRequest{Alias: alias, DeleteToken: token, Hash: o.hash})
					g.stands(alias, g.token(alias), o.hash)
					g.nobody(alias[:length-1])
				}
			}},
	}
}

// similar returns an alias and others that only an exact comparison tells from it.
func similar(alias string) []string {
	return []string{alias, strings.ToUpper(alias), alias + " ", " " + alias, alias + "x", alias[:len(alias)-1], alias[:len(alias)-1] + "_"}
}

// shortOddTexts are the oddest of texts, short enough for all columns.
func shortOddTexts() []string {
	return slices.DeleteFunc(oddTexts(), func(text string) bool { return len([]rune(text)) > 18 })
}

// stands checks an alias by all that reads it alone.
func (g *gallery) stands(alias, token string, hash []byte) {
	g.t.Helper()
	request := &mediav1.AliasRequest{Alias: alias}
	equal(g, "the hash of the alias", string(ask(g, g.media.Aliases.Hash, request).Hash), string(hash))
	equal(g, "the token of the alias", g.token(alias), token)
	if !slices.Contains(g.aliasesOf(hash), alias) {
		g.t.Errorf("the aliases of the hash are %q; %q should be one of them", g.aliasesOf(hash), alias)
	}
}

// nobody checks that there is no such alias.
func (g *gallery) nobody(aliases ...string) {
	g.t.Helper()
	for _, alias := range aliases {
		request := &mediav1.AliasRequest{Alias: alias}
		absent(g, g.media.Aliases.Hash, request)
		absent(g, g.media.Aliases.DeleteToken, request)
		absent(g, g.media.Aliases.Resolve, request)
	}
}

func aliasReadCases() []mediaCase {
	const (
		none     = "an alias that is unknown is not found"
		ofHash   = "all aliases of the hash, and no other"
		resolves = "what is needed to serve the original: hash, identifier, details"
	)
	resolve := keys(aliasesResolve, aliasesHash, hashesIdentifier, detailsGet)
	return []mediaCase{
		{name: "aliases.hash finds nothing for an unknown alias", on: keys(aliasesHash, aliasesDeleteToken), says: none,
			run: func(g *gallery) {
				o := g.original()
				alias := g.alias(o.hash)
				g.nobody(similar(alias)[1:]...)
				g.nobody(newAlias(), "'", "%")
			}},
		{name: "aliases.for_hash lists the aliases of one hash", on: keys(aliasesForHash), says: ofHash,
			run: func(g *gallery) {
				hash := newHash()
				for i, hash := range append(neighboursOf(hash), hash) {
					o := g.create(hash)
					var want []string
					for range i {
						want = append(want, g.alias(o.hash))
					}
					defer func() { sameSet(g, "the aliases of the hash", g.aliasesOf(hash), want) }()
				}
				sameSet(g, "the aliases of an unknown hash", g.aliasesOf(newHash()), nil)
			}},
		{name: "aliases.for_hash has no limit", on: keys(aliasesForHash, aliasesSiblings), says: ofHash,
			run: func(g *gallery) {
				o := g.original()
				var want []string
				for range 40 {
					want = append(want, g.alias(o.hash))
				}
				sameSet(g, "the aliases of the hash", g.aliasesOf(o.hash), want)
				sameSet(g, "the siblings of an alias", g.siblings(want[7]), want)
			}},
		{name: "aliases.siblings lists all aliases of the alias's hash", on: keys(aliasesSiblings, aliasesHash, aliasesForHash), says: "all aliases of the same hash, itself included; none for an unknown alias",
			run: func(g *gallery) {
				g.beside(func(o original) {
					all := append(g.aliasesOf(o.hash), g.alias(o.hash))
					for _, alias := range all {
						sameSet(g, "the siblings of an alias", g.siblings(alias), all)
					}
					only := g.original()
					alias := g.alias(only.hash)
					sameSet(g, "the siblings of an only child", g.siblings(alias), []string{alias})
					for _, unknown := range append(similar(alias)[1:], newAlias()) {
						sameSet(g, "the siblings of an unknown alias", g.siblings(unknown), nil)
					}
				})
			}},
		{name: "aliases.resolve returns what serves an original", on: resolve, says: resolves,
			run: func(g *gallery) {
				for _, o := range g.crowd() {
					for _, alias := range g.aliasesOf(o.hash) {
						g.resolvesTo(alias, o.hash, o.identifier, g.seenDetails(o.identifier))
					}
				}
			}},
		{name: "aliases.resolve finds an original without details", on: resolve, says: "details are unset if none are recorded",
			run: func(g *gallery) {
				o := g.original()
				g.details(g.generated(o.hash, thumbnail))
				alias := g.alias(o.hash)
				g.resolvesTo(alias, o.hash, o.identifier, "")
				g.resolvesTo(alias, o.hash, o.identifier, g.details(o.identifier))
			}},
		{name: "aliases.resolve finds nothing for an unknown alias", on: resolve, says: none,
			run: func(g *gallery) {
				o := g.original()
				g.details(o.identifier)
				alias := g.alias(o.hash)
				for _, unknown := range append(similar(alias)[1:], newAlias()) {
					absent(g, g.media.Aliases.Resolve, &mediav1.AliasRequest{Alias: unknown})
					absent(g, g.media.Aliases.Identifier, &mediav1.AliasRequest{Alias: unknown})
				}
			}},
		{name: "aliases.resolve tells a lost hash", on: on(resolve, keys(aliasesCreate)), says: "an alias needs its hash, or is kept without it; then it has no identifier",
			run: func(g *gallery) {
				hash, alias := newHash(), newAlias()
				g.discardLater(hash)
				err := try(g, g.media.Aliases.Create, &mediav1.CreateAliasRequest{Alias: alias, DeleteToken: newToken(), Hash: hash})
				if err != nil {
					refused(g.t, "Aliases.Create for a hash that is not there", err, codes.NotFound, fault.DoesNotExist)
					g.nobody(alias)
					return
				}
				got := ask(g, g.media.Aliases.Resolve, &mediav1.AliasRequest{Alias: alias})
				if string(got.Hash) != string(hash) || got.Identifier != nil || got.Details != nil {
					g.t.Errorf("an alias whose hash is lost resolves to %v", got)
				}
				absent(g, g.media.Aliases.Identifier, &mediav1.AliasRequest{Alias: alias})
			}},
	}
}

func (g *gallery) siblings(alias string) []string {
	g.t.Helper()
	var all []string
	for _, a := range ask(g, g.media.Aliases.Siblings, &mediav1.AliasRequest{Alias: alias}).Aliases {
		all = append(all, a.Alias)
	}
	return all
}

// resolvesTo checks what an alias stands for; details of "" are none.
func (g *gallery) resolvesTo(alias string, hash []byte, identifier, details string) {
	g.t.Helper()
	request := &mediav1.AliasRequest{Alias: alias}
	g.resolved("an alias", ask(g, g.media.Aliases.Resolve, request), hash, identifier, details)
	equal(g, "the identifier of the alias", ask(g, g.media.Aliases.Identifier, request).Identifier, identifier)
}

func (g *gallery) resolved(what string, got *mediav1.Resolved, hash []byte, identifier, details string) {
	g.t.Helper()
	if string(got.Hash) != string(hash) {
		g.t.Errorf("%s resolves to the hash %s; it should be %s", what, brief(got.Hash), brief(hash))
	}
	optional(g, "the identifier of "+what, got.Identifier, identifier)
	g.sameDetails("the details of "+what, got.Details, details)
}
