// Command tracker is a BitTorrent tracker, HTTP and UDP, that keeps its swarms in the storage plugin
// Mortise: an example of a host, complete enough to be used.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/examples/tracker/operatorfile"
	"github.com/mortise-storage/mortise/examples/tracker/swarmdemo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "tracker:", err)
		stop()
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "tracker",
		Short: "A BitTorrent tracker whose swarms live in your own database",
		// An error of the run is no reason to print how to use the program.
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(serveCommand(), approveCommand(), demoCommand(), swarmClientCommand())
	return root
}

// plugin holds the flags that say which plugin to start, and with what.
type plugin struct {
	program, config, state string
}

func (p *plugin) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.program, "plugin", "../bin/mortise", "the `path` of the plugin's binary")
	c.Flags().StringVar(&p.config, "config", "queries.yaml", "the operator's `file`: the database and the queries")
	c.Flags().StringVar(&p.state, "state", "", "the `folder` for an embedded database; a data_dir in the operator's file wins")
}

// connect starts the plugin.
func (p *plugin) connect(ctx context.Context, log *slog.Logger) (*mortise.Host, error) {
	config := p.config
	if p.state != "" {
		var err error
		if config, err = operatorfile.In(p.state, p.config); err != nil {
			return nil, err
		}
	}
	host, err := mortise.Connect(ctx, mortise.ConnectOptions{Program: p.program, Config: config, Logger: log})
	if err != nil {
		return nil, fmt.Errorf("starting the plugin: %w", err)
	}
	return host, nil
}

// logger writes to standard error.
func logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// swarmClientCommand is how the demo runs itself again as a client.
func swarmClientCommand() *cobra.Command {
	return &cobra.Command{
		Use:    swarmdemo.ClientCommand,
		Hidden: true,
		RunE: func(c *cobra.Command, args []string) error {
			return swarmdemo.Client(c.Context(), args, c.OutOrStdout(), c.InOrStdin())
		},
	}
}
