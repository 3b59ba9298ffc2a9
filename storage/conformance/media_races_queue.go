package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

func queueRaces() []mediaCase {
	const (
		once  = "a job is handed to one worker at a time, and done once"
		first = "of several jobs with one unique key one is stored"
	)
	return []mediaCase{
		{name: "Races: one job is wanted by several workers", on: keys(queueClaim), says: once,
			run: func(g *gallery) {
				g.rounds(5, func() {
					w := g.worker(newQueue())
					w.push()
					w.drained(1, pops)
				})
			}},
		{name: "Races: a queue is emptied by several workers with Pop and Complete", on: keys(queueClaim, queueComplete), says: once,
			run: func(g *gallery) {
				w := g.worker(newQueue())
				w.pushMany(32)
				w.drained(32, completesAndPops)
			}},
		{name: "Races: a queue is emptied by several workers with Next", on: keys(queueClaim, queueComplete), says: once,
			run: func(g *gallery) {
				w := g.worker(newQueue())
				w.pushMany(32)
				w.drained(32, nexts)
			}},
		{name: "Races: jobs are pushed while several workers take them", on: keys(queuePush, queueClaim, queueNotify, queueListen), says: once, run: pushWhileTaken},
		{name: "Races: one unique key is pushed by several", on: keys(queuePush), says: first, needs: []Capability{UniqueJobs},
			run: func(g *gallery) {
				g.rounds(10, func() {
					w, key, told := g.worker(newQueue()), unique(8), &tally{}
					ids := make([][]byte, racers)
					report(g.t, "Queue.Push", together(racers, func(i int) error {
						got, err := g.media.Queue.Push(g.ctx, &mediav1.PushRequest{Job: &mediav1.NewJob{Queue: w.queue, Job: newJob(), UniqueKey: &key}})
						if got.GetQueued() {
							told.winner(i)
						}
						ids[i] = got.GetJobId()
						return err
					}))
					w.takes(ids[told.only(g, "are told that their job is queued")])
					w.findsNothing("it was refused for its unique key")
				})
			}},
		{name: "Races: several unique keys are pushed together in two orders", on: keys(queuePush), says: first, needs: []Capability{UniqueJobs}, run: pushInOrders},
		{name: "Races: one job is completed by several calls", on: keys(queueComplete), says: once, needs: []Capability{TellsJobHolder},
			run: func(g *gallery) {
				g.rounds(10, func() {
					w, told := g.worker(newQueue()), &tally{}
					id := w.hold()
					report(g.t, "Queue.Complete", together(racers, func(i int) error {
						got, err := g.media.Queue.Complete(g.ctx, &mediav1.CompleteRequest{Queue: w.queue, Worker: w.id, JobId: id})
						if got.GetHeld() {
							told.winner(i)
						}
						return err
					}))
					told.only(g, "are told that they completed a job")
				})
			}},
		{name: "Races: one job fails in several calls", on: keys(queueFail), says: "a failure is counted once", needs: []Capability{TellsJobHolder, RetriesJobs},
			run: func(g *gallery) {
				g.rounds(10, func() {
					w, told := g.worker(newQueue()), &tally{}
					id := w.hold()
					report(g.t, "Queue.Complete with FAILURE", together(racers, func(i int) error {
						got, err := g.media.Queue.Complete(g.ctx, &mediav1.CompleteRequest{Queue: w.queue, Worker: w.id, JobId: id, Result: mediav1.JobResult_FAILURE})
						if got.GetHeld() {
							told.winner(i)
						}
						if got.GetHeld() && got.GetAttemptsLeft() != g.retries()-1 {
							return fmt.Errorf("%d attempts are left; it should be %d", got.GetAttemptsLeft(), g.retries()-1)
						}
						return err
					}))
					told.only(g, "are told that a job failed")
				})
			}},
		{name: "Races: a stale job is taken over by one worker", on: keys(queueRequeueStale, queueClaim), says: once, needs: []Capability{StaleJobsReturn}, exclusive: true,
			run: func(g *gallery) {
				at := g.stopClock()
				g.rounds(3, func() {
					w := g.worker(newQueue())
					for range 10 {
						w.hold()
					}
					at = at.Add(g.staleAfter())
					g.at(at)
					w.drained(10, pops)
				})
			}},
	}
}

// over is the job that tells a worker to stop.
const over = `"over"`

