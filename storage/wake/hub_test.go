package wake

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// lone is a topic of a hub that never listens, in which nobody looks by the time.
func lone(t *testing.T, single bool) *Topic {
	t.Helper()
	h := New(Options{Registerer: prometheus.NewRegistry()})
	t.Cleanup(h.Close)
	return h.Topic(Kind{Name: "test", Single: single, Subscription: func() Subscription { return Subscription{Poll: time.Hour} },
		Key: func(payload string) (string, bool) { return payload, payload != "" }})
}

// pending returns which of the waiters have a wake-up.
func pending(waiters ...*Waiter) string {
	text := ""
	for _, w := range waiters {
		w.topic.mu.Lock()
		if w.woken == none {
			text += "-"
		} else {
			text += "!"
		}
		w.topic.mu.Unlock()
	}
	return text
}

// asleep starts a wait and returns when it sleeps.
func asleep(t *testing.T, ctx context.Context, w *Waiter) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	before := w.topic.Waiting()
	go func() { done <- w.Wait(ctx) }()
	for ctx := within(t); w.topic.Waiting() == before; {
		select {
		case <-ctx.Done():
			t.Fatal("it does not sleep")
		case err := <-done:
			t.Fatalf("it does not sleep: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	return done
}

func returned(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-within(t).Done():
		t.Fatal("it goes on waiting")
	}
	return nil
}

func TestAWakeUpBetweenLookAndWaitCounts(t *testing.T) {
	for _, single := range []bool{true, false} {
		topic := lone(t, single)
		w := topic.Register("k")
		topic.Wake("other")
		topic.Wake("k")
		if err := w.Wait(within(t)); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		if err := w.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one wake-up ended two waits: %v", err)
		}
		w.Leave()
	}
}

func TestASingleTopicWakesTheOneThatWaitedLongest(t *testing.T) {
	topic := lone(t, true)
	looking, first, second := topic.Register("k"), topic.Register("k"), topic.Register("k")
	doneFirst := asleep(t, within(t), first)
	doneSecond := asleep(t, within(t), second)
	topic.Wake("k")
	if err := returned(t, doneFirst); err != nil {
		t.Error(err)
	}
	if got := pending(looking, second); got != "--" {
		t.Errorf("others were woken as well: %s", got)
	}
	topic.Wake("k") // the second sleeps
	if err := returned(t, doneSecond); err != nil {
		t.Error(err)
	}
	topic.Wake("k") // all are looking
	if got := pending(looking, first, second); got != "!--" {
		t.Errorf("%s were woken", got)
	}
	for range 5 {
		topic.Wake("k")
	}
	if got := pending(looking, first, second); got != "!!!" {
		t.Errorf("%s were woken", got)
	}
	for _, w := range []*Waiter{looking, first, second} {
		w.Leave()
	}
}

func TestAnotherTopicWakesAll(t *testing.T) {
	topic := lone(t, false)
	a, b, other := topic.Register("k"), topic.Register("k"), topic.Register("l")
	topic.Wake("k")
	if got := pending(a, b, other); got != "!!-" {
		t.Errorf("%s were woken", got)
	}
	a.Leave()
	if got := pending(other); got != "-" {
		t.Error("a wake-up of all was passed on")
	}
	b.Leave()
	other.Leave()
	topic.Wake("k")
	if again := topic.Register("k"); pending(again) != "-" {
		t.Error("a wake-up of all was kept")
	}
}

func TestAWakeUpThatIsNotUsedIsPassedOn(t *testing.T) {
	topic := lone(t, true)
	a, b, c := topic.Register("k"), topic.Register("k"), topic.Register("k")
	topic.Wake("k")
	a.Leave()
	a.Leave() // once is enough
	if got := pending(b, c); got != "!-" {
		t.Errorf("after leaving: %s", got)
	}
	if err := b.Wait(within(t)); err != nil {
		t.Error(err)
	}
	b.GiveBack()
	b.GiveBack()
	b.Leave()
	if got := pending(c); got != "!" {
		t.Error("what was given back went to nobody")
	}
	if err := c.Wait(within(t)); err != nil {
		t.Error(err)
	}
	c.Leave() // used
	if d := topic.Register("k"); pending(d) != "-" {
		t.Error("what was used is there once more")
	}
}

