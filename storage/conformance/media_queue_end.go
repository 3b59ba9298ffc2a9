package conformance

import (
	"bytes"
	"time"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

func queueHeartbeatCases() []mediaCase {
	const holder = "only the worker that holds a job keeps it alive"
	needs := []Capability{TellsJobHolder}
	beats := keys(queueHeartbeat)
	return []mediaCase{
		{name: "queue.heartbeat is told that the worker holds the job", on: beats, says: holder, needs: needs,
			run: func(g *gallery) {
				c := newCrowd(g)
				for range 3 {
					c.me.holds(c.mine, true, "it was handed to it")
				}
				c.they.holds(c.mine, false, "another one holds it")
				c.me.holds(c.theirs, false, "another one holds it")
				c.me.holds(c.waiting, false, "nobody has taken it")
				c.me.holds(newUUID(), false, "there is no such job")
				c.me.completes(c.mine, mediav1.JobResult_SUCCESS)
				c.me.holds(c.mine, false, "it is done")
			}},
		{name: "queue.heartbeat changes nothing about jobs", on: on(beats, keys(queueFail)), says: holder, needs: []Capability{TellsJobHolder, RetriesJobs},
			run: func(g *gallery) {
				c := newCrowd(g)
				c.me.beat(c.mine)
				c.they.beat(c.mine)
				c.me.beat(c.waiting)
				c.unchanged()
				c.me.fails(c.mine, g.retries()-1)
			}},
		{name: "queue.heartbeat, complete and fail find a job in its queue only", on: on(beats, keys(queueComplete, queueFail)),
			says: holder, needs: []Capability{MatchesQueue, TellsJobHolder, RetriesJobs},
			run: func(g *gallery) {
				w := g.worker(newQueue())
				id := w.hold()
				w.in(newQueue()).holds(id, false, "it is in another queue")
				w.in(newQueue()).lost(id, "it is in another queue")
				w.holds(id, true, "it was handed to it")
				w.fails(id, g.retries()-1)
			}},
		{name: "queue.heartbeat keeps a job from becoming stale", on: on(beats, keys(queueRequeueStale)),
			says: "a job is stale when its last heartbeat is", needs: []Capability{StaleJobsReturn}, exclusive: true,
			run: func(g *gallery) {
				at, stale := g.stopClock(), g.staleAfter()
				w := g.worker(newQueue())
				id := w.hold()
				g.at(at.Add(stale / 2))
				w.beat(id)
				g.at(at.Add(stale))
				w.findsNothing("a heartbeat came in time")
				g.at(at.Add(stale/2 + stale - time.Second))
				w.findsNothing("its last heartbeat is younger than stale_after")
				g.at(at.Add(stale/2 + stale))
				w.other().finds(id, "its last heartbeat is stale_after old")
			}},
		{name: "queue.heartbeat of others does not keep a job alive", on: on(beats, keys(queueRequeueStale)), says: holder, needs: []Capability{StaleJobsReturn}, exclusive: true,
			run: func(g *gallery) {
				at, stale := g.stopClock(), g.staleAfter()
				w := g.worker(newQueue())
				twin, id := w.hold(), w.hold()
				g.at(at.Add(stale / 2))
				w.other().beat(id)
				w.beat(twin)
				g.at(at.Add(stale))
				other := w.other()
				other.finds(id, "its worker is silent")
				other.findsNothing("its worker's heartbeat came in time")
			}},
	}
}

func queueCompleteCases() []mediaCase {
	const ends = "a job that is done or aborted is removed, by the worker that holds it and nobody else"
	completes := keys(queueComplete)
	var all []mediaCase
	for _, result := range []mediav1.JobResult{mediav1.JobResult_SUCCESS, mediav1.JobResult_ABORTED} {
		all = append(all,
			mediaCase{name: "queue.complete removes a job that ends with " + result.String(), on: completes, says: ends, needs: []Capability{TellsJobHolder, RetriesJobs},
				run: func(g *gallery) {
					c := newCrowd(g)
					c.me.completes(c.mine, result)
					c.me.lost(c.mine, "it is done already")
					c.me.holds(c.mine, false, "it is done")
					c.unchanged()
				}},
			mediaCase{name: "queue.complete of another's job with " + result.String() + " does nothing", on: completes, says: ends, needs: []Capability{TellsJobHolder, RetriesJobs},
				run: func(g *gallery) {
					c := newCrowd(g)
					for _, id := range [][]byte{c.theirs, c.waiting, newUUID()} {
						if got := c.me.complete(id, result); got.Held || got.AttemptsLeft != nil {
							g.t.Errorf("Queue.Complete with %s of a job that the worker does not hold: held %v, attempts left %s",
								result, got.Held, attempts(got.AttemptsLeft))
						}
					}
					c.unchanged()
					c.me.fails(c.mine, g.retries()-1)
				}},
			mediaCase{name: "queue.complete with " + result.String() + " is for good", on: on(completes, keys(queueRequeueStale)),
				says: ends, needs: []Capability{StaleJobsReturn}, exclusive: true,
				run: func(g *gallery) {
					at := g.stopClock()
					w := g.worker(newQueue())
					got := w.complete(w.hold(), result)
					if !got.Held || got.AttemptsLeft != nil {
						g.t.Errorf("Queue.Complete with %s: held %v, attempts left %s; it should be true, and unset", result, got.Held, attempts(got.AttemptsLeft))
					}
					g.at(at.Add(2 * g.staleAfter()))
					w.findsNothing("it ended with " + result.String())
				}},
		)
	}
	return append(all, mediaCase{name: "queue.complete serves many workers at once", on: completes, says: ends, needs: []Capability{TellsJobHolder},
		run: func(g *gallery) {
			w := g.worker(newQueue())
			others, kept := make([][]byte, 16), make([][]byte, 4)
			for i := range others {
				others[i] = w.hold()
			}
			for i := range kept {
				kept[i] = w.hold()
			}
			report(g.t, "Queue.Complete", together(len(others), func(i int) error {
				_, err := g.media.Queue.Complete(g.ctx, &mediav1.CompleteRequest{Queue: w.queue, Worker: w.id, JobId: others[i]})
				return err
			}))
			for _, id := range others {
				w.holds(id, false, "it is done")
			}
			for _, id := range kept {
				w.holds(id, true, "another job was done")
			}
		}})
}

func queueFailCases() []mediaCase {
	const (
		loses  = "a failed job loses an attempt and its worker, and comes back when its last heartbeat is stale"
		counts = "a job is executed as often as queue.retries says, and then removed"
	)
	fails := keys(queueFail)
	returns := []Capability{RetriesJobs, StaleJobsReturn}
	return []mediaCase{
		{name: "queue.fail takes one attempt off one job", on: fails, says: loses, needs: []Capability{TellsJobHolder, RetriesJobs},
			run: func(g *gallery) {
				c := newCrowd(g)
				c.me.fails(c.mine, g.retries()-1)
				c.unchanged()
			}},
		{name: "queue.fail clears the worker", on: on(fails, keys(queueHeartbeat, queueComplete)), says: loses, needs: []Capability{TellsJobHolder, RetriesJobs},
			run: func(g *gallery) {
				w := g.worker(newQueue())
				id := w.hold()
				w.fails(id, g.retries()-1)
				w.holds(id, false, "it failed")
				w.lost(id, "it failed already")
			}},
		{name: "queue.fail of another's job does nothing", on: fails, says: loses, needs: []Capability{TellsJobHolder, RetriesJobs},
			run: func(g *gallery) {
				c := newCrowd(g)
				for _, id := range [][]byte{c.theirs, c.waiting, newUUID()} {
					if got := c.me.complete(id, mediav1.JobResult_FAILURE); got.Held || got.AttemptsLeft != nil {
						g.t.Errorf("Queue.Complete with FAILURE of a job that the worker does not hold: held %v, attempts left %s", got.Held, attempts(got.AttemptsLeft))
					}
				}
				c.unchanged()
				c.me.fails(c.mine, g.retries()-1)
			}},
		{name: "queue.fail delays the next attempt", on: on(fails, keys(queueRequeueStale, queueClaim)), says: loses, needs: []Capability{RetriesJobs},
			run: func(g *gallery) {
				w := g.worker(newQueue())
				w.complete(w.hold(), mediav1.JobResult_FAILURE)
				w.findsNothing("it has just failed")
			}},
		{name: "queue.fail lets the job come back when its heartbeat is stale", on: on(fails, keys(queueRequeueStale, queueClaim)), says: loses, needs: returns, exclusive: true,
			run: failedComesBack},
		{name: "queue.fail does not count as a heartbeat", on: on(fails, keys(queueRequeueStale)), says: loses, needs: returns, exclusive: true,
			run: func(g *gallery) {
				at, stale := g.stopClock(), g.staleAfter()
				w := g.worker(newQueue())
				id := w.hold()
				g.at(at.Add(stale / 2))
				w.complete(id, mediav1.JobResult_FAILURE)
				g.at(at.Add(stale))
				w.other().finds(id, "its last heartbeat is stale_after old")
			}},
		{name: "queue.fail counts down and removes the job after its last attempt", on: on(fails, keys(queueDiscardExhausted)),
			says: counts, needs: returns, exclusive: true, run: countsDown},
		{name: "queue.discard_exhausted removes one job only", on: keys(queueDiscardExhausted, queueFail),
			says: counts, needs: append(returns, TellsJobHolder), exclusive: true, run: exhaustsOne},
	}
}

// failedComesBack lets a job fail some time after its last heartbeat.
func failedComesBack(g *gallery) {
	at, stale := g.stopClock(), g.staleAfter()
	w := g.worker(newQueue())
	id := w.hold()
	g.at(at.Add(10 * time.Second))
	w.beat(id)
	g.at(at.Add(20 * time.Second))
	w.fails(id, g.retries()-1)
	g.at(at.Add(10*time.Second + stale - time.Second))
	w.findsNothing("its last heartbeat is younger than stale_after")
	g.at(at.Add(10*time.Second + stale))
	other := w.other()
	other.finds(id, "its last heartbeat is stale_after old")
	other.fails(id, g.retries()-2)
}

// countsDown lets a job fail as often as it may.
func countsDown(g *gallery) {
	at := g.stopClock()
	w := g.worker(newQueue())
	id := w.push()
	for left := g.retries() - 1; left >= 0; left-- {
		at = at.Add(g.staleAfter() + time.Second)
		g.at(at)
		w = w.other()
		last := w.push()
		job := w.pop()
		if !bytes.Equal(job.Id, id) {
			g.t.Fatalf("a failed job is not handed out again, though %d attempts are left", left+1)
		}
		if job.Retry != nil && *job.Retry != left+1 {
			g.t.Errorf("a job is handed out with %d attempts left; it should be %d", *job.Retry, left+1)
		}
		w.fails(id, left)
		w.other().finishes(last)
	}
	w.lost(id, "it is removed after its last attempt")
	g.at(at.Add(2 * g.staleAfter()))
	w.findsNothing("it was tried as often as it may be")
}

// exhaustsOne removes a job next to others that are about to be.
func exhaustsOne(g *gallery) {
	at := g.stopClock()
	w := g.worker(newQueue())
	ids := [][]byte{w.push(), w.push(), w.push()}
	for left := g.retries() - 1; left >= 1; left-- {
		w.takesAll(ids)
		for _, id := range ids {
			w.fails(id, left)
		}
		at = at.Add(g.staleAfter() + time.Second)
		g.at(at)
	}
	w.takesAll(ids)
	w.fails(ids[1], 0)
	w.holds(ids[0], true, "another job was removed after its last attempt")
	w.fails(ids[0], 0)
	w.completes(ids[2], mediav1.JobResult_SUCCESS)
}
