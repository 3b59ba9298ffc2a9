package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requestMetrics count and time requests by route, method and status. Nil counts nothing.
type requestMetrics struct{ seconds *prometheus.HistogramVec }

func newRequestMetrics(registerer prometheus.Registerer) (*requestMetrics, error) {
	if registerer == nil {
		return nil, nil
	}
	m := &requestMetrics{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "mediaserver_request_seconds",
		Help:    "Time from a request to the end of its answer, by route, method and status.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 17), // half a millisecond to half a minute
	}, []string{"route", "method", "status"})}
	return m, registerer.Register(m.seconds)
}

func (m *requestMetrics) observe(route, method string, status int, took time.Duration) {
	if m == nil {
		return
	}
	switch method {
	case "GET", "HEAD", "POST", "DELETE":
	default: // clients make up methods; metrics must not grow with them
		method = "other"
	}
	m.seconds.WithLabelValues(route, method, strconv.Itoa(status)).Observe(took.Seconds())
}
