package catalogue_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/check"
	"github.com/mortise-storage/mortise/storage/check/catalogue"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

// jobs is a schema about which there is nothing to say, with sound queries for it.
const jobs = `
	CREATE TABLE jobs (realm text NOT NULL, name text NOT NULL, port int4 NOT NULL, size int8 NOT NULL, hash bytea NOT NULL,
		due timestamptz NOT NULL, state text NOT NULL, note text NOT NULL, tags text[] NOT NULL DEFAULT '{}', tries int8 NOT NULL DEFAULT 0,
		PRIMARY KEY (realm, name)) WITH (fillfactor = 80);
	CREATE INDEX jobs_tags ON jobs USING gin (tags);
	CREATE TABLE turns (rank int8 PRIMARY KEY, realm text NOT NULL, name text NOT NULL, state text NOT NULL);
	CREATE INDEX turns_order ON turns (state, rank DESC);
	CREATE MATERIALIZED VIEW totals AS SELECT realm, count(*) AS n FROM jobs GROUP BY realm;
	CREATE UNIQUE INDEX totals_realm ON totals (realm);`

var queries = map[string]string{
	"put": "INSERT INTO jobs (realm, name, port, size, hash, due, state, note)\n" +
		"VALUES (@realm, @name, @port, @size, @hash, @due, @state, '')\n" +
		"ON CONFLICT (realm, name) DO UPDATE SET due = excluded.due, state = excluded.state",
	"get":   "SELECT name, port, due FROM jobs WHERE realm = @realm AND name = @name AND state = @state",
	"list":  "SELECT name, port, due FROM jobs WHERE realm = @realm AND name = @name",
	"peek":  "SELECT note FROM jobs WHERE realm = @realm AND name = @name",
	"touch": "UPDATE jobs SET due = @due, tries = tries + 1 WHERE realm = @realm AND name = @name",
	"take": "SELECT j.name, j.port, j.due FROM (\n  SELECT realm, name FROM turns WHERE state = @worker\n  ORDER BY rank DESC LIMIT @count::bigint FOR UPDATE SKIP LOCKED\n) AS t\n" +
		"JOIN jobs AS j USING (realm, name)",
	"find":    "SELECT name, port, due FROM jobs WHERE tags @> ARRAY[@tag::text]",
	"refresh": "REFRESH MATERIALIZED VIEW CONCURRENTLY totals",
	"tidy":    "DELETE FROM jobs WHERE due <= @before",
}

// A finding is what a case expects: nothing else may be found.
type finding struct {
	severity problem.Severity
	rule     string
	// key is the operation; empty for what is about the server.
	key string
	// at is the text in the file at whose beginning the problem is, says and fix are parts of its texts.
	at, says, fix string
}

type ruleCase struct {
	name string
	// schema is run after that of jobs, queries replace some of the sound ones.
	schema  string
	queries map[string]string
	// role is one that the schema makes; the session has it.
	role string
	// options are settings of the session.
	options string
	input   catalogue.Input
	// locked is a table that another session keeps locked after the statements were described.
	locked string
	want   []finding
}

// Each case has a schema of its own in one database, which is faster than a database for each.
func TestRules(t *testing.T) {
	contract, dsn := queueContract(t), testdb.Database(t)
	for i, c := range slices.Concat(serverCases, keyCases, typeCases, tableCases) {
		t.Run(c.name, func(t *testing.T) {
			place := fmt.Sprintf("case_%d", i)
			script := "CREATE SCHEMA " + place + "; SET search_path = " + place + ";"
			options := "-c search_path=" + place + " " + c.options
			if c.role != "" {
				script += "CREATE ROLE " + c.role + "; GRANT USAGE ON SCHEMA " + place + " TO " + c.role + ";"
				options += " -c role=" + c.role
				t.Cleanup(func() { testdb.Exec(t, dsn, "DROP OWNED BY "+c.role+"; DROP ROLE "+c.role) })
			}
			testdb.Exec(t, dsn, script+jobs+";"+c.schema)
			s := open(t, dsn+" options='"+options+"'", write(t, yamlOf(c.queries)), contract)
			if err := s.described.Err(); err != nil {
				t.Fatal(err)
			}
			if c.locked != "" {
				lock(t, dsn, place+"."+c.locked)
			}
			s.expect(t, s.check(t, c.input), c.want)
		})
	}
}

