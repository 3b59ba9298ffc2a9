package work

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 10 * time.Second
)

// A backOff is pauses that grow as long as nothing succeeds. They are random in their upper half, so
// that loops which failed together do not come back together.
type backOff struct {
	last time.Duration
}

// wait pauses. It returns false if ctx ended meanwhile.
func (b *backOff) wait(ctx context.Context) bool {
	timer := time.NewTimer(b.next())
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (b *backOff) next() time.Duration {
	b.last = min(max(2*b.last, firstPause), longestPause)
	return b.last/2 + rand.N(b.last/2)
}

// reset is for a success.
func (b *backOff) reset() { b.last = 0 }
