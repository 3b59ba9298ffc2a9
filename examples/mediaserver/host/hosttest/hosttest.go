// Package hosttest gives tests a media host that is whole: a real PostgreSQL with the default tables and
// queries behind the storage, files in a temporary folder, and workers for its jobs. It is only for
// tests.
package hosttest

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

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"

	"github.com/mortise-storage/mortise"
	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/examples/mediaserver/files"
	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture/sample"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
)

// patience is how long a condition is waited for. It is only used up by tests that fail.
const patience = time.Minute

// A Stand is a repo and a file store, which any number of hosts may share.
type Stand struct {
	t     testing.TB
	Conn  grpc.ClientConnInterface
	Store *files.Store
	// DSN leads to the database, for what no host may do.
	DSN string
	// Close ends the storage before the test ends.
	Close func()
}

// Open makes a stand whose storage runs in the test's own process: the same handlers as in the plugin,
// without the way there. Replacements, old and new text in turn, change the operator's file.
func Open(t testing.TB, replacements ...string) *Stand {
	t.Helper()
	dsn := testdb.Database(t, mortise.Schema)
	t.Setenv("MORTISE_DATABASE", dsn)
	file := filepath.Join(t.TempDir(), "queries.yaml")
	text := strings.NewReplacer(replacements...).Replace(mortise.ExampleQueries)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config, problems := mortise.Load(file)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	config.Storage.Connection = dsn
	opened, err := storage.Open(context.Background(), config.Storage, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	problems, err = opened.Settled(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return On(t, opened.Conn(), dsn, opened.Close)
}

// On makes a stand on a connection to a storage that is there.
func On(t testing.TB, conn grpc.ClientConnInterface, dsn string, end func()) *Stand {
	t.Helper()
	store, err := files.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Stand{t: t, Conn: conn, Store: store, DSN: dsn, Close: end}
}

// Host makes a host on the stand. It logs nothing unless it is told to.
func (s *Stand) Host(o host.Options) *host.Host {
	s.t.Helper()
	return s.HostOn(s.Conn, o)
}

// HostOn makes a host whose way to the storage is another one.
func (s *Stand) HostOn(conn grpc.ClientConnInterface, o host.Options) *host.Host {
	s.t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h, err := host.New(conn, s.Store, o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(h.Close)
	return h
}

// Work has the host's jobs done, by one worker for each queue, until the test ends or stop is called,
// which returns when they have ended.
func (s *Stand) Work(h *host.Host) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	for _, queue := range []string{host.CleanupQueue, host.ProcessQueue} {
		workers.Go(func() { s.loop(ctx, h, queue) })
	}
	stop = func() {
		cancel()
		workers.Wait()
	}
	s.t.Cleanup(stop)
	return stop
}

// loop does jobs of one queue.
func (s *Stand) loop(ctx context.Context, h *host.Host, queue string) {
	jobs := mediav1.NewQueueClient(s.Conn)
	worker := uuid.New()
	for ctx.Err() == nil {
		job, err := jobs.Pop(ctx, &mediav1.PopRequest{Queue: queue, Worker: worker[:]})
		if err != nil {
			if ctx.Err() == nil {
				s.t.Errorf("taking a job of queue %s: %v", queue, err)
			}
			return
		}
		result := h.Run(ctx, queue, []byte(job.GetJob()))
		if ctx.Err() != nil {
			return
		}
		_, err = jobs.Complete(ctx, &mediav1.CompleteRequest{Queue: queue, Worker: worker[:], JobId: job.GetId(), Result: result})
		if err != nil && ctx.Err() == nil {
			s.t.Errorf("completing a job of queue %s: %v", queue, err)
		}
	}
}

// Drain waits until no job is left.
func (s *Stand) Drain() {
	s.t.Helper()
	s.Eventually("the queue is empty", func() bool { return s.Jobs() == 0 })
}

// Jobs counts the jobs of all queues.
func (s *Stand) Jobs() int64 {
	s.t.Helper()
	length, err := mediav1.NewQueueClient(s.Conn).Length(s.t.Context(), &mediav1.LengthRequest{})
	if err != nil {
		s.t.Fatal(err)
	}
	return length.GetLength()
}

// A Job is one that was pushed.
type Job struct{ Queue, Payload string }

// Take takes all jobs out of the queues, in order, past every rule of theirs.
func (s *Stand) Take() []Job {
	s.t.Helper()
	conn := testdb.Conn(s.t, s.DSN)
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(context.Background(), `WITH taken AS (DELETE FROM media_jobs RETURNING queue_time, id, queue, job::text)
		SELECT queue, job FROM taken ORDER BY queue_time, id`)
	if err != nil {
		s.t.Fatal(err)
	}
	jobs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Job])
	if err != nil {
		s.t.Fatal(err)
	}
	return jobs
}

// Eventually waits for a condition, and fails the test if it does not come true.
func (s *Stand) Eventually(what string, condition func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			s.t.Fatalf("in vain waited that %s", what)
		case <-look.C:
		}
	}
}

// Files lists the identifiers of all stored files.
func (s *Stand) Files() []string {
	s.t.Helper()
	var all []string
	for identifier, err := range s.Store.Identifiers() {
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, identifier)
	}
	return all
}

// Count returns the number that a query of the database gives.
func (s *Stand) Count(query string, arguments ...any) int {
	s.t.Helper()
	conn := testdb.Conn(s.t, s.DSN)
	defer func() { _ = conn.Close(context.Background()) }()
	var n int
	if err := conn.QueryRow(context.Background(), query, arguments...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// Exec changes the database behind the host's back.
func (s *Stand) Exec(statement string) {
	s.t.Helper()
	testdb.Exec(s.t, s.DSN, statement)
}

// Empty checks that nothing is left of any file: no row, no file, no job.
func (s *Stand) Empty() {
	s.t.Helper()
	if files := s.Files(); len(files) > 0 {
		s.t.Errorf("files are left: %v", files)
	}
	for _, table := range []string{"media_hashes", "media_aliases", "media_variants", "media_details", "media_proxies",
		"media_uploads", "media_variant_claims", "media_jobs"} {
		if n := s.Count("SELECT count(*) FROM " + table); n > 0 {
			s.t.Errorf("%d rows are left in %s", n, table)
		}
	}
}

// PNG paints a picture; each seed gives another one.
func PNG(t testing.TB, seed uint64, width, height int) []byte {
	t.Helper()
	return Sample(t, sample.PNG, seed, width, height)
}

// Sample paints a picture of a kind.
func Sample(t testing.TB, kind sample.Kind, seed uint64, width, height int) []byte {
	t.Helper()
	file, err := sample.Sample(kind, seed, width, height)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(file)
}
