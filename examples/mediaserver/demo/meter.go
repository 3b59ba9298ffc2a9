package demo

import (
	"math"
	"slices"
	"sync"
	"time"
)

// meter collects how long requests took, by kind.
type meter struct {
	mu    sync.Mutex
	kinds []string // in the order of their first use
	times map[string][]time.Duration
}

func newMeter() *meter { return &meter{times: map[string][]time.Duration{}} }

func (m *meter) add(kind string, took time.Duration) {
	if kind == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.times[kind] == nil {
		m.kinds = append(m.kinds, kind)
	}
	m.times[kind] = append(m.times[kind], took)
}

// A Latency is how long requests of a kind took, in milliseconds.
type Latency struct {
	Kind   string  `json:"kind"`
	Count  int     `json:"count"`
	Median float64 `json:"median_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
}

// latencies sums up.
func (m *meter) latencies() []Latency {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Latency
	for _, kind := range m.kinds {
		times := slices.Sorted(slices.Values(m.times[kind]))
		all = append(all, Latency{Kind: kind, Count: len(times), Median: milliseconds(quantile(times, 0.5)),
			P99: milliseconds(quantile(times, 0.99)), Max: milliseconds(times[len(times)-1])})
	}
	return all
}

// quantile returns the smallest of sorted times that at least the share q of them does not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
