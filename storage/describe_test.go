package storage_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/problem"
)

// What does not fit is found when the database describes the queries, with its place in the
// operator's file, and what to do.
func TestProblemsAtOpen(t *testing.T) {
	dsn := testdb.Database(t, tables, `
		CREATE TABLE odd (info_hash int4, peer_id bytea, address point, port text, seen json, ports int4[]);
		CREATE FUNCTION remove_text(h bytea) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;`)
	where := "WHERE info_hash = @info_hash AND is_seeder = @is_seeder AND is_v6 = @is_v6 LIMIT @count"
	for name, c := range map[string]struct {
		key, query string
		problemKey string // where it is not the key
		rule       string
		at         string // the text at whose beginning it is; the query's beginning if empty
		says, fix  string
	}{
		"missing table": {key: "peer.del_query", query: "DELETE FROM\n  nowhere " + thisPeer + " AND is_seeder = @is_seeder",
			rule: "does-not-prepare", at: "nowhere", says: `relation "nowhere" does not exist (SQLSTATE 42P01)`, fix: "create the table"},
		"missing column": {key: "peer.add_query", query: "INSERT INTO peers (info_hash, peer, address)\nVALUES (@info_hash, @peer_id, @address)",
			rule: "does-not-prepare", at: "peer, address)", says: "SQLSTATE 42703"},
		"syntax": {key: "downloads.inc_query", query: "UPDATE downloads\nSET downloads == 1 WHERE info_hash = @info_hash",
			rule: "does-not-prepare", at: "== 1", says: "(SQLSTATE 42"},
		"unknown type of a parameter": {key: "downloads.get_query", query: "SELECT 1 WHERE @info_hash IS NULL",
			rule: "does-not-prepare", at: "@info_hash IS NULL", says: "could not determine data type of parameter @info_hash (SQLSTATE 42P18)", fix: "say which type the parameter has: @name::bigint"},
		"place behind a parameter": {key: "data.get_query", query: "SELECT value FROM kv WHERE context = @context AND key = @key",
			rule: "does-not-prepare", at: "key = @key", says: "SQLSTATE 42703"},
		"place behind other alphabets": {key: "data.get_query", query: "SELECT value FROM kv /* Ключ, 鍵 */ WHERE context = @context AND ключ = @key",
			rule: "does-not-prepare", at: "ключ = @key", says: "SQLSTATE 42703"},
		"in the clause": {key: "peer.by_info_hash_clause", query: "AND info_hush = @info_hash",
			rule: "does-not-prepare", at: "info_hush", says: "SQLSTATE 42703", fix: `Perhaps you meant to reference the column "peers.info_hash"`},
		"in the text before the clause": {key: "peer.count_query", query: "SELECT count(*) AS seeders, 0 AS leechers FROM peers\nLIMIT 7", problemKey: "peer.by_info_hash_clause",
			rule: "does-not-prepare", at: "7\n", says: "argument of AND must be type boolean"},
		"parameter's type": {key: "downloads.get_query", query: "SELECT 1 FROM odd WHERE port = 'x'\nAND info_hash = @info_hash",
			rule: "parameter-type", at: "@info_hash\n    inc_query", says: "@info_hash is bytes, and the database wants integer for it", fix: "cast it"},
		"parameter's type in the clause": {key: "peer.by_info_hash_clause", query: "AND created = @info_hash",
			rule: "parameter-type", at: "@info_hash\n  downloads", says: "@info_hash is bytes, and the database wants timestamptz for it"},
		"parameter is no list": {key: "data.del_query", query: "DELETE FROM kv WHERE context = @context AND name = @key",
			rule: "parameter-type", at: "@key\n  gc_query", says: "@key is bytes[], and the database wants bytea for it"},
		"parameter's type in a bounded query": {key: "peer.del_query", query: "DELETE FROM peers\nUSING odd " + strings.Replace(thisPeer, "info_hash = @info_hash AND peer_id = @peer_id AND address = @address AND port = @port",
			"odd.seen::text = 'x' AND odd.info_hash = @info_hash", 1), rule: "parameter-type", at: "@info_hash\n    graduate", says: "wants integer"},
		"column's type": {key: "announce.query", query: "SELECT peer_id, point(1, 1) AS address, port FROM peers\n" + where,
			rule: "column-type", says: "column address has the type point, and addr is needed", fix: "cast it in the query"},
		"column is an array": {key: "downloads.get_query", query: "SELECT ARRAY[1, 2] FROM downloads WHERE info_hash = @info_hash",
			rule: "column-type", says: "has the type integer[], and int is needed"},
		"type of affected": {key: "peer.del_query", query: "SELECT remove_text(@info_hash) AS affected",
			rule: "column-type", says: "column affected has the type text, and a number or a boolean is needed"},
		"missing result column": {key: "announce.query", query: "SELECT peer_id, address AS adress, port FROM peers\n" + where,
			rule: "missing-column", says: "the query returns no column address; it returns peer_id, adress, port", fix: "did you mean adress? set address_column to it"},
		"missing result column, nothing like it": {key: "peer.count_query", query: "SELECT 1 AS a, 2 AS leechers FROM peers WHERE true",
			rule: "missing-column", says: "the query returns no column seeders; it returns a, leechers", fix: "name it so, or set count_seeders_column to the name that it has"},
		"doubled result column": {key: "announce.query", query: "SELECT peer_id, address, port, 7 AS \"Port\" FROM peers\n" + where,
			rule: "doubled-column", says: "the query returns column port twice", fix: "rename one of them"},
		"no result": {key: "downloads.get_query", query: "DELETE FROM downloads WHERE info_hash = @info_hash",
			rule: "no-result", says: "the query returns nothing; one value is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, dsn, basic.with(c.key, c.query).yaml())
			if c.at == "" {
				c.at = strings.SplitN(c.query, "\n", 2)[0]
			}
			if c.problemKey == "" {
				c.problemKey = c.key
			}
			line, column := placeOf(t, o.file, c.at)
			found := find(o.problems, c.rule, "tracker."+c.problemKey)
			if found == nil {
				t.Fatalf("no problem %s of %s in:\n%s", c.rule, c.problemKey, o.problems)
			}
			if filepath.Base(found.File) != "queries.yaml" || found.Line != line || found.Column != column {
				t.Errorf("placed at %s; expected %d:%d", found.Position, line, column)
			}
			if !strings.Contains(found.Message, c.says) || !strings.Contains(found.Fix, c.fix) || found.Severity != problem.Error {
				t.Errorf("it says %s", found)
			}
			refusesCalls(t, o, *found)
		})
	}
}

