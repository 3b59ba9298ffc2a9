package mortise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"time"

	"google.golang.org/grpc"

	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
)

const (
	// settleLimit is how long a start waits for a database that is there but slow to answer.
	settleLimit = 10 * time.Second
	// settleGrace is how long it waits on after a first attempt failed: the database may just be
	// coming up, and problems are better found before the first call.
	settleGrace = time.Second
	// drainLimit is how long calls under way may take at the end. A host's Kill waits 2 seconds
	// for the whole end of the process; the rest is for closing connections.
	drainLimit = 1200 * time.Millisecond
	// largestMessage bounds a request; gRPC's default of 4 MiB is little for stored values.
	largestMessage = 64 << 20
)

// A core is what both ways of serving share: the storage, the services, the listener for metrics.
type core struct {
	options  ServeOptions
	logger   *slog.Logger
	level    *slog.LevelVar
	contract *operation.Contract
	storage  *storage.Storage
	calls    calls
	metrics  *metricsListener // nil if none is configured
	reloader *reloader        // nil if there is no file, or not yet
	hangup   chan os.Signal
	watch    context.CancelFunc
	watching sync.WaitGroup
	// metricsListen is the address that the metrics were configured for at the start.
	metricsListen string
	// draining is closed when no more calls are taken.
	draining chan struct{}
}

// openCore loads the configuration, opens the storage and waits until its queries were checked. What
// keeps it from serving is logged, and returned as ErrRefused if it is the configuration's fault.
func openCore(ctx context.Context, options ServeOptions, level *slog.LevelVar) (*core, error) {
	c := &core{options: options, logger: options.Logger, level: level, draining: make(chan struct{})}
	if err := c.open(ctx); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *core) open(ctx context.Context) error {
	if c.options.Config == nil {
		c.hangup = hangups() // from now on SIGHUP means that the file is to be read
	}
	var err error
	if c.contract, err = storage.Contract(c.options.Contracts...); err != nil {
		return err
	}
	first, err := c.read()
	if err != nil {
		return err
	}
	config := first.config
	c.level.Set(config.LogLevel)
	schema := c.options.Schema
	if schema == "" {
		schema = Schema
	}
	c.storage, err = storage.Open(ctx, config.Storage, storage.Options{Contract: c.contract, Logger: c.logger, Schema: schema})
	if list := problem.From(err); list != nil {
		return c.tell(list)
	}
	if err != nil {
		return err
	}
	if err := c.settle(ctx); err != nil {
		return err
	}
	used := c.storage.Revision()
	c.logger.Info("the queries were loaded", "generation", used.Generation, "hash", used.Hash, "file", used.File)
	if c.metricsListen = config.MetricsListen; c.metricsListen != "" {
		if c.metrics, err = listenForMetrics(c.metricsListen, c.storage, c.logger); err != nil {
			return err
		}
	}
	if c.options.Config == nil {
		c.startReloader(first)
	}
	return nil
}

// read returns the operator's file, loaded.
func (c *core) read() (*reading, error) {
	if c.options.Config != nil {
		return &reading{config: c.options.Config}, nil
	}
	if c.options.ConfigFile == "" {
		return nil, errors.New("no configuration file is named; start with --config FILE, or set MORTISE_CONFIG")
	}
	first := readFiles(c.options.ConfigFile, c.contract, nil)
	return first, c.tell(first.problems)
}

func (c *core) startReloader(first *reading) {
	c.reloader = newReloader(c, first)
	ctx, cancel := context.WithCancel(context.Background())
	c.watch = cancel
	c.watching.Go(func() { c.reloader.run(ctx, c.hangup) })
}

// tell logs problems, each in a line of its own, and returns ErrRefused if one of them is an error.
func (c *core) tell(problems problem.List) error {
	for _, p := range problems {
		level := map[problem.Severity]slog.Level{problem.Info: slog.LevelInfo, problem.Warning: slog.LevelWarn}[p.Severity]
		if p.Severity >= problem.Error {
			level = slog.LevelError
		}
		c.logger.Log(context.Background(), level, p.String())
	}
	if problems.Err() == nil {
		return nil
	}
	return fmt.Errorf("%w: %d problems were found", ErrRefused, problems.Count(problem.Error))
}

// settle waits until the database has described the queries. A database that cannot be reached is
// not waited for; the storage goes on trying, and says so in its health.
func (c *core) settle(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	go func() {
		select {
		case <-c.storage.Attempted():
			timer := time.NewTimer(settleGrace)
			defer timer.Stop()
			select {
			case <-timer.C:
				cancel()
			case <-waiting.Done():
			}
		case <-waiting.Done():
		}
	}()
	problems, err := c.storage.Settled(waiting)
	switch {
	case ctx.Err() != nil:
		return errors.New("told to end while starting")
	case err != nil:
		_, reason := c.storage.Health(ctx)
		c.logger.Warn("starting without the database; calls are answered UNAVAILABLE until it can be reached", "reason", reason)
		return nil
	}
	return c.tell(problems)
}

// serverOptions are those of every server: a panic or a running call is looked after in one place.
func (c *core) serverOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(largestMessage),
		grpc.MaxSendMsgSize(largestMessage),
		grpc.ChainUnaryInterceptor(c.calls.unary, recoverUnary(c.logger)),
		grpc.ChainStreamInterceptor(c.leaveOnDrain, c.calls.stream, recoverStream(c.logger)),
	}
}

// register adds all services.
func (c *core) register(version int, registrar grpc.ServiceRegistrar) {
	c.storage.Register(registrar)
	pluginv1.RegisterPluginServer(registrar, &pluginService{storage: c.storage, reloader: c.reloader, version: c.options.Version, protocol: version})
	if c.options.Register != nil {
		c.options.Register(registrar)
	}
}

// drain ends a server: no new calls, those under way may finish for a while, and the rest is cut off.
func (c *core) drain(server *grpc.Server) {
	close(c.draining)
	c.storage.Drain()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		server.GracefulStop()
	}()
	timer := time.NewTimer(drainLimit)
	defer timer.Stop()
	select {
	case <-stopped:
	case <-timer.C:
		server.Stop()
		<-stopped
	}
}

// leaveOnDrain ends go-plugin's own streams when the server drains. They would last as long as the
// process, and gRPC's graceful stop waits for the last stream.
func (c *core) leaveOnDrain(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if !ofGoPlugin(info) {
		return handler(service, stream)
	}
	ended := make(chan error, 1)
	go func() { ended <- handler(service, stream) }()
	select {
	case err := <-ended:
		return err
	case <-c.draining:
		return nil // which ends the stream, and by that the handler
	}
}

// close ends everything else.
func (c *core) close() {
	if c.hangup != nil {
		signal.Stop(c.hangup)
	}
	if c.watch != nil {
		c.watch()
		c.watching.Wait()
	}
	if c.metrics != nil {
		c.metrics.close()
	}
	if c.storage != nil {
		c.storage.Close()
	}
}
