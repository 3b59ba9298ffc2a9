package conformance

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// A hashCall is a method that takes a hash.
type hashCall struct {
	method string
	on     []string
	send   func(g *gallery, hash []byte) error
}

func callWithHash[Q, R any](operation string, of func(*Media) method[Q, R], request func(hash []byte) *Q) hashCall {
	return hashCall{operation, keys(operation), func(g *gallery, hash []byte) error { return try(g, of(g.media), request(hash)) }}
}

func justHash(hash []byte) *mediav1.HashRequest { return &mediav1.HashRequest{Hash: hash} }

func hashAndIdentifier(hash []byte) *mediav1.HashAndIdentifier {
	return &mediav1.HashAndIdentifier{Hash: hash, Identifier: newIdentifier()}
}

func hashAndVariant(hash []byte) *mediav1.VariantRequest {
	return &mediav1.VariantRequest{Hash: hash, Variant: thumbnail}
}

var emptyHashCalls = []hashCall{
	callWithHash(hashesCreate, func(m *Media) method[mediav1.CreateHashRequest, mediav1.CreateHashResponse] { return m.Hashes.Create },
		func(hash []byte) *mediav1.CreateHashRequest {
			return &mediav1.CreateHashRequest{Hash: hash, Identifier: newIdentifier()}
		}),
	callWithHash(hashesUpdateIdentifier, func(m *Media) method[mediav1.HashAndIdentifier, mediav1.Affected] { return m.Hashes.UpdateIdentifier }, hashAndIdentifier),
	callWithHash(hashesRelateMotion, func(m *Media) method[mediav1.HashAndIdentifier, mediav1.Affected] {
		return m.Hashes.RelateMotionIdentifier
	}, hashAndIdentifier),
	callWithHash(hashesRelateBlurhash, func(m *Media) method[mediav1.RelateBlurhashRequest, mediav1.Affected] { return m.Hashes.RelateBlurhash },
		func(hash []byte) *mediav1.RelateBlurhashRequest {
			return &mediav1.RelateBlurhashRequest{Hash: hash, Blurhash: "L"}
		}),
	callWithHash(hashesIdentifier, func(m *Media) method[mediav1.HashRequest, mediav1.IdentifierResponse] { return m.Hashes.Identifier }, justHash),
	callWithHash(hashesMotion, func(m *Media) method[mediav1.HashRequest, mediav1.MotionIdentifierResponse] {
		return m.Hashes.MotionIdentifier
	}, justHash),
	callWithHash(hashesBlurhash, func(m *Media) method[mediav1.HashRequest, mediav1.BlurhashResponse] { return m.Hashes.Blurhash }, justHash),
	callWithHash(hashesGet, func(m *Media) method[mediav1.HashRequest, mediav1.HashInfo] { return m.Hashes.Info }, justHash),
	callWithHash(hashesBound, func(m *Media) method[mediav1.HashRequest, mediav1.BoundResponse] { return m.Hashes.Bound }, justHash),
	callWithHash(hashesCleanup, func(m *Media) method[mediav1.CleanupHashRequest, mediav1.CleanupHashResponse] {
		return m.Hashes.Cleanup
	},
		func(hash []byte) *mediav1.CleanupHashRequest { return &mediav1.CleanupHashRequest{Hash: hash} }),
	callWithHash(aliasesForHash, func(m *Media) method[mediav1.HashRequest, mediav1.AliasList] { return m.Aliases.ForHash }, justHash),
	callWithHash(aliasesCreate, func(m *Media) method[mediav1.CreateAliasRequest, mediav1.CreateAliasResponse] {
		return m.Aliases.Create
	},
		func(hash []byte) *mediav1.CreateAliasRequest {
			return &mediav1.CreateAliasRequest{Hash: hash, Alias: newAlias(), DeleteToken: newToken()}
		}),
	callWithHash(aliasesRemove, func(m *Media) method[mediav1.RemoveAliasRequest, mediav1.Affected] { return m.Aliases.Remove },
		func(hash []byte) *mediav1.RemoveAliasRequest {
			return &mediav1.RemoveAliasRequest{Hash: hash, Alias: newAlias()}
		}),
	callWithHash(variantsRelate, func(m *Media) method[mediav1.RelateVariantRequest, mediav1.RelateVariantResponse] {
		return m.Variants.Relate
	},
		func(hash []byte) *mediav1.RelateVariantRequest {
			return &mediav1.RelateVariantRequest{Hash: hash, Variant: thumbnail, Identifier: newIdentifier()}
		}),
	callWithHash(variantsIdentifier, func(m *Media) method[mediav1.VariantRequest, mediav1.IdentifierResponse] {
		return m.Variants.Identifier
	}, hashAndVariant),
	callWithHash(variantsForHash, func(m *Media) method[mediav1.HashRequest, mediav1.VariantList] { return m.Variants.ForHash }, justHash),
	callWithHash(variantsRemove, func(m *Media) method[mediav1.VariantRequest, mediav1.Affected] { return m.Variants.Remove }, hashAndVariant),
	callWithHash(variantAccessAccessedAt, func(m *Media) method[mediav1.VariantRequest, mediav1.AccessedResponse] { return m.Access.VariantAt }, hashAndVariant),
	callWithHash(variantAccessAccessed, func(m *Media) method[mediav1.AccessedVariantRequest, mediav1.Affected] { return m.Access.Variant },
		func(hash []byte) *mediav1.AccessedVariantRequest {
			return &mediav1.AccessedVariantRequest{Hash: hash, Variant: thumbnail}
		}),
	callWithHash(variantAccessContains, func(m *Media) method[mediav1.VariantRequest, mediav1.Contained] { return m.Access.ContainsVariant }, hashAndVariant),
}

