package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A task is one thing that is measured.
type task struct {
	// name is the benchmark's, without "Benchmark".
	name string
	// methods are the API's methods that it is about, as "Service.Method".
	methods []string
	// ways are those in which it exists; all if empty.
	ways []string
	// prepare is done once before each measurement, untimed; it may be nil.
	prepare func(ctx context.Context, e *environment) error
	// supply is done after it, and knows how many iterations are made at most, warm-ups among them; it may
	// be nil.
	supply func(ctx context.Context, e *environment, way string, iterations int) error
	// size says in the benchmark's name how much is stored; it may be nil.
	size func(e *environment) string
	// alone says that several callers at once make no sense.
	alone bool
	// times says that run takes the time itself, of a part of what it does.
	times bool
	// run is one iteration.
	run func(ctx context.Context, w way, c *caller) error
}

// A caller is one of several goroutines that call at the same time.
type caller struct {
	env *environment
	// id counts from 0, of counts how many there are.
	id, of int
	// way is the name of the way that is measured.
	way string
	// turn counts this caller's iterations, so that each takes another peer.
	turn int
	// took is the time that a run has taken itself.
	took time.Duration
	// held is the job that the caller is at.
	held []byte
}

// warmups is how many iterations each caller makes before the clock runs, so that connections are
// open and statements prepared.
const warmups = 2

// most is how many latencies are kept at most; of more iterations only each n-th is timed.
const most = 1 << 18

// bench measures a task in all its ways and with all numbers of callers.
func bench(b *testing.B, t task) {
	e := environmentFor(b)
	e.announceConditions()
	for _, name := range t.existsIn() {
		for _, callers := range t.callers(e) {
			b.Run(fmt.Sprintf("%sway=%s/callers=%d", t.sizeIn(e), name, callers), func(b *testing.B) {
				if err := t.ready(b.Context(), e, name, callers, b.N); err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				latencies, err := measure(b.Context(), e, t, name, callers, b.N, b.ResetTimer, b.StopTimer)
				if err != nil {
					b.Fatal(err)
				}
				slices.Sort(latencies)
				b.ReportMetric(quantile(latencies, 0.50), "p50-us")
				b.ReportMetric(quantile(latencies, 0.99), "p99-us")
				if t.times {
					b.ReportMetric(mean(latencies), "ns/op")
				}
			})
		}
	}
}

// ready does what comes before a measurement of n iterations.
func (t task) ready(ctx context.Context, e *environment, way string, callers, n int) error {
	if t.prepare != nil {
		if err := t.prepare(ctx, e); err != nil {
			return err
		}
	}
	if t.supply == nil {
		return nil
	}
	return t.supply(ctx, e, way, n+callers*warmups)
}

func (t task) callers(e *environment) []int {
	if t.alone {
		return []int{1}
	}
	return e.settings.callers
}

func (t task) sizeIn(e *environment) string {
	if t.size == nil {
		return ""
	}
	return t.size(e) + "/"
}

func (t task) existsIn() []string {
	if len(t.ways) > 0 {
		return t.ways
	}
	return allWays
}

// measure makes n iterations, shared among the callers: each takes the next one when it is free. It
// returns the latencies of all, or of an even choice; start is called when all callers are warm and
// stop when the last is done.
func measure(ctx context.Context, e *environment, t task, name string, callers, n int, start, stop func()) ([]time.Duration, error) {
	w := e.ways[name]
	stride := (n + most - 1) / most
	r := &race{task: t, way: w, n: int64(n), stride: int64(stride),
		latencies: make([]time.Duration, (n+stride-1)/stride), begin: make(chan struct{})}
	var warm, done sync.WaitGroup
	for id := range callers {
		warm.Add(1)
		done.Go(func() {
			c := &caller{env: e, id: id, of: callers, way: name}
			for range warmups {
				r.note(t.run(ctx, w, c))
			}
			warm.Done()
			<-r.begin
			r.iterate(ctx, c)
		})
	}
	warm.Wait()
	start()
	close(r.begin)
	done.Wait()
	stop()
	if err := r.failure.Load(); err != nil {
		return nil, fmt.Errorf("%s, way=%s, callers=%d: %w", t.name, name, callers, *err)
	}
	return r.latencies, nil
}

// A race is what the callers of one measurement share.
type race struct {
	task      task
	way       way
	n, stride int64
	next      atomic.Int64
	latencies []time.Duration
	failure   atomic.Pointer[error]
	begin     chan struct{}
}

func (r *race) iterate(ctx context.Context, c *caller) {
	for r.failure.Load() == nil {
		i := r.next.Add(1) - 1
		if i >= r.n {
			return
		}
		if i%r.stride != 0 {
			r.note(r.task.run(ctx, r.way, c))
			continue
		}
		begin := time.Now()
		err := r.task.run(ctx, r.way, c)
		took := time.Since(begin)
		if r.task.times {
			took = c.took
		}
		r.latencies[i/r.stride] = took
		r.note(err)
	}
}

// note keeps the first failure, which ends the measurement.
func (r *race) note(err error) {
	if err != nil {
		first := err // a copy, or every call would allocate one
		r.failure.CompareAndSwap(nil, &first)
	}
}

// quantile of sorted latencies, in microseconds.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[int(q*float64(len(sorted)-1))]) / float64(time.Microsecond)
}

// mean of latencies, in nanoseconds.
func mean(latencies []time.Duration) float64 {
	var sum time.Duration
	for _, latency := range latencies {
		sum += latency
	}
	return float64(sum) / float64(max(len(latencies), 1))
}