// lock keeps a table locked until the test ends.
func lock(t *testing.T, dsn, table string) {
	t.Helper()
	other := testdb.Conn(t, dsn)
	t.Cleanup(func() { _ = other.Close(context.Background()) })
	if _, err := other.Exec(context.Background(), "BEGIN; LOCK TABLE "+table); err != nil {
		t.Fatal(err)
	}
}

func queueContract(t *testing.T) *operation.Contract {
	t.Helper()
	files, err := mortise.CompileContract(context.Background(), []string{"testdata"}, "testdata/queue.proto")
	if err != nil {
		t.Fatal(err)
	}
	contract, err := storage.Contract(files...)
	if err != nil {
		t.Fatal(err)
	}
	return contract
}

// yamlOf writes the sound queries, some replaced; an empty one is left out.
func yamlOf(replaced map[string]string) string {
	all := maps.Clone(queries)
	maps.Copy(all, replaced)
	var b strings.Builder
	b.WriteString("connection_string: ${MORTISE_DATABASE}\nqueue:\n  job:\n")
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if all[key] != "" {
			b.WriteString("    " + key + "_query: |\n      " + strings.ReplaceAll(all[key], "\n", "\n      ") + "\n")
		}
	}
	return b.String()
}

func (s *stand) expect(t *testing.T, found problem.List, want []finding) {
	t.Helper()
	left := slices.Clone(found)
	for _, w := range want {
		key := w.key
		if key != "" && !strings.Contains(key, ".") {
			key = "queue.job." + key + "_query"
		}
		at := slices.IndexFunc(left, func(p problem.Problem) bool {
			return p.Severity == w.severity && p.Rule == w.rule && (key == "" || p.Key == key) && strings.Contains(p.Message, w.says) && strings.Contains(p.Fix, w.fix)
		})
		if at < 0 {
			t.Errorf("not found: %s %s %s: %s; %s", w.severity, w.rule, key, w.says, w.fix)
			continue
		}
		if w.at != "" {
			if line, column := sqltext.LineColumn(s.text, strings.Index(s.text, w.at)); left[at].Line != line || left[at].Column != column {
				t.Errorf("%s is at %d:%d; expected %d:%d, at %q", w.rule, left[at].Line, left[at].Column, line, column, w.at)
			}
		}
		left = slices.Delete(left, at, at+1)
	}
	for _, p := range left {
		t.Errorf("found as well: %s", p)
	}
}

