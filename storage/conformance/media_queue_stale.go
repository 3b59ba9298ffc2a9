package conformance

import (
	"time"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

func queueStaleCases() []mediaCase {
	const frees = "a running job whose last heartbeat is stale becomes new, whatever its queue, with the attempts that it has"
	stale := keys(queueRequeueStale, queueClaim)
	needs := []Capability{StaleJobsReturn}
	return []mediaCase{
		{name: "queue.requeue_stale frees a job of exactly the cutoff, and none that is younger", on: stale, says: frees, needs: needs, exclusive: true,
			run: func(g *gallery) {
				at := g.stopClock()
				w := g.worker(newQueue())
				id := w.hold()
				g.at(at.Add(g.staleAfter() - time.Second))
				w.findsNothing("its last heartbeat is younger than stale_after")
				g.at(at.Add(g.staleAfter()))
				w.other().finds(id, "its last heartbeat is stale_after old")
			}},
		{name: "queue.requeue_stale frees stale jobs only", on: stale, says: frees, needs: needs, exclusive: true,
			run: func(g *gallery) {
				at := g.stopClock()
				w := g.worker(newQueue())
				first, second := w.hold(), w.hold()
				g.at(at.Add(10 * time.Second))
				young := w.hold()
				other := w.other()
				g.at(at.Add(g.staleAfter()))
				last := other.push()
				other.takesAll([][]byte{first, second})
				other.takes(last)
				g.at(at.Add(g.staleAfter() + 10*time.Second))
				other.finds(young, "its last heartbeat is stale_after old")
			}},
		{name: "queue.requeue_stale takes no attempt off", on: on(stale, keys(queueFail)), says: frees, needs: []Capability{StaleJobsReturn, RetriesJobs}, exclusive: true,
			run: func(g *gallery) {
				at := g.stopClock()
				w := g.worker(newQueue())
				id := w.hold()
				for range g.retries() + 1 {
					at = at.Add(g.staleAfter())
					g.at(at)
					w = w.other()
					w.finds(id, "its worker is silent")
				}
				w.fails(id, g.retries()-1)
			}},
		{name: "queue.requeue_stale frees jobs of all queues", on: on(stale, keys(queueHeartbeat, queueComplete)),
			says: frees, needs: []Capability{StaleJobsReturn, TellsJobHolder}, exclusive: true,
			run: func(g *gallery) {
				at := g.stopClock()
				w := g.worker(newQueue())
				id := w.hold()
				g.at(at.Add(g.staleAfter()))
				g.worker(newQueue()).hold()
				w.holds(id, false, "it was freed when somebody asked for a job of another queue")
				w.lost(id, "it was freed when somebody asked for a job of another queue")
				w.finds(id, "it was freed")
			}},
		{name: "queue.requeue_stale leaves the job to the next worker", on: on(stale, keys(queueHeartbeat, queueComplete)),
			says: "a job that was handed to another worker is lost to the first one", needs: []Capability{StaleJobsReturn, TellsJobHolder}, exclusive: true,
			run: func(g *gallery) {
				at := g.stopClock()
				w := g.worker(newQueue())
				other, id := w.other(), w.hold()
				g.at(at.Add(g.staleAfter()))
				other.finds(id, "its worker is silent")
				w.holds(id, false, "it was handed to another worker")
				w.lost(id, "it was handed to another worker")
				other.holds(id, true, "it was handed to it")
				other.completes(id, mediav1.JobResult_SUCCESS)
			}},
		{name: "queue.claim counts as a heartbeat", on: stale, says: "a job is stale when nothing has been heard since it was handed out, or later", needs: needs, exclusive: true,
			run: func(g *gallery) {
				at, stale := g.stopClock(), g.staleAfter()
				w := g.worker(newQueue())
				id := w.push()
				g.at(at.Add(3 * stale))
				w.takes(id)
				w.findsNothing("it has just been handed out")
				g.at(at.Add(4*stale - time.Second))
				w.findsNothing("it was handed out less than stale_after ago")
				g.at(at.Add(4 * stale))
				second := w.other()
				second.finds(id, "it was handed out stale_after ago")
				g.at(at.Add(5*stale - time.Second))
				w.findsNothing("it was handed out again less than stale_after ago")
				g.at(at.Add(5 * stale))
				w.other().finds(id, "it was handed out again stale_after ago")
			}},
		{name: "queue.requeue_stale keeps the unique key", on: on(stale, keys(queuePush)),
			says: "a unique key is held while its job is stored", needs: []Capability{StaleJobsReturn, UniqueJobs}, exclusive: true,
			run: func(g *gallery) {
				at := g.stopClock()
				w, key := g.worker(newQueue()), unique(8)
				id := w.free(key, "that nobody has")
				w.takes(id)
				g.at(at.Add(g.staleAfter()))
				g.worker(newQueue()).hold()
				w.taken(key, "after its job's worker fell silent")
				w.finds(id, "its worker is silent")
			}},
	}
}

func queueRequeueCases() []mediaCase {
	const frees = "running jobs of a worker, or of any, in a queue, or in all, become new at once, with the attempts that they have"
	requeues := keys(queueRequeueInProgress)
	needs := []Capability{RequeuesJobs, TellsJobHolder}
	// free asks for jobs to be freed, and checks which were.
	free := func(c *crowd, queue *string, of []byte, mine, twin, theirs, elsewhere bool) {
		g := c.me.gallery
		g.t.Helper()
		got := ask(g, g.media.Queue.RequeueInProgress, &mediav1.RequeueInProgressRequest{Queue: queue, Worker: of}).Affected
		want := int64(0)
		for _, is := range []bool{mine, twin, theirs, elsewhere} {
			if is {
				want++
			}
		}
		if whole := queue == nil && of == nil; got != nil && (*got < want || (*got > want && !whole)) {
			g.t.Errorf("Queue.RequeueInProgress: %d jobs; it should be %d", *got, want)
		}
		for _, one := range []struct {
			holder *worker
			id     []byte
			freed  bool
		}{{c.me, c.mine, mine}, {c.me, c.twin, twin}, {c.they, c.theirs, theirs}, {c.far, c.elsewhere, elsewhere}} {
			why := "its queue and worker were not asked for"
			if one.freed {
				why = "its queue and worker were asked for"
			}
			one.holder.holds(one.id, !one.freed, why)
			if one.freed {
				one.holder.lost(one.id, "it was freed")
			}
		}
	}
	return []mediaCase{
		{name: "queue.requeue_in_progress frees the jobs of a worker in all queues", on: requeues, says: frees, needs: needs,
			run: func(g *gallery) {
				c := newCrowd(g)
				free(c, nil, c.me.id, true, true, false, true)
				c.me.other().takesAll([][]byte{c.mine, c.twin, c.waiting})
				c.far.other().takes(c.elsewhere)
			}},
		{name: "queue.requeue_in_progress frees the jobs of any worker in a queue", on: requeues, says: frees, needs: needs,
			run: func(g *gallery) {
				c := newCrowd(g)
				free(c, &c.me.queue, nil, true, true, true, false)
				c.me.other().takesAll([][]byte{c.mine, c.twin, c.theirs, c.waiting})
			}},
		{name: "queue.requeue_in_progress frees the jobs of a worker in a queue", on: requeues, says: frees, needs: needs,
			run: func(g *gallery) {
				c := newCrowd(g)
				free(c, &c.me.queue, c.me.id, true, true, false, false)
				c.me.other().takesAll([][]byte{c.mine, c.twin, c.waiting})
				c.me.findsNothing("another worker holds it")
			}},
		{name: "queue.requeue_in_progress frees all jobs", on: requeues, says: frees, needs: needs, exclusive: true,
			run: func(g *gallery) {
				c := newCrowd(g)
				free(c, nil, nil, true, true, true, true)
				c.me.other().takesAll([][]byte{c.mine, c.twin, c.theirs, c.waiting})
				c.far.other().takes(c.elsewhere)
			}},
		{name: "queue.requeue_in_progress of nobody frees nothing", on: requeues, says: frees, needs: needs,
			run: func(g *gallery) {
				c := newCrowd(g)
				empty := newQueue()
				free(c, nil, newUUID(), false, false, false, false)
				free(c, &empty, c.me.id, false, false, false, false)
				free(c, &empty, nil, false, false, false, false)
				free(c, &c.far.queue, c.they.id, false, false, false, false)
			}},
		{name: "queue.requeue_in_progress leaves failed jobs waiting", on: on(requeues, keys(queueFail)),
			says: "a failed job is not in progress: it waits until its last heartbeat is stale", needs: append(needs, RetriesJobs),
			run: func(g *gallery) {
				w := g.worker(newQueue())
				failed, running := w.hold(), w.hold()
				w.fails(failed, g.retries()-1)
				ask(g, g.media.Queue.RequeueInProgress, &mediav1.RequeueInProgressRequest{Queue: &w.queue})
				w.finds(running, "it was freed")
				w.findsNothing("it failed just now, or is held")
			}},
		{name: "queue.requeue_in_progress takes no attempt off", on: on(requeues, keys(queueFail)), says: frees, needs: append(needs, RetriesJobs),
			run: func(g *gallery) {
				w := g.worker(newQueue())
				id := w.hold()
				for range g.retries() + 1 {
					ask(g, g.media.Queue.RequeueInProgress, &mediav1.RequeueInProgressRequest{Worker: w.id})
					w = w.other()
					w.finds(id, "it was freed")
				}
				w.fails(id, g.retries()-1)
			}},
	}
}

func queueAcknowledgeCases() []mediaCase {
	const done = "what a worker held in the queue is done when it takes the next job with acknowledge"
	acks := keys(queueAckWorker, queueClaim)
	needs := []Capability{AcknowledgesByPop, TellsJobHolder}
	acknowledge := func(w *worker, next []byte) {
		w.t.Helper()
		got, err := w.tryPop(patience, true)
		if err != nil || string(got.Id) != string(next) {
			w.t.Fatalf("Queue.Pop with acknowledge: another job than expected, or none: %v", err)
		}
	}
	return []mediaCase{
		{name: "queue.ack_worker removes what the worker held", on: acks, says: done, needs: needs,
			run: func(g *gallery) {
				c := newCrowd(g)
				acknowledge(c.me, c.waiting)
				c.me.holds(c.mine, false, "it is acknowledged")
				c.me.holds(c.twin, false, "it is acknowledged")
				c.me.holds(c.waiting, true, "it was handed to the worker afterwards")
				c.they.holds(c.theirs, true, "another worker acknowledged")
				c.far.holds(c.elsewhere, true, "the worker acknowledged in another queue")
				c.me.findsNothing("it is acknowledged, or held by another worker")
			}},
		{name: "queue.ack_worker is for good", on: on(acks, keys(queueRequeueStale)), says: done, needs: append(needs, StaleJobsReturn), exclusive: true,
			run: func(g *gallery) {
				at := g.stopClock()
				w := g.worker(newQueue())
				w.hold()
				last := w.push()
				acknowledge(w, last)
				w.completes(last, mediav1.JobResult_SUCCESS)
				g.at(at.Add(2 * g.staleAfter()))
				w.findsNothing("it is acknowledged")
			}},
		{name: "queue.ack_worker frees the unique key", on: on(acks, keys(queuePush)), says: done, needs: append(needs, UniqueJobs),
			run: func(g *gallery) {
				w, key := g.worker(newQueue()), unique(8)
				w.takes(w.free(key, "that nobody has"))
				acknowledge(w, w.push())
				w.free(key, "after its job was acknowledged")
			}},
		{name: "queue.ack_worker with nothing to acknowledge does nothing", on: acks, says: done, needs: needs,
			run: func(g *gallery) {
				w := g.worker(newQueue())
				other := w.other()
				held := other.hold()
				first, second := w.push(), w.push()
				acknowledge(w, first)
				other.holds(held, true, "another worker acknowledged")
				other.takes(second)
			}},
		{name: "Pop without acknowledge keeps what the worker holds", on: keys(queueClaim, queueHeartbeat), says: "a worker may hold several jobs", needs: []Capability{TellsJobHolder},
			run: func(g *gallery) {
				w := g.worker(newQueue())
				first, second := w.hold(), w.hold()
				w.holds(first, true, "it took another one besides")
				w.holds(second, true, "it was handed to it")
			}},
	}
}
