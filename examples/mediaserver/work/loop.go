package work

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// farewell bounds what a loop has to tell the queue while it is stopping.
const farewell = 5 * time.Second

// A loop takes one job after the other from a queue.
type loop struct {
	Options
	queue  string
	worker []byte
	// limit ends when running jobs must not run any longer.
	limit  context.Context
	log    *slog.Logger
	pauses backOff
	// unsure means that the queue may hold a job for this worker of which the worker does not know: the
	// answer to a call that may have taken one was lost.
	unsure bool
	// cannotGiveBack means that the operator has no query for it: such a job waits until it is stale.
	cannotGiveBack bool
}

// run takes jobs until ctx ends.
func (l *loop) run(ctx context.Context) {
	for ctx.Err() == nil {
		for job := l.pop(ctx); job != nil; {
			job = l.do(ctx, job)
		}
		l.giveBackUnknown(ctx)
	}
}

// pop waits for a job. Nil is no job this time.
func (l *loop) pop(ctx context.Context) *mediav1.Job {
	call, cancel := context.WithTimeout(ctx, l.Wait)
	defer cancel()
	job, err := l.Queue.Pop(call, &mediav1.PopRequest{Queue: l.queue, Worker: l.worker})
	if err != nil {
		l.failed(ctx, call, "taking a job", err)
		return nil
	}
	l.pauses.reset()
	return job
}

// do runs a job, tells the queue how it ended and returns the next one; nil is none at the moment.
func (l *loop) do(ctx context.Context, job *mediav1.Job) *mediav1.Job {
	l.log.Debug("a job is taken", "job", text(job.GetId()), "attempts left", job.GetRetry())
	result, err := l.execute(job)
	switch {
	case errors.Is(err, ErrLost): // it is another's to complete
		l.log.Warn("a job was lost to another worker: no heartbeat had reached the queue in time", "job", text(job.GetId()))
		l.Metrics.ended(l.queue, "lost")
		return nil
	case errors.Is(err, ErrStopped):
		l.log.Info("a job is given back unfinished", "job", text(job.GetId()))
		l.Metrics.ended(l.queue, "given back")
		l.unsure = true
		return nil
	}
	l.Metrics.ended(l.queue, outcome(result))
	if ctx.Err() != nil {
		l.complete(ctx, job, result)
		return nil
	}
	return l.next(ctx, job, result)
}

// next completes a job and waits for the next one in the same call.
func (l *loop) next(ctx context.Context, job *mediav1.Job, result mediav1.JobResult) *mediav1.Job {
	call, cancel := context.WithTimeout(ctx, l.Wait)
	defer cancel()
	response, err := l.Queue.Next(call, &mediav1.NextRequest{Queue: l.queue, Worker: l.worker, JobId: job.GetId(), Result: result})
	if err != nil {
		// Whether the job counts as done is not known. Saying it twice does no harm.
		l.complete(ctx, job, result)
		l.failed(ctx, call, "completing a job and taking the next", err)
		return nil
	}
	l.pauses.reset()
	l.told(job, response.GetCompleted())
	return response.GetJob()
}

// complete tells the queue how a job ended, more than once if need be. If it cannot be told, the job
// comes back when it is stale.
func (l *loop) complete(ctx context.Context, job *mediav1.Job, result mediav1.JobResult) {
	patience := l.Wait
	if ctx.Err() != nil {
		patience = farewell
	}
	trying, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	var pauses backOff
	for {
		response, err := l.Queue.Complete(trying, &mediav1.CompleteRequest{
			Queue: l.queue, Worker: l.worker, JobId: job.GetId(), Result: result})
		if err == nil {
			l.told(job, response)
			return
		}
		if !passing(err) || !pauses.wait(trying) {
			l.log.Error("a job could not be completed and will be done again", "job", text(job.GetId()), "result", outcome(result), "error", err)
			return
		}
	}
}

// told takes note of the queue's answer to a completion.
func (l *loop) told(job *mediav1.Job, answer *mediav1.CompleteResponse) {
	if !answer.GetHeld() {
		// After a repeated completion that is normal: the first one was heard.
		l.log.Info("a completed job was not held any more", "job", text(job.GetId()))
	}
	if answer.AttemptsLeft != nil {
		l.log.Warn("a job failed", "job", text(job.GetId()), "attempts left", answer.GetAttemptsLeft())
	}
	if answer.AttemptsLeft != nil && answer.GetAttemptsLeft() == 0 {
		l.Metrics.ended(l.queue, "dropped")
	}
}

// failed deals with a call that brought no job.
func (l *loop) failed(ctx, call context.Context, doing string, err error) {
	l.unsure = true
	switch {
	case ctx.Err() != nil: // stopping
	case status.Code(err) == codes.DeadlineExceeded && call.Err() != nil: // no job was ready
	default:
		l.log.Warn(doing+" failed", "error", err)
		l.pauses.wait(ctx)
	}
}

// giveBackUnknown gives back what the queue may hold for this worker, who has nothing: jobs that are
// given up, and jobs of which the worker never heard. It costs nothing unless there was an error or
// half a minute without a job.
func (l *loop) giveBackUnknown(ctx context.Context) {
	if !l.unsure || l.cannotGiveBack {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	answer, err := l.Queue.RequeueInProgress(ctx, &mediav1.RequeueInProgressRequest{Queue: &l.queue, Worker: l.worker})
	switch {
	case status.Code(err) == codes.Unimplemented:
		l.cannotGiveBack = true
	case err != nil:
		l.log.Warn("giving jobs back failed; they will be stale before they are done", "error", err)
	default:
		l.unsure = false
		if answer.GetAffected() > 0 {
			l.log.Info("jobs were given back", "jobs", answer.GetAffected())
		}
	}
}

// call runs the job; a panic is the job's fault, and it would be the same the next time.
func (l *loop) call(ctx context.Context, job *mediav1.Job) (result mediav1.JobResult) {
	defer func() {
		if cause := recover(); cause != nil {
			l.log.Error("a job panicked and is given up", "job", text(job.GetId()), "panic", cause, "stack", string(debug.Stack()))
			result = mediav1.JobResult_ABORTED
		}
	}()
	return l.Run(ctx, l.queue, []byte(job.GetJob()))
}

// passing says whether an error may be gone when the call is made again.
func passing(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted, codes.Aborted, codes.DeadlineExceeded, codes.Canceled:
		return true
	}
	return false
}
