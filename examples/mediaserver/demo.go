package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise/examples/mediaserver/demo"
)

// demoCommand runs the demo.
func demoCommand() *cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show servers and workers that share a database, with a worker killed among them",
		Long: "Start servers, workers and a database of their own, upload pictures, make variants, kill a worker, and see\n" +
			"that everything is there exactly once. It ends by itself and leaves nothing running.",
		Args: noArgs,
	}
	f := c.Flags()
	f.StringVar(&o.Plugin, "plugin", "../bin/mortise", "the `path` of the plugin's binary")
	f.StringVar(&o.Queries, "config", "../queries.example.yaml", "the query set, a `file` written for the default tables")
	f.StringVar(&o.State, "state", "../.state/demo-media", "the `folder` for the database, the files and the logs; it is kept, and emptied by the next run")
	f.IntVar(&o.Pictures, "pictures", 60, "how many different pictures are uploaded")
	f.DurationVar(&o.Timeout, "timeout", 2*time.Minute, "when to give up")
	f.BoolVar(&o.JSON, "json", false, "print the result as JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if o.Pictures < 1 || o.Timeout <= 0 {
			return wrongUsage("--pictures and --timeout must be above 0")
		}
		var err error
		if o.Program, err = os.Executable(); err != nil {
			return fmt.Errorf("finding this program, to run it again: %w", err)
		}
		o.Out, o.Err = c.OutOrStdout(), c.ErrOrStderr()
		return demo.Run(c.Context(), o)
	}
	return c
}
