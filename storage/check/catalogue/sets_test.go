package catalogue_test

import (
	"context"
	"testing"

	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/check/catalogue"
)

const root = "../../../"

// What exactly is found in the query sets that come with the program, each on its own schema.
func TestQuerySets(t *testing.T) {
	for name, want := range map[string]string{
		"": `297:51 info T18 tracker.downloads.inc_query: counter rows are never removed
333:20 info T19 tracker.data.get_query: NULL values count as present: tracker_kv.value is nullable, so a key can exist without a value
873:17 info churning-index media.variants.claim_query: every refresh rewrites all indexes: media_variant_claims_heartbeat has heartbeat, which changes each time
1112:17 info churning-index media.queue.heartbeat_query: every refresh rewrites all indexes: media_jobs_heartbeat has heartbeat, which changes each time
`,
		"schemas/pict-rs/": `65:20 warning time-without-zone media.hashes.bound_query: created_at has no time zone; read and written as UTC, while its default takes the time zone of the session that inserts
208:56 warning time-without-zone media.variants.claim_query: heartbeat has no time zone; read and written as UTC, while its default takes the time zone of the session that inserts
215:17 info churning-index media.variants.claim_query: every refresh rewrites all indexes: keyed_notifications_heartbeat_index has heartbeat, which changes each time
266:64 warning integer-width media.queue.push_query: job_queue.retry is integer and ends at 2147483647, and @retry may be larger; such a call fails
266:71 warning time-without-zone media.queue.push_query: queue_time has no time zone; read and written as UTC, while its default takes the time zone of the session that inserts
293:19 warning missing-index media.queue.claim_query: a call reads all of job_queue, because no index finds rows by id
298:34 warning skip-locked-order media.queue.claim_query: no index of job_queue yields this order, so more rows are locked than are returned and other workers pass them over
304:17 warning time-without-zone media.queue.heartbeat_query: heartbeat has no time zone; read and written as UTC
304:17 info churning-index media.queue.heartbeat_query: every refresh rewrites all indexes: heartbeat_index has heartbeat, which changes each time
335:19 warning index-without-identity media.queue.ack_worker_query: the index heartbeat_index is searched, but not by worker, so rows of others are read and thrown away
360:19 warning time-without-zone media.uploads.expire_query: created_at has no time zone; read and written as UTC, while its default takes the time zone of the session that inserts
395:20 info fillfactor media.alias_access.accessed_query: proxies is updated at every request, and its pages keep no room for new versions of their rows
396:17 warning time-without-zone media.alias_access.accessed_query: accessed has no time zone; read and written as UTC, while its default takes the time zone of the session that inserts
397:19 warning missing-index media.alias_access.accessed_query: every request reads all of proxies, because no index finds rows by alias; so do media.proxies.remove_query
417:20 info fillfactor media.variant_access.accessed_query: variants is updated at every request, and its pages keep no room for new versions of their rows
418:17 warning time-without-zone media.variant_access.accessed_query: accessed has no time zone; read and written as UTC, while its default takes the time zone of the session that inserts
`,
		"schemas/pict-rs-sketch/": `83:34 info text-length media.aliases.create_query: aliases.alias is character varying(30), and @alias may be as long as the caller likes; longer texts are refused
103:19 warning missing-index media.aliases.for_hash_query: a call reads all of aliases, because no index finds rows by hash
110:17 info text-length media.aliases.relate_delete_token_query: aliases.delete_token is character varying(30), and @delete_token may be as long as the caller likes; longer texts are refused
174:35 info text-length media.settings.set_query: settings.key is character varying(80), and @key may be as long as the caller likes; longer texts are refused
193:36 info text-length media.queue.push_query: queue.queue is character varying(30), and @queue may be as long as the caller likes; longer texts are refused
210:34 warning skip-locked-order media.queue.claim_query: no index of queue yields this order, so more rows are locked than are returned and other workers pass them over
216:17 warning time-without-zone media.queue.heartbeat_query: queue_time has no time zone; read and written as UTC, while its default takes the time zone of the session that inserts
249:39 info text-length media.proxies.relate_url_query: proxies.alias is character varying(30), and @alias may be as long as the caller likes; longer texts are refused
263:20 info fillfactor media.alias_access.accessed_query: proxies is updated at every request, and its pages keep no room for new versions of their rows
264:17 warning time-without-zone media.alias_access.accessed_query: accessed has no time zone; read and written as UTC, while its default takes the time zone of the session that inserts
265:19 warning missing-index media.alias_access.accessed_query: every request reads all of proxies, because no index finds rows by alias; so do media.proxies.remove_query
285:20 info fillfactor media.variant_access.accessed_query: variants is updated at every request, and its pages keep no room for new versions of their rows
286:17 warning time-without-zone media.variant_access.accessed_query: accessed has no time zone; read and written as UTC, while its default takes the time zone of the session that inserts
300:20 warning nullable-result media.variant_access.older_query: variants.hash can be NULL (the column allows it), and the contract wants a value: the call fails
`,
		"schemas/mochi/": `26:84 warning T16 tracker.peer.add_query: created has no time zone; read and written as UTC, while its default takes the time zone of the session that inserts
28:31 info T17 tracker.peer.add_query: every refresh rewrites all indexes: mo_peers_created_idx has created, which changes each time
58:55 info T18 tracker.downloads.inc_query: counter is 32-bit; counter rows are never removed
70:24 info T19 tracker.data.get_query: NULL values count as present: mo_kv.value is nullable, so a key can exist without a value
`,
		"schemas/mochi-corrected/": `33:88 warning T16 tracker.peer.add_query: created has no time zone; read and written as UTC, while its default takes the time zone of the session that inserts
36:27 info T17 tracker.peer.add_query: every refresh rewrites all indexes: mo_peers_created_idx has created, which changes each time
88:51 info T18 tracker.downloads.inc_query: counter is 32-bit; counter rows are never removed
102:20 info T19 tracker.data.get_query: NULL values count as present: mo_kv.value is nullable, so a key can exist without a value
`,
		"schemas/mochi-bytea/": `33:25 info fillfactor tracker.peer.add_query: mo_peers is updated at every request, and its pages keep no room for new versions of their rows
88:51 info T18 tracker.downloads.inc_query: counter rows are never removed
102:20 info T19 tracker.data.get_query: NULL values count as present: mo_kv.value is nullable, so a key can exist without a value
`,
		"schemas/functions/": "",
		"schemas/private-tracker/": `39:25 info triggers tracker.peer.add_query: triggers of peers run as part of requests: peers_count_changed (count_changed_peer), peers_count_new (count_new_peer)
102:51 info T18 tracker.downloads.inc_query: counter is 32-bit; counter rows are never removed
`,
	} {
		t.Run("set "+name, func(t *testing.T) {
			file := root + name + "queries.yaml"
			if name == "" {
				file = root + "queries.example.yaml"
			}
			s := open(t, testdb.Database(t, read(t, root+name+"schema.sql")), file, nil)
			if got := lines(s.check(t, catalogue.Input{})); got != want {
				t.Errorf("found\n%s\nexpected\n%s", got, want)
			}
		})
	}
}

// Nothing is left behind: no transaction, no prepared statement, no setting, no lock.
func TestNothingIsLeft(t *testing.T) {
	s := open(t, testdb.Database(t, read(t, root+"schemas/mochi/schema.sql")), root+"schemas/mochi/queries.yaml", nil)
	s.check(t, catalogue.Input{})
	if status := s.conn.PgConn().TxStatus(); status != 'I' {
		t.Errorf("the connection is in the state %c", status)
	}
	var prepared, locks int
	var lockTimeout, seqscan string
	err := s.conn.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM pg_prepared_statements WHERE from_sql),
		(SELECT count(*) FROM pg_locks WHERE relation IN ('mo_peers'::regclass, 'mo_kv'::regclass, 'mo_downloads'::regclass)),
		current_setting('lock_timeout'), current_setting('enable_seqscan')`).Scan(&prepared, &locks, &lockTimeout, &seqscan)
	if err != nil {
		t.Fatal(err)
	}
	if prepared != 0 || locks != 0 || lockTimeout != "0" || seqscan != "on" {
		t.Errorf("left are %d prepared statements, %d locks, lock_timeout=%s, enable_seqscan=%s", prepared, locks, lockTimeout, seqscan)
	}
}