// An aliasCall is a method that takes an alias.
type aliasCall struct {
	method string
	on     []string
	send   func(g *gallery, alias string) error
}

func callWithAlias[Q, R any](operation string, of func(*Media) method[Q, R], request func(alias string) *Q) aliasCall {
	return aliasCall{operation, keys(operation), func(g *gallery, alias string) error { return try(g, of(g.media), request(alias)) }}
}

func justAlias(alias string) *mediav1.AliasRequest { return &mediav1.AliasRequest{Alias: alias} }

var emptyAliasCalls = []aliasCall{
	callWithAlias(aliasesCreate, func(m *Media) method[mediav1.CreateAliasRequest, mediav1.CreateAliasResponse] {
		return m.Aliases.Create
	},
		func(alias string) *mediav1.CreateAliasRequest {
			return &mediav1.CreateAliasRequest{Alias: alias, DeleteToken: newToken(), Hash: newHash()}
		}),
	callWithAlias(aliasesDeleteToken, func(m *Media) method[mediav1.AliasRequest, mediav1.DeleteTokenResponse] { return m.Aliases.DeleteToken }, justAlias),
	callWithAlias(aliasesHash, func(m *Media) method[mediav1.AliasRequest, mediav1.HashResponse] { return m.Aliases.Hash }, justAlias),
	callWithAlias(aliasesCleanup, func(m *Media) method[mediav1.AliasRequest, mediav1.Affected] { return m.Aliases.Cleanup }, justAlias),
	callWithAlias(aliasesResolve, func(m *Media) method[mediav1.AliasRequest, mediav1.Resolved] { return m.Aliases.Resolve }, justAlias),
	callWithAlias(aliasesSiblings, func(m *Media) method[mediav1.AliasRequest, mediav1.AliasList] { return m.Aliases.Siblings }, justAlias),
	callWithAlias(aliasesRemove, func(m *Media) method[mediav1.RemoveAliasRequest, mediav1.Affected] { return m.Aliases.Remove },
		func(alias string) *mediav1.RemoveAliasRequest {
			return &mediav1.RemoveAliasRequest{Hash: newHash(), Alias: alias}
		}),
	callWithAlias(variantsResolve, func(m *Media) method[mediav1.ResolveVariantRequest, mediav1.Resolved] { return m.Variants.Resolve },
		func(alias string) *mediav1.ResolveVariantRequest {
			return &mediav1.ResolveVariantRequest{Alias: alias, Variant: thumbnail}
		}),
	callWithAlias(proxiesRelate, func(m *Media) method[mediav1.RelateURLRequest, mediav1.RelateURLResponse] { return m.Proxies.Relate },
		func(alias string) *mediav1.RelateURLRequest {
			return &mediav1.RelateURLRequest{Url: newURL(), Alias: alias}
		}),
	callWithAlias(proxiesRemove, func(m *Media) method[mediav1.AliasRequest, mediav1.Affected] { return m.Proxies.Remove }, justAlias),
	callWithAlias(aliasAccessAccessed, func(m *Media) method[mediav1.AccessedAliasRequest, mediav1.Affected] { return m.Access.Alias },
		func(alias string) *mediav1.AccessedAliasRequest { return &mediav1.AccessedAliasRequest{Alias: alias} }),
	callWithAlias(aliasAccessAccessedAt, func(m *Media) method[mediav1.AliasRequest, mediav1.AccessedResponse] { return m.Access.AliasAt }, justAlias),
}

