package check_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/storage/check"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

// A tableRow is a row of the table of static checks: what a rule says of a query in a file for
// CockroachDB, behind a pooler, and in general (E, W, I, or - for nothing), and a query that is like it
// and on which the rule is silent everywhere. Behind a pooler the worse of its own column and the
// general one counts.
type tableRow struct {
	number                     int
	rule                       string
	key                        string
	firing, silent             string
	cockroach, pooler, general string
	server                     string // the target of the general column, where it takes one
}

const (
	list   = "shop.item.list_query"
	put    = "shop.item.put_query"
	get    = "shop.item.get_query"
	keys   = "shop.item.keys_query"
	total  = "shop.total_query"
	expire = "shop.expire_query"
	run    = "shop.run_query"
	use    = "shop.use_query"
	listen = "shop.listen_query"
	must   = "shop.must_query"
)

// The first five are the scanner's. It differs from the table in three ways: $n is allowed, an unused
// name is a warning that --strict makes fatal, and an @ in front of a name that is not declared stays
// the operator that it is where no reading as a parameter is possible.
var table = []tableRow{
	{1, sqltext.RuleInvalidText, list, "SELECT id, name FROM t -- \xff\nWHERE id = @id LIMIT 1", "SELECT id, name FROM t -- ü\nWHERE id = @id LIMIT 1", "E", "E", "E", ""},
	{1, sqltext.RuleInvalidText, list, "SELECT id, name FROM t WHERE name = '\x00' LIMIT 1", "SELECT id, name FROM t WHERE name = '' LIMIT 1", "E", "E", "E", ""},
	{1, sqltext.RuleInvalidText, list, "SELECT id, name FROM t WHERE name = '\uFFFD' LIMIT 1", "SELECT id, name FROM t WHERE name = '?' LIMIT 1", "E", "E", "E", ""},
	{2, sqltext.RuleUnknownParameter, list, "SELECT id, name FROM t WHERE id = @di LIMIT 1", "SELECT id, name FROM t WHERE id = @id LIMIT 1", "E", "E", "E", ""},
	{2, sqltext.RuleUnusedIdentity, keys, "SELECT id, name FROM t", "SELECT id, name FROM t WHERE key = ANY (@keys)", "W", "W", "W", ""},
	{2, sqltext.RuleColonParameter, list, "SELECT id, name FROM t WHERE id = :id LIMIT 1", "SELECT id, name FROM t WHERE id = @id LIMIT 1", "E", "E", "E", ""},
	{2, sqltext.RuleMixed, list, "SELECT id, name FROM t WHERE id = @id AND name = $4 LIMIT 1", "SELECT id, name FROM t WHERE id = $1 AND name = $4 LIMIT 1", "E", "E", "E", ""},
	{2, sqltext.RulePosition, list, "SELECT id, name FROM t WHERE id = $7 LIMIT 1", "SELECT id, name FROM t WHERE id = $1 LIMIT 1", "E", "E", "E", ""},
	{3, sqltext.RuleAmbiguous, list, "SELECT id, name FROM t WHERE tags <@name LIMIT 1", "SELECT id, name FROM t WHERE tags <@ @name LIMIT 1", "E", "E", "E", ""},
	{3, sqltext.RuleUnknownParameter, list, "SELECT id, name FROM t WHERE @col = 1 LIMIT 1", "SELECT id, name FROM t WHERE tags @@to_tsquery('a') LIMIT 1", "E", "E", "E", ""},
	{4, sqltext.RuleSeveralStatements, list, "SELECT id, name FROM t LIMIT 1; SELECT 2", "SELECT id, name FROM t LIMIT 1; -- no more", "E", "E", "E", ""},
	{5, sqltext.RuleTransaction, run, "COMMIT", "SELECT 'COMMIT'", "E", "E", "E", ""},

	{6, "D06-select-star", list, "SELECT * FROM t LIMIT 1", "SELECT id, name FROM t WHERE id = (SELECT count(*) FROM u) LIMIT 1", "W", "E", "W", ""},
	{6, "D06-select-star", get, "UPDATE t SET name = @name WHERE id = @id RETURNING *", "UPDATE t SET name = @name WHERE id = @id RETURNING id, name", "W", "E", "W", ""},
	{7, "D07-session-state", run, "SET search_path = shop", "ALTER ROLE shop SET search_path = shop", "W", "E", "W", ""},
	{7, "D07-session-state", run, "SELECT set_config('search_path', 'shop', false)", "SELECT set_config('search_path', 'shop', @flag)", "W", "E", "W", ""},
	{8, "D08-set-local", run, "SET LOCAL search_path = shop", "SELECT 1", "E", "W", "W", ""},
	{9, "D09-listen", run, "LISTEN jobs", "SELECT 'LISTEN jobs'", "E", "E", "-", ""},
	{10, "D10-notify", put, "SELECT pg_notify('jobs', @name) AS affected", "SELECT notify(@name) AS affected", "E", "W", "W", ""},
	{11, "D11-session-lock", run, "SELECT pg_advisory_lock(@id)", "SELECT pg_sleep(0)", "E", "E", "W", ""},
	{11, "D11-transaction-lock", run, "SELECT pg_advisory_xact_lock(@id)", "SELECT pg_sleep(0)", "W", "-", "-", ""},
	{12, "D12-skip-locked", list, "SELECT id, name FROM t ORDER BY id FOR UPDATE SKIP LOCKED", "SELECT id, name FROM t ORDER BY id LIMIT @limit FOR UPDATE SKIP LOCKED", "W", "-", "W", ""},
	{12, "D12-skip-locked", list, "SELECT id, name FROM t LIMIT @limit FOR UPDATE SKIP LOCKED", "SELECT id, name FROM t ORDER BY id FOR UPDATE SKIP LOCKED LIMIT @limit", "W", "-", "W", ""},
	{13, "D13-postgres-only", put, "DELETE FROM t WHERE ctid = (SELECT ctid FROM t LIMIT 1)", "DELETE FROM t WHERE id = @id", "E", "-", "I", ""},
	{13, "D13-postgres-only", run, "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE", "DELETE FROM t WHERE id IN (SELECT id FROM u)", "E", "-", "I", "postgres 17"},
	{14, "D14-conflict-expression", put, "INSERT INTO t (name) VALUES (@name) ON CONFLICT (lower(name)) DO NOTHING", "INSERT INTO t (name) VALUES (@name) ON CONFLICT (name) DO NOTHING", "E", "-", "-", ""},
	{14, "D14-conflict-target", put, "INSERT INTO t (name) VALUES (@name) ON CONFLICT DO UPDATE SET name = excluded.name", "INSERT INTO t (name) VALUES (@name) ON CONFLICT DO NOTHING", "E", "E", "E", ""},
	{15, "D15-update-function", put, "INSERT INTO t (id, seen) VALUES (@id, @since) ON CONFLICT (id) DO UPDATE SET seen = now()", "INSERT INTO t (id, seen) VALUES (@id, now()) ON CONFLICT (id) DO UPDATE SET seen = excluded.seen", "-", "-", "W", ""},
	{16, "D16-integer-division", total, "SELECT sum(size) / 1024 FROM t", "SELECT floor(sum(size) / 1024)::bigint FROM t", "E", "-", "-", ""},
	{17, "D17-operator", total, "SELECT count(*) FROM t WHERE doc @? '$.a'", "SELECT count(*) FROM t WHERE jsonb_path_exists(doc, '$.a')", "E", "-", "-", ""},
	{17, "D17-operator", list, "SELECT id, name FROM t ORDER BY place <-> 'POINT(0 0)' LIMIT 1", "SELECT id, name FROM t ORDER BY place LIMIT 1", "E", "-", "-", ""},
	{18, "D18-index-method", run, "CREATE INDEX i ON t USING spgist (a)", "CREATE INDEX i ON t USING gin (a)", "E", "-", "-", ""},
	{18, "D18-gist", run, "CREATE INDEX i ON t USING gist (a inet_ops)", "CREATE INDEX i ON t (a)", "W", "-", "-", ""},
	{18, "D18-brin", run, "CREATE INDEX i ON t USING brin (seen)", "CREATE INDEX i ON t (seen)", "-", "-", "W", "postgres 15"},
	{20, "D20-refresh", list, "REFRESH MATERIALIZED VIEW v", "SELECT id, name FROM v LIMIT 1", "E", "-", "-", ""},
	{20, "D20-concurrently", run, "REFRESH MATERIALIZED VIEW CONCURRENTLY v", "REFRESH MATERIALIZED VIEW v", "-", "-", "I", ""},
	{21, "D21-trigger", run, "CREATE TRIGGER g AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION f()", "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", "E", "-", "-", ""},
	{21, "D21-trigger", run, "DO $$BEGIN PERFORM f(); END$$", "DO $$BEGIN SELECT 1; END$$", "E", "-", "-", ""},
	{22, "D22-own-transaction", put, "VACUUM t", "DELETE FROM t WHERE id = @id", "W", "W", "E", ""},
	{23, "D23-no-where", run, "DELETE FROM t", "DELETE FROM t WHERE true", "W", "W", "W", ""},
	{23, "D23-no-limit", list, "SELECT id, name FROM t WHERE id > @id", "SELECT id, name FROM t WHERE id > @id LIMIT @limit", "W", "W", "W", ""},
	{23, "D23-no-limit", expire, "DELETE FROM t WHERE seen < @since", "DELETE FROM t WHERE id IN (SELECT id FROM t WHERE seen < @since LIMIT @limit)", "W", "W", "W", ""},
	{24, "D24-cockroachdb-only", put, "UPSERT INTO t (id) VALUES (@id)", "INSERT INTO t (id) VALUES (@id)", "-", "E", "E", ""},
	{25, "D25-uncast-parameter", get, "SELECT id, name, @since AS asked FROM t LIMIT 1", "SELECT id, name, @since::timestamptz AS asked FROM t LIMIT 1", "W", "W", "W", ""},
	{26, "D26-version", run, "SELECT date_bin('1 day', seen, seen) FROM t", "SELECT date_trunc('day', seen) FROM t", "-", "-", "E", "postgres 13"},
	{26, "D26-search-path", run, "CREATE MATERIALIZED VIEW v AS SELECT fn(a) FROM t", "CREATE MATERIALIZED VIEW v AS SELECT shop.fn(lower(a)) FROM t", "-", "-", "W", "postgres 17"},
	{27, "D27-any-column", list, "SELECT id, name FROM t WHERE @id = ANY (tags) LIMIT 1", "SELECT id, name FROM t WHERE tags @> ARRAY[@id::bigint] AND id = ANY (ARRAY[1]) LIMIT 1", "W", "-", "W", ""},
}

