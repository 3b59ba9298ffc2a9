package mortise

import (
	"context"
	"log/slog"

	"github.com/mortise-storage/mortise/storage"
)

// A Watched is what serves an operator's file, without a server, whose files are looked at only when a
// test says so.
type Watched struct{ core *core }

// OpenWatched opens it as a server does.
func OpenWatched(ctx context.Context, options ServeOptions) (*Watched, error) {
	return OpenWatchedAt(ctx, options, new(slog.LevelVar))
}

// OpenWatchedAt does so with the level of the logger.
func OpenWatchedAt(ctx context.Context, options ServeOptions, level *slog.LevelVar) (*Watched, error) {
	c, err := openCore(ctx, options, level)
	if err != nil {
		return nil, err
	}
	c.watch()
	c.watching.Wait()
	return &Watched{c}, nil
}

// Close ends it.
func (w *Watched) Close() { w.core.close() }

// Storage is what is served.
func (w *Watched) Storage() *storage.Storage { return w.core.storage }

// Look is what happens every second.
func (w *Watched) Look(ctx context.Context) { w.core.reloader.look(ctx) }

// Reload is what happens on request.
func (w *Watched) Reload(ctx context.Context) (storage.Attempt, error) {
	return w.core.reloader.reload(ctx, "test")
}

// Rollback is what happens on request.
func (w *Watched) Rollback(ctx context.Context) (storage.Attempt, error) {
	return w.core.reloader.rollback(ctx)
}
