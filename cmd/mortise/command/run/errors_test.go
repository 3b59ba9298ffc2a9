package run_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mortise-storage/mortise/cmd/mortise/command/commandtest"
	"github.com/mortise-storage/mortise/internal/testdb"
)

// A wrong command line is told as a whole, with one that is right, and never with a value.
func TestWrongUsage(t *testing.T) {
	dsn := commandtest.Database(t, commandtest.Read(t, filepath.Join(root, "schema.sql")))
	before := contents(t, dsn)
	for name, c := range map[string]struct {
		arguments []string
		texts     []string
	}{
		"nothing":     {nil, []string{"name the operation to run", "mortise ops"}},
		"two":         {[]string{"peer.add", "peer.del"}, []string{"one operation at a time"}},
		"no file":     {[]string{"tracker.ping_query", "-c", ""}, []string{"give --config FILE"}},
		"misspelt":    {[]string{"tracker.peer.ad_query", "-c", example}, []string{`there is no operation "tracker.peer.ad_query"; did you mean tracker.peer.add_query?`}},
		"far off":     {[]string{"wholly.other", "-c", example}, []string{"there is no operation", "mortise ops"}},
		"a group":     {[]string{"tracker.peer", "-c", example}, []string{"there is no operation"}},
		"an unknown":  {[]string{"tracker.data.get_query", "-c", example, "-p", "contxt=s3cret", "-p", "key=00"}, []string{"contxt is no parameter of tracker.data.get_query; did you mean context?", "context (text) is missing"}},
		"wrong kinds": {[]string{"peer.add", "-c", example, "-p", "info_hash=s3cret", "-p", "address=s3cret", "-p", "port=70000", "-p", "is_seeder=s3cret", "-p", "created=s3cret"}, []string{"info_hash (bytes) must be hexadecimal digits", "address (addr) must be an IP address", "port (int) must be at most 65535", "is_seeder (bool) must be true or false", "created (time?) must be a time", "peer_id (bytes) is missing"}},
		"an example":  {[]string{"tracker.data.get_query", "-c", example}, []string{"mortise run tracker.data.get_query --config ", " --param context=example --param key=11223344\n", "mortise ops tracker.data.get_query"}},
		"timeout":     {[]string{"ping", "-c", example, "--timeout", "0"}, []string{"--timeout must be more than 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := says(t, 2, c.texts, c.arguments...)
			if got.Stdout != "" || strings.Contains(got.Stderr, "s3cret") {
				t.Errorf("got %s\n%s", got.Stdout, got.Stderr)
			}
		})
	}
	d := decode(t, says(t, 2, nil, "tracker.data.get_query", "-c", example, "--json", "-p", "key=s3cret").Stdout)
	if d.Error == nil || d.Error.Reason != "INVALID_ARGUMENT" || !slices.Equal(d.Error.Missing, []string{"context"}) || len(d.Error.Problems) != 2 ||
		!strings.HasPrefix(d.Error.Example, "mortise run tracker.data.get_query --config ") {
		t.Errorf("JSON holds %+v", d.Error)
	}
	if after := contents(t, dsn); after != before {
		t.Errorf("something was changed: %s", after)
	}
}

// What is wrong with the file or the database is said with its place and what to do.
func TestWrongDatabase(t *testing.T) {
	dsn := testdb.Database(t)
	elsewhere := "host=" + t.TempDir() + " user=nobody password=s3cret dbname=none"
	roleless := testdb.Database(t, commandtest.Read(t, filepath.Join(root, "schema.sql")), "CREATE ROLE powerless LOGIN", "GRANT INSERT ON tracker_peers TO powerless")
	t.Cleanup(func() { testdb.Exec(t, dsn, "DROP ROLE powerless") })
	t.Cleanup(func() { testdb.Exec(t, roleless, "DROP OWNED BY powerless") })
	powerless := dropWord(roleless, "user=") + " user=powerless"
	for name, c := range map[string]struct {
		dsn   string
		texts []string
	}{
		"empty":      {dsn, []string{"queries.example.yaml:228:18", "[does-not-prepare]", "FROM tracker_peers\n", `relation "tracker_peers" does not exist (SQLSTATE 42P01)`, "mortise init"}},
		"not there":  {elsewhere, []string{"no connection to host=", "check that the server runs"}},
		"no such":    {dropWord(dsn, "dbname=") + " dbname=none", []string{`database "none" does not exist`}},
		"no rights":  {powerless, []string{"[QUERY]", "permission denied for table tracker_peers (SQLSTATE 42501)", "grant the role"}},
		"unreadable": {"host=x port=s3cret", []string{"connection_string cannot be read"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("MORTISE_DATABASE", c.dsn)
			got := says(t, 1, c.texts, "tracker.peer.count_query", "-c", example)
			if got.Stdout != "" || strings.Contains(got.Stderr, "s3cret") {
				t.Errorf("got %s\n%s", got.Stdout, got.Stderr)
			}
			d := decode(t, says(t, 1, nil, "tracker.peer.count_query", "-c", example, "--json").Stdout)
			if d.Error == nil || len(d.Error.Problems) != 1 || len(d.Rows) != 0 {
				t.Errorf("JSON holds %+v", d)
			}
		})
	}
}