var serverCases = []ruleCase{
	{name: "sound"},
	{name: "a right on a table", schema: "GRANT SELECT, UPDATE ON jobs TO catalogue_reader; GRANT SELECT, INSERT, UPDATE, DELETE ON turns, totals TO catalogue_reader",
		role: "catalogue_reader", queries: map[string]string{"touch": "", "refresh": ""}, want: []finding{
			{problem.Error, "no-right", "put", "jobs (realm, name, port, size", "the role catalogue_reader lacks a right", "GRANT INSERT ON jobs TO catalogue_reader;"},
			{problem.Error, "no-right", "tidy", "jobs WHERE due <=", "lacks a right", "GRANT DELETE ON jobs TO catalogue_reader;"},
		}},
	{name: "a right on a function", schema: "CREATE FUNCTION port_of(text) RETURNS int4 LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'; REVOKE ALL ON FUNCTION port_of FROM PUBLIC;" +
		"GRANT ALL ON jobs, turns, totals TO catalogue_caller", role: "catalogue_caller",
		queries: map[string]string{"get": "SELECT name, port_of(name) AS port, due FROM jobs WHERE realm = @realm AND name = @name"}, want: []finding{
			{problem.Error, "no-right", "get", "jobs WHERE realm = @realm AND name = @name\n    list", "lacks a right", "GRANT EXECUTE ON FUNCTION port_of(text) TO catalogue_caller;"},
		}},
	{name: "what cannot be planned", queries: map[string]string{"find": "SELECT name, 1/0 AS port, due FROM jobs WHERE tags @> ARRAY[@tag::text]"}, want: []finding{
		{severity: problem.Error, rule: "does-not-plan", key: "find", says: "(SQLSTATE 22012)"}}},
	{name: "a table is locked", schema: "", locked: "turns", want: []finding{
		{severity: problem.Warning, rule: "table-locked", key: "take", at: "turns WHERE state", says: "another session holds a lock"}}},
	{name: "read-only by default", options: "-c default_transaction_read_only=on", want: []finding{
		{severity: problem.Error, rule: "read-only-server", at: "${MORTISE_DATABASE}", says: "does not take writes", fix: "SET default_transaction_read_only = off"}}},
	{name: "another product", input: catalogue.Input{Target: &check.Target{Product: check.CockroachDB, Version: 241}}, want: []finding{
		{severity: problem.Warning, rule: "target-mismatch", says: "is written for cockroachdb 24.1, and the server is postgres"}}},
	{name: "a later version", input: catalogue.Input{Target: &check.Target{Product: check.PostgreSQL, Version: 99}}, want: []finding{
		{severity: problem.Warning, rule: "target-mismatch", says: "is written for postgres 99 or later"}}},
	{name: "the right version", input: catalogue.Input{Target: &check.Target{Product: check.PostgreSQL, Version: 12}}},
	{name: "a pooler was found", input: catalogue.Input{Unprepared: true}, want: []finding{{severity: problem.Info, rule: "sent-unprepared", at: "${MORTISE_DATABASE}"}}},
	{name: "isolation", options: "-c default_transaction_isolation=serializable", want: []finding{
		{severity: problem.Info, rule: "default-isolation", says: "serializable by default"}}},
	{name: "too many connections", input: catalogue.Input{Connections: 100000}, want: []finding{{severity: problem.Warning, rule: "too-many-connections", says: "up to 100000"}}},
	{name: "few connections", input: catalogue.Input{Connections: 3}},
	{name: "the server ends calls", options: "-c statement_timeout=2000", input: catalogue.Input{CallTimeout: 5 * time.Second}, want: []finding{
		{severity: problem.Warning, rule: "server-timeout", key: "put", says: "statement_timeout of 2s", fix: "SET statement_timeout = 0"}}},
	{name: "the server ends long work", options: "-c statement_timeout=600000", input: catalogue.Input{CallTimeout: 5 * time.Second}, want: []finding{
		{severity: problem.Warning, rule: "server-timeout", key: "tidy", says: "periodic work"}}},
	{name: "locks end in time", options: "-c lock_timeout=7000", input: catalogue.Input{CallTimeout: 5 * time.Second}},
}

