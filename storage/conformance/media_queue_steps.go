package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// patience is how long a case waits for what must come at once, or at the next look at the latest.
const patience = 10 * time.Second

// A worker is a loop that takes jobs from a queue. Several loops may share an id.
type worker struct {
	*gallery
	queue string
	id    []byte
}

// worker returns one that nobody knows.
func (g *gallery) worker(queue string) *worker {
	return &worker{gallery: g, queue: queue, id: newUUID()}
}

// in returns the same worker at another queue.
func (w *worker) in(queue string) *worker { return &worker{gallery: w.gallery, queue: queue, id: w.id} }

// other returns another worker at the same queue.
func (w *worker) other() *worker { return w.gallery.worker(w.queue) }

// newJob is a payload that nobody knows.
func newJob() string { return `{"conformance":"` + unique(8) + `"}` }

// push stores a job without a key.
func (w *worker) push() []byte { return w.pushJob(newJob()) }

func (w *worker) pushJob(job string) []byte {
	w.t.Helper()
	got := ask(w.gallery, w.media.Queue.Push, &mediav1.PushRequest{Job: &mediav1.NewJob{Queue: w.queue, Job: job}})
	if !got.Queued || len(got.JobId) != 16 {
		w.t.Fatalf("Queue.Push: queued %v, a job id of %d bytes; it should be true, and 16", got.Queued, len(got.JobId))
	}
	return got.JobId
}

// pushKey stores a job with a unique key, and tells whether it was queued.
func (w *worker) pushKey(key string) (id []byte, queued bool) {
	w.t.Helper()
	got := ask(w.gallery, w.media.Queue.Push, &mediav1.PushRequest{Job: &mediav1.NewJob{Queue: w.queue, Job: newJob(), UniqueKey: &key}})
	if got.Queued != (len(got.JobId) == 16) || got.Queued != (got.JobId != nil) {
		w.t.Errorf("Queue.Push: queued %v, but a job id of %d bytes", got.Queued, len(got.JobId))
	}
	return got.JobId, got.Queued
}

// taken checks that a key cannot be used for another job, in whatever queue.
func (w *worker) taken(key, when string) {
	w.t.Helper()
	for _, at := range []*worker{w, w.in(newQueue())} {
		if _, queued := at.pushKey(key); queued {
			w.t.Errorf("a job with the unique key of another one was queued %s", when)
		}
	}
}

// free checks that a key can be used, and returns the job that was stored with it.
func (w *worker) free(key, when string) []byte {
	w.t.Helper()
	id, queued := w.pushKey(key)
	if !queued {
		w.t.Fatalf("a job was refused for its unique key %s", when)
	}
	return id
}

// tryPop waits a while for a job.
func (w *worker) tryPop(limit time.Duration, acknowledge bool) (*mediav1.Job, error) {
	ctx, cancel := context.WithTimeout(w.ctx, limit)
	defer cancel()
	return w.media.Queue.Pop(ctx, &mediav1.PopRequest{Queue: w.queue, Worker: w.id, Acknowledge: acknowledge})
}

// pop takes a job that must be there.
func (w *worker) pop() *mediav1.Job {
	w.t.Helper()
	job, err := w.tryPop(patience, false)
	if err != nil {
		w.t.Fatalf("Queue.Pop of a job that is ready: %v", err)
	}
	return job
}

// takes takes jobs that must come in this order.
func (w *worker) takes(ids ...[]byte) {
	w.t.Helper()
	for i, id := range ids {
		if job := w.pop(); !bytes.Equal(job.Id, id) {
			w.t.Fatalf("Queue.Pop: another job than expected, number %d of %d", i+1, len(ids))
		}
	}
}

