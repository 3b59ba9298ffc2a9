package database_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query"
)

// tables are those of the plain queries, and what the tests steer statements with: sequences are not
// rolled back, so they count attempts.
const tables = `
CREATE TABLE peers (info_hash bytea, peer_id bytea, address inet, port int4, is_seeder bool, created timestamptz,
	PRIMARY KEY (info_hash, peer_id, address, port));
CREATE TABLE downloads (info_hash bytea PRIMARY KEY, downloads int4 NOT NULL);
CREATE TABLE kv (context text, name bytea, value bytea, PRIMARY KEY (context, name));
CREATE SEQUENCE runs;
CREATE SEQUENCE arrivals;
-- run counts an attempt and returns its number.
CREATE FUNCTION run() RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT nextval('runs') $$;
-- meet waits until n have come; later ones need not wait.
CREATE FUNCTION meet(n int) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
	PERFORM nextval('arrivals');
	WHILE (SELECT last_value FROM arrivals) < n LOOP
		PERFORM pg_sleep(0.002);
	END LOOP;
	RETURN true;
END $$;
-- fail raises an error of the given code.
CREATE FUNCTION fail(code text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	PERFORM run();
	RAISE EXCEPTION 'raised on purpose' USING ERRCODE = code;
END $$;
`

// The keys of the operations that the tests use most.
const (
	addQuery  = "tracker.data.add_query"
	getQuery  = "tracker.data.get_query"
	delQuery  = "tracker.peer.del_query"
	incQuery  = "tracker.downloads.inc_query"
	downQuery = "tracker.downloads.get_query"
	gcQuery   = "tracker.gc_query"
)

// plain are queries that do what the contract says; tests replace those that they are about.
var plain = map[string]string{
	"tracker.announce.query": `SELECT peer_id, address, port FROM peers
		WHERE info_hash = @info_hash AND is_seeder = @is_seeder LIMIT @count::bigint`,
	"tracker.peer.add_query": `INSERT INTO peers VALUES (@info_hash, @peer_id, @address, @port, @is_seeder, @created)
		ON CONFLICT (info_hash, peer_id, address, port) DO UPDATE SET is_seeder = excluded.is_seeder, created = excluded.created`,
	delQuery: `DELETE FROM peers WHERE info_hash = @info_hash AND peer_id = @peer_id AND address = @address
		AND port = @port AND is_seeder = @is_seeder`,
	"tracker.peer.graduate_query": `UPDATE peers SET is_seeder = true WHERE info_hash = @info_hash AND peer_id = @peer_id
		AND address = @address AND port = @port AND NOT is_seeder`,
	"tracker.peer.count_query": `SELECT count(*) FILTER (WHERE is_seeder) AS seeders,
		count(*) FILTER (WHERE NOT is_seeder) AS leechers FROM peers`,
	"tracker.peer.by_info_hash_clause": `WHERE info_hash = @info_hash`,
	downQuery:                          `SELECT downloads FROM downloads WHERE info_hash = @info_hash`,
	incQuery: `INSERT INTO downloads VALUES (@info_hash, 1)
		ON CONFLICT (info_hash) DO UPDATE SET downloads = downloads.downloads + 1`,
	addQuery: `INSERT INTO kv VALUES (@context, @key, @value)
		ON CONFLICT (context, name) DO UPDATE SET value = excluded.value`,
	getQuery:                 `SELECT value FROM kv WHERE context = @context AND name = @key`,
	"tracker.data.del_query": `DELETE FROM kv WHERE context = @context AND name = ANY (@key)`,
	gcQuery:                  `DELETE FROM peers WHERE created <= @created`,
}

type queries = map[string]string

// sources returns the plain queries with replacements.
func sources(replaced queries, timeouts map[string]time.Duration) query.Sources {
	byKey := map[string]query.Source{}
	texts := maps.Clone(plain)
	maps.Copy(texts, replaced)
	for key, text := range texts {
		byKey[key] = query.Source{SQL: text, Timeout: timeouts[key]}
	}
	return query.Sources{ByKey: byKey}
}

// A stand is a pool with an executor over it, and a look behind the scenes.
type stand struct {
	t        testing.TB
	dsn      string
	pool     *database.Pool
	set      *query.Set
	executor *query.Executor
	seen     *seen
	behind   *behind
}

