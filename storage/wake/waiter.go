package wake

import (
	"context"
	"errors"
	"time"
)

// ErrDrained ends the waiting when the program is about to end.
var ErrDrained = errors.New("nobody may wait any more: the program is about to end")

// A Cause is why somebody looks again.
type Cause string

// The causes, as metrics name them.
const (
	none Cause = ""
	// Local is something that happened in this process.
	Local Cause = "local"
	// Notification is one of the database's.
	Notification Cause = "notification"
	// Poll is the time.
	Poll Cause = "poll"
	// Kept is a wake-up that came when nobody waited for the key.
	Kept Cause = "kept"
	// Connected is the listener's connection: what happened before it was there was not heard of.
	Connected Cause = "connected"
	// Reload is another set of queries and settings.
	Reload Cause = "reload"
)

var causes = []Cause{Local, Notification, Poll, Kept, Connected, Reload}

// A Waiter is one who waits for a key. It is used by one goroutine at a time.
type Waiter struct {
	topic  *Topic
	key    string
	roused chan struct{}
	last   Cause // of the last Wait

	// Guarded by the topic's mu: a wake-up that was not used yet, and whether Wait is under way.
	woken  Cause
	asleep bool
}

// wake is called with the topic's mu held.
func (w *Waiter) wake(cause Cause) {
	if w.woken != none {
		return
	}
	w.woken = cause
	select {
	case w.roused <- struct{}{}:
	default:
	}
}

// Wait returns when it is time to look again: woken, or because the poll interval is over. It returns
// ctx's error at its end, and ErrDrained when the hub is drained. Wake-ups since Register, or since the
// last Wait, count.
func (w *Waiter) Wait(ctx context.Context) error {
	t := w.topic
	w.last = none
	w.sleeps(true)
	timer := time.NewTimer(t.pause())
	defer timer.Stop()
	var err error
	cause := Poll
	select {
	case <-w.roused:
		cause = none
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	case <-t.drained:
		err = ErrDrained
	}
	t.mu.Lock()
	w.asleep = false
	if err == nil && w.woken != none {
		cause, w.woken = w.woken, none
		select {
		case <-w.roused: // both the time and a wake-up
		default:
		}
	}
	t.mu.Unlock()
	if err != nil {
		return err
	}
	w.last = cause
	t.hub.metrics.woke(t, cause)
	return nil
}

func (w *Waiter) sleeps(asleep bool) {
	w.topic.mu.Lock()
	w.asleep = asleep
	w.topic.mu.Unlock()
}

// GiveBack tells that the last wake-up was not used: nobody looked, or the look failed. Leave then
// passes it on; until then it counts as a new one.
func (w *Waiter) GiveBack() {
	if w.last == none || w.last == Poll {
		return
	}
	w.topic.mu.Lock()
	defer w.topic.mu.Unlock()
	w.wake(w.last)
	w.last = none
}

// Leave ends the interest. In a Single topic a wake-up that was not used goes to another who waits for
// the key, or is kept for one. It may be called more than once.
func (w *Waiter) Leave() { w.topic.leave(w) }
