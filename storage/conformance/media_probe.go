package conformance

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// The abilities of a query set that concern everything but queue, uploads and claims.
const (
	// KeepsCreatedAt: times of creation are kept, so that hashes can be in the order of time.
	KeepsCreatedAt Capability = "keeps_created_at"
	// KeepsMicroseconds: times of creation are not rounded to seconds.
	KeepsMicroseconds Capability = "keeps_microseconds"
	// AnyHash: hashes of all lengths can be stored, not only those of 39 bytes.
	AnyHash Capability = "any_hash"
	// LongNames: aliases, tokens and settings may be longer than 30 characters or 40 bytes.
	LongNames Capability = "long_names"
	// KeepsTokens: the token that is given is the one that is stored; a query may make its own.
	KeepsTokens Capability = "keeps_tokens"
	// KeepsBlurhash: there is a place for blurhashes.
	KeepsBlurhash Capability = "keeps_blurhash"
	// KeepsAliasedHashes: a hash with aliases cannot be deleted. Where it can, its aliases go with it.
	KeepsAliasedHashes Capability = "keeps_aliased_hashes"
	// RefusesLostAliases and RefusesLostVariants: an alias or a variant needs its hash.
	RefusesLostAliases  Capability = "refuses_lost_aliases"
	RefusesLostVariants Capability = "refuses_lost_variants"
	// KeepsProxiedAliases: an alias that a URL refers to cannot be deleted, and a URL needs its alias.
	KeepsProxiedAliases Capability = "keeps_proxied_aliases"
	// RelatesTokens, RelatesHashes and RemovesSettings: the seed's separate steps are configured.
	RelatesTokens   Capability = "relates_tokens"
	RelatesHashes   Capability = "relates_hashes"
	RemovesSettings Capability = "removes_settings"
	// RelatingIsAccess: a new variant was used just now.
	RelatingIsAccess Capability = "relating_is_access"
	// AgesAccess: an access that lies in the past can be recorded, because times may move backwards, or
	// because the storage's clock can be stopped.
	AgesAccess Capability = "ages_access"
	// AgesByLastURL: an alias is as old as the access of the last of its URLs.
	AgesByLastURL Capability = "ages_by_last_url"
	// MarksNewIdentifiers: a moved file is known by its new identifier, too.
	MarksNewIdentifiers Capability = "marks_new_identifiers"
)

// served says whether a call got as far as a query, which may well have found nothing.
func served(t T, err error) bool {
	switch status.Code(err) {
	case codes.NotFound, codes.FailedPrecondition:
		if fault.ReasonOf(err) != fault.Rejected {
			return true
		}
	}
	return configured(t, err)
}

