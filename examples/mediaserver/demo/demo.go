// Package demo shows the media server at work: servers and workers in processes of their own, on one
// database and one folder of files, with clients that upload and ask for variants all at once. In the
// middle of it a worker is killed. In the end everything that was accepted must be there exactly once:
// the demo compares the operator's tables with the files, and says so.
//
// It starts the processes, ends them all, and talks to the servers as any client does. It must not
// know how they work inside.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mortise-storage/mortise"
)

// Options of the demo.
type Options struct {
	// Program is the media server's executable, which is run as server and as worker.
	Program string
	// Plugin is the plugin's executable.
	Plugin string
	// Queries is the operator's file; it must be written for the default tables, which the demo reads.
	Queries string
	// State is the folder for the database, the files and the logs. It is kept, but what an earlier run
	// left in it is removed.
	State string
	// Pictures is how many different pictures are uploaded; default 60.
	Pictures int
	// Timeout ends the demo wherever it is; default two minutes.
	Timeout time.Duration
	// JSON prints the result for programs instead of people.
	JSON bool
	// Out gets the result, Err what happens meanwhile.
	Out, Err io.Writer
}

// ErrFailed is the error of a demo that ran to its end and found something that is not as it must be.
var ErrFailed = errors.New("not everything is as it must be")

// demo is a run in progress.
type demo struct {
	Options
	paper    paper
	begin    time.Time
	files    string
	logs     string
	config   string // the operator's file as the demo changed it
	logFile  *os.File
	log      *slog.Logger
	launcher *launcher
	plugin   *mortise.Host // owns the database
	tables   *tables
	children []*child
	servers  []*server
	workers  []*worker
	corpus   []*item
	client   *client
	result   Result
}

// Run runs the demo. It returns nil if everything went as it must, else the reason.
func Run(ctx context.Context, o Options) (err error) {
	if o.Pictures <= 0 {
		o.Pictures = 60
	}
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Minute
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("the demo took longer than %s", o.Timeout))
	defer cancel()
	d := &demo{Options: o, paper: newPaper(o.Out, o.Err, o.JSON), begin: time.Now(), log: slog.New(slog.DiscardHandler)}
	err = d.run(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil && errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w, while %w", cause, err)
	}
	err = errors.Join(err, d.cleanUp())
	return errors.Join(err, d.conclude(err))
}

// run goes through the stages.
func (d *demo) run(ctx context.Context) error {
	for _, stage := range []func(context.Context) error{
		d.prepare, d.startEverything, d.uploadAll, d.makeVariants, d.settle, d.readEverything,
		d.countRoundTrips, d.deleteSome, d.settle, d.measure, d.checkEverything, d.stopProcesses,
	} {
		if err := stage(ctx); err != nil {
			return err
		}
	}
	for _, check := range d.result.Checks {
		if !check.OK {
			return ErrFailed
		}
	}
	return nil
}

// prepare makes the folders and the log.
func (d *demo) prepare(context.Context) error {
	d.paper.title("What happens")
	state, err := filepath.Abs(d.State)
	if err != nil {
		return err
	}
	d.State, d.files, d.logs = state, filepath.Join(state, "files"), filepath.Join(state, "logs")
	for _, folder := range []string{d.files, d.logs} {
		if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o755)); err != nil {
			return err
		}
	}
	if d.logFile, err = os.Create(filepath.Join(d.logs, "database.log")); err != nil {
		return err
	}
	d.log = slog.New(slog.NewTextHandler(d.logFile, nil))
	d.launcher = newLauncher()
	d.client = newClient()
	return nil
}

// startEverything paints the pictures while the database and the processes start.
func (d *demo) startEverything(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		if d.corpus, err = makeCorpus(ctx, d.Pictures); err == nil {
			d.paper.step(d.begin, "painted %s", d.describeCorpus())
		}
		return err
	})
	group.Go(func() error {
		if err := d.startStorage(ctx); err != nil {
			return err
		}
		return d.startServers(ctx)
	})
	return group.Wait()
}

// cleanUp ends whatever still runs.
func (d *demo) cleanUp() error {
	if d.client != nil {
		d.client.close()
	}
	var errs []error
	for _, c := range d.children {
		c.end(stopGrace)
	}
	if d.tables != nil {
		d.tables.close()
	}
	if d.plugin != nil {
		d.plugin.Close()
	}
	if d.launcher != nil {
		d.launcher.close()
	}
	if d.logFile != nil {
		errs = append(errs, d.logFile.Close())
	}
	return errors.Join(errs...)
}

// conclude prints the result.
func (d *demo) conclude(err error) error {
	d.result.OK, d.result.Seconds = err == nil, time.Since(d.begin).Seconds()
	if err != nil {
		d.result.Error = err.Error()
	}
	if d.JSON {
		return d.result.print(d.Out)
	}
	return d.paper.conclude(d.result, d.logs)
}

// pollPause is between two looks at something that is waited for.
const pollPause = 50 * time.Millisecond

// wait polls until done, an error or the end of ctx.
func wait(ctx context.Context, what string, done func() (bool, error)) error {
	return waitEvery(ctx, pollPause, what, done)
}

func waitEvery(ctx context.Context, pause time.Duration, what string, done func() (bool, error)) error {
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
		case <-time.After(pause):
		}
	}
}