// takesAll takes jobs that must come in whatever order.
func (w *worker) takesAll(ids [][]byte) {
	w.t.Helper()
	left := slices.Clone(ids)
	for range ids {
		got := w.pop().Id
		i := slices.IndexFunc(left, func(id []byte) bool { return bytes.Equal(id, got) })
		if i < 0 {
			w.t.Fatalf("Queue.Pop: another job than expected, or one of them twice")
		}
		left = slices.Delete(left, i, i+1)
	}
}

// hold stores a job and takes it, which makes it running.
func (w *worker) hold() []byte {
	w.t.Helper()
	id := w.push()
	w.takes(id)
	return id
}

// finds checks that a job is ready, without waiting for it. It is taken.
func (w *worker) finds(id []byte, why string) {
	w.t.Helper()
	last := w.push()
	got := w.pop().Id
	if !bytes.Equal(got, id) {
		w.t.Fatalf("a job is not handed out, though %s", why)
	}
	w.other().finishes(last)
}

// findsNothing checks that no job is ready, without waiting for one: a job that is pushed last is handed
// out first.
func (w *worker) findsNothing(why string) {
	w.t.Helper()
	last, other := w.push(), w.other()
	if got := other.pop().Id; !bytes.Equal(got, last) {
		w.t.Fatalf("a job is handed out, though %s", why)
	}
	other.complete(last, mediav1.JobResult_SUCCESS)
}

// finishes takes a job and completes it.
func (w *worker) finishes(id []byte) {
	w.t.Helper()
	w.takes(id)
	w.complete(id, mediav1.JobResult_SUCCESS)
}

func (w *worker) complete(id []byte, result mediav1.JobResult) *mediav1.CompleteResponse {
	w.t.Helper()
	return ask(w.gallery, w.media.Queue.Complete, &mediav1.CompleteRequest{Queue: w.queue, Worker: w.id, JobId: id, Result: result})
}

// completes ends a job that the worker must hold.
func (w *worker) completes(id []byte, result mediav1.JobResult) {
	w.t.Helper()
	if got := w.complete(id, result); !got.Held {
		w.t.Errorf("Queue.Complete with %s of a job that the worker holds: held is false", result)
	}
}

// fails lets a job fail that the worker must hold, and checks how many attempts are left.
func (w *worker) fails(id []byte, left int64) {
	w.t.Helper()
	got := w.complete(id, mediav1.JobResult_FAILURE)
	if !got.Held || got.AttemptsLeft == nil || *got.AttemptsLeft != left {
		w.t.Errorf("Queue.Complete with FAILURE of a job that the worker holds: held %v, attempts left %s; it should be true, %d",
			got.Held, attempts(got.AttemptsLeft), left)
	}
}

// lost checks that ending a job changes nothing, since the worker does not hold it.
func (w *worker) lost(id []byte, why string) {
	w.t.Helper()
	for _, result := range []mediav1.JobResult{mediav1.JobResult_SUCCESS, mediav1.JobResult_FAILURE, mediav1.JobResult_ABORTED} {
		if got := w.complete(id, result); got.Held || got.AttemptsLeft != nil {
			w.t.Errorf("Queue.Complete with %s: held %v, attempts left %s, though %s", result, got.Held, attempts(got.AttemptsLeft), why)
		}
	}
}

func attempts(left *int64) string {
	if left == nil {
		return "unset"
	}
	return shown(*left)
}

// beat sends a heartbeat, and tells whether the worker holds the job.
func (w *worker) beat(id []byte) bool {
	w.t.Helper()
	got := ask(w.gallery, w.media.Queue.Heartbeat, &mediav1.JobRequest{Queue: w.queue, Worker: w.id, JobId: id})
	return got.Affected == nil || *got.Affected == 1
}

// holds checks whether the worker holds a job, by a heartbeat.
func (w *worker) holds(id []byte, want bool, why string) {
	w.t.Helper()
	if got := w.beat(id); got != want {
		w.t.Errorf("Queue.Heartbeat: the worker holds the job: %v, though %s", got, why)
	}
}

