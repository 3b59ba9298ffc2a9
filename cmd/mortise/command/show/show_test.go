package show_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/cmd/mortise/command/commandtest"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/query"
)

// lines cuts a text into its lines.
func lines(text string) []string { return strings.Split(strings.TrimSpace(text), "\n") }

func TestShow(t *testing.T) {
	dsn := commandtest.Database(t, commandtest.Read(t, filepath.Join(root, "schema.sql")))
	out := must(t, "tracker.peer.del_query", "-c", example)
	for _, want := range []string{
		"tracker.peer.del_query  " + example + ":190:13",
		"    /* tracker.peer.del_query */ WITH mortise_write AS (",
		"    WHERE info_hash = $1",
		"    ) SELECT count(*) AS affected, CASE WHEN count(*) > 1 THEN",
		"$1  @info_hash  bytes  bytea    " + example + ":191:31",
		"$3  @address    addr   inet     " + example + ":193:29",
		"$5  @is_seeder  bool   boolean  " + example + ":195:31",
		"affected       bigint  affected         int?",
		"mortise_bound  bigint  (the row bound)",
		"result     the number of affected rows",
		"unused     @created, @is_v6, @event, @uploaded, @downloaded, @left, @user_key, @user_agent",
		"row bound  at most 1, kept by the statement that is sent around the query: the server rolls back",
		"limit      5s (the default of call_timeout)",
		"sent       prepared once per connection, as mortise_",
		"server     PostgreSQL ",
	} {
		if !slices.ContainsFunc(lines(out), func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("no line %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Error("a pipe is coloured")
	}
	t.Setenv("MORTISE_DATABASE", "host=/nonexistent")
	offline := must(t, "tracker.peer.del_query", "-c", example, "--offline")
	for _, want := range []string{"$1  @info_hash  bytes  " + example, "    /* tracker.peer.del_query */ DELETE FROM tracker_peers\n", "at most 1; what keeps it is known when"} {
		if !strings.Contains(offline, want) {
			t.Errorf("no %q in\n%s", want, offline)
		}
	}
	if strings.Contains(offline, "bytea") || strings.Contains(offline, dsn) {
		t.Errorf("more is known than can be:\n%s", offline)
	}
}

// What is shown is what a plugin's own plans send, for every statement of every query set; and the database
// takes it as a PREPARE and an EXECUTE.
func TestEveryStatement(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(root, "schemas", "*"))
	if err != nil || len(folders) == 0 {
		t.Fatal(folders, err)
	}
	sets := map[string][2]string{"default": {filepath.Join(root, "schema.sql"), example}}
	for _, folder := range folders {
		sets[filepath.Base(folder)] = [2]string{filepath.Join(folder, "schema.sql"), filepath.Join(folder, "queries.yaml")}
	}
	for name, set := range sets {
		t.Run(name, func(t *testing.T) {
			dsn := commandtest.Database(t, commandtest.Read(t, set[0]))
			want := plans(t, dsn, set[1])
			d := decode(t, must(t, "-c", set[1], "--json"))
			if len(d.Statements) != len(want) || len(d.Problems) > 0 {
				t.Errorf("%d statements are shown, %d are planned; problems: %v", len(d.Statements), len(want), d.Problems)
			}
			for _, got := range d.Statements {
				checkStatement(t, got, want[got.Operation])
			}
			conn := testdb.Conn(t, dsn)
			defer func() { _ = conn.Close(t.Context()) }()
			scripts := strings.Split(must(t, "-c", set[1], "--psql"), "\n\n-- ")
			if len(scripts) != len(want) {
				t.Errorf("%d scripts for %d statements", len(scripts), len(want))
			}
			for i, script := range scripts {
				if i > 0 {
					script = "-- " + script
				}
				// The tables may refuse made-up values.
				if _, err := conn.PgConn().Exec(t.Context(), script).ReadAll(); err != nil && !strings.Contains(err.Error(), "SQLSTATE 23") {
					t.Errorf("%v in\n%s", err, script)
				}
				_, _ = conn.PgConn().Exec(t.Context(), "ROLLBACK; DEALLOCATE ALL").ReadAll()
			}
		})
	}
}

// plans makes the plans of a query set as a plugin does.
func plans(t *testing.T, dsn, path string) map[string]*query.Plan {
	t.Helper()
	contract, err := storage.Contract()
	if err != nil {
		t.Fatal(err)
	}
	config, problems := mortise.LoadWith(path, contract)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	set, _ := query.CompileSet(contract, config.Storage.Sources)
	pool, err := database.Open(database.Options{ConnString: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	conn, err := pool.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	plans := map[string]*query.Plan{}
	for _, statement := range set.Statements() {
		if found, err := statement.Describe(t.Context(), conn); err != nil || found.Err() != nil {
			t.Fatal(found, err)
		}
		plans[statement.Operation.Key] = statement.Plan()
	}
	return plans
}

func checkStatement(t *testing.T, got statement, plan *query.Plan) {
	t.Helper()
	if plan == nil {
		t.Errorf("%s is shown and not planned", got.Operation)
		return
	}
	if got.SQL != plan.SQL || !got.Described || got.Name != plan.Name || got.Mode != "prepared" {
		t.Errorf("%s: shown is\n%s\nsent is\n%s\n(%+v)", got.Operation, got.SQL, plan.SQL, got)
	}
	if arguments := plan.Statement().Arguments(); len(arguments) != len(got.Arguments) {
		t.Errorf("%s has %d arguments: %v", got.Operation, len(got.Arguments), arguments)
	} else {
		for i, a := range got.Arguments {
			if a.Parameter != arguments[i] || a.Number != i+1 || a.Type == "" || a.Line == 0 {
				t.Errorf("%s: $%d is shown as %+v", got.Operation, i+1, a)
			}
		}
	}
	if fields := plan.Description().Fields; len(fields) != len(got.Columns) {
		t.Errorf("%s has %d columns; %d are shown", got.Operation, len(fields), len(got.Columns))
	}
}

// The statement alone can be run elsewhere, for example in a transaction of the host's own.
func TestSQL(t *testing.T) {
	dsn := commandtest.Database(t, commandtest.Read(t, filepath.Join(root, "schema.sql")))
	sql := must(t, "data.add", "-c", example, "--sql")
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), sql, "c", []byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM tracker_kv WHERE context = 'c' AND name = 'k'").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows were written, %v", n, err)
	}
	several := must(t, "tracker.data", "-c", example, "--sql", "--offline")
	if parts := strings.Split(several, "\n;\n\n"); len(parts) != 3 || strings.Contains(several, "mortise_write") {
		t.Errorf("%d statements in\n%s", len(parts), several)
	}
}

