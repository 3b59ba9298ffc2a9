package tracker

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// A schedule is the background work of a service.
type schedule struct {
	tasks  []*task
	work   sync.WaitGroup
	cancel context.CancelFunc
}

// A task is work that is done again and again. The first run is one interval after the start, later
// ones one interval after the end of the one before, so that runs never overlap.
type task struct {
	// interval is the pause between runs under the present queries and settings; 0 is no runs.
	interval func(view) time.Duration
	// jitter is the part of the interval by which several nodes spread their runs.
	jitter float64
	run    func(context.Context)
	// changed says that the interval may be another one. It holds one entry.
	changed chan struct{}
}

func (s *Service) tasks() []*task {
	collection := &task{jitter: 0.1, run: s.collect, changed: make(chan struct{}, 1), interval: func(v view) time.Duration {
		if !v.configured(trackerv1.Operations_GC_FullMethodName) {
			return 0
		}
		return v.settings.GetGcInterval().AsDuration()
	}}
	statistics := &task{run: s.observe, changed: make(chan struct{}, 1), interval: view.statisticsInterval}
	return []*task{collection, statistics}
}

func (v view) statisticsInterval() time.Duration {
	if !v.configured(trackerv1.Operations_PeerCount_FullMethodName) {
		return 0
	}
	return v.settings.GetPrometheusReportingInterval().AsDuration()
}

// Start begins the background work: the collection of stale peers and the statistics.
func (s *Service) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.schedule.cancel = cancel
	s.adapt()
	for _, t := range s.schedule.tasks {
		s.schedule.work.Go(func() { s.repeat(ctx, t) })
	}
}

// Reloaded tells the service that the queries and settings are other ones. A run that is under way
// finishes with those it began with; the next one is due when the new interval since the last one is
// over, so that reloads, however many, neither hurry the work nor put it off.
func (s *Service) Reloaded() {
	if s.schedule.cancel == nil {
		return // there is no background work
	}
	s.adapt()
	for _, t := range s.schedule.tasks {
		select {
		case t.changed <- struct{}{}:
		default: // it is told already
		}
	}
}

// Close stops the background work and waits for it. It may be called more than once, and without
// Start.
func (s *Service) Close() {
	if s.schedule.cancel != nil {
		s.schedule.cancel()
	}
	s.schedule.work.Wait()
}

// adapt does what depends on which queries there are.
func (s *Service) adapt() {
	v := s.begin()
	if v.configured(trackerv1.Swarms_PutPeer_FullMethodName) && !v.configured(trackerv1.Operations_GC_FullMethodName) {
		s.logger.Warn("no gc_query is configured: peers never expire", "key", "tracker.gc_query")
	}
	if v.statisticsInterval() <= 0 {
		return
	}
	if err := s.metrics.showInfoHashes(v.configured(trackerv1.Operations_InfoHashCount_FullMethodName)); err != nil {
		s.logger.Error("the gauge of info hashes cannot be shown", "error", err.Error())
	}
}

// repeat runs a task until ctx ends.
func (s *Service) repeat(ctx context.Context, t *task) {
	last := time.Now()
	spread := t.spread()
	for {
		var due <-chan time.Time
		interval := t.interval(s.begin())
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
			t.run(ctx)
			last, spread = time.Now(), t.spread()
		}
	}
}

// spread is the factor for the next pause.
func (t *task) spread() float64 { return 1 + t.jitter*(2*rand.Float64()-1) }
