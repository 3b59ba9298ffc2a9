package conformance

import (
	"bytes"
	"fmt"
	"slices"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// mediaQueueCases are the behaviours of the queue.
func mediaQueueCases() []mediaCase {
	return slices.Concat(queuePushCases(), queueUniqueCases(), queuePushManyCases(), queueClaimCases(), queueHeartbeatCases(),
		queueCompleteCases(), queueFailCases(), queueStaleCases(), queueNextCases(), queueRequeueCases(), queueAcknowledgeCases(),
		queueWaitCases(), queueLengthCases(), queueArgumentCases())
}

func queuePushCases() []mediaCase {
	const stores = "a job is stored as it is, and handed out with its id"
	pushed := keys(queuePush, queueClaim)
	return []mediaCase{
		{name: "queue.push returns the id that the job is handed out with", on: pushed, says: stores,
			run: func(g *gallery) {
				w := g.worker(newQueue())
				ids := map[string]bool{}
				for range 5 {
					id := w.push()
					w.takes(id)
					ids[string(id)] = true
				}
				if len(ids) != 5 {
					g.t.Errorf("5 jobs have %d ids", len(ids))
				}
			}},
		{name: "queue.push keeps the job's meaning", on: pushed, says: "a job is a JSON string or object, and opaque",
			run: func(g *gallery) {
				w := g.worker(newQueue())
				for _, job := range []string{
					`"cleanup"`, `""`, `"it's 100% \"quoted\" \\ $1 @queue -- /* ; */ \n\t"`, `"schön ☃ 漢字 \ud83d\ude00"`, `{}`,
					`{"type":"Ingest","list":[1,-2,0.5,true,false,null,"x",[],{}],"nested":{"a":{"b":[{"c":null}]}},"":"empty"}`,
					`{"number":9007199254740991,"quote'\"":"it's"}`,
				} {
					w.pushJob(job)
					if got := w.pop(); !sameJSON(got.Job, job) {
						g.t.Errorf("a job comes back as %s; it should mean %s", got.Job, job)
					}
				}
			}},
		{name: "queue.push keeps jobs and queues with odd names apart", on: pushed, says: "the name of a queue is any text, compared as it is",
			run: oddQueues},
		{name: "queue.push gives a job the settings' attempts", on: on(pushed, keys(queueFail)),
			says: "a job may be tried as often as queue.retries says", needs: []Capability{TellsAttempts, RetriesJobs},
			run: func(g *gallery) {
				w := g.worker(newQueue())
				w.push()
				if got := w.pop().Retry; got == nil || *got != g.retries() {
					g.t.Errorf("a new job has %s attempts left; it should be %d", attempts(got), g.retries())
				}
			}},
		{name: "queue.push takes the service's clock for the queue time", on: pushed,
			says: "queue time is the time of the push", needs: []Capability{ClockStops, TellsQueueTime}, exclusive: true,
			run: func(g *gallery) {
				at := g.stopClock()
				w := g.worker(newQueue())
				w.push()
				g.at(at.Add(30 * 1e9))
				if got := w.pop().QueueTime; !got.AsTime().Equal(at) {
					g.t.Errorf("a job's queue time is %s; it should be %s", shown(got.AsTime()), shown(at))
				}
			}},
		{name: "queue.push serves many callers at once", on: pushed, says: "every push stores one job, and returns its own id",
			run: func(g *gallery) {
				const n = 24
				queues := []string{newQueue(), newQueue(), newQueue()}
				jobs, ids := make([]string, n), make([][]byte, n)
				report(g.t, "Queue.Push", together(n, func(i int) error {
					jobs[i] = newJob()
					got, err := g.media.Queue.Push(g.ctx, &mediav1.PushRequest{Job: &mediav1.NewJob{Queue: queues[i%3], Job: jobs[i]}})
					ids[i] = got.GetJobId()
					return err
				}))
				for range n / 3 {
					for k, queue := range queues {
						got := g.worker(queue).pop()
						i := slices.IndexFunc(ids, func(id []byte) bool { return bytes.Equal(id, got.Id) })
						if i < 0 || i%3 != k || !sameJSON(jobs[i], got.Job) {
							g.t.Fatalf("a job is in another queue than it was pushed to, or has another job's id")
						}
					}
				}
			}},
	}
}

func oddQueues(g *gallery) {
	base := unique(4)
	names := []string{base, base + " ", " " + base, base + "'", base + `"`, base + `\`, base + "%", base + "_", base + "$1", base + "@queue",
		base + ";--", base + "\n", base + "ü", base + "漢字", "Q" + base, "q" + base, base + " " + base, base + "\U0001F600"}
	ids := make([][]byte, len(names))
	for i, name := range names {
		ids[i] = g.worker(name).pushJob(fmt.Sprintf(`{"number":%d}`, i))
	}
	for i, name := range slices.Backward(names) {
		w := g.worker(name)
		if got := w.pop(); !bytes.Equal(got.Id, ids[i]) || !sameJSON(got.Job, fmt.Sprintf(`{"number":%d}`, i)) {
			g.t.Errorf("the queue %q hands out another queue's job", name)
		}
		w.complete(ids[i], mediav1.JobResult_SUCCESS)
	}
}

func queueUniqueCases() []mediaCase {
	const held = "a unique key is held over all queues while its job is stored, and free afterwards"
	needs := []Capability{UniqueJobs}
	return []mediaCase{
		{name: "queue.push refuses a second job with a unique key", on: keys(queuePush), says: held, needs: needs,
			run: func(g *gallery) {
				w, key := g.worker(newQueue()), unique(8)
				w.free(key, "that nobody has")
				w.taken(key, "while the other one waits")
			}},
		{name: "queue.push leaves the first job with a unique key as it is", on: keys(queuePush, queueClaim), says: held, needs: needs, run: firstWins},
		{name: "queue.push compares unique keys as they are", on: keys(queuePush), says: "keys are opaque", needs: needs,
			run: func(g *gallery) {
				w, key := g.worker(newQueue()), unique(6)+"a"
				for _, k := range []string{key, key + " ", " " + key, key + "A", key + "%", key + "_", key + "'", key + "ä", key[:len(key)-1] + "A"} {
					w.free(k, "that only looks like another one")
				}
			}},
		{name: "queue.push never takes jobs without a key for duplicates", on: keys(queuePush, queueClaim), says: "no key never conflicts",
			run: func(g *gallery) {
				w, job := g.worker(newQueue()), newJob()
				w.takes(w.pushJob(job), w.pushJob(job), w.pushJob(job))
			}},
		{name: "queue.claim keeps the unique key", on: keys(queuePush, queueClaim), says: held, needs: needs,
			run: func(g *gallery) {
				w, key := g.worker(newQueue()), unique(8)
				w.takes(w.free(key, "that nobody has"))
				w.taken(key, "while the other one is running")
			}},
		{name: "queue.complete frees the unique key", on: keys(queuePush, queueComplete), says: held, needs: needs,
			run: func(g *gallery) {
				for _, result := range []mediav1.JobResult{mediav1.JobResult_SUCCESS, mediav1.JobResult_ABORTED} {
					w, key := g.worker(newQueue()), unique(8)
					id := w.free(key, "that nobody has")
					w.takes(id)
					w.complete(id, result)
					w.takes(w.free(key, "after its job ended with "+result.String()))
				}
			}},
		{name: "queue.fail keeps the unique key until the last attempt", on: keys(queuePush, queueFail), says: held, needs: []Capability{UniqueJobs, RetriesJobs},
			run: func(g *gallery) {
				w, key := g.worker(newQueue()), unique(8)
				id := w.free(key, "that nobody has")
				w.takes(id)
				w.complete(id, mediav1.JobResult_FAILURE)
				w.taken(key, "while the other one waits to be tried again")
			}},
		{name: "queue.fail frees the unique key with the last attempt", on: keys(queuePush, queueFail, queueDiscardExhausted),
			says: held, needs: []Capability{UniqueJobs, RetriesJobs, StaleJobsReturn}, exclusive: true,
			run: func(g *gallery) {
				at := g.stopClock()
				w, key := g.worker(newQueue()), unique(8)
				id := w.free(key, "that nobody has")
				for left := g.retries() - 1; left >= 0; left-- {
					w.taken(key, fmt.Sprintf("while the other one has %d more attempts", left+1))
					w.takes(id)
					w.complete(id, mediav1.JobResult_FAILURE)
					at = at.Add(g.staleAfter())
					g.at(at)
				}
				w.takes(w.free(key, "after the last attempt of its job"))
			}},
	}
}

// firstWins tries to push other jobs with the key of one that is stored.
func firstWins(g *gallery) {
	w, key := g.worker(newQueue()), unique(8)
	other, job := w.in(newQueue()), newJob()
	first := ask(g, g.media.Queue.Push, &mediav1.PushRequest{Job: &mediav1.NewJob{Queue: w.queue, Job: job, UniqueKey: &key}})
	second := w.push()
	for _, at := range []*worker{w, other} {
		at.pushKey(key)
	}
	if got := w.pop(); !bytes.Equal(got.Id, first.JobId) || !sameJSON(got.Job, job) {
		g.t.Errorf("another push with its unique key changed a job, or its place")
	}
	w.takes(second)
	w.findsNothing("it was refused for its unique key")
	other.findsNothing("it was refused for its unique key")
}

// pushMany stores jobs without keys in one call, and returns their ids in order: with a clock that stands
// still, that in which they are handed out.
func (w *worker) pushMany(n int) [][]byte {
	w.t.Helper()
	request := &mediav1.PushManyRequest{}
	for range n {
		request.Jobs = append(request.Jobs, &mediav1.NewJob{Queue: w.queue, Job: newJob()})
	}
	ids := jobIDs(w.gallery, ask(w.gallery, w.media.Queue.PushMany, request).Results)
	slices.SortFunc(ids, bytes.Compare)
	return ids
}

func jobIDs(g *gallery, results []*mediav1.PushResponse) [][]byte {
	g.t.Helper()
	ids := make([][]byte, len(results))
	for i, r := range results {
		if r.Queued != (len(r.JobId) == 16) {
			g.t.Errorf("job %d of a call: queued %v, but an id of %d bytes", i+1, r.Queued, len(r.JobId))
		}
		ids[i] = r.JobId
	}
	return ids
}
