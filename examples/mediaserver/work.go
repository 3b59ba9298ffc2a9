package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"
)

// workCommand runs jobs until it is told to stop.
func workCommand() *cobra.Command {
	var (
		o       common
		l       loops
		metrics string
	)
	c := &cobra.Command{
		Use:   "work",
		Short: "Run jobs, in a process of their own",
		Long: "Run jobs until SIGINT or SIGTERM, then let running ones end. When it is ready it prints \"ready\" on\n" +
			"standard output, and the address of its metrics if it has one.",
		Args: noArgs,
	}
	o.flags(c)
	f := c.Flags()
	f.IntVar(&l.process, "process", 2, "how many `jobs` that take in or make pictures run at once")
	f.IntVar(&l.cleanup, "cleanup", 1, "how many `jobs` that clean up run at once")
	f.StringVar(&metrics, "metrics", "", "`host:port` to show metrics on")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if l.process < 0 || l.cleanup < 0 || !l.any() {
			return wrongUsage("--process and --cleanup cannot be below 0, nor both 0")
		}
		return runWorkers(c.Context(), o, l, metrics, c.OutOrStdout())
	}
	return c
}

// runWorkers shows its metrics and runs jobs until ctx ends.
func runWorkers(ctx context.Context, o common, l loops, metrics string, out io.Writer) (err error) {
	m, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer m.close()
	ready := "ready"
	if metrics != "" {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", m.metricsPage())
		web, failed := listen(metrics, mux, m.log)
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, web.close()) }()
		ready += " " + web.url
	}
	fmt.Fprintln(out, ready)
	return m.work(ctx, l)
}
