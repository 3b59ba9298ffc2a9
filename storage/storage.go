// Package storage is the storage as a whole: it is opened from a Config, serves the API's services
// over any gRPC transport or in-process, watches over its database, and is closed.
//
// It must not know go-plugin: how a host reaches it is package mortise's affair.
package storage

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/database/embedded"
	"github.com/mortise-storage/mortise/storage/metrics"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/wake"
)

// Embedded is the connection string that runs a private PostgreSQL.
const Embedded = "embedded"

// Files are the .proto files of the built-in contract.
func Files() []protoreflect.FileDescriptor {
	return []protoreflect.FileDescriptor{trackerv1.File_mortise_tracker_v1_tracker_proto, mediav1.File_mortise_media_v1_media_proto}
}

// Contract reads the built-in contract and further annotated files.
func Contract(further ...protoreflect.FileDescriptor) (*operation.Contract, error) {
	return operation.Load(append(Files(), further...)...)
}

// A Config is what an operator decides.
type Config struct {
	// Connection is a DSN or URL, or Embedded.
	Connection string
	// ListenConnection is a DSN or URL for the one connection that receives notifications, where
	// Connection leads through a pooler; empty is Connection.
	ListenConnection string
	// EmbeddedDir is the data folder of the embedded server; empty is its default.
	EmbeddedDir string
	// Sources are the queries.
	Sources query.Sources
	// Settings hold the settings message of each section that is served, by the section's name.
	Settings map[string]proto.Message
	// Mode, CallTimeout, MaxWaiting, RetryFor: as in database.Options.
	Mode        database.Mode
	CallTimeout time.Duration
	MaxWaiting  int
	RetryFor    time.Duration
	// File and Hash say where this comes from and what it is. They are told, and a reload of the same
	// Hash counts as no change; both may be empty.
	File, Hash string
}

// Options are what the program around the storage decides. The zero value is usable.
type Options struct {
	// Contract is the operations; nil is the built-in contract.
	Contract *operation.Contract
	Logger   *slog.Logger
	// Schema is applied to an embedded server when it is started, before queries are described.
	// On any other server schemas are only applied when the operator says so.
	Schema string
	// Clock replaces the system's clock; for tests.
	Clock func() time.Time
	// Database is passed on, for what tests need: Dial.
	Database database.Options
	// Quiet leaves the background work out: for commands that only look.
	Quiet bool
}

// A State is how a storage is doing.
type State int

// The states. They are those of the plugin API.
const (
	Degraded State = iota
	Serving
	Misconfigured
	Closed
)

// A Storage serves the domains of one operator's file.
type Storage struct {
	contract *operation.Contract
	config   Config
	options  Options
	logger   *slog.Logger

	server   *embedded.Server
	pool     *database.Pool
	set      *query.Set
	executor *query.Executor
	registry *prometheus.Registry
	services services
	domains  domains
	hub      *wake.Hub
	reloads  *metrics.Reloads

	cancel context.CancelFunc
	work   sync.WaitGroup
	once   sync.Once
	// reloading is held by Reload, by attempts to reach the database for the first time, and by Close.
	reloading sync.Mutex
	started   bool // whether the background work was; guarded by reloading

	mu       sync.Mutex
	state    State
	reason   string
	problems problem.List
	about    database.Server
	revision Revision
	attempt  Attempt
	settled  chan struct{} // closed when the database described the queries for the first time

	attempted chan struct{} // closed when the first attempt at that has ended
}

// Open makes a storage. What is wrong with the queries themselves is returned as a problem.List. A
// database that cannot be reached is no error: the storage starts degraded, keeps trying, and tells
// so in Health. Close must be called in the end.
func Open(ctx context.Context, config Config, options Options) (*Storage, error) {
	s := &Storage{config: config, options: options, logger: options.Logger, contract: options.Contract,
		reason: "the database was not reached yet", settled: make(chan struct{}), attempted: make(chan struct{})}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.contract == nil {
		contract, err := Contract()
		if err != nil {
			return nil, err
		}
		s.contract = contract
	}
	s.config.Sources.Settings = config.Settings
	set, problems := query.CompileSet(s.contract, s.config.Sources)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	s.set = set
	if err := s.openDatabase(ctx); err != nil {
		return nil, err
	}
	if err := s.openServices(); err != nil {
		s.Close()
		return nil, err
	}
	background, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.work.Go(func() { s.settle(background) })
	if s.server != nil {
		s.work.Go(func() { s.watchServer(background) })
	}
	return s, nil
}