func mediaArgumentCases() []mediaCase {
	const rule = "a hash and an alias are not empty: otherwise it is INVALID_ARGUMENT, and no query is sent"
	var cases []mediaCase
	for _, call := range emptyHashCalls {
		cases = append(cases, mediaCase{name: short(call.method) + " refuses an empty hash", on: call.on, says: rule,
			run: func(g *gallery) {
				for _, empty := range [][]byte{nil, {}} {
					refused(g.t, call.method, call.send(g, empty), codes.InvalidArgument, fault.InvalidArgument)
				}
			}})
	}
	for _, call := range emptyAliasCalls {
		cases = append(cases, mediaCase{name: short(call.method) + " refuses an empty alias", on: call.on, says: rule,
			run: func(g *gallery) {
				refused(g.t, call.method, call.send(g, ""), codes.InvalidArgument, fault.InvalidArgument)
			}})
	}
	return append(cases,
		mediaCase{name: "errors about hashes and aliases repeat no argument", on: keys(hashesCreate, hashesIdentifier, hashesCleanup, aliasesCreate, aliasesDeleteToken, detailsRelate), says: "no argument's value appears in an error",
			run: errorsAreDiscreet},
		mediaCase{name: "Capabilities of the repo tells what is configured", on: keys(hashesIdentifier), says: "what is said to be there is there, and the other way round", run: reposAgree},
	)
}

// short leaves out what all keys have in common.
func short(key string) string {
	return strings.TrimSuffix(strings.TrimPrefix(key, "media."), "_query")
}

func errorsAreDiscreet(g *gallery) {
	o := g.original()
	alias, wrong := g.alias(o.hash), newToken()
	right := g.token(alias)
	secrets := []string{string(o.hash), hex.EncodeToString(o.hash), base64.StdEncoding.EncodeToString(o.hash), alias, wrong, right, "secret"}
	for _, err := range []error{
		try(g, g.media.Hashes.Create, &mediav1.CreateHashRequest{Hash: o.hash, Identifier: "secret" + newIdentifier()}),
		try(g, g.media.Aliases.Create, &mediav1.CreateAliasRequest{Alias: alias, DeleteToken: wrong, Hash: o.hash}),
		try(g, g.media.Aliases.Delete, &mediav1.DeleteAliasRequest{Alias: alias, DeleteToken: wrong}),
		try(g, g.media.Aliases.Delete, &mediav1.DeleteAliasRequest{Alias: alias, DeleteToken: right + "x"}),
		try(g, g.media.Details.Relate, &mediav1.RelateDetailsRequest{Identifier: "secret", Details: `{"secret":`}),
		try(g, g.media.Hashes.Identifier, &mediav1.HashRequest{Hash: append([]byte("secret"), random(33)...)}),
		try(g, g.media.Hashes.Cleanup, &mediav1.CleanupHashRequest{Hash: o.hash}), // refused where the alias keeps it
	} {
		for _, secret := range secrets {
			if strings.Contains(strings.ToLower(status.Convert(err).Message()), strings.ToLower(secret)) {
				g.t.Errorf("an error repeats an argument: %v", err)
			}
		}
	}
}

func reposAgree(g *gallery) {
	says := ask(g, g.media.Repo.Capabilities, &mediav1.CapabilitiesRequest{})
	for _, group := range mediaGroupAbilities() {
		name := strings.TrimPrefix(string(group.Capability), "media.")
		equal(g, "the group "+name+" is listed", slices.Contains(says.Groups, name), group.has(g))
		equal(g, "the query "+group.Operations[0]+" is listed", slices.Contains(says.Queries, group.Operations[0]), group.has(g))
	}
	for _, optional := range []struct {
		key string
		err error
	}{
		{aliasesRelateDeleteToken, try(g, g.media.Aliases.RelateDeleteToken, &mediav1.RelateDeleteTokenRequest{Alias: newAlias(), DeleteToken: newToken()})},
		{aliasesRelateHash, try(g, g.media.Aliases.RelateHash, &mediav1.RelateHashRequest{Alias: newAlias(), Hash: newHash()})},
		{settingsRemove, try(g, g.media.Settings.Remove, &mediav1.SettingRequest{Key: unique(8)})},
	} {
		equal(g, "the query "+optional.key+" is listed", slices.Contains(says.Queries, optional.key), served(g.t, optional.err))
	}
}
