package mutation

import (
	"slices"
	"strings"
	"testing"
)

// The operation that most tests use; its parameters are @info_hash, @is_seeder, @is_v6, @count and more.
const list = "tracker.announce.query"

func TestOperators(t *testing.T) {
	for _, c := range []struct {
		operator, sql string
		want          []string
	}{
		{"drop-predicate", "SELECT a FROM t WHERE a = 1 AND b = 2", []string{
			"SELECT a FROM t WHERE b = 2", "SELECT a FROM t WHERE a = 1"}},
		{"drop-predicate", "SELECT a FROM t WHERE a = 1", []string{"SELECT a FROM t WHERE TRUE"}},
		{"drop-predicate", "SELECT a FROM t WHERE a AND (b OR c AND d)", []string{
			"SELECT a FROM t WHERE (b OR c AND d)", "SELECT a FROM t WHERE a", "SELECT a FROM t WHERE a AND ( c AND d)",
			"SELECT a FROM t WHERE a AND (b )", "SELECT a FROM t WHERE a AND (b OR d)", "SELECT a FROM t WHERE a AND (b OR c )"}},
		{"drop-predicate", "SELECT a FROM t WHERE a BETWEEN 1 AND 2 AND b", []string{
			"SELECT a FROM t WHERE b", "SELECT a FROM t WHERE a BETWEEN 1 AND 2"}},
		{"drop-predicate", "SELECT a FROM t JOIN u ON t.i = u.i GROUP BY a HAVING count(*) > 1", []string{
			"SELECT a FROM t JOIN u ON TRUE GROUP BY a HAVING count(*) > 1", "SELECT a FROM t JOIN u ON t.i = u.i GROUP BY a HAVING TRUE"}},
		{"drop-predicate", "SELECT count(*) FILTER (WHERE a) FROM t", []string{"SELECT count(*) FILTER (WHERE TRUE) FROM t"}},
		{"drop-predicate", "SELECT CASE WHEN a THEN b ELSE c END FROM t", []string{"SELECT CASE WHEN TRUE THEN b ELSE c END FROM t"}},
		{"drop-predicate", "SELECT CASE a WHEN 1 THEN b END FROM t", nil},
		{"drop-predicate", "SELECT a OR b AS c FROM t", []string{"SELECT b AS c FROM t", "SELECT a AS c FROM t"}},
		{"drop-predicate", "SELECT a FROM t WHERE a IS DISTINCT FROM 1 AND b", []string{
			"SELECT a FROM t WHERE b", "SELECT a FROM t WHERE a IS DISTINCT FROM 1"}},
		{"drop-predicate", "SELECT a FROM t WHERE CASE WHEN a THEN b END AND c", []string{
			"SELECT a FROM t WHERE c", "SELECT a FROM t WHERE CASE WHEN TRUE THEN b END AND c", "SELECT a FROM t WHERE CASE WHEN a THEN b END"}},
		{"never", "SELECT CASE WHEN a THEN b END", []string{"SELECT CASE WHEN FALSE THEN b END"}},
		{"negate", "SELECT a FROM t WHERE a AND b IS NULL AND c = 1 AND NOT d", []string{
			"SELECT a FROM t WHERE NOT (a) AND b IS NULL AND c = 1 AND NOT d", "SELECT a FROM t WHERE a AND b IS NOT NULL AND c = 1 AND NOT d"}},
		{"drop-not", "SELECT a FROM t WHERE NOT a AND b IS NOT NULL", []string{
			"SELECT a FROM t WHERE a AND b IS NOT NULL", "SELECT a FROM t WHERE NOT a AND b IS NULL"}},
		{"drop-not", "WITH x AS NOT MATERIALIZED (SELECT 1) SELECT a FROM x", nil},
		{"and-or", "SELECT a FROM t WHERE a OR b AND c BETWEEN 1 AND 2", []string{
			"SELECT a FROM t WHERE a AND b AND c BETWEEN 1 AND 2", "SELECT a FROM t WHERE a OR b OR c BETWEEN 1 AND 2"}},
		{"parameter-to-column", "SELECT a FROM t AS p WHERE p.a = @is_seeder AND @count < b AND a=@is_v6::bool", []string{
			"SELECT a FROM t AS p WHERE p.a = p.a AND @count < b AND a=@is_v6::bool",
			"SELECT a FROM t AS p WHERE p.a = @is_seeder AND b < b AND a=@is_v6::bool",
			"SELECT a FROM t AS p WHERE p.a = @is_seeder AND @count < b AND a=a"}},
		{"parameter-to-column", "SELECT a FROM t WHERE a = $1", []string{"SELECT a FROM t WHERE a = a"}},
		{"swap-parameters", "SELECT a FROM t WHERE a=@is_seeder AND b=@is_v6 AND c = @count AND @is_v6", []string{
			"SELECT a FROM t WHERE a=@is_v6 AND b=@is_seeder AND c = @count AND @is_seeder"}},
		{"flip-comparison", "SELECT a FROM t WHERE a = 1 AND b <> 2 AND (c < 3 OR d >= 4)", []string{
			"SELECT a FROM t WHERE a <> 1 AND b <> 2 AND (c < 3 OR d >= 4)", "SELECT a FROM t WHERE a = 1 AND b = 2 AND (c < 3 OR d >= 4)",
			"SELECT a FROM t WHERE a = 1 AND b <> 2 AND (c >= 3 OR d >= 4)", "SELECT a FROM t WHERE a = 1 AND b <> 2 AND (c < 3 OR d < 4)"}},
		{"flip-comparison", "UPDATE t SET a = 1, b = (c = 2) WHERE d = 3", []string{
			"UPDATE t SET a = 1, b = (c <> 2) WHERE d = 3", "UPDATE t SET a = 1, b = (c = 2) WHERE d <> 3"}},
		{"boundary", "SELECT a FROM t WHERE a <= 1 AND b > 2 AND c = 3", []string{
			"SELECT a FROM t WHERE a < 1 AND b > 2 AND c = 3", "SELECT a FROM t WHERE a <= 1 AND b >= 2 AND c = 3"}},
		{"quantifier", "SELECT a FROM t WHERE a = ANY (b)", []string{"SELECT a FROM t WHERE a = ALL (b)"}},
		{"drop-limit", "SELECT a FROM (SELECT a FROM t LIMIT 5 OFFSET 2) AS x LIMIT @count", []string{
			"SELECT a FROM (SELECT a FROM t OFFSET 2) AS x LIMIT @count", "SELECT a FROM (SELECT a FROM t LIMIT 5 ) AS x LIMIT @count",
			"SELECT a FROM (SELECT a FROM t LIMIT 5 OFFSET 2) AS x"}},
		{"drop-order", "SELECT a FROM t ORDER BY a, b DESC LIMIT 1", []string{
			"SELECT a FROM t LIMIT 1", "SELECT a FROM t ORDER BY b DESC LIMIT 1", "SELECT a FROM t ORDER BY a LIMIT 1"}},
		{"flip-order", "SELECT a FROM t ORDER BY a, b DESC, c NULLS LAST, random()", []string{
			"SELECT a FROM t ORDER BY a DESC, b DESC, c NULLS LAST, random()", "SELECT a FROM t ORDER BY a, b ASC, c NULLS LAST, random()",
			"SELECT a FROM t ORDER BY a, b DESC, c DESC NULLS LAST, random()"}},
		{"arithmetic", "SELECT a + -1, (b) - c FROM t", []string{"SELECT a - -1, (b) - c FROM t", "SELECT a + -1, (b) + c FROM t"}},
		{"drop-distinct", "SELECT DISTINCT ON (a) a, count(DISTINCT b) FROM t WHERE a IS NOT DISTINCT FROM b", []string{
			"SELECT a, count(DISTINCT b) FROM t WHERE a IS NOT DISTINCT FROM b", "SELECT DISTINCT ON (a) a, count( b) FROM t WHERE a IS NOT DISTINCT FROM b"}},
		{"add-distinct", "SELECT count(a), count(*), count(DISTINCT b) FROM t", []string{"SELECT count(DISTINCT a), count(*), count(DISTINCT b) FROM t"}},
		{"union", "SELECT 1 UNION ALL SELECT 2 UNION SELECT 3", []string{
			"SELECT 1 UNION SELECT 2 UNION SELECT 3", "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3"}},
		{"drop-filter", "SELECT count(*) FILTER (WHERE a) AS x FROM t", []string{"SELECT count(*) AS x FROM t"}},
		{"inner-join", "SELECT a FROM t LEFT JOIN u ON x RIGHT OUTER JOIN v ON left(a, 1) = b", []string{
			"SELECT a FROM t JOIN u ON x RIGHT OUTER JOIN v ON left(a, 1) = b", "SELECT a FROM t LEFT JOIN u ON x JOIN v ON left(a, 1) = b"}},
		{"function", "SELECT greatest(a, b), coalesce(c, d, 0), count(*), min(e) FROM t", []string{
			"SELECT least(a, b), coalesce(c, d, 0), count(*), min(e) FROM t",
			"SELECT greatest(a, b), c, count(*), min(e) FROM t", "SELECT greatest(a, b), d, count(*), min(e) FROM t", "SELECT greatest(a, b), 0, count(*), min(e) FROM t",
			"SELECT greatest(a, b), coalesce(c, d, 0), max(1), min(e) FROM t", "SELECT greatest(a, b), coalesce(c, d, 0), count(*), max(e) FROM t"}},
		{"literal", "SELECT true WHERE a IS NOT FALSE", []string{"SELECT FALSE WHERE a IS NOT FALSE", "SELECT true WHERE a IS NOT TRUE"}},
		{"number", "SELECT 0, 7, 1.5, '3'", []string{"SELECT 1, 7, 1.5, '3'", "SELECT (-1), 7, 1.5, '3'", "SELECT 0, 8, 1.5, '3'", "SELECT 0, 6, 1.5, '3'"}},
		{"swap-columns", "WITH x AS (SELECT p, q FROM t) SELECT x.a, f(b) AS c, d + 1 FROM x", []string{
			"WITH x AS (SELECT p, q FROM t) SELECT f(b) AS a, x.a AS c, d + 1 FROM x"}},
	} {
		var got []string
		for _, m := range mutantsOf(t, list, c.sql, c.operator) {
			got = append(got, oneLine(m.SQL))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s of %s:\n got %s\nwant %s", c.operator, c.sql, strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
		}
	}
}

