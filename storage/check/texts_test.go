package check_test

import (
	"slices"
	"testing"

	"github.com/mortise-storage/mortise/storage/check"
	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

// textsCase is a query and all that is said of it, each finding with its place in the query.
type textsCase struct {
	name, target, key, sql string
	want                   []string
}

var generalCases = []textsCase{
	// SELECT *.
	{"star of a table among others", "", list, "SELECT a.id,\n  b.*\nFROM a, b LIMIT 1", []string{"D06-select-star warning 2:3"}},
	{"star of a union's second arm", "", list, "SELECT id, name FROM a UNION ALL SELECT * FROM b LIMIT 1", []string{"D06-select-star warning 1:41"}},
	{"star of a row", "", get, "SELECT id, name, (t).* FROM t LIMIT 1", []string{"D06-select-star warning 1:18"}},
	{"star over a sub-select that names its columns", "", list, "SELECT * FROM (SELECT id, name FROM a) AS s LIMIT 1", nil},
	{"star over a sub-select that does not", "", list, "SELECT * FROM (SELECT * FROM a) AS s LIMIT 1", []string{"D06-select-star warning 1:8"}},
	{"star over WITH", "", list, "WITH s AS (SELECT id, name FROM a) SELECT * FROM s LIMIT 1", nil},
	{"star over WITH and a table", "", list, "WITH s AS (SELECT id, name FROM a) SELECT s.*, a.* FROM s, a LIMIT 1", []string{"D06-select-star warning 1:48"}},
	{"star over a recursive WITH", "", list, "WITH RECURSIVE s AS (SELECT 1 AS id, 'a' AS name UNION ALL SELECT id + 1, name FROM s) SELECT * FROM s LIMIT 9", nil},
	{"star over VALUES", "", get, "SELECT * FROM (VALUES (1, 'a')) AS v (id, name)", nil},
	{"star in EXISTS", "", get, "SELECT id, name FROM t WHERE EXISTS (SELECT * FROM u)", nil},
	{"star over a join", "", list, "SELECT * FROM (SELECT 1 AS id) a JOIN b ON true LIMIT 1", []string{"D06-select-star warning 1:8"}},
	{"star over a function of the server", "", put, "INSERT INTO t (a, b) SELECT * FROM unnest(ARRAY[1], ARRAY[@name])", nil},
	{"star over another function", "", list, "SELECT * FROM shop.list(@limit)", []string{"D06-select-star warning 1:8"}},
	{"star over another function with its columns", "", list, "SELECT * FROM shop.list(@limit) AS l (id, name)", nil},
	{"star of what is inserted", "", put, "INSERT INTO t (a, b)\nSELECT * FROM u", []string{"D06-select-star warning 2:8"}},
	{"star behind RETURNING inside WITH", "", get, "WITH d AS (DELETE FROM t WHERE id = @id RETURNING *) SELECT id, name FROM d", nil},
	{"star over a WITH that returns a star", "", get, "WITH d AS (DELETE FROM t WHERE id = @id RETURNING *) SELECT * FROM d", []string{"D06-select-star warning 1:61"}},
	{"star in a text that is not read", "cockroachdb", list, "SELECT * FROM t AS OF SYSTEM TIME '-5s' LIMIT 1", []string{"D06-select-star warning 1:8", "not-parsed info 1:23"}},

	// Result columns.
	{"two columns of one name", "", get, "SELECT a.id, b.name, b.id FROM a, b", []string{"doubled-column error 1:22"}},
	{"two columns of one name, one by AS", "", get, "SELECT a.id, name, upper(name) AS NAME FROM a", []string{"doubled-column error 1:20"}},
	{"two columns nobody reads", "", get, "SELECT id, name, a.x, b.x FROM a, b", nil},
	{"told apart by AS", "", get, "SELECT a.id, b.name, b.id AS other FROM a, b", nil},
	{"the first column counts alone", "", total, "SELECT a AS number, b AS number FROM t", nil},
	{"doubled behind RETURNING", "", get, "UPDATE t SET x = 1 WHERE id = @id RETURNING id, name, id", []string{"doubled-column error 1:55"}},

	{"a missing column", "", get, "SELECT id,\n nam FROM t", []string{"missing-column error 1:8"}},
	{"two missing columns", "", list, "SELECT 1, a = 2 FROM t LIMIT 1", []string{"missing-column error 1:8", "missing-column error 1:8"}},
	{"a column whose name cannot be told", "", get, "SELECT id, CASE WHEN a THEN b ELSE name END FROM t", nil},
	{"a column of a sub-select", "", get, "SELECT id, (SELECT name FROM u) FROM t", nil},
	{"columns behind RETURNING", "", get, "DELETE FROM t WHERE id = @id RETURNING id", []string{"missing-column error 1:40"}},
	{"no result", "", get, "DELETE FROM t WHERE id = @id", []string{"no-result error 1:1"}},
	{"no single value", "", total, "INSERT INTO t (id) VALUES (@id)", []string{"no-result error 1:1"}},
	{"no result where none is read", "", run, "INSERT INTO t (id) VALUES (@id)", nil},
	{"count of a function", "", put, "SELECT f(@id)", []string{"unknown-count info 1:1"}},
	{"count of a function by its name", "", put, "SELECT affected(@id)", nil},
	{"count of WITH", "", put, "WITH d AS (DELETE FROM t WHERE id = @id RETURNING 1) SELECT 1 FROM d", []string{"unknown-count info 1:1"}},
	{"count of a procedure", "", put, "CALL f(@id)", []string{"unknown-count info 1:1"}},
	{"count of a star", "", put, "SELECT * FROM f(@id)", []string{"D06-select-star warning 1:8"}},

	// Sent twice.
	{"adding on conflict", "", put, "INSERT INTO t (id, n) VALUES (@id, 1) ON CONFLICT (id) DO UPDATE\nSET n = t.n + excluded.n", []string{"not-idempotent warning 2:9"}},
	{"adding", "", put, "UPDATE t SET log = coalesce(log, '') || @name WHERE id = @id", []string{"not-idempotent warning 1:20"}},
	{"adding to the value of the call", "", put, "INSERT INTO t (id, n) VALUES (@id, @limit) ON CONFLICT (id) DO UPDATE SET n = excluded.n + 1", nil},
	{"adding where the old value is compared", "", put, "UPDATE t SET version = version + 1 WHERE id = @id AND version = @limit", nil},
	{"adding to another column", "", put, "UPDATE t SET a = b + 1 WHERE id = @id", nil},
	{"adding where nothing is sent twice", "", run, "UPDATE t SET n = n + 1 WHERE id = @id", nil},

	// Integer division.
	{"division behind a cast", "cockroachdb", total, "SELECT (a / 2)::int8 FROM t", []string{"D16-integer-division error 1:11"}},
	{"division of fractions", "cockroachdb", total, "SELECT a / 2.0 FROM t", nil},
	{"division of numerics", "cockroachdb", total, "SELECT a::numeric / b FROM t", nil},
	{"division in a column that is no integer", "cockroachdb", get, "SELECT id, a / b AS name FROM t", nil},
	{"division in a column that is one", "cockroachdb", get, "SELECT a / b AS id, name FROM t", []string{"D16-integer-division error 1:10"}},

	// Parameters.
	{"lost @", "", put, "UPDATE t SET a = 1\nWHERE id = id", []string{"self-comparison warning 2:7"}},
	{"lost @ with an alias", "", put, "UPDATE t AS x SET a = 1 WHERE x.id = x.id", []string{"self-comparison warning 1:31"}},
	{"two tables with one column", "", list, "SELECT a.id, name FROM a JOIN b ON a.id = b.id LIMIT 1", nil},
	{"set to itself", "", put, "UPDATE t SET a = a WHERE id = @id", nil},
	{"unused parameter", "", must, "SELECT 1", []string{"unused-parameter warning 1:1"}},
	{"used parameter", "", must, "SELECT f(@must)", nil},
	{"list as one value", "", keys, "SELECT id, name FROM t\nWHERE key = @keys", []string{"array-parameter warning 2:13"}},
	{"list in IN", "", keys, "SELECT id, name FROM t WHERE key IN (@keys)", []string{"array-parameter warning 1:38"}},
	{"list in ANY", "", keys, "SELECT id, name FROM t WHERE key = ANY (@keys)", nil},
	{"list in unnest", "", keys, "SELECT id, name FROM t JOIN unnest(@keys::bytea[]) AS k (key) USING (key)", nil},
	{"list overlapping", "", keys, "SELECT id, name FROM t WHERE keys && @keys", nil},
	{"list as an array column", "", keys, "SELECT id, name FROM t WHERE @keys @> keys", nil},

	// Parameters without a type.
	{"text that is selected", "", get, "SELECT id, name, @name AS asked FROM t", nil},
	{"number that is selected", "", get, "SELECT @id AS id,\n name FROM t", []string{"D25-uncast-parameter warning 1:8"}},
	{"selected in a sub-select, though compared elsewhere", "", get, "SELECT id, name FROM t, (SELECT @key AS k) s WHERE key = @key", []string{"D25-uncast-parameter warning 1:33"}},
	{"selected for an insert", "", put, "INSERT INTO t (id) SELECT @id WHERE true", nil},
	{"selected beside a typed arm", "", list, "SELECT id, name FROM t UNION ALL SELECT @id, @name LIMIT 2", nil},
	{"only tested for NULL", "", list, "SELECT id, name FROM t WHERE @name IS NULL LIMIT 1", []string{"D25-uncast-parameter warning 1:30"}},
	{"tested for NULL and then compared", "", list, "SELECT id, name FROM t WHERE (@name IS NULL OR name = @name) LIMIT 1", []string{"D25-uncast-parameter warning 1:31"}},
	{"compared and then tested for NULL", "", list, "SELECT id, name FROM t WHERE (name = @name OR @name IS NULL) LIMIT 1", nil},
	{"limit and selected", "", list, "SELECT id, name, @limit AS l FROM t LIMIT @limit", []string{"D25-uncast-parameter warning 1:18"}},
	{"selected from where it is compared", "", get, "SELECT id, name, to_jsonb(@id) AS j FROM (SELECT * FROM t WHERE id = @id) AS s (id, name)", nil},
	{"used in WITH before", "", get, "WITH s AS (SELECT id FROM t WHERE key = @key) SELECT id, @key AS name FROM s", nil},
	{"set and compared", "", put, "UPDATE t SET a = to_jsonb(@id) WHERE id = @id", nil},
	{"behind an arrow", "", total, "SELECT count(*) FROM t WHERE doc -> @id IS NOT NULL", []string{"D25-uncast-parameter warning 1:37"}},
	{"a key behind an arrow", "", total, "SELECT count(*) FROM t WHERE doc ->> @name = 'a'", nil},
	{"in CASE", "", put, "UPDATE t SET a = CASE WHEN @flag THEN @id ELSE NULL END WHERE b", []string{"D25-uncast-parameter warning 1:39"}},
	{"in CASE beside a column", "", put, "UPDATE t SET a = CASE WHEN @flag THEN @id ELSE a END WHERE b", nil},
	{"a number among functions of numbers", "", put, "UPDATE t SET a = abs(@id) WHERE b", nil},
	{"tested for NULL with a cast", "", list, "SELECT id, name FROM t WHERE @name::text IS NULL LIMIT 1", nil},
	{"limit", "", list, "SELECT id, name FROM t LIMIT @limit", nil},
	{"beside a time", "", list, "SELECT id, name FROM t WHERE seen > now() - @id LIMIT 1", []string{"D25-uncast-parameter warning 1:45"}},
	{"beside a time with a cast", "", list, "SELECT id, name FROM t WHERE seen > now() - @id::bigint * interval '1 s' LIMIT 1", nil},
	{"beside an interval", "", expire, "DELETE FROM t WHERE seen < @since - interval '1 s' AND id < @limit", []string{"D23-no-limit warning 1:1", "D25-uncast-parameter warning 1:28"}},
	{"given to a function of any type", "", put, "INSERT INTO t (doc) VALUES (to_jsonb(@name))", []string{"D25-uncast-parameter warning 1:38"}},
	{"given to an operator's own function", "", put, "SELECT shop.put(@id, @name, @since) AS affected", nil},
	{"given to a function of one type", "", put, "SELECT decode(@name, 'hex') AS affected", nil},
	{"given to a function that prefers text", "", put, "UPDATE t SET a = length(@name) WHERE id = @id", nil},
	{"given to a function that prefers text, and is none", "", put, "UPDATE t SET a = length(@key) WHERE id = @id", []string{"D25-uncast-parameter warning 1:25"}},
	{"given to a function with others that tell", "", put, "UPDATE t SET a = array_append(a, @id), b = date_trunc(@name, seen), c = round(c, @id::int) WHERE id = @id", nil},
	{"given to a function with others that do not tell", "", put, "UPDATE t SET a = date_trunc('day', @since) WHERE id = @id", []string{"D25-uncast-parameter warning 1:36"}},
	{"given as a format", "", put, "UPDATE t SET a = format(@name, a) WHERE id = @id", nil},
	{"given to a format", "", put, "UPDATE t SET a = format('%s', @name) WHERE id = @id", []string{"D25-uncast-parameter warning 1:31"}},
	{"in a list of values", "", get, "SELECT id, name FROM (VALUES (@id, @name)) AS v (id, name)", []string{"D25-uncast-parameter warning 1:31"}},
	{"in a list of values beside a typed one", "", get, "SELECT id, name FROM (VALUES (1, 'a'), (@id, @name)) AS v (id, name)", nil},
	{"returned", "", get, "UPDATE t SET a = 1 WHERE id = @id RETURNING id, name, @flag AS f", []string{"D25-uncast-parameter warning 1:55"}},
	{"beside other parameters alone", "", put, "UPDATE t SET a = coalesce(@id, @limit) WHERE b", []string{"D25-uncast-parameter warning 1:27", "D25-uncast-parameter warning 1:32"}},
	{"beside a column", "", put, "UPDATE t SET a = coalesce(@id, a) WHERE b", nil},
	{"text beside a literal", "", put, "UPDATE t SET a = coalesce(@name, '') WHERE b", nil},
	{"compared with another", "", list, "SELECT id, name FROM t WHERE @id = @limit LIMIT 1", []string{"D25-uncast-parameter warning 1:30", "D25-uncast-parameter warning 1:36"}},
	{"in an array of its own", "", list, "SELECT id, name FROM t WHERE ids @> ARRAY[@id] LIMIT 1", []string{"D25-uncast-parameter warning 1:43"}},
	{"in an array with a cast", "", list, "SELECT id, name FROM t WHERE ids @> ARRAY[@id]::bigint[] LIMIT 1", nil},

	// INSERT.
	{"values without columns", "", put, "INSERT INTO\n  shop.t VALUES (@id)", []string{"insert-columns warning 2:3"}},
	{"select without columns", "", put, "INSERT INTO t AS x SELECT id FROM u WHERE true", []string{"insert-columns warning 1:13"}},
	{"select in parentheses without columns", "", put, "INSERT INTO t (SELECT id FROM u)", []string{"insert-columns warning 1:13"}},
	{"default values", "", put, "INSERT INTO t DEFAULT VALUES", nil},
	{"columns", "", put, "INSERT INTO t (id) VALUES (@id)", nil},
	{"upsert without columns", "cockroachdb", put, "UPSERT INTO t VALUES (@id)", []string{"not-parsed info 1:1", "insert-columns warning 1:13"}},
	{"clock in DO UPDATE", "", put, "INSERT INTO t (id) VALUES (@id) ON CONFLICT (id) DO UPDATE SET\n a = greatest(t.a, CURRENT_TIMESTAMP)", []string{"D15-update-function warning 2:20"}},
	{"steady function in DO UPDATE", "", put, "INSERT INTO t (id) VALUES (@id) ON CONFLICT (id) DO UPDATE SET a = lower(excluded.a)", nil},

	// The session.
	{"reset", "", run, "RESET ALL", []string{"D07-session-state warning 1:1"}},
	{"setting for the session", "", run, "SET SESSION work_mem = '1GB'", []string{"D07-session-state warning 1:1"}},
	{"prepared by hand", "", run, "PREPARE p AS SELECT 1", []string{"D07-session-state warning 1:1"}},
	{"temporary table", "", run, "CREATE TEMP TABLE t (a int)", []string{"D07-session-state warning 1:8"}},
	{"select into a temporary table", "", run, "SELECT 1 AS a INTO TEMPORARY t", []string{"D07-session-state warning 1:20"}},
	{"a column named temp", "", get, "SELECT id, name, temp FROM t", nil},
	{"an update is no SET", "", put, "UPDATE t SET a = 1 WHERE id = @id", nil},
	{"setting for the transaction", "", use, "SELECT set_config('search_path', @name, true)", nil},
	{"setting for the transaction on CockroachDB", "cockroachdb", use, "SELECT set_config('search_path', @name, true)", []string{"D08-set-local error 1:8"}},
	{"setting for the transaction of a call", "", put, "WITH s AS (SELECT set_config('a', @name, TRUE)) SELECT 1 AS affected FROM s", []string{"D08-set-local warning 1:19"}},
	{"listen on its own connection", "pooler", listen, "LISTEN jobs", []string{"D09-listen warning 1:1"}},
	{"listen", "", listen, "LISTEN jobs", nil},
	{"notify of a rare operation", "", run, "NOTIFY jobs", nil},
	{"notify on CockroachDB", "cockroachdb", run, "NOTIFY jobs", []string{"D10-notify error 1:1"}},
	{"lock of the session", "", run, "SELECT\n pg_try_advisory_lock(1)", []string{"D11-session-lock warning 2:2"}},
	{"lock of the transaction on a new CockroachDB", "cockroachdb 26.3", run, "SELECT pg_advisory_xact_lock(1)", nil},
	{"vacuum alone", "", run, "VACUUM t", nil},
	{"index with others", "", put, "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", []string{"D22-own-transaction error 1:1"}},
	{"index alone", "", run, "CREATE INDEX CONCURRENTLY i ON t (a)", nil},

	// Locks and bounds.
	{"skip locked in a sub-select", "", get, "UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t\n FOR UPDATE SKIP LOCKED) RETURNING id, name", []string{"D12-skip-locked warning 2:13"}},
	{"skip locked of an expiry", "", expire, "DELETE FROM t WHERE id IN (SELECT id FROM t WHERE seen < @since LIMIT @limit FOR UPDATE SKIP LOCKED)", nil},
	{"skip locked of an expiry on CockroachDB", "cockroachdb", expire, "DELETE FROM t WHERE id IN (SELECT id FROM t WHERE seen < @since LIMIT @limit FOR UPDATE SKIP LOCKED)", []string{"D12-skip-locked warning 1:89"}},
	{"the limit of another SELECT", "", list, "SELECT id, name FROM t WHERE id IN (SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED) LIMIT 1", []string{"D12-skip-locked warning 1:77"}},
	{"delete without where inside WITH", "", put, "WITH d AS (\n DELETE FROM t RETURNING id) INSERT INTO u (id) SELECT id FROM d", []string{"D23-no-where warning 2:2"}},
	{"update without where", "", put, "UPDATE t SET a = @id", []string{"D23-no-where warning 1:1"}},
	{"do update needs no where", "", put, "INSERT INTO t (id) VALUES (@id) ON CONFLICT (id) DO UPDATE SET a = excluded.a", nil},
	{"delete without where that is not read", "cockroachdb", run, "DELETE FROM t@{NO_FULL_SCAN}", []string{"D23-no-where warning 1:1", "not-parsed info 1:14"}},
	{"list whose number a function gets", "", list, "SELECT id, name FROM shop.list(@limit)", nil},
	{"list whose number is only compared", "", list, "SELECT id, name FROM t WHERE id < @limit", []string{"D23-no-limit warning 1:1"}},
	{"list of given keys", "", keys, "SELECT id, name FROM t WHERE key = ANY (@keys)", nil},

	// Servers.
	{"features of PostgreSQL", "cockroachdb", list, "SELECT id, name FROM t TABLESAMPLE system (1) WHERE xmin IS NOT NULL AND r && int4range(1, 2) AND a <<= 'x'::cidr AND f(n => 1)\nORDER BY id FETCH FIRST 1 ROWS WITH TIES", []string{
		"D13-postgres-only error 1:24", "D13-postgres-only error 1:53", "D13-postgres-only error 1:79", "D13-postgres-only error 1:110", "D13-postgres-only error 1:123", "D13-postgres-only error 2:32"}},
	{"a column's alias is no system column", "cockroachdb", get, "SELECT id, name, 1 AS ctid FROM t", nil},
	{"rollup", "cockroachdb", run, "SELECT a, count(*) FROM t GROUP BY ROLLUP (a)", []string{"D13-postgres-only error 1:36"}},
	{"exclusion", "cockroachdb", run, "CREATE TABLE t (a box, EXCLUDE USING gist (a WITH &&))", []string{"D13-postgres-only error 1:24"}},
	{"operators", "cockroachdb", run, "SELECT a @ b, @ c FROM t", []string{"D17-operator error 1:10", "D17-operator error 1:15"}},
	{"type behind a schema", "cockroachdb", run, "SELECT a::public.geometry(point) FROM t", []string{"D17-operator error 1:11"}},
	{"coordinate systems", "cockroachdb", run, "INSERT INTO spatial_ref_sys (srid) VALUES (900001)", []string{"D17-operator error 1:8"}},
	{"contained", "cockroachdb", list, "SELECT id, name FROM t WHERE tags <@ ARRAY['a'] AND doc @> '{}' LIMIT 1", nil},
	{"BRIN on an unknown version", "postgres", run, "CREATE INDEX i ON t\nUSING brin (a)", []string{"D18-brin info 2:7"}},
	{"BRIN on a new version", "postgres 16", run, "CREATE INDEX i ON t USING brin (a)", nil},
	{"trigger of columns", "cockroachdb", run, "CREATE TRIGGER g BEFORE UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION f()", []string{"D21-trigger error 1:25"}},
	{"trigger of a view", "cockroachdb", run, "CREATE TRIGGER g INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION f()", []string{"D21-trigger error 1:18"}},
	{"trigger with tables", "cockroachdb", run, "CREATE TRIGGER g AFTER INSERT ON t REFERENCING NEW TABLE AS n FOR EACH ROW EXECUTE FUNCTION f()", []string{"D21-trigger error 1:36"}},
	{"body of a function", "cockroachdb", run, "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $x$\nBEGIN IF FOUND THEN RETURN 1; END IF; END$x$", []string{"D21-trigger error 2:10"}},
	{"body in SQL", "cockroachdb", run, "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $x$SELECT found FROM t$x$", nil},
	{"delete with a limit", "postgres", expire, "DELETE FROM t WHERE seen < @since\nLIMIT @limit", []string{"not-parsed info 2:1", "D24-cockroachdb-only error 2:1"}},
	{"update with an order", "", put, "UPDATE t SET a = 1 WHERE id = @id ORDER BY id", []string{"not-parsed info 1:35", "D24-cockroachdb-only error 1:35"}},
	{"as of system time", "", list, "SELECT id, name FROM t AS OF SYSTEM TIME '-5s' LIMIT 1", []string{"D24-cockroachdb-only error 1:24", "not-parsed info 1:30"}},
	{"index hint", "", list, "SELECT id, name FROM t@t_pkey LIMIT 1", []string{"not-parsed info 1:23", "D24-cockroachdb-only error 1:23"}},
	{"index hint in braces", "", list, "SELECT id, name FROM shop.t@{FORCE_INDEX=t_pkey} LIMIT 1", []string{"not-parsed info 1:28", "D24-cockroachdb-only error 1:28"}},
	{"whole division", "", total, "SELECT a // 2 FROM t", []string{"D24-cockroachdb-only error 1:10"}},
	{"all of these in a file for CockroachDB", "cockroachdb 25.1", expire, "DELETE FROM t@{NO_FULL_SCAN} WHERE seen < @since AND a = b // 2 LIMIT @limit", []string{"not-parsed info 1:14"}},
	{"a limit inside", "", put, "DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY id LIMIT 1)", nil},
	{"a lock with a limit", "", list, "SELECT id, name FROM t ORDER BY id FOR UPDATE LIMIT 1", nil},
	{"not SQL", "", run, "SELEC 1", []string{"not-parsed info 1:1"}},
	{"a schema that is chosen when it is sent", "", get, "SELECT id, name FROM {shard}.t WHERE id = @id", nil},

	// Versions.
	{"new functions", "postgres 12", put, "INSERT INTO t (id, u) VALUES (@id, gen_random_uuid())", []string{"D26-version error 1:36"}},
	{"functions of one's own", "postgres 12", put, "INSERT INTO t (id, u) VALUES (@id, shop.gen_random_uuid())", nil},
	{"new enough", "postgres 13", put, "INSERT INTO t (id, u) VALUES (@id, gen_random_uuid())", nil},
	{"merge", "postgres 14", run, "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE", []string{"D13-postgres-only info 1:1", "D26-version error 1:1"}},
	{"returning of merge", "postgres 15", get, "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE RETURNING t.id, t.name", []string{"D13-postgres-only info 1:1", "D26-version error 1:62"}},
	{"materialized", "postgres 11", list, "WITH a AS MATERIALIZED (SELECT 1) SELECT id, name FROM t LIMIT 1", []string{"D26-version error 1:8"}},
	{"subscript of jsonb", "postgres 13", get, "SELECT id, doc['name'] AS name FROM t", []string{"D26-version error 1:16"}},
	{"subscript of an array", "postgres 13", get, "SELECT id, names[1] AS name FROM t", nil},
	{"the row before", "postgres 17", get, "UPDATE t SET a = 1 WHERE id = @id RETURNING id, old.name", []string{"D26-version error 1:49"}},
	{"a table named old", "postgres 17", get, "UPDATE t SET a = 1 FROM u AS old WHERE old.id = t.id RETURNING t.id, old.name", nil},
	{"call", "postgres 10", run, "CALL f()", []string{"D26-version error 1:1"}},
	{"no version", "postgres", run, "SELECT uuidv7()", nil},
	{"a version of CockroachDB says nothing", "cockroachdb 24.1", run, "SELECT uuidv7()", nil},
}

func TestTexts(t *testing.T) {
	for _, c := range generalCases {
		t.Run(c.name, func(t *testing.T) {
			if got := texts(t, c.target, c.key, c.sql); !slices.Equal(got, c.want) {
				t.Errorf("%q\n got %q\nwant %q", c.sql, got, c.want)
			}
		})
	}
}

// What an operator has written half is compiled, too, if its brackets match. Rules must not fall over it.
func TestUnfinished(t *testing.T) {
	for _, text := range []string{
		"WITH c AS (SELECT 1) INSERT INTO shop.t AS x (a) VALUES (@id) ON CONFLICT (a) DO UPDATE SET a = now() RETURNING *",
		"DELETE FROM t@{FORCE_INDEX=i} USING u WHERE set_config('a', @name, true) = '' ORDER BY a LIMIT @limit",
		"SELECT * FROM t@i AS OF SYSTEM TIME '-1s' WHERE @id = ANY(tags) FOR UPDATE SKIP LOCKED",
		"CREATE UNIQUE INDEX CONCURRENTLY i ON t USING brin (a)",
		"INSERT INTO public.spatial_ref_sys SELECT doc['a'] // 2",
		"DO $body$ BEGIN PERFORM 1; END $body$",
		"SET LOCAL a = 1",
	} {
		tokens, err := sqltext.Tokenize(text)
		if err != nil {
			t.Fatal(err)
		}
		tried := 0
		for i, token := range tokens {
			if !token.Means() {
				continue
			}
			key := []string{list, total, put, expire}[i%4]
			in, problems := input(t, "cockroachdb pooler", key, text[:token.End])
			if problems.Err() != nil {
				continue
			}
			tried++
			for _, p := range check.Texts(in) {
				if p.Line != 1 || p.Column < 1 || p.Column > token.End+1 {
					t.Errorf("%q: a place outside: %v", text[:token.End], p)
				}
			}
		}
		if tried < 2 {
			t.Errorf("%q: only %d beginnings of it compile", text, tried)
		}
	}
}
