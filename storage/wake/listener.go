package wake

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/mortise-storage/mortise/storage/database"
)

// A subscribed is a topic that wants notifications.
type subscribed struct {
	topic *Topic
	Subscription
	// channel is where they come; empty if that is not known.
	channel string
}

// wanted returns the topics that want notifications under the present queries and settings.
func (h *Hub) wanted() []subscribed {
	var all []subscribed
	for _, t := range h.allTopics() {
		s := t.kind.Subscription()
		if s.Listen == nil {
			continue
		}
		channel, _ := s.channel()
		all = append(all, subscribed{topic: t, Subscription: s, channel: channel})
	}
	return all
}

// sameAs says whether a connection that was subscribed as before serves now as well.
func sameAs(before, now []subscribed) bool {
	if len(before) != len(now) {
		return false
	}
	for i := range now {
		if now[i].topic != before[i].topic || now[i].channel != before[i].channel || now[i].Listen.Text() != before[i].Listen.Text() {
			return false
		}
	}
	return true
}

// run keeps a connection that listens, as long as notifications are wanted.
func (h *Hub) run(ctx context.Context) {
	told := "" // so that a server that is away for hours does not fill the log
	backoff := h.timing.firstBackoff
	for ctx.Err() == nil {
		wanted := h.wanted()
		if len(wanted) == 0 {
			select {
			case <-ctx.Done():
			case <-h.changed:
			}
			continue
		}
		connected, err := h.listen(ctx, wanted)
		h.silence()
		if err == nil || ctx.Err() != nil {
			backoff = h.timing.firstBackoff
			continue
		}
		if connected {
			told, backoff = "", h.timing.firstBackoff
		}
		if err.Error() != told {
			told = err.Error()
			h.options.Logger.Warn("no notifications: those who wait only look now and then; connecting again", "reason", told)
		}
		h.rest(ctx, backoff)
		backoff = min(2*backoff, h.timing.lastBackoff)
	}
}

// rest waits before the next attempt to connect; with jitter, so that many processes do not come back
// to a server at once.
func (h *Hub) rest(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(time.Duration(float64(pause) * (0.5 + rand.Float64())))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-h.changed:
	case <-timer.C:
	}
}

// silence notes that no notifications arrive.
func (h *Hub) silence() {
	h.metrics.listens(false)
	for _, t := range h.allTopics() {
		t.notified.Store(false)
		h.metrics.arrives(t, false)
	}
}

// listen connects and receives until the connection is lost, which is its error, or until another one
// is wanted or ctx ends, which is none.
func (h *Hub) listen(ctx context.Context, wanted []subscribed) (connected bool, err error) {
	listener, err := h.options.Database.Listen(ctx, h.options.Connection)
	if err != nil {
		return false, err
	}
	defer listener.Close()
	wanted, err = h.subscribe(ctx, listener, wanted)
	if err != nil {
		return false, err
	}
	h.metrics.listens(true)
	h.wakeEverybody(Connected)

	ctx, cancel := context.WithCancelCause(ctx)
	var receiving sync.WaitGroup
	receiving.Go(func() { cancel(h.receive(ctx, listener, wanted)) })
	h.watch(ctx, wanted)
	lost := context.Cause(ctx)
	cancel(nil)
	receiving.Wait()
	if errors.Is(lost, context.Canceled) {
		return true, nil
	}
	return true, lost
}

// subscribe runs the listen statements. One that the server refuses leaves its topic without
// notifications, and the others as they are.
func (h *Hub) subscribe(ctx context.Context, listener *database.Listener, wanted []subscribed) ([]subscribed, error) {
	for i := range wanted {
		s := &wanted[i]
		err := listener.Subscribe(ctx, s.Listen)
		if err != nil && (listener.Lost() || ctx.Err() != nil) {
			return nil, err
		}
		if err != nil {
			h.options.Logger.Error("the query to listen failed; those who wait look now and then", "topic", s.topic.kind.Name, "error", err.Error())
			s.channel = ""
		}
	}
	return wanted, nil
}

// receive hands notifications to their topics. It returns why it ended.
func (h *Hub) receive(ctx context.Context, listener *database.Listener, wanted []subscribed) error {
	for {
		n, err := listener.Next(ctx)
		if err != nil {
			return err
		}
		if h.probes.answered(n) {
			continue
		}
		for _, s := range wanted {
			if s.channel == n.Channel {
				h.metrics.receive(s.topic)
				s.topic.receive(n.Payload)
			}
		}
	}
}

// watch probes the channels until ctx ends, or until other subscriptions are wanted.
func (h *Hub) watch(ctx context.Context, wanted []subscribed) {
	pause := h.timing.firstProbe
	for ctx.Err() == nil {
		if h.probe(ctx, wanted) {
			pause = h.timing.lastProbe
		}
		timer := time.NewTimer(pause)
		pause = min(2*pause, h.timing.lastProbe)
		for due := false; !due; {
			select {
			case <-ctx.Done():
				due = true
			case <-h.changed:
				if !sameAs(wanted, h.wanted()) {
					timer.Stop()
					return
				}
			case <-timer.C:
				due = true
			}
		}
		timer.Stop()
	}
}
