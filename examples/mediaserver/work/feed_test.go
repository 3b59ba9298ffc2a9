package work_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/mortise-storage/mortise/examples/mediaserver/work"
)

// Feeders push at once and again and again; one that fails keeps nobody else from it.
func TestFeed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var log strings.Builder
	failures, pushes := 0, 0
	work.Feed(ctx, time.Millisecond, []work.Feeder{
		{Name: "broken", Push: func(context.Context) error {
			failures++
			return errors.New("no way")
		}},
		{Name: "whole", Push: func(context.Context) error {
			if pushes++; pushes == 3 {
				cancel()
			}
			return nil
		}},
	}, slog.New(slog.NewTextHandler(&log, nil)))
	if failures != 3 || pushes != 3 {
		t.Errorf("%d failures, %d pushes", failures, pushes)
	}
	if n := strings.Count(log.String(), "feeder=broken"); n != 3 {
		t.Errorf("%d of 3 failures were logged", n)
	}
}