var keyCases = []ruleCase{
	{name: "no arbiter", queries: map[string]string{"put": strings.Replace(queries["put"], "(realm, name) DO", "(realm, name, port) DO", 1)}, want: []finding{
		{problem.Error, "no-arbiter", "put", "ON CONFLICT (realm, name, port)", "no unique index of jobs is over (realm, name, port)", "CREATE UNIQUE INDEX ON jobs (realm, name, port);"}}},
	{name: "no arbiter for an expression", queries: map[string]string{"put": strings.Replace(queries["put"], "(realm, name) DO", "(realm, lower(name)) DO", 1)}, want: []finding{
		{severity: problem.Error, rule: "no-arbiter", key: "put", fix: "exactly these expressions"}}},
	{name: "no index", schema: "CREATE TABLE papers (realm text, name text NOT NULL, port int NOT NULL, due timestamptz NOT NULL)",
		queries: map[string]string{"get": "SELECT name, port, due FROM papers WHERE papers.name = @name AND realm = @realm",
			"list": "SELECT name, port, due FROM papers WHERE name = @name AND realm = @realm"}, want: []finding{
			{problem.Warning, "missing-index", "get", "papers.name = @name", "every request reads all of papers, because no index finds rows by name; so do queue.job.list_query", "CREATE INDEX ON papers (name, realm);"}}},
	{name: "no index on one side of a join", schema: "CREATE TABLE papers (realm text, name text NOT NULL, sheet int8)",
		queries: map[string]string{"list": "SELECT j.name, j.port, j.due FROM jobs AS j JOIN papers AS p ON p.sheet = j.size WHERE j.realm = @realm AND j.name = @name"}, want: []finding{
			{problem.Warning, "missing-index", "list", "p.sheet = j.size", "a call reads all of papers", "CREATE INDEX ON papers (sheet);"}}},
	{name: "no index for a write", schema: "CREATE TABLE papers (realm text, name text, due timestamptz) WITH (fillfactor = 80)",
		queries: map[string]string{"touch": "UPDATE papers SET due = @due WHERE (realm, name) = (@realm, @name)"}, want: []finding{
			{problem.Warning, "missing-index", "touch", "realm, name) = (@realm", "reads all of papers", "CREATE INDEX ON papers (realm, name);"}}},
	{name: "an expression keeps the index from being used", queries: map[string]string{"get": "SELECT name, port, due FROM jobs WHERE lower(realm || name) = @realm || @name"}, want: []finding{
		{problem.Warning, "missing-index", "get", "realm || name) =", "is compared within an expression", "compare the column itself"}}},
	{name: "an index whose first column is not compared", queries: map[string]string{"peek": "SELECT note FROM jobs WHERE name = @name AND realm <> @realm"}, want: []finding{
		{severity: problem.Warning, rule: "missing-index", key: "peek", at: "name = @name AND realm <>", says: "a call reads all of jobs, because no index finds rows by name"}}},
	{name: "a query that leaves out a part of the identity", queries: map[string]string{"peek": "SELECT note FROM jobs WHERE name = @name"}},
	{name: "an index on the expression", schema: "CREATE INDEX ON jobs (lower(name))", queries: map[string]string{"get": "SELECT name, port, due FROM jobs WHERE lower(name) = lower(@name) AND realm = @realm"}},
	{name: "a small table that no query writes", schema: "CREATE TABLE papers (realm text, name text NOT NULL, port int NOT NULL, due timestamptz NOT NULL); INSERT INTO papers VALUES ('a', 'b', 1, now()); ANALYZE papers",
		queries: map[string]string{"get": "SELECT name, port, due FROM papers WHERE name = @name AND realm = @realm"}},
	{name: "a partial index", schema: "CREATE TABLE papers (realm text, name text NOT NULL, port int NOT NULL, due timestamptz NOT NULL); CREATE INDEX ON papers (name) WHERE port > 0",
		queries: map[string]string{"get": "SELECT name, port, due FROM papers WHERE name = @name AND realm = @realm AND port > 0"}},
	{name: "an index by something else", schema: "CREATE TABLE papers (realm text, name text NOT NULL, port int NOT NULL, due timestamptz NOT NULL, state text); CREATE INDEX papers_state ON papers (state)",
		queries: map[string]string{"get": "SELECT name, port, due FROM papers WHERE realm = @realm AND name = @name AND state = @state"}, want: []finding{
			{problem.Warning, "index-without-identity", "get", "realm = @realm AND name = @name AND state", "the index papers_state is searched, but not by realm", "CREATE INDEX ON papers (realm, name, state);"}}},
	{name: "no unique key", schema: "CREATE TABLE papers (realm text, name text, size int8); CREATE INDEX ON papers (realm, name)",
		queries: map[string]string{"put": "INSERT INTO papers (realm, name, size) VALUES (@realm, @name, @size)"}, want: []finding{
			{problem.Warning, "no-unique-key", "put", "papers (realm", "no unique index of papers is over (realm, name)", "CREATE UNIQUE INDEX ON papers (realm, name);"}}},
	{name: "nothing to be in conflict with", schema: "CREATE TABLE papers (realm text, name text, size int8)",
		queries: map[string]string{"put": "INSERT INTO papers (realm, name, size) VALUES (@realm, @name, @size) ON CONFLICT DO NOTHING"}, want: []finding{
			{severity: problem.Warning, rule: "no-unique-key", key: "put", says: "stores a second row"}}},
	{name: "a key that is too wide", schema: "CREATE TABLE papers (realm text, name text, port int, PRIMARY KEY (realm, name, port))",
		queries: map[string]string{"put": "INSERT INTO papers (realm, name, port) VALUES (@realm, @name, @port) ON CONFLICT (realm, name, port) DO NOTHING"}, want: []finding{
			{severity: problem.Warning, rule: "no-unique-key", key: "put", says: "the unique index papers_pkey also has port"}}},
	{name: "no ON CONFLICT", schema: "CREATE TABLE papers (realm text, name text, size int8, PRIMARY KEY (realm, name))",
		queries: map[string]string{"put": "INSERT INTO papers (realm, name, size) VALUES (@realm, @name, @size)"}, want: []finding{
			{severity: problem.Warning, rule: "insert-without-conflict", key: "put", says: "fails at the unique index papers_pkey", fix: "add ON CONFLICT (realm, name)"}}},
	{name: "an identity that is narrower", schema: "CREATE TABLE papers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, realm text, name text UNIQUE, size int8)",
		queries: map[string]string{"put": "INSERT INTO papers (realm, name, size) VALUES (@realm, @name, @size) ON CONFLICT (name) DO UPDATE SET size = excluded.size"}, want: []finding{
			{problem.Warning, "narrow-identity", "put", "papers (realm, name", "identity narrower than the contract: the unique index papers_name_key leaves out realm", "add the columns"}}},
	{name: "a key over what is looked up by the identity", schema: "CREATE TABLE realms (id int8 PRIMARY KEY, realm text UNIQUE); CREATE TABLE papers (realm_id int8, name text, PRIMARY KEY (realm_id, name))",
		queries: map[string]string{"put": "INSERT INTO papers (realm_id, name) SELECT r.id, @name FROM realms AS r WHERE r.realm = @realm ON CONFLICT (realm_id, name) DO NOTHING"}},
}

