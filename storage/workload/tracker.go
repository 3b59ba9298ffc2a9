package workload

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/tracker"
)

// Tracker is the workload of the tracker's section: swarms of peers, counters of downloads, key-value
// data.
type Tracker struct{}

// Section returns the section's name.
func (Tracker) Section() string { return tracker.Section }

// Things says what a size counts.
func (Tracker) Things() string { return "peers" }

// Keys says what keys of own rows are.
func (Tracker) Keys() string { return "info hashes" }

// Quiet puts collection and statistics off.
func (Tracker) Quiet() map[string]string {
	return map[string]string{"gc_interval": "100000h", "prometheus_reporting_interval": "0"}
}

// New plans swarms whose sizes fall with their rank, as those of real trackers do.
func (Tracker) New(plan Plan) Data {
	// Keys of other lengths are those of another section.
	plan.Keys = slices.DeleteFunc(slices.Clone(plan.Keys), func(key []byte) bool { return len(key) != 20 && len(key) != 32 })
	d := &trackerData{plan: plan, lifetime: 30 * time.Minute, swarms: planSwarms(plan)}
	if settings, ok := plan.Settings.(*trackerv1.Settings); ok && settings.GetPeerLifetime() != nil {
		d.lifetime = settings.GetPeerLifetime().AsDuration()
		d.gcLimit = settings.GetGcLimit()
	}
	if plan.Size > 0 && plan.Has(trackerv1.Swarms_PutPeer_FullMethodName) {
		d.peers = plan.Size
	}
	if plan.Size > 0 && !plan.Tidy && plan.Has(trackerv1.Operations_DownloadsInc_FullMethodName) {
		d.counters = d.swarms.count() / 2
	}
	if plan.Size > 0 && plan.Has(trackerv1.Operations_DataAdd_FullMethodName) {
		d.entries = min(max(plan.Size/10, 100), 100_000)
	}
	return d
}

const (
	// staleEach is that of so many peers one was not seen for a lifetime, and waits for collection. It
	// is the one at staleAt.
	staleEach, staleAt = 20, 7
	// ahead is how far the others are dated into the future, so that they stay alive however long
	// filling and measuring take.
	ahead = 24 * time.Hour
	// seederShare and v6Share are the parts of seeders and of IPv6 addresses.
	seederShare, v6Share = 0.6, 0.25
	// want is how many peers a client asks for: the usual number of clients.
	want = 50
	// dataContext is the context of the entries.
	dataContext = "mortise bench"
)

// trackerData is the plan of one tracker's data.
type trackerData struct {
	plan     Plan
	swarms   *swarms
	lifetime time.Duration
	gcLimit  int64
	// peers, counters and entries are how many of each are stored, in this order.
	peers, counters, entries int64
}

// Section returns the section's name.
func (*trackerData) Section() string { return tracker.Section }

// Rows counts all that is stored.
func (d *trackerData) Rows() int64 { return d.peers + d.counters + d.entries }

// Together is 1: no row needs another.
func (*trackerData) Together() int64 { return 1 }

// String says what is stored.
func (d *trackerData) String() string {
	if d.plan.Size == 0 {
		return fmt.Sprintf("the operator's own rows, looked up by %d info hashes", len(d.plan.Keys))
	}
	var text string
	if d.peers > 0 {
		text = fmt.Sprintf("%d peers in %d swarms, the biggest of %d (%.0f %% seeders, %.0f %% IPv6, %.0f %% stale)",
			d.peers, d.swarms.count(), d.swarms.size(0), 100*seederShare, 100*v6Share, 100.0/staleEach)
	}
	for _, part := range []struct {
		n    int64
		what string
	}{{d.counters, "download counters"}, {d.entries, "entries of key-value data"}} {
		if part.n == 0 {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%d %s", part.n, part.what)
	}
	return text
}

// Fill returns the i-th request. Peers come first, in an order in which those of one swarm are far
// apart.
func (d *trackerData) Fill(i int64) Request {
	switch {
	case i < d.peers:
		p := d.loaded(spread(i, d.peers))
		return d.put(p, p.seeder, d.seen(p))
	case i < d.peers+d.counters:
		return d.increment(2 * (i - d.peers)) // every other swarm, big ones and small ones
	}
	return d.add(d.key("entry", i-d.peers-d.counters), i)
}

// Aged counts the stale peers.
func (d *trackerData) Aged() int64 { return (d.peers + staleEach - 1 - staleAt) / staleEach }

// Age stores the i-th stale peer again, as of a time before the last lifetime.
func (d *trackerData) Age(i int64) Request {
	p := d.loaded(spread(i, d.Aged())*staleEach + staleAt)
	return d.put(p, p.seeder, d.plan.Now.Add(-d.lifetime-d.age(p)-time.Second))
}

// Empty returns what removes the i-th thing. Counters have no operation that removes them.
func (d *trackerData) Empty(i int64) []Request {
	switch {
	case i < d.peers:
		p := d.loaded(spread(i, d.peers))
		return []Request{d.remove(p, true), d.remove(p, false)}
	case i < d.peers+d.counters:
		return nil
	}
	return []Request{d.drop(d.key("entry", i-d.peers-d.counters))}
}

// seen is when a peer was last seen, if it is not stale.
func (d *trackerData) seen(p *peer) time.Time { return d.plan.Now.Add(ahead - d.age(p)) }

// age is less than a lifetime.
func (d *trackerData) age(p *peer) time.Duration {
	return time.Duration(share(random(d.plan.Seed, "age", p.n)) * float64(d.lifetime))
}

func (d *trackerData) put(p *peer, seeder bool, seen time.Time) Request {
	message := &trackerv1.PutPeerRequest{InfoHash: p.hash, Peer: p.message(), IsSeeder: seeder}
	if !seen.IsZero() {
		message.Created = timestamppb.New(seen)
	}
	return Request{Method: trackerv1.Swarms_PutPeer_FullMethodName, Order: p.order(), Message: message}
}

func (d *trackerData) remove(p *peer, seeder bool) Request {
	return Request{Method: trackerv1.Swarms_DeletePeer_FullMethodName, Order: p.order(),
		Message: &trackerv1.DeletePeerRequest{InfoHash: p.hash, Peer: p.message(), IsSeeder: seeder}}
}

func (d *trackerData) increment(swarm int64) Request {
	hash := d.swarms.hash(swarm)
	return Request{Method: trackerv1.Operations_DownloadsInc_FullMethodName, Order: string(hash),
		Message: &trackerv1.DownloadsIncParameters{InfoHash: hash}}
}

func (d *trackerData) add(key []byte, n int64) Request {
	value := digest(d.plan.Seed, "value", n, 24)
	return Request{Method: trackerv1.Operations_DataAdd_FullMethodName, Order: string(key),
		Message: &trackerv1.DataAddParameters{Context: dataContext, Key: key, Value: value}}
}

func (d *trackerData) drop(keys ...[]byte) Request {
	return Request{Method: trackerv1.Data_Delete_FullMethodName, Order: string(keys[0]),
		Message: &trackerv1.DeleteRequest{Context: dataContext, Key: keys}}
}

// key makes a key of key-value data: as long as an info hash, which is what trackers keep there.
func (d *trackerData) key(purpose string, n int64) []byte { return digest(d.plan.Seed, purpose, n, 20) }

// aliveSince is the time before which a peer is stale.
func (d *trackerData) aliveSince() *timestamppb.Timestamp {
	return timestamppb.New(d.plan.Now.Add(-d.lifetime))
}
