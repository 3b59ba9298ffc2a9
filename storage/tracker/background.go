package tracker

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// RunGC implements the method of the API: chunks of at most gc_limit rows, each a transaction of its
// own, until one is not full. A query without @limit, or one that does not tell how many rows it
// deleted, runs once.
func (s *Service) RunGC(ctx context.Context, _ *trackerv1.RunGCRequest) (*trackerv1.RunGCResponse, error) {
	start := time.Now()
	defer func() { s.metrics.gcDuration.Observe(float64(time.Since(start)) / float64(time.Millisecond)) }()
	v := s.begin()
	cutoff := v.Now().Add(-v.lifetime())
	limit := v.settings.GetGcLimit()
	var deleted int64
	for {
		call, err := v.Call(trackerv1.Operations_GC_FullMethodName, &trackerv1.GCParameters{
			Created: timestamppb.New(cutoff), Limit: &limit, Lifetime: proto.Int64(int64(v.lifetime().Seconds()))})
		if err != nil {
			return nil, err
		}
		v.Run(ctx, query.Calls(call))
		if call.Err != nil {
			return nil, call.Err
		}
		if !call.Counted {
			return &trackerv1.RunGCResponse{}, nil
		}
		deleted += call.Affected
		s.metrics.gcDeleted.Add(float64(call.Affected))
		if !call.Statement.Uses("limit") || call.Affected < limit {
			return &trackerv1.RunGCResponse{Deleted: &deleted}, nil
		}
	}
}

// collect is one scheduled collection. Its errors are told and do not end the schedule.
func (s *Service) collect(ctx context.Context) {
	if _, err := s.RunGC(ctx, nil); err != nil && ctx.Err() == nil {
		s.metrics.gcErrors.Inc()
		s.logger.Error("the collection of stale peers failed; the next one tries again", "error", err.Error())
	}
}

// A census is the statistics on their way: both queries on one connection, one after the other, each
// for itself.
type census struct {
	peers  *query.Call
	hashes *query.Call // nil if the operator gives no query
}

func (v view) takeCensus(ctx context.Context) (*census, error) {
	c := &census{}
	var err error
	if c.peers, err = v.Call(trackerv1.Operations_PeerCount_FullMethodName,
		&trackerv1.PeerCountParameters{AliveSince: timestamppb.New(v.Now().Add(-v.lifetime()))}); err != nil {
		return nil, err
	}
	flight := query.Calls(c.peers)
	if v.configured(trackerv1.Operations_InfoHashCount_FullMethodName) {
		if c.hashes, err = v.Call(trackerv1.Operations_InfoHashCount_FullMethodName, &trackerv1.InfoHashCountParameters{}); err != nil {
			return nil, err
		}
		flight.Then(c.hashes)
	}
	v.Run(ctx, flight)
	return c, nil
}

// counts returns seeders and leechers. No row counts as zero.
func (c *census) counts() *trackerv1.Counts {
	if c.peers.Found() {
		return c.peers.Rows[0].(*trackerv1.Counts)
	}
	return &trackerv1.Counts{}
}

// infoHashes returns their number; no row counts as zero.
func (c *census) infoHashes() int64 {
	if c.hashes.Found() {
		return c.hashes.Rows[0].(*trackerv1.InfoHashes).GetInfoHashes()
	}
	return 0
}

// Stats implements the method of the API.
func (s *Service) Stats(ctx context.Context, _ *trackerv1.StatsRequest) (*trackerv1.StatsResponse, error) {
	c, err := s.begin().takeCensus(ctx)
	if err != nil {
		return nil, err
	}
	if c.peers.Err != nil {
		return nil, c.peers.Err
	}
	response := &trackerv1.StatsResponse{Seeders: c.counts().GetSeeders(), Leechers: c.counts().GetLeechers()}
	if c.hashes != nil {
		if c.hashes.Err != nil {
			return nil, c.hashes.Err
		}
		response.InfoHashes = proto.Int64(c.infoHashes())
	}
	return response, nil
}

