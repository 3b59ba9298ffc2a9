package conformance

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/grpc"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// Media is the storage of an image server's metadata that is under test.
type Media struct {
	Repo           mediav1.RepoClient
	Hashes         mediav1.HashesClient
	Aliases        mediav1.AliasesClient
	Variants       mediav1.VariantsClient
	Details        mediav1.DetailsClient
	Settings       mediav1.SettingsClient
	Queue          mediav1.QueueClient
	Uploads        mediav1.UploadsClient
	Proxies        mediav1.ProxiesClient
	Access         mediav1.AccessClient
	StoreMigration mediav1.StoreMigrationClient
	// Section is the settings that the storage was opened with.
	Section *mediav1.SectionSettings
	// Clock is the storage's clock; nil if it cannot be stopped.
	Clock *Clock
}

// NewMedia makes the clients for a storage that is reached over conn.
func NewMedia(conn grpc.ClientConnInterface, section *mediav1.SectionSettings, clock *Clock) *Media {
	return &Media{
		Repo: mediav1.NewRepoClient(conn), Hashes: mediav1.NewHashesClient(conn), Aliases: mediav1.NewAliasesClient(conn),
		Variants: mediav1.NewVariantsClient(conn), Details: mediav1.NewDetailsClient(conn), Settings: mediav1.NewSettingsClient(conn),
		Queue: mediav1.NewQueueClient(conn), Uploads: mediav1.NewUploadsClient(conn), Proxies: mediav1.NewProxiesClient(conn),
		Access: mediav1.NewAccessClient(conn), StoreMigration: mediav1.NewStoreMigrationClient(conn),
		Section: section, Clock: clock,
	}
}

// The YAML keys of the operations.
const (
	hashesSize             = "media.hashes.size_query"
	hashesUpdateIdentifier = "media.hashes.update_identifier_query"
	hashesIdentifier       = "media.hashes.identifier_query"
	hashesRelateMotion     = "media.hashes.relate_motion_identifier_query"
	hashesMotion           = "media.hashes.motion_identifier_query"
	hashesRelateBlurhash   = "media.hashes.relate_blurhash_query"
	hashesBlurhash         = "media.hashes.blurhash_query"
	hashesBound            = "media.hashes.bound_query"
	hashesCreate           = "media.hashes.create_query"
	hashesGet              = "media.hashes.get_query"
	hashesCleanup          = "media.hashes.cleanup_query"
	hashesBoundByDate      = "media.hashes.bound_by_date_query"
	hashesFirstPage        = "media.hashes.first_page_query"
	hashesPage             = "media.hashes.page_query"
	hashesPrev             = "media.hashes.prev_query"
	hashesPageByHash       = "media.hashes.page_by_hash_query"
	hashesPrevByHash       = "media.hashes.prev_by_hash_query"
	hashesDescribe         = "media.hashes.describe_query"

	aliasesDeleteToken       = "media.aliases.delete_token_query"
	aliasesHash              = "media.aliases.hash_query"
	aliasesForHash           = "media.aliases.for_hash_query"
	aliasesCleanup           = "media.aliases.cleanup_query"
	aliasesRelateDeleteToken = "media.aliases.relate_delete_token_query"
	aliasesRelateHash        = "media.aliases.relate_hash_query"
	aliasesCreate            = "media.aliases.create_query"
	aliasesResolve           = "media.aliases.resolve_query"
	aliasesSiblings          = "media.aliases.siblings_query"
	aliasesRemove            = "media.aliases.remove_query"

	variantsIdentifier   = "media.variants.identifier_query"
	variantsForHash      = "media.variants.for_hash_query"
	variantsRelate       = "media.variants.relate_identifier_query"
	variantsRemove       = "media.variants.remove_query"
	variantsRemoveAll    = "media.variants.remove_all_query"
	variantsResolve      = "media.variants.resolve_query"
	variantsClaim        = "media.variants.claim_query"
	variantsExpireClaims = "media.variants.expire_claims_query"
	variantsHeartbeat    = "media.variants.heartbeat_query"
	variantsRelease      = "media.variants.release_query"
	variantsClaimed      = "media.variants.claimed_query"
	variantsListen       = "media.variants.listen_query"
	variantsNotify       = "media.variants.notify_query"

	detailsRelate  = "media.details.relate_query"
	detailsGet     = "media.details.get_query"
	detailsCleanup = "media.details.cleanup_query"

	settingsSet    = "media.settings.set_query"
	settingsGet    = "media.settings.get_query"
	settingsRemove = "media.settings.remove_query"

	queueLength            = "media.queue.length_query"
	queueHeartbeat         = "media.queue.heartbeat_query"
	queueRequeueInProgress = "media.queue.requeue_in_progress_query"
	queuePush              = "media.queue.push_query"
	queueRequeueStale      = "media.queue.requeue_stale_query"
	queueClaim             = "media.queue.claim_query"
	queueComplete          = "media.queue.complete_query"
	queueFail              = "media.queue.fail_query"
	queueDiscardExhausted  = "media.queue.discard_exhausted_query"
	queueAckWorker         = "media.queue.ack_worker_query"
	queueListen            = "media.queue.listen_query"
	queueNotify            = "media.queue.notify_query"

	uploadsResult   = "media.uploads.result_query"
	uploadsClaim    = "media.uploads.claim_query"
	uploadsCreate   = "media.uploads.create_query"
	uploadsComplete = "media.uploads.complete_query"
	uploadsExpire   = "media.uploads.expire_query"
	uploadsListen   = "media.uploads.listen_query"
	uploadsNotify   = "media.uploads.notify_query"

	proxiesRelated = "media.proxies.related_query"
	proxiesRemove  = "media.proxies.remove_query"
	proxiesRelate  = "media.proxies.relate_url_query"
	proxiesResolve = "media.proxies.resolve_query"

	aliasAccessAccessed   = "media.alias_access.accessed_query"
	aliasAccessAccessedAt = "media.alias_access.accessed_at_query"
	aliasAccessOlder      = "media.alias_access.older_query"
	aliasAccessRemove     = "media.alias_access.remove_query"

	variantAccessAccessed   = "media.variant_access.accessed_query"
	variantAccessAccessedAt = "media.variant_access.accessed_at_query"
	variantAccessContains   = "media.variant_access.contains_query"
	variantAccessOlder      = "media.variant_access.older_query"
	variantAccessRemove     = "media.variant_access.remove_query"

	migrationIsContinuing = "media.store_migration.is_continuing_query"
	migrationMark         = "media.store_migration.mark_migrated_query"
	migrationIsMigrated   = "media.store_migration.is_migrated_query"
	migrationClear        = "media.store_migration.clear_query"

	healthCheck = "media.health.check_query"
)

