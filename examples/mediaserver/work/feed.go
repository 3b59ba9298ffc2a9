package work

import (
	"context"
	"log/slog"
	"time"
)

// FeedInterval is how often feeders push.
const FeedInterval = 30 * time.Second

// A Feeder pushes a job that is due again and again. Its job has a unique key, so that every process may
// feed: at most one such job is stored.
type Feeder struct {
	Name string
	Push func(ctx context.Context) error
}

// Feed lets the feeders push, at once and then at each interval, until ctx ends. One that fails is
// logged and tried again the next time.
func Feed(ctx context.Context, every time.Duration, feeders []Feeder, log *slog.Logger) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		for _, feeder := range feeders {
			if err := feeder.Push(ctx); err != nil && ctx.Err() == nil {
				log.Warn("a feeder failed", "feeder", feeder.Name, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
