package conformance

import (
	"bytes"

	"google.golang.org/grpc/codes"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

func describeCases() []mediaCase {
	const each = "each hash of the request is described in its order, with all its aliases, its identifier and that one's details"
	describe := keys(hashesDescribe, aliasesForHash, hashesIdentifier, detailsGet)
	return []mediaCase{
		{name: "hashes.describe describes a hash", on: describe, says: each,
			run: func(g *gallery) {
				g.beside(func(o original) { g.describes([][]byte{o.hash}, g.expected(o.hash)) })
			}},
		{name: "hashes.describe answers in the order of the request", on: describe, says: each,
			run: func(g *gallery) {
				var hashes [][]byte
				var want []description
				for i := range 6 {
					o := g.original()
					for range i % 3 {
						g.alias(o.hash)
					}
					if i%2 == 0 {
						g.details(o.identifier)
					}
					hashes, want = append(hashes, o.hash), append(want, g.expected(o.hash))
				}
				g.describes(hashes, want...)
				for i, j := 0, len(hashes)-1; i < j; i, j = i+1, j-1 {
					hashes[i], hashes[j], want[i], want[j] = hashes[j], hashes[i], want[j], want[i]
				}
				g.describes(hashes, want...)
			}},
		{name: "hashes.describe tells what is missing", on: describe, says: "a hash without alias, without details, and one that is unknown have none",
			run: func(g *gallery) {
				bare, unknown, named, detailed := g.original(), newHash(), g.original(), g.original()
				alias := g.alias(named.hash)
				details := g.details(detailed.identifier)
				g.describes([][]byte{bare.hash, unknown, named.hash, detailed.hash},
					description{identifier: bare.identifier}, description{},
					description{identifier: named.identifier, aliases: []string{alias}}, description{identifier: detailed.identifier, details: details})
			}},
		{name: "hashes.describe answers a hash as often as it is asked for", on: describe, says: each,
			run: func(g *gallery) {
				o, p := g.original(), g.original()
				g.alias(o.hash)
				g.alias(o.hash)
				g.details(p.identifier)
				first, second := g.expected(o.hash), g.expected(p.hash)
				g.describes([][]byte{o.hash, p.hash, o.hash, o.hash, p.hash}, first, second, first, first, second)
			}},
		{name: "hashes.describe of nothing is empty", on: describe, says: "no hashes, no query, no rows",
			run: func(g *gallery) { g.describes(nil) }},
		{name: "Hashes.Describe refuses too many hashes", on: describe, says: "at most 1000 hashes are described at once, and none of them is empty",
			run: func(g *gallery) {
				many := make([][]byte, 1001)
				for i := range many {
					many[i] = newHash()
				}
				refuse(g, codes.InvalidArgument, fault.InvalidArgument, g.media.Hashes.Describe, &mediav1.DescribeRequest{Hashes: many})
				refuse(g, codes.InvalidArgument, fault.InvalidArgument, g.media.Hashes.Describe, &mediav1.DescribeRequest{Hashes: [][]byte{newHash(), {}}})
			}},
	}
}

// A description is what Describe says of a hash; "" stands for what is unset.
type description struct {
	identifier, details string
	aliases             []string
}

// expected describes a hash by what the getters say.
func (g *gallery) expected(hash []byte) description {
	g.t.Helper()
	d := description{identifier: ask(g, g.media.Hashes.Identifier, &mediav1.HashRequest{Hash: hash}).Identifier, aliases: g.aliasesOf(hash)}
	got, err := g.media.Details.Get(g.ctx, &mediav1.IdentifierRequest{Identifier: d.identifier})
	if err == nil {
		d.details = got.Details
	} else {
		refused(g.t, "Details.Get", err, codes.NotFound, fault.DoesNotExist)
	}
	return d
}

func (g *gallery) describes(hashes [][]byte, want ...description) {
	g.t.Helper()
	got := ask(g, g.media.Hashes.Describe, &mediav1.DescribeRequest{Hashes: hashes}).Hashes
	if len(got) != len(want) {
		g.t.Fatalf("%d hashes are described; there should be %d", len(got), len(want))
	}
	for i, d := range got {
		if !bytes.Equal(d.Hash, hashes[i]) {
			g.t.Errorf("the description %d is about %s; it should be about %s", i+1, brief(d.Hash), brief(hashes[i]))
		}
		optional(g, "the identifier", d.Identifier, want[i].identifier)
		sameSet(g, "the aliases", d.Aliases, want[i].aliases)
		g.sameDetails("the details", d.Details, want[i].details)
	}
}

// sameDetails compares details that may be unset, which "" stands for, by their meaning.
func (g *gallery) sameDetails(what string, got *string, want string) {
	g.t.Helper()
	if got == nil || want == "" {
		optional(g, what, got, want)
	} else if !sameJSON(*got, want) {
		g.t.Errorf("%s are %s; they should be %s", what, *got, want)
	}
}

// describedAs checks the details of a file; "" stands for none.
func (g *gallery) describedAs(identifier, want string) {
	g.t.Helper()
	request := &mediav1.IdentifierRequest{Identifier: identifier}
	if want == "" {
		absent(g, g.media.Details.Get, request)
		return
	}
	if got := ask(g, g.media.Details.Get, request).Details; !sameJSON(got, want) {
		g.t.Errorf("the details of a file are %s; they should be %s", got, want)
	}
}
