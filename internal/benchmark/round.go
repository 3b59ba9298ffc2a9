package benchmark

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mortise-storage/mortise/storage/workload"
)

// The histograms' range, and their precision in digits. What takes longer counts as the longest.
const (
	shortest = 100 * time.Nanosecond
	longest  = 2 * time.Minute
	digits   = 3
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(int64(shortest), int64(longest), digits)
}

// A load is how calls are made in a round.
type load struct {
	callers  int
	duration time.Duration
	// rate is how many calls are due in a second, over all callers; 0 is a closed loop.
	rate float64
}

// A round is what one side did with one case for a short time.
type round struct {
	latencies *hdrhistogram.Histogram
	calls     int64
	errors    int64
	err       error // the first
	perSecond float64
	// missed is how many calls were due and not made.
	missed int64
	begin  time.Time
}

// A runner makes the calls of a round.
type runner struct {
	side  *side
	is    *workload.Case
	load  load
	first int64           // the number of the round's first turn
	turns []workload.Turn // those that were prepared; nil if they are made on the way
	begin time.Time
	next  atomic.Int64
	mu    sync.Mutex
	round *round
}

// run makes a round of turns that begin with a number. For a bounded case at most so many are made.
func (s *side) run(ctx context.Context, c *workload.Case, l load, first, most int64) (*round, error) {
	r := &runner{side: s, is: c, load: l, first: first, round: &round{latencies: newHistogram()}}
	if c.Bounded {
		var before []workload.Request
		for i := range most {
			turn := c.Turn(first + i)
			before = append(before, turn.Before...)
			r.turns = append(r.turns, turn)
		}
		if err := s.prepare(ctx, before); err != nil {
			return nil, err
		}
	}
	r.begin = time.Now()
	r.round.begin = r.begin
	var callers sync.WaitGroup
	for range l.callers {
		callers.Go(func() { r.loop(ctx) })
	}
	callers.Wait()
	if l.rate > 0 {
		r.round.missed = max(0, r.due()-r.round.calls)
	}
	var after []workload.Request
	for _, turn := range r.turns {
		after = append(after, turn.After...)
	}
	// What was put there goes, even if the run is told to end.
	err := s.prepare(context.WithoutCancel(ctx), after)
	if ctx.Err() != nil {
		err = errCanceled
	}
	return r.round, err
}

// due is how many calls an open loop has.
func (r *runner) due() int64 {
	due := max(1, int64(r.load.rate*r.load.duration.Seconds()))
	if r.turns != nil {
		due = min(due, int64(len(r.turns)))
	}
	return due
}

// loop is one caller.
func (r *runner) loop(ctx context.Context) {
	own := &round{latencies: newHistogram()}
	end := r.begin.Add(r.load.duration)
	var busy time.Duration
	for ctx.Err() == nil {
		i := r.next.Add(1) - 1
		turn, ok := r.turn(i)
		if !ok || (own.calls > 0 && time.Now().After(end)) {
			break
		}
		begin, ok := r.start(ctx, i, end)
		if !ok {
			break
		}
		sent := time.Now()
		if begin.IsZero() {
			begin = sent
		}
		reply := r.side.perform(ctx, r.is.Direct, turn.Call)
		now := time.Now()
		if ctx.Err() != nil {
			break // it was cut off
		}
		busy += now.Sub(sent)
		own.add(now.Sub(begin), reply.failed(r.is))
	}
	if busy > 0 {
		own.perSecond = float64(own.calls) / busy.Seconds()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.round.join(own)
}

// turn returns the i-th turn of the round; false if there is none.
func (r *runner) turn(i int64) (workload.Turn, bool) {
	switch {
	case r.load.rate > 0 && i >= r.due():
		return workload.Turn{}, false
	case !r.is.Bounded:
		return r.is.Turn(r.first + i), true
	case i >= int64(len(r.turns)):
		return workload.Turn{}, false
	}
	return r.turns[i], true
}

// start waits until the i-th call is due. It returns when the call should have begun if that is over,
// and nothing if the caller was there in time; false if the round is over.
func (r *runner) start(ctx context.Context, i int64, end time.Time) (time.Time, bool) {
	if r.load.rate == 0 {
		return time.Time{}, true
	}
	due := r.begin.Add(time.Duration(float64(i) / r.load.rate * float64(time.Second)))
	wait := time.Until(due)
	if wait <= 0 {
		return due, time.Now().Before(end)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return time.Time{}, true
	case <-ctx.Done():
		return time.Time{}, false
	}
}

// add counts one call.
func (r *round) add(latency time.Duration, err error) {
	r.calls++
	if err != nil {
		// A refusal may be faster than any answer, so it is no latency.
		r.errors++
		if r.err == nil {
			r.err = err
		}
		return
	}
	_ = r.latencies.RecordValue(int64(min(max(latency, shortest), longest)))
}

// join adds what another caller, or another round, did.
func (r *round) join(other *round) {
	r.latencies.Merge(other.latencies)
	r.calls += other.calls
	r.errors += other.errors
	r.missed += other.missed
	r.perSecond += other.perSecond
	if r.err == nil {
		r.err = other.err
	}
}
