package conformance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// An original is a stored hash.
type original struct {
	hash       []byte
	identifier string
}

// create stores a hash as of now, and takes it away when the case is over.
func (g *gallery) create(hash []byte) original {
	g.t.Helper()
	o := original{hash, newIdentifier()}
	g.store(&mediav1.CreateHashRequest{Hash: o.hash, Identifier: o.identifier})
	return o
}

// createAt stores a hash as of a certain time.
func (g *gallery) createAt(hash []byte, at time.Time) original {
	g.t.Helper()
	o := original{hash, newIdentifier()}
	g.store(&mediav1.CreateHashRequest{Hash: o.hash, Identifier: o.identifier, CreatedAt: stamp(at)})
	return o
}

// original stores a hash that nobody knows.
func (g *gallery) original() original {
	g.t.Helper()
	return g.create(newHash())
}

func (g *gallery) store(request *mediav1.CreateHashRequest) {
	g.t.Helper()
	g.discardLater(request.Hash)
	ask(g, g.media.Hashes.Create, request)
}

// discardLater takes a hash away when the case is over, with all that belongs to it.
func (g *gallery) discardLater(hash []byte) { g.later(func() { g.discard(hash) }) }

func (g *gallery) discard(hash []byte) {
	request := &mediav1.HashRequest{Hash: hash}
	list, _ := g.media.Aliases.ForHash(g.ctx, request)
	for _, a := range list.GetAliases() {
		alias := &mediav1.AliasRequest{Alias: a.Alias}
		_ = try(g, g.media.Proxies.Remove, alias)
		_ = try(g, g.media.Access.RemoveAlias, alias)
		_ = try(g, g.media.Aliases.Cleanup, alias)
	}
	variants, _ := g.media.Variants.ForHash(g.ctx, request)
	for _, v := range variants.GetVariants() {
		_ = try(g, g.media.Details.Cleanup, &mediav1.IdentifierRequest{Identifier: v.Identifier})
		_ = try(g, g.media.Variants.Remove, &mediav1.VariantRequest{Hash: hash, Variant: v.Variant})
	}
	if file, err := g.media.Hashes.Identifier(g.ctx, request); err == nil {
		_ = try(g, g.media.Details.Cleanup, &mediav1.IdentifierRequest{Identifier: file.Identifier})
	}
	_ = try(g, g.media.Hashes.Cleanup, &mediav1.CleanupHashRequest{Hash: hash})
}

// alias gives a hash an alias with a token.
func (g *gallery) alias(hash []byte) string {
	g.t.Helper()
	alias := newAlias()
	g.named(hash, alias)
	return alias
}

// named gives a hash a certain alias, and returns the alias's token.
func (g *gallery) named(hash []byte, alias string) (token string) {
	g.t.Helper()
	return ask(g, g.media.Aliases.Create, &mediav1.CreateAliasRequest{Alias: alias, DeleteToken: newToken(), Hash: hash}).DeleteToken
}

func (g *gallery) token(alias string) string {
	g.t.Helper()
	return ask(g, g.media.Aliases.DeleteToken, &mediav1.AliasRequest{Alias: alias}).DeleteToken
}

// generated gives a hash a variant, and returns its identifier.
func (g *gallery) generated(hash []byte, variant string) string {
	g.t.Helper()
	identifier := newIdentifier()
	ask(g, g.media.Variants.Relate, &mediav1.RelateVariantRequest{Hash: hash, Variant: variant, Identifier: identifier})
	return identifier
}

// details gives a file details, and returns them.
func (g *gallery) details(identifier string) string {
	g.t.Helper()
	details := fmt.Sprintf(`{"width":%d,"height":%d,"frames":null,"content_type":"image/webp","format":"Image"}`, random(1)[0], random(1)[0])
	g.detailed(identifier, details)
	return details
}

// detailed gives a file certain details, and takes them away when the case is over.
func (g *gallery) detailed(identifier, details string) {
	g.t.Helper()
	g.forgetLater(identifier)
	ask(g, g.media.Details.Relate, &mediav1.RelateDetailsRequest{Identifier: identifier, Details: details})
}

func (g *gallery) forgetLater(identifier string) {
	g.later(func() { _ = try(g, g.media.Details.Cleanup, &mediav1.IdentifierRequest{Identifier: identifier}) })
}

