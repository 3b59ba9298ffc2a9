package scratch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/internal/testdb"
)

const things = "CREATE TABLE things (n int PRIMARY KEY); INSERT INTO things VALUES (1);"

// text asks for one value.
func text(t *testing.T, dsn, sql string) string {
	t.Helper()
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(context.Background()) }()
	var value string
	if err := conn.QueryRow(context.Background(), sql).Scan(&value); err != nil {
		t.Fatalf("%v in %s", err, sql)
	}
	return value
}

// there says whether a scratch exists.
func there(t *testing.T, dsn string, p *Place) bool {
	t.Helper()
	return text(t, dsn, "SELECT (SELECT count(*) FROM pg_database WHERE datname = '"+p.Name+"') + (SELECT count(*) FROM pg_namespace WHERE nspname = '"+p.Name+"') || ''") == "1"
}

func TestMakeAndDrop(t *testing.T) {
	for _, kind := range []Kind{Auto, Database, Schema} {
		base := testdb.Database(t, "CREATE TABLE mine (n int); INSERT INTO mine VALUES (7)")
		p, err := Make(t.Context(), base, kind, things)
		if err != nil {
			t.Fatal(kind, err)
		}
		if kind == Auto && p.Kind != Database {
			t.Errorf("a superuser gets a %s", p.Kind)
		}
		if !there(t, base, p) || !strings.HasPrefix(p.Name, Prefix) {
			t.Errorf("%s %s is not there", kind, p.Name)
		}
		if got := text(t, p.ConnString, "SELECT count(*) || '' FROM things"); got != "1" {
			t.Errorf("%s: the script made %s rows", kind, got)
		}
		if got := text(t, p.ConnString, "SELECT COALESCE(to_regclass('mine')::text, 'hidden')"); got != "hidden" {
			t.Errorf("%s: the operator's table is found as %s", kind, got)
		}
		if err := p.Drop(t.Context()); err != nil {
			t.Error(err)
		}
		if there(t, base, p) {
			t.Errorf("%s %s is still there", kind, p.Name)
		}
		if got := text(t, base, "SELECT n || '' FROM mine"); got != "7" {
			t.Errorf("%s: the operator's table holds %s", kind, got)
		}
	}
}

