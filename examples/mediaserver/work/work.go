// Package work runs the jobs of a media host: loops that take jobs from the plugin's queues, run them
// under a heartbeat and say how they ended, and the feeders that push what is due now and then.
//
// It must not know what a job is or does: a job is bytes, and a function that is given runs it.
// Delivery is at least once. A loop that dies is no loss: its job is given to another as soon as its
// heartbeat is stale.
package work

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

const (
	defaultWait  = 30 * time.Second
	defaultGrace = 20 * time.Second
)

// Options of the workers. Queue, Run, Loops and Heartbeat must be given.
type Options struct {
	Queue mediav1.QueueClient
	// Run does a job and says how it ended. Its context ends when the job was lost to another worker
	// (the cause is ErrLost), and when the workers cannot wait any longer for it to end (ErrStopped). A
	// panic counts as ABORTED.
	Run func(ctx context.Context, queue string, job []byte) mediav1.JobResult
	// Loops is how many jobs of each queue run at once.
	Loops map[string]int
	// Heartbeat is the pause between two signs of life of a running job. It is well below the age at
	// which jobs count as abandoned: the storage tells what it wants (Repo.Capabilities).
	Heartbeat time.Duration
	// Wait is how long one call waits for a job; 30 seconds if 0. The loop then calls again.
	Wait time.Duration
	// Grace is how long running jobs may take to end after the workers are told to stop; 20 seconds if
	// 0, not at all if negative. What is not done by then is given back to the queue.
	Grace time.Duration
	// Metrics counts what happens; may be nil.
	Metrics *Metrics
	// Logger is slog's default if nil.
	Logger *slog.Logger
}

// ErrLost is the cause of a job's end whose heartbeat was answered with: you do not hold it any more.
var ErrLost = errors.New("the job was lost to another worker")

// ErrStopped is the cause of a job's end when the workers stop and their time to finish is over.
var ErrStopped = errors.New("the workers are stopping")

// Run works until ctx ends, then lets running jobs finish within the grace, gives back what is not
// done, and returns. The error is for options with which nothing could be done.
func Run(ctx context.Context, o Options) error {
	if err := o.withDefaults(); err != nil {
		return err
	}
	limit, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	stopped := make(chan struct{})
	defer close(stopped)
	context.AfterFunc(ctx, func() { afterGrace(o.Grace, stopped, cut) })

	var loops sync.WaitGroup
	for queue, n := range o.Loops {
		for range n {
			l := newLoop(o, queue, limit)
			loops.Go(func() { l.run(ctx) })
		}
	}
	loops.Wait()
	return nil
}

// withDefaults fills in what was left out.
func (o *Options) withDefaults() error {
	if o.Queue == nil || o.Run == nil || len(o.Loops) == 0 || o.Heartbeat <= 0 {
		return fmt.Errorf("workers need a connection, a function for jobs, at least one queue and a heartbeat above 0 (it is %s)", o.Heartbeat)
	}
	if o.Wait <= 0 {
		o.Wait = defaultWait
	}
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return nil
}

// afterGrace ends running jobs when their time is over, unless all have ended by then.
func afterGrace(grace time.Duration, stopped <-chan struct{}, cut context.CancelCauseFunc) {
	if grace > 0 {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-stopped:
			return
		case <-timer.C:
		}
	}
	cut(ErrStopped)
}

// newLoop makes a loop with a worker id of its own: the queue must be able to tell loops apart.
func newLoop(o Options, queue string, limit context.Context) *loop {
	id := uuid.New()
	o.Metrics.loop(queue, id.String())
	return &loop{Options: o, queue: queue, worker: id[:], limit: limit,
		log: o.Logger.With("queue", queue, "worker", id.String())}
}
