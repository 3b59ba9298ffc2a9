package tracker_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/tracker"
)

const tables = `
CREATE TABLE peers (info_hash bytea, peer_id bytea, address inet, port int4, is_seeder bool, created timestamptz,
	PRIMARY KEY (info_hash, peer_id, address, port));
CREATE TABLE downloads (info_hash bytea PRIMARY KEY, downloads int8 NOT NULL);
CREATE SEQUENCE runs;
CREATE SEQUENCE collisions;
-- run counts a run, whether it is rolled back or not, and returns its number.
CREATE FUNCTION run() RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT nextval('runs') $$;
-- broken fails in runs up to the given one.
CREATE FUNCTION broken(upto int) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
	IF run() <= upto THEN RAISE EXCEPTION 'raised on purpose' USING ERRCODE = '22023'; END IF;
	RETURN false;
END $$;
CREATE TABLE switch (fails bool);
INSERT INTO switch VALUES (false);
-- Three seeders and two leechers, of two info hashes, whom nobody has heard of for long.
INSERT INTO peers SELECT convert_to(repeat(CASE WHEN i < 3 THEN 'h' ELSE 'g' END, 20), 'UTF8'), convert_to(repeat('p', 20), 'UTF8'),
	'10.0.0.1', i, i <= 3, '2000-01-01' FROM generate_series(1, 5) AS i;
`

const (
	gcQuery        = "tracker.gc_query"
	countQuery     = "tracker.peer.count_query"
	hashesQuery    = "tracker.info_hash_count_query"
	graduateQuery  = "tracker.peer.graduate_query"
	gcChunks       = `DELETE FROM peers WHERE ctid = ANY (ARRAY(SELECT ctid FROM peers WHERE created <= @created LIMIT @limit::bigint))`
	countPeers     = `SELECT count(*) FILTER (WHERE is_seeder) AS seeders, count(*) FILTER (WHERE NOT is_seeder) AS leechers FROM peers`
	countHashes    = `SELECT count(DISTINCT info_hash) FROM peers`
	graduatePlain  = `UPDATE peers SET is_seeder = true WHERE info_hash = @info_hash AND peer_id = @peer_id AND address = @address AND port = @port AND NOT is_seeder`
	deletedTotal   = "mortise_tracker_gc_deleted_total"
	errorsTotal    = "mortise_tracker_gc_errors_total"
	skippedTotal   = "mortise_tracker_stats_skipped_total"
	seedersGauge   = "mochi_storage_seeders_count"
	leechersGauge  = "mochi_storage_leechers_count"
	hashesGauge    = "mochi_storage_infohashes_count"
	durationsGauge = "mochi_storage_gc_duration_milliseconds"
)

type queries = map[string]string

var plain = queries{
	"tracker.announce.query": `SELECT peer_id, address, port FROM peers WHERE info_hash = @info_hash AND is_seeder = @is_seeder LIMIT @count::bigint`,
	"tracker.peer.add_query": `INSERT INTO peers VALUES (@info_hash, @peer_id, @address, @port, @is_seeder, @created)
		ON CONFLICT (info_hash, peer_id, address, port) DO UPDATE SET is_seeder = excluded.is_seeder, created = excluded.created`,
	"tracker.peer.del_query":           `DELETE FROM peers WHERE info_hash = @info_hash AND peer_id = @peer_id AND address = @address AND port = @port AND is_seeder = @is_seeder`,
	graduateQuery:                      graduatePlain,
	countQuery:                         countPeers,
	"tracker.peer.by_info_hash_clause": `WHERE info_hash = @info_hash`,
	"tracker.downloads.inc_query":      `INSERT INTO downloads VALUES (@info_hash, 1) ON CONFLICT (info_hash) DO UPDATE SET downloads = downloads.downloads + 1`,
}

// A stand is a service over a database of its own.
type stand struct {
	t        testing.TB
	contract *operation.Contract
	executor *query.Executor
	settings *trackerv1.Settings
	service  *tracker.Service
	pool     *database.Pool
	registry *prometheus.Registry
	conn     *pgx.Conn // past the service
}

