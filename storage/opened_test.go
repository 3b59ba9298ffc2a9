package storage_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/problem"
)

// An opened is a storage on a real database, with its clients, and what can be seen of it from outside.
type opened struct {
	*storage.Storage
	swarms   trackerv1.SwarmsClient
	data     trackerv1.DataClient
	database trackerv1.DatabaseClient
	wire     *wire
	log      *logbook
	file     string // the text of the operator's file
	problems problem.List
}

// open opens a storage with an operator's file, and waits until the database has described the
// queries. It is closed when the test ends.
func open(t testing.TB, dsn, file string, change ...func(*storage.Options)) *opened {
	t.Helper()
	config, problems := load(t, file)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	o := &opened{wire: &wire{}, log: &logbook{}, file: file}
	options := storage.Options{Logger: slog.New(slog.NewTextHandler(o.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Quiet: true}
	options.Database.Dial = o.wire.dial
	for _, c := range change {
		c(&options)
	}
	config.Storage.Connection = dsn
	var err error
	if o.Storage, err = storage.Open(t.Context(), config.Storage, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if o.problems, err = o.Settled(ctx); err != nil {
		t.Fatal(err)
	}
	o.swarms = trackerv1.NewSwarmsClient(o.Conn())
	o.data = trackerv1.NewDataClient(o.Conn())
	o.database = trackerv1.NewDatabaseClient(o.Conn())
	return o
}

// serve opens a storage that must have nothing to complain about.
func serve(t testing.TB, dsn string, set querySet, change ...func(*storage.Options)) *opened {
	t.Helper()
	o := open(t, dsn, set.yaml(), change...)
	if err := o.problems.Err(); err != nil {
		t.Fatal(err)
	}
	return o
}

func load(t testing.TB, file string) (*mortise.Config, problem.List) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return mortise.Load(path)
}

func at(moment *time.Time) func(*storage.Options) {
	return func(o *storage.Options) { o.Clock = func() time.Time { return *moment } }
}

// read returns a repository's file.
func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// metric returns the value of a counter, summed over what its other labels may be.
func (o *opened) metric(t testing.TB, name string, labels ...string) float64 {
	t.Helper()
	families, err := o.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			match := 0
			for _, pair := range m.GetLabel() {
				for i := 0; i < len(labels); i += 2 {
					if pair.GetName() == labels[i] && pair.GetValue() == labels[i+1] {
						match++
					}
				}
			}
			if match == len(labels)/2 {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
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

// selected returns the only row of a statement as text: columns joined by a bar, NULL as a dash.
func selected(t testing.TB, dsn, sql string) string {
	t.Helper()
	conn := testdb.Conn(t, dsn)
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
	return strings.Join(lines, "\n")
}

// expect checks code and reason of an error.
func expect(t testing.TB, err error, code codes.Code, reason fault.Reason) {
	t.Helper()
	if status.Code(err) != code || fault.ReasonOf(err) != reason {
		t.Errorf("got %s %q (%v); expected %s %q", status.Code(err), fault.ReasonOf(err), err, code, reason)
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