// A crowd is a job that a worker holds, and those around it that differ from it in one way each.
type crowd struct {
	me, they, far *worker
	// mine and twin are held by the same worker in the same queue, theirs by another one there, and
	// elsewhere by the same one in another queue. Nobody has taken waiting.
	mine, twin, theirs, elsewhere, waiting []byte
}

func newCrowd(g *gallery) *crowd {
	g.t.Helper()
	c := &crowd{me: g.worker(newQueue())}
	c.they, c.far = c.me.other(), c.me.in(newQueue())
	c.twin, c.theirs, c.elsewhere = c.me.hold(), c.they.hold(), c.far.hold()
	c.mine, c.waiting = c.me.hold(), c.me.push()
	return c
}

// unchanged checks all but the one job. It uses them up.
func (c *crowd) unchanged() {
	c.me.t.Helper()
	c.me.holds(c.twin, true, "another job of the worker was not meant")
	c.they.holds(c.theirs, true, "another worker's job was not meant")
	c.far.holds(c.elsewhere, true, "the worker's job in another queue was not meant")
	left := c.me.retries() - 1
	c.me.fails(c.twin, left)
	c.they.fails(c.theirs, left)
	c.far.fails(c.elsewhere, left)
	c.me.other().takes(c.waiting)
}

// retries is how many attempts a job has.
func (g *gallery) retries() int64 {
	if n := g.media.Section.GetQueueRetries(); n > 0 {
		return n
	}
	return 5
}

// staleAfter is the age at which the last heartbeat of a job is stale.
func (g *gallery) staleAfter() time.Duration {
	return orTwoMinutes(g.media.Section.GetQueueStaleAfter().AsDuration())
}

// claimStaleAfter is the same for the claim of a variant.
func (g *gallery) claimStaleAfter() time.Duration {
	return orTwoMinutes(g.media.Section.GetVariantsStaleAfter().AsDuration())
}

func orTwoMinutes(d time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return 2 * time.Minute
}

// stopClock stops the storage's clock until the case is over, and returns the time that it shows.
func (g *gallery) stopClock() time.Time {
	at, goOn := g.media.Clock.stop()
	g.later(goOn)
	return at
}

// set lets a stopped clock show another time.
func (c *Clock) set(at time.Time) { c.stopped.Store(&at) }

// at lets the stopped clock show another time.
func (g *gallery) at(t time.Time) { g.media.Clock.set(t) }

// A pending is a call that waits while the case goes on.
type pending[R any] struct {
	done     chan struct{}
	cancel   context.CancelFunc
	response *R
	err      error
}

// begin calls a method beside the case. The call is given up when the case is over, or takes too long.
func begin[Q, R any](g *gallery, m method[Q, R], request *Q) *pending[R] {
	ctx, cancel := context.WithTimeout(g.ctx, patience)
	p := &pending[R]{done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(p.done)
		p.response, p.err = m(ctx, request)
	}()
	g.later(func() { p.giveUp() })
	return p
}

// answer waits for the call.
func (p *pending[R]) answer() (*R, error) {
	<-p.done
	p.cancel()
	return p.response, p.err
}

// giveUp ends the call, and returns what it answered.
func (p *pending[R]) giveUp() (*R, error) {
	p.cancel()
	return p.answer()
}

// ended says whether a call was ended by its caller or its deadline, and by nothing else.
func ended(err error) bool {
	return status.Code(err) == codes.Canceled || status.Code(err) == codes.DeadlineExceeded
}

// timesOut calls a method that must wait for its caller's deadline.
func timesOut[Q, R any](g *gallery, m method[Q, R], request *Q, why string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := m(ctx, request); status.Code(err) != codes.DeadlineExceeded {
		g.t.Errorf("%s: %v; it should wait until its deadline: %s", nameOf(m), err, why)
	}
}

// sameJSON compares by meaning: databases keep JSON in forms of their own.
func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}