// fits says whether the database took a value.
func fits(t T, err error) bool {
	if fault.ReasonOf(err) == fault.Rejected {
		return false
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return true
}

// mediaRepoAbilities are those of everything but queue, uploads and claims.
func mediaRepoAbilities() []mediaAbility {
	hashes, aliases, variants := []Capability{HashesServed}, []Capability{AliasesServed}, []Capability{VariantsServed}
	return []mediaAbility{
		{Ability{Capability: KeepsCreatedAt, BuildsOn: hashes, Operations: keys(hashesCreate, hashesBound), Says: "the time of creation is stored, and pages are in its order",
			Fix: "keep @created_at in a column"},
			func(g *gallery) bool { return g.bound(g.createAt(newHash(), longAgo()).hash).Equal(longAgo()) }},
		{Ability{Capability: KeepsMicroseconds, BuildsOn: []Capability{KeepsCreatedAt}, Operations: keys(hashesCreate, hashesBound), Says: "times have the precision of microseconds",
			Fix: "let the column be a timestamptz or timestamp without a precision"},
			func(g *gallery) bool {
				at := longAgo().Add(123456 * time.Microsecond)
				return g.bound(g.createAt(newHash(), at).hash).Equal(at)
			}},
		{Ability{Capability: AnyHash, BuildsOn: hashes, Choice: true, Operations: keys(hashesCreate), Says: "a hash is any bytes",
			Fix: "let the column take any number of bytes, and encode without line breaks where it is text"},
			func(g *gallery) bool {
				for _, length := range []int{8, 32, 100} {
					request := &mediav1.CreateHashRequest{Hash: random(length), Identifier: newIdentifier()}
					g.discardLater(request.Hash)
					if !fits(g.t, try(g, g.media.Hashes.Create, request)) {
						return false
					}
				}
				return true
			}},
		{Ability{Capability: KeepsBlurhash, BuildsOn: hashes, Choice: true, Operations: keys(hashesRelateBlurhash, hashesBlurhash), Says: "the blurhash of an original is kept",
			Fix: "add a column for it"},
			func(g *gallery) bool {
				o := g.original()
				_ = try(g, g.media.Hashes.RelateBlurhash, &mediav1.RelateBlurhashRequest{Hash: o.hash, Blurhash: "LEHV6nWB"})
				return status.Code(try(g, g.media.Hashes.Blurhash, &mediav1.HashRequest{Hash: o.hash})) != codes.NotFound
			}},
		{Ability{Capability: LongNames, BuildsOn: aliases, Operations: keys(aliasesCreate), Says: "aliases and tokens have any length: a UUID with an extension has 41 characters",
			Fix: "let the columns be text without a limit"},
			func(g *gallery) bool {
				o := g.original()
				return fits(g.t, try(g, g.media.Aliases.Create, &mediav1.CreateAliasRequest{Alias: unique(20) + ".webp", DeleteToken: unique(18), Hash: o.hash}))
			}},
		{Ability{Capability: KeepsTokens, BuildsOn: aliases, Choice: true, Operations: keys(aliasesCreate), Says: "the token that is given is stored, unless the query makes its own and returns it",
			Fix: "store @delete_token"},
			func(g *gallery) bool {
				o, token := g.original(), newToken()
				return ask(g, g.media.Aliases.Create, &mediav1.CreateAliasRequest{Alias: newAlias(), DeleteToken: token, Hash: o.hash}).DeleteToken == token
			}},
		{Ability{Capability: KeepsAliasedHashes, BuildsOn: aliases, Choice: true, Operations: keys(hashesCleanup), Says: "a hash with aliases is not deleted, unless the schema cascades on purpose",
			Fix: "let the aliases refer to the hashes with a foreign key that does not cascade"},
			func(g *gallery) bool {
				o := g.original()
				g.alias(o.hash)
				return try(g, g.media.Hashes.Cleanup, &mediav1.CleanupHashRequest{Hash: o.hash}) != nil
			}},
		{Ability{Capability: RefusesLostAliases, BuildsOn: aliases, Operations: keys(aliasesCreate), Says: "an alias of a hash that is not there is refused",
			Fix: "let the aliases refer to the hashes with a foreign key"},
			func(g *gallery) bool {
				hash := newHash()
				g.discardLater(hash)
				return try(g, g.media.Aliases.Create, &mediav1.CreateAliasRequest{Alias: newAlias(), DeleteToken: newToken(), Hash: hash}) != nil
			}},
		{Ability{Capability: RelatesTokens, BuildsOn: aliases, Choice: true, Operations: keys(aliasesRelateDeleteToken), Says: "the token of an alias may be given in a step of its own",
			Fix: "give relate_delete_token_query, if the host needs it"},
			func(g *gallery) bool {
				return served(g.t, try(g, g.media.Aliases.RelateDeleteToken, &mediav1.RelateDeleteTokenRequest{Alias: newAlias(), DeleteToken: newToken()}))
			}},
		{Ability{Capability: RelatesHashes, BuildsOn: aliases, Choice: true, Operations: keys(aliasesRelateHash), Says: "an alias may be pointed at another hash",
			Fix: "give relate_hash_query, if the host needs it"},
			func(g *gallery) bool {
				return served(g.t, try(g, g.media.Aliases.RelateHash, &mediav1.RelateHashRequest{Alias: newAlias(), Hash: newHash()}))
			}},
		{Ability{Capability: RefusesLostVariants, BuildsOn: variants, Operations: keys(variantsRelate), Says: "a variant of a hash that is not there is refused",
			Fix: "let the variants refer to the hashes with a foreign key"},
			func(g *gallery) bool {
				hash := newHash()
				g.discardLater(hash)
				return try(g, g.media.Variants.Relate, &mediav1.RelateVariantRequest{Hash: hash, Variant: thumbnail, Identifier: newIdentifier()}) != nil
			}},
		{Ability{Capability: RemovesSettings, BuildsOn: []Capability{SettingsServed}, Choice: true, Operations: keys(settingsRemove), Says: "a setting may be removed",
			Fix: "give settings.remove_query, if the host needs it"},
			func(g *gallery) bool {
				return served(g.t, try(g, g.media.Settings.Remove, &mediav1.SettingRequest{Key: unique(8)}))
			}},
		{Ability{Capability: KeepsProxiedAliases, BuildsOn: []Capability{ProxiesServed}, Operations: keys(proxiesRelate, aliasesCleanup), Says: "a URL needs its alias, which is not deleted while the URL refers to it",
			Fix: "let the URLs refer to the aliases with a foreign key that does not cascade"},
			func(g *gallery) bool {
				alias := newAlias()
				g.later(func() { _ = try(g, g.media.Proxies.Remove, &mediav1.AliasRequest{Alias: alias}) })
				return try(g, g.media.Proxies.Relate, &mediav1.RelateURLRequest{Url: newURL(), Alias: alias}) != nil
			}},
		{Ability{Capability: RelatingIsAccess, BuildsOn: []Capability{VariantAccessServed}, Operations: keys(variantsRelate, variantAccessAccessedAt), Says: "a new variant was used just now",
			Fix: "store @now as the time of access, or let the column have the current time by default"},
			func(g *gallery) bool {
				o := g.original()
				g.generated(o.hash, thumbnail)
				return try(g, g.media.Access.VariantAt, &mediav1.VariantRequest{Hash: o.hash, Variant: thumbnail}) == nil
			}},
		{Ability{Capability: AgesAccess, BuildsOn: []Capability{ProxiesServed, AliasAccessServed, VariantAccessServed}, Choice: true, Operations: keys(aliasAccessAccessed, variantAccessAccessed),
			Says: "an access that lies in the past can be recorded, with a stopped clock or because times move backwards",
			Fix:  "nothing, if times are never to move backwards: then this is about who asks"},
			func(g *gallery) bool {
				o := g.original()
				alias := g.alias(o.hash)
				g.urlAt(alias, longAgo())
				g.generatedAt(o.hash, thumbnail, longAgo())
				return g.aliasAt(alias).Equal(longAgo()) && g.variantAt(o.hash, thumbnail).Equal(longAgo())
			}},
		{Ability{Capability: AgesByLastURL, BuildsOn: []Capability{AgesAccess}, Operations: keys(aliasAccessOlder), Says: "an alias that several URLs stand for is as old as the access of the last of them",
			Fix: "leave rows out that have a later one of the same alias"},
			func(g *gallery) bool {
				u := usages[0]
				at, alias := u.ancient(g), g.alias(g.original().hash)
				g.during(at, func() { g.url(alias) })
				g.during(at.Add(time.Hour), func() { g.url(alias) })
				rows, _ := u.read(g, at.Add(time.Second), 0)
				return len(rows) == 0
			}},
		{Ability{Capability: MarksNewIdentifiers, BuildsOn: []Capability{MigrationServed}, Operations: keys(migrationMark, migrationIsMigrated), Says: "a moved file is known by its new identifier, too, so that a move can be resumed",
			Fix: "keep @new_identifier in a column of its own, and look in both"},
			func(g *gallery) bool {
				old, moved := newIdentifier(), newIdentifier()
				g.mark(old, moved)
				return ask(g, g.media.StoreMigration.IsMigrated, &mediav1.IdentifierRequest{Identifier: moved}).Migrated
			}},
	}
}