// A setup is how a stand differs from the ordinary.
type setup struct {
	dsn      string // of a database that is there already
	scripts  []string
	replaced queries
	timeouts map[string]time.Duration
	options  database.Options
	// connect is what the pool connects by instead of the DSN, pool its settings.
	connect, pool string
	unasked       bool // the statements are not described
}

// open makes a stand on a new database. What it holds is checked to have come back in the end.
func open(t testing.TB, with setup) *stand {
	t.Helper()
	s := &stand{t: t, dsn: with.dsn, seen: &seen{causes: map[string]int{}}}
	if s.dsn == "" {
		s.dsn = testdb.Database(t, append([]string{tables}, with.scripts...)...)
	}
	contract, err := storage.Contract()
	if err != nil {
		t.Fatal(err)
	}
	set, problems := query.CompileSet(contract, sources(with.replaced, with.timeouts))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	options := with.options
	options.ConnString = with.connect
	if options.ConnString == "" {
		options.ConnString = s.dsn
	}
	options.ConnString += " " + with.pool
	if options.Observer == nil {
		options.Observer = s.seen
	}
	if options.CallTimeout == 0 {
		options.CallTimeout = patience
	}
	if options.RetryFor == 0 {
		options.RetryFor = patience
	}
	if s.pool, err = database.Open(options); err != nil {
		t.Fatal(err)
	}
	s.set, s.executor = set, query.NewExecutor(contract, set, s.pool, options.Observer, nil)
	s.behind = newBehind(t, s.dsn)
	t.Cleanup(s.close)
	if !with.unasked {
		s.describe()
	}
	return s
}

// close checks that every connection came back, and closes the pool.
func (s *stand) close() {
	eventually(s.t, "the connections to come back", func() bool {
		requests, periodic := s.pool.Stat()
		return requests.AcquiredConns() == 0 && periodic.AcquiredConns() == 0
	})
	s.pool.Close()
}

