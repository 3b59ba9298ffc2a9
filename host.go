package mortise

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

const (
	defaultProgram      = "mortise"
	defaultStartTimeout = 90 * time.Second // making an embedded server's folder takes a while
	defaultMaxWait      = 10 * time.Second
	firstPause          = 100 * time.Millisecond
	longestPause        = 5 * time.Second
	// closeGrace is how long Close lets calls finish that are under way.
	closeGrace = time.Second
)

// ConnectOptions say how a host starts the plugin.
type ConnectOptions struct {
	// Program is the plugin's executable, a path or a name to be found in PATH; default "mortise".
	Program string
	// Config is the operator's file; empty leaves it to $MORTISE_CONFIG.
	Config string
	// Args are further arguments of `mortise serve`.
	Args []string
	// Env are further environment variables, as KEY=value; they win over the host's own.
	Env []string
	// Logger gets what the plugin logs, at its own levels, and what happens to the process; nil
	// discards it.
	Logger *slog.Logger
	// StartTimeout is how long a start may take; 90 seconds if 0.
	StartTimeout time.Duration
	// MaxWait is how long a call waits for a plugin that is being restarted, if its deadline allows;
	// 10 seconds if 0.
	MaxWait time.Duration
}

// A Host is a running plugin, from the host's side. Its process is replaced when it dies. All
// methods may be called from any goroutine.
type Host struct {
	options ConnectOptions
	logger  *slog.Logger
	calls   calls

	once    sync.Once
	closing chan struct{}
	done    chan struct{} // closed when the last process has ended

	mu      sync.Mutex
	current *generation   // nil while there is none
	changed chan struct{} // closed, and replaced, when current changes
	reason  string        // why there is none
}

// A generation is one process and the connection to it.
type generation struct {
	client  *goplugin.Client
	process *process
	conn    *grpc.ClientConn
	started time.Time
}

// Connect starts the plugin and returns when it is ready for calls. If it does not start, the error
// has the last lines of its log: every problem of a configuration, for example. ctx bounds the start
// only. Close must be called in the end.
//
// The connection is secured by certificates made for this one process (mutual TLS), so no other
// process can take either end.
func Connect(ctx context.Context, options ConnectOptions) (*Host, error) {
	if options.Program == "" {
		options.Program = defaultProgram
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.StartTimeout == 0 {
		options.StartTimeout = defaultStartTimeout
	}
	if options.MaxWait == 0 {
		options.MaxWait = defaultMaxWait
	}
	h := &Host{options: options, logger: options.Logger,
		closing: make(chan struct{}), done: make(chan struct{}), changed: make(chan struct{})}
	first, err := h.start(ctx)
	if err != nil {
		return nil, err
	}
	h.publish(first, "")
	go h.supervise(first)
	return h, nil
}

// Conn returns a connection on which the API's generated clients work. It outlives the processes
// behind it:
//
//   - While there is no process, calls wait for the next one, within their deadline and MaxWait, and
//     then fail with UNAVAILABLE.
//   - A call that was under way when the process died fails with UNAVAILABLE and the reason
//     UNKNOWN_OUTCOME: it may or may not have taken effect.
//   - A call that did not reach the process is sent to the next one.
//
// Streams are bound to their process.
func (h *Host) Conn() grpc.ClientConnInterface { return hostConn{h} }

// PID is the process id of the plugin; 0 while there is none.
func (h *Host) PID() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current == nil {
		return 0
	}
	return h.current.process.pid()
}

// Info asks the plugin what it is.
func (h *Host) Info(ctx context.Context) (*pluginv1.InfoResponse, error) {
	return pluginv1.NewPluginClient(h.Conn()).Info(ctx, &pluginv1.InfoRequest{})
}

// Reload asks the plugin to put the operator's file into effect as it is now. A file with problems
// changes nothing and is no error: the answer tells whether it was applied, and if not, what is wrong
// with it and on which lines.
func (h *Host) Reload(ctx context.Context) (*pluginv1.ReloadResponse, error) {
	return pluginv1.NewPluginClient(h.Conn()).Reload(ctx, &pluginv1.ReloadRequest{})
}

// Rollback asks the plugin to go back to the query set that was in use before. The error's code is
// FAILED_PRECONDITION if there is none.
func (h *Host) Rollback(ctx context.Context) (*pluginv1.ReloadResponse, error) {
	return pluginv1.NewPluginClient(h.Conn()).Reload(ctx, &pluginv1.ReloadRequest{Rollback: true})
}

// Close ends the plugin and returns when its process is gone. New calls fail at once; those that are
// under way get a second. It may be called more than once.
func (h *Host) Close() {
	h.once.Do(func() { close(h.closing) })
	<-h.done
}

// start starts a process and shakes hands with it.
func (h *Host) start(ctx context.Context) (*generation, error) {
	args := []string{"serve"}
	if h.options.Config != "" {
		args = append(args, "--config", h.options.Config)
	}
	env := append(os.Environ(), h.options.Env...)
	p, err := newProcess(h.options.Program, append(args, h.options.Args...), env)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", h.options.Program, err)
	}
	client := goplugin.NewClient(h.clientConfig(p))
	stop := context.AfterFunc(ctx, p.giveUp)
	defer stop()
	g, err := shakeHands(client, p)
	if err != nil {
		client.Kill() // returns when all output was read
		return nil, h.startError(ctx, p, err)
	}
	return g, nil
}

