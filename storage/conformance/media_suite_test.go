package conformance_test

import (
	"maps"
	"slices"
	"testing"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/conformance"
)

// mediaLacking are the abilities that media query sets lack on purpose, as in lacking.
var mediaLacking = map[string][]conformance.Capability{
	// As it was first planned: hashes without times, short names, aliases that go with their hash, a queue
	// without attempts and heartbeats, and no uploads.
	"pict-rs-sketch": {
		conformance.ExpiresClaims, conformance.ExpiresUploads, conformance.KeepsAliasedHashes, conformance.KeepsBlurhash,
		conformance.KeepsCreatedAt, conformance.KeepsMicroseconds, conformance.LongNames,
		conformance.MarksNewIdentifiers, conformance.UploadsServed, conformance.RetriesJobs, conformance.StoresUploadID, conformance.TellsAttempts,
		conformance.TellsClaimed, conformance.TellsQueueTime, conformance.UniqueJobs,
	},
}

// mediaShortcuts are queries without which the service sends several others.
var mediaShortcuts = []string{
	"media.health.check_query", "media.hashes.get_query", "media.hashes.page_by_hash_query", "media.hashes.prev_by_hash_query",
	"media.hashes.describe_query", "media.aliases.resolve_query", "media.aliases.siblings_query", "media.aliases.remove_query",
	"media.variants.resolve_query", "media.proxies.resolve_query", "media.variant_access.contains_query",
}

func TestMediaQuerySets(t *testing.T) {
	sets := setsWith(t, "media")
	for name := range mediaLacking {
		if !slices.ContainsFunc(sets, func(s querySet) bool { return s.name == name }) {
			t.Errorf("there is no query set %s any more", name)
		}
	}
	for _, set := range sets {
		t.Run(set.name, func(t *testing.T) {
			config := set.config(t)
			found := runMedia(t, config, conformance.MediaCases())
			if want := slices.Sorted(slices.Values(mediaLacking[set.name])); !slices.Equal(found.Lacking(), want) {
				t.Errorf("the query set lacks %v; expected is %v", found.Lacking(), want)
			}
		})
	}
}

// TestMediaQuerySetsWithoutShortcuts runs the cases about what the service does itself where a query set
// does not have a query for it.
func TestMediaQuerySetsWithoutShortcuts(t *testing.T) {
	for _, set := range setsWith(t, "media") {
		t.Run(set.name, func(t *testing.T) {
			config := set.config(t)
			config.Sources.ByKey = maps.Clone(config.Sources.ByKey)
			for _, key := range mediaShortcuts {
				delete(config.Sources.ByKey, key)
			}
			cases := slices.DeleteFunc(conformance.MediaCases(), func(c conformance.Case[*conformance.Media]) bool {
				return !slices.ContainsFunc(c.Operations, func(key string) bool { return slices.Contains(mediaShortcuts, key) })
			})
			runMedia(t, config, cases)
		})
	}
}

// runMedia serves a query set with batches so small that the cases see several, and runs cases on it.
func runMedia(t *testing.T, config storage.Config, cases []conformance.Case[*conformance.Media]) conformance.Capabilities {
	t.Helper()
	settings := config.Settings["media"].(*mediav1.SectionSettings)
	settings.HashesBatchSize, settings.AliasAccessBatchSize, settings.VariantAccessBatchSize = 3, 3, 4
	conn, clock := serve(t, config)
	subject := conformance.NewMedia(conn, settings, clock)
	found, err := conformance.ProbeMedia(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	runAll(t, subject, found, cases)
	return found
}
