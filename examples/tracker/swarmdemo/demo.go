// Package swarmdemo shows the tracker with real BitTorrent clients: they share a file whose peers
// they can find through this tracker only, while the storage is the plugin on the operator's own
// tables. It prints what happened, checks it, and leaves nothing running.
package swarmdemo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"

	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
	"github.com/mortise-storage/mortise/examples/tracker/operatorfile"
	"github.com/mortise-storage/mortise/examples/tracker/server"
)

// Plugin is the running plugin, as package mortise gives it to a host.
type Plugin interface {
	Conn() grpc.ClientConnInterface
	PID() int
	Close()
}

// Embedded is the value of Options.Database for PostgreSQL run by the plugin itself.
const Embedded = "embedded"

// Options of the demo.
type Options struct {
	// Queries is the operator's file; it must be written for the default tables, which the demo
	// reads, and leave the data folder to the demo.
	Queries string
	// State is the folder for the database and the logs. It is kept.
	State string
	// Database is Embedded, or the connection string of a database that has the default tables.
	Database string
	// Timeout ends the demo wherever it is; default 180 seconds.
	Timeout time.Duration
	// Size of the shared file in bytes; default 12 MiB.
	Size int64
	// Interval is the announce interval that clients are told; default 3 seconds.
	Interval time.Duration
	// Connect starts the plugin with an operator's file and additions to its environment.
	Connect func(ctx context.Context, config string, env []string, log *slog.Logger) (Plugin, error)
	Out     io.Writer
}

// demo is a run in progress.
type demo struct {
	options  Options
	paper    paper
	begin    time.Time
	temp     string
	logs     string
	logFile  *os.File
	log      *slog.Logger
	launcher *launcher
	plugin   Plugin
	about    *pluginv1.InfoResponse
	tables   *tables
	tracker  *server.Server
	payload  *payload
	config   string // the operator's file that the plugin was given
	members  []*member
}

