package storage_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/problem"
)

const manyRows = 1000

// crowd fills the table: one swarm, many peers at ports from 1 on.
const crowd = `
	INSERT INTO peers SELECT '\x0000000000000000000000000000000000000001', convert_to('-MO0001-' || lpad(n::text, 12, '0'), 'UTF8'), '192.0.2.1', n,
		false, false, now() FROM generate_series(1, 1000) AS n;
	CREATE FUNCTION remove_all(h bytea) RETURNS int8 LANGUAGE plpgsql AS
		$$ DECLARE n int8; BEGIN DELETE FROM peers WHERE info_hash = h; GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $$;
	CREATE FUNCTION remove_huge(h bytea) RETURNS int8 LANGUAGE sql AS $$ SELECT remove_all(h) * 5000000000 $$;`

var crowdHash = append(make([]byte, 19), 1)

// A forgotten predicate cannot empty a table: what hits more rows than the contract means is rolled
// back, and answered with the place of the query.
func TestRowBound(t *testing.T) {
	const all = "FROM peers WHERE info_hash = @info_hash"
	type bounded struct {
		key, query string
		also       []string
		trips      int
		hits       string
		call       func(*testing.T, *opened) error
	}
	put := func(t *testing.T, o *opened) error {
		_, err := o.swarms.PutPeer(t.Context(), &trackerv1.PutPeerRequest{InfoHash: crowdHash, Peer: peerAt("192.0.2.1", 1)})
		return err
	}
	remove := func(t *testing.T, o *opened) error {
		_, err := o.swarms.DeletePeer(t.Context(), &trackerv1.DeletePeerRequest{InfoHash: crowdHash, Peer: peerAt("192.0.2.1", 1)})
		return err
	}
	graduate := func(t *testing.T, o *opened) error {
		_, err := o.swarms.GraduateLeecher(t.Context(), &trackerv1.GraduateLeecherRequest{InfoHash: crowdHash, Peer: peerAt("192.0.2.1", 1)})
		return err
	}
	store := func(t *testing.T, o *opened) error {
		_, err := o.data.Put(t.Context(), &trackerv1.PutRequest{Context: "c", Entries: []*trackerv1.Entry{{Key: []byte("k")}}})
		return err
	}
	cases := map[string]bounded{
		"DELETE":                    {"peer.del_query", "DELETE " + all, nil, 1, "1000", remove},
		"DELETE without WHERE":      {"peer.del_query", "DELETE  FROM  peers", nil, 1, "1000", remove},
		"DELETE, comment at end":    {"peer.del_query", "DELETE " + all + "; -- done", nil, 1, "1000", remove},
		"DELETE RETURNING":          {"peer.del_query", "DELETE " + all + " RETURNING *", nil, 1, "1000", remove},
		"UPDATE":                    {"peer.graduate_query", "UPDATE peers SET is_seeder = true WHERE info_hash = @info_hash", nil, 1, "1000", graduate},
		"UPDATE RETURNING":          {"peer.graduate_query", "UPDATE peers SET is_seeder = true WHERE info_hash = @info_hash RETURNING port", nil, 1, "1000", graduate},
		"two rows":                  {"peer.del_query", "DELETE " + all + " AND port <= 2", nil, 1, "2", remove},
		"a higher bound":            {"peer.del_query", "DELETE " + all + " AND port <= 12", []string{"peer.del_max_rows", "11"}, 1, "12", remove},
		"INSERT SELECT":             {"peer.add_query", "INSERT INTO peers SELECT info_hash, peer_id, address, port + 10000, is_seeder, is_v6, created " + all, nil, 1, "1000", put},
		"INSERT of two rows":        {"data.add_query", "INSERT INTO kv (context, name, value) VALUES (@context, @key, @value), (@context, 'other', NULL)", nil, 1, "2", store},
		"INSERT of a set":           {"data.add_query", "INSERT INTO kv (context, name) VALUES (@context, convert_to(generate_series(1, 3)::text, 'UTF8'))", nil, 1, "3", store},
		"upsert of many":            {"peer.add_query", "INSERT INTO peers SELECT * " + all + "\nON CONFLICT (info_hash, peer_id, address, port) DO UPDATE SET is_seeder = true", nil, 1, "1000", put},
		"WITH, then DELETE":         {"peer.del_query", "WITH this AS (SELECT @info_hash::bytea AS hash) DELETE FROM peers USING this WHERE info_hash = this.hash", nil, 1, "1000", remove},
		"writes inside WITH":        {"peer.del_query", "WITH gone AS (DELETE " + all + " RETURNING 1) SELECT count(*) AS affected FROM gone", nil, 3, "1000", remove},
		"writes twice":              {"peer.del_query", "WITH gone AS (DELETE FROM kv RETURNING 1) DELETE " + all, nil, 3, "1000", remove},
		"function":                  {"peer.del_query", "SELECT remove_all(@info_hash) AS affected", nil, 1, "1000", remove},
		"function, renamed":         {"peer.del_query", `SELECT remove_all(@info_hash) AS "How ""many"""`, []string{"peer.del_affected_column", `'how "many"'`}, 1, "1000", remove},
		"function, beyond 32 bits":  {"peer.del_query", "SELECT remove_huge(@info_hash) AS affected", nil, 1, "5000000000000", remove},
		"no result of the contract": {"downloads.inc_query", "UPDATE peers SET is_seeder = true WHERE info_hash = @info_hash", nil, 1, "1000", graduate},
		"no result, inside WITH": {"downloads.inc_query", "WITH n AS (UPDATE peers SET is_seeder = true WHERE info_hash = @info_hash RETURNING 1) SELECT count(*) AS affected FROM n",
			nil, 3, "1000", graduate},
	}
	dsn := testdb.Database(t, tables, crowd)
	if selected(t, dsn, "SELECT current_setting('server_version_num')::int >= 150000") == "t" {
		cases["MERGE"] = bounded{"peer.del_query", "MERGE INTO peers AS p USING (SELECT @info_hash::bytea AS h) AS this ON p.info_hash = this.h WHEN MATCHED THEN DELETE",
			nil, 3, "1000", remove}
	}
	const state = "SELECT count(*), count(*) FILTER (WHERE is_seeder), (SELECT count(*) FROM kv), (SELECT count(*) FROM downloads) FROM peers"
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := serve(t, dsn, basic.with(c.key, c.query).with(c.also...))
			var err error
			trips := o.wire.count(func() { err = c.call(t, o) })
			expect(t, err, codes.FailedPrecondition, fault.RowBound)
			if trips > c.trips {
				t.Errorf("%d round trips; expected at most %d", trips, c.trips)
			}
			if got := selected(t, dsn, state); got != "1000|0|0|0" {
				t.Errorf("in the tables are %s", got)
			}
			line, column := placeOf(t, o.file, strings.SplitN(c.query, "\n", 2)[0])
			for _, part := range []string{"tracker." + c.key, fmt.Sprintf("queries.yaml:%d:%d", line, column), "hits " + c.hits + " rows"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error says %v; expected %q in it", err, part)
				}
			}
			if err := (func() error { _, err := o.database.Ping(t.Context(), &trackerv1.PingRequest{}); return err })(); err != nil {
				t.Errorf("the next call: %v", err)
			}
		})
	}
}