// The types, the columns that are read, and how the bound is kept, of texts of many kinds.
func TestDescribed(t *testing.T) {
	commandtest.Database(t, `CREATE TYPE mood AS ENUM ('good'); CREATE DOMAIN key AS bytea;
		CREATE TABLE kv (k key, v timestamp, m mood, u uuid, s int8);
		CREATE PROCEDURE count_one(h bytea) LANGUAGE sql AS $$ SELECT 1 $$;
		CREATE FUNCTION f() RETURNS bool LANGUAGE sql AS $$ SELECT true $$`)
	file := commandtest.Queries(t, "  downloads:\n    inc_query: |\n      CALL count_one(@info_hash)\n"+
		"  peer:\n    add_query: |\n      SELECT m, f() AS affected, s FROM kv WHERE u = @peer_id AND m = @event::mood\n        AND v < @created AND s > @uploaded -- why\n    add_timeout: 2s\n    add_max_rows: 0\n"+
		"    del_query: |\n      WITH a AS (DELETE FROM kv WHERE k = @peer_id) DELETE FROM kv WHERE k = @info_hash\n"+
		"    graduate_query: |\n      SELECT f() FROM kv WHERE k = @info_hash\n"+
		"    count_query: |\n      SELECT 1 AS leechers, 'x' AS other, 2 AS all_seeders FROM kv WHERE v > @alive_since\n    seeders_column: all_seeders\n")
	d := decode(t, must(t, "-c", file, "--json"))
	shown := map[string]string{}
	for _, s := range d.Statements {
		var parts []string
		for _, a := range s.Arguments {
			parts = append(parts, fmt.Sprintf("$%d=%s:%s:%s@%d", a.Number, a.Parameter, a.Kind, a.Type, a.Line))
		}
		for _, c := range s.Columns {
			parts = append(parts, strings.TrimSuffix(fmt.Sprintf("%s:%s>%s", c.Name, c.Type, c.Column), ">"))
		}
		shown[s.Operation] = fmt.Sprintf("%s | %d %s | %s %s", strings.Join(parts, " "), s.MaxRows, s.Bound, s.Limit, s.LimitFrom)
	}
	for key, want := range map[string]string{
		"tracker.downloads.inc_query": "$1=info_hash:bytes:bytea@5 | 1 not at all: the query does not tell how many rows it affects | 5s the default of call_timeout",
		"tracker.peer.add_query": "$1=peer_id:bytes:uuid@8 $2=event:text?:mood@8 $3=created:time?:timestamp without time zone@9 $4=uploaded:int?:bigint@9 " +
			"m:mood affected:boolean>affected s:bigint | 0  | 2s tracker.peer.add_timeout",
		"tracker.peer.del_query":      "$1=peer_id:bytes:bytea@13 $2=info_hash:bytes:bytea@13 | 1 by a transaction that is committed after the number was seen: further round trips | 5s the default of call_timeout",
		"tracker.peer.graduate_query": "$1=info_hash:bytes:bytea@15 f:boolean | 1 not at all: the query does not tell how many rows it affects | 5s the default of call_timeout",
		"tracker.peer.count_query":    "$1=alive_since:time?:timestamp without time zone@17 leechers:integer>leechers other:text all_seeders:integer>seeders | 0  |  periodic work has none",
	} {
		if shown[key] != want {
			t.Errorf("%s:\n got %s\nwant %s", key, shown[key], want)
		}
	}
	call := must(t, "downloads.inc", "-c", file, "--psql")
	if !strings.Contains(call, "CALL count_one($1)\n\\bind '\\x") || !strings.Contains(call, "' \\g\nROLLBACK;\n") {
		t.Errorf("a CALL for psql is\n%s", call)
	}
}

