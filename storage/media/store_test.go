package media_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"gopkg.in/yaml.v3"

	"github.com/mortise-storage/mortise"
	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/fault"
)

// A querySet is an operator's file, with the tables that it is written for.
type querySet struct {
	document map[string]any
	schema   string
}

func readSet(t testing.TB, queries, schema string) querySet {
	t.Helper()
	set := querySet{schema: fileText(t, schema)}
	if err := yaml.Unmarshal([]byte(fileText(t, queries)), &set.document); err != nil {
		t.Fatal(err)
	}
	return set
}

// full is the set of this package's tests, with all optional operations that make round trips fewer.
func full(t testing.TB) querySet { return readSet(t, "testdata/queries.yaml", "testdata/schema.sql") }

// bare is the same set with required operations only.
func bare(t testing.TB) querySet {
	return full(t).without("health.check_query", "hashes.get_query", "hashes.page_by_hash_query", "hashes.prev_by_hash_query",
		"hashes.describe_query", "aliases.resolve_query", "aliases.siblings_query", "aliases.remove_query", "variants.resolve_query",
		"variants.remove_all_query", "queue.notify_query", "proxies.resolve_query", "variant_access.contains_query").
		with("hashes.cleanup_query", "WITH v AS (DELETE FROM variants WHERE hash = @hash)\nDELETE FROM hashes WHERE hash = @hash")
}

// raising is the same set with queries that leave it to the database to refuse what is there already.
func raising(t testing.TB) querySet {
	set := full(t)
	for name, group := range set.document["media"].(map[string]any) {
		for key, text := range group.(map[string]any) {
			if plain, _, found := strings.Cut(text.(string), "ON CONFLICT"); found && strings.Contains(text.(string), "DO NOTHING") {
				if strings.Contains(text.(string), "RETURNING id") {
					plain += "RETURNING id"
				}
				set = set.with(name+"."+key, plain)
			}
		}
	}
	return set
}

// with returns the set with other texts or settings: key, text, key, text.
func (q querySet) with(keysAndTexts ...string) querySet {
	section := maps.Clone(q.document["media"].(map[string]any))
	for i := 0; i < len(keysAndTexts); i += 2 {
		group, key, _ := strings.Cut(keysAndTexts[i], ".")
		changed := maps.Clone(section[group].(map[string]any))
		changed[key] = keysAndTexts[i+1]
		section[group] = changed
	}
	return q.of(section)
}

// without returns the set without keys or whole groups.
func (q querySet) without(keys ...string) querySet {
	section := maps.Clone(q.document["media"].(map[string]any))
	for _, name := range keys {
		group, key, isKey := strings.Cut(name, ".")
		if !isKey {
			delete(section, group)
			continue
		}
		changed := maps.Clone(section[group].(map[string]any))
		delete(changed, key)
		section[group] = changed
	}
	return q.of(section)
}

// has says whether the set gives a key.
func (q querySet) has(name string) bool {
	group, key, _ := strings.Cut(name, ".")
	keys, _ := q.document["media"].(map[string]any)[group].(map[string]any)
	return keys[key] != nil
}

func (q querySet) of(section map[string]any) querySet {
	document := maps.Clone(q.document)
	document["media"] = section
	return querySet{document: document, schema: q.schema}
}

// A store is a storage on a database of its own, with its clients, and what can be seen from outside.
type store struct {
	*storage.Storage
	dsn  string
	wire *wire
	log  *logbook

	repo       mediav1.RepoClient
	hashes     mediav1.HashesClient
	aliases    mediav1.AliasesClient
	variants   mediav1.VariantsClient
	details    mediav1.DetailsClient
	uploads    mediav1.UploadsClient
	proxies    mediav1.ProxiesClient
	access     mediav1.AccessClient
	migrations mediav1.StoreMigrationClient
}

// open opens a storage that must have nothing to complain about. It is closed when the test ends.
func open(t testing.TB, set querySet, scripts ...string) *store {
	t.Helper()
	return openAt(t, testdb.Database(t, append([]string{set.schema}, scripts...)...), set)
}

// openAt opens one on a database that is there. more are parameters of the connection pool.
func openAt(t testing.TB, dsn string, set querySet, more ...string) *store {
	t.Helper()
	s := &store{dsn: dsn, wire: &wire{}, log: &logbook{}}
	config := load(t, set)
	config.Connection = strings.Join(append([]string{s.dsn}, more...), " ")
	options := storage.Options{Logger: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Quiet: true}
	options.Database.Dial = s.wire.dial
	var err error
	if s.Storage, err = storage.Open(t.Context(), config, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	problems, err := s.Settled(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	conn := s.Conn()
	s.repo, s.hashes, s.aliases = mediav1.NewRepoClient(conn), mediav1.NewHashesClient(conn), mediav1.NewAliasesClient(conn)
	s.variants, s.details, s.uploads = mediav1.NewVariantsClient(conn), mediav1.NewDetailsClient(conn), mediav1.NewUploadsClient(conn)
	s.proxies, s.access, s.migrations = mediav1.NewProxiesClient(conn), mediav1.NewAccessClient(conn), mediav1.NewStoreMigrationClient(conn)
	return s
}

// load writes the set as an operator's file and reads it again.
func load(t testing.TB, set querySet) storage.Config {
	t.Helper()
	text, err := yaml.Marshal(set.document)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	config, problems := mortise.Load(path)
	if err := problems.Err(); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return config.Storage
}

func fileText(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// selected returns the rows of a statement as text: columns joined by a bar, NULL as a dash, rows by
// spaces.
func (s *store) selected(t testing.TB, sql string) string {
	t.Helper()
	conn := testdb.Conn(t, s.dsn)
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(context.Background(), sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var cells []string
		for _, raw := range rows.RawValues() {
			cell := "-"
			if raw != nil {
				cell = string(raw)
			}
			cells = append(cells, cell)
		}
		lines = append(lines, strings.Join(cells, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%v in %s", err, sql)
	}
	return strings.Join(lines, " ")
}

func (s *store) exec(t testing.TB, script string) { t.Helper(); testdb.Exec(t, s.dsn, script) }

// shows compares what a statement finds.
func (s *store) shows(t testing.TB, sql, want string) {
	t.Helper()
	if got := s.selected(t, sql); got != want {
		t.Errorf("%s: %q; expected %q", sql, got, want)
	}
}

// A logbook keeps what was logged.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// expect checks code and reason of an error, and the operation that it names, unless that is empty.
func expect(t testing.TB, err error, code codes.Code, reason fault.Reason, operation string) {
	t.Helper()
	if status.Code(err) != code || fault.ReasonOf(err) != reason || operation != "" && fault.OperationOf(err) != operation {
		t.Errorf("got %s %q of %q (%v); expected %s %q of %q", status.Code(err), fault.ReasonOf(err), fault.OperationOf(err), err, code, reason, operation)
	}
}

// ok ends the test if a step failed.
func ok[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(response T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
}
