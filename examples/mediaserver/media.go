package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise"
	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/examples/mediaserver/files"
	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/work"
	"github.com/mortise-storage/mortise/examples/tracker/operatorfile"
)

// common holds the flags of every process: the plugin and the files.
type common struct {
	program, config, state string
	files                  string
	readOnly               bool
	fetch                  []string
	debug                  bool
}

func (o *common) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.program, "plugin", "../bin/mortise", "the `path` of the plugin's binary")
	f.StringVar(&o.config, "config", "queries.yaml", "the operator's `file`: the database and the queries")
	f.StringVar(&o.state, "state", "", "the `folder` for an embedded database; a data_dir in the operator's file wins")
	f.StringVar(&o.files, "files", "files", "the `folder` of the pictures, the same for all processes")
	f.StringArrayVar(&o.fetch, "allow-fetch", nil, "a `network` (CIDR) that URLs may be fetched from; may be repeated; without it every public address and no other")
	f.BoolVar(&o.debug, "debug", false, "log more")
}

// A media is the host with what it stands on.
type media struct {
	*host.Host
	log      *slog.Logger
	plugin   *mortise.Host
	store    *files.Store
	registry *prometheus.Registry
}

// open starts the plugin and opens the files.
func (o *common) open(ctx context.Context) (*media, error) {
	options := host.Options{ReadOnly: o.readOnly, Logger: logger(o.debug)}
	for _, text := range o.fetch {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, wrongUsage("--allow-fetch: %w", err)
		}
		options.AllowedFetch = append(options.AllowedFetch, prefix.Masked())
	}
	store, err := files.Open(o.files)
	if err != nil {
		return nil, err
	}
	config := o.config
	if o.state != "" {
		if config, err = operatorfile.In(o.state, o.config); err != nil {
			return nil, err
		}
	}
	plugin, err := mortise.Connect(ctx, mortise.ConnectOptions{Program: o.program, Config: config, Logger: options.Logger})
	if err != nil {
		return nil, fmt.Errorf("starting the plugin: %w", err)
	}
	h, err := host.New(plugin.Conn(), store, options)
	if err != nil {
		plugin.Close()
		return nil, err
	}
	return &media{Host: h, log: options.Logger, plugin: plugin, store: store, registry: prometheus.NewRegistry()}, nil
}

func (m *media) close() {
	m.Host.Close()
	m.plugin.Close()
	if err := m.store.Close(); err != nil {
		m.log.Warn("closing the file store", "error", err)
	}
}

// loops is how many jobs of each queue run at once in a process.
type loops struct{ process, cleanup int }

func (l loops) any() bool { return l.process > 0 || l.cleanup > 0 }

// work runs jobs, and feeds the queue with what is due, until ctx ends and running jobs are done.
func (m *media) work(ctx context.Context, l loops) error {
	capabilities, err := mediav1.NewRepoClient(m.plugin.Conn()).Capabilities(ctx, &mediav1.CapabilitiesRequest{})
	if err != nil {
		return fmt.Errorf("asking the plugin for the heartbeat of jobs: %w", err)
	}
	if !slices.Contains(capabilities.GetGroups(), "queue") {
		return errors.New("the operator's file has no queries for the queue (media.queue): there is nothing to work on")
	}
	var feeding sync.WaitGroup
	feeding.Go(func() {
		work.Feed(ctx, work.FeedInterval, []work.Feeder{
			{Name: "outdated variants", Push: m.PushOutdatedVariants},
			{Name: "outdated proxies", Push: m.PushOutdatedProxies},
		}, m.log)
	})
	defer feeding.Wait()
	queues := map[string]int{}
	for queue, n := range map[string]int{host.ProcessQueue: l.process, host.CleanupQueue: l.cleanup} {
		if n > 0 {
			queues[queue] = n
		}
	}
	m.log.Info("working", "process", l.process, "cleanup", l.cleanup)
	return work.Run(ctx, work.Options{
		Queue:     mediav1.NewQueueClient(m.plugin.Conn()),
		Run:       m.Run,
		Loops:     queues,
		Heartbeat: capabilities.GetQueueHeartbeatInterval().AsDuration(),
		Metrics:   work.NewMetrics(m.registry),
		Logger:    m.log,
	})
}

// drain is how long requests in progress may take to end.
const drain = 15 * time.Second
