package mortise

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/fault"
)

const (
	// fileInterval is how often the operator's files are looked at for a change.
	fileInterval = time.Second
	// steadyInterval is how long files that have changed must stay as they are before they are read:
	// who writes them may not have finished.
	steadyInterval = 100 * time.Millisecond
	// longestRetry bounds the growing pause before a file is tried again that could not be checked.
	longestRetry = 30 * time.Second
	// steadyLooks bounds how often that is waited for, before others get their turn.
	steadyLooks = 20
	// mostSets is how many sets are kept to go back to.
	mostSets = 10
)

// A reloader puts the operator's file into effect while calls are answered: when it changes, on SIGHUP,
// and when it is asked to; and goes back to sets that were in use before.
type reloader struct {
	core *core
	// turn holds one token. Who has it may reload, and use what is below.
	turn chan struct{}
	used *reading
	// before are the readings that were in use earlier, the latest last.
	before []*reading
	// seen is the last reading, whether or not it could be used: only what differs from it is a change.
	seen *reading
	// retry is when seen is to be tried again because the database did not answer; zero is never.
	retry time.Time
	pause time.Duration
	// told is the last failure that was logged; the same one is not logged again and again.
	told string
}

func newReloader(c *core, used *reading) *reloader {
	r := &reloader{core: c, turn: make(chan struct{}, 1), used: used, seen: used}
	r.turn <- struct{}{}
	return r
}

// hangups returns a channel that gets SIGHUP, which then does not end the process any more.
func hangups() chan os.Signal {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	return hangup
}

// run reloads on SIGHUP and when a file has changed, until ctx ends.
func (r *reloader) run(ctx context.Context, hangup <-chan os.Signal) {
	ticker := time.NewTicker(fileInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			_, _ = r.reload(ctx, "SIGHUP") // it is logged
		case <-ticker.C:
			r.look(ctx)
		}
	}
}

// begin waits until it is the caller's turn.
func (r *reloader) begin(ctx context.Context) error {
	select {
	case <-r.turn:
		if ctx.Err() == nil {
			return nil
		}
		r.end()
	case <-ctx.Done():
	}
	return fault.New(fault.Canceled, "", "the caller gave up before the reload began")
}

func (r *reloader) end() { r.turn <- struct{}{} }

// reload puts the file's present content into effect, as a whole or not at all.
func (r *reloader) reload(ctx context.Context, cause string) (storage.Attempt, error) {
	if err := r.begin(ctx); err != nil {
		return storage.Attempt{}, err
	}
	defer r.end()
	return r.use(ctx, r.read(), cause), nil
}

// rollback puts the set into effect that was in use before. A file that caused it is not taken up again
// by itself, because it was seen already.
func (r *reloader) rollback(ctx context.Context) (storage.Attempt, error) {
	if err := r.begin(ctx); err != nil {
		return storage.Attempt{}, err
	}
	defer r.end()
	last := len(r.before) - 1
	if last < 0 {
		return storage.Attempt{}, fault.New(fault.Precondition, "", "there is no query set to go back to: the one in use is the first since the start, or all before it were gone back to")
	}
	target := r.before[last]
	attempt := r.core.storage.Reload(ctx, storage.Update{Config: target.config.Storage, Problems: target.problems, Rollback: true})
	r.retry = time.Time{}
	if attempt.Outcome.Success() {
		r.before = r.before[:last]
		r.take(target)
	}
	r.tell(attempt, "rollback")
	return attempt, nil
}

// look reloads if a file has changed, or could not be checked before.
func (r *reloader) look(ctx context.Context) {
	if r.begin(ctx) != nil {
		return
	}
	defer r.end()
	now := r.seen.stamps.again()
	if now[r.core.options.ConfigFile] == (fileStamp{}) {
		return // it is being replaced
	}
	if !maps.Equal(now, r.seen.stamps) {
		if !steady(ctx, now) {
			return
		}
		before := r.seen.content
		if next := r.read(); next.content != before {
			r.use(ctx, next, "the file changed")
		}
		return
	}
	if !r.retry.IsZero() && !time.Now().Before(r.retry) {
		r.use(ctx, r.read(), "the database did not answer before")
	}
}

// steady waits until files that are being written stay as they are; it returns false if they do not, or
// ctx ends first.
func steady(ctx context.Context, before stamps) bool {
	ticker := time.NewTicker(steadyInterval)
	defer ticker.Stop()
	for range steadyLooks {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
		now := before.again()
		if maps.Equal(now, before) {
			return true
		}
		before = now
	}
	return false
}

// read reads the operator's files as they are now.
func (r *reloader) read() *reading {
	r.seen = readFiles(r.core.options.ConfigFile, r.core.contract, r.seen.files())
	return r.seen
}

// use puts a reading into effect, if nothing is wrong with it.
func (r *reloader) use(ctx context.Context, next *reading, cause string) storage.Attempt {
	update := storage.Update{Problems: next.problems}
	if next.config != nil {
		update.Config = next.config.Storage
	}
	attempt := r.core.storage.Reload(ctx, update)
	r.retry = time.Time{}
	switch attempt.Outcome {
	case storage.Applied:
		r.before = append(r.before[max(0, len(r.before)+1-mostSets):], r.used)
		r.take(next)
	case storage.Unchanged:
		r.take(next)
	case storage.Failed:
		r.pause = min(max(2*r.pause, fileInterval), longestRetry)
		r.retry = time.Now().Add(r.pause)
	}
	r.tell(attempt, cause)
	return attempt
}

// take notes that a reading is in use, and does what else its file says.
func (r *reloader) take(next *reading) {
	c := r.core
	r.used, r.pause = next, 0
	c.level.Set(next.config.LogLevel)
	if next.config.MetricsListen != c.metricsListen {
		c.logger.Warn("metrics.listen was changed, which takes effect when the plugin is started again")
	}
}

// tell logs how a reload ended.
func (r *reloader) tell(attempt storage.Attempt, cause string) {
	failed := !attempt.Outcome.Success()
	if text := attempt.Message + attempt.Problems.Error(); attempt.Outcome == storage.Failed && text == r.told {
		return
	} else if r.told = ""; failed {
		r.told = text
	}
	_ = r.core.tell(attempt.Problems)
	level := slog.LevelInfo
	if failed {
		level = slog.LevelError
	}
	r.core.logger.Log(context.Background(), level, "reload: "+attempt.Message, "outcome", string(attempt.Outcome), "cause", cause,
		"generation", attempt.InUse.Generation, "hash", attempt.InUse.Hash, "file", r.core.options.ConfigFile)
}