func TestOperatorsOfWrites(t *testing.T) {
	const upsert = "INSERT INTO s.peers AS p (a, b, c) VALUES (@info_hash, @port, @is_seeder) " +
		"ON CONFLICT (a, b) DO UPDATE SET c = excluded.c, b = p.b + 1 WHERE p.c <> excluded.c RETURNING a"
	const head = "INSERT INTO s.peers AS p (a, b, c) VALUES (@info_hash, @port, @is_seeder) "
	for operator, want := range map[string][]string{
		"drop-conflict-column": {head + "ON CONFLICT (b) DO UPDATE SET c = excluded.c, b = p.b + 1 WHERE p.c <> excluded.c RETURNING a",
			head + "ON CONFLICT (a) DO UPDATE SET c = excluded.c, b = p.b + 1 WHERE p.c <> excluded.c RETURNING a"},
		"do-nothing":    {head + "ON CONFLICT (a, b) DO NOTHING RETURNING a"},
		"drop-conflict": {head + "RETURNING a"},
		"drop-assignment": {head + "ON CONFLICT (a, b) DO UPDATE SET b = p.b + 1 WHERE p.c <> excluded.c RETURNING a",
			head + "ON CONFLICT (a, b) DO UPDATE SET c = excluded.c WHERE p.c <> excluded.c RETURNING a"},
		"excluded": {head + "ON CONFLICT (a, b) DO UPDATE SET c = p.c, b = p.b + 1 WHERE p.c <> excluded.c RETURNING a",
			head + "ON CONFLICT (a, b) DO UPDATE SET c = excluded.c, b = p.b + 1 WHERE p.c <> p.c RETURNING a"},
		"flip-comparison": {head + "ON CONFLICT (a, b) DO UPDATE SET c = excluded.c, b = p.b + 1 WHERE p.c = excluded.c RETURNING a"},
	} {
		var got []string
		for _, m := range mutantsOf(t, "tracker.peer.add_query", upsert, operator) {
			got = append(got, oneLine(m.SQL))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", operator, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
	}
}
