package schedule_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise/storage/schedule"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("in vain waited for: %s", what)
		case <-ticker.C:
		}
	}
}

func often() time.Duration { return time.Millisecond }

func TestRunsNeverOverlap(t *testing.T) {
	var under, runs atomic.Int64
	s := schedule.New(slog.New(slog.DiscardHandler), schedule.Task{Interval: often, Jitter: 0.5, Run: func(context.Context) {
		if under.Add(1) > 1 {
			t.Error("two runs overlap")
		}
		defer under.Add(-1)
		runs.Add(1)
	}})
	defer s.Close()
	s.Start()
	eventually(t, "runs", func() bool { return runs.Load() > 20 })
}

func TestAPanicEndsOneRun(t *testing.T) {
	var log bytes.Buffer
	var runs, others atomic.Int64
	s := schedule.New(slog.New(slog.NewTextHandler(&log, nil)),
		schedule.Task{Name: "breaks", Interval: often, Run: func(context.Context) {
			if runs.Add(1) == 1 {
				panic("s3cr3t")
			}
		}},
		schedule.Task{Interval: often, Run: func(context.Context) { others.Add(1) }})
	s.Start()
	eventually(t, "further runs", func() bool { return runs.Load() > 3 && others.Load() > 3 })
	s.Close()
	if text := log.String(); !strings.Contains(text, "task=breaks") || strings.Contains(text, "s3cr3t") {
		t.Errorf("the log is %s", text)
	}
}

// An interval of 0 is no runs; a reload may change that, and back.
func TestReload(t *testing.T) {
	var interval, runs atomic.Int64
	s := schedule.New(slog.New(slog.DiscardHandler), schedule.Task{
		Interval: func() time.Duration { return time.Duration(interval.Load()) }, Run: func(context.Context) { runs.Add(1) }})
	defer s.Close()
	s.Reloaded() // before the start it means nothing
	s.Start()
	if !s.Started() || runs.Load() != 0 {
		t.Error("it did not start, or ran")
	}
	interval.Store(int64(time.Millisecond))
	s.Reloaded()
	eventually(t, "runs", func() bool { return runs.Load() > 2 })
	interval.Store(int64(time.Hour))
	eventually(t, "a pause that is not over", func() bool {
		before := runs.Load()
		s.Reloaded()
		return runs.Load() == before
	})
	interval.Store(int64(time.Millisecond))
	s.Reloaded()
	n := runs.Load()
	eventually(t, "runs", func() bool { return runs.Load() > n+1 })
}

func TestClose(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	s := schedule.New(slog.New(slog.DiscardHandler), schedule.Task{Interval: often, Run: func(ctx context.Context) {
		close(begun)
		<-ctx.Done()
		close(ended)
	}})
	s.Close() // without Start
	s.Start()
	<-begun
	s.Close()
	s.Close()
	select {
	case <-ended:
	default:
		t.Error("it did not wait for the run that was under way")
	}
}
