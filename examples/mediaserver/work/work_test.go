package work_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/examples/mediaserver/work"
)

// Of several processes with several loops, one does each job, once.
func TestEachJobOnce(t *testing.T) {
	const jobs = 60
	s, r := open(t), newRuns()
	s.push(jobs / 2)
	o := work.Options{Loops: map[string]int{queueName: 3, "other": 1}, Run: func(_ context.Context, queue string, job []byte) mediav1.JobResult {
		if queue != queueName {
			t.Errorf("a job of queue %s", queue)
		}
		r.add(job)
		return mediav1.JobResult_SUCCESS
	}}
	first, second := s.start(o), s.start(o)
	s.drained()
	r.each(t, jobs/2, 1)
	s.push(jobs / 2) // to workers who wait
	s.drained()
	r.each(t, jobs/2, 2)
	s.eventually("all are counted", func() bool { return first.ends("success")+second.ends("success") == jobs })
}

// A job that fails is tried again when its heartbeat is stale, until its attempts are used up.
func TestFailingJob(t *testing.T) {
	s, r := open(t), newRuns()
	s.push(1)
	c := s.start(work.Options{Run: func(_ context.Context, _ string, job []byte) mediav1.JobResult {
		r.add(job)
		return mediav1.JobResult_FAILURE
	}})
	const attempts = 5
	for n := 1; n <= attempts; n++ {
		s.eventually("the job was tried again", func() bool { return r.of(`"0"`) == n })
		if n < attempts {
			s.eventually("the attempt is noted", func() bool { return s.count("worker IS NULL AND retry < 6 - "+string(rune('0'+n))) == 1 })
			s.pass(staleAfter + time.Second)
		}
	}
	s.drained()
	s.eventually("it is counted", func() bool { return c.ends("failure") == attempts && c.ends("dropped") == 1 })
}

// A job that can never succeed, and one that panics, is done away with; its loop goes on.
func TestHopelessJobs(t *testing.T) {
	s, r := open(t), newRuns()
	c := s.start(work.Options{Run: func(_ context.Context, _ string, job []byte) mediav1.JobResult {
		r.add(job)
		switch string(job) {
		case `"0"`:
			panic("a defect")
		case `"1"`:
			return mediav1.JobResult_ABORTED
		}
		return mediav1.JobResult_SUCCESS
	}})
	s.push(3)
	s.drained()
	r.each(t, 3, 1)
	s.eventually("they are counted", func() bool { return c.ends("aborted") == 2 && c.ends("success") == 1 })
}

// The job of a worker that died is done by another as soon as it is stale, and not before.
func TestDeadWorker(t *testing.T) {
	s, r := open(t), newRuns()
	s.push(2)
	if _, err := s.queue.Pop(t.Context(), &mediav1.PopRequest{Queue: queueName, Worker: someone()}); err != nil {
		t.Fatal(err)
	}
	s.start(work.Options{Run: func(_ context.Context, _ string, job []byte) mediav1.JobResult {
		r.add(job)
		return mediav1.JobResult_SUCCESS
	}})
	s.eventually("the other job is done", func() bool { return s.count("true") == 1 })
	s.pass(staleAfter - time.Second)
	s.push(1) // a look at the queue
	s.eventually("that is done", func() bool { return s.count("true") == 1 })
	s.pass(2 * time.Second)
	s.drained()
}

