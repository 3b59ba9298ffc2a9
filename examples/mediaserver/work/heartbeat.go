package work

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// execute runs a job under a heartbeat. The error is ErrLost or ErrStopped if the job's end means
// nothing, because it is another's by now, or was cut off.
func (l *loop) execute(job *mediav1.Job) (mediav1.JobResult, error) {
	ctx, cancel := context.WithCancelCause(l.limit)
	defer cancel(nil)
	beating, end := context.WithCancel(ctx)
	var heart sync.WaitGroup
	heart.Go(func() { l.beat(beating, job, cancel) })

	began := time.Now()
	l.Metrics.began(l.queue)
	result := l.call(ctx, job)
	l.Metrics.took(l.queue, time.Since(began))
	// No heartbeat is under way when the job is completed: it would find nothing and call that a loss.
	end()
	heart.Wait()

	if cause := context.Cause(ctx); errors.Is(cause, ErrLost) || errors.Is(cause, ErrStopped) && result != mediav1.JobResult_SUCCESS {
		return result, cause
	}
	return result, nil
}

// beat tells the queue that the worker is still at the job: at once, then at each interval. A beat that
// takes longer delays the next, so there are never two under way.
func (l *loop) beat(ctx context.Context, job *mediav1.Job, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(l.Heartbeat)
	defer ticker.Stop()
	for {
		answer, err := l.Queue.Heartbeat(ctx, &mediav1.JobRequest{Queue: l.queue, Worker: l.worker, JobId: job.GetId()})
		switch {
		case ctx.Err() != nil:
			return
		case err != nil: // the next one may get through in time
			l.log.Warn("a heartbeat failed", "job", text(job.GetId()), "error", err)
			l.Metrics.missedBeat(l.queue)
		case answer.Affected != nil && answer.GetAffected() == 0:
			cancel(ErrLost)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// text writes a job's id as people know it from the database.
func text(id []byte) string {
	if u, err := uuid.FromBytes(id); err == nil {
		return u.String()
	}
	return "unknown"
}