func (s *Storage) openDatabase(ctx context.Context) error {
	connection := s.config.Connection
	if connection == Embedded {
		server, err := embedded.Start(ctx, embedded.Options{DataDir: s.config.EmbeddedDir, Logger: s.logger})
		if err != nil {
			return err
		}
		s.server = server
		connection = server.ConnString()
	}
	s.registry = prometheus.NewRegistry()
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	observer := metrics.NewOperations(s.contract, s.set, s.registry, s.logger)
	options := s.options.Database
	options.ConnString, options.Observer, options.Logger = connection, observer, s.logger
	options.Mode, options.CallTimeout = s.config.Mode, s.config.CallTimeout
	options.MaxWaiting, options.RetryFor = s.config.MaxWaiting, s.config.RetryFor
	if err := database.CheckListen(s.config.ListenConnection); err != nil {
		s.stopServer()
		return err
	}
	pool, err := database.Open(options)
	if err != nil {
		s.stopServer()
		return err
	}
	s.pool = pool
	s.hub = wake.New(wake.Options{Database: pool, Connection: s.config.ListenConnection, Logger: s.logger, Registerer: s.registry})
	metrics.RegisterPool(s.registry, pool.Stat)
	s.reloads = metrics.NewReloads(s.registry, string(Applied), string(Unchanged), string(RolledBack), string(Rejected), string(Failed))
	s.revision = Revision{Generation: 1, File: s.config.File, Hash: s.config.Hash, Loaded: time.Now()}
	s.reloads.InUse(s.revision.Generation, s.revision.Loaded)
	s.executor = query.NewExecutor(s.contract, s.set, pool, observer, s.options.Clock)
	return nil
}

func (s *Storage) openServices() error {
	var err error
	s.domains, err = makeDomains(s.contract, s.set, s.config.Settings,
		surrounding{executor: s.executor, logger: s.logger, registerer: s.registry, hub: s.hub})
	if err != nil {
		return err
	}
	s.services, err = buildServices(s.contract, s.set, s.executor, s.domains.composed(), s.logger, s.whyNot)
	return err
}

func (s *Storage) apply(ctx context.Context, schema string) error {
	conn, err := s.pool.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if err := conn.ExecScript(ctx, schema); err != nil {
		return fmt.Errorf("applying the schema: %w", err)
	}
	return nil
}

func (s *Storage) become(state State, reason string, problems problem.List) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == Closed {
		return
	}
	s.state, s.reason, s.problems = state, reason, problems
}

// Settled waits until the database has described the queries, or ctx ends. It returns what was
// found: problems of severity Error mean that the storage is misconfigured, and does not serve.
func (s *Storage) Settled(ctx context.Context) (problem.List, error) {
	select {
	case <-s.settled:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.problems, nil
	case <-ctx.Done():
		_, reason := s.Health(context.Background())
		return nil, fmt.Errorf("%s: %w", reason, ctx.Err())
	}
}

// Attempted is closed when the database was reached, or not, for the first time; Health then says
// which.
func (s *Storage) Attempted() <-chan struct{} { return s.attempted }

// Apply runs a schema's script; it is what `mortise init` does.
func (s *Storage) Apply(ctx context.Context, schema string) error { return s.apply(ctx, schema) }

// Gatherer returns all metrics.
func (s *Storage) Gatherer() prometheus.Gatherer { return s.registry }

// About says what the database is, how statements are sent, and how the database is reached (without
// its password).
func (s *Storage) About() (server, mode, target string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.about.Product != "" {
		server = s.about.String()
	}
	return server, s.pool.Mode().String(), s.pool.Target()
}

// Domains are the sections that are served.
func (s *Storage) Domains() []string {
	var names []string
	for _, section := range s.contract.Sections() {
		if s.executor.Set().Serves(section.Name) {
			names = append(names, section.Name)
		}
	}
	return names
}

// Health says how the storage is doing now; while it serves, it asks the database.
func (s *Storage) Health(ctx context.Context) (State, string) {
	s.mu.Lock()
	state, reason := s.state, s.reason
	s.mu.Unlock()
	if state != Serving {
		return state, reason
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := s.pool.Connect(ctx)
	if err != nil {
		return Degraded, err.Error()
	}
	defer conn.Release()
	server, err := conn.Server(ctx)
	if err != nil {
		return Degraded, "the database does not answer"
	}
	if server.ReadOnly {
		return Degraded, "the server is read-only (a standby?)"
	}
	return Serving, ""
}

// whyNot returns why calls cannot be answered at all; "" if they can be tried.
func (s *Storage) whyNot() (State, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, s.reason
}

// Drain ends calls that wait for something to happen, with UNAVAILABLE, and lets all others go on. It is
// for the time between the decision to end and Close.
func (s *Storage) Drain() { s.hub.Drain() }

// Close stops the background work, waits for calls that are under way, closes the connections and
// stops an embedded server. It may be called more than once.
func (s *Storage) Close() {
	s.once.Do(func() {
		s.become(Closed, "the storage is closed", nil)
		if s.cancel != nil {
			s.cancel()
		}
		s.work.Wait()
		s.reloading.Lock() // a reload that is under way must not start work again
		defer s.reloading.Unlock()
		if s.hub != nil {
			s.hub.Close()
		}
		s.domains.close()
		if s.pool != nil {
			s.pool.Close()
		}
		s.stopServer()
	})
}

func (s *Storage) stopServer() {
	if s.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.server.Stop(ctx); err != nil {
		s.logger.Error("the embedded server did not stop in order", "error", err.Error())
	}
}
