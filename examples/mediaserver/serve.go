package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise/examples/mediaserver/page"
	"github.com/mortise-storage/mortise/examples/mediaserver/server"
)

// apiToken is the variable with the key of /internal/. It is no flag: every user of a machine can see
// the arguments of a process.
const apiToken = "MEDIASERVER_API_TOKEN"

// serveCommand runs the server until it is told to stop.
func serveCommand() *cobra.Command {
	var (
		o        common
		address  string
		workers  int
		maxFiles int
	)
	c := &cobra.Command{
		Use:   "serve",
		Short: "Answer HTTP, and run jobs too if wanted",
		Long: "Answer HTTP until SIGINT or SIGTERM. When it is ready it prints \"ready\" and its address on standard\n" +
			"output. The endpoints below /internal/ need the key that is in the variable " + apiToken + ";\n" +
			"without it nobody gets in.",
		Args: noArgs,
	}
	o.flags(c)
	f := c.Flags()
	f.StringVar(&address, "listen", "127.0.0.1:8080", "`host:port` to answer on; no host is every address")
	f.IntVar(&workers, "workers", 0, "how many `jobs` of each queue this process runs at once; 0 leaves them to others")
	f.IntVar(&maxFiles, "max-files", 0, "how many files one request may upload; 0 is 10")
	f.BoolVar(&o.readOnly, "read-only", false, "change nothing: no uploads, no new variants, no times of access")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if o.readOnly && workers > 0 {
			return wrongUsage("--read-only and --workers contradict each other: jobs change things")
		}
		if workers < 0 {
			return wrongUsage("--workers cannot be below 0")
		}
		return serve(c.Context(), o, address, loops{workers, workers}, server.Options{MaxFiles: maxFiles, APIKey: os.Getenv(apiToken)}, c.OutOrStdout())
	}
	return c
}

// serve runs everything and ends it in reverse order: requests in progress may need the workers, and
// the workers the plugin.
func serve(ctx context.Context, o common, address string, l loops, options server.Options, out io.Writer) error {
	m, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer m.close()
	options.Page, options.Registerer, options.Logger = page.Handler(), m.registry, m.log
	surface, err := server.New(m.Host, options)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", surface)
	mux.Handle("GET /metrics", m.metricsPage())
	web, err := listen(address, mux, m.log)
	if err != nil {
		return err
	}
	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	worked := make(chan error, 1)
	go func() {
		if !l.any() {
			<-working.Done()
			worked <- nil
			return
		}
		worked <- m.work(working, l)
	}()
	m.log.Info("media server is ready", "url", web.url)
	fmt.Fprintln(out, "ready", web.url)
	select {
	case <-ctx.Done():
		m.log.Info("stopping")
	case err = <-web.failed():
	case err = <-worked:
		worked <- nil
	}
	err = errors.Join(err, web.close())
	stopWork()
	return errors.Join(err, <-worked)
}