// url gives an alias a proxied URL.
func (g *gallery) url(alias string) string {
	g.t.Helper()
	url := newURL()
	ask(g, g.media.Proxies.Relate, &mediav1.RelateURLRequest{Url: url, Alias: alias})
	return url
}

// The variants that a furnished original has.
const (
	thumbnail = "thumbnail/200/webp"
	blurred   = "blur/1.5/webp"
)

// furnish gives a hash everything that the query set has a place for: a still image, a blurhash,
// details, two aliases of which one stands for a URL, and two variants.
func (g *gallery) furnish(o original) {
	g.t.Helper()
	offer(g, g.media.Hashes.RelateMotionIdentifier, &mediav1.HashAndIdentifier{Hash: o.hash, Identifier: newIdentifier()})
	offer(g, g.media.Hashes.RelateBlurhash, &mediav1.RelateBlurhashRequest{Hash: o.hash, Blurhash: "L" + unique(8)})
	offer(g, g.media.Details.Relate, &mediav1.RelateDetailsRequest{Identifier: o.identifier, Details: `{"width":` + fmt.Sprint(random(1)[0]) + `}`})
	for range 2 {
		alias := newAlias()
		if offer(g, g.media.Aliases.Create, &mediav1.CreateAliasRequest{Alias: alias, DeleteToken: newToken(), Hash: o.hash}) {
			offer(g, g.media.Proxies.Relate, &mediav1.RelateURLRequest{Url: newURL(), Alias: alias})
		}
	}
	for _, variant := range []string{thumbnail, blurred} {
		identifier := newIdentifier()
		if offer(g, g.media.Variants.Relate, &mediav1.RelateVariantRequest{Hash: o.hash, Variant: variant, Identifier: identifier}) {
			offer(g, g.media.Details.Relate, &mediav1.RelateDetailsRequest{Identifier: identifier, Details: `{"height":` + fmt.Sprint(random(1)[0]) + `}`})
		}
	}
}

// offer calls a method that need not be configured, and says whether it is.
func offer[Q, R any](g *gallery, m method[Q, R], request *Q) bool {
	g.t.Helper()
	err := try(g, m, request)
	if code := status.Code(err); code == codes.Unimplemented {
		return false
	}
	if err != nil {
		g.t.Fatalf("%s: %v", nameOf(m), err)
	}
	return true
}

// seen describes all that can be seen of a hash, so that two looks can be compared.
func (g *gallery) seen(hash []byte) string {
	g.t.Helper()
	request := &mediav1.HashRequest{Hash: hash}
	identifier := look(g, g.media.Hashes.Identifier, request, (*mediav1.IdentifierResponse).GetIdentifier)
	parts := []string{
		"identifier " + identifier,
		"motion " + look(g, g.media.Hashes.MotionIdentifier, request, (*mediav1.MotionIdentifierResponse).GetMotionIdentifier),
		"blurhash " + look(g, g.media.Hashes.Blurhash, request, (*mediav1.BlurhashResponse).GetBlurhash),
		"created " + look(g, g.media.Hashes.Bound, request, func(r *mediav1.BoundResponse) string { return shown(r.GetCreatedAt().AsTime()) }),
		"details " + g.seenDetails(identifier),
	}
	var aliases, variants []string
	look(g, g.media.Aliases.ForHash, request, func(list *mediav1.AliasList) string {
		for _, a := range list.GetAliases() {
			aliases = append(aliases, g.seenAlias(a.Alias))
		}
		return ""
	})
	look(g, g.media.Variants.ForHash, request, func(list *mediav1.VariantList) string {
		for _, v := range list.GetVariants() {
			variants = append(variants, g.seenVariant(hash, v))
		}
		return ""
	})
	slices.Sort(aliases)
	slices.Sort(variants)
	return strings.Join(slices.Concat(parts, aliases, variants), "\n")
}

// seenWithout is seen without the lines that begin in certain ways.
func (g *gallery) seenWithout(hash []byte, beginnings ...string) string {
	g.t.Helper()
	return strings.Join(slices.DeleteFunc(strings.Split(g.seen(hash), "\n"), func(line string) bool {
		return slices.ContainsFunc(beginnings, func(beginning string) bool { return strings.HasPrefix(line, beginning) })
	}), "\n")
}

