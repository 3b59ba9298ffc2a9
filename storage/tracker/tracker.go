// Package tracker is the composed part of the tracker domain: the methods of the API that are more
// than one operation, and its background work.
//
// It composes flights of operations and makes answers of them; what single operations are is
// declared in the API's .proto file, and how they run is the executor's affair. It knows neither
// SQL nor gRPC's transport.
package tracker

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/schedule"
)

// Section is the name of the domain's section in the operator's file.
const Section = "tracker"

// A Service implements the composed methods of Swarms and Data; it is also where its background work
// lives, between Start and Close.
type Service struct {
	trackerv1.UnimplementedSwarmsServer
	trackerv1.UnimplementedDataServer

	executor *query.Executor
	logger   *slog.Logger
	metrics  *metrics
	schedule *schedule.Schedule
}

// New makes the service. The metrics are registered with registerer, under the prefix that the settings
// name; calls take their settings from the set in use, where they must hold a value in every field, as
// the configuration's defaults give.
func New(executor *query.Executor, settings *trackerv1.Settings, logger *slog.Logger, registerer prometheus.Registerer) *Service {
	s := &Service{executor: executor, logger: logger, metrics: newMetrics(settings.GetMetricsPrefix(), registerer)}
	s.schedule = schedule.New(logger, s.tasks()...)
	return s
}

// Register adds the services of the API that have composed methods.
func (s *Service) Register(registrar grpc.ServiceRegistrar) {
	trackerv1.RegisterSwarmsServer(registrar, s)
	trackerv1.RegisterDataServer(registrar, s)
}

// A view is what one call works with from its begin to its end: the operator's queries and settings as
// they were together when it began. All that composes calls is a method of it, so that a reload in the
// middle of a call cannot show.
type view struct {
	*query.Snapshot
	settings *trackerv1.Settings
}

func (s *Service) begin() view {
	snapshot := s.executor.Begin()
	settings, _ := snapshot.Settings(Section).(*trackerv1.Settings)
	return view{Snapshot: snapshot, settings: settings}
}

func (v view) configured(method string) bool { return v.Statement(method) != nil }

func (v view) lifetime() time.Duration { return v.settings.GetPeerLifetime().AsDuration() }

func invalid(format string, args ...any) error {
	return fault.New(fault.InvalidArgument, "", format, args...)
}
