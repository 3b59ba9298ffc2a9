package work

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// Metrics counts jobs by queue, and by how they ended: success, failure, aborted, lost, given back;
// dropped counts those failures that were a job's last. A nil *Metrics counts nothing.
type Metrics struct {
	ends    *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	running *prometheus.GaugeVec
	missed  *prometheus.CounterVec
	loops   *prometheus.GaugeVec
}

// NewMetrics returns metrics that are registered with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		ends: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mediaserver_jobs_total",
			Help: "Jobs that ended in this process, by queue and outcome."}, []string{"queue", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "mediaserver_job_seconds",
			Help: "How long jobs ran.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 18)}, []string{"queue"}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mediaserver_jobs_running",
			Help: "Jobs that run in this process now."}, []string{"queue"}),
		missed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mediaserver_heartbeats_failed_total",
			Help: "Heartbeats of running jobs that did not reach the queue."}, []string{"queue"}),
	}
	m.loops = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mediaserver_worker_loop",
		Help: "Always 1: the ids with which the loops of this process hold jobs."}, []string{"queue", "worker"})
	r.MustRegister(m.ends, m.seconds, m.running, m.missed, m.loops)
	return m
}

func (m *Metrics) loop(queue, worker string) {
	if m != nil {
		m.loops.WithLabelValues(queue, worker).Set(1)
	}
}

func (m *Metrics) began(queue string) {
	if m != nil {
		m.running.WithLabelValues(queue).Inc()
	}
}

func (m *Metrics) took(queue string, d time.Duration) {
	if m != nil {
		m.running.WithLabelValues(queue).Dec()
		m.seconds.WithLabelValues(queue).Observe(d.Seconds())
	}
}

func (m *Metrics) ended(queue, outcome string) {
	if m != nil {
		m.ends.WithLabelValues(queue, outcome).Inc()
	}
}

func (m *Metrics) missedBeat(queue string) {
	if m != nil {
		m.missed.WithLabelValues(queue).Inc()
	}
}

// outcome is how metrics and logs name a result.
func outcome(result mediav1.JobResult) string {
	switch result {
	case mediav1.JobResult_SUCCESS:
		return "success"
	case mediav1.JobResult_FAILURE:
		return "failure"
	}
	return "aborted"
}
