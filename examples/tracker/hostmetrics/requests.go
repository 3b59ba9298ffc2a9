// Package hostmetrics counts what the tracker itself does, and shows it together with the
// metrics of the plugin on one page. It must not know any protocol.
package hostmetrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Outcome of a request.
type Outcome string

const (
	// Answered as asked.
	Answered Outcome = "answered"
	// Refused for an error of the client.
	Refused Outcome = "refused"
	// Failed for an error of the tracker or its storage.
	Failed Outcome = "failed"
	// Dropped without an answer: too many requests at once, or not a packet of the protocol.
	Dropped Outcome = "dropped"
)

// Requests counts and times requests by protocol (http, udp), kind (announce, scrape, connect) and
// outcome. A nil *Requests counts nothing.
type Requests struct {
	seconds *prometheus.HistogramVec
}

// NewRequests returns metrics that are registered with r.
func NewRequests(r prometheus.Registerer) *Requests {
	m := &Requests{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "tracker_request_seconds",
		Help:    "Time from a request to its answer, by protocol, kind and outcome.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16),
	}, []string{"protocol", "kind", "outcome"})}
	r.MustRegister(m.seconds)
	return m
}

// Observe counts one request that took d.
func (m *Requests) Observe(protocol, kind string, outcome Outcome, d time.Duration) {
	if m != nil {
		m.seconds.WithLabelValues(protocol, kind, string(outcome)).Observe(d.Seconds())
	}
}