// The operator can lift the bound, or raise it.
func TestRowBoundIsLifted(t *testing.T) {
	for name, c := range map[string]struct{ query, most string }{
		"DELETE":               {"DELETE FROM peers WHERE info_hash = @info_hash", "0"},
		"DELETE, high enough":  {"DELETE FROM peers WHERE info_hash = @info_hash", "1000"},
		"function":             {"SELECT remove_all(@info_hash) AS affected", "0"},
		"function, in general": {"SELECT remove_all(@info_hash) AS affected", "1000"},
		"inside WITH":          {"WITH gone AS (DELETE FROM peers WHERE info_hash = @info_hash RETURNING 1) SELECT count(*) AS affected FROM gone", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := testdb.Database(t, tables, crowd)
			o := serve(t, dsn, basic.with("peer.del_query", c.query, "peer.del_max_rows", c.most))
			var response *trackerv1.Affected
			trips := o.wire.count(func() {
				response = ok[*trackerv1.Affected](t)(o.swarms.DeletePeer(t.Context(), &trackerv1.DeletePeerRequest{InfoHash: crowdHash, Peer: peerAt("192.0.2.1", 1)}))
			})
			if response.GetAffected() != manyRows || trips != 1 {
				t.Errorf("%d rows in %d round trips", response.GetAffected(), trips)
			}
			if left := selected(t, dsn, "SELECT count(*) FROM peers"); left != "0" {
				t.Errorf("%s rows are left", left)
			}
		})
	}
}

