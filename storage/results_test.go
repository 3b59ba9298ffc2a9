package storage_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/fault"
)

// Result columns are found by name: in any order, in any case, with others between them, renamed.
func TestResultColumnsByName(t *testing.T) {
	dsn := testdb.Database(t, tables)
	where := " FROM peers WHERE info_hash = @info_hash AND is_seeder = @is_seeder AND is_v6 = @is_v6 LIMIT @count"
	for name, set := range map[string]querySet{
		"other order": basic.with("announce.query", "SELECT port, peer_id, address"+where),
		"other case":  basic.with("announce.query", `SELECT port AS "PORT", peer_id AS "Peer_Id", address AS "ADDRESS"`+where),
		"extra columns": basic.with("announce.query",
			"SELECT point(1, 2) AS odd, port, NULL AS nothing, peer_id, '{1,2}'::int[] AS several, address, is_seeder AS last"+where),
		"extra columns of one name": basic.with("announce.query", "SELECT 1 AS x, port, 2 AS x, peer_id, address"+where),
		"renamed": basic.with("announce.query", "SELECT peer_id AS id, address AS ip, port AS peer_id"+where,
			"announce.peer_id_column", "ID", "announce.address_column", "ip", "announce.port_column", "peer_id"),
	} {
		t.Run(name, func(t *testing.T) {
			o, hash := serve(t, dsn, set), hashOf(1)
			o.put(t, hash, false, peerAt("192.0.2.1", 1))
			if got := o.listed(t, hash, true, false); !slices.Equal(got, []string{describe(peerAt("192.0.2.1", 1))}) {
				t.Errorf("listed %q", got)
			}
		})
	}
}

// A scalar is the first column of the first row; a row result is the first row. No row and NULL are
// zero, and a number below zero is brought to zero, counted and told.
func TestScalarsAndRows(t *testing.T) {
	dsn := testdb.Database(t, tables)
	one := "WHERE octet_length(@info_hash::bytea) = 20"
	for name, c := range map[string]struct {
		get, count string
		snatched   int64
		seeders    int64
		clamped    float64
	}{
		"further columns":   {"SELECT 7, 8 " + one, "SELECT 3 AS seeders, 4 AS leechers WHERE true", 7, 3, 0},
		"further rows":      {"SELECT n FROM (VALUES (7), (8)) AS v (n) " + one, "SELECT n AS seeders, 0 AS leechers FROM (VALUES (3), (4)) AS v (n) WHERE true", 7, 3, 0},
		"whatever its name": {`SELECT 7 AS "Ωμέγα" ` + one, "SELECT 3 AS seeders, 4 AS leechers WHERE true", 7, 3, 0},
		"no row":            {"SELECT 7 WHERE @info_hash::bytea IS NULL", "SELECT 3 AS seeders, 4 AS leechers WHERE false", 0, 0, 0},
		"NULL":              {"SELECT NULL::int " + one, "SELECT sum(1) FILTER (WHERE false) AS seeders, NULL::int AS leechers WHERE true", 0, 0, 0},
		"below zero":        {"SELECT -7 " + one, "SELECT -3 AS seeders, 4 AS leechers WHERE true", 0, 0, 2},
		"numeric":           {"SELECT 7.0 " + one, "SELECT sum(n) AS seeders, 0.0 AS leechers FROM (VALUES (1::int8), (2::int8)) AS v (n) WHERE true", 7, 3, 0},
		"beyond 32 bits":    {"SELECT 7000000000 " + one, "SELECT 3000000000 AS seeders, 4 AS leechers WHERE true", 7000000000, 3000000000, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := serve(t, dsn, basic.with("downloads.get_query", c.get, "peer.count_query", c.count, "peer.by_info_hash_clause", "AND @info_hash::bytea IS NOT NULL"))
			swarm := ok[*trackerv1.Swarm](t)(o.swarms.ScrapeSwarm(t.Context(), &trackerv1.ScrapeSwarmRequest{InfoHash: hashOf(1)}))
			if swarm.GetSnatched() != c.snatched || swarm.GetSeeders() != c.seeders {
				t.Errorf("swarm %v; expected %d seeders and %d downloads", swarm, c.seeders, c.snatched)
			}
			if got := o.metric(t, "mortise_tracker_clamped_total"); got != c.clamped {
				t.Errorf("%v numbers are counted as brought into range; expected %v", got, c.clamped)
			}
			if told := strings.Contains(o.log.String(), "out of the contract's range"); told != (c.clamped > 0) {
				t.Errorf("the log says: %s", o.log)
			}
		})
	}
}