func TestProblems(t *testing.T) {
	dsn := commandtest.Database(t)
	says(t, 1, []string{"tracker.peer.count_query  " + example + ":226:13", "@alive_since", "[does-not-prepare]", "mortise init"}, "peer.count", "-c", example)
	d := decode(t, invoke(t, "tracker.peer.count_query", "-c", example, "--json").Stdout)
	if len(d.Statements) != 1 || d.Statements[0].Described || len(d.Problems) != 1 || d.Problems[0].Rule != "does-not-prepare" {
		t.Errorf("JSON holds %+v", d)
	}
	file := commandtest.Queries(t, "  data:\n    get_query: |\n      SELECT @contex\n    del_query: |\n      SELECT 1\n")
	says(t, 1, []string{"queries.yaml:5:14", "tracker.data.get_query"}, "data.get", "-c", file, "--offline")
	says(t, 1, []string{"SELECT 1\n", "queries.yaml:5:14"}, "-c", file)
	says(t, 1, []string{"tracker.gc_query: no query is configured"}, "gc", "-c", file)
	says(t, 1, []string{"has no query for any of these"}, "tracker.peer", "-c", file)
	says(t, 1, []string{"the file does not exist"}, "gc", "-c", "none.yaml")
	if d := decode(t, says(t, 1, nil, "gc", "-c", "none.yaml", "--json").Stdout); len(d.Problems) != 1 || len(d.Statements) != 0 {
		t.Errorf("JSON holds %+v", d)
	}
	says(t, 2, []string{"did you mean tracker.gc_query?"}, "tracker.gc_quer", "-c", file)
	says(t, 2, []string{"give --config FILE"}, "gc", "-c", "")
	says(t, 2, []string{"json", "sql"}, "gc", "-c", file, "--json", "--sql")
	t.Setenv("MORTISE_DATABASE", strings.ReplaceAll(dsn, "dbname=", "dbname=none_")+" password=s3cret")
	got := says(t, 1, []string{"no connection to", "does not exist", "correct its name in connection_string"}, "ping", "-c", example)
	if strings.Contains(got.Stderr, "s3cret") || got.Stdout != "" {
		t.Errorf("got %s%s", got.Stdout, got.Stderr)
	}
}

// What is sent can be shown without any right on the tables.
func TestNoRights(t *testing.T) {
	dsn := commandtest.Database(t, commandtest.Read(t, filepath.Join(root, "schema.sql")), "CREATE ROLE onlooker LOGIN")
	t.Cleanup(func() { testdb.Exec(t, dsn, "DROP ROLE onlooker") })
	words := slices.DeleteFunc(strings.Fields(dsn), func(word string) bool { return strings.HasPrefix(word, "user=") })
	t.Setenv("MORTISE_DATABASE", strings.Join(words, " ")+" user=onlooker")
	if out := must(t, "peer.del", "-c", example); !strings.Contains(out, "$1  @info_hash  bytes  bytea ") {
		t.Errorf("shown is\n%s", out)
	}
}

// On a terminal there are colours, unless they are not wanted.
func TestOnTerminal(t *testing.T) {
	arguments := []string{"peer.del", "-c", example, "--offline"}
	t.Setenv("MORTISE_DATABASE", "host=x")
	if out := onTerminal(t, arguments...); !strings.Contains(out, "\x1b[1m@info_hash\x1b[0m") || !strings.Contains(out, "\x1b[2mresult   \x1b[0m  the number") {
		t.Errorf("a terminal shows\n%q", out)
	}
	t.Setenv("NO_COLOR", "1")
	if got, want := onTerminal(t, arguments...), must(t, arguments...); got != want {
		t.Errorf("without colours a terminal shows\n%s\na pipe gets\n%s", got, want)
	}
}
