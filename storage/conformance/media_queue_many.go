package conformance

import (
	"bytes"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

func queuePushManyCases() []mediaCase {
	const many = "several jobs are stored together, and told in the order of the request"
	pushed := keys(queuePush, queueClaim)
	return []mediaCase{
		{name: "PushMany stores every job in its queue", on: pushed, says: many,
			run: func(g *gallery) {
				queues := []string{newQueue(), newQueue()}
				request := &mediav1.PushManyRequest{}
				for i := range 7 {
					request.Jobs = append(request.Jobs, &mediav1.NewJob{Queue: queues[i%2], Job: newJob()})
				}
				ids := jobIDs(g, ask(g, g.media.Queue.PushMany, request).Results)
				if len(ids) != 7 {
					g.t.Fatalf("%d results for 7 jobs", len(ids))
				}
				for range ids {
					g.popsOneOf(queues, ids, request.Jobs)
				}
			}},
		{name: "PushMany tells duplicates among new jobs", on: pushed, says: many, needs: []Capability{UniqueJobs}, run: duplicatesAmongMany},
		{name: "PushMany stores one of several jobs with one key", on: pushed, says: many, needs: []Capability{UniqueJobs},
			run: func(g *gallery) {
				w, key := g.worker(newQueue()), unique(8)
				request := &mediav1.PushManyRequest{}
				for range 4 {
					request.Jobs = append(request.Jobs, &mediav1.NewJob{Queue: w.queue, Job: newJob(), UniqueKey: &key})
				}
				got := ask(g, g.media.Queue.PushMany, request).Results
				for i, r := range got {
					equal(g, "queued", r.Queued, i == 0)
				}
				if job := w.pop(); !bytes.Equal(job.Id, got[0].JobId) || !sameJSON(job.Job, request.Jobs[0].Job) {
					g.t.Errorf("another one than the first of several jobs with one key was stored")
				}
				w.findsNothing("it was refused for its unique key")
			}},
		{name: "PushMany takes as many jobs as it says", on: pushed, says: "up to 1000 jobs are stored together", run: thousandJobs},
		{name: "PushMany of nothing stores nothing", on: keys(queuePush), says: many,
			run: func(g *gallery) {
				if got := ask(g, g.media.Queue.PushMany, &mediav1.PushManyRequest{}); len(got.Results) != 0 {
					g.t.Errorf("%d results for no job", len(got.Results))
				}
			}},
	}
}

// popsOneOf takes one of some jobs, from the queue that it was pushed to.
func (g *gallery) popsOneOf(queues []string, ids [][]byte, jobs []*mediav1.NewJob) {
	g.t.Helper()
	i := slices.IndexFunc(ids, func(id []byte) bool { return id != nil })
	w := g.worker(jobs[i].Queue)
	got := w.pop()
	k := slices.IndexFunc(ids, func(id []byte) bool { return bytes.Equal(id, got.Id) })
	if k < 0 || jobs[k].Queue != w.queue || !sameJSON(jobs[k].Job, got.Job) {
		g.t.Fatalf("a job is in another queue than it was pushed to, or has another job's id")
	}
	ids[k] = nil
}

// duplicatesAmongMany pushes, among others, jobs with keys that are taken by an earlier one and by a job
// that was stored before.
func duplicatesAmongMany(g *gallery) {
	w := g.worker(newQueue())
	stored, twice, once := unique(8), unique(8), unique(8)
	before := w.in(newQueue()).free(stored, "that nobody has")
	wants := []struct {
		key    *string
		queued bool
	}{{nil, true}, {&stored, false}, {&twice, true}, {nil, true}, {&twice, false}, {&once, true}, {&stored, false}, {nil, true}}
	request := &mediav1.PushManyRequest{}
	for _, want := range wants {
		request.Jobs = append(request.Jobs, &mediav1.NewJob{Queue: w.queue, Job: newJob(), UniqueKey: want.key})
	}
	ids := jobIDs(g, ask(g, g.media.Queue.PushMany, request).Results)
	if len(ids) != len(wants) {
		g.t.Fatalf("%d results for %d jobs", len(ids), len(wants))
	}
	stay := 0
	for i, want := range wants {
		if (ids[i] != nil) != want.queued {
			g.t.Errorf("job %d of %d: queued %v; it should be %v", i+1, len(wants), ids[i] != nil, want.queued)
		}
		if want.queued {
			stay++
		}
	}
	for range stay {
		got := w.pop()
		i := slices.IndexFunc(ids, func(id []byte) bool { return bytes.Equal(id, got.Id) })
		if i < 0 || !sameJSON(got.Job, request.Jobs[i].Job) {
			g.t.Fatalf("a job that is handed out was not told to be queued, or has another job's id")
		}
	}
	w.findsNothing("it was refused for its unique key")
	if bytes.Equal(before, ids[1]) {
		g.t.Errorf("a refused job is told with the id of the one that is stored")
	}
}

func thousandJobs(g *gallery) {
	w := g.worker(newQueue())
	request := &mediav1.PushManyRequest{}
	for range 1000 {
		request.Jobs = append(request.Jobs, &mediav1.NewJob{Queue: w.queue, Job: `"one of many"`})
	}
	stored := map[string]bool{}
	for _, id := range jobIDs(g, ask(g, g.media.Queue.PushMany, request).Results) {
		stored[string(id)] = true
	}
	if len(stored) != 1000 {
		g.t.Errorf("1000 jobs have %d ids", len(stored))
	}
	if !stored[string(w.pop().Id)] {
		g.t.Errorf("a job is handed out under another id")
	}
	request.Jobs = append(request.Jobs, request.Jobs[0])
	refuse(g, codes.InvalidArgument, fault.InvalidArgument, g.media.Queue.PushMany, request)
}

func queueClaimCases() []mediaCase {
	const oldest = "of the jobs that are ready in a queue the oldest is handed out: lowest queue time, then lowest id"
	pushed := keys(queuePush, queueClaim)
	return []mediaCase{
		{name: "queue.claim hands out the oldest job first", on: pushed, says: oldest,
			run: func(g *gallery) {
				w := g.worker(newQueue())
				w.takes(w.push(), w.push(), w.push(), w.push(), w.push())
			}},
		{name: "queue.claim goes by queue time and not by id", on: pushed, says: oldest, needs: []Capability{ClockStops}, exclusive: true,
			run: func(g *gallery) {
				at := g.stopClock()
				w := g.worker(newQueue())
				pushAt := func(seconds int) []byte {
					g.at(at.Add(time.Duration(seconds) * time.Second))
					return w.push()
				}
				third, first, fourth, second := pushAt(3), pushAt(1), pushAt(4), pushAt(2)
				g.at(at.Add(5 * time.Second))
				w.takes(first, second, third, fourth)
			}},
		{name: "queue.claim goes by id among jobs of the same time", on: pushed, says: oldest, needs: []Capability{OrdersByID}, exclusive: true,
			run: func(g *gallery) {
				g.stopClock()
				w := g.worker(newQueue())
				w.takes(w.pushMany(15)...)
			}},
		{name: "queue.claim goes by id and not by the last change", on: on(pushed, keys(queueRequeueInProgress)), says: oldest,
			needs: []Capability{OrdersByID, RequeuesJobs}, exclusive: true,
			run: func(g *gallery) {
				g.stopClock()
				w := g.worker(newQueue())
				ids := w.pushMany(6)
				w.takes(ids[:3]...)
				ask(g, g.media.Queue.RequeueInProgress, &mediav1.RequeueInProgressRequest{Worker: w.id})
				w.takes(ids...)
			}},
		{name: "queue.claim takes jobs of its own queue only", on: pushed, says: "a worker gets jobs of the queue that it asks for",
			run: func(g *gallery) {
				w := g.worker(newQueue())
				v := w.in(newQueue())
				elsewhere := v.push()
				w.findsNothing("it is in another queue")
				v.takes(elsewhere)
			}},
		{name: "queue.claim takes a job once", on: pushed, says: "a job that is running is not handed out",
			run: func(g *gallery) {
				w := g.worker(newQueue())
				w.hold()
				w.findsNothing("another worker holds it")
				w.takes(w.push())
			}},
		{name: "queue.claim takes one job at a time", on: pushed, says: "a worker gets one job, and the others stay ready",
			run: func(g *gallery) {
				w := g.worker(newQueue())
				first, second, third := w.push(), w.push(), w.push()
				w.takes(first)
				w.other().takes(second)
				w.takes(third)
			}},
		{name: "queue.claim gives the job to the worker that asked", on: on(pushed, keys(queueHeartbeat, queueComplete)),
			says: "the worker that a job is handed to holds it, and nobody else", needs: []Capability{TellsJobHolder},
			run: func(g *gallery) {
				w := g.worker(newQueue())
				other := w.other()
				id := w.hold()
				other.holds(id, false, "it was handed to another one")
				w.holds(id, true, "it was handed to this one")
				other.lost(id, "it was handed to another worker")
				w.completes(id, mediav1.JobResult_SUCCESS)
			}},
		{name: "queue.claim tells job and attempts of the job it takes", on: pushed, says: "a job comes with what is stored of it",
			run: func(g *gallery) {
				w := g.worker(newQueue())
				jobs := []string{newJob(), newJob(), newJob()}
				for _, job := range jobs {
					w.pushJob(job)
				}
				for i, job := range jobs {
					got := w.pop()
					if !sameJSON(got.Job, job) || (got.Retry != nil && *got.Retry < 1) || len(got.Id) != 16 {
						g.t.Errorf("job %d comes as %s with %s attempts", i+1, got.Job, attempts(got.Retry))
					}
				}
			}},
	}
}
