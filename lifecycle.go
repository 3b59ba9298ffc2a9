package mortise

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// parentInterval is how often a plugin looks whether its host is still there.
const parentInterval = 250 * time.Millisecond

// untilToldToEnd returns a context that ends when the plugin has to: on SIGTERM, or when its host is
// gone. Until stop is called, SIGINT and SIGPIPE do nothing.
//
// A host's death is noticed by the parent process changing, as the orphan is given to another one.
// The kernel could tell by itself (PR_SET_PDEATHSIG), but only on Linux, and what it reports is the
// end of the thread that started the child, which in a Go host may end at any time. The connection
// says nothing either: a host may close it and come again.
//
// SIGPIPE must be taken, because Go ends a process that writes to a closed standard error. That is
// exactly what the log is once the host is dead, and there is a database to be shut down then.
func untilToldToEnd(ctx context.Context, logger *slog.Logger) (_ context.Context, stop func()) {
	parent := os.Getppid()
	ctx, cancel := context.WithCancel(ctx)
	terminate, ignored := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	signal.Notify(ignored, os.Interrupt, syscall.SIGPIPE)
	go func() {
		ticker := time.NewTicker(parentInterval)
		defer ticker.Stop()
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-ignored:
			case <-terminate:
				logger.Info("told to end (SIGTERM)")
				cancel()
			case <-ticker.C:
				if os.Getppid() != parent {
					logger.Warn("the host is gone")
					cancel()
				}
			}
		}
	}()
	return ctx, func() {
		cancel()
		signal.Stop(terminate)
		signal.Stop(ignored)
	}
}