func (s *stand) describe() {
	s.t.Helper()
	conn, err := s.pool.Connect(limited(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Release()
	for _, statement := range s.set.Statements() {
		problems, err := statement.Describe(limited(s.t), conn)
		if err = errors.Join(err, problems.Err()); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *stand) call(method string, request proto.Message) *query.Call {
	s.t.Helper()
	call, err := s.executor.Begin().Call(method, request)
	if err != nil {
		s.t.Fatal(err)
	}
	return call
}

// run sends calls as one group.
func (s *stand) run(ctx context.Context, calls ...*query.Call) error {
	flight := query.Calls(calls...)
	s.executor.Run(ctx, flight)
	return flight.Err()
}

func (s *stand) add(key, value string) *query.Call {
	s.t.Helper()
	return s.call(trackerv1.Operations_DataAdd_FullMethodName, &trackerv1.DataAddParameters{Context: "c", Key: []byte(key), Value: []byte(value)})
}

func (s *stand) get(key string) *query.Call {
	s.t.Helper()
	return s.call(trackerv1.Data_Load_FullMethodName, &trackerv1.LoadRequest{Context: "c", Key: []byte(key)})
}

func (s *stand) del(key string) *query.Call {
	s.t.Helper()
	return s.call(trackerv1.Data_Delete_FullMethodName, &trackerv1.DeleteRequest{Context: "c", Key: [][]byte{[]byte(key)}})
}

var hash = []byte(strings.Repeat("h", 20))

func (s *stand) inc() *query.Call {
	s.t.Helper()
	return s.call(trackerv1.Operations_DownloadsInc_FullMethodName, &trackerv1.DownloadsIncParameters{InfoHash: hash})
}

func (s *stand) downloads() *query.Call {
	s.t.Helper()
	return s.call(trackerv1.Operations_DownloadsGet_FullMethodName, &trackerv1.DownloadsGetParameters{InfoHash: hash})
}

func (s *stand) gc() *query.Call {
	s.t.Helper()
	return s.call(trackerv1.Operations_GC_FullMethodName, &trackerv1.GCParameters{Created: timestamppb.Now()})
}

func somePeer() *trackerv1.Peer {
	return &trackerv1.Peer{PeerId: []byte(strings.Repeat("p", 20)), Address: []byte{10, 0, 0, 1}, Port: 6881}
}

// value returns what a get or downloads call brought, as text; "" is nothing.
func value(c *query.Call) string {
	if !c.Found() {
		return ""
	}
	switch row := c.Rows[0].(type) {
	case *trackerv1.LoadResponse:
		return string(row.GetValue())
	case *trackerv1.Downloads:
		return strings.TrimSpace(row.String())
	}
	return "?"
}

// works checks that the pool can be used, by writing and reading.
func (s *stand) works() {
	s.t.Helper()
	add, get := s.add("works", "yes"), s.get("works")
	flight := query.Calls(add).Then(get)
	s.executor.Run(limited(s.t), flight)
	if err := flight.Err(); err != nil || value(get) != "yes" {
		s.t.Errorf("the pool does not work any more: %q, %v", value(get), err)
	}
}

// reads checks the same without writing.
func (s *stand) reads() {
	s.t.Helper()
	if err := s.run(limited(s.t), s.get("nothing")); err != nil {
		s.t.Errorf("the pool does not work any more: %v", err)
	}
}

// expectFault checks an error's reason.
func expectFault(t testing.TB, err error, want fault.Reason, parts ...string) {
	t.Helper()
	if got := fault.ReasonOf(err); got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

// seen is what an observer was told.
type seen struct {
	mu     sync.Mutex
	causes map[string]int
	done   int
}

func (o *seen) BadRow(*operation.Operation, string, string) {}
func (o *seen) Clamped(*operation.Operation, string)        {}
func (o *seen) RoundTrip(*operation.Operation)              {}

func (o *seen) Done(*query.Call, float64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done++
}

func (o *seen) Retried(_ *operation.Operation, cause string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.causes[cause]++
}

// retried returns how often calls were sent again, for one cause or for any.
func (o *seen) retried(cause string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if cause != "" {
		return o.causes[cause]
	}
	all := 0
	for _, n := range o.causes {
		all += n
	}
	return all
}

// A behind is a connection of the test's own, past the pool.
type behind struct {
	t    testing.TB
	mu   sync.Mutex
	conn *pgx.Conn
}

func newBehind(t testing.TB, dsn string) *behind {
	t.Helper()
	b := &behind{t: t, conn: testdb.Conn(t, dsn)}
	t.Cleanup(func() { _ = b.conn.Close(context.Background()) })
	return b
}

func (b *behind) exec(script string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.conn.PgConn().Exec(limited(b.t), script).ReadAll(); err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
}

// number returns a query's only value.
func (b *behind) number(sql string) (n int) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.conn.QueryRow(limited(b.t), sql).Scan(&n); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// numbers returns a query's values.
func (b *behind) numbers(sql string) []int {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	rows, err := b.conn.Query(limited(b.t), sql)
	if err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
	return all
}

// runs is how many attempts were made.
func (b *behind) runs() int {
	b.t.Helper()
	return b.number("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM runs")
}

// at counts the backends that wait inside of an operation's statement, for time to pass or a lock.
func (b *behind) at(key string) int {
	b.t.Helper()
	return b.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND wait_event IN ('PgSleep', 'advisory') AND query LIKE '/* " + key + " */%'")
}

// terminate ends the backends that are running an operation's statement.
func (b *behind) terminate(key string) {
	b.t.Helper()
	b.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '/* " + key + " */%'")
}

// backends are the process ids of all connections to the database but the test's own.
func (b *behind) backends() []int {
	b.t.Helper()
	return b.numbers("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'")
}

// terminateAll ends all backends but the test's own, and waits until their processes are gone: they
// leave the view before they close their sockets.
func (b *behind) terminateAll() {
	b.t.Helper()
	pids := b.backends()
	for _, pid := range pids {
		b.exec(fmt.Sprintf("SELECT pg_terminate_backend(%d)", pid))
	}
	for _, pid := range pids {
		eventually(b.t, "a backend to end", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
	}
}

// hold takes the advisory lock 1, for which statements can be made to wait; the function gives it
// back.
func (b *behind) hold() (release func()) {
	b.t.Helper()
	b.exec("SELECT pg_advisory_lock(1)")
	return func() { b.exec("SELECT pg_advisory_unlock(1)") }
}

// gate makes a query wait while the test holds the lock.
const gate = `(SELECT true FROM (SELECT pg_advisory_xact_lock_shared(1)) AS gate)`