// Run runs the demo. It returns nil if everything went as it must, else the reason.
func Run(ctx context.Context, o Options) (err error) {
	if o.Timeout <= 0 {
		o.Timeout = 180 * time.Second
	}
	if o.Size <= 0 {
		o.Size = 12 << 20
	}
	if o.Interval <= 0 {
		o.Interval = 3 * time.Second
	}
	timeout := fmt.Errorf("the demo took longer than %s", o.Timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, timeout)
	defer cancel()
	d := &demo{options: o, paper: newPaper(o.Out), begin: time.Now(), log: slog.New(slog.DiscardHandler)}
	defer func() {
		if cause := context.Cause(ctx); err != nil && cause != nil && errors.Is(err, ctx.Err()) {
			err = fmt.Errorf("%w, while %w", cause, err)
		}
		err = errors.Join(err, d.cleanUp())
		d.conclude(err)
	}()
	for _, stage := range []func(context.Context) error{
		d.prepare, d.startStorage, d.startTracker, d.seederJoins, d.leechersJoin, d.seederLeaves, d.lateLeecherJoins,
		d.show, d.everybodyLeaves,
	} {
		if err := stage(ctx); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes the folders, the log and the file to be shared.
func (d *demo) prepare(context.Context) error {
	state, err := filepath.Abs(d.options.State)
	if err != nil {
		return err
	}
	d.options.State, d.logs = state, filepath.Join(state, "logs")
	if err := os.RemoveAll(d.logs); err != nil {
		return err
	}
	if err := os.MkdirAll(d.logs, 0o755); err != nil {
		return err
	}
	if d.logFile, err = os.Create(filepath.Join(d.logs, "tracker.log")); err != nil {
		return err
	}
	d.log = slog.New(slog.NewTextHandler(d.logFile, nil))
	if d.temp, err = os.MkdirTemp("", "mortise-demo-"); err != nil {
		return err
	}
	d.launcher = newLauncher()
	if _, _, _, err := d.programs(); err != nil {
		return err
	}
	original := filepath.Join(d.temp, "original")
	if err := os.Mkdir(original, 0o755); err != nil {
		return err
	}
	d.payload, err = makePayload(original, d.options.Size)
	return err
}

// startStorage starts the plugin, which starts its database, and connects to that past the plugin.
func (d *demo) startStorage(ctx context.Context) error {
	d.paper.title("What happens")
	config, err := operatorfile.In(d.options.State, d.options.Queries)
	if err != nil {
		return err
	}
	d.config = config
	d.paper.step(d.begin, "starting the plugin, and its database (%s)", d.databaseTitle())
	d.plugin, err = d.options.Connect(ctx, config, []string{"MORTISE_DATABASE=" + d.options.Database}, d.log)
	if err != nil {
		return fmt.Errorf("starting the plugin: %w", err)
	}
	plugin := pluginv1.NewPluginClient(d.plugin.Conn())
	if err := serving(ctx, plugin); err != nil {
		return err
	}
	if d.about, err = plugin.Info(ctx, &pluginv1.InfoRequest{}); err != nil {
		return fmt.Errorf("asking the plugin about itself: %w", err)
	}
	dsn := d.options.Database
	if dsn == Embedded {
		if dsn, err = embeddedDSN(d.dataDir()); err != nil {
			return err
		}
	}
	if d.tables, err = openTables(ctx, dsn); err != nil {
		return err
	}
	d.paper.step(d.begin, "plugin %s is serving, process %d, on %s", d.about.GetVersion(), d.plugin.PID(), d.about.GetServer())
	return nil
}

// serving waits until the plugin can answer calls.
func serving(ctx context.Context, plugin pluginv1.PluginClient) error {
	return wait(ctx, "the storage to serve", func() (bool, error) {
		health, err := plugin.Health(ctx, &pluginv1.HealthRequest{})
		if err != nil {
			return false, fmt.Errorf("asking for the plugin's health: %w", err)
		}
		if health.GetState() == pluginv1.HealthResponse_MISCONFIGURED {
			return false, fmt.Errorf("the queries do not fit the database: %s", health.GetReason())
		}
		return health.GetState() == pluginv1.HealthResponse_SERVING, nil
	})
}

func (d *demo) dataDir() string { return filepath.Join(d.options.State, operatorfile.DataDir) }

func (d *demo) databaseTitle() string {
	if d.options.Database == Embedded {
		return "embedded PostgreSQL in " + d.dataDir()
	}
	return "the one given"
}

// startTracker serves both protocols on free ports of the loopback address.
func (d *demo) startTracker(context.Context) error {
	var err error
	d.tracker, err = server.Start(d.plugin.Conn(), server.Options{
		HTTP: []string{"127.0.0.1:0"}, UDP: []string{"127.0.0.1:0"}, Interval: d.options.Interval, Logger: d.log,
	})
	if err != nil {
		return err
	}
	d.paper.step(d.begin, "the tracker listens on %s and %s", d.announceURL("http"), d.announceURL("udp"))
	return nil
}

func (d *demo) announceURL(protocol string) string {
	if protocol == "udp" {
		return fmt.Sprintf("udp://%s/announce", d.tracker.UDPAddrs()[0])
	}
	return fmt.Sprintf("http://%s/announce", d.tracker.HTTPAddrs()[0])
}

// cleanUp ends whatever still runs and removes what is not kept.
func (d *demo) cleanUp() error {
	var errs []error
	for _, m := range d.members {
		if m.process != nil {
			m.program.stop(m)
		}
	}
	if d.tracker != nil {
		errs = append(errs, d.tracker.Close())
	}
	if d.tables != nil {
		errs = append(errs, d.tables.close())
	}
	if d.plugin != nil {
		d.plugin.Close()
	}
	if d.launcher != nil {
		d.launcher.close()
	}
	if d.temp != "" {
		errs = append(errs, os.RemoveAll(d.temp))
	}
	if d.logFile != nil {
		errs = append(errs, d.logFile.Close())
	}
	return errors.Join(errs...)
}

// conclude prints the last line.
func (d *demo) conclude(err error) {
	took := time.Since(d.begin).Seconds()
	if err != nil {
		fmt.Fprintf(d.options.Out, "\n%s after %.1f s. Logs: %s\n", d.paper.paint(red, "The demo failed"), took, d.logs)
		return
	}
	fmt.Fprintf(d.options.Out, "\n%s in %.1f s; everything that it started has ended.\n", d.paper.paint(green, "The demo succeeded"), took)
}

// pollPause is between two looks at something that is waited for.
const pollPause = 100 * time.Millisecond

// wait polls until done, an error or the end of ctx.
func wait(ctx context.Context, what string, done func() (bool, error)) error {
	for {
		ok, err := done()
		if ctx.Err() != nil {
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollPause):
		}
	}
}
