package check_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/internal/testdb"
)

const secret = "hunter2-never-shown"

func quiet(t *testing.T, o outcome) {
	t.Helper()
	if strings.Contains(o.stdout+o.stderr, secret) {
		t.Errorf("the password is shown:\n%s%s", o.stdout, o.stderr)
	}
}

// A database that cannot be reached is one problem at the connection string, without its password; the
// rest of the file is checked all the same.
func TestUnreachable(t *testing.T) {
	text := read(t, root+"schemas/mochi/queries.yaml")
	for name, connection := range map[string]string{
		"DSN": "host=" + t.TempDir() + " dbname=d user=u password=" + secret,
		"URL": "postgres://u:" + secret + "@127.0.0.1:1/d?connect_timeout=2",
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, regexp.MustCompile(`connection_string: .*`).ReplaceAllString(text, "connection_string: "+connection))
			for _, format := range []string{"text", "json", "sarif"} {
				o := run(t, "", "-c", file, "--format", format)
				o.expect(t, command.Problems, "database", "T01", "use --offline")
				quiet(t, o)
			}
			o := run(t, "", "-c", file)
			o.expect(t, command.Problems, "without the database, which could not be asked", "***")
			if found := o.rulesIn(); !slices.Contains(found, "database") {
				t.Errorf("found %v", found)
			}
		})
	}
}

// A connection string can stand in a section.
func TestConnectionInSection(t *testing.T) {
	text := strings.Replace(read(t, root+"queries.example.yaml"), "connection_string: ${MORTISE_DATABASE:-embedded}", "", 1)
	text = strings.Replace(text, "\ntracker:\n", "\ntracker:\n    connection_string: host=/nowhere dbname=d\n", 1)
	o := run(t, "", "-c", write(t, text), "--level", "error")
	o.expect(t, command.Problems, "[database]", "|     connection_string: host=/nowhere dbname=d\n")
}

func TestWrongPassword(t *testing.T) {
	role(t, "check_guest LOGIN PASSWORD 'other'")
	dsn := testdb.Database(t)
	requirePassword(t, dsn, "check_guest")
	o := run(t, dsn+" user=check_guest password="+secret, "-c", root+"queries.example.yaml")
	o.expect(t, command.Problems, "[database]", "(SQLSTATE 28P01)", "check the password: in connection_string, PGPASSWORD")
	quiet(t, o)
}

// role makes a role that is gone after the test.
func role(t *testing.T, definition string) {
	t.Helper()
	server, err := testdb.Server()
	if err != nil {
		t.Fatal(err)
	}
	testdb.Exec(t, server.AdminConnString(), "CREATE ROLE "+definition)
	name, _, _ := strings.Cut(definition, " ")
	t.Cleanup(func() { testdb.Exec(t, server.AdminConnString(), "DROP ROLE "+name) })
}

// requirePassword makes the server ask a role for its password.
func requirePassword(t *testing.T, dsn, role string) {
	t.Helper()
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(context.Background()) }()
	var file string
	if err := conn.QueryRow(context.Background(), "SHOW hba_file").Scan(&file); err != nil {
		t.Fatal(err)
	}
	rules := read(t, file)
	set := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		testdb.Exec(t, dsn, "SELECT pg_reload_conf()")
	}
	set("local all " + role + " scram-sha-256\n" + rules)
	t.Cleanup(func() { set(rules) })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for { // the server reads the file when it comes to it
		guest, err := pgx.Connect(ctx, dsn+" user="+role)
		if err != nil {
			break
		}
		_ = guest.Close(ctx)
	}
	if ctx.Err() != nil {
		t.Fatal("the server does not ask for a password")
	}
}

func TestWrongDatabase(t *testing.T) {
	dsn := testdb.Database(t)
	run(t, dsn+" dbname=nowhere", "-c", root+"queries.example.yaml").
		expect(t, command.Problems, "[database]", "(SQLSTATE 3D000)", "create the database (CREATE DATABASE), or correct its name")
}

