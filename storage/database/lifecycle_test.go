package database_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/database/embedded"
	"github.com/mortise-storage/mortise/storage/fault"
)

// startServer starts a server of the test's own, in a folder that is there already or new ("").
func startServer(t *testing.T, folder string) (server *embedded.Server, at string) {
	t.Helper()
	if folder == "" {
		folder = scratchFolder(t)
	}
	server, err := embedded.Start(limited(t), embedded.Options{DataDir: filepath.Join(folder, "server")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopServer(t, server) })
	return server, folder
}

func stopServer(t *testing.T, server *embedded.Server) {
	t.Helper()
	if err := server.Stop(limited(t)); err != nil {
		t.Error(err)
	}
}

// openStorage opens a whole storage with the plain queries.
func openStorage(t *testing.T, dsn string) *storage.Storage {
	t.Helper()
	settings := &trackerv1.Settings{PeerLifetime: durationpb.New(time.Hour), GcInterval: durationpb.New(time.Hour), GcLimit: 1000,
		PrometheusReportingInterval: durationpb.New(0), CountOn: "completed", MetricsPrefix: "mochi"}
	s, err := storage.Open(limited(t), storage.Config{Connection: dsn, Sources: sources(nil, nil), RetryFor: 100 * time.Millisecond,
		Settings: map[string]proto.Message{"tracker": settings}}, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func putEntry(ctx context.Context, s *storage.Storage, key string) error {
	_, err := trackerv1.NewDataClient(s.Conn()).Put(ctx, &trackerv1.PutRequest{Context: "c",
		Entries: []*trackerv1.Entry{{Key: []byte(key), Value: []byte("v")}}})
	return err
}

func loadEntry(ctx context.Context, s *storage.Storage, key string) error {
	_, err := trackerv1.NewDataClient(s.Conn()).Load(ctx, &trackerv1.LoadRequest{Context: "c", Key: []byte(key)})
	return err
}

// health waits for a state, and returns the reason.
func health(t *testing.T, s *storage.Storage, want storage.State) (reason string) {
	t.Helper()
	eventually(t, fmt.Sprintf("state %v", want), func() bool {
		state, why := s.Health(limited(t))
		reason = why
		return state == want
	})
	return reason
}

func TestDatabaseComesAndGoes(t *testing.T) {
	server, folder := startServer(t, "")
	dsn := server.ConnString()
	testdb.Exec(t, dsn, tables)
	stopServer(t, server)

	s := openStorage(t, dsn)
	if reason := health(t, s, storage.Degraded); reason == "" {
		t.Error("nothing is said about why the storage is degraded")
	}
	expectFault(t, putEntry(limited(t), s, "too early"), fault.Unavailable)

	server, _ = startServer(t, folder)
	if problems, err := s.Settled(limited(t)); err != nil || problems.Err() != nil {
		t.Fatalf("problems %v, error %v", problems, err)
	}
	health(t, s, storage.Serving)
	if err := putEntry(limited(t), s, "first"); err != nil {
		t.Fatal(err)
	}

	stopServer(t, server)
	expectFault(t, putEntry(limited(t), s, "away"), fault.Unavailable, "no connection to the database")
	eventually(t, "the reason to be told", func() bool {
		return strings.Contains(health(t, s, storage.Degraded), "no connection") // an old connection dies first
	})

	server, _ = startServer(t, folder)
	health(t, s, storage.Serving)
	if err := errors.Join(putEntry(limited(t), s, "second"), loadEntry(limited(t), s, "first")); err != nil {
		t.Errorf("after the database came back: %v", err)
	}
	if err := server.Restart(limited(t)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(loadEntry(limited(t), s, "first"), loadEntry(limited(t), s, "second")); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	health(t, s, storage.Serving)
}

// No write that was acknowledged is lost when the server dies.
func TestCrashUnderWrites(t *testing.T) {
	const writers = 8
	server, _ := startServer(t, "")
	testdb.Exec(t, server.ConnString(), tables)
	s := openStorage(t, server.ConnString())
	if _, err := s.Settled(limited(t)); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var acknowledged []string
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged)
	}
	ctx, stop := context.WithCancel(limited(t))
	defer stop()
	done := later(func() []error {
		return together(writers, func(writer int) (failed error) {
			for i := 0; ctx.Err() == nil; i++ {
				key := fmt.Sprintf("%d.%d", writer, i)
				if err := putEntry(context.Background(), s, key); err != nil {
					failed = err
					continue
				}
				mu.Lock()
				acknowledged = append(acknowledged, key)
				mu.Unlock()
			}
			return failed
		})
	})
	eventually(t, "some writes", func() bool { return count() > 200 })
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	before := count()
	if err := server.Restart(limited(t)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "writes after the crash", func() bool { return count() > before+writers })
	stop()
	for _, err := range await(t, "the writers", done) {
		if err != nil && fault.ReasonOf(err) != fault.Unavailable {
			t.Errorf("a write failed otherwise: %v", err)
		}
	}
	for _, key := range acknowledged {
		if err := loadEntry(limited(t), s, key); err != nil {
			t.Fatalf("%s was acknowledged: %v", key, err)
		}
	}
}

// Retries are told in the metrics.
func TestRetriesAreCounted(t *testing.T) {
	dsn := testdb.Database(t, tables, `CREATE FUNCTION refuse_first() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF run() = 1 THEN PERFORM fail('40001'); END IF;
			RETURN new;
		END $$;
		CREATE TRIGGER refuse_first BEFORE INSERT ON kv FOR EACH ROW EXECUTE FUNCTION refuse_first();`)
	s := openStorage(t, dsn)
	if _, err := s.Settled(limited(t)); err != nil {
		t.Fatal(err)
	}
	if err := putEntry(limited(t), s, "k"); err != nil {
		t.Fatal(err)
	}
	families, err := s.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, family := range families {
		if family.GetName() != "mortise_tracker_op_retries_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			text := ""
			for _, label := range m.GetLabel() {
				text += label.GetName() + "=" + label.GetValue() + " "
			}
			told = append(told, fmt.Sprint(text, m.GetCounter().GetValue()))
		}
	}
	if got, want := strings.Join(told, "; "), "cause=40001 op=data.add 1"; got != want {
		t.Errorf("the metric says %q, want %q", got, want)
	}
}
