package check_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/check"
)

const (
	jobClaim     = "media.queue.claim_query"
	jobStale     = "media.queue.requeue_stale_query"
	jobBeat      = "media.queue.heartbeat_query"
	jobDone      = "media.queue.complete_query"
	jobFail      = "media.queue.fail_query"
	jobDiscard   = "media.queue.discard_exhausted_query"
	jobAck       = "media.queue.ack_worker_query"
	jobListen    = "media.queue.listen_query"
	jobNotify    = "media.queue.notify_query"
	uploadDone   = "media.uploads.complete_query"
	hashCreate   = "media.hashes.create_query"
	hashPage     = "media.hashes.page_query"
	hashByDate   = "media.hashes.bound_by_date_query"
	hashDescribe = "media.hashes.describe_query"
	hashCleanup  = "media.hashes.cleanup_query"
	hashBlur     = "media.hashes.blurhash_query"
	hashMotion   = "media.hashes.relate_motion_identifier_query"
	moved        = "media.store_migration.is_migrated_query"
	aliasResolve = "media.aliases.resolve_query"
	claim        = "media.variants.claim_query"
	claimBeat    = "media.variants.heartbeat_query"
	claimNotify  = "media.variants.notify_query"
	variantsOf   = "media.variants.for_hash_query"
	removeAll    = "media.variants.remove_all_query"

	goodFail = "UPDATE j SET retry = retry - 1, worker = NULL WHERE id = @job_id AND worker = @worker RETURNING retry"
	goodNext = "UPDATE j SET worker = @worker, beat = @now WHERE id = (SELECT id FROM j WHERE queue = @queue AND beat IS NULL AND retry > 0 " +
		"ORDER BY queue_time, id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, job, retry"
)

