package conformance

import (
	"bytes"
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

func queueNextCases() []mediaCase {
	const both = "one job is completed, and the next one is handed out"
	next := keys(queueComplete, queueFail, queueClaim)
	return []mediaCase{
		{name: "Next completes a job and hands out the next one", on: next, says: both, needs: []Capability{TellsJobHolder, RetriesJobs},
			run: func(g *gallery) {
				for _, result := range []mediav1.JobResult{mediav1.JobResult_SUCCESS, mediav1.JobResult_ABORTED, mediav1.JobResult_FAILURE} {
					c := newCrowd(g)
					got := c.me.next(c.mine, result)
					left := got.Completed.GetAttemptsLeft()
					if failed := result == mediav1.JobResult_FAILURE; !got.Completed.GetHeld() || failed != (left == g.retries()-1) {
						g.t.Errorf("Queue.Next with %s: held %v, attempts left %d", result, got.Completed.GetHeld(), left)
					}
					if !bytes.Equal(got.Job.GetId(), c.waiting) {
						g.t.Fatalf("Queue.Next with %s: another job than the one that is ready", result)
					}
					c.me.holds(c.mine, false, "it is done")
					c.me.holds(c.waiting, true, "it was handed to it")
					c.me.holds(c.twin, true, "another job of the worker was completed")
					c.they.holds(c.theirs, true, "another worker's job was completed")
					c.far.holds(c.elsewhere, true, "a job of another queue was completed")
					c.me.findsNothing("it is done, has just failed, or is held")
				}
			}},
		{name: "Next hands out a job as Pop does", on: next, says: both,
			run: func(g *gallery) {
				w := g.worker(newQueue())
				held, job := w.hold(), newJob()
				id := w.pushJob(job)
				got := w.next(held, mediav1.JobResult_SUCCESS).Job
				if !bytes.Equal(got.GetId(), id) || !sameJSON(got.GetJob(), job) {
					g.t.Errorf("Queue.Next: the job comes back as %s; it should mean %s", got.GetJob(), job)
				}
			}},
		{name: "Next with a lost job hands out the next one all the same", on: next,
			says: "held tells that the job was lost, and nothing of it is changed", needs: []Capability{TellsJobHolder, RetriesJobs},
			run: func(g *gallery) {
				for _, result := range []mediav1.JobResult{mediav1.JobResult_SUCCESS, mediav1.JobResult_ABORTED, mediav1.JobResult_FAILURE} {
					w := g.worker(newQueue())
					other := w.other()
					theirs, ready := other.hold(), w.push()
					got := w.next(theirs, result)
					if got.Completed.GetHeld() || got.Completed.GetAttemptsLeft() != 0 || !bytes.Equal(got.Job.GetId(), ready) {
						g.t.Errorf("Queue.Next with %s of another worker's job: held %v; it should be false, with the job that is ready", result, got.Completed.GetHeld())
					}
					other.fails(theirs, g.retries()-1)
				}
			}},
		{name: "Next completes the job even if there is no other", on: next,
			says: "the job is completed although the deadline passes", needs: []Capability{TellsJobHolder}, run: nextWithout},
		{name: "Next frees the unique key before it looks for a job", on: on(next, keys(queuePush)), says: both, needs: []Capability{UniqueJobs},
			run: func(g *gallery) {
				w, key := g.worker(newQueue()), unique(8)
				id := w.free(key, "that nobody has")
				w.takes(id)
				w.push()
				w.next(id, mediav1.JobResult_SUCCESS)
				w.free(key, "after its job was completed by Next")
			}},
		{name: "Next waits for a job", on: on(next, keys(queuePush, queueNotify, queueListen)), says: "those who wait get a job when there is one",
			run: func(g *gallery) {
				w := g.worker(newQueue())
				held := w.hold()
				waiting := begin(g, g.media.Queue.Next, &mediav1.NextRequest{Queue: w.queue, Worker: w.id, JobId: held})
				id := w.push()
				got, err := waiting.answer()
				if err != nil || !got.Completed.GetHeld() || !bytes.Equal(got.Job.GetId(), id) {
					g.t.Errorf("Queue.Next does not get the job that is pushed while it waits: held %v, %v", got.GetCompleted().GetHeld(), err)
				}
			}},
	}
}

// next completes a job and takes the next one, which must be there.
func (w *worker) next(id []byte, result mediav1.JobResult) *mediav1.NextResponse {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	got, err := w.media.Queue.Next(ctx, &mediav1.NextRequest{Queue: w.queue, Worker: w.id, JobId: id, Result: result})
	if err != nil {
		w.t.Fatalf("Queue.Next with %s: %v", result, err)
	}
	return got
}

func nextWithout(g *gallery) {
	w := g.worker(newQueue())
	other := w.other()
	held, theirs := w.hold(), other.hold()
	ctx, cancel := context.WithTimeout(g.ctx, 500*time.Millisecond)
	defer cancel()
	got, err := g.media.Queue.Next(ctx, &mediav1.NextRequest{Queue: w.queue, Worker: w.id, JobId: held})
	switch {
	case err == nil && (got.Job != nil || !got.Completed.GetHeld()):
		g.t.Errorf("Queue.Next without another job: a job %v, held %v; it should be false, true", got.Job != nil, got.Completed.GetHeld())
	case err != nil && status.Code(err) != codes.DeadlineExceeded: // the answer may come too late for the transport
		g.t.Errorf("Queue.Next without another job: %v; it should tell that the job is completed", err)
	}
	w.holds(held, false, "it is done")
	other.holds(theirs, true, "another worker's job was completed")
}

func queueWaitCases() []mediaCase {
	const waits = "those who wait for a job get one when there is one, each job one of them"
	wakes := keys(queuePush, queueClaim, queueNotify, queueListen)
	return []mediaCase{
		{name: "Pop waits until its deadline", on: keys(queueClaim), says: "DEADLINE_EXCEEDED if no job comes",
			run: func(g *gallery) {
				w := g.worker(newQueue())
				w.in(newQueue()).push()
				w.hold()
				timesOut(g, g.media.Queue.Pop, &mediav1.PopRequest{Queue: w.queue, Worker: w.id}, "no job of its queue is ready")
				w.takes(w.push())
			}},
		{name: "Pop gets a job that is pushed while it waits", on: wakes, says: waits,
			run: func(g *gallery) {
				for range 5 {
					w := g.worker(newQueue())
					waiting := begin(g, g.media.Queue.Pop, &mediav1.PopRequest{Queue: w.queue, Worker: w.id})
					id := w.push()
					got, err := waiting.answer()
					if err != nil || !bytes.Equal(got.Id, id) {
						g.t.Fatalf("Queue.Pop does not get the job that is pushed while it waits: %v", err)
					}
				}
			}},
		{name: "Pop gets a job that is pushed with others while it waits", on: wakes, says: waits,
			run: func(g *gallery) {
				w := g.worker(newQueue())
				waiting := begin(g, g.media.Queue.Pop, &mediav1.PopRequest{Queue: w.queue, Worker: w.id})
				w.in(newQueue()).push()
				ids := w.pushMany(3)
				got, err := waiting.answer()
				if err != nil {
					g.t.Fatalf("Queue.Pop does not get one of the jobs that are pushed while it waits: %v", err)
				}
				ids = withoutJob(ids, got.Id)
				if len(ids) != 2 {
					g.t.Fatalf("Queue.Pop got another queue's job")
				}
				w.takesAll(ids)
			}},
		{name: "Pop gives one job to one of those who wait", on: wakes, says: waits, run: oneOfManyWaiters},
		{name: "Pop gives each of those who wait a job", on: wakes, says: waits, run: everyWaiter},
		{name: "Pop gets a job that is freed while it waits", on: on(wakes, keys(queueRequeueInProgress)), says: waits, needs: []Capability{RequeuesJobs},
			run: func(g *gallery) {
				w := g.worker(newQueue())
				other, id := w.other(), w.hold()
				waiting := begin(g, g.media.Queue.Pop, &mediav1.PopRequest{Queue: w.queue, Worker: other.id})
				if n := ask(g, g.media.Queue.RequeueInProgress, &mediav1.RequeueInProgressRequest{Worker: w.id}).Affected; n != nil && *n != 1 {
					g.t.Fatalf("Queue.RequeueInProgress: %d jobs; it should be 1", *n)
				}
				if got, err := waiting.answer(); err != nil || !bytes.Equal(got.Id, id) {
					g.t.Errorf("Queue.Pop does not get the job that is freed while it waits: %v", err)
				}
			}},
		{name: "Pop that is given up takes no job", on: wakes, says: "a job goes to those who are there to take it",
			run: func(g *gallery) {
				w := g.worker(newQueue())
				for range 3 {
					waiting := begin(g, g.media.Queue.Pop, &mediav1.PopRequest{Queue: w.queue, Worker: w.id})
					if _, err := waiting.giveUp(); !ended(err) {
						g.t.Errorf("Queue.Pop that is given up: %v", err)
					}
				}
				w.finds(w.push(), "those who waited for one gave up")
			}},
	}
}

func withoutJob(ids [][]byte, id []byte) [][]byte {
	var rest [][]byte
	for _, one := range ids {
		if !bytes.Equal(one, id) {
			rest = append(rest, one)
		}
	}
	return rest
}

// oneOfManyWaiters pushes one job while several wait. The others must still be waiting when they give up.
func oneOfManyWaiters(g *gallery) {
	w := g.worker(newQueue())
	got := make(chan int, 6)
	var waiters []*pending[mediav1.Job]
	for i := range cap(got) {
		p := begin(g, g.media.Queue.Pop, &mediav1.PopRequest{Queue: w.queue, Worker: w.other().id})
		waiters = append(waiters, p)
		go func() {
			<-p.done
			got <- i
		}()
	}
	id := w.push()
	first := <-got
	if job, err := waiters[first].answer(); err != nil || !bytes.Equal(job.Id, id) {
		g.t.Errorf("Queue.Pop does not get the job that is pushed while it waits: %v", err)
	}
	for i, p := range waiters {
		if job, err := p.giveUp(); i != first && !ended(err) {
			g.t.Errorf("Queue.Pop: another one of those who waited got a job (%v), or failed: %v", job != nil, err)
		}
	}
	for range len(waiters) - 1 {
		<-got
	}
}

func everyWaiter(g *gallery) {
	w := g.worker(newQueue())
	var waiters []*pending[mediav1.Job]
	for range 6 {
		waiters = append(waiters, begin(g, g.media.Queue.Pop, &mediav1.PopRequest{Queue: w.queue, Worker: w.other().id}))
	}
	left := append(w.pushMany(3), w.push(), w.push(), w.push())
	for _, p := range waiters {
		job, err := p.answer()
		if err != nil {
			g.t.Fatalf("Queue.Pop: one of those who wait gets none of as many jobs: %v", err)
		}
		n := len(left)
		if left = withoutJob(left, job.Id); len(left) != n-1 {
			g.t.Fatalf("Queue.Pop: a job was handed out twice, or is another queue's")
		}
	}
}

func queueLengthCases() []mediaCase {
	const all = "jobs of all queues and in all states are counted"
	return []mediaCase{
		{name: "queue.length counts the jobs of all queues", on: keys(queueLength, queuePush), says: all, exclusive: true,
			run: func(g *gallery) {
				before := g.length()
				w := g.worker(newQueue())
				w.push()
				w.push()
				g.worker(newQueue()).push()
				equal(g, "Queue.Length after three pushes", g.length()-before, 3)
			}},
		{name: "queue.length counts running jobs and those that failed", on: keys(queueLength, queueClaim, queueFail, queueComplete),
			says: all, needs: []Capability{RetriesJobs}, exclusive: true,
			run: func(g *gallery) {
				w := g.worker(newQueue())
				w.finishes(w.push()) // takes away what others left without attempts
				before := g.length()
				running, failed, done := w.hold(), w.hold(), w.hold()
				equal(g, "Queue.Length with three running jobs", g.length()-before, 3)
				w.complete(failed, mediav1.JobResult_FAILURE)
				equal(g, "Queue.Length with a failed job", g.length()-before, 3)
				w.complete(done, mediav1.JobResult_SUCCESS)
				equal(g, "Queue.Length after a job is done", g.length()-before, 2)
				w.complete(running, mediav1.JobResult_ABORTED)
				equal(g, "Queue.Length after a job is aborted", g.length()-before, 1)
			}},
		{name: "queue.length does not count a refused job", on: keys(queueLength, queuePush), says: all, needs: []Capability{UniqueJobs}, exclusive: true,
			run: func(g *gallery) {
				w, key := g.worker(newQueue()), unique(8)
				before := g.length()
				w.pushKey(key)
				w.pushKey(key)
				equal(g, "Queue.Length after two pushes with one key", g.length()-before, 1)
			}},
	}
}

func (g *gallery) length() int64 {
	g.t.Helper()
	return ask(g, g.media.Queue.Length, &mediav1.LengthRequest{}).Length
}

func queueArgumentCases() []mediaCase {
	const checked = "what cannot be meant is refused before the database is asked"
	return []mediaCase{
		{name: "the queue refuses ids that are none", on: keys(queuePush, queueClaim, queueHeartbeat, queueComplete, queueFail), says: checked,
			run: func(g *gallery) {
				queue, id := newQueue(), newUUID()
				for _, bad := range [][]byte{nil, {}, id[:15], append(newUUID(), 0)} {
					refuse(g, codes.InvalidArgument, fault.InvalidArgument, g.media.Queue.Pop, &mediav1.PopRequest{Queue: queue, Worker: bad})
					refuse(g, codes.InvalidArgument, fault.InvalidArgument, g.media.Queue.Heartbeat, &mediav1.JobRequest{Queue: queue, Worker: bad, JobId: id})
					refuse(g, codes.InvalidArgument, fault.InvalidArgument, g.media.Queue.Heartbeat, &mediav1.JobRequest{Queue: queue, Worker: id, JobId: bad})
					for _, result := range []mediav1.JobResult{mediav1.JobResult_SUCCESS, mediav1.JobResult_FAILURE} {
						refuse(g, codes.InvalidArgument, fault.InvalidArgument, g.media.Queue.Complete, &mediav1.CompleteRequest{Queue: queue, Worker: bad, JobId: id, Result: result})
						refuse(g, codes.InvalidArgument, fault.InvalidArgument, g.media.Queue.Complete, &mediav1.CompleteRequest{Queue: queue, Worker: id, JobId: bad, Result: result})
						refuse(g, codes.InvalidArgument, fault.InvalidArgument, g.media.Queue.Next, &mediav1.NextRequest{Queue: queue, Worker: bad, JobId: id, Result: result})
						refuse(g, codes.InvalidArgument, fault.InvalidArgument, g.media.Queue.Next, &mediav1.NextRequest{Queue: queue, Worker: id, JobId: bad, Result: result})
					}
				}
			}},
		{name: "the queue refuses jobs that are no JSON", on: keys(queuePush), says: checked,
			run: func(g *gallery) {
				w := g.worker(newQueue())
				refuse(g, codes.InvalidArgument, fault.InvalidArgument, g.media.Queue.Push, &mediav1.PushRequest{})
				for _, bad := range []string{"", "{", "cleanup", `{"a":1}{`, `"open`} {
					one := &mediav1.NewJob{Queue: w.queue, Job: bad}
					notJSON(g, g.media.Queue.Push, &mediav1.PushRequest{Job: one})
					notJSON(g, g.media.Queue.PushMany, &mediav1.PushManyRequest{Jobs: []*mediav1.NewJob{{Queue: w.queue, Job: newJob()}, one}})
				}
				w.findsNothing("it was pushed together with one that is no JSON")
			}},
	}
}

// notJSON calls a method with what is no JSON. It may be refused before the database is asked, or by it.
func notJSON[Q, R any](g *gallery, m method[Q, R], request *Q) {
	g.t.Helper()
	err := try(g, m, request)
	if reason := fault.ReasonOf(err); reason != fault.InvalidArgument && reason != fault.Rejected {
		g.t.Errorf("%s of what is no JSON: %v; it should be refused", nameOf(m), err)
	}
}
