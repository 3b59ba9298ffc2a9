package wake

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those of all topics; nil counts nothing.
type metrics struct {
	registerer prometheus.Registerer
	once       sync.Once // a program in which nobody waits has none of these
	wakeups    *prometheus.CounterVec
	received   *prometheus.CounterVec
	notified   *prometheus.GaugeVec
	connected  prometheus.Gauge
	connects   prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	if registerer == nil {
		return nil
	}
	m := &metrics{
		registerer: registerer,
		wakeups: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mortise_wakeups_total",
			Help: "How often a call that waits looked again, by why it did."}, []string{"topic", "cause"}),
		received: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mortise_notifications_total",
			Help: "Notifications of the database that were received."}, []string{"topic"}),
		notified: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mortise_notified",
			Help: "Whether notifications of the database arrive (1) or calls that wait only look now and then (0)."}, []string{"topic"}),
		connected: prometheus.NewGauge(prometheus.GaugeOpts{Name: "mortise_listener_up",
			Help: "Whether the connection that listens for notifications is there."}),
		connects: prometheus.NewCounter(prometheus.CounterOpts{Name: "mortise_listener_connects_total",
			Help: "How often the connection that listens for notifications was made."}),
	}
	return m
}

func (m *metrics) add(t *Topic) {
	if m == nil {
		return
	}
	m.once.Do(func() { m.registerer.MustRegister(m.wakeups, m.received, m.notified, m.connected, m.connects) })
	m.registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mortise_waiters", Help: "Calls that wait without a connection.",
		ConstLabels: prometheus.Labels{"topic": t.kind.Name}}, func() float64 { return float64(t.Waiting()) }))
	for _, cause := range causes {
		m.wakeups.WithLabelValues(t.kind.Name, string(cause))
	}
	m.received.WithLabelValues(t.kind.Name)
	m.notified.WithLabelValues(t.kind.Name)
}

func (m *metrics) woke(t *Topic, cause Cause) {
	if m != nil {
		m.wakeups.WithLabelValues(t.kind.Name, string(cause)).Inc()
	}
}

func (m *metrics) receive(t *Topic) {
	if m != nil {
		m.received.WithLabelValues(t.kind.Name).Inc()
	}
}

func (m *metrics) arrives(t *Topic, arrives bool) {
	if m != nil {
		m.notified.WithLabelValues(t.kind.Name).Set(number(arrives))
	}
}

func (m *metrics) listens(connected bool) {
	if m == nil {
		return
	}
	m.connected.Set(number(connected))
	if connected {
		m.connects.Inc()
	}
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