func (g *gallery) seenDetails(identifier string) string {
	g.t.Helper()
	return look(g, g.media.Details.Get, &mediav1.IdentifierRequest{Identifier: identifier}, (*mediav1.DetailsResponse).GetDetails)
}

func (g *gallery) seenAlias(alias string) string {
	g.t.Helper()
	request := &mediav1.AliasRequest{Alias: alias}
	return "alias " + alias +
		" token " + look(g, g.media.Aliases.DeleteToken, request, (*mediav1.DeleteTokenResponse).GetDeleteToken) +
		" hash " + look(g, g.media.Aliases.Hash, request, func(r *mediav1.HashResponse) string { return fmt.Sprintf("%x", r.GetHash()) }) +
		" accessed " + look(g, g.media.Access.AliasAt, request, accessedAt)
}

func (g *gallery) seenVariant(hash []byte, v *mediav1.Variant) string {
	g.t.Helper()
	request := &mediav1.VariantRequest{Hash: hash, Variant: v.Variant}
	return "variant " + v.Variant + " listed " + v.Identifier +
		" identifier " + look(g, g.media.Variants.Identifier, request, (*mediav1.IdentifierResponse).GetIdentifier) +
		" accessed " + look(g, g.media.Access.VariantAt, request, accessedAt) +
		" details " + g.seenDetails(v.Identifier)
}

func accessedAt(r *mediav1.AccessedResponse) string { return shown(r.GetAccessed().AsTime()) }

// look reads one thing; that there is none, or no place for it, is an answer, too.
func look[Q, R any](g *gallery, m method[Q, R], request *Q, read func(*R) string) string {
	g.t.Helper()
	response, err := m(g.ctx, request)
	switch {
	case err == nil:
		return read(response)
	case fault.ReasonOf(err) == fault.DoesNotExist, status.Code(err) == codes.Unimplemented, status.Code(err) == codes.InvalidArgument:
		return "(" + status.Code(err).String() + ")"
	}
	g.t.Fatalf("%s: %v", nameOf(m), err)
	return ""
}

// neighboursOf returns hashes that differ from one in exactly one byte, the second only in the case of a
// letter where the hash is stored as base64.
func neighboursOf(hash []byte) [][]byte {
	first, last := slices.Clone(hash), slices.Clone(hash)
	first[0] ^= 1
	last[len(last)-1] += 26
	return [][]byte{first, last}
}

// beside runs do on a furnished original and checks that its neighbours, which have the same things in
// the same places, stay as they are. One of them is stored before the original and one behind it, so
// that a query that finds them all finds another one first, or last.
func (g *gallery) beside(do func(o original)) {
	g.t.Helper()
	hash := newHash()
	neighbours := neighboursOf(hash)
	g.furnish(g.create(neighbours[0]))
	o := g.create(hash)
	g.furnish(o)
	g.furnish(g.create(neighbours[1]))
	before := []string{g.seen(neighbours[0]), g.seen(neighbours[1])}
	do(o)
	for i, hash := range neighbours {
		g.unchanged("another hash", before[i], g.seen(hash))
	}
}

// crowd stores furnished neighbours. A query that finds more rows than it should has to choose one of
// them, which cannot be right for all.
func (g *gallery) crowd() []original {
	g.t.Helper()
	hash := newHash()
	var all []original
	for _, hash := range append(neighboursOf(hash), hash) {
		o := g.create(hash)
		g.furnish(o)
		all = append(all, o)
	}
	return all
}

// unchanged compares two looks.
func (g *gallery) unchanged(what, before, after string) {
	g.t.Helper()
	was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
	for _, line := range was {
		if !slices.Contains(is, line) {
			g.t.Errorf("%s changed: there is no more %s", what, line)
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			g.t.Errorf("%s changed: now there is %s", what, line)
		}
	}
}

// keeps runs do and checks that it changes nothing about a hash.
func (g *gallery) keeps(hash []byte, do func()) {
	g.t.Helper()
	before := g.seen(hash)
	do()
	g.unchanged("the hash", before, g.seen(hash))
}