// Where a query does not tell how many rows it hits, the operator is told that nothing is bounded.
func TestRowBoundUnknown(t *testing.T) {
	dsn := testdb.Database(t, tables, crowd)
	o := serve(t, dsn, basic.with("peer.del_query", "SELECT remove_all(@info_hash) AS gone"))
	found := find(o.problems, "row-bound-unknown", "tracker.peer.del_query")
	if found == nil || found.Severity != problem.Info || found.Line == 0 {
		t.Fatalf("problems: %s", o.problems)
	}
	_, err := o.swarms.DeletePeer(t.Context(), &trackerv1.DeletePeerRequest{InfoHash: crowdHash, Peer: peerAt("192.0.2.1", 1)})
	if err != nil {
		t.Error(err)
	}
}

// A query that tells its number row by row still does all of its work: the bound looks at the number,
// and neither runs a function twice nor keeps it from running.
func TestRowBoundDoesNotChangeWhatACallDoes(t *testing.T) {
	dsn := testdb.Database(t, tables, `
		CREATE TABLE runs (n int);
		CREATE FUNCTION run(n int) RETURNS int LANGUAGE sql AS $$ INSERT INTO runs VALUES (n); SELECT 1 $$;`)
	o := serve(t, dsn, basic.with("peer.del_query", "SELECT run(n) AS affected FROM generate_series(1, 5) AS n\nWHERE @info_hash::bytea IS NOT NULL"))
	response := ok[*trackerv1.Affected](t)(o.swarms.DeletePeer(t.Context(), &trackerv1.DeletePeerRequest{InfoHash: hashOf(1), Peer: peerAt("192.0.2.1", 1)}))
	if got := selected(t, dsn, "SELECT string_agg(n::text, ',' ORDER BY n) FROM runs"); got != "1,2,3,4,5" || response.GetAffected() != 1 {
		t.Errorf("ran for %s, affected %d", got, response.GetAffected())
	}
}

// An INSERT of one row is sent as it is; another write is wrapped.
func TestSingleRowInsertIsSentAsItIs(t *testing.T) {
	o := serve(t, testdb.Database(t, tables), basic)
	for name, c := range map[string]struct {
		wrapped bool
		call    func()
	}{
		"INSERT": {false, func() { o.put(t, hashOf(1), false, peerAt("192.0.2.1", 1)) }},
		"DELETE": {true, func() {
			_, _ = o.swarms.DeletePeer(t.Context(), &trackerv1.DeletePeerRequest{InfoHash: hashOf(1), Peer: peerAt("192.0.2.1", 2)})
		}},
	} {
		o.wire.reset()
		c.call()
		sent := o.wire.written()
		if !strings.Contains(sent, name) || strings.Contains(sent, "mortise_write") != c.wrapped {
			t.Errorf("%s: wrapped %v in %q", name, !c.wrapped, sent)
		}
	}
}

// The place of an error is right for a query that is wrapped.
func TestPlaceOfAnErrorInABoundedQuery(t *testing.T) {
	dsn := testdb.Database(t, tables)
	testdb.Exec(t, dsn, "CREATE TABLE later (info_hash bytea, port int4)")
	o := serve(t, dsn, basic.with("peer.del_query", "DELETE FROM later\nWHERE info_hash = @info_hash"))
	testdb.Exec(t, dsn, "DROP TABLE later")
	_, err := o.swarms.DeletePeer(t.Context(), &trackerv1.DeletePeerRequest{InfoHash: hashOf(1), Peer: peerAt("192.0.2.1", 1)})
	expect(t, err, codes.Internal, fault.Query)
	line, column := placeOf(t, o.file, "later")
	if want := fmt.Sprintf("queries.yaml:%d:%d", line, column); !strings.HasSuffix(err.Error(), want) || fault.SQLStateOf(err) != "42P01" {
		t.Errorf("the error says %v; expected SQLSTATE 42P01 at %s", err, want)
	}
}