// dropWord takes a setting out of a DSN.
func dropWord(dsn, prefix string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(dsn), func(word string) bool { return strings.HasPrefix(word, prefix) }), " ")
}

// Only the operation that is run has to be right in the file.
func TestFileWithMistakes(t *testing.T) {
	commandtest.Database(t)
	file := commandtest.Queries(t, "  data:\n    get_query: |\n      SELECT @contex\n    add_query: |\n      SELECT 1 AS affected WHERE @key::bytea = @key AND @context::text = 'c'\n")
	says(t, 0, []string{"affected: 1\n"}, "data.add", "-c", file, "-p", "context=c", "-p", "key=00")
	says(t, 1, []string{"queries.yaml:5:14", "@contex", "context"}, "data.get", "-c", file, "-p", "context=c", "-p", "key=00")
	says(t, 1, []string{"tracker.gc_query: no query is configured", "peers never expire", "mortise ops tracker.gc_query"}, "gc", "-c", file)
	says(t, 1, []string{"the file does not exist"}, "gc", "-c", filepath.Join(t.TempDir(), "none.yaml"))
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("tracker: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, 1, []string{"broken.yaml:"}, "gc", "-c", broken)
	nowhere := filepath.Join(t.TempDir(), "nowhere.yaml")
	if err := os.WriteFile(nowhere, []byte("tracker:\n  ping_query: SELECT 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, 1, []string{"connection_string is missing"}, "ping", "-c", nowhere)
}

// A write that hits more rows than are meant changes nothing, though it was to be committed: in one statement,
// and in two steps where it cannot be nested.
func TestRowBound(t *testing.T) {
	dsn := commandtest.Database(t, "CREATE TABLE p (h bytea, s bool)", "INSERT INTO p VALUES ('\\x01', false), ('\\x02', false), ('\\x03', false)")
	before := contents(t, dsn)
	for name, sql := range map[string]string{
		"wrapped":   "UPDATE p SET s = true WHERE @info_hash::bytea IS NOT NULL",
		"two steps": "WITH a AS (DELETE FROM p WHERE h = @info_hash RETURNING h) UPDATE p SET s = true",
	} {
		t.Run(name, func(t *testing.T) {
			file := commandtest.Queries(t, "  peer:\n    graduate_query: |\n      "+sql+"\n")
			arguments := append([]string{"peer.graduate", "-c", file}, peer("--commit")...)
			says(t, 1, []string{"queries.yaml:5:7", "[ROW_BOUND]", "hits 3 rows, and at most 1"}, arguments...)
			if after := contents(t, dsn); after != before {
				t.Errorf("the tables hold %s", after)
			}
			if d := decode(t, invoke(t, append(arguments, "--json")...).Stdout); d.Error == nil || d.Error.Reason != "ROW_BOUND" || d.Committed || d.Affected != nil {
				t.Errorf("JSON holds %+v", d)
			}
		})
	}
	file := commandtest.Queries(t, "  peer:\n    graduate_query: |\n      WITH a AS (DELETE FROM p WHERE h = '\\x01' RETURNING h) UPDATE p SET s = true WHERE h = '\\x02' AND @info_hash::bytea IS NOT NULL\n")
	out := must(t, append([]string{"peer.graduate", "-c", file}, peer("--commit")...)...)
	if after := contents(t, dsn); !strings.Contains(out, "affected: 1\n") || !strings.Contains(out, "\ncommitted, ") || strings.Contains(after, "AQ==") {
		t.Errorf("within the bound: %s\n%s", out, after)
	}
}

// Where the number of rows stays unknown, so does whether the bound was kept.
func TestUnknownBound(t *testing.T) {
	commandtest.Database(t)
	file := commandtest.Queries(t, "  peer:\n    del_query: |\n      SELECT 1 AS one WHERE @info_hash::bytea IS NOT NULL\n")
	says(t, 0, []string{"affected: unknown, since the query does not tell\n", "the bound of 1 is not enforced\n"}, append([]string{"peer.del", "-c", file, "-p", "is_seeder=t"}, peer()...)...)
}

// The server's refusal is told with its SQLSTATE and the place in the file, and without the value.
func TestRefused(t *testing.T) {
	commandtest.Database(t, "CREATE TABLE kv (k bytea PRIMARY KEY CHECK (length(k) < 3), v bytea)",
		"CREATE TABLE base (k bytea PRIMARY KEY)", "CREATE TABLE child (k bytea REFERENCES base DEFERRABLE INITIALLY DEFERRED)")
	file := commandtest.Queries(t, "  data:\n    add_query: |\n      INSERT INTO kv VALUES (@key, @value)\n"+
		"    get_query: |\n      SELECT 1 /\n        length(@key)\n    del_query: |\n      INSERT INTO child SELECT unnest(@key::bytea[])\n")
	got := says(t, 1, []string{"[REJECTED]", "constraint kv_k_check", "SQLSTATE 23514"}, "data.add", "-c", file, "-p", "context=c", "-p", "key=text:s3cret")
	if strings.Contains(got.Stderr, "s3cret") || strings.Contains(got.Stderr, "733363726574") {
		t.Errorf("the error holds the value: %s", got.Stderr)
	}
	says(t, 1, []string{"queries.yaml:7:7", "column-type"}, "data.get", "-c", file, "-p", "context=c", "-p", "key=")
	// A constraint that is checked at the commit is checked in a trial as well.
	says(t, 1, []string{"[REJECTED]", "constraint child_k_fkey", "SQLSTATE 23503"}, "data.del", "-c", file, "-p", "context=c", "-p", "key=00")
	says(t, 1, []string{"[REJECTED]", "constraint child_k_fkey", "SQLSTATE 23503"}, "data.del", "-c", file, "-p", "context=c", "-p", "key=00", "--commit")
}

// What the service would count or log is told, and what the server says beside the answer.
func TestNotes(t *testing.T) {
	commandtest.Database(t, `CREATE FUNCTION f(n int8) RETURNS int8 LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'seen' USING HINT = 'look'; RETURN n; END $$`)
	file := commandtest.Queries(t, "  announce:\n    query: |\n      SELECT NULL::bytea AS peer_id, '192.0.2.1'::inet AS address, @port::int AS port WHERE @is_v6 OR @is_seeder OR @info_hash::bytea IS NULL OR @count > 0\n"+
		"  info_hash_count_query: |\n    SELECT f(-1)\n")
	arguments := []string{"announce", "-c", file, "-p", hash, "-p", "is_seeder=t", "-p", "is_v6=t", "-p", "count=1", "-p", "port=1", "-p", "event=started"}
	says(t, 0, []string{"0 rows\n", "left out: a row whose column peer_id is NULL", "note: the query does not use @event"}, arguments...)
	if d := decode(t, must(t, append(arguments, "--json")...)); len(d.LeftOut) != 1 || d.LeftOut[0].Column != "peer_id" || len(d.Notes) != 1 {
		t.Errorf("JSON holds %+v", d)
	}
	says(t, 0, []string{"          0\n", "WARNING: seen\n    look\n1 row\n", "column info_hashes was outside of its range"}, "info_hash_count", "-c", file)
	if d := decode(t, must(t, "info_hash_count", "-c", file, "--json")); len(d.Notices) != 1 || d.Notices[0].Message != "seen" {
		t.Errorf("JSON holds %+v", d)
	}
}

// A run that takes too long is cancelled, at the server as well; so is one that is interrupted.
func TestCancelled(t *testing.T) {
	dsn := commandtest.Database(t)
	file := commandtest.Queries(t, "  ping_query: |\n    SELECT pg_sleep(600)\n")
	says(t, 1, []string{"[TIMEOUT]", "longer than --timeout allows"}, "ping", "-c", file, "--timeout", "2s")
	interrupted := make(chan struct{})
	go func() {
		defer close(interrupted)
		await(t, dsn, 1)
		_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
	}()
	says(t, 1, []string{"[CANCELED]", "was interrupted"}, "ping", "-c", file)
	<-interrupted
	await(t, dsn, 0)
}

// await waits until so many statements sleep.
func await(t *testing.T, dsn string, sleeping int) {
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(t.Context()) }()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		var n int
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%pg_sleep(600)%'").Scan(&n); err != nil {
			t.Error(err)
			return
		}
		if n == sleeping {
			return
		}
	}
	t.Errorf("there are not %d statements that sleep", sleeping)
}