func TestDatabaseIsLikeTheOperators(t *testing.T) {
	base := testdb.Database(t)
	name := text(t, base, "SELECT current_database()")
	testdb.Exec(t, base, "ALTER DATABASE "+name+" SET work_mem = '7MB'; ALTER DATABASE "+name+" SET search_path = nowhere")
	p, err := Make(t.Context(), base, Database, things)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, p.ConnString, "SHOW work_mem"); got != "7MB" {
		t.Errorf("work_mem is %s", got)
	}
	if err := p.Drop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestScriptsThatFailLeaveNothing(t *testing.T) {
	base := testdb.Database(t, "CREATE TABLE mine (n int); CREATE SCHEMA elsewhere")
	for name, tt := range map[string]struct {
		kind   Kind
		script string
		is     error
		says   string
	}{
		"wrong SQL in a database":              {Database, "SELECT 1;\nCREATE TABL x ()", nil, "line 2"},
		"wrong SQL in a schema":                {Schema, "SELECT 1;\n\nCREATE TABL x ()", nil, "line 3"},
		"a schema of its own":                  {Schema, "CREATE SCHEMA further", ErrOutside, "schema further"},
		"a table elsewhere":                    {Schema, "CREATE TABLE elsewhere.things (n int)", ErrOutside, "elsewhere.things"},
		"a function elsewhere":                 {Schema, "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", ErrOutside, "public.f()"},
		"the operator's, altered":              {Schema, "ALTER TABLE public.mine ADD COLUMN m int", ErrOutside, "public.mine"},
		"the operator's, dropped":              {Schema, "DROP TABLE public.mine", ErrOutside, ""},
		"elsewhere, in a DO's sub-transaction": {Schema, "DO $$ BEGIN CREATE TABLE public.more (n int); EXCEPTION WHEN division_by_zero THEN NULL; END $$", ErrOutside, "public.more"},
	} {
		_, err := Make(t.Context(), base, tt.kind, tt.script)
		if err == nil || (tt.is != nil && !errors.Is(err, tt.is)) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := text(t, base, "SELECT count(*) || '' FROM pg_class WHERE relname IN ('mine', 'things', 'more')"); got != "1" {
		t.Errorf("%s tables are there", got)
	}
	if got := text(t, base, "SELECT (SELECT count(*) FROM pg_database WHERE datname LIKE 'mortise%bench%') + (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'mortise%bench%') || ''"); got != "0" {
		t.Errorf("%s scratches are left", got)
	}
}

func TestRights(t *testing.T) {
	base := testdb.Database(t)
	name := text(t, base, "SELECT current_database()")
	testdb.Exec(t, base, "DROP ROLE IF EXISTS bench_poor; CREATE ROLE bench_poor LOGIN; GRANT CREATE ON DATABASE "+name+" TO bench_poor")
	t.Cleanup(func() { testdb.Exec(t, base, "DROP OWNED BY bench_poor; DROP ROLE bench_poor") })
	poor := base + " user=bench_poor"
	p, err := Make(t.Context(), poor, Auto, things)
	if err != nil {
		t.Fatal(err)
	}
	if p.Kind != Schema {
		t.Errorf("without the right to create databases there is a %s", p.Kind)
	}
	if err := p.Drop(t.Context()); err != nil {
		t.Error(err)
	}
	testdb.Exec(t, base, "REVOKE CREATE ON DATABASE "+name+" FROM bench_poor")
	if _, err := Make(t.Context(), poor, Auto, things); !errors.Is(err, ErrRights) {
		t.Errorf("without any right: %v", err)
	}
}

func TestLeftovers(t *testing.T) {
	base := testdb.Database(t)
	alive, err := Make(t.Context(), base, Schema, things)
	if err != nil {
		t.Fatal(err)
	}
	var killed []string
	for _, kind := range []Kind{Schema, Database} {
		p, err := Make(t.Context(), base, kind, things)
		if err != nil {
			t.Fatal(err)
		}
		killed = append(killed, p.Name)
		_ = p.guard.Close(t.Context()) // as when the process is killed
	}
	names := func(all []Leftover) []string {
		var list []string
		for _, l := range all {
			list = append(list, l.Name)
		}
		slices.Sort(list)
		return list
	}
	slices.Sort(killed)
	// The server notices that a connection is gone a moment later.
	var found []Leftover
	for len(found) < 2 && t.Context().Err() == nil {
		if found, err = Leftovers(t.Context(), base); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(found); !slices.Equal(got, killed) {
		t.Errorf("found %v; expected %v", got, killed)
	}
	removed, err := RemoveLeftovers(t.Context(), base)
	if err != nil || !slices.Equal(names(removed), killed) {
		t.Errorf("removed %v, error %v", removed, err)
	}
	if !there(t, base, alive) {
		t.Error("a living run's schema was removed")
	}
	if err := alive.Drop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOccupied(t *testing.T) {
	base := testdb.Database(t, `CREATE TABLE full_one (n int); INSERT INTO full_one VALUES (1); CREATE TABLE empty_one (n int);
		CREATE SCHEMA "Other"; CREATE TABLE "Other"."a b" (n int); INSERT INTO "Other"."a b" VALUES (1); CREATE VIEW v AS SELECT 1`)
	got, err := Occupied(t.Context(), base)
	if err != nil || !slices.Equal(got, []string{"Other.a b", "public.full_one"}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestConnStrings(t *testing.T) {
	for _, tt := range [][4]string{
		{"host=/run dbname=x", "dbname", "y", "host=/run dbname=x dbname=y"},
		{"", "dbname", "y", "dbname=y"},
		{"postgres://u@h/d", "dbname", "y", "postgres://u@h/y"},
		{"postgres://u@h:1/d?pool_max_conns=3", "dbname", "y", "postgres://u@h:1/y?pool_max_conns=3"},
		{"postgresql://u@h/d", "search_path", "s", "postgresql://u@h/d?search_path=s"},
		{"host=/run", "search_path", "s", "host=/run search_path=s"},
	} {
		if got := with(tt[0], tt[1], tt[2]); got != tt[3] {
			t.Errorf("%s with %s: %s; expected %s", tt[0], tt[1], got, tt[3])
		}
	}
}

func TestErrorsHoldNoPassword(t *testing.T) {
	for _, dsn := range []string{"host=/nowhere password=geheim dbname=x", "postgres://u:geheim@127.0.0.1:1/x", "host=/nowhere port=geheim"} {
		_, err := Make(t.Context(), dsn, Auto, "")
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v", err)
		}
	}
}