var mediaCases = []textsCase{
	{"a job is chosen and skipped if taken", "", jobClaim, goodNext, nil},
	{"a job that others wait for", "", jobClaim, "UPDATE j SET worker = @worker WHERE id = (SELECT id FROM j WHERE queue = @queue AND retry > 0 ORDER BY t LIMIT 1\nFOR UPDATE) RETURNING id, job, retry", []string{"M01 warning 2:1"}},
	{"a job that is not locked", "", jobClaim, "UPDATE j SET worker = @worker WHERE id = (SELECT id FROM j WHERE queue = @queue AND retry > 0 ORDER BY t LIMIT 1) RETURNING id, job, retry", []string{"M01 warning 1:1"}},
	{"a job from a function", "", jobClaim, "SELECT id, job FROM next_job(@queue, @worker, @now)", nil},
	{"a job without attempts", "", jobClaim, "UPDATE j SET worker = @worker WHERE id = (SELECT id FROM j WHERE queue = @queue ORDER BY t LIMIT 1 FOR UPDATE SKIP LOCKED)\nRETURNING id, job, tries AS retry", []string{"M02 warning 2:20"}},
	{"a table that counts no attempts", "", jobClaim, "UPDATE j SET worker = @worker WHERE id = (SELECT id FROM j WHERE queue = @queue ORDER BY t LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, job", nil},

	{"a stale job keeps its attempts", "", jobStale, "UPDATE j SET worker = NULL, beat = NULL WHERE beat <= @stale_before", nil},
	{"a stale job loses one", "", jobStale, "UPDATE j SET worker = NULL, beat = NULL,\nretry = retry - 1 WHERE beat <= @stale_before AND retry > 0", []string{"M03 warning 2:9"}},

	{"the worker's own job", "", jobBeat, "UPDATE j SET beat = @now WHERE id = @job_id AND worker = @worker", nil},
	{"the job of any worker", "", jobBeat, "UPDATE j SET beat = @now, worker = @worker WHERE id = @job_id", []string{"M04 warning 1:1"}},
	{"a heartbeat for a job that another took", "", jobDone, "WITH w AS (SELECT @worker::uuid) DELETE FROM j WHERE id = @job_id", []string{"M04 warning 1:1"}},
	{"done by a function", "", jobDone, "SELECT done(@job_id, @worker) AS affected", nil},
	{"what a worker held", "", jobAck, "DELETE FROM j WHERE queue = @queue AND worker = @worker", nil},

	{"a failed job stays", "", jobFail, goodFail, []string{"M05 warning 1:1"}},
	{"a failed job goes at once", "", jobFail, "DELETE FROM j WHERE id = @job_id AND worker = @worker RETURNING 0 AS retry", nil},
	{"a failed job that keeps its worker", "", jobFail, "UPDATE j SET retry = retry - 1 WHERE id = @job_id AND worker = @worker RETURNING retry", []string{"M05 warning 1:1", "not-idempotent warning 1:22"}},
	{"a failed job whose worker is only one choice", "", jobFail, "UPDATE j SET retry = retry - 1, worker = NULL WHERE id = @job_id AND (worker = @worker OR old) RETURNING retry", []string{"M05 warning 1:1", "not-idempotent warning 1:22"}},

	{"an upload that exists", "", uploadDone, "UPDATE u SET result = @result WHERE id = @upload_id", nil},
	{"an upload that is made", "", uploadDone, "INSERT INTO u (id, result) VALUES (@upload_id, @result)\nON CONFLICT (id) DO UPDATE SET result = excluded.result", []string{"M06 warning 1:1"}},

	{"listening to a channel", "", jobListen, "LISTEN jobs", nil},
	{"listening to who knows what", "", jobListen, "SELECT subscribe()", []string{"M07 warning 1:1"}},

	{"a hash named as target", "", hashCreate, "INSERT INTO h (hash, identifier, t) VALUES (@hash, @identifier, @created_at) ON CONFLICT (hash) DO NOTHING", nil},
	{"any clash", "", hashCreate, "INSERT INTO h (hash, identifier, t) VALUES (@hash, @identifier, @created_at)\nON CONFLICT DO NOTHING", []string{"M08 warning 2:1"}},

	{"a page from a place", "", hashPage, "SELECT hash, created_at FROM h WHERE (created_at, hash) <= (@created_at, @hash) ORDER BY created_at DESC, hash DESC LIMIT @limit", nil},
	{"a page from a row", "", hashPage, "SELECT hash, created_at FROM h WHERE @created_at IS NOT DISTINCT FROM @created_at::timestamptz AND (created_at, hash) <= (SELECT b.created_at, b.hash FROM h AS b\nWHERE b.hash = @hash) ORDER BY created_at DESC, hash DESC LIMIT @limit", []string{"M09 warning 2:7"}},

	{"one row before a date", "", hashByDate, "SELECT hash, created_at FROM h WHERE created_at < @before ORDER BY created_at DESC, hash DESC LIMIT 1", nil},
	{"all rows before a date", "", hashByDate, "SELECT hash, created_at FROM h WHERE created_at < @before ORDER BY created_at DESC, hash DESC", []string{"M10 warning 1:1"}},

	{"old and new identifiers", "", moved, "SELECT EXISTS (SELECT FROM m WHERE old = @identifier) OR EXISTS (SELECT FROM m WHERE new = @identifier) AS migrated", nil},
	{"old or new in one list", "", moved, "SELECT EXISTS (SELECT FROM m WHERE @identifier IN (old, new)) AS migrated", nil},
	{"old identifiers alone", "", moved, "SELECT EXISTS (SELECT FROM m\nWHERE old = @identifier) AS migrated", []string{"M11 warning 2:7"}},

	{"an alias is found without details", "", aliasResolve, "SELECT a.hash, h.identifier, d.details FROM a JOIN x ON x.id = a.id LEFT JOIN h ON h.hash = a.hash LEFT JOIN d ON d.identifier = h.identifier WHERE a.alias = @alias", nil},
	{"an alias is lost without details", "", aliasResolve, "SELECT a.hash, h.identifier, d.details FROM a LEFT JOIN h ON h.hash = a.hash JOIN details AS d ON d.identifier = h.identifier WHERE a.alias = @alias", []string{"M12 warning 1:30"}},
	{"a hash is lost without alias", "", hashDescribe, "SELECT h.hash, a.alias, h.identifier, d.json AS details FROM h JOIN a ON a.hash = h.hash LEFT JOIN d ON d.identifier = h.identifier WHERE h.hash = ANY (@hashes)", []string{"M12 warning 1:16"}},

	{"base64 without breaks", "", hashBlur, "SELECT blurhash FROM h WHERE hash = replace(encode(@hash::bytea, 'base64'), E'\\n', '')", nil},
	{"base64 with breaks", "", hashBlur, "SELECT blurhash FROM h WHERE hash = encode(@hash::bytea, 'base64')", []string{"M13 warning 1:37"}},
	{"hexadecimal", "", hashBlur, "SELECT blurhash FROM h WHERE hash = encode(@hash::bytea, 'hex')", nil},
	{"base64 of a UUID", "", jobAck, "DELETE FROM j WHERE queue = @queue AND worker = encode(@worker::bytea, 'base64')", nil},

	{"a claim by hash and variant", "", claimBeat, "UPDATE c SET beat = @now WHERE hash = @hash AND variant = @variant", nil},
	{"a claim by its key", "", claimBeat, "UPDATE c SET beat = @now WHERE key = @key", nil},
	{"a claim by half of it", "", claimBeat, "UPDATE c SET beat = @now WHERE hash = @hash", []string{"unused-parameter warning 1:1", "unused-parameter warning 1:1"}},
	{"a claim that never ends", "", claim, "INSERT INTO c (key, beat) VALUES (@key, @now) ON CONFLICT (key) DO NOTHING", []string{"M15 warning 1:1"}},
	{"a claim that ends", "", claim, "INSERT INTO c (key, beat) VALUES (@key, @now) ON CONFLICT (key) DO UPDATE SET beat = excluded.beat WHERE c.beat <= @stale_before", nil},
	{"a message with the key alone", "", claimNotify, "SELECT pg_notify('c', @key)", nil},
	{"a message with all in its words", "", jobNotify, "SELECT pg_notify('j', @payload)", nil},
	{"a message without anything", "", jobNotify, "SELECT pg_notify('j', @queue)", []string{"unused-parameter warning 1:1", "unused-parameter warning 1:1"}},
	{"a value that is not stored", "", hashMotion, "UPDATE h SET motion = NULL WHERE hash = @hash", []string{"unused-parameter warning 1:1"}},
}

