package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/examples/tracker/swarmdemo"
)

// demoCommand runs the demo.
func demoCommand() *cobra.Command {
	var program string
	o := swarmdemo.Options{}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show the tracker with real clients that share a file",
		Args:  cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVar(&program, "plugin", "../bin/mortise", "the `path` of the plugin's binary")
	f.StringVar(&o.Queries, "config", "../queries.example.yaml", "the query set, a `file` written for the default tables")
	f.StringVar(&o.State, "state", "../.state/demo", "the `folder` for the database and the logs; it is kept")
	f.StringVar(&o.Database, "database", swarmdemo.Embedded, "`embedded`, or the connection string of a database with the default tables")
	f.DurationVar(&o.Timeout, "timeout", 180*time.Second, "when to give up")
	f.Int64Var(&o.Size, "size", 12<<20, "the size of the shared file in `bytes`")
	f.DurationVar(&o.Interval, "interval", 3*time.Second, "the announce interval that clients are told")
	c.RunE = func(c *cobra.Command, _ []string) error {
		o.Out = c.OutOrStdout()
		o.Connect = func(ctx context.Context, config string, env []string, log *slog.Logger) (swarmdemo.Plugin, error) {
			host, err := mortise.Connect(ctx, mortise.ConnectOptions{Program: program, Config: config, Env: env, Logger: log})
			if err != nil {
				return nil, err // not host, which is no nil interface
			}
			return host, nil
		}
		return swarmdemo.Run(c.Context(), o)
	}
	return c
}
