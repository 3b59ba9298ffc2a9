package explain

import (
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// examined explains and runs statements, and returns all advice by rule.
func (s *stand) examined(complete bool, statements ...*query.Statement) (reports []*Report, byRule map[string][]problem.Problem) {
	s.t.Helper()
	ctx := limited(s.t)
	m, err := NewSampler(ctx, s.Session, statements, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, st := range statements {
		r, err := s.Examine(ctx, m, st, Options{Analyze: true, Runs: 3})
		if err != nil {
			s.t.Fatal(err)
		}
		reports = append(reports, r)
	}
	list, err := s.Advise(ctx, reports, complete)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range reports {
		list = append(list, r.Problems...)
	}
	byRule = map[string][]problem.Problem{}
	for _, p := range list {
		byRule[p.Rule] = append(byRule[p.Rule], p)
	}
	return reports, byRule
}

// hot is an operation on the path of every request.
const hot = "downloads.get_query"

func TestSeqScanIsTold(t *testing.T) {
	const sql = "SELECT count(*)\nFROM peers\nWHERE info_hash = @info_hash"
	for _, c := range []struct {
		name, script, message string
	}{
		{"without an index", skewed + "DROP INDEX peers_hash", "reads all of peers, about 20 000 rows: no index serves its condition"},
		{"small", skewed + "DROP INDEX peers_hash; DELETE FROM peers WHERE port > 0 AND peer_id > '\\x0000000000000000000000000000000000000040'; VACUUM", "no index serves its condition: that will be slow"},
		{"with one for another column", skewed + "DROP INDEX peers_hash; CREATE INDEX ON peers (port)", "no index serves"},
		{"with one, for half of the table", skewed, "for common arguments, although an index could serve"},
		{"with one, for few rows", skewed + "DELETE FROM peers WHERE info_hash = '\\x00000000000000000000000000000000000000ff'; ANALYZE peers", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, strings.TrimSuffix(c.script, "; VACUUM"))
			if strings.HasSuffix(c.script, "VACUUM") {
				_ = s.Close(limited(t))
				vacuum(t, s.dsn)
				s = standOn(t, s.dsn)
			}
			_, byRule := s.examined(false, s.statement(hot, sql))
			found := byRule["plan-seq-scan"]
			if c.message == "" {
				if len(found) != 0 {
					t.Errorf("told %v", found)
				}
				return
			}
			if len(found) != 1 || !strings.Contains(found[0].Message, c.message) || found[0].Severity != problem.Warning {
				t.Fatalf("told %v", found)
			}
			if p := found[0]; p.Line != 2 || p.Column != 6 || p.Key != "tracker."+hot {
				t.Errorf("it is about %s at %d:%d", p.Key, p.Line, p.Column)
			}
		})
	}
}

func vacuum(t *testing.T, dsn string) {
	t.Helper()
	testdb.Exec(t, dsn, "VACUUM ANALYZE")
}

func TestBackgroundMayScan(t *testing.T) {
	s := newStand(t, skewed)
	_, byRule := s.examined(false, s.statement("gc_query", "DELETE FROM peers WHERE created <= @created"))
	if len(byRule["plan-seq-scan"]) != 0 {
		t.Errorf("told %v", byRule["plan-seq-scan"])
	}
}

func TestFlipIsTold(t *testing.T) {
	// Where the planner does not know the value it thinks of half of the rows, and follows the order
	// of an index that has the rare rows at its end.
	s := newStand(t, `
		CREATE TABLE events (info_hash bytea NOT NULL, n int8 NOT NULL, filler text);
		INSERT INTO events SELECT decode(lpad(CASE WHEN i > 199900 THEN '02' ELSE '01' END, 40, '0'), 'hex'), i, repeat('x', 20)
		FROM generate_series(1, 200000) AS i;
		CREATE INDEX events_hash ON events (info_hash);
		CREATE INDEX events_n ON events (n);
		ANALYZE events;`)
	st := s.statement(hot, "SELECT n FROM events WHERE info_hash = @info_hash ORDER BY n LIMIT 1")
	reports, byRule := s.examined(false, st)
	if len(reports[0].Cases) != 2 || reports[0].Cases[0].Sample.Name != Common || reports[0].Cases[1].Sample.Name != Typical {
		t.Fatalf("cases %+v", reports[0].Cases)
	}
	found := byRule["plan-flip"]
	if len(found) != 1 || found[0].Severity != problem.Warning || !strings.Contains(found[0].Message, "for typical arguments the plan that does not depend on them takes") ||
		!strings.Contains(found[0].Message, "the server will choose it") {
		t.Errorf("told %v", found)
	}
	filter := byRule["plan-filter"]
	if len(filter) != 1 || !strings.Contains(filter[0].Message, "Index Scan using events_n on events finds 199 901 rows") && !strings.Contains(filter[0].Message, "finds 200 000 rows") {
		t.Errorf("told %v", filter)
	}
}