func TestAWakeUpForNobodyIsKept(t *testing.T) {
	topic := lone(t, true)
	topic.Wake("k")
	topic.Wake("k")
	a, b := topic.Register("k"), topic.Register("k")
	if got := pending(a, b); got != "!-" {
		t.Errorf("one should be kept, got %s", got)
	}
	a.Leave()
	b.Leave() // it keeps it again
	if c := topic.Register("k"); pending(c) != "!" {
		t.Error("it was not kept again")
	}
}

// Keys come from notifications, so they may be anything.
func TestNothingGrows(t *testing.T) {
	topic := lone(t, true)
	for i := range 10 * mostKept {
		key := fmt.Sprint(i)
		topic.receive(key)
		w := topic.Register(fmt.Sprint("w", key))
		w.Leave()
		w.Leave()
	}
	if len(topic.kept) != mostKept || len(topic.waiting) != 0 {
		t.Errorf("%d keys are kept and %d waited for", len(topic.kept), len(topic.waiting))
	}
}

func TestPayloads(t *testing.T) {
	topic := lone(t, true)
	a, b, c := topic.Register("a"), topic.Register("a"), topic.Register("c")
	topic.receive("c")
	if got := pending(a, b, c); got != "--!" {
		t.Errorf("a payload that names a key woke %s", got)
	}
	topic.receive("")
	if got := pending(a, b, c); got != "!-!" {
		t.Errorf("a payload that names none woke %s, and should wake one of each", got)
	}
	topic.hub.wakeEverybody(Connected)
	if got := pending(a, b, c); got != "!!!" {
		t.Errorf("a new connection woke %s", got)
	}
}

func TestTheEndOfWaiting(t *testing.T) {
	topic := lone(t, true)
	w := topic.Register("k")
	ctx, cancel := context.WithCancel(within(t))
	done := asleep(t, ctx, w)
	cancel()
	if err := returned(t, done); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	done = asleep(t, within(t), w)
	topic.hub.Drain()
	topic.hub.Drain()
	if err := returned(t, done); !errors.Is(err, ErrDrained) {
		t.Error(err)
	}
	if err := w.Wait(within(t)); !errors.Is(err, ErrDrained) {
		t.Error(err)
	}
}

func TestPauses(t *testing.T) {
	poll := 4 * time.Second
	h := new(Hub)
	topic := h.Topic(Kind{Subscription: func() Subscription { return Subscription{Poll: poll} }})
	for notified, mean := range map[bool]time.Duration{false: poll, true: PollNotified * poll} {
		topic.notified.Store(notified)
		different := map[time.Duration]bool{}
		for range 100 {
			pause := topic.pause()
			if pause < mean*3/4 || pause > mean*5/4 {
				t.Errorf("notified %t: a pause of %v", notified, pause)
			}
			different[pause] = true
		}
		if len(different) < 50 {
			t.Error("there is no jitter")
		}
	}
	poll = 0
	topic.notified.Store(false)
	if pause := topic.pause(); pause < defaultPoll/2 {
		t.Errorf("without a setting the pause is %v", pause)
	}
}

// Everybody who is woken leaves, and no wake-up is lost on the way: each of many wake-ups ends one wait.
func TestManyWaitersAndWakeUps(t *testing.T) {
	const waiters = 50
	topic := lone(t, true)
	ctx := within(t)
	var left sync.WaitGroup
	for range waiters {
		w := topic.Register("k")
		left.Go(func() {
			defer w.Leave()
			if err := w.Wait(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	for range waiters {
		left.Go(func() { topic.Wake("k") })
	}
	left.Wait()
}

func TestChannels(t *testing.T) {
	long := "c23456789012345678901234567890123456789012345678901234567890123x"
	for sql, want := range map[string]string{
		"LISTEN media_queue":                 "media_queue",
		"listen Media_Queue;":                "media_queue",
		`LISTEN "Media ""Queue"""`:           `Media "Queue"`,
		"/* LISTEN a */ LISTEN -- x\n b":     "b",
		"LISTEN " + long:                     long[:63],
		"SELECT subscribe()":                 "",
		"LISTEN":                             "",
		"UNLISTEN a":                         "",
		`LISTEN "`:                           "",
		"LISTEN a; LISTEN b":                 "",
		"LISTEN \"" + long[:62] + "\u00e9\"": long[:62],
	} {
		got, known := channelOf(sql)
		if got != want || known != (want != "") {
			t.Errorf("%s: %q, %t; want %q", sql, got, known, want)
		}
	}
	if got, _ := (Subscription{Channel: "Given"}).channel(); got != "Given" {
		t.Errorf("the channel that was given became %q", got)
	}
}
