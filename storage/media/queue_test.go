package media_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/fault"
)

// A stopped clock is moved by hand.
type stopped struct {
	mu  sync.Mutex
	now time.Time
}

func stoppedClock() *stopped { return &stopped{now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *stopped) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stopped) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *stopped) option(o *storage.Options) { o.Clock = c.read }

// onEachSet runs a test on the default query set, and on the least that can be used: without optional
// queries, with ids that the database makes, and with unique keys that it refuses.
func onEachSet(t *testing.T, test func(t *testing.T, n *node, clock *stopped)) {
	least := func(t *testing.T, name string) string {
		text, err := os.ReadFile(filepath.Join("testdata", "waiting", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	t.Run("default", func(t *testing.T) {
		clock := stoppedClock()
		test(t, start(t, defaultTables(t), arrangement{options: clock.option}), clock)
	})
	t.Run("least", func(t *testing.T) {
		clock := stoppedClock()
		dsn := testdb.Database(t, least(t, "schema.sql"))
		test(t, start(t, dsn, arrangement{file: least(t, "queries.yaml"), options: clock.option, unheard: true}), clock)
	})
}

func (n *node) complete(job *mediav1.Job, by []byte, result mediav1.JobResult) *mediav1.CompleteResponse {
	n.t.Helper()
	response, err := n.jobs.Complete(within(n.t), &mediav1.CompleteRequest{Queue: "cleanup", Worker: by, JobId: job.GetId(), Result: result})
	if err != nil {
		n.t.Fatal(err)
	}
	return response
}

func (n *node) length() int64 {
	n.t.Helper()
	response, err := n.jobs.Length(within(n.t), &mediav1.LengthRequest{})
	if err != nil {
		n.t.Fatal(err)
	}
	return response.GetLength()
}

func TestJobsComeInOrderAndEnd(t *testing.T) {
	onEachSet(t, func(t *testing.T, n *node, clock *stopped) {
		for i := range 3 {
			n.push("cleanup", fmt.Sprint(i))
			clock.pass(time.Microsecond)
		}
		n.push("process", `"other"`)
		for i, result := range []mediav1.JobResult{mediav1.JobResult_SUCCESS, mediav1.JobResult_ABORTED, mediav1.JobResult_SUCCESS} {
			job := n.pop("cleanup", worker(1))
			if job.GetJob() != fmt.Sprint(i) {
				t.Errorf("job %d is %s", i, job.GetJob())
			}
			if wrong := n.complete(job, worker(2), result); wrong.GetHeld() {
				t.Error("a worker completed the job of another")
			}
			if response := n.complete(job, worker(1), result); !response.GetHeld() || response.AttemptsLeft != nil {
				t.Errorf("%s: %v", result, response)
			}
			if again := n.complete(job, worker(1), result); again.GetHeld() {
				t.Error("a job was completed twice")
			}
		}
		n.empty("cleanup")
		if n.length() != 1 {
			t.Error("completed jobs are still there, or the other queue's job is not")
		}
		for outcome, want := range map[string]float64{"success": 2, "aborted": 1, "lost": 6} {
			if got := n.metric("mortise_media_jobs_ended_total", "outcome", outcome); got != want {
				t.Errorf("%v jobs are counted as %s, want %v", got, outcome, want)
			}
		}
	})
}

// A job that fails is tried again when its heartbeat is stale, five times in all.
func TestAJobThatFailsIsTriedUntilItIsDropped(t *testing.T) {
	onEachSet(t, func(t *testing.T, n *node, clock *stopped) {
		n.push("cleanup", `1`)
		for left := int64(4); left >= 0; left-- {
			job := n.pop("cleanup", worker(1))
			response := n.complete(job, worker(1), mediav1.JobResult_FAILURE)
			if !response.GetHeld() || response.AttemptsLeft == nil || response.GetAttemptsLeft() != left {
				t.Fatalf("%v, want %d attempts left", response, left)
			}
			if again := n.complete(job, worker(1), mediav1.JobResult_FAILURE); again.GetHeld() || again.AttemptsLeft != nil {
				t.Errorf("a second failure of one attempt counts: %v", again)
			}
			clock.pass(2*time.Minute - time.Microsecond)
			n.empty("cleanup")
			clock.pass(time.Microsecond)
		}
		n.empty("cleanup")
		if n.length() != 0 {
			t.Error("the job was not dropped")
		}
	})
}

func TestTheJobOfADeadWorkerComesBack(t *testing.T) {
	onEachSet(t, func(t *testing.T, n *node, clock *stopped) {
		id := n.push("cleanup", `1`)
		dead := n.pop("cleanup", worker(1))
		clock.pass(time.Minute)
		heartbeat := func(by byte) int64 {
			response, err := n.jobs.Heartbeat(within(t), &mediav1.JobRequest{Queue: "cleanup", Worker: worker(by), JobId: dead.GetId()})
			if err != nil {
				t.Fatal(err)
			}
			return response.GetAffected()
		}
		if heartbeat(1) != 1 || heartbeat(2) != 0 {
			t.Error("a heartbeat counts for whoever does not hold the job, or not for the one who does")
		}
		clock.pass(2*time.Minute - time.Microsecond)
		n.empty("cleanup")
		clock.pass(time.Microsecond)
		again := n.pop("cleanup", worker(2))
		if !bytes.Equal(again.GetId(), dead.GetId()) {
			t.Errorf("another job came: %x, not %x", again.GetId(), id)
		}
		if heartbeat(1) != 0 || n.complete(dead, worker(1), mediav1.JobResult_SUCCESS).GetHeld() {
			t.Error("the worker that was thought dead still holds the job")
		}
		if response := n.complete(again, worker(2), mediav1.JobResult_FAILURE); response.GetAttemptsLeft() != 4 {
			t.Errorf("the death used up an attempt: %v", response)
		}
		if n.metric("mortise_media_jobs_requeued_total") != 1 {
			t.Error("it is not counted")
		}
	})
}

// A job that becomes free while somebody waits is found by the next look, whoever's it was.
func TestOneLookFreesTheJobsOfAllQueues(t *testing.T) {
	clock := stoppedClock()
	n := start(t, defaultTables(t), arrangement{options: clock.option})
	n.push("process", `1`)
	n.pop("process", worker(1))
	waiting := n.sleepers(within(t), "process", 1)
	clock.pass(2 * time.Minute)
	n.empty("cleanup")
	if got := next(t, waiting); got.err != nil {
		t.Error(got.err)
	}
}

func TestUniqueKeys(t *testing.T) {
	onEachSet(t, func(t *testing.T, n *node, clock *stopped) {
		push := func(queue, key string) bool {
			clock.pass(time.Microsecond) // or jobs come in any order
			response, err := n.jobs.Push(within(t), &mediav1.PushRequest{Job: &mediav1.NewJob{Queue: queue, Job: `1`, UniqueKey: &key}})
			if err != nil {
				t.Fatal(err)
			}
			if response.GetQueued() != (response.JobId != nil) {
				t.Errorf("queued and an id, or neither, are expected: %v", response)
			}
			return response.GetQueued()
		}
		if !push("cleanup", "k") || push("cleanup", "k") || push("process", "k") || !push("cleanup", "l") {
			t.Error("a key is taken that should be free, or free that is taken")
		}
		job := n.pop("cleanup", worker(1))
		if push("cleanup", "k") {
			t.Error("the key of a running job is free")
		}
		n.complete(job, worker(1), mediav1.JobResult_FAILURE)
		if push("cleanup", "k") {
			t.Error("the key of a failed job is free")
		}
		clock.pass(2 * time.Minute)
		job = n.pop("cleanup", worker(1))
		n.complete(job, worker(1), mediav1.JobResult_SUCCESS)
		if !push("cleanup", "k") {
			t.Error("the key of a job that is done is taken")
		}
		if n.metric("mortise_media_jobs_duplicate_total") != 4 || n.metric("mortise_media_jobs_pushed_total") != 3 {
			t.Error("the metrics count other jobs")
		}
	})
}

func TestPushMany(t *testing.T) {
	onEachSet(t, func(t *testing.T, n *node, _ *stopped) {
		jobs := func(keys ...string) *mediav1.PushManyRequest {
			r := &mediav1.PushManyRequest{}
			for i, key := range keys {
				job := &mediav1.NewJob{Queue: "cleanup", Job: fmt.Sprint(i)}
				if key != "" {
					job.UniqueKey = proto.String(key)
				}
				r.Jobs = append(r.Jobs, job)
			}
			return r
		}
		for _, c := range []struct {
			keys []string
			want string
		}{
			{nil, ""},
			{[]string{"", "a", ""}, "yyy"},
			{[]string{"", "a", "b", "b", "c"}, "ynyny"},
			{[]string{"a", "b"}, "nn"},
		} {
			response, err := n.jobs.PushMany(within(t), jobs(c.keys...))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, result := range response.GetResults() {
				got += map[bool]string{true: "y", false: "n"}[result.GetQueued()]
				if result.GetQueued() != (len(result.GetJobId()) == 16) {
					t.Errorf("a job that is queued has no id, or the other way round: %v", result)
				}
			}
			if got != c.want {
				t.Errorf("keys %q: queued %s, want %s", c.keys, got, c.want)
			}
		}
		if n.length() != 6 {
			t.Errorf("%d jobs are stored, want 6", n.length())
		}
		if response, err := n.jobs.PushMany(within(t), jobs(make([]string, 1000)...)); err != nil || len(response.GetResults()) != 1000 {
			t.Error(err)
		}
		_, err := n.jobs.PushMany(within(t), jobs(make([]string, 1001)...))
		refused(t, err, codes.InvalidArgument, fault.InvalidArgument)
	})
}

// What is wrong with one job keeps all of them from being stored.
func TestPushManyIsOneTransaction(t *testing.T) {
	dsn := defaultTables(t)
	testdb.Exec(t, dsn, `ALTER TABLE media_jobs ADD CHECK (job <> '13')`)
	n := start(t, dsn, arrangement{})
	r := &mediav1.PushManyRequest{Jobs: []*mediav1.NewJob{{Queue: "cleanup", Job: `12`}, {Queue: "cleanup", Job: `13`}, {Queue: "cleanup", Job: `14`}}}
	_, err := n.jobs.PushMany(within(t), r)
	refused(t, err, codes.FailedPrecondition, fault.Rejected)
	if n.length() != 0 {
		t.Error("some of the jobs were stored")
	}
}

// Ids grow with the time, and while it stands still.
func TestJobIDsAreInOrder(t *testing.T) {
	clock := stoppedClock()
	n := start(t, defaultTables(t), arrangement{options: clock.option})
	var last []byte
	for i := range 20 {
		id := n.push("cleanup", `1`)
		if id[6]>>4 != 7 || id[8]>>6 != 2 {
			t.Errorf("%x is no UUID of version 7", id)
		}
		if bytes.Compare(id, last) <= 0 {
			t.Errorf("%x comes after %x", id, last)
		}
		last = id
		if i > 10 {
			clock.pass(time.Millisecond)
		}
	}
}

func TestBadRequestsOfTheQueue(t *testing.T) {
	n := start(t, defaultTables(t), arrangement{})
	for name, call := range map[string]func() error{
		"push without a job": func() error { _, err := n.jobs.Push(within(t), &mediav1.PushRequest{}); return err },
		"one job of many missing": func() error {
			_, err := n.jobs.PushMany(within(t), &mediav1.PushManyRequest{Jobs: []*mediav1.NewJob{nil}})
			return err
		},
		"pop without a worker": func() error {
			_, err := n.jobs.Pop(within(t), &mediav1.PopRequest{Queue: "cleanup"})
			return err
		},
		"a worker that is no UUID": func() error {
			_, err := n.jobs.Pop(within(t), &mediav1.PopRequest{Queue: "cleanup", Worker: []byte("w")})
			return err
		},
		"an unknown result": func() error {
			_, err := n.jobs.Complete(within(t), &mediav1.CompleteRequest{Queue: "cleanup", Worker: worker(1), JobId: worker(2), Result: 7})
			return err
		},
		"next with an unknown result": func() error {
			_, err := n.jobs.Next(within(t), &mediav1.NextRequest{Queue: "cleanup", Worker: worker(1), JobId: worker(2), Result: 7})
			return err
		},
		"complete without a job": func() error {
			_, err := n.jobs.Complete(within(t), &mediav1.CompleteRequest{Queue: "cleanup", Worker: worker(1)})
			return err
		},
	} {
		if err := call(); fault.ReasonOf(err) != fault.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	n.waiting("media.queue", 0)
}

// Each job is handed out once, however many take them.
func TestManyWorkersManyJobs(t *testing.T) {
	const workers, jobs = 16, 500
	dsn := defaultTables(t)
	nodes := []*node{start(t, dsn, arrangement{}), start(t, dsn, arrangement{})}
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	taken := make(chan string, jobs)
	loops := begun(workers, func(i int) error {
		n, me := nodes[i%2], worker(byte(i))
		job, err := n.jobs.Pop(ctx, &mediav1.PopRequest{Queue: "cleanup", Worker: me})
		for err == nil {
			taken <- string(job.GetId())
			var response *mediav1.NextResponse
			response, err = n.jobs.Next(ctx, &mediav1.NextRequest{Queue: "cleanup", Worker: me, JobId: job.GetId()})
			if job = response.GetJob(); err == nil && job == nil {
				break // the end
			}
		}
		if ctx.Err() == nil {
			return err
		}
		return nil
	})
	for i := range jobs / 50 {
		r := &mediav1.PushManyRequest{}
		for range 50 {
			r.Jobs = append(r.Jobs, &mediav1.NewJob{Queue: "cleanup", Job: `{"some":"thing"}`})
		}
		if _, err := nodes[i%2].jobs.PushMany(within(t), r); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for range jobs {
		id := next(t, taken)
		if seen[id] {
			t.Errorf("job %x was handed out twice", id)
		}
		seen[id] = true
	}
	until(t, "all jobs to be completed", func() bool { return nodes[0].length() == 0 })
	cancel()
	for range workers {
		if err := next(t, loops); err != nil {
			t.Error(err)
		}
	}
}
