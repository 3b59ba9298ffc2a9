package media_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/fault"
)

// A popped is the answer to Pop.
type popped struct {
	job *mediav1.Job
	err error
}

// poppers has so many workers wait for a job.
func (n *node) poppers(ctx context.Context, queue string, workers int) <-chan popped {
	return begun(workers, func(i int) popped {
		job, err := n.jobs.Pop(ctx, &mediav1.PopRequest{Queue: queue, Worker: worker(byte(i))})
		return popped{job, err}
	})
}

// sleepers has workers wait, and returns when all have looked in vain.
func (n *node) sleepers(ctx context.Context, queue string, workers int) <-chan popped {
	n.t.Helper()
	answers := n.poppers(ctx, queue, workers)
	n.waiting("media.queue", workers)
	return answers
}

func silent(s *mediav1.SectionSettings) { s.Notifications = "off" }

func TestAPushWakesAWorkerOfItsProcess(t *testing.T) {
	n := start(t, defaultTables(t), arrangement{settings: silent, unheard: true})
	answers := n.sleepers(within(t), "cleanup", 1)
	id := n.push("cleanup", `{"k":1}`)
	got := next(t, answers)
	if got.err != nil || string(got.job.GetId()) != string(id) || got.job.GetRetry() != 5 {
		t.Errorf("got %v, %v", got.job, got.err)
	}
	if n.wakeups("media.queue", "local") != 1 {
		t.Error("the wake-up was not a local one")
	}
}

func TestANotificationWakesAWorkerOfAnotherProcess(t *testing.T) {
	dsn := defaultTables(t)
	here, there := start(t, dsn, arrangement{}), start(t, dsn, arrangement{})
	answers := here.sleepers(within(t), "cleanup", 1)
	id := there.push("cleanup", `"job"`)
	got := next(t, answers)
	if got.err != nil || string(got.job.GetId()) != string(id) || got.job.GetJob() != `"job"` {
		t.Errorf("got %v, %v", got.job, got.err)
	}
	if here.wakeups("media.queue", "notification") != 1 {
		t.Error("the wake-up was not a notification")
	}
}

// Workers of another queue, and more workers than there are jobs, stay asleep.
func TestOneNotificationWakesOneWorker(t *testing.T) {
	dsn := defaultTables(t)
	here, there := start(t, dsn, arrangement{}), start(t, dsn, arrangement{})
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	other := here.sleepers(ctx, "process", 1)
	answers := here.poppers(ctx, "cleanup", 3)
	here.waiting("media.queue", 4)
	for i := range 2 {
		there.push("cleanup", `"job"`)
		if got := next(t, answers); got.err != nil {
			t.Fatal(got.err)
		}
		if n := here.looks("queue.claim"); n != 5+i {
			t.Errorf("after %d pushes there were %d looks, want %d", i+1, n, 5+i)
		}
	}
	here.waiting("media.queue", 2)
	cancel()
	refused(t, next(t, answers).err, codes.Canceled, fault.Canceled)
	refused(t, next(t, other).err, codes.Canceled, fault.Canceled)
}

