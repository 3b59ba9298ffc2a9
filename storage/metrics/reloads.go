package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Reloads tells which query set is in use and how the last reload went. The names follow Prometheus'
// own (prometheus_config_last_reload_successful and its timestamp), so that alert rules for those fit;
// "generation" is nginx's word, and "rejected" Envoy's.
type Reloads struct {
	outcomes   *prometheus.CounterVec
	generation prometheus.Gauge
	successful prometheus.Gauge
	success    prometheus.Gauge
}

// NewReloads registers the metrics. The series of all outcomes exist from the start.
func NewReloads(registerer prometheus.Registerer, outcomes ...string) *Reloads {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "mortise_config_" + name, Help: help})
	}
	r := &Reloads{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mortise_reloads_total",
			Help: "Reloads of the operator's file, and rollbacks, by how they ended."}, []string{"outcome"}),
		generation: gauge("generation", "The query set in use, counted from 1 at the start."),
		successful: gauge("last_reload_successful", "Whether the last reload was successful."),
		success:    gauge("last_reload_success_timestamp_seconds", "When the queries were last loaded or reloaded successfully."),
	}
	for _, outcome := range outcomes {
		r.outcomes.WithLabelValues(outcome)
	}
	registerer.MustRegister(r.outcomes, r.generation, r.successful, r.success)
	return r
}

// InUse tells which generation is in use after a load that was successful.
func (r *Reloads) InUse(generation int64, at time.Time) {
	r.generation.Set(float64(generation))
	r.successful.Set(1)
	r.success.Set(float64(at.UnixMilli()) / 1000)
}

// Ended counts a reload.
func (r *Reloads) Ended(outcome string, success bool) {
	r.outcomes.WithLabelValues(outcome).Inc()
	if !success {
		r.successful.Set(0)
	}
}