func TestMedia(t *testing.T) {
	for _, c := range mediaCases {
		t.Run(c.name, func(t *testing.T) {
			if got := texts(t, c.target, c.key, c.sql); !slices.Equal(got, c.want) {
				t.Errorf("%q\n got %q\nwant %q", c.sql, got, c.want)
			}
		})
	}
}

// Some rules look at two queries.
func TestMediaPairs(t *testing.T) {
	const discard = "DELETE FROM j WHERE id = @job_id AND retry <= 0"
	const cleanup, both = "DELETE FROM h WHERE hash = @hash", "WITH v AS (DELETE FROM v WHERE hash = @hash) DELETE FROM h WHERE hash = @hash"
	const variants, remove = "SELECT variant, identifier FROM v WHERE hash = @hash", "DELETE FROM v WHERE hash = @hash"
	for name, c := range map[string]struct {
		texts []string
		want  []string
	}{
		"what failed is discarded":        {[]string{jobFail, goodFail, jobDiscard, discard}, nil},
		"what failed stays":               {[]string{jobFail, goodFail, jobDone, "DELETE FROM j WHERE id = @job_id AND worker = @worker"}, []string{"M05 warning 1:1"}},
		"claims expire":                   {[]string{claim, "INSERT INTO c (key, beat) VALUES (@key, @now) ON CONFLICT (key) DO NOTHING", "media.variants.expire_claims_query", "DELETE FROM c WHERE beat <= @stale_before"}, nil},
		"variants stay":                   {[]string{hashCleanup, cleanup, variantsOf, variants}, []string{"M14 info 1:1"}},
		"variants go first":               {[]string{hashCleanup, cleanup, variantsOf, variants, removeAll, remove}, nil},
		"variants go with the hash":       {[]string{hashCleanup, both, variantsOf, variants}, nil},
		"there are no variants":           {[]string{hashCleanup, cleanup}, nil},
		"a function looks after variants": {[]string{hashCleanup, "SELECT forget(@hash) AS affected", variantsOf, variants}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := texts(t, "", c.texts...); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// The setting and the statement name the same channel, as the server reads it.
func TestChannel(t *testing.T) {
	for name, c := range map[string]struct {
		sql, setting string
		fires        bool
	}{
		"the same":                 {"LISTEN jobs", "jobs", false},
		"the same, folded":         {"listen Jobs", "jobs", false},
		"the same, quoted":         {`LISTEN "Jobs"`, "Jobs", false},
		"a name for a function":    {"SELECT subscribe()", "jobs", false},
		"another":                  {"LISTEN jobs", "tasks", true},
		"another, by its capitals": {"LISTEN Jobs", "Jobs", true},
	} {
		t.Run(name, func(t *testing.T) {
			in, _ := input(t, "", jobListen, c.sql)
			in.Settings = map[string]proto.Message{"media": &mediav1.SectionSettings{QueueListenChannel: c.setting}}
			found := check.Texts(in)
			if fires := len(found) == 1 && found[0].Rule == "M07"; fires != c.fires || len(found) > 1 {
				t.Errorf("found %v", found)
			}
		})
	}
}
