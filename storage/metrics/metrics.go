// Package metrics counts what happens to operations, as Prometheus metrics.
//
// Label values come from fixed sets: operations of the contract, SQLSTATE classes, columns. Nothing
// that a request holds ever becomes a label.
package metrics

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query"
)

// Operations counts calls by operation; it is the observer of the pool and of the executor. The
// series of all operations exist from the start, so that a zero can be seen.
type Operations struct {
	logger   *slog.Logger
	sections map[string]*sectionMetrics

	mu     sync.Mutex
	logged map[string]time.Time
}

type sectionMetrics struct {
	seconds    *prometheus.HistogramVec
	rows       *prometheus.CounterVec
	errors     *prometheus.CounterVec
	retries    *prometheus.CounterVec
	roundTrips *prometheus.CounterVec
	badRows    *prometheus.CounterVec
	clamped    *prometheus.CounterVec
	byOp       map[*operation.Operation]*operationMetrics
}

type operationMetrics struct {
	seconds    prometheus.Observer
	rows       prometheus.Counter
	roundTrips prometheus.Counter
}

// latencyBuckets reach from the fastest round trip on a local socket to the usual time limit.
var latencyBuckets = []float64{.00005, .0001, .0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10}

// NewOperations registers the metrics of all operations of the sections that the set serves.
func NewOperations(contract *operation.Contract, set *query.Set, registerer prometheus.Registerer, logger *slog.Logger) *Operations {
	m := &Operations{logger: logger, sections: map[string]*sectionMetrics{}, logged: map[string]time.Time{}}
	for _, section := range contract.Sections() {
		if set.Serves(section.Name) {
			m.sections[section.Name] = newSection(section, registerer)
		}
	}
	return m
}

func newSection(section *operation.Section, registerer prometheus.Registerer) *sectionMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mortise_" + section.Name + "_" + name, Help: help}, labels)
	}
	s := &sectionMetrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "mortise_" + section.Name + "_op_seconds",
			Help: "Time of an operation's call from its start to its answer, retries included.", Buckets: latencyBuckets}, []string{"op"}),
		rows:       counter("op_rows_total", "Rows that an operation returned or changed.", "op"),
		errors:     counter("op_errors_total", "Calls that failed, by SQLSTATE class, or by gRPC code where it was not the database. Not found and cancelled callers are no failures.", "op", "code"),
		retries:    counter("op_retries_total", "Calls that were sent again, by SQLSTATE, \"connection\" or \"schema\".", "op", "cause"),
		roundTrips: counter("round_trips_total", "Round trips that an operation took part in.", "op"),
		badRows:    counter("bad_rows_total", "Rows left out because a column breaks the contract.", "op", "column"),
		clamped:    counter("clamped_total", "Numbers brought into the contract's range.", "op", "column"),
		byOp:       map[*operation.Operation]*operationMetrics{},
	}
	registerer.MustRegister(s.seconds, s.rows, s.errors, s.retries, s.roundTrips, s.badRows, s.clamped)
	for _, op := range section.Operations {
		label := op.Label()
		s.byOp[op] = &operationMetrics{seconds: s.seconds.WithLabelValues(label), rows: s.rows.WithLabelValues(label),
			roundTrips: s.roundTrips.WithLabelValues(label)}
		for _, column := range op.Columns {
			s.badRows.WithLabelValues(label, column.Name)
		}
	}
	return s
}

func (m *Operations) of(op *operation.Operation) (*sectionMetrics, *operationMetrics) {
	s := m.sections[op.Section]
	if s == nil {
		return nil, nil
	}
	return s, s.byOp[op]
}

// Done counts a call that got its answer.
func (m *Operations) Done(call *query.Call, seconds float64) {
	op := call.Statement.Operation
	s, o := m.of(op)
	if o == nil {
		return
	}
	o.seconds.Observe(seconds)
	o.rows.Add(float64(len(call.Rows)) + float64(call.Affected))
	if code := codeOf(call.Err); code != "" {
		s.errors.WithLabelValues(op.Label(), code).Inc()
	}
}

// codeOf is the label of an error: the class of its SQLSTATE, or its gRPC code.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	var known *fault.Error
	if !errors.As(err, &known) {
		return codes.Unknown.String()
	}
	if len(known.SQLState) >= 2 {
		return known.SQLState[:2]
	}
	if code := known.Code(); code != codes.NotFound && code != codes.Canceled {
		return code.String()
	}
	return ""
}

// Retried counts a call that is sent again.
func (m *Operations) Retried(op *operation.Operation, cause string) {
	if s, _ := m.of(op); s != nil {
		s.retries.WithLabelValues(op.Label(), cause).Inc()
	}
}

// RoundTrip counts a round trip.
func (m *Operations) RoundTrip(op *operation.Operation) {
	if _, o := m.of(op); o != nil {
		o.roundTrips.Inc()
	}
}

// BadRow counts a row that was left out, and logs it at most once a minute for each column.
func (m *Operations) BadRow(op *operation.Operation, column, rule string) {
	if s, _ := m.of(op); s != nil {
		s.badRows.WithLabelValues(op.Label(), column).Inc()
	}
	if m.mayLog("bad " + op.Key + column) {
		m.logger.Warn("rows are left out because a column breaks the contract", "operation", op.Key, "column", column, "rule", rule)
	}
}

// Clamped counts a number that was brought into range, and logs it at most once a minute.
func (m *Operations) Clamped(op *operation.Operation, column string) {
	if s, _ := m.of(op); s != nil {
		s.clamped.WithLabelValues(op.Label(), column).Inc()
	}
	if m.mayLog("clamped " + op.Key + column) {
		m.logger.Warn("a number is out of the contract's range and was brought to its bound", "operation", op.Key, "column", column)
	}
}

func (m *Operations) mayLog(what string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.logged[what]) < time.Minute {
		return false
	}
	m.logged[what] = time.Now()
	return true
}

// RegisterPool exports the state of the connection pools.
func RegisterPool(registerer prometheus.Registerer, stat func() (requests, periodic *pgxpool.Stat)) {
	for _, pool := range []string{"requests", "periodic"} {
		of := func() *pgxpool.Stat {
			requests, periodic := stat()
			if pool == "periodic" {
				return periodic
			}
			return requests
		}
		gauge := func(name, help string, value func(*pgxpool.Stat) float64) {
			registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mortise_pool_" + name, Help: help,
				ConstLabels: prometheus.Labels{"pool": pool}}, func() float64 { return value(of()) }))
		}
		gauge("connections", "Connections that are open.", func(s *pgxpool.Stat) float64 { return float64(s.TotalConns()) })
		gauge("connections_in_use", "Connections that are in use.", func(s *pgxpool.Stat) float64 { return float64(s.AcquiredConns()) })
		gauge("connections_limit", "Connections that may be open.", func(s *pgxpool.Stat) float64 { return float64(s.MaxConns()) })
		gauge("acquire_wait_seconds", "Time spent waiting for a connection, in all.", func(s *pgxpool.Stat) float64 { return s.AcquireDuration().Seconds() })
	}
}
