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
