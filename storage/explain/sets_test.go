package explain_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/explain"
	"github.com/mortise-storage/mortise/storage/query"
)

// A set is a query set with its schema, and rows for it.
type set struct{ name, queries, schema, rows string }

const (
	hashes  = `decode(lpad(to_hex(i % 40), 40, '0'), 'hex')`
	ids     = `decode(lpad(to_hex(i), 40, '0'), 'hex')`
	address = `(CASE WHEN i % 2 = 0 THEN '2001:db8::'::inet ELSE '10.0.0.0' END + i)`
)

func sets(t *testing.T) []set {
	all := []set{{"default", "../../queries.example.yaml", "../../schema.sql", `
		INSERT INTO tracker_peers SELECT ` + hashes + `, ` + ids + `, ` + address + `, 1000 + i, i % 3 = 0, i % 2 = 0, now() - i * interval '1 second' FROM generate_series(1, 2000) AS i;
		INSERT INTO tracker_downloads SELECT ` + ids + `, i FROM generate_series(1, 50) AS i;
		INSERT INTO tracker_kv SELECT 'c', ` + ids + `, '\x01' FROM generate_series(1, 50) AS i;
		INSERT INTO media_hashes SELECT ` + ids + `, 'f' || i, 'm' || i, 'b', now() FROM generate_series(1, 2000) AS i;
		INSERT INTO media_aliases SELECT 'a' || i, ` + ids + `, 't' FROM generate_series(1, 2000) AS i;
		INSERT INTO media_variants SELECT ` + ids + `, 'v', 'v' || i, now() FROM generate_series(1, 2000) AS i;
		INSERT INTO media_details SELECT 'f' || i, '{}' FROM generate_series(1, 2000) AS i;
		INSERT INTO media_proxies SELECT 'http://' || i, 'a' || i, now() FROM generate_series(1, 2000) AS i;
		INSERT INTO media_jobs SELECT gen_random_uuid(), 'q', '{}', NULL, NULL, NULL, 5, now() FROM generate_series(1, 2000) AS i;`}}
	rows := map[string]string{
		"private-tracker": `
			INSERT INTO torrents (info_hash) SELECT ` + ids + ` FROM generate_series(1, 40) AS i;
			INSERT INTO users (passkey) SELECT 'user' || i FROM generate_series(1, 20) AS i;
			INSERT INTO peers SELECT (SELECT min(id) FROM torrents) + i % 40, i % 20 + 1, ` + ids + `, ` + address + `, 1000 + i, i % 3 = 0, 1, 1, 1, 'agent', now() FROM generate_series(1, 2000) AS i;
			INSERT INTO site_kv SELECT 'c', ` + ids + `, '\x01' FROM generate_series(1, 50) AS i;`,
		"functions": `
			INSERT INTO tracker_data.peers (info_hash, peer_id, address, port, is_seeder)
			SELECT ` + hashes + `, ` + ids + `, ` + address + `, 1000 + i, i % 3 = 0 FROM generate_series(1, 2000) AS i;
			INSERT INTO tracker_data.completions SELECT ` + ids + `, i FROM generate_series(1, 50) AS i;
			INSERT INTO tracker_data.entries SELECT 'c', ` + ids + `, '\x01' FROM generate_series(1, 50) AS i;`,
	}
	folders, err := filepath.Glob("../../schemas/*/queries.yaml")
	if err != nil || len(folders) < 5 {
		t.Fatalf("query sets %v, %v", folders, err)
	}
	for _, queries := range folders {
		folder := filepath.Dir(queries)
		name := filepath.Base(folder)
		all = append(all, set{name, queries, filepath.Join(folder, "schema.sql"), rows[name]})
	}
	return all
}

// load reads the query set's statements.
func (q set) load(t *testing.T, dsn string) []*query.Statement {
	t.Helper()
	t.Setenv("MORTISE_DATABASE", dsn)
	contract, err := storage.Contract()
	if err != nil {
		t.Fatal(err)
	}
	config, problems := mortise.LoadWith(q.queries, contract)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	compiled, problems := query.CompileSet(contract, config.Storage.Sources)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	return compiled.Statements()
}

// Every query of every set is explained and run, with rows and without, and nothing is left behind.
func TestQuerySets(t *testing.T) {
	for _, q := range sets(t) {
		t.Run(q.name, func(t *testing.T) {
			schema, err := os.ReadFile(q.schema)
			if err != nil {
				t.Fatal(err)
			}
			dsn := explain.Database(t, string(schema))
			q.examine(t, dsn)
			if q.rows != "" {
				testdb.Exec(t, dsn, q.rows+"ANALYZE;")
				q.examine(t, dsn)
			}
		})
	}
}

func (q set) examine(t *testing.T, dsn string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	before := contents(t, dsn)
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(ctx) }()
	s, err := explain.Open(ctx, conn)
	if err != nil {
		t.Fatal(err)
	}
	statements := q.load(t, dsn)
	sampler, err := explain.NewSampler(ctx, s, statements, nil)
	if err != nil {
		t.Fatal(err)
	}
	var reports []*explain.Report
	for _, st := range statements {
		if st.Operation.Spec.GetListens() {
			continue // LISTEN has no plan
		}
		r, err := s.Examine(ctx, sampler, st, explain.Options{Analyze: true, Runs: 2, Timeout: 20 * time.Second})
		if err != nil {
			t.Fatalf("%s: %v", st.Operation.Key, err)
		}
		if r.Refused != nil || r.Generic.Root == nil || len(r.Cases) == 0 {
			t.Fatalf("%s: %v, generic %+v, %d cases", st.Operation.Key, r.Refused, r.Generic, len(r.Cases))
		}
		refers := st.Operation.Spec.GetForeignKey() != annotation.Refusal_REFUSED
		for _, c := range r.Cases {
			if refers && strings.Contains(c.NotRun, "break a constraint") {
				continue // sampled values refer to no row, or others refer to the row
			}
			if c.NotRun != "" || !c.Custom.Analyzed || !c.Generic.Analyzed {
				t.Errorf("%s: %s arguments were not run: %s", st.Operation.Key, c.Sample.Name, c.NotRun)
			}
			for i, origin := range c.Sample.Origins {
				if origin == "" {
					t.Errorf("%s: nobody knows where @%s is from", st.Operation.Key, st.Operation.Parameters[i].Name)
				}
			}
		}
		reports = append(reports, r)
	}
	if _, err := s.Advise(ctx, reports, true); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if after := contents(t, dsn); after != before {
		t.Errorf("the tables hold something else than before:\n%s\nbefore:\n%s", after, before)
	}
}

// contents is a digest of all tables.
func contents(t *testing.T, dsn string) string {
	t.Helper()
	ctx := context.Background()
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(ctx) }()
	rows, err := conn.Query(ctx, `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	if len(tables) == 0 {
		t.Fatal("there are no tables")
	}
	var b strings.Builder
	for _, table := range tables {
		var digest string
		if err := conn.QueryRow(ctx, "SELECT count(*) || ' ' || COALESCE(md5(string_agg(t::text, ',' ORDER BY t::text)), '') FROM "+table+" AS t").Scan(&digest); err != nil {
			t.Fatal(err)
		}
		b.WriteString(table + " " + digest + "\n")
	}
	return b.String()
}
