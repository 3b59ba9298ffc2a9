package media_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/mortise-storage/mortise"
	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/fault"
)

// soon bounds every wait of these tests; it is no expectation of how long things take.
const soon = time.Minute

// A node is a storage as one process of several on a database would have it, with its listener.
type node struct {
	*storage.Storage
	t        testing.TB
	dsn      string
	repo     mediav1.RepoClient
	hashes   mediav1.HashesClient
	jobs     mediav1.QueueClient
	uploads  mediav1.UploadsClient
	variants mediav1.VariantsClient
	log      *nodeLog
}

// An arrangement is how a node differs from the ordinary, which is the default query set with poll
// intervals so long that nobody is found by looking.
type arrangement struct {
	file     string // the operator's file; empty is the default query set
	settings func(*mediav1.SectionSettings)
	config   func(*storage.Config)
	options  func(*storage.Options)
	unheard  bool // notifications are not expected to arrive
}

// start starts a node.
func start(t testing.TB, dsn string, as arrangement) *node {
	t.Helper()
	n := &node{t: t, dsn: dsn, log: &nodeLog{}}
	file := as.file
	if file == "" {
		file = defaultFile()
	}
	config := readFile(t, file)
	config.Connection = dsn
	settings := config.Settings["media"].(*mediav1.SectionSettings)
	for _, interval := range []**durationpb.Duration{&settings.QueuePollInterval, &settings.UploadsPollInterval, &settings.VariantsPollInterval} {
		*interval = durationpb.New(time.Hour)
	}
	if as.settings != nil {
		as.settings(settings)
	}
	if as.config != nil {
		as.config(&config)
	}
	options := storage.Options{Logger: slog.New(slog.NewTextHandler(n.log, nil))}
	if as.options != nil {
		as.options(&options)
	}
	var err error
	if n.Storage, err = storage.Open(t.Context(), config, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	problems, err := n.Settled(within(t))
	if err != nil || problems.Err() != nil {
		t.Fatal(err, problems)
	}
	n.repo, n.hashes = mediav1.NewRepoClient(n.Conn()), mediav1.NewHashesClient(n.Conn())
	n.jobs, n.uploads, n.variants = mediav1.NewQueueClient(n.Conn()), mediav1.NewUploadsClient(n.Conn()), mediav1.NewVariantsClient(n.Conn())
	if !as.unheard && !options.Quiet {
		n.hears()
	}
	return n
}

// hears waits until notifications arrive.
func (n *node) hears() {
	n.t.Helper()
	until(n.t, "notifications to arrive", func() bool {
		capabilities, err := n.repo.Capabilities(within(n.t), &mediav1.CapabilitiesRequest{})
		return err == nil && capabilities.GetNotified()
	})
}

// readFile reads an operator's file that must be in order.
func readFile(t testing.TB, text string) storage.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config, problems := mortise.Load(path)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return config.Storage
}

// defaultTables is a database with the default schema.
func defaultTables(t testing.TB) string {
	t.Helper()
	return testdb.Database(t, mortise.Schema)
}

// within is a context that ends a test that hangs.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	t.Cleanup(cancel)
	return ctx
}

// until waits until the condition holds.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx := within(t)
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("in vain waited for: %s", what)
		case <-ticker.C:
		}
	}
}

// metric is the sum of a metric's values over the labels that are not given.
func (n *node) metric(name string, labels ...string) (sum float64) {
	n.t.Helper()
	return metricOf(n.t, n.Gatherer(), name, labels...)
}

func metricOf(t testing.TB, gatherer prometheus.Gatherer, name string, labels ...string) (sum float64) {
	t.Helper()
	families, err := gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		found = true
		for _, m := range family.GetMetric() {
			if matches(m, labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	if !found {
		t.Fatalf("there is no metric %s", name)
	}
	return sum
}

func matches(m *dto.Metric, labels []string) bool {
	for i := 0; i < len(labels); i += 2 {
		there := false
		for _, pair := range m.GetLabel() {
			there = there || pair.GetName() == labels[i] && pair.GetValue() == labels[i+1]
		}
		if !there {
			return false
		}
	}
	return true
}

// looks is how often an operation ran to its end.
func (n *node) looks(operation string) int {
	n.t.Helper()
	return int(n.metric("mortise_media_op_seconds", "op", operation))
}

// waiting waits until so many calls wait on a topic.
func (n *node) waiting(topic string, calls int) {
	n.t.Helper()
	until(n.t, "calls that wait", func() bool { return n.metric("mortise_waiters", "topic", topic) == float64(calls) })
}

// wakeups is how often calls that wait were made to look again.
func (n *node) wakeups(topic, cause string) int {
	n.t.Helper()
	return int(n.metric("mortise_wakeups_total", "topic", topic, "cause", cause))
}

// push pushes a job and returns its id.
func (n *node) push(queue, job string) []byte {
	n.t.Helper()
	response, err := n.jobs.Push(within(n.t), &mediav1.PushRequest{Job: &mediav1.NewJob{Queue: queue, Job: job}})
	if err != nil || !response.GetQueued() || len(response.GetJobId()) != 16 {
		n.t.Fatalf("push: %v, %v", response, err)
	}
	return response.GetJobId()
}

// pop takes a job that must come.
func (n *node) pop(queue string, worker []byte) *mediav1.Job {
	n.t.Helper()
	job, err := n.jobs.Pop(within(n.t), &mediav1.PopRequest{Queue: queue, Worker: worker})
	if err != nil {
		n.t.Fatal(err)
	}
	return job
}

// empty says that there is nothing to pop.
func (n *node) empty(queue string) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	job, err := n.jobs.Pop(ctx, &mediav1.PopRequest{Queue: queue, Worker: worker(99)})
	if fault.ReasonOf(err) != fault.Timeout || status.Code(err) != codes.DeadlineExceeded {
		n.t.Errorf("there should be no job, but pop returns %v, %v", job, err)
	}
}

// worker is the id of a worker.
func worker(i byte) []byte {
	id := make([]byte, 16)
	id[15] = i
	return id
}

// refused checks code and reason of an error.
func refused(t testing.TB, err error, code codes.Code, reason fault.Reason) {
	t.Helper()
	if status.Code(err) != code || fault.ReasonOf(err) != reason {
		t.Errorf("got %s %q (%v); expected %s %q", status.Code(err), fault.ReasonOf(err), err, code, reason)
	}
}

// begun runs calls side by side and returns what they answer, in the order in which they do.
func begun[T any](calls int, call func(i int) T) <-chan T {
	answers := make(chan T, calls)
	for i := range calls {
		go func() { answers <- call(i) }()
	}
	return answers
}

// next is the next answer.
func next[T any](t testing.TB, answers <-chan T) T {
	t.Helper()
	select {
	case answer := <-answers:
		return answer
	case <-within(t).Done():
		t.Fatal("no answer comes")
	}
	panic("unreachable")
}

// A nodeLog keeps what a node logs.
type nodeLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *nodeLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *nodeLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// defaultFile is the default query set. Its channels are those that stand behind LISTEN.
func defaultFile() string {
	return strings.ReplaceAll(mortise.ExampleQueries, "listen_channel:", "# listen_channel:")
}

// numberOf is a query's only value.
func numberOf(t testing.TB, dsn, sql string) (n int) {
	t.Helper()
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(context.Background()) }()
	if err := conn.QueryRow(within(t), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
