package database_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise/internal/testdb"
)

// patience bounds every wait of these tests; it is no expectation of how long things take.
const patience = time.Minute

func TestMain(m *testing.M) {
	status := testdb.Run(m)
	if status == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

func limited(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx := limited(t)
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("in vain waited for: %s", what)
		case <-ticker.C:
		}
	}
}

// together runs n functions at once and returns their results.
func together[R any](n int, run func(i int) R) []R {
	results := make([]R, n)
	done := make(chan struct{})
	for i := range n {
		go func() {
			results[i] = run(i)
			done <- struct{}{}
		}()
	}
	for range n {
		<-done
	}
	return results
}

// later runs a function beside the test and hands its result over.
func later[R any](run func() R) <-chan R {
	result := make(chan R, 1)
	go func() { result <- run() }()
	return result
}

// await returns what comes, or fails the test.
func await[R any](t testing.TB, what string, from <-chan R) R {
	t.Helper()
	select {
	case r := <-from:
		return r
	case <-limited(t).Done():
		t.Fatalf("in vain waited for: %s", what)
		panic("not reached")
	}
}
