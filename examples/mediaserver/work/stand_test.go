package work_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/mortise-storage/mortise"
	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/examples/mediaserver/work"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
)

const (
	// patience is how long a condition is waited for. It is only used up by tests that fail.
	patience = time.Minute
	// staleAfter is by the stand's clock, which only tests move.
	staleAfter = 2 * time.Minute
	queueName  = "process"
)

// A stand is the storage on a real database, with a clock that stands still.
type stand struct {
	t     *testing.T
	dsn   string
	queue mediav1.QueueClient

	mu  sync.Mutex
	now time.Time
}

func open(t *testing.T) *stand {
	t.Helper()
	s := &stand{t: t, dsn: testdb.Database(t, mortise.Schema), now: time.Now().Truncate(time.Second)}
	file := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(file, []byte(mortise.ExampleQueries), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MORTISE_DATABASE", s.dsn)
	config, problems := mortise.Load(file)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	settings := config.Storage.Settings["media"].(*mediav1.SectionSettings)
	settings.QueueStaleAfter = durationpb.New(staleAfter)
	settings.QueuePollInterval = durationpb.New(20 * time.Millisecond)
	opened, err := storage.Open(context.Background(), config.Storage, storage.Options{Clock: s.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if problems, err = opened.Settled(ctx); err != nil || problems.Err() != nil {
		t.Fatal(err, problems)
	}
	s.queue = mediav1.NewQueueClient(opened.Conn())
	return s
}

func (s *stand) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// pass lets time pass.
func (s *stand) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// push stores jobs, numbers that are JSON strings.
func (s *stand) push(n int) {
	s.t.Helper()
	request := &mediav1.PushManyRequest{}
	for i := range n {
		request.Jobs = append(request.Jobs, &mediav1.NewJob{Queue: queueName, Job: fmt.Sprintf(`"%d"`, i)})
	}
	if _, err := s.queue.PushMany(s.t.Context(), request); err != nil {
		s.t.Fatal(err)
	}
}

// eventually waits for a condition.
func (s *stand) eventually(what string, condition func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			s.t.Fatalf("in vain waited that %s", what)
		case <-look.C:
		}
	}
}

// drained waits until no job is left.
func (s *stand) drained() {
	s.t.Helper()
	s.eventually("the queue is empty", func() bool { return s.count("true") == 0 })
}

// count counts the jobs for which a condition holds.
func (s *stand) count(condition string) int {
	s.t.Helper()
	conn := testdb.Conn(s.t, s.dsn)
	defer func() { _ = conn.Close(context.Background()) }()
	var n int
	if err := conn.QueryRow(context.Background(), "SELECT count(*) FROM media_jobs WHERE "+condition).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// A crew is workers in a process of their own, as far as the queue can tell.
type crew struct {
	s        *stand
	registry *prometheus.Registry
	cancel   context.CancelFunc
	ended    chan error
}

// start lets workers work until the test ends or they are stopped.
func (s *stand) start(o work.Options) *crew {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := &crew{s: s, registry: prometheus.NewRegistry(), cancel: cancel, ended: make(chan error, 1)}
	if o.Queue == nil {
		o.Queue = s.queue
	}
	if o.Loops == nil {
		o.Loops = map[string]int{queueName: 1}
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 10 * time.Millisecond
	}
	if o.Wait == 0 {
		// How a job ended is known when the next one is there, or at the end of this time.
		o.Wait = 500 * time.Millisecond
	}
	o.Metrics, o.Logger = work.NewMetrics(c.registry), slog.New(slog.DiscardHandler)
	go func() { c.ended <- work.Run(ctx, o) }()
	s.t.Cleanup(c.stop)
	return c
}

// stop tells the workers to stop and waits until they have.
func (c *crew) stop() {
	c.cancel()
	if err := <-c.ended; err != nil {
		c.s.t.Error(err)
	}
	c.ended <- nil // for a second call
}

// ends returns how many jobs ended in a way.
func (c *crew) ends(outcome string) int {
	c.s.t.Helper()
	families, err := c.registry.Gather()
	if err != nil {
		c.s.t.Fatal(err)
	}
	n := 0
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if family.GetName() == "mediaserver_jobs_total" && label.GetName() == "outcome" && label.GetValue() == outcome {
					n += int(metric.GetCounter().GetValue())
				}
			}
		}
	}
	return n
}

// runs counts how often each job was run.
type runs struct {
	mu     sync.Mutex
	counts map[string]int
}

func newRuns() *runs { return &runs{counts: map[string]int{}} }

func (r *runs) add(job []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[string(job)]++
}

func (r *runs) of(job string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[job]
}

// each reports jobs that were not run so often.
func (r *runs) each(t *testing.T, jobs, times int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.counts) != jobs {
		t.Errorf("%d jobs were run instead of %d", len(r.counts), jobs)
	}
	for job, n := range r.counts {
		if n != times {
			t.Errorf("job %s was run %d times instead of %d", job, n, times)
		}
	}
}

func someone() []byte {
	id := uuid.New()
	return id[:]
}