func TestTable(t *testing.T) {
	covered := map[int]bool{19: true} // TestTimeIndex: it takes two queries
	for _, row := range table {
		covered[row.number] = true
		for _, column := range []struct{ target, want string }{
			{"cockroachdb", row.cockroach}, {row.server + " pooler", worse(row.pooler, row.general)}, {row.server, row.general},
		} {
			target := column.target
			if got := severityOf(t, target, row.rule, row.key, row.firing); got != column.want {
				t.Errorf("rule %d, %s: %q says %s for the target %q, want %s", row.number, row.rule, row.firing, got, target, column.want)
			}
			if got := severityOf(t, target, row.rule, row.key, row.silent); got != "-" {
				t.Errorf("rule %d, %s: %q says %s for the target %q, want nothing", row.number, row.rule, row.silent, got, target)
			}
		}
	}
	for number := 1; number <= 27; number++ {
		if !covered[number] {
			t.Errorf("rule %d is not tried", number)
		}
	}
}

const scale = "-IWE"

func worse(a, b string) string {
	if strings.Index(scale, a) > strings.Index(scale, b) {
		return a
	}
	return b
}

// severityOf returns how bad a rule takes a query to be: a letter of scale.
func severityOf(t *testing.T, target, rule, key, sql string) string {
	t.Helper()
	in, found := input(t, target, key, sql)
	found = append(found, check.Texts(in)...)
	i := slices.IndexFunc(found, func(p problem.Problem) bool { return p.Rule == rule })
	if i < 0 {
		return "-"
	}
	return string(scale[1+int(found[i].Severity)])
}