// A job whose heartbeat says that it is another's ends, and is not completed.
func TestLostJob(t *testing.T) {
	s := open(t)
	s.push(1)
	started, causes := make(chan struct{}), make(chan error, 1)
	c := s.start(work.Options{Run: func(ctx context.Context, _ string, _ []byte) mediav1.JobResult {
		close(started)
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return mediav1.JobResult_SUCCESS
	}})
	<-started
	other := someone()
	requeue := &mediav1.RequeueInProgressRequest{}
	if _, err := s.queue.RequeueInProgress(t.Context(), requeue); err != nil {
		t.Fatal(err)
	}
	// Either loop may be quicker, but the first one is busy until it hears of its loss.
	job, err := s.queue.Pop(t.Context(), &mediav1.PopRequest{Queue: queueName, Worker: other})
	if err != nil {
		t.Fatal(err)
	}
	if cause := <-causes; !errors.Is(cause, work.ErrLost) {
		t.Errorf("it ended because of %v", cause)
	}
	s.eventually("it is counted", func() bool { return c.ends("lost") == 1 })
	done, err := s.queue.Complete(t.Context(), &mediav1.CompleteRequest{Queue: queueName, Worker: other, JobId: job.GetId()})
	if err != nil || !done.GetHeld() {
		t.Errorf("the job is not its new holder's: %v, %v", done, err)
	}
}

// Heartbeats keep a long job from being given to another, and are never sent two at a time.
func TestHeartbeats(t *testing.T) {
	s := open(t)
	s.push(1)
	const interval, slow = 2 * time.Millisecond, 20 * time.Millisecond
	counting := &slowHeart{QueueClient: s.queue, takes: slow}
	s.start(work.Options{Queue: counting, Heartbeat: interval, Run: func(context.Context, string, []byte) mediav1.JobResult {
		for range 4 {
			before := counting.beats.Load()
			s.eventually("the heart beats", func() bool { return counting.beats.Load() > before+1 })
			s.pass(staleAfter - time.Second)
		}
		return mediav1.JobResult_SUCCESS
	}})
	r := newRuns()
	other := s.start(work.Options{Run: func(_ context.Context, _ string, job []byte) mediav1.JobResult {
		r.add(job)
		return mediav1.JobResult_SUCCESS
	}})
	s.drained()
	other.stop()
	if n := r.of(`"0"`); n > 1 {
		t.Errorf("another did the job %d times", n)
	}
	if most := counting.most.Load(); most != 1 {
		t.Errorf("%d heartbeats were under way at once", most)
	}
}

// slowHeart has heartbeats that take long, and counts those under way.
type slowHeart struct {
	mediav1.QueueClient
	takes            time.Duration
	now, most, beats atomic.Int64
}

func (h *slowHeart) Heartbeat(ctx context.Context, r *mediav1.JobRequest, o ...grpc.CallOption) (*mediav1.Affected, error) {
	if now := h.now.Add(1); now > h.most.Load() {
		h.most.Store(now)
	}
	defer h.now.Add(-1)
	answer, err := h.QueueClient.Heartbeat(ctx, r, o...)
	timer := time.NewTimer(h.takes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	h.beats.Add(1)
	return answer, err
}

// Workers that are told to stop finish what they are at, take nothing more and complete it.
func TestStopFinishes(t *testing.T) {
	s := open(t)
	s.push(2)
	started, finish := make(chan struct{}), make(chan struct{})
	c := s.start(work.Options{Run: func(ctx context.Context, _ string, _ []byte) mediav1.JobResult {
		close(started)
		<-finish
		if ctx.Err() != nil {
			t.Error("the job was cut off")
		}
		return mediav1.JobResult_SUCCESS
	}})
	<-started
	c.cancel()
	close(finish)
	c.stop()
	if left := s.count("true"); left != 1 {
		t.Errorf("%d jobs are left of 2", left)
	}
	if taken := s.count("worker IS NOT NULL"); taken != 0 {
		t.Errorf("%d jobs are held", taken)
	}
}

// What is not done in time goes back to the queue, where it is ready at once and has all its attempts.
func TestStopGivesBack(t *testing.T) {
	s := open(t)
	s.push(1)
	started := make(chan struct{})
	c := s.start(work.Options{Grace: -1, Run: func(ctx context.Context, _ string, _ []byte) mediav1.JobResult {
		close(started)
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), work.ErrStopped) {
			t.Errorf("it ended because of %v", context.Cause(ctx))
		}
		return mediav1.JobResult_FAILURE
	}})
	<-started
	c.stop()
	if c.ends("given back") != 1 || s.count("worker IS NULL AND heartbeat IS NULL AND retry = 5") != 1 {
		t.Error("the job is not ready for another")
	}
}

