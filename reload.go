package mortise

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/mortise-storage/mortise/storage/problem"
)

// fileInterval is how often the operator's file is looked at for a change.
const fileInterval = time.Second

// A reloader takes over changes of the operator's file while calls are answered.
type reloader struct {
	core   *core
	seen   fileStamp
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// A fileStamp tells one version of a file from another.
type fileStamp struct {
	size int64
	time time.Time
}

// stampOf is the zero stamp for a file that is not there: while an editor replaces it, for example.
func stampOf(path string) fileStamp {
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{}
	}
	return fileStamp{info.Size(), info.ModTime()}
}

// startReloader begins to watch; seen is the file's stamp from before it was loaded.
func startReloader(c *core, seen fileStamp) *reloader {
	ctx, cancel := context.WithCancel(context.Background())
	r := &reloader{core: c, seen: seen, cancel: cancel}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	r.done.Go(func() {
		defer signal.Stop(hangup)
		r.run(ctx, hangup)
	})
	return r
}

func (r *reloader) stop() {
	r.cancel()
	r.done.Wait()
}

// run reloads on SIGHUP, and when the file has changed. Files that it includes are not watched.
func (r *reloader) run(ctx context.Context, hangup <-chan os.Signal) {
	ticker := time.NewTicker(fileInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			r.seen = stampOf(r.core.options.ConfigFile)
			r.core.reload(ctx)
		case <-ticker.C:
			now := stampOf(r.core.options.ConfigFile)
			if now == r.seen || now == (fileStamp{}) {
				continue
			}
			r.seen = now
			r.core.reload(ctx)
		}
	}
}

// reload puts the file's present content into effect, as a whole or not at all.
func (c *core) reload(ctx context.Context) {
	const kept = "the file is not taken over; the queries in use stay"
	config, problems := LoadWith(c.options.ConfigFile, c.contract)
	if c.tell(problems) != nil {
		c.logger.Error(kept)
		return
	}
	found, err := c.storage.Reload(ctx, config.Storage)
	known := func(p problem.Problem) bool { return slices.Contains(problems, p) }
	if c.tell(slices.DeleteFunc(found, known)) != nil {
		c.logger.Error(kept)
		return
	}
	if err != nil {
		c.logger.Error(kept, "error", err.Error())
		return
	}
	c.level.Set(config.LogLevel)
	if config.MetricsListen != c.metricsListen {
		c.logger.Warn("metrics.listen was changed, which takes effect when the plugin is started again")
	}
	c.logger.Info("the file was reloaded", "file", c.options.ConfigFile)
}