func TestSpillIsTold(t *testing.T) {
	for _, c := range []struct{ name, sql, message string }{
		{"sort", "SELECT port FROM peers WHERE info_hash <> @info_hash ORDER BY peer_id, address OFFSET 5", "a sort by peer_id, address did not fit into memory"},
		{"hash", "SELECT count(*) FROM peers AS a JOIN peers AS b USING (peer_id) WHERE a.info_hash <> @info_hash", "a hash join did not fit into memory"},
		{"aggregate", "SELECT count(*) FROM (SELECT peer_id FROM peers WHERE info_hash <> @info_hash GROUP BY peer_id) AS x", "a grouping by peer_id did not fit into memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, skewed)
			s.exec("SET LOCAL enable_mergejoin = off; SET LOCAL enable_nestloop = off; SET LOCAL enable_sort = " + map[bool]string{true: "on", false: "off"}[c.name == "sort"])
			st := s.statement(hot, c.sql)
			if _, byRule := s.examined(false, st); len(byRule["plan-spill"]) != 0 {
				t.Errorf("told without reason: %v", byRule["plan-spill"])
			}
			s.exec("SET LOCAL work_mem = '64kB'")
			_, byRule := s.examined(false, st)
			if found := byRule["plan-spill"]; len(found) != 1 || !strings.Contains(found[0].Message, c.message) {
				t.Errorf("told %v", found)
			}
		})
	}
}

func TestEstimatesAndStatistics(t *testing.T) {
	s := newStand(t, `
		CREATE FUNCTION many() RETURNS SETOF int LANGUAGE sql ROWS 1 IMMUTABLE AS $$ SELECT generate_series(1, 5000) OFFSET 0 $$;
		CREATE TABLE fresh (info_hash bytea, n int) WITH (autovacuum_enabled = off);
		INSERT INTO fresh SELECT '\x01', i FROM generate_series(1, 100) AS i;`)
	_, byRule := s.examined(false, s.statement(hot, "SELECT count(*) FROM fresh, many() AS m WHERE info_hash = @info_hash OR m = 1"))
	found := byRule["table-statistics"]
	if len(found) != 1 || !strings.Contains(found[0].Message, ".fresh has rows and no statistics") || found[0].Line != 1 || found[0].Column != 22 {
		t.Errorf("told %v", found)
	}
	if found := byRule["plan-estimate"]; len(found) == 0 || !strings.Contains(found[0].Message, "rows, and the planner expects") {
		t.Errorf("told %v", found)
	}
	s.exec("ANALYZE fresh")
	clear(s.tables)
	if _, byRule = s.examined(false, s.statement(hot, "SELECT n FROM fresh WHERE info_hash = @info_hash")); len(byRule["table-statistics"]) != 0 {
		t.Errorf("told after ANALYZE: %v", byRule["table-statistics"])
	}
}

func TestUnusedIndex(t *testing.T) {
	s := newStand(t, skewed+"CREATE INDEX peers_port ON peers (port); CREATE UNIQUE INDEX peers_id ON peers (peer_id);")
	st := s.statement(hot, byHash+" AND port > 0 AND peer_id <> '' AND is_seeder")
	_, byRule := s.examined(true, st)
	found := byRule["index-unused"]
	if len(found) != 1 || found[0].Severity != problem.Info || !strings.Contains(found[0].Message, "uses the index peers_port of ") || !strings.Contains(found[0].Message, " kB)") {
		t.Errorf("told %v", found)
	}
	if _, byRule := s.examined(false, st); len(byRule["index-unused"]) != 0 {
		t.Error("told although other queries may use it")
	}
}

func TestLoopsAreTold(t *testing.T) {
	s := newStand(t, skewed+"CREATE INDEX peers_peer ON peers (peer_id); ANALYZE peers;")
	s.exec(`SELECT set_config(name, 'off', true) FROM pg_settings
		WHERE name IN ('enable_hashjoin', 'enable_mergejoin', 'enable_memoize', 'enable_material')`) // memoize is of version 14
	_, byRule := s.examined(false, s.statement(hot, "SELECT count(*) FROM peers AS a JOIN peers AS b ON b.peer_id = a.peer_id WHERE a.info_hash = @info_hash AND b.port > 0"))
	if found := byRule["plan-loops"]; len(found) != 1 || !strings.Contains(found[0].Message, "on peers b") {
		t.Errorf("told %v", found)
	}
}

func TestJITIsTold(t *testing.T) {
	s := newStand(t, skewed)
	s.exec("SET LOCAL jit = on; SET LOCAL jit_above_cost = 0")
	rows, err := s.texts(limited(t), "SELECT pg_jit_available()")
	if err != nil {
		t.Fatal(err)
	}
	_, byRule := s.examined(false, s.statement(hot, byHash))
	if told := len(byRule["plan-jit"]) > 0; told != (rows[0][0] == "t") {
		t.Errorf("told %v, and the server can compile: %s", byRule["plan-jit"], rows[0][0])
	}
}
