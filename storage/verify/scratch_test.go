package verify_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/verify"
)

// The scratch mode finds what the normal mode finds, and touches no table of the operator.
func TestScratch(t *testing.T) {
	for _, c := range []struct {
		set    string
		script bool
	}{{"mochi", false}, {"private-tracker", true}} {
		t.Run(c.set, func(t *testing.T) {
			set := querySetNamed(t, c.set)
			config := set.config(t)
			openSite(t, config, 5, 12)
			before, numbers := contents(t, config.Connection), sequences(t, config.Connection)
			options := verify.Options{Scratch: true}
			if c.script {
				options.Schema = set.script(t)
			}
			report, err := verify.Run(t.Context(), config, options)
			if err != nil {
				t.Fatal(err)
			}
			if report.Failed() || !report.Dropped || report.Scratch == "" || report.Total().Passed < 200 {
				t.Errorf("outcomes %+v, notes %v", report.Total(), report.Notes)
			}
			for _, f := range report.Domains[0].Failures {
				t.Errorf("%s: %q %s", f.Case, f.Failures, trace(f))
			}
			if c.set == "mochi" {
				sampleDeviates(t, report)
			}
			sameContents(t, before, contents(t, config.Connection)) // no further table, either
			if after := sequences(t, config.Connection); after != numbers {
				t.Errorf("sequences were used: %s, then %s", numbers, after)
			}
		})
	}
}

// sequences are the values of all sequences.
func sequences(t *testing.T, dsn string) (all string) {
	t.Helper()
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(context.Background()) }()
	if err := conn.QueryRow(t.Context(), "SELECT coalesce(string_agg(s::text, ' ' ORDER BY s::text), '') FROM pg_sequences AS s").Scan(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// A default that draws from a sequence draws from one of the schema's own, and triggers are left behind.
func TestScratchClonesWithoutWaysOut(t *testing.T) {
	set := querySetNamed(t, "mochi")
	config := set.config(t, `CREATE SEQUENCE counted; ALTER TABLE mo_kv ADD COLUMN number bigint DEFAULT nextval('counted');
		CREATE TABLE audit (what text);
		CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (TG_OP); PERFORM nextval('counted'); RETURN NULL; END $$;
		CREATE TRIGGER note AFTER INSERT ON mo_peers FOR EACH ROW EXECUTE FUNCTION note()`)
	// With a further column the sample's INSERT into mo_kv still holds: it names no columns, and the last has a default.
	before, numbers := contents(t, config.Connection), sequences(t, config.Connection)
	report, err := verify.Run(t.Context(), config, verify.Options{Scratch: true, Only: regexp.MustCompile("data.add stores|peer.add stores")})
	if err != nil {
		t.Fatal(err)
	}
	if report.Failed() {
		t.Errorf("%+v", report.Total())
	}
	sameContents(t, before, contents(t, config.Connection))
	if after := sequences(t, config.Connection); after != numbers {
		t.Errorf("sequences were used: %s, then %s", numbers, after)
	}
	// The normal mode says what it cannot take back.
	report, err = verify.Run(t.Context(), config, verify.Options{Only: regexp.MustCompile("peer.add stores")})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(report.Notes, func(p problem.Problem) bool {
		return p.Severity == problem.Warning && strings.Contains(p.Message, "trigger note on public.mo_peers") && strings.Contains(p.Fix, "--scratch") && p.Line > 0
	}) {
		t.Errorf("notes %v", report.Notes)
	}
	sameContents(t, before, contents(t, config.Connection))
}

func TestScratchRefuses(t *testing.T) {
	sample := querySetNamed(t, "mochi")
	qualified := sample.changed(t, "DELETE FROM mo_kv", "DELETE FROM public.mo_kv")
	plain := sample.config(t)
	viewed := sample.config(t, "ALTER TABLE mo_kv RENAME TO kv; CREATE VIEW mo_kv AS SELECT * FROM kv")
	defaulted := sample.config(t, `CREATE FUNCTION touch() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER TABLE mo_peers ADD COLUMN n int DEFAULT touch()`)
	private, functions := querySetNamed(t, "private-tracker"), querySetNamed(t, "functions")
	const tables = "CREATE TABLE mo_peers (LIKE public.mo_peers INCLUDING ALL); CREATE TABLE mo_downloads (LIKE public.mo_downloads INCLUDING ALL);"
	for name, c := range map[string]struct {
		config storage.Config
		schema string
		want   string
	}{
		"a qualified name":        {config: qualified, want: "touches public.mo_kv"},
		"a view":                  {config: viewed, want: "touches public.kv"},
		"a function":              {config: private.config(t), want: "calls public.admit_peer"},
		"functions":               {config: functions.config(t), want: "calls tracker_api.put_peer"},
		"a default's function":    {config: defaulted, want: "public.touch()"},
		"a script elsewhere":      {config: functions.config(t), schema: functions.script(t), want: "outside of the scratch schema"},
		"a script with a commit":  {config: plain, schema: "CREATE TABLE x (); COMMIT; DROP TABLE mo_kv", want: "COMMIT"},
		"a script that alters":    {config: plain, schema: "ALTER TABLE public.mo_kv ADD COLUMN y int", want: "mo_kv"},
		"a script that writes":    {config: plain, schema: "INSERT INTO mo_kv VALUES ('c', 'k', 'v')", want: "rows of public.mo_kv"},
		"a script that drops":     {config: plain, schema: "DROP TABLE mo_kv", want: "drops"},
		"a script that is wrong":  {config: plain, schema: "CREATE TABEL x ()", want: "syntax error"},
		"a script that forgets":   {config: plain, schema: tables, want: "touches public.mo_kv"},
		"a script with a way out": {config: plain, schema: tables + "CREATE VIEW mo_kv AS SELECT * FROM public.mo_kv", want: "public.mo_kv"},
		"a function with a way out": {config: plain, schema: tables + "CREATE TABLE mo_kv (LIKE public.mo_kv INCLUDING ALL);" +
			"CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM public.mo_kv; RETURN NULL; END $$", want: "names the schema public"},
	} {
		t.Run(name, func(t *testing.T) {
			before := contents(t, c.config.Connection)
			_, err := verify.Run(t.Context(), c.config, verify.Options{Scratch: true, Schema: c.schema, Only: regexp.MustCompile("Ping")})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v; it should tell %q", err, c.want)
			}
			sameContents(t, before, contents(t, c.config.Connection))
			conn := testdb.Conn(t, c.config.Connection)
			defer func() { _ = conn.Close(context.Background()) }()
			if names := scratchSchemas(t, conn); len(names) > 0 {
				t.Errorf("%v are left", names)
			}
		})
	}
}