var typeCases = []ruleCase{
	{name: "narrow numbers", schema: "ALTER TABLE jobs ALTER port TYPE int2, ALTER size TYPE int4", want: []finding{
		{problem.Warning, "integer-width", "put", "port, size, hash, due, state, note", "jobs.port is smallint and ends at 32767, and @port may be up to 65535", "ALTER TABLE jobs ALTER COLUMN port TYPE integer;"},
		{problem.Warning, "integer-width", "put", "size, hash, due, state, note", "jobs.size is integer and ends at 2147483647, and @size may be larger", "TYPE bigint;"}}},
	{name: "a narrow number of a function", schema: "CREATE FUNCTION put_job(text, text, int2) RETURNS int8 LANGUAGE sql AS 'SELECT 1::int8'",
		queries: map[string]string{"put": "SELECT put_job(@realm, @name, @port) AS affected"}, want: []finding{
			{problem.Warning, "integer-width", "put", "@port) AS affected", "the database takes @port as a number of at most 32767", "bigint"}}},
	{name: "short texts", schema: "DROP MATERIALIZED VIEW totals; ALTER TABLE jobs ALTER realm TYPE varchar(30), ALTER name TYPE varchar(30), ALTER state TYPE varchar(7)",
		queries: map[string]string{"refresh": ""}, want: []finding{
			{severity: problem.Warning, rule: "text-length", key: "put", says: "jobs.realm is character varying(30), and @realm may be up to 40 characters", fix: "TYPE text"},
			{severity: problem.Info, rule: "text-length", key: "put", at: "name, port, size, hash", says: "jobs.name is character varying(30), and @name may be as long as the caller likes"}}},
	{name: "bytes in a text", schema: "ALTER TABLE jobs ALTER hash TYPE text USING ''", want: []finding{
		{severity: problem.Warning, rule: "bytes-in-text", key: "put", says: "jobs.hash is text, and @hash is raw bytes"}}},
	{name: "bytes in a uuid", schema: "ALTER TABLE jobs ALTER hash TYPE uuid USING gen_random_uuid()", want: []finding{
		{severity: problem.Warning, rule: "bytes-in-text", key: "put", says: "jobs.hash is uuid, which holds 16 bytes"}}},
	{name: "no time zone", schema: "ALTER TABLE jobs ALTER due TYPE timestamp, ALTER due SET DEFAULT now()", want: []finding{
		{severity: problem.Warning, rule: "time-without-zone", key: "put", at: "due, state, note)", says: "due has no time zone; read and written as UTC, while its default takes the time zone", fix: "TYPE timestamptz"}}},
	{name: "no time zone in a function", schema: "CREATE FUNCTION touch_job(timestamp) RETURNS int8 LANGUAGE sql AS 'SELECT 1::int8'",
		queries: map[string]string{"touch": "SELECT touch_job(@due) AS affected"}, want: []finding{
			{severity: problem.Warning, rule: "time-without-zone", key: "touch", at: "@due) AS affected", says: "@due is taken as a time without time zone"}}},
	{name: "results that can be NULL", schema: "ALTER TABLE jobs ALTER port DROP NOT NULL", want: []finding{
		{problem.Warning, "nullable-result", "get", "port, due FROM jobs WHERE realm = @realm AND name = @name AND state", "jobs.port can be NULL (the column allows it), and the contract wants a value: the call fails", "SET NOT NULL"},
		{severity: problem.Info, rule: "nullable-result", key: "list", says: "the row is left out"},
		{severity: problem.Warning, rule: "nullable-result", key: "take", at: "j.port"},
		{severity: problem.Warning, rule: "nullable-result", key: "find"}}},
	{name: "NULL is ruled out", schema: "CREATE TABLE papers (realm text, name text PRIMARY KEY, port int, due timestamptz)",
		queries: map[string]string{"get": "SELECT name, port, due FROM papers WHERE name = @name AND port > 0 AND due IS NOT NULL"}},
	{name: "an outer join", queries: map[string]string{"list": "SELECT t.name, j.port, j.due FROM turns AS t LEFT JOIN jobs AS j ON j.realm = t.realm AND j.name = t.name WHERE t.rank = length(@realm || @name)"}, want: []finding{
		{severity: problem.Info, rule: "nullable-result", key: "list", at: "j.port, j.due FROM turns", says: "jobs.port can be NULL (an outer join can leave it out)"}}},
	{name: "a value that can be NULL", schema: "ALTER TABLE jobs ALTER note DROP NOT NULL", want: []finding{
		{problem.Info, "null-is-present", "peek", "note FROM jobs", "NULL values count as present: jobs.note is nullable", "SET NOT NULL"}}},
}