// A mediaCase is a case before it is bound to the API. It needs the groups of the operations that it
// names, without saying so.
type mediaCase struct {
	name      string
	on        []string
	says      string
	needs     []Capability
	exclusive bool
	run       func(g *gallery)
}

// MediaCases returns all behaviours of a media query set.
func MediaCases() []Case[*Media] {
	var all []Case[*Media]
	for _, group := range [][]mediaCase{
		hashCreateCases(), hashValueCases(), hashCleanupCases(), describeCases(), pagingCases(), streamCases(),
		aliasCreateCases(), aliasReadCases(), aliasChangeCases(), aliasDeleteCases(), saveCases(),
		variantCases(), variantResolveCases(), proxyCases(), proxyResolveCases(), aliasAccessCases(), variantAccessCases(), olderCases(),
		detailsCases(), settingsCases(), healthCases(), migrationCases(), moveCases(), mediaArgumentCases(),
		mediaQueueCases(), mediaUploadCases(), mediaClaimCases(), mediaRaceCases(),
	} {
		for _, c := range group {
			all = append(all, c.bind())
		}
	}
	return all
}

func (c mediaCase) bind() Case[*Media] {
	return Case[*Media]{
		Name: c.name, Operations: c.on, Says: c.says, Exclusive: c.exclusive, Needs: append(groupsOf(c.on), c.needs...),
		Run: func(ctx context.Context, t T, s *Media) {
			g := newGallery(ctx, t, s)
			defer g.end()
			c.run(g)
		},
	}
}

// groupsOf returns the abilities that stand for the groups of some operations: "media.hashes" for
// media.hashes.size_query. There is none for the health group, which is made up for by another.
func groupsOf(keys []string) []Capability {
	var groups []Capability
	for _, key := range keys {
		group := Capability(key[:strings.LastIndex(key, ".")])
		if group != "media.health" && !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	return groups
}
