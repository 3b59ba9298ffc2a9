package wake

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"github.com/mortise-storage/mortise/storage/database"
)

// probePrefix begins a payload that means nothing but that notifications arrive. Nobody is woken by
// one, in whatever process.
const probePrefix = "mortise:probe:"

// probes are the notifications that this process sent itself and waits for. That LISTEN succeeds says
// nothing: behind a pooler in transaction mode nothing ever arrives.
type probes struct {
	mu  sync.Mutex
	due map[string]chan<- struct{} // by payload
}

// answered says whether a notification is a probe, and not news.
func (p *probes) answered(n database.Notification) bool {
	if !strings.HasPrefix(n.Payload, probePrefix) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if due, ours := p.due[n.Payload]; ours {
		delete(p.due, n.Payload)
		close(due)
	}
	return true
}

// begin notes that a probe is about to be sent.
func (p *probes) begin() (payload string, answer <-chan struct{}) {
	random := make([]byte, 12)
	_, _ = rand.Read(random) // it never fails
	payload = probePrefix + hex.EncodeToString(random)
	due := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.due == nil {
		p.due = map[string]chan<- struct{}{}
	}
	p.due[payload] = due
	return payload, due
}

func (p *probes) end(payload string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.due, payload)
}

// probe finds out for each topic whether its notifications arrive, and says whether all do.
func (h *Hub) probe(ctx context.Context, wanted []subscribed) bool {
	all := true
	var looking sync.WaitGroup
	results := make([]error, len(wanted))
	for i, s := range wanted {
		looking.Go(func() { results[i] = h.probeOne(ctx, s.channel) })
	}
	looking.Wait()
	if ctx.Err() != nil {
		return false
	}
	for i, s := range wanted {
		h.tell(s.topic, results[i])
		all = all && results[i] == nil
	}
	return all
}

type silent string

func (s silent) Error() string { return string(s) }

func (h *Hub) probeOne(ctx context.Context, channel string) error {
	if channel == "" {
		return silent("the channel is not known: give listen_channel, or let the listen query be LISTEN and a name")
	}
	payload, answer := h.probes.begin()
	defer h.probes.end(payload)
	if err := h.options.Database.Notify(ctx, channel, payload); err != nil {
		return err
	}
	timer := time.NewTimer(h.timing.answer)
	defer timer.Stop()
	select {
	case <-answer:
		return nil
	case <-timer.C:
		return silent("what is sent on the channel does not arrive: a pooler in transaction mode, or another channel than the listen query's")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tell notes whether notifications arrive; the log hears of it once, until it changes.
func (h *Hub) tell(t *Topic, failed error) {
	arrive := failed == nil
	reason := ""
	if failed != nil {
		reason = failed.Error()
	}
	before := t.notified.Swap(arrive)
	h.metrics.arrives(t, arrive)
	switch {
	case arrive && !before:
		t.told = ""
		h.options.Logger.Info("notifications arrive", "topic", t.kind.Name)
	case !arrive && reason != t.told:
		t.told = reason
		h.options.Logger.Warn("notifications do not arrive; those who wait look every poll_interval", "topic", t.kind.Name, "reason", reason)
	}
}