func TestConnectingAgainWakesEverybody(t *testing.T) {
	dsn := defaultTables(t)
	n := start(t, dsn, arrangement{})
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	answers := n.sleepers(ctx, "cleanup", 2)
	// A job that nobody is notified of, as if that had come while the listener was away.
	testdb.Exec(t, dsn, `INSERT INTO media_jobs (id, queue, job, retry, queue_time) VALUES (gen_random_uuid(), 'cleanup', '1', 5, now())`)
	testdb.Exec(t, dsn, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%LISTEN%' AND pid <> pg_backend_pid()`)
	if got := next(t, answers); got.err != nil {
		t.Fatal(got.err)
	}
	until(t, "the other to look again", func() bool { return n.looks("queue.claim") >= 4 })
	if n.wakeups("media.queue", "connected") < 2 || n.metric("mortise_listener_connects_total") != 2 {
		t.Error("it was not the new connection that woke them")
	}
	n.hears()
	there := start(t, dsn, arrangement{settings: silent, unheard: true})
	there.push("cleanup", `"job"`)
	if got := next(t, answers); got.err != nil {
		t.Error(got.err)
	}
}

func TestWithoutNotificationsWorkersLookNowAndThen(t *testing.T) {
	dsn := defaultTables(t)
	here := start(t, dsn, arrangement{unheard: true, settings: func(s *mediav1.SectionSettings) {
		s.Notifications, s.QueuePollInterval = "off", durationpb.New(5*time.Millisecond)
	}})
	there := start(t, dsn, arrangement{})
	answers := here.poppers(within(t), "cleanup", 1)
	until(t, "looks", func() bool { return here.looks("queue.claim") > 3 })
	there.push("cleanup", `"job"`)
	if got := next(t, answers); got.err != nil {
		t.Error(got.err)
	}
	if here.metric("mortise_listener_connects_total") != 0 {
		t.Error("a connection was opened to listen, with notifications off")
	}
}

// A hundred calls that wait share two connections, and keep none.
func TestWaitingHoldsNoConnection(t *testing.T) {
	const workers = 100
	n := start(t, defaultTables(t)+" pool_max_conns=2", arrangement{})
	answers := n.sleepers(within(t), "cleanup", workers)
	until(t, "all connections to be idle", func() bool {
		return n.metric("mortise_pool_connections_in_use", "pool", "requests") == 0
	})
	jobs := &mediav1.PushManyRequest{}
	for range workers {
		jobs.Jobs = append(jobs.Jobs, &mediav1.NewJob{Queue: "cleanup", Job: `1`})
	}
	if _, err := n.jobs.PushMany(within(t), jobs); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range workers {
		got := next(t, answers)
		if got.err != nil {
			t.Fatal(got.err)
		}
		seen[string(got.job.GetId())] = true
	}
	if len(seen) != workers {
		t.Errorf("%d different jobs were taken, want %d", len(seen), workers)
	}
}

func TestDrainEndsTheWaiting(t *testing.T) {
	n := start(t, defaultTables(t), arrangement{})
	answers := n.sleepers(within(t), "cleanup", 3)
	n.Drain()
	for range 3 {
		refused(t, next(t, answers).err, codes.Unavailable, fault.Unavailable)
	}
	n.push("cleanup", `1`) // other calls go on
	n.pop("cleanup", worker(1))
}

func TestReloadAppliesToThoseWhoWait(t *testing.T) {
	dsn := defaultTables(t)
	n := start(t, dsn, arrangement{settings: silent, unheard: true})
	answers := n.sleepers(within(t), "cleanup", 1)
	config := readFile(t, defaultFile())
	config.Connection = dsn
	config.Settings["media"].(*mediav1.SectionSettings).Notifications = "auto"
	if attempt := n.Reload(within(t), storage.Update{Config: config}); attempt.Outcome != storage.Applied {
		t.Fatal(attempt)
	}
	n.hears() // there was no listener before
	start(t, dsn, arrangement{settings: silent, unheard: true}).push("cleanup", `1`)
	if got := next(t, answers); got.err != nil {
		t.Error(got.err)
	}
}

// More workers than the database takes at once can wait, and all can be woken at once.
func TestACrowdThatIsWoken(t *testing.T) {
	const workers = 20
	dsn := defaultTables(t)
	n := start(t, dsn+" pool_max_conns=1", arrangement{settings: silent, unheard: true, config: func(c *storage.Config) { c.MaxWaiting = 1 }})
	answers := make(chan popped, workers)
	for i := range workers {
		go func() {
			job, err := n.jobs.Pop(within(t), &mediav1.PopRequest{Queue: "cleanup", Worker: worker(byte(i))})
			answers <- popped{job, err}
		}()
		n.waiting("media.queue", i+1)
	}
	testdb.Exec(t, dsn, `INSERT INTO media_jobs (id, queue, job, retry, queue_time) SELECT gen_random_uuid(), 'cleanup', '1', 5, now() FROM generate_series(1, 20)`)
	config := readFile(t, defaultFile())
	config.Connection, config.MaxWaiting = dsn+" pool_max_conns=1", 1
	if attempt := n.Reload(within(t), storage.Update{Config: config}); attempt.Outcome != storage.Applied {
		t.Fatal(attempt)
	}
	for range workers {
		if got := next(t, answers); got.err != nil {
			t.Error(got.err)
		}
	}
}

// Triggers name the queue or do not; some schemas have them instead of a query.
func TestTriggersNotify(t *testing.T) {
	for name, payload := range map[string]string{
		"id and queue": `NEW.id || ' ' || NEW.queue`, "the id alone": `NEW.id::text`, "nothing": `''`,
	} {
		t.Run(name, func(t *testing.T) {
			dsn := defaultTables(t)
			testdb.Exec(t, dsn, `CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
				$$ BEGIN PERFORM pg_notify('media_queue', `+payload+`); RETURN NEW; END $$;
				CREATE TRIGGER tell AFTER INSERT ON media_jobs FOR EACH ROW EXECUTE FUNCTION tell()`)
			without := arrangement{config: func(c *storage.Config) { delete(c.Sources.ByKey, "media.queue.notify_query") }}
			here, there := start(t, dsn, without), start(t, dsn, without)
			ctx, cancel := context.WithCancel(within(t))
			defer cancel()
			other := here.poppers(ctx, "process", 1)
			here.waiting("media.queue", 1)
			answers := here.poppers(ctx, "cleanup", 1)
			here.waiting("media.queue", 2)
			there.push("cleanup", `1`)
			if got := next(t, answers); got.err != nil {
				t.Error(got.err)
			}
			cancel()
			refused(t, next(t, other).err, codes.Canceled, fault.Canceled)
		})
	}
}
