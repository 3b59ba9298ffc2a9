// Package schedule runs the periodic work of a domain: each task again and again, never twice at once,
// at an interval that a reload may change.
//
// It must not know what is done: a task is a function.
package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// A Task is work that is done again and again. The first run is one interval after the start, later
// ones one interval after the end of the one before, so that runs never overlap.
type Task struct {
	// Name is told in the log when a run panics.
	Name string
	// Interval is the pause between runs under the present queries and settings; 0 is no runs.
	Interval func() time.Duration
	// Jitter is the part of the interval by which several nodes spread their runs.
	Jitter float64
	// Run does the work; it tells its errors itself.
	Run func(context.Context)

	// changed says that the interval may be another one. It holds one entry.
	changed chan struct{}
}

// A Schedule is the periodic work of one domain. The zero value has none.
type Schedule struct {
	logger *slog.Logger
	tasks  []*Task
	work   sync.WaitGroup

	mu     sync.Mutex
	cancel context.CancelFunc
}

// New makes a schedule, which begins with Start.
func New(logger *slog.Logger, tasks ...Task) *Schedule {
	s := &Schedule{logger: logger}
	for _, t := range tasks {
		t.changed = make(chan struct{}, 1)
		s.tasks = append(s.tasks, &t)
	}
	return s
}

// Start begins the work, also after Close.
func (s *Schedule) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = cancel
	for _, t := range s.tasks {
		s.work.Go(func() { s.repeat(ctx, t) })
	}
}

// Started says whether the work has begun.
func (s *Schedule) Started() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cancel != nil
}

// Reloaded tells that intervals may be other ones. A run that is under way finishes; the next one is due
// when the new interval since the last one is over, so that reloads, however many, neither hurry the
// work nor put it off.
func (s *Schedule) Reloaded() {
	for _, t := range s.tasks {
		select {
		case t.changed <- struct{}{}:
		default: // it is told already
		}
	}
}

// Close ends the work and waits for it. It may be called more than once, and without Start.
func (s *Schedule) Close() {
	s.mu.Lock()
	if s.cancel != nil {
		s.cancel()
	}
	s.mu.Unlock()
	s.work.Wait()
}

// repeat runs a task until ctx ends.
func (s *Schedule) repeat(ctx context.Context, t *Task) {
	last := time.Now()
	spread := t.spread()
	for {
		var due <-chan time.Time
		interval := t.Interval()
		timer := time.NewTimer(time.Duration(float64(interval)*spread) - time.Since(last))
		if interval > 0 {
			due = timer.C
		}
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-t.changed:
			timer.Stop()
			if interval <= 0 {
				last = time.Now() // it was off, and missed nothing
			}
		case <-due:
			s.run(ctx, t)
			last, spread = time.Now(), t.spread()
		}
	}
}

// run keeps a panic to its own run: the program has calls to answer, and the next run may fare better.
func (s *Schedule) run(ctx context.Context, t *Task) {
	defer func() {
		if r := recover(); r != nil {
			// What was thrown may hold values, so only its type is told.
			s.logger.Error("periodic work panicked; the next run is made all the same", "task", t.Name,
				"type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
		}
	}()
	t.Run(ctx)
}

// spread is the factor for the next pause.
func (t *Task) spread() float64 { return 1 + t.Jitter*(2*rand.Float64()-1) }
