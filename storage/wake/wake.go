// Package wake lets calls wait for something to happen in the database, in this process or another,
// without holding a connection: by notifications where they arrive, and by looking now and then.
//
// A [Hub] belongs to one process. A domain gives it a [Topic] for each kind of thing that is waited
// for. Whoever waits registers a [Waiter] for a key before looking, looks, and waits if there was
// nothing; so nothing that happens after the look can be missed. A wake-up says no more than "look
// again": one too many costs a look, one that was lost costs a poll interval.
//
// The package must not know what is waited for, nor any domain: keys are opaque, and payloads are read
// by a function of the topic.
package wake

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/query"
)

// A Database is where notifications come from; *database.Pool is one.
type Database interface {
	// Listen opens a connection that is nothing but the receiver of notifications.
	Listen(ctx context.Context, connString string) (*database.Listener, error)
	// Notify sends a notification over one of the ordinary connections.
	Notify(ctx context.Context, channel, payload string) error
}

// Options are what a hub works with. The zero value makes one that never listens: those who wait look
// now and then, and are woken by what happens in this process.
type Options struct {
	// Database is where notifications come from; nil is none.
	Database Database
	// Connection is the connection string of the listener, if it is not that of the database.
	Connection string
	// Answer is how long a notification may take that the hub sends to itself, to find out whether any
	// arrive; 5 seconds if 0.
	Answer     time.Duration
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// A Hub keeps those who wait in one process, and wakes them. The zero value is one that never listens.
type Hub struct {
	options Options
	timing  timing
	metrics *metrics

	work    sync.WaitGroup
	changed chan struct{} // holds one entry: the subscriptions may be other ones
	probes  probes

	mu      sync.Mutex
	topics  []*Topic
	drained bool
	cancel  context.CancelFunc
}

// timing is the pauses of the listener.
type timing struct {
	// answer is how long the answer to a probe may take.
	answer time.Duration
	// firstProbe and lastProbe bound the pauses between probes that were not answered; each is twice the
	// one before. While notifications arrive they are probed every lastProbe.
	firstProbe, lastProbe time.Duration
	// firstBackoff and lastBackoff bound the pauses between attempts to connect.
	firstBackoff, lastBackoff time.Duration
}

var defaultTiming = timing{answer: 5 * time.Second, firstProbe: 10 * time.Second, lastProbe: 5 * time.Minute,
	firstBackoff: 100 * time.Millisecond, lastBackoff: 10 * time.Second}

// New makes a hub. Close must be called in the end.
func New(options Options) *Hub {
	h := &Hub{options: options, timing: defaultTiming, metrics: newMetrics(options.Registerer), changed: make(chan struct{}, 1)}
	if h.options.Logger == nil {
		h.options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.Answer > 0 {
		h.timing.answer = options.Answer
	}
	return h
}

// A Subscription is how a topic hears of what happens, under the present queries and settings.
type Subscription struct {
	// Listen subscribes a connection to the channel; nil is no notifications.
	Listen *query.Statement
	// Channel is the channel's name, if the operator gives it; empty: what stands behind LISTEN.
	Channel string
	// Poll is the pause between two looks while no notifications arrive; PollNotified times that while
	// they do.
	Poll time.Duration
}

// PollNotified is how much rarer those who wait look while notifications arrive: a look is then only
// for those that were lost.
const PollNotified = 5

// A Kind is what is waited for.
type Kind struct {
	// Name is told in logs and metrics: "media.queue".
	Name string
	// Subscription is asked anew whenever it matters.
	Subscription func() Subscription
	// Key returns the key that a notification's payload is about; false if it is about any.
	Key func(payload string) (string, bool)
	// Single says that a wake-up is for one of those who wait for a key: a job can be taken once.
	// Otherwise it is for all.
	Single bool
}

// Topic adds a kind of thing that is waited for. All topics must be there before Start.
func (h *Hub) Topic(kind Kind) *Topic {
	t := &Topic{hub: h, kind: kind, drained: make(chan struct{}), waiting: map[string]*line{}, kept: map[string]bool{}}
	h.mu.Lock()
	h.topics = append(h.topics, t)
	h.mu.Unlock()
	h.metrics.add(t)
	return t
}

// Start begins to listen, if there are queries for that. It is called once.
func (h *Hub) Start() {
	if h.options.Database == nil || len(h.allTopics()) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.mu.Lock()
	h.cancel = cancel
	h.mu.Unlock()
	h.work.Go(func() { h.run(ctx) })
}

// Reloaded tells that queries and settings are other ones. Everybody who waits looks again, and then
// waits as the new settings say.
func (h *Hub) Reloaded() {
	select {
	case h.changed <- struct{}{}:
	default: // it is told already, or nobody listens
	}
	h.wakeEverybody(Reload)
}

// Drain ends the waiting of everybody, now and later. It may be called more than once.
func (h *Hub) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.drained {
		return
	}
	h.drained = true
	for _, t := range h.topics {
		close(t.drained)
	}
}

// Close drains the hub and ends the listener. It may be called more than once, and without Start.
func (h *Hub) Close() {
	h.Drain()
	h.mu.Lock()
	cancel := h.cancel
	h.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	h.work.Wait()
}

func (h *Hub) allTopics() []*Topic {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]*Topic(nil), h.topics...)
}

func (h *Hub) wakeEverybody(cause Cause) {
	for _, t := range h.allTopics() {
		t.wakeEverybody(cause)
	}
}
