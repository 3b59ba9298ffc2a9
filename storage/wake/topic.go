package wake

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// mostKept bounds the wake-ups that are kept for keys for which nobody waits; further ones are
// dropped. Whoever comes looks before waiting anyway.
const mostKept = 1024

// defaultPoll is for a topic whose settings say nothing.
const defaultPoll = time.Second

// A Topic is those who wait for one kind of thing, by key.
type Topic struct {
	hub  *Hub
	kind Kind
	// notified says that notifications were seen to arrive.
	notified atomic.Bool
	// told is what the log was told last about notifications; it is the listener's.
	told string
	// drained is closed when nobody may wait any more.
	drained chan struct{}

	mu sync.Mutex
	// waiting has no key without waiters.
	waiting map[string]*line
	// kept are the keys of a Single topic whose last wake-up found nobody.
	kept map[string]bool
}

// A line is those who wait for one key, the oldest first.
type line struct{ waiters []*Waiter }

// Register announces interest in a key, before the first look. Leave must be called in the end.
func (t *Topic) Register(key string) *Waiter {
	w := &Waiter{topic: t, key: key, roused: make(chan struct{}, 1)}
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.waiting[key]
	if l == nil {
		l = &line{}
		t.waiting[key] = l
	}
	l.waiters = append(l.waiters, w)
	if t.kept[key] {
		delete(t.kept, key)
		w.wake(Kept)
	}
	return w
}

// Wake tells that something happened to the key in this process.
func (t *Topic) Wake(key string) { t.wake(key, Local) }

// WakeEach tells that something happened in this process, and not to which key: in a Single topic one
// waiter of each key is woken, otherwise everybody.
func (t *Topic) WakeEach() { t.wakeEach(Local) }

// Notified says whether the database's notifications were seen to arrive.
func (t *Topic) Notified() bool { return t.notified.Load() }

// Listens says whether the operator's queries and settings ask for notifications.
func (t *Topic) Listens() bool { return t.kind.Subscription().Listen != nil }

// Waiting is how many sleep at the moment; those who are looking do not count.
func (t *Topic) Waiting() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, l := range t.waiting {
		for _, w := range l.waiters {
			if w.asleep && w.woken == none {
				n++
			}
		}
	}
	return n
}

func (t *Topic) wake(key string, cause Cause) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wakeLocked(key, cause)
}

func (t *Topic) wakeLocked(key string, cause Cause) {
	l := t.waiting[key]
	switch {
	case !t.kind.Single && l != nil:
		for _, w := range l.waiters {
			w.wake(cause)
		}
	case t.kind.Single && l == nil:
		if len(t.kept) < mostKept {
			t.kept[key] = true
		}
	case t.kind.Single:
		l.wakeOne(cause)
	}
}

// wakeOne wakes the one that has waited longest. One who is just looking comes second: it may be about
// to find something else, and has no need of being woken then. If all are woken already, all will look,
// and there is nothing to add.
func (l *line) wakeOne(cause Cause) {
	var looking *Waiter
	for _, w := range l.waiters {
		switch {
		case w.woken != none:
		case w.asleep:
			w.wake(cause)
			return
		case looking == nil:
			looking = w
		}
	}
	if looking != nil {
		looking.wake(cause)
	}
}

func (t *Topic) wakeEach(cause Cause) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key := range t.waiting {
		t.wakeLocked(key, cause)
	}
}

func (t *Topic) wakeEverybody(cause Cause) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.waiting {
		for _, w := range l.waiters {
			w.wake(cause)
		}
	}
}

// receive is told of a notification on the topic's channel.
func (t *Topic) receive(payload string) {
	if key, known := t.kind.Key(payload); known {
		t.wake(key, Notification)
		return
	}
	t.wakeEach(Notification)
}

// leave takes a waiter out. A wake-up that it did not use is passed on.
func (t *Topic) leave(w *Waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.waiting[w.key]
	if l == nil {
		return
	}
	i := slices.Index(l.waiters, w)
	if i < 0 {
		return
	}
	l.waiters = slices.Delete(l.waiters, i, i+1)
	if len(l.waiters) == 0 {
		delete(t.waiting, w.key)
	}
	if t.kind.Single && w.woken != none {
		t.wakeLocked(w.key, w.woken)
	}
}

// pause is the time up to the next look of somebody whom nothing wakes. It differs from one to the
// next by up to a quarter, or those who came together would always look together.
func (t *Topic) pause() time.Duration {
	poll := t.kind.Subscription().Poll
	if poll <= 0 {
		poll = defaultPoll
	}
	if t.notified.Load() {
		poll *= PollNotified
	}
	return time.Duration(float64(poll) * (0.75 + 0.5*rand.Float64()))
}