// A fraction is no whole number: the call fails instead of rounding.
func TestFractionIsNoInt(t *testing.T) {
	dsn := testdb.Database(t, tables)
	o := serve(t, dsn, basic.with("downloads.get_query", "SELECT 7.5 WHERE octet_length(@info_hash::bytea) = 20"))
	_, err := o.swarms.ScrapeSwarm(t.Context(), &trackerv1.ScrapeSwarmRequest{InfoHash: hashOf(1)})
	expect(t, err, codes.Internal, fault.BadResult)
	if fault.OperationOf(err) != "tracker.downloads.get_query" || !strings.Contains(err.Error(), "column downloads") {
		t.Errorf("the error names operation %q and says %v", fault.OperationOf(err), err)
	}
}

const functions = `
	CREATE FUNCTION remove_int(h bytea, p int4) RETURNS int8 LANGUAGE plpgsql AS
		$$ DECLARE n int8; BEGIN DELETE FROM peers WHERE info_hash = h AND port = p; GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $$;
	CREATE FUNCTION remove_bool(h bytea, p int4) RETURNS bool LANGUAGE sql AS $$ SELECT remove_int(h, p) > 0 $$;
	CREATE FUNCTION remove_null(h bytea, p int4) RETURNS int4 LANGUAGE sql AS $$ SELECT nullif(remove_int(h, p), 0)::int4 $$;
	CREATE FUNCTION remove_rows(h bytea, p int4) RETURNS SETOF int4 LANGUAGE sql AS $$ DELETE FROM peers WHERE info_hash = h AND port = p RETURNING 1 $$;
	CREATE FUNCTION remove_void(h bytea, p int4) RETURNS void LANGUAGE sql AS $$ DELETE FROM peers WHERE info_hash = h AND port = p $$;
	CREATE PROCEDURE remove_call(h bytea, p int4) LANGUAGE sql AS $$ DELETE FROM peers WHERE info_hash = h AND port = p $$;`

