package conformance

import (
	"sync/atomic"
	"time"
)

// A Clock is the clock of the storage under test, where a runner can stop it. Only with a clock that
// stands still is there a peer of exactly the age at which it becomes stale.
type Clock struct {
	stopped atomic.Pointer[time.Time]
}

// Now is the time of the clock; it is what the storage is opened with.
func (c *Clock) Now() time.Time {
	if at := c.stopped.Load(); at != nil {
		return *at
	}
	return time.Now()
}

// stop stops the clock at a whole second, so that no type of column rounds what follows from it, and
// returns that time. The clock goes on when the returned function is called.
func (c *Clock) stop() (at time.Time, goOn func()) {
	at = time.Now().UTC().Truncate(time.Second)
	c.stopped.Store(&at)
	return at, func() { c.stopped.Store(nil) }
}
