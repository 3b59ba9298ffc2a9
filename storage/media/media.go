// Package media is the composed part of the media domain: the methods of the API that are more than
// one operation, waiting for jobs, uploads and variants, and its background work.
//
// It composes flights of operations and makes answers of them; what single operations are is declared
// in the API's .proto file, and how they run is the executor's affair. It knows neither SQL nor gRPC's
// transport, and never looks into what it stores: hashes, identifiers, jobs and results are opaque.
package media

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/schedule"
	"github.com/mortise-storage/mortise/storage/wake"
)

// Section is the name of the domain's section in the operator's file.
const Section = "media"

// A Service implements the composed methods; it is also where the background work lives, between Start
// and Close.
type Service struct {
	executor *query.Executor
	logger   *slog.Logger
	topics   topics
	metrics  *metrics
	schedule *schedule.Schedule
}

// New makes the service. Metrics are registered with registerer. Calls take their settings from the
// set in use, where they must hold a value in every field, as the configuration's defaults give. hub
// is the process's; whoever made it starts and closes it, and tells it of reloads.
func New(executor *query.Executor, logger *slog.Logger, registerer prometheus.Registerer, hub *wake.Hub) *Service {
	s := &Service{executor: executor, logger: logger, metrics: newMetrics(registerer)}
	s.topics = s.makeTopics(hub)
	s.schedule = schedule.New(logger, s.tasks()...)
	return s
}

// Register adds the services of the API that have composed methods. The annotated ones among their methods
// have generic handlers, which package storage makes.
func (s *Service) Register(registrar grpc.ServiceRegistrar) {
	mediav1.RegisterRepoServer(registrar, repo{Service: s})
	mediav1.RegisterHashesServer(registrar, hashes{Service: s})
	mediav1.RegisterAliasesServer(registrar, aliases{Service: s})
	mediav1.RegisterVariantsServer(registrar, variants{Service: s})
	mediav1.RegisterQueueServer(registrar, queue{Service: s})
	mediav1.RegisterUploadsServer(registrar, uploads{Service: s})
	mediav1.RegisterProxiesServer(registrar, proxies{Service: s})
	mediav1.RegisterAccessServer(registrar, access{Service: s})
	mediav1.RegisterStoreMigrationServer(registrar, storeMigration{Service: s})
}

// One type for each service of the API, since their methods have equal names.
type (
	repo struct {
		mediav1.UnimplementedRepoServer
		*Service
	}
	hashes struct {
		mediav1.UnimplementedHashesServer
		*Service
	}
	aliases struct {
		mediav1.UnimplementedAliasesServer
		*Service
	}
	variants struct {
		mediav1.UnimplementedVariantsServer
		*Service
	}
	queue struct {
		mediav1.UnimplementedQueueServer
		*Service
	}
	uploads struct {
		mediav1.UnimplementedUploadsServer
		*Service
	}
	proxies struct {
		mediav1.UnimplementedProxiesServer
		*Service
	}
	access struct {
		mediav1.UnimplementedAccessServer
		*Service
	}
	storeMigration struct {
		mediav1.UnimplementedStoreMigrationServer
		*Service
	}
)

// A view is what one call works with from its begin to its end: the operator's queries and settings as
// they were together when it began. All that composes calls is a method of it, so that a reload in the
// middle of a call cannot show. A call that waits begins a new view at each look.
type view struct {
	*query.Snapshot
	settings *mediav1.SectionSettings
}

func (s *Service) begin() view {
	snapshot := s.executor.Begin()
	settings, _ := snapshot.Settings(Section).(*mediav1.SectionSettings)
	return view{Snapshot: snapshot, settings: settings}
}

func (v view) configured(method string) bool { return v.Statement(method) != nil }

func invalid(format string, args ...any) error {
	return fault.New(fault.InvalidArgument, "", format, args...)
}