func find(list problem.List, rule, key string) *problem.Problem {
	for i := range list {
		if list[i].Rule == rule && list[i].Key == key {
			return &list[i]
		}
	}
	return nil
}

// refusesCalls checks that a storage whose queries do not fit answers no call, and says why.
func refusesCalls(t *testing.T, o *opened, found problem.Problem) {
	t.Helper()
	state, reason := o.Health(t.Context())
	if state != storage.Misconfigured || !strings.Contains(reason, found.Message) {
		t.Errorf("state %v: %s", state, reason)
	}
	trips := o.wire.count(func() {
		_, err := o.swarms.PutPeer(t.Context(), &trackerv1.PutPeerRequest{InfoHash: hashOf(1), Peer: peerAt("192.0.2.1", 1)})
		expect(t, err, codes.Internal, fault.Query)
	})
	if trips != 0 {
		t.Errorf("%d round trips", trips)
	}
}

// All problems are found at once, and sorted out of nothing but the file.
func TestAllProblemsAtOnce(t *testing.T) {
	dsn := testdb.Database(t, tables)
	set := basic.with("peer.del_query", "DELETE FROM nowhere WHERE info_hash = @info_hash", "data.get_query", "SELECT valeu FROM kv",
		"downloads.get_query", "SELECT 'x'::text FROM downloads WHERE info_hash = @info_hash")
	o := open(t, dsn, set.yaml())
	for _, key := range []string{"peer.del_query", "data.get_query", "downloads.get_query"} {
		line, _ := placeOf(t, o.file, fmt.Sprintf("    %s: |\n      %s", key[strings.IndexByte(key, '.')+1:], strings.SplitN(textOf(set, key), "\n", 2)[0]))
		matching := 0
		for _, p := range o.problems {
			if p.Key == "tracker."+key && p.Severity == problem.Error && p.Line == line+1 {
				matching++
			}
		}
		if matching != 1 {
			t.Errorf("%d problems of %s at line %d in:\n%s", matching, key, line+1, o.problems)
		}
	}
}

func textOf(set querySet, key string) string {
	for _, e := range set {
		if e.key == key {
			return e.text
		}
	}
	return ""
}