// Lost answers cost time, but no job: what was completed is not done again, and what was taken by a call
// whose answer was lost is given back and done.
func TestLostAnswers(t *testing.T) {
	const jobs = 12
	s, r := open(t), newRuns()
	s.push(jobs)
	s.start(work.Options{Queue: &lossy{QueueClient: s.queue}, Run: func(_ context.Context, _ string, job []byte) mediav1.JobResult {
		r.add(job)
		return mediav1.JobResult_SUCCESS
	}})
	s.drained()
	r.each(t, jobs, 1)
}

// lossy does what it is asked for and loses every third answer to Pop, Next and Complete.
type lossy struct {
	mediav1.QueueClient
	calls atomic.Int64
}

func (l *lossy) lost() error {
	if l.calls.Add(1)%3 == 0 {
		return status.Error(codes.Unavailable, "the answer was lost")
	}
	return nil
}

func (l *lossy) Pop(ctx context.Context, r *mediav1.PopRequest, o ...grpc.CallOption) (*mediav1.Job, error) {
	job, err := l.QueueClient.Pop(ctx, r, o...)
	if lost := l.lost(); lost != nil {
		return nil, lost
	}
	return job, err
}

func (l *lossy) Next(ctx context.Context, r *mediav1.NextRequest, o ...grpc.CallOption) (*mediav1.NextResponse, error) {
	answer, err := l.QueueClient.Next(ctx, r, o...)
	if lost := l.lost(); lost != nil {
		return nil, lost
	}
	return answer, err
}

func (l *lossy) Complete(ctx context.Context, r *mediav1.CompleteRequest, o ...grpc.CallOption) (*mediav1.CompleteResponse, error) {
	answer, err := l.QueueClient.Complete(ctx, r, o...)
	if lost := l.lost(); lost != nil {
		return nil, lost
	}
	return answer, err
}

// A queue that nobody can reach is asked again, with pauses, until the workers are told to stop.
func TestOutage(t *testing.T) {
	s, r := open(t), newRuns()
	s.push(1)
	down := &outage{QueueClient: s.queue}
	down.left.Store(3)
	s.start(work.Options{Queue: down, Run: func(_ context.Context, _ string, job []byte) mediav1.JobResult {
		r.add(job)
		return mediav1.JobResult_SUCCESS
	}})
	s.drained()
	r.each(t, 1, 1)
	if left := down.left.Load(); left >= 0 {
		t.Errorf("%d failures were not met", left)
	}
}

// outage fails the first calls of Pop.
type outage struct {
	mediav1.QueueClient
	left atomic.Int64
}

func (q *outage) Pop(ctx context.Context, r *mediav1.PopRequest, o ...grpc.CallOption) (*mediav1.Job, error) {
	if q.left.Add(-1) >= 0 {
		return nil, status.Error(codes.Unavailable, "nobody is there")
	}
	return q.QueueClient.Pop(ctx, r, o...)
}

// Options with which nothing could be done are refused.
func TestOptions(t *testing.T) {
	whole := func() work.Options {
		return work.Options{Queue: mediav1.NewQueueClient(nil), Loops: map[string]int{"q": 1}, Heartbeat: time.Second,
			Run: func(context.Context, string, []byte) mediav1.JobResult { return mediav1.JobResult_SUCCESS }}
	}
	for name, spoil := range map[string]func(*work.Options){
		"no queue":     func(o *work.Options) { o.Queue = nil },
		"no function":  func(o *work.Options) { o.Run = nil },
		"no loops":     func(o *work.Options) { o.Loops = nil },
		"no heartbeat": func(o *work.Options) { o.Heartbeat = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			o := whole()
			spoil(&o)
			if err := work.Run(t.Context(), o); err == nil {
				t.Error("they worked")
			}
		})
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := work.Run(ended, whole()); err != nil {
		t.Error(err)
	}
}