// A failure that several connections are needed for is found, and told from others.
func TestScratchFindsRaces(t *testing.T) {
	config := querySetNamed(t, "mochi").changed(t, "INSERT INTO mo_downloads\n                VALUES (@info_hash)\n                ON CONFLICT (info_hash) DO UPDATE SET downloads = mo_downloads.downloads + 1",
		`WITH before AS (SELECT (SELECT downloads FROM mo_downloads WHERE info_hash = @info_hash) AS n, pg_sleep(0.01))
                INSERT INTO mo_downloads (info_hash, downloads)
                SELECT @info_hash, coalesce(n, 0) + 1 FROM before
                ON CONFLICT (info_hash) DO UPDATE SET downloads = excluded.downloads`)
	only := regexp.MustCompile("downloads.inc loses no count")
	report, err := verify.Run(t.Context(), config, verify.Options{Only: only})
	if err != nil {
		t.Fatal(err)
	}
	if report.Failed() {
		t.Errorf("one call after the other it should hold: %+v", report.Domains[0].Failures[0])
	}
	report, err = verify.Run(t.Context(), config, verify.Options{Only: only, Scratch: true})
	if err != nil {
		t.Fatal(err)
	}
	if f := report.Domains[0].Failures; len(f) != 1 || !strings.Contains(strings.Join(f[0].Failures, " "), "several connections") {
		t.Errorf("failures %+v", f)
	}
}
