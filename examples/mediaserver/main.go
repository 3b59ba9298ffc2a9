// Command mediaserver is an image server that keeps everything it knows in the storage plugin Mortise:
// originals and their names, variants, details, uploads under way and the queue of its workers. The
// files themselves are in a folder. It is an example of a host, complete enough to be used.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses, as the plugin's own program has them.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	root := command()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "mediaserver:", err)
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

// errUsage is the error of a command line that cannot be understood.
var errUsage = errors.New("try mediaserver --help")

// wrongUsage makes such an error.
func wrongUsage(format string, args ...any) error {
	return fmt.Errorf("%w; %w", fmt.Errorf(format, args...), errUsage)
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "mediaserver",
		Short: "An image server whose metadata lives in your own database",
		Long: "An image server whose metadata lives in your own database.\n\n" +
			"`serve` answers HTTP, `work` runs jobs: any number of processes of both kinds may share one database\n" +
			"and one folder of files. Exit status: 0 fine, 1 failed, 2 wrong usage.",
		// An error of the run is no reason to print how to use the program.
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return wrongUsage("there is no command %q", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return wrongUsage("%w", err) })
	root.AddCommand(serveCommand(), workCommand(), demoCommand())
	return root
}

// noArgs refuses arguments.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return wrongUsage("unexpected argument %q", args[0])
	}
	return nil
}

// logger writes to standard error.
func logger(debug bool) *slog.Logger {
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}
