package conformance

import (
	"time"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

func saveCases() []mediaCase {
	const (
		stores  = "a stored file is recorded under an alias in one transaction: hash, details, alias"
		keeps   = "a hash that exists keeps its identifier, and the details of the file that is not needed are forgotten"
		taken   = "an alias that is taken is told, and nothing of it changes; the rest is stored"
		resent  = "the own effect, seen again, is success: the host must not delete the file"
		details = `{"width":640,"height":480,"frames":null,"content_type":"image/png","format":"Image"}`
	)
	save := keys(hashesCreate, hashesIdentifier, hashesBound, detailsRelate, detailsGet, aliasesCreate, aliasesHash)
	old := on(save, keys(detailsCleanup))
	return []mediaCase{
		{name: "Uploads.Save stores a new file", on: save, says: stores,
			run: func(g *gallery) {
				g.beside(func(original) {
					u := g.file(details)
					token := g.saves(u, false, false)
					g.holds(original{u.Hash, u.Identifier}, "", "")
					g.describedAs(u.Identifier, details)
					g.stands(u.Alias, token, u.Hash)
					sameSet(g, "the aliases of the hash", g.aliasesOf(u.Hash), []string{u.Alias})
				})
			}},
		{name: "Uploads.Save stores the time of creation", on: save, says: "created_at is now, or the time that is given", needs: []Capability{KeepsCreatedAt},
			run: func(g *gallery) {
				u, old := g.file(details), g.file(details)
				g.saves(u, false, false)
				g.isNow("created_at", g.bound(u.Hash))
				old.CreatedAt = stamp(longAgo())
				g.saves(old, false, false)
				equal(g, "created_at", g.bound(old.Hash), longAgo())
			}},
		{name: "Uploads.Save stores a file without details", on: save, says: stores,
			run: func(g *gallery) {
				u := g.file("")
				token := g.saves(u, false, false)
				g.holds(original{u.Hash, u.Identifier}, "", "")
				g.describedAs(u.Identifier, "")
				g.stands(u.Alias, token, u.Hash)
			}},
		{name: "Uploads.Save stores the token that is given", on: save, says: stores, needs: []Capability{KeepsTokens},
			run: func(g *gallery) {
				u := g.file(details)
				equal(g, "the token that is told", g.saves(u, false, false), u.DeleteToken)
				g.stands(u.Alias, u.DeleteToken, u.Hash)
			}},
		{name: "Uploads.Save makes a token where none is given", on: save, says: "an empty token is replaced by a random one, which is told", needs: []Capability{LongNames},
			run: func(g *gallery) {
				first, second := g.file(details), g.file(details)
				first.DeleteToken, second.DeleteToken = "", ""
				one, two := g.saves(first, false, false), g.saves(second, false, false)
				g.stands(first.Alias, one, first.Hash)
				g.stands(second.Alias, two, second.Hash)
				if len(one) < 16 || one == two {
					g.t.Errorf("the tokens that are made are %q and %q, which can be guessed", one, two)
				}
			}},
		{name: "Uploads.Save of a duplicate adds an alias", on: old, says: keeps,
			run: func(g *gallery) {
				g.beside(func(o original) {
					aliases, row := g.aliasesOf(o.hash), g.seenWithout(o.hash, "alias ")
					u := g.file(details)
					u.Hash, u.CreatedAt = o.hash, stamp(longAgo())
					token := g.saves(u, true, false)
					g.stands(u.Alias, token, o.hash)
					sameSet(g, "the aliases of the hash", g.aliasesOf(o.hash), append(aliases, u.Alias))
					g.unchanged("the hash", row, g.seenWithout(o.hash, "alias "))
					g.describedAs(u.Identifier, "")
				})
			}},
		{name: "Uploads.Save of a duplicate without details", on: old, says: keeps,
			run: func(g *gallery) {
				o := g.original()
				kept := g.details(o.identifier)
				u := g.file("")
				u.Hash = o.hash
				g.stands(u.Alias, g.saves(u, true, false), o.hash)
				g.holds(o, "", "")
				g.describedAs(o.identifier, kept)
				g.describedAs(u.Identifier, "")
			}},
		{name: "Uploads.Save under a taken alias stores the rest", on: save, says: taken,
			run: func(g *gallery) {
				g.beside(func(o original) {
					alias := g.aliasesOf(o.hash)[0]
					u := g.file(details)
					u.Alias = alias
					g.keeps(o.hash, func() { g.saves(u, false, true) })
					g.holds(original{u.Hash, u.Identifier}, "", "")
					g.describedAs(u.Identifier, details)
					sameSet(g, "the aliases of the new hash", g.aliasesOf(u.Hash), nil)

					u.Alias = newAlias() // as the host goes on
					g.stands(u.Alias, g.saves(u, false, false), u.Hash)
					g.describedAs(u.Identifier, details)
				})
			}},
		{name: "Uploads.Save of a duplicate under a taken alias stores nothing", on: old, says: keeps,
			run: func(g *gallery) {
				g.beside(func(o original) {
					other := g.original()
					for _, alias := range []string{g.alias(other.hash), g.aliasesOf(o.hash)[0]} {
						u := g.file(details)
						u.Hash, u.Alias = o.hash, alias
						g.keeps(o.hash, func() { g.keeps(other.hash, func() { g.saves(u, true, true) }) })
						g.describedAs(u.Identifier, "")
					}
				})
			}},
		{name: "Uploads.Save of the file that is stored already keeps it", on: old, says: resent,
			run: func(g *gallery) {
				u := g.file(details)
				token := g.saves(u, false, false)
				u.Alias = newAlias()
				g.stands(u.Alias, g.saves(u, false, false), u.Hash)
				g.holds(original{u.Hash, u.Identifier}, "", "")
				g.describedAs(u.Identifier, details)
				equal(g, "the number of aliases", len(g.aliasesOf(u.Hash)), 2)
				if token == "" {
					g.t.Errorf("no token was told")
				}
			}},
		{name: "Uploads.Save that is sent twice stores nothing twice", on: old, says: resent,
			run: func(g *gallery) {
				u := g.file(details)
				token := g.saves(u, false, false)
				g.keeps(u.Hash, func() {
					got := ask(g, g.media.Uploads.Save, u)
					if got.HashExisted {
						g.t.Errorf("Uploads.Save for the second time tells that the hash was there with another file")
					}
				})
				g.holds(original{u.Hash, u.Identifier}, "", "")
				g.describedAs(u.Identifier, details)
				g.stands(u.Alias, token, u.Hash)
			}},
		{name: "Uploads.Save refuses arguments that make no sense", on: save, says: "a hash and an alias are not empty, details are JSON; anything else is refused, and nothing is stored",
			run: func(g *gallery) {
				for what, spoil := range map[string]func(u *mediav1.SaveUploadRequest){
					"no hash":        func(u *mediav1.SaveUploadRequest) { u.Hash = nil },
					"no alias":       func(u *mediav1.SaveUploadRequest) { u.Alias = "" },
					"broken details": func(u *mediav1.SaveUploadRequest) { wrong := "{"; u.Details = &wrong },
					"a year too far": func(u *mediav1.SaveUploadRequest) { u.CreatedAt = stamp(time.Date(10001, 1, 1, 0, 0, 0, 0, time.UTC)) },
				} {
					g.t.Logf("Uploads.Save with %s", what)
					u := g.file(details)
					hash, alias := u.Hash, u.Alias
					spoil(u)
					g.rejects(try(g, g.media.Uploads.Save, u))
					g.unknown(hash)
					g.nobody(alias)
					g.describedAs(u.Identifier, "")
				}
			}},
	}
}

// file makes a request about a file that nobody knows.
func (g *gallery) file(details string) *mediav1.SaveUploadRequest {
	u := &mediav1.SaveUploadRequest{Hash: newHash(), Identifier: newIdentifier(), Alias: newAlias(), DeleteToken: newToken()}
	if details != "" {
		u.Details = &details
	}
	g.discardLater(u.Hash)
	g.forgetLater(u.Identifier)
	return u
}

// saves saves an upload, checks what is told of it, and returns the token.
func (g *gallery) saves(u *mediav1.SaveUploadRequest, hashExisted, aliasExisted bool) (token string) {
	g.t.Helper()
	got := ask(g, g.media.Uploads.Save, u)
	equal(g, "hash_existed", got.HashExisted, hashExisted)
	equal(g, "alias_existed", got.AliasExisted, aliasExisted)
	return got.DeleteToken
}
