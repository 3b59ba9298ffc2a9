package tracker

import (
	"time"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/schedule"
)

func (s *Service) tasks() []schedule.Task {
	return []schedule.Task{
		{Name: "tracker.gc", Jitter: 0.1, Run: s.collect, Interval: func() time.Duration { return s.begin().collectionInterval() }},
		{Name: "tracker.statistics", Run: s.observe, Interval: func() time.Duration { return s.begin().statisticsInterval() }},
	}
}

func (v view) collectionInterval() time.Duration {
	if !v.configured(trackerv1.Operations_GC_FullMethodName) {
		return 0
	}
	return v.settings.GetGcInterval().AsDuration()
}

func (v view) statisticsInterval() time.Duration {
	if !v.configured(trackerv1.Operations_PeerCount_FullMethodName) {
		return 0
	}
	return v.settings.GetPrometheusReportingInterval().AsDuration()
}

// Start begins the background work: the collection of stale peers and the statistics.
func (s *Service) Start() {
	s.adapt()
	s.schedule.Start()
}

// Reloaded tells the service that the queries and settings are other ones. A run that is under way
// finishes with those it began with; the next one is due when the new interval since the last one is
// over.
func (s *Service) Reloaded() {
	if !s.schedule.Started() {
		return // there is no background work
	}
	s.adapt()
	s.schedule.Reloaded()
}

// Close stops the background work and waits for it. It may be called more than once, and without
// Start.
func (s *Service) Close() { s.schedule.Close() }

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
