package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mortise-storage/mortise"
	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
)

// startStorage starts the plugin that owns the embedded database.
func (d *demo) startStorage(ctx context.Context) (err error) {
	if d.config, err = writeOperatorFile(d.State, d.Queries); err != nil {
		return err
	}
	d.plugin, err = mortise.Connect(ctx, mortise.ConnectOptions{
		Program: d.Plugin, Config: d.config, Env: []string{"MORTISE_DATABASE=embedded"}, Logger: d.log})
	if err != nil {
		return fmt.Errorf("starting the plugin: %w", err)
	}
	plugin := pluginv1.NewPluginClient(d.plugin.Conn())
	err = wait(ctx, "the storage to serve", func() (bool, error) {
		health, err := plugin.Health(ctx, &pluginv1.HealthRequest{})
		if health.GetState() == pluginv1.HealthResponse_MISCONFIGURED {
			return false, fmt.Errorf("the queries do not fit the database: %s", health.GetReason())
		}
		return health.GetState() == pluginv1.HealthResponse_SERVING, err
	})
	if err != nil {
		return err
	}
	about, err := plugin.Info(ctx, &pluginv1.InfoRequest{})
	if err != nil {
		return err
	}
	d.result.Plugin, d.result.Server = about.GetVersion(), about.GetServer()
	folder, port, err := embeddedSocket(d.dataDir())
	if err != nil {
		return err
	}
	if d.tables, err = openTables(ctx, dsn(folder, port)); err != nil {
		return err
	}
	if err := d.tables.clear(ctx); err != nil {
		return err
	}
	d.paper.step(d.begin, "started plugin %s and %s in %s", about.GetVersion(), about.GetServer(), d.dataDir())
	return nil
}

func (d *demo) dataDir() string { return filepath.Join(d.State, dataDir) }

// The processes: what each of them is given to do.
const (
	servers      = 2
	workers      = 3
	processLoops = 2
	cleanupLoops = 1
)

// A server is a process that answers HTTP.
type server struct {
	*child
	url string
}

// A worker is a process that only runs jobs.
type worker struct {
	*child
	metrics string // the URL of its metrics
	killed  bool
	jobs    jobCounts
}

// startServers starts all processes at once. Each has a plugin of its own, and all of them the same
// database and the same folder of files.
func (d *demo) startServers(ctx context.Context) error {
	folder, port, err := embeddedSocket(d.dataDir())
	if err != nil {
		return err
	}
	token := rand.Text()
	for i := range servers {
		c, err := d.start(fmt.Sprintf("server %d", i+1), dsn(folder, port), token, "serve", "--listen", "127.0.0.1:0")
		if err != nil {
			return err
		}
		d.servers = append(d.servers, &server{child: c})
	}
	for i := range workers {
		c, err := d.start(fmt.Sprintf("worker %d", i+1), dsn(folder, port), token, "work", "--debug", "--metrics", "127.0.0.1:0",
			"--process", fmt.Sprint(processLoops), "--cleanup", fmt.Sprint(cleanupLoops))
		if err != nil {
			return err
		}
		d.workers = append(d.workers, &worker{child: c})
	}
	for _, s := range d.servers {
		if s.url, err = s.ready(ctx); err != nil {
			return err
		}
	}
	for _, w := range d.workers {
		if w.metrics, err = w.ready(ctx); err != nil {
			return err
		}
	}
	d.paper.step(d.begin, "%d servers and %d workers are ready, %d processes with a plugin each, on one database",
		servers, workers, servers+workers)
	return nil
}

// start starts the media server with a command, on a database.
func (d *demo) start(name, database, token, command string, args ...string) (*child, error) {
	args = append([]string{command, "--plugin", d.Plugin, "--config", d.config, "--files", d.files}, args...)
	cmd := exec.Command(d.Program, args...)
	cmd.Env = append(os.Environ(), "MORTISE_DATABASE="+database, "MEDIASERVER_API_TOKEN="+token)
	c, err := d.launcher.start(name, cmd, d.logOf(name))
	if err == nil {
		d.children = append(d.children, c)
	}
	return c, err
}

// logOf is where a process' log goes.
func (d *demo) logOf(name string) string {
	return filepath.Join(d.logs, strings.ReplaceAll(name, " ", "-")+".log")
}

// stopProcesses ends servers and workers as an operator would, and sees that they end well.
func (d *demo) stopProcesses(context.Context) error {
	began := time.Now()
	check := d.newCheck("every process ended well when it was told to, and its plugin with it, also that of the killed worker")
	for _, c := range d.children {
		willing := c.end(stopGrace)
		if !willing {
			check.failf("%s or its plugin had to be ended by force", c.name)
		}
		if c.err != nil && !d.killed(c) {
			check.failf("%s: %v", c.name, c.err)
		}
	}
	check.passf("%d processes", len(d.children))
	d.paper.step(d.begin, "all processes ended, within %.1f s", time.Since(began).Seconds())
	return nil
}

func (d *demo) killed(c *child) bool {
	for _, w := range d.workers {
		if w.child == c {
			return w.killed
		}
	}
	return false
}
