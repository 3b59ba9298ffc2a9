package conformance

import mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"

// The groups of the section media. A host that does not need one has no queries for it.
const (
	HashesServed        Capability = "media.hashes"
	AliasesServed       Capability = "media.aliases"
	VariantsServed      Capability = "media.variants"
	DetailsServed       Capability = "media.details"
	SettingsServed      Capability = "media.settings"
	QueueServed         Capability = "media.queue"
	UploadsServed       Capability = "media.uploads"
	ProxiesServed       Capability = "media.proxies"
	AliasAccessServed   Capability = "media.alias_access"
	VariantAccessServed Capability = "media.variant_access"
	MigrationServed     Capability = "media.store_migration"
)

// mediaGroupAbilities look for the groups by a read of what nobody knows.
func mediaGroupAbilities() []mediaAbility {
	group := func(finds Capability, says, key string, has func(g *gallery) error, on ...Capability) mediaAbility {
		return mediaAbility{
			Ability{Capability: finds, Says: says, Choice: true, Operations: keys(key), BuildsOn: on, Fix: "add the queries of the group " + string(finds)},
			func(g *gallery) bool { return served(g.t, has(g)) },
		}
	}
	return []mediaAbility{
		group(HashesServed, "a repo may keep hashes", hashesIdentifier,
			func(g *gallery) error {
				return try(g, g.media.Hashes.Identifier, &mediav1.HashRequest{Hash: newHash()})
			}),
		group(AliasesServed, "a repo may keep aliases of its hashes", aliasesHash,
			func(g *gallery) error { return try(g, g.media.Aliases.Hash, &mediav1.AliasRequest{Alias: newAlias()}) }, HashesServed),
		group(VariantsServed, "a repo may keep variants of its hashes", variantsIdentifier,
			func(g *gallery) error {
				return try(g, g.media.Variants.Identifier, &mediav1.VariantRequest{Hash: newHash(), Variant: "resize"})
			}, HashesServed),
		group(DetailsServed, "a repo may keep details of files", detailsGet,
			func(g *gallery) error {
				return try(g, g.media.Details.Get, &mediav1.IdentifierRequest{Identifier: newIdentifier()})
			}),
		group(SettingsServed, "a repo may keep settings of its server", settingsGet,
			func(g *gallery) error { return try(g, g.media.Settings.Get, &mediav1.SettingRequest{Key: unique(8)}) }),
		group(QueueServed, "a repo may have a queue of jobs", queueLength,
			func(g *gallery) error { return try(g, g.media.Queue.Length, &mediav1.LengthRequest{}) }),
		group(UploadsServed, "a repo may keep uploads in the background", uploadsResult,
			func(g *gallery) error {
				return try(g, g.media.Uploads.Result, &mediav1.UploadRequest{UploadId: newUUID()})
			}),
		group(ProxiesServed, "a repo may keep aliases of URLs", proxiesRelated,
			func(g *gallery) error { return try(g, g.media.Proxies.Related, &mediav1.URLRequest{Url: newURL()}) }, AliasesServed),
		group(AliasAccessServed, "a repo may keep when aliases were last used", aliasAccessAccessedAt,
			func(g *gallery) error {
				return try(g, g.media.Access.AliasAt, &mediav1.AliasRequest{Alias: newAlias()})
			}, AliasesServed),
		group(VariantAccessServed, "a repo may keep when variants were last used", variantAccessAccessedAt,
			func(g *gallery) error {
				return try(g, g.media.Access.VariantAt, &mediav1.VariantRequest{Hash: newHash(), Variant: "resize"})
			}, VariantsServed),
		group(MigrationServed, "a repo may remember which files have been moved", migrationIsContinuing,
			func(g *gallery) error {
				return try(g, g.media.StoreMigration.IsContinuing, &mediav1.IsContinuingRequest{})
			}),
	}
}