// An empty database is one error and not one for each query.
func TestEmptyDatabase(t *testing.T) {
	o := run(t, testdb.Database(t), "-c", root+"queries.example.yaml", "--level", "error")
	o.expect(t, command.Problems, "the database has no tables at all, so 94 queries cannot work; they name media_aliases, ", "tracker_downloads, tracker_kv, tracker_peers", "mortise init", "errors: 1,")
	if found := o.rulesIn(); !slices.Equal(found, []string{"empty-database"}) {
		t.Errorf("found %v", found)
	}
}

// Tables that are not found are one error each, and one in another schema is pointed to.
func TestMissingTables(t *testing.T) {
	dsn := testdb.Database(t, "CREATE SCHEMA old; CREATE TABLE unrelated (); SET search_path = old;"+read(t, root+"schemas/mochi/schema.sql"))
	testdb.Exec(t, dsn, "DROP TABLE old.mo_kv")
	o := run(t, dsn, "-c", root+"schemas/mochi/queries.yaml", "--level", "error")
	o.expect(t, command.Problems, `relation "mo_peers" does not exist (SQLSTATE 42P01); 7 further queries name it`,
		"there is one in the schema old: write old.mo_peers, or ALTER ROLE", `relation "mo_kv" does not exist (SQLSTATE 42P01); also named by tracker.data.del_query, tracker.data.add_query`, "mortise init")
	if found := o.rulesIn(); !slices.Equal(found, []string{"does-not-prepare", "does-not-prepare", "does-not-prepare"}) {
		t.Errorf("found %v", found)
	}
}

func TestMissingRights(t *testing.T) {
	role(t, "check_poor LOGIN")
	dsn := testdb.Database(t, "CREATE SCHEMA shut; CREATE TABLE shut.mo_kv (context varchar NOT NULL, name bytea NOT NULL, value bytea, PRIMARY KEY (context, name));"+
		read(t, root+"schemas/mochi/schema.sql"))
	testdb.Exec(t, dsn, "GRANT SELECT, INSERT, UPDATE, DELETE ON mo_peers TO check_poor; GRANT SELECT ON mo_kv TO check_poor")
	text := strings.Replace(read(t, root+"schemas/mochi/queries.yaml"), "DELETE FROM mo_kv", "DELETE FROM shut.mo_kv", 1)
	o := run(t, dsn+" options='-c role=check_poor'", "-c", write(t, text), "--level", "error")
	o.expect(t, command.Problems, "GRANT SELECT ON mo_downloads TO check_poor;", "GRANT INSERT, SELECT, UPDATE ON mo_downloads TO check_poor;",
		"GRANT INSERT ON mo_kv TO check_poor;", "GRANT USAGE ON SCHEMA shut TO check_poor;")
	if found := o.rulesIn(); !slices.Equal(found, []string{"no-right", "no-right", "no-right", "does-not-prepare"}) {
		t.Errorf("found %v", found)
	}
}

func TestReadOnlyServer(t *testing.T) {
	dsn := mochi(t)
	run(t, dsn+" options='-c default_transaction_read_only=on'", "-c", root+"schemas/mochi/queries.yaml").
		expect(t, command.Problems, "[read-only-server]", "the server does not take writes", "T16")
}

// A result's column that the query does not return is reported at the key that names it; what is wrong
// with a text that clauses extend is reported once.
func TestPlaces(t *testing.T) {
	dsn := mochi(t)
	sample := read(t, root+"schemas/mochi/queries.yaml")
	for _, c := range []struct{ name, from, to, rule, at string }{
		{"a column's key", "address_column: address", "address_column: adress", "missing-column", "adress\n"},
		{"a column's key of a query with clauses", "count_seeders_column: seeders", "count_seeders_column: seders", "missing-column", "seders\n"},
		{"in a text with clauses", "FILTER (WHERE is_seeder)", "FILTER (WHERE is_sedeer)", "does-not-prepare", "is_sedeer)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(sample, c.from, c.to, 1)
			file := write(t, text)
			o := run(t, dsn, "-c", file, "--level", "error")
			before := text[:strings.Index(text, c.at)]
			place := fmt.Sprintf("%s:%d:%d ", file, 1+strings.Count(before, "\n"), len(before)-strings.LastIndex(before, "\n"))
			o.expect(t, command.Problems, place)
			if found := o.rulesIn(); !slices.Equal(found, []string{c.rule}) {
				t.Errorf("found %v", found)
			}
		})
	}
}