// drained lets several workers take the jobs of a queue at once, which must be n. take ends the job that
// a worker has, if any, and takes the next one. When all have been handed out each worker is told by a
// job to stop: none has to give up while a query of its own is still under way.
func (w *worker) drained(n int, take func(ctx context.Context, v *worker, done []byte) (*mediav1.Job, error)) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	var mu sync.Mutex
	times := map[string]int{}
	takes := func(id []byte) (last bool) {
		mu.Lock()
		defer mu.Unlock()
		times[string(id)]++
		return len(times) == n && times[string(id)] == 1
	}
	report(w.t, "a worker", together(racers, func(int) error {
		v := w.other()
		var done []byte
		for {
			job, err := take(ctx, v, done)
			if err != nil || sameJSON(job.Job, over) {
				return err
			}
			if done = job.Id; !takes(done) {
				continue
			}
			stop := &mediav1.PushManyRequest{}
			for range racers {
				stop.Jobs = append(stop.Jobs, &mediav1.NewJob{Queue: w.queue, Job: over})
			}
			if _, err := w.media.Queue.PushMany(ctx, stop); err != nil {
				return err
			}
		}
	}))
	if len(times) != n {
		w.t.Errorf("%d different jobs were handed out; there were %d", len(times), n)
	}
	for _, count := range times {
		if count > 1 {
			w.t.Fatalf("a job was handed out %d times", count)
		}
	}
}

// pops takes a job and leaves it running.
func pops(ctx context.Context, v *worker, _ []byte) (*mediav1.Job, error) {
	return v.media.Queue.Pop(ctx, &mediav1.PopRequest{Queue: v.queue, Worker: v.id})
}

// completesAndPops completes the job that the worker has, and takes the next one.
func completesAndPops(ctx context.Context, v *worker, done []byte) (*mediav1.Job, error) {
	if done != nil {
		got, err := v.media.Queue.Complete(ctx, &mediav1.CompleteRequest{Queue: v.queue, Worker: v.id, JobId: done})
		if err == nil && !got.Held {
			return nil, errors.New("a job that was just handed out is not held")
		}
		if err != nil {
			return nil, err
		}
	}
	return pops(ctx, v, nil)
}

// nexts does both in one call.
func nexts(ctx context.Context, v *worker, done []byte) (*mediav1.Job, error) {
	if done == nil {
		return pops(ctx, v, nil)
	}
	got, err := v.media.Queue.Next(ctx, &mediav1.NextRequest{Queue: v.queue, Worker: v.id, JobId: done})
	if err == nil && (!got.Completed.GetHeld() || got.Job == nil) {
		return nil, fmt.Errorf("a job that was just handed out is held: %v, and there is another one: %v; both should be true", got.Completed.GetHeld(), got.Job != nil)
	}
	return got.GetJob(), err
}

// pushWhileTaken pushes jobs one by one and several together, while workers wait for them.
func pushWhileTaken(g *gallery) {
	w := g.worker(newQueue())
	var pushers sync.WaitGroup
	pushed := make([]error, 2)
	pushers.Go(func() {
		for range 8 {
			if err := try(g, g.media.Queue.Push, &mediav1.PushRequest{Job: &mediav1.NewJob{Queue: w.queue, Job: newJob()}}); err != nil {
				pushed[0] = err
			}
		}
	})
	pushers.Go(func() {
		for range 3 {
			request := &mediav1.PushManyRequest{}
			for range 4 {
				request.Jobs = append(request.Jobs, &mediav1.NewJob{Queue: w.queue, Job: newJob()})
			}
			if err := try(g, g.media.Queue.PushMany, request); err != nil {
				pushed[1] = err
			}
		}
	})
	w.drained(20, pops)
	pushers.Wait()
	report(g.t, "a push", pushed)
}

// pushInOrders pushes jobs with the same keys in several orders at once: calls must not wait for each other
// in a circle, or come out of it by themselves.
func pushInOrders(g *gallery) {
	w := g.worker(newQueue())
	orders := [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}, {3, 0, 2, 1}, {0, 3, 1, 2}}
	names := []string{unique(8), unique(8), unique(8), unique(8)}
	stored := make([]int, len(orders))
	report(g.t, "Queue.PushMany", together(len(orders), func(i int) error {
		request := &mediav1.PushManyRequest{}
		for _, k := range orders[i] {
			request.Jobs = append(request.Jobs, &mediav1.NewJob{Queue: w.queue, Job: newJob(), UniqueKey: &names[k]})
		}
		got, err := g.media.Queue.PushMany(g.ctx, request)
		for _, r := range got.GetResults() {
			if r.Queued {
				stored[i]++
			}
		}
		return err
	}))
	sum := 0
	for _, n := range stored {
		sum += n
	}
	equal(g, "jobs that are told to be queued, of several with each of 4 keys", sum, len(names))
}