func TestTimeIndex(t *testing.T) {
	const upsert = "INSERT INTO t (id, seen) VALUES (@id, @since) ON CONFLICT (id) DO UPDATE SET seen = excluded.seen"
	for target, want := range map[string]string{"": "W", "postgres": "W", "cockroachdb": "W", "pooler": "W"} {
		in, _ := input(t, target, put, upsert, run, "CREATE INDEX i\nON t (id, seen)")
		found := check.Texts(in)
		if len(found) != 1 || brief(found[0]) != "D19-time-index warning 2:4" || string(scale[1+int(found[0].Severity)]) != want {
			t.Errorf("target %q: %v", target, found)
		}
	}
	for name, queries := range map[string][]string{
		"another column": {put, upsert, run, "CREATE INDEX i ON t (name)"},
		"another table":  {put, upsert, run, "CREATE INDEX i ON u (seen)"},
		"no time":        {put, "INSERT INTO t (id, seen) VALUES (@id, @name) ON CONFLICT (id) DO UPDATE SET seen = excluded.seen", run, "CREATE INDEX i ON t (seen)"},
		"never updated":  {put, "INSERT INTO t (id, seen) VALUES (@id, @since) ON CONFLICT (id) DO UPDATE SET id = excluded.id", run, "CREATE INDEX i ON t (seen)"},
	} {
		if got := texts(t, "", queries...); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}