// A setup is how a stand differs from the ordinary, in which no work runs by itself within the test.
type setup struct {
	more     queries
	settings func(*trackerv1.Settings)
}

func open(t testing.TB, with setup) *stand {
	t.Helper()
	dsn := testdb.Database(t, tables)
	contract, err := operation.Load(trackerv1.File_mortise_tracker_v1_tracker_proto)
	if err != nil {
		t.Fatal(err)
	}
	settings := &trackerv1.Settings{PeerLifetime: durationpb.New(time.Hour), GcInterval: durationpb.New(time.Hour), GcLimit: 1000,
		PrometheusReportingInterval: durationpb.New(time.Hour), CountOn: "completed", MetricsPrefix: "mochi"}
	if with.settings != nil {
		with.settings(settings)
	}
	set := compile(t, contract, with.more, settings)
	s := &stand{t: t, registry: prometheus.NewRegistry(), conn: testdb.Conn(t, dsn)}
	t.Cleanup(func() { _ = s.conn.Close(context.Background()) })
	if s.pool, err = database.Open(database.Options{ConnString: dsn}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.pool.Close)
	describe(t, s.pool, set)
	s.contract, s.executor, s.settings = contract, query.NewExecutor(contract, set, s.pool, nil, nil), settings
	s.service = tracker.New(s.executor, settings, slog.New(slog.DiscardHandler), s.registry)
	t.Cleanup(s.service.Close)
	return s
}

// compile makes a set of the ordinary queries and more.
func compile(t testing.TB, contract *operation.Contract, more queries, settings *trackerv1.Settings) *query.Set {
	t.Helper()
	texts := maps.Clone(plain)
	maps.Copy(texts, more)
	byKey := map[string]query.Source{}
	for key, text := range texts {
		byKey[key] = query.Source{SQL: text}
	}
	set, problems := query.CompileSet(contract, query.Sources{ByKey: byKey, Settings: map[string]proto.Message{tracker.Section: settings}})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

// reload puts other queries and settings into effect, as the storage does it.
func (s *stand) reload(more queries, change func(*trackerv1.Settings)) {
	s.t.Helper()
	settings := proto.Clone(s.settings).(*trackerv1.Settings)
	if change != nil {
		change(settings)
	}
	set := compile(s.t, s.contract, more, settings)
	describe(s.t, s.pool, set)
	s.executor.Use(set)
	s.service.Reloaded()
}

func describe(t testing.TB, pool *database.Pool, set *query.Set) {
	t.Helper()
	conn, err := pool.Connect(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, statement := range set.Statements() {
		problems, err := statement.Describe(limited(t), conn)
		if err = errors.Join(err, problems.Err()); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *stand) exec(script string) {
	s.t.Helper()
	if _, err := s.conn.PgConn().Exec(limited(s.t), script).ReadAll(); err != nil {
		s.t.Fatalf("%s: %v", script, err)
	}
}

// number returns a query's only value.
func (s *stand) number(sql string) (n int) {
	s.t.Helper()
	if err := s.conn.QueryRow(limited(s.t), sql).Scan(&n); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func (s *stand) runs() int {
	s.t.Helper()
	return s.number("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM runs")
}

func (s *stand) peers() int {
	s.t.Helper()
	return s.number("SELECT count(*) FROM peers")
}

// metric returns a metric without labels, or nil.
func (s *stand) metric(name string) *dto.Metric {
	s.t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0]
		}
	}
	return nil
}

// level is the value of a gauge or counter; -1 if it is not there.
func (s *stand) level(name string) float64 {
	s.t.Helper()
	m := s.metric(name)
	switch {
	case m == nil:
		return -1
	case m.Counter != nil:
		return m.Counter.GetValue()
	}
	return m.Gauge.GetValue()
}

func every(interval time.Duration, limit int64) func(*trackerv1.Settings) {
	return func(s *trackerv1.Settings) {
		s.GcInterval, s.PrometheusReportingInterval, s.GcLimit = durationpb.New(interval), durationpb.New(interval), limit
	}
}