// observe is one scheduled count for the gauges. A query that fails leaves its gauges at their last
// value: zero would look like an empty tracker.
func (s *Service) observe(ctx context.Context) {
	start := time.Now()
	v := s.begin()
	c, err := v.takeCensus(ctx)
	if err != nil {
		s.tellStats(ctx, err)
		return
	}
	s.tellStats(ctx, c.peers.Err)
	if c.peers.Err == nil {
		s.metrics.seeders.Set(float64(c.counts().GetSeeders()))
		s.metrics.leechers.Set(float64(c.counts().GetLeechers()))
	}
	if c.hashes != nil {
		s.tellStats(ctx, c.hashes.Err)
		if c.hashes.Err == nil {
			s.metrics.infoHashes.Set(float64(c.infoHashes()))
		}
	}
	if interval := v.settings.GetPrometheusReportingInterval().AsDuration(); interval > 0 {
		s.metrics.statsSkipped.Add(float64(time.Since(start) / interval))
	}
}

func (s *Service) tellStats(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		s.logger.Error("the statistics failed; the gauges keep their last values", "error", err.Error())
	}
}

// Capabilities implements the method of the API.
func (s *Service) Capabilities(context.Context, *trackerv1.CapabilitiesRequest) (*trackerv1.CapabilitiesResponse, error) {
	v := s.begin()
	response := &trackerv1.CapabilitiesResponse{
		Peers:       v.configured(trackerv1.Swarms_PutPeer_FullMethodName),
		Data:        v.configured(trackerv1.Data_Load_FullMethodName),
		Downloads:   v.configured(trackerv1.Operations_DownloadsInc_FullMethodName) && v.configured(trackerv1.Operations_DownloadsGet_FullMethodName),
		Families:    v.configured(trackerv1.Operations_FamilyCount_FullMethodName),
		Collects:    v.configured(trackerv1.Operations_GC_FullMethodName),
		Preservable: true,
	}
	for _, statement := range v.Set().Statements() {
		if statement.Operation.Section == Section {
			response.Queries = append(response.Queries, statement.Operation.Key)
		}
	}
	return response, nil
}

// metrics keep the names that MoChi's and chihaya's dashboards know, and add our own.
type metrics struct {
	gcDuration                    prometheus.Histogram
	seeders, leechers, infoHashes prometheus.Gauge
	gcDeleted, gcErrors           prometheus.Counter
	statsSkipped                  prometheus.Counter
	registerer                    prometheus.Registerer
}

func newMetrics(prefix string, registerer prometheus.Registerer) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "_storage_" + name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "mortise_tracker_" + name, Help: help})
	}
	m := &metrics{
		registerer: registerer,
		gcDuration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: prefix + "_storage_gc_duration_milliseconds",
			Help: "How long a collection of stale peers took.", Buckets: prometheus.ExponentialBuckets(9.375, 2, 10)}),
		seeders:      gauge("seeders_count", "Seeders in all swarms."),
		leechers:     gauge("leechers_count", "Leechers in all swarms."),
		infoHashes:   gauge("infohashes_count", "Info hashes that have peers."),
		gcDeleted:    counter("gc_deleted_total", "Stale peers deleted."),
		gcErrors:     counter("gc_errors_total", "Collections that failed."),
		statsSkipped: counter("stats_skipped_total", "Statistics left out because the one before took longer than the interval."),
	}
	registerer.MustRegister(m.gcDuration, m.seeders, m.leechers, m.gcDeleted, m.gcErrors, m.statsSkipped)
	return m
}

// showInfoHashes shows the gauge of info hashes, or hides it: without a query for them it would say
// zero for ever.
func (m *metrics) showInfoHashes(show bool) error {
	if !show {
		m.registerer.Unregister(m.infoHashes)
		return nil
	}
	err := m.registerer.Register(m.infoHashes)
	if errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		return nil
	}
	return err
}
