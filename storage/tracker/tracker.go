// Package tracker is the composed part of the tracker domain: the methods of the API that are more
// than one operation, and its background work.
//
// It composes flights of operations and makes answers of them; what single operations are is
// declared in the API's .proto file, and how they run is the executor's affair. It knows neither
// SQL nor gRPC's transport.
package tracker

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// Section is the name of the domain's section in the operator's file.
const Section = "tracker"

// A Service implements the composed methods of Swarms and Data; it is also where its background work
// lives, between Start and Close.
type Service struct {
	trackerv1.UnimplementedSwarmsServer
	trackerv1.UnimplementedDataServer

	executor *query.Executor
	settings atomic.Pointer[trackerv1.Settings]
	logger   *slog.Logger
	metrics  *metrics

	work   sync.WaitGroup
	cancel context.CancelFunc
}

// New makes the service. The settings must hold a value in every field, as the configuration's
// defaults give. The metrics are registered with registerer.
func New(executor *query.Executor, settings *trackerv1.Settings, logger *slog.Logger, registerer prometheus.Registerer) *Service {
	s := &Service{executor: executor, logger: logger, metrics: newMetrics(settings.GetMetricsPrefix(), registerer)}
	s.settings.Store(settings)
	return s
}

// Reload takes new settings: calls that are under way finish with the old ones, and the background
// work starts anew. The prefix of the metrics stays; changing it needs a restart.
func (s *Service) Reload(settings *trackerv1.Settings) {
	s.Close()
	s.settings.Store(settings)
	s.Start()
}

// Start begins the background work: the collection of stale peers and the statistics.
func (s *Service) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	if s.configured(trackerv1.Operations_GC_FullMethodName) {
		s.repeat(ctx, s.settings.Load().GetGcInterval().AsDuration(), 0.1, s.collect)
	} else if s.configured(trackerv1.Swarms_PutPeer_FullMethodName) {
		s.logger.Warn("no gc_query is configured: peers never expire", "key", "tracker.gc_query")
	}
	if interval := s.settings.Load().GetPrometheusReportingInterval().AsDuration(); interval > 0 && s.configured(trackerv1.Operations_PeerCount_FullMethodName) {
		if err := s.metrics.showInfoHashes(s.configured(trackerv1.Operations_InfoHashCount_FullMethodName)); err != nil {
			s.logger.Error("the gauge of info hashes cannot be shown", "error", err.Error())
		}
		s.repeat(ctx, interval, 0, s.observe)
	}
}

// Close stops the background work and waits for it. It may be called more than once, and without
// Start.
func (s *Service) Close() {
	if s.cancel != nil {
		s.cancel()
	}
	s.work.Wait()
}

// repeat runs the work first after one interval, then one interval after each end, so that runs
// never overlap. jitter is the part of the interval by which several nodes spread their runs.
func (s *Service) repeat(ctx context.Context, interval time.Duration, jitter float64, work func(context.Context)) {
	s.work.Go(func() {
		for {
			pause := time.Duration(float64(interval) * (1 + jitter*(2*rand.Float64()-1)))
			timer := time.NewTimer(pause)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
				work(ctx)
			}
		}
	})
}

func (s *Service) configured(method string) bool { return s.executor.Statement(method) != nil }

func (s *Service) lifetime() time.Duration { return s.settings.Load().GetPeerLifetime().AsDuration() }

func invalid(format string, args ...any) error {
	return fault.New(fault.InvalidArgument, "", format, args...)
}

// rowsOf returns the rows of a call as what they are.
func rowsOf[T proto.Message](c *query.Call) []T {
	rows := make([]T, len(c.Rows))
	for i, row := range c.Rows {
		rows[i] = row.(T)
	}
	return rows
}
