package media_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/fault"
)

// asked calls Next for a job that is done.
func (n *node) asked(ctx context.Context, done *mediav1.Job, result mediav1.JobResult) (*mediav1.NextResponse, error) {
	return n.jobs.Next(ctx, &mediav1.NextRequest{Queue: "cleanup", Worker: worker(1), JobId: done.GetId(), Result: result})
}

func TestNextCompletesAndTakes(t *testing.T) {
	onEachSet(t, func(t *testing.T, n *node, clock *stopped) {
		n.push("cleanup", `1`)
		clock.pass(time.Millisecond)
		n.push("cleanup", `2`)
		first := n.pop("cleanup", worker(1))
		response, err := n.asked(within(t), first, mediav1.JobResult_FAILURE)
		if err != nil || !response.GetCompleted().GetHeld() || response.GetCompleted().GetAttemptsLeft() != 4 || response.GetJob().GetJob() != `2` {
			t.Fatalf("%v, %v", response, err)
		}
		ctx, cancel := context.WithTimeout(within(t), 100*time.Millisecond)
		defer cancel()
		if response, err = n.asked(ctx, first, mediav1.JobResult_SUCCESS); err != nil || response.GetCompleted().GetHeld() {
			t.Errorf("a job that the worker has lost is held: %v, %v", response, err)
		}
	})
}

// Whoever waits for the next job learns at the deadline that the last one is completed.
func TestNextTellsTheCompletionAtTheDeadline(t *testing.T) {
	onEachSet(t, func(t *testing.T, n *node, _ *stopped) {
		n.push("cleanup", `1`)
		job := n.pop("cleanup", worker(1))
		ctx, cancel := context.WithTimeout(within(t), 300*time.Millisecond)
		defer cancel()
		response, err := n.asked(ctx, job, mediav1.JobResult_SUCCESS)
		if err != nil || !response.GetCompleted().GetHeld() || response.Job != nil {
			t.Errorf("%v, %v", response, err)
		}
		if ctx.Err() != nil {
			t.Error("the answer came after the deadline, when nobody hears it any more")
		}
		if n.length() != 0 {
			t.Error("the job is still there")
		}
	})
}

func TestNextWaits(t *testing.T) {
	n := start(t, defaultTables(t), arrangement{})
	n.push("cleanup", `1`)
	job := n.pop("cleanup", worker(1))
	answers := begun(1, func(int) *mediav1.NextResponse {
		response, err := n.asked(within(t), job, mediav1.JobResult_SUCCESS)
		if err != nil {
			t.Error(err)
		}
		return response
	})
	n.waiting("media.queue", 1)
	id := n.push("cleanup", `2`)
	if response := next(t, answers); !bytes.Equal(response.GetJob().GetId(), id) || !response.GetCompleted().GetHeld() {
		t.Errorf("%v", response)
	}
	if n.looks("queue.complete") != 1 {
		t.Error("the job was completed once more")
	}
}

// A completion that fails is told, and the job that was taken is not kept back for that.
func TestNextWhenTheCompletionFails(t *testing.T) {
	dsn := defaultTables(t)
	n := start(t, dsn, arrangement{})
	n.push("cleanup", `1`)
	job := n.pop("cleanup", worker(1))
	testdb.Exec(t, dsn, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'on purpose'; END $$;
		CREATE TRIGGER refuse BEFORE DELETE ON media_jobs FOR EACH ROW EXECUTE FUNCTION refuse()`)
	_, err := n.asked(within(t), job, mediav1.JobResult_SUCCESS)
	refused(t, err, codes.FailedPrecondition, fault.Rejected)
	n.push("cleanup", `2`)
	response, err := n.asked(within(t), job, mediav1.JobResult_SUCCESS)
	if err != nil || response.GetJob().GetJob() != `2` || response.Completed != nil {
		t.Errorf("%v, %v", response, err)
	}
}

// A completion goes through, and is told, when the look behind it fails.
func TestNextWhenTheLookFails(t *testing.T) {
	dsn := defaultTables(t)
	n := start(t, dsn, arrangement{})
	n.push("cleanup", `1`)
	n.push("cleanup", `2`)
	job := n.pop("cleanup", worker(1))
	testdb.Exec(t, dsn, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'on purpose'; END $$;
		CREATE TRIGGER refuse BEFORE UPDATE ON media_jobs FOR EACH ROW EXECUTE FUNCTION refuse()`)
	response, err := n.asked(within(t), job, mediav1.JobResult_SUCCESS)
	if err != nil || !response.GetCompleted().GetHeld() || response.Job != nil {
		t.Errorf("%v, %v", response, err)
	}
	_, err = n.jobs.Pop(within(t), &mediav1.PopRequest{Queue: "cleanup", Worker: worker(1)})
	refused(t, err, codes.FailedPrecondition, fault.Rejected)
}

// Hosts that acknowledge a job by asking for the next need not complete it.
func TestPopAcknowledges(t *testing.T) {
	n := start(t, defaultTables(t), arrangement{})
	n.push("cleanup", `1`)
	n.push("cleanup", `2`)
	ask := &mediav1.PopRequest{Queue: "cleanup", Worker: worker(1), Acknowledge: true}
	for left := int64(2); left > 0; left-- {
		if _, err := n.jobs.Pop(within(t), ask); err != nil || n.length() != left {
			t.Fatalf("%v, %d jobs left, want %d", err, n.length(), left)
		}
	}
	ctx, cancel := context.WithTimeout(within(t), 100*time.Millisecond)
	defer cancel()
	_, err := n.jobs.Pop(ctx, ask)
	refused(t, err, codes.DeadlineExceeded, fault.Timeout)
	if n.length() != 0 || n.looks("queue.ack_worker") != 3 {
		t.Errorf("%d jobs are left after %d acknowledgements", n.length(), n.looks("queue.ack_worker"))
	}
}
