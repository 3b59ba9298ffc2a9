package media

import (
	"github.com/prometheus/client_golang/prometheus"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// metrics are what the domain counts beside its operations.
type metrics struct {
	pushed, duplicates         prometheus.Counter
	claimed, unheard, requeued prometheus.Counter
	completed                  *prometheus.CounterVec // by outcome
	expired, failures          prometheus.Counter
	length                     prometheus.Gauge
	registerer                 prometheus.Registerer
}

// The ways in which a job ends, as the metric names them.
const (
	succeeded = "success"
	aborted   = "aborted"
	failed    = "failed"  // it will be tried again
	dropped   = "dropped" // it failed and has no attempt left
	lost      = "lost"    // it was not the worker's any more
)

func newMetrics(registerer prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "mortise_media_" + name, Help: help})
	}
	m := &metrics{
		registerer: registerer,
		pushed:     counter("jobs_pushed_total", "Jobs stored."),
		duplicates: counter("jobs_duplicate_total", "Jobs that were not stored because their unique key was taken."),
		claimed:    counter("jobs_claimed_total", "Jobs handed to workers."),
		unheard:    counter("jobs_unheard_total", "Jobs claimed for a caller that was gone by then; they come back when they are stale."),
		requeued:   counter("jobs_requeued_total", "Jobs made new again because their heartbeat was stale."),
		completed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mortise_media_jobs_ended_total",
			Help: "Jobs that workers ended, by outcome."}, []string{"outcome"}),
		expired:  counter("uploads_expired_total", "Uploads deleted because nobody claimed them."),
		failures: counter("background_errors_total", "Runs of background work that failed."),
		length:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "mortise_media_queue_length", Help: "Jobs of all queues in all states."}),
	}
	for _, outcome := range []string{succeeded, aborted, failed, dropped, lost} {
		m.completed.WithLabelValues(outcome)
	}
	registerer.MustRegister(m.pushed, m.duplicates, m.claimed, m.unheard, m.requeued, m.completed, m.expired, m.failures)
	return m
}

func (m *metrics) ended(result mediav1.JobResult, response *mediav1.CompleteResponse) {
	outcome := succeeded
	switch {
	case !response.GetHeld():
		outcome = lost
	case result == mediav1.JobResult_ABORTED:
		outcome = aborted
	case result == mediav1.JobResult_FAILURE && response.AttemptsLeft != nil && response.GetAttemptsLeft() == 0:
		outcome = dropped
	case result == mediav1.JobResult_FAILURE:
		outcome = failed
	}
	m.completed.WithLabelValues(outcome).Inc()
}