var tableCases = []ruleCase{
	{name: "an index on what changes", schema: "CREATE INDEX jobs_due ON jobs (due)", want: []finding{
		{problem.Info, "churning-index", "put", "due = excluded.due", "every refresh rewrites all indexes: jobs_due has due, which changes each time", "DROP INDEX jobs_due;"}}},
	{name: "an index that only includes what changes", schema: "CREATE INDEX jobs_size ON jobs (size) INCLUDE (due)", want: []finding{
		{severity: problem.Info, rule: "churning-index", key: "put", says: "jobs_size has due"}}},
	{name: "an index whose predicate has what changes", schema: "CREATE INDEX jobs_tries ON jobs (size) WHERE tries > 3", want: []finding{
		{severity: problem.Info, rule: "churning-index", key: "touch", at: "tries = tries + 1", says: "jobs_tries has tries"}}},
	{name: "an index on what rarely changes", schema: "CREATE INDEX ON jobs (state)"},
	{name: "full pages", schema: "ALTER TABLE jobs RESET (fillfactor)", want: []finding{
		{problem.Info, "fillfactor", "put", "jobs (realm, name, port", "jobs is updated at every request", "ALTER TABLE jobs SET (fillfactor = 85);"}}},
	{name: "full pages and an index that makes them no matter", schema: "ALTER TABLE jobs RESET (fillfactor); CREATE INDEX ON jobs (due)", want: []finding{
		{severity: problem.Info, rule: "churning-index", key: "put"}}},
	{name: "a small counter", schema: "ALTER TABLE jobs ALTER tries TYPE int4", want: []finding{
		{problem.Info, "counter-width", "touch", "tries = tries + 1", "jobs.tries is integer: at 2147483647 the next call fails", "TYPE bigint;"}}},
	{name: "ANY over an array", queries: map[string]string{"find": "SELECT name, port, due FROM jobs WHERE @tag = ANY (tags)"}, want: []finding{
		{problem.Warning, "gin-any", "find", "tags)", "@tag = ANY (tags) does not use the index jobs_tags", "write tags @> ARRAY[@tag]"}}},
	{name: "ANY over an array without an index", schema: "DROP INDEX jobs_tags", queries: map[string]string{"find": "SELECT name, port, due FROM jobs WHERE @tag = ANY (tags)"}},
	{name: "a queue in another order", queries: map[string]string{"take": strings.Replace(queries["take"], "rank DESC", "name, rank", 1)}, want: []finding{
		{problem.Warning, "skip-locked-order", "take", "name, rank LIMIT", "no index of turns yields this order", "CREATE INDEX ON turns (state, name, rank);"}}},
	{name: "a queue in the order of an index, backwards", queries: map[string]string{"take": strings.Replace(queries["take"], "rank DESC", "rank", 1)}},
	{name: "a queue in the order of an expression", queries: map[string]string{"take": strings.Replace(queries["take"], "rank DESC", "rank % 7", 1)}, want: []finding{}},
	{name: "a view that cannot be refreshed beside readers", schema: "DROP INDEX totals_realm", want: []finding{
		{problem.Warning, "refresh-without-unique", "refresh", "totals\n", "totals has no unique index", "CREATE UNIQUE INDEX ON totals"}}},
	{name: "foreign tables", schema: "CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw; CREATE USER MAPPING FOR PUBLIC SERVER far;" +
		"ALTER TABLE turns RENAME TO old_turns; CREATE FOREIGN TABLE turns (rank int8 NOT NULL, realm text NOT NULL, name text NOT NULL, state text NOT NULL) SERVER far;" +
		"CREATE FOREIGN TABLE papers (realm text NOT NULL, name text NOT NULL) SERVER far",
		queries: map[string]string{"put": "INSERT INTO papers (realm, name) VALUES (@realm, @name) ON CONFLICT (realm, name) DO NOTHING"}, want: []finding{
			{problem.Error, "foreign-table", "put", "ON CONFLICT (realm, name) DO NOTHING", "papers is a foreign table, for which ON CONFLICT takes no target", ""},
			{severity: problem.Info, rule: "foreign-table", key: "put", says: "each call asks another server"},
			{severity: problem.Warning, rule: "foreign-table", key: "take", at: "rank DESC", says: "locks all its matching rows"},
			{severity: problem.Info, rule: "foreign-table", key: "take", says: "turns is a foreign table"}}},
	{name: "partitions", schema: "CREATE TABLE papers (realm text NOT NULL, name text NOT NULL, port int NOT NULL, due timestamptz NOT NULL, PRIMARY KEY (realm, name)) PARTITION BY HASH (realm);" +
		"CREATE TABLE papers_0 PARTITION OF papers FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE papers_1 PARTITION OF papers FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
		queries: map[string]string{"get": "SELECT name, port, due FROM papers WHERE realm = @realm AND name = @name", "list": "SELECT name, port, due FROM papers WHERE name = @name AND realm > @realm",
			"peek": "SELECT name FROM papers WHERE name = @name"}, want: []finding{
			{problem.Info, "partition-key", "peek", "papers WHERE name = @name\n    put", "papers is partitioned by realm, which the query does not compare", "compare realm"}}},
	{name: "triggers", schema: "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';" +
		"CREATE TRIGGER jobs_noted BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION noted(); CREATE TRIGGER jobs_gone AFTER DELETE ON jobs FOR EACH ROW EXECUTE FUNCTION noted()", want: []finding{
		{problem.Info, "triggers", "put", "jobs (realm, name, port", "triggers of jobs run as part of requests: jobs_noted (noted)", ""}}},
	{name: "row level security that applies", schema: "GRANT ALL ON jobs, turns, totals TO catalogue_filtered; ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;" +
		"CREATE POLICY own ON jobs USING (realm = 'a')", role: "catalogue_filtered", want: []finding{
		{problem.Warning, "row-security", "put", "jobs (realm, name, port", "hides rows of jobs from the role catalogue_filtered, or refuses them: the policies own", "BYPASSRLS"}}},
	{name: "row level security that does not", schema: "ALTER TABLE jobs ENABLE ROW LEVEL SECURITY", want: []finding{
		{severity: problem.Info, rule: "row-security", key: "put", says: "does not apply to the role"}}},
	{name: "unlogged", schema: "ALTER TABLE jobs SET UNLOGGED; ALTER TABLE turns SET UNLOGGED", want: []finding{
		{severity: problem.Info, rule: "unlogged", at: "jobs (realm, name, port", says: "unlogged: jobs, turns; faster to write"}}},
}