// The number of affected rows is that of the command tag, or what a query tells in a column; where
// neither is there it is unknown, and never taken for one.
func TestAffected(t *testing.T) {
	dsn := testdb.Database(t, tables, functions)
	type deletion struct {
		query   string
		unknown bool
		also    []string
	}
	cases := map[string]deletion{
		"DELETE":               {query: basicText("peer.del_query")},
		"RETURNING":            {query: basicText("peer.del_query") + " RETURNING port, peer_id"},
		"RETURNING affected":   {query: basicText("peer.del_query") + " RETURNING 5 AS affected"},
		"without bound":        {query: basicText("peer.del_query"), also: []string{"peer.del_max_rows", "0"}},
		"RETURNING, no bound":  {query: basicText("peer.del_query") + " RETURNING 5 AS affected", also: []string{"peer.del_max_rows", "0"}},
		"WITH, then SELECT":    {query: "WITH gone AS (" + basicText("peer.del_query") + " RETURNING 1) SELECT count(*) AS affected FROM gone"},
		"WITH, then DELETE":    {query: "WITH this AS (SELECT @peer_id::bytea AS id) DELETE FROM peers USING this WHERE info_hash = @info_hash AND port = @port AND peer_id = this.id"},
		"WITH two, no SELECT":  {query: "WITH gone AS (DELETE FROM kv RETURNING 1) " + basicText("peer.del_query")},
		"function, int":        {query: "SELECT remove_int(@info_hash, @port) AS affected"},
		"function, bool":       {query: "SELECT remove_bool(@info_hash, @port) AS affected"},
		"function, NULL":       {query: "SELECT remove_null(@info_hash, @port) AS affected"},
		"function, numeric":    {query: "SELECT remove_int(@info_hash, @port)::numeric AS affected"},
		"function, rows":       {query: "SELECT affected FROM remove_rows(@info_hash, @port) AS affected"},
		"function, renamed":    {query: "SELECT 7 AS affected, remove_int(@info_hash, @port) AS gone", also: []string{"peer.del_affected_column", "GONE"}},
		"function, no bound":   {query: "SELECT remove_bool(@info_hash, @port) AS affected", also: []string{"peer.del_max_rows", "0"}},
		"rows, no bound":       {query: "SELECT affected FROM remove_rows(@info_hash, @port) AS affected", also: []string{"peer.del_max_rows", "0"}},
		"function, other name": {query: "SELECT remove_int(@info_hash, @port) AS gone", unknown: true},
		"void function":        {query: "SELECT remove_void(@info_hash, @port)", unknown: true},
		"CALL":                 {query: "CALL remove_call(@info_hash, @port)", unknown: true},
	}
	if selected(t, dsn, "SELECT current_setting('server_version_num')::int >= 150000") == "t" {
		cases["MERGE"] = deletion{query: "MERGE INTO peers AS p USING (SELECT @info_hash::bytea AS h, @port::int4 AS n) AS this\n" +
			"ON p.info_hash = this.h AND p.port = this.n WHEN MATCHED THEN DELETE"}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := serve(t, dsn, basic.with("peer.del_query", c.query).with(c.also...))
			hash, peer := hashOf(1), peerAt("192.0.2.1", 1)
			o.put(t, hash, false, peer, peerAt("192.0.2.2", 2))
			request := &trackerv1.DeletePeerRequest{InfoHash: hash, Peer: peer}

			response := ok[*trackerv1.Affected](t)(o.swarms.DeletePeer(t.Context(), request))
			want := proto.Int64(1)
			if c.unknown {
				want = nil
			}
			if !proto.Equal(response, &trackerv1.Affected{Affected: want}) {
				t.Errorf("affected %v", response)
			}
			if left := o.listed(t, hash, true, false); !slices.Equal(left, []string{describe(peerAt("192.0.2.2", 2))}) {
				t.Errorf("left are %q", left)
			}
			_, err := o.swarms.DeletePeer(t.Context(), request)
			if c.unknown && err != nil {
				t.Errorf("absence cannot be known, and the answer is %v", err)
			}
			if !c.unknown {
				expect(t, err, codes.NotFound, fault.DoesNotExist)
			}
		})
	}
}

// The command tag of a DO statement tells nothing.
func TestAffectedByDo(t *testing.T) {
	dsn := testdb.Database(t, tables)
	o := serve(t, dsn, basic.with("gc_query", "DO $$ BEGIN DELETE FROM peers; END $$"))
	o.put(t, hashOf(1), false, peerAt("192.0.2.1", 1))
	response := ok[*trackerv1.RunGCResponse](t)(o.swarms.RunGC(t.Context(), &trackerv1.RunGCRequest{}))
	if response.Deleted != nil {
		t.Errorf("%d rows are told, and the statement tells none", response.GetDeleted())
	}
	if left := selected(t, dsn, "SELECT count(*) FROM peers"); left != "0" {
		t.Errorf("%s rows are left", left)
	}
}

func basicText(key string) string {
	i := slices.IndexFunc(basic, func(e entry) bool { return e.key == key })
	return basic[i].text
}