func (h *Host) clientConfig(p *process) *goplugin.ClientConfig {
	stray := lineWriter(func(line string) { h.logger.Warn("the plugin printed: " + line) })
	return &goplugin.ClientConfig{
		HandshakeConfig:  Handshake,
		VersionedPlugins: VersionedPlugins(),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, _ string) (runner.Runner, error) {
			p.cmd.Env = append(p.cmd.Env, spec.Env...)
			return p, nil
		},
		SkipHostEnv:      true, // it is in p.cmd.Env already, where options.Env can win over it
		StartTimeout:     h.options.StartTimeout,
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: socketBase()},
		Logger:           newHCLog(h.logger, LevelTrace),
		Stderr:           &p.tail,
		SyncStdout:       stray,
		SyncStderr:       stray,
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithStatsHandler(sentHandler{}),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largestMessage), grpc.MaxCallSendMsgSize(largestMessage)),
		},
	}
}

func shakeHands(client *goplugin.Client, p *process) (*generation, error) {
	protocol, err := client.Client()
	if err != nil {
		return nil, err
	}
	conn, err := protocol.Dispense(PluginName)
	if err != nil {
		return nil, err
	}
	return &generation{client: client, process: p, conn: conn.(*grpc.ClientConn), started: time.Now()}, nil
}

// startError says why a start failed, with what the plugin itself had to say.
func (h *Host) startError(ctx context.Context, p *process, err error) error {
	program := "plugin " + h.options.Program
	started := p.running.Load() != nil
	switch {
	case !started && (errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist)):
		return fmt.Errorf("%s is not there (%w); install it, or give its path as Program", program, err)
	case !started:
		return fmt.Errorf("%s cannot be started: %w", program, err)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: its start was given up: %w", program, context.Cause(ctx))
	}
	if version, ok := p.hello.protocol(); ok && version != ProtocolVersion {
		return fmt.Errorf("%s: %s", program, versionAdvice(version, []int{ProtocolVersion}))
	}
	said := p.tail.text()
	if len(said) == 0 {
		return fmt.Errorf("%s did not start (%s), and says nothing: %w", program, p.ended(), err)
	}
	return fmt.Errorf("%s did not start (%s); it says:\n%s", program, p.ended(), strings.Join(said, "\n"))
}

// supervise replaces the process whenever it dies, until Close.
func (h *Host) supervise(g *generation) {
	defer close(h.done)
	pause := firstPause
	for g != nil {
		select {
		case <-h.closing:
			h.calls.wait(closeGrace)
			h.publish(nil, "the plugin is closed")
			g.process.patient.Store(true)
			g.client.Kill()
			return
		case <-g.process.exited:
		}
		ended := g.process.ended()
		h.publish(nil, "the plugin ended ("+ended+") and is being restarted")
		h.logger.Error("the plugin ended; it is restarted", "pid", g.process.pid(), "status", ended)
		g.client.Kill() // frees what the host holds for it
		if time.Since(g.started) > longestPause {
			pause = firstPause // it was no start that failed
		}
		g = h.restart(&pause)
	}
}

// restart tries until a process runs, with growing pauses; it returns nil when the host is closed.
func (h *Host) restart(pause *time.Duration) *generation {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-h.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		// Jitter, so that many hosts do not come to one database in step.
		timer := time.NewTimer(time.Duration(float64(*pause) * (0.5 + rand.Float64())))
		*pause = min(2**pause, longestPause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		g, err := h.start(ctx)
		if err == nil {
			h.publish(g, "")
			h.logger.Info("the plugin runs again", "pid", g.process.pid())
			return g
		}
		if ctx.Err() == nil {
			h.publish(nil, "the plugin cannot be restarted: "+err.Error())
			h.logger.Error("the plugin cannot be restarted; trying again", "error", err.Error())
		}
	}
}

// publish makes a generation the one that calls go to.
func (h *Host) publish(g *generation, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.current, h.reason = g, reason
	close(h.changed)
	h.changed = make(chan struct{})
}

// acquire returns the current generation, or waits for the next.
func (h *Host) acquire(ctx context.Context, limit <-chan time.Time) (*generation, error) {
	for {
		h.mu.Lock()
		g, changed, reason := h.current, h.changed, h.reason
		h.mu.Unlock()
		select {
		case <-h.closing:
			return nil, fault.New(fault.Closed, "", "the plugin is closed")
		default:
		}
		if g != nil {
			return g, nil
		}
		select {
		case <-changed:
		case <-h.closing:
		case <-limit:
			return nil, fault.New(fault.Unavailable, "", "%s", reason)
		case <-ctx.Done():
			return nil, waitedInVain(ctx, reason)
		}
	}
}

// waitedInVain is the error of a call that was not sent before its caller's time was over.
func waitedInVain(ctx context.Context, reason string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fault.New(fault.Canceled, "", "the caller gave up while waiting: %s", reason)
	}
	return fault.New(fault.Unavailable, "", "%s", reason)
}
