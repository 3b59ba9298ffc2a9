package benchmark

import (
	"math"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A Verdict is what an interval allows to say.
type Verdict string

const (
	// Faster and Slower: the whole interval lies on one side of 1.
	Faster Verdict = "faster"
	Slower Verdict = "slower"
	// Same: the whole interval lies within the margin around 1.
	Same Verdict = "no difference"
	// Unclear: the interval allows both; longer measuring makes it narrower.
	Unclear Verdict = "unclear"
)

// A Ratio is B's median latency divided by A's.
type Ratio struct {
	// Center is the median over the pairs of rounds, Low and High bound it with the confidence, which
	// is at least the one asked for.
	Center     float64 `json:"center"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Confidence float64 `json:"confidence"`
	Pairs      int     `json:"pairs"`
	Verdict    Verdict `json:"verdict"`
}

// compare makes the ratio of paired rounds; nil if there is no pair, or too few for an interval.
func compare(a, b []Point, confidence, margin float64) *Ratio {
	var ratios []float64
	for i := range min(len(a), len(b)) {
		if a[i].P50 > 0 && b[i].P50 > 0 {
			ratios = append(ratios, b[i].P50/a[i].P50)
		}
	}
	if len(ratios) == 0 {
		return nil
	}
	slices.Sort(ratios)
	rank, covered := medianInterval(len(ratios), confidence)
	if rank == 0 {
		return nil
	}
	r := &Ratio{Center: median(ratios), Low: ratios[rank-1], High: ratios[len(ratios)-rank], Confidence: covered, Pairs: len(ratios)}
	r.Verdict = verdict(r.Low, r.High, margin)
	return r
}

// medianInterval returns which of n sorted values, counted from 1 and from both ends, bound an interval
// that holds the median with at least the given confidence, and the confidence that it really has. The
// rank is 0 if n is too small.
//
// Each value lies below the median with probability one half, whatever the distribution, so how many do
// is binomial (W. J. Conover, Practical Nonparametric Statistics, on confidence intervals for quantiles).
func medianInterval(n int, confidence float64) (rank int, covered float64) {
	outside := 0.0 // probability that fewer than rank values lie below the median
	for k := 0; 2*(k+1) <= n; k++ {
		outside += binomial(n, k)
		if 1-2*outside < confidence {
			break
		}
		rank, covered = k+1, 1-2*outside
	}
	return rank, covered
}

// binomial is the probability of k heads in n throws of a fair coin.
func binomial(n, k int) float64 {
	all, _ := math.Lgamma(float64(n + 1))
	heads, _ := math.Lgamma(float64(k + 1))
	tails, _ := math.Lgamma(float64(n - k + 1))
	return math.Exp(all - heads - tails - float64(n)*math.Ln2)
}

// median of sorted values.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// verdict reads an interval. What lies within the margin is no difference that matters, even if it is
// one: two tables with equal rows are never quite equal.
func verdict(low, high, margin float64) Verdict {
	switch {
	case low >= 1-margin && high <= 1+margin:
		return Same
	case high < 1:
		return Faster
	case low > 1:
		return Slower
	}
	return Unclear
}

// LeastRounds is how many rounds an interval needs at a confidence.
func LeastRounds(confidence float64) int {
	for n := 2; ; n++ {
		if rank, _ := medianInterval(n, confidence); rank > 0 {
			return n
		}
	}
}

const micro = 1000.0 // nanoseconds

// measured makes the figures of a side of its rounds.
func measured(rounds []*round) *Measured {
	m := &Measured{}
	total := newHistogram()
	perSecond, with := 0.0, 0
	for _, r := range rounds {
		total.Merge(r.latencies)
		m.Calls += r.calls
		m.Errors += r.errors
		m.Missed += r.missed
		if m.Error == "" && r.err != nil {
			m.Error = told(r.err)
		}
		if r.perSecond > 0 {
			perSecond += r.perSecond
			with++
		}
		m.Rounds = append(m.Rounds, Point{At: r.begin.Sub(rounds[0].begin).Seconds(), Calls: r.calls,
			P50: float64(percentile(r.latencies, 50)) / micro, PerSecond: r.perSecond})
	}
	if with > 0 {
		m.PerSecond = perSecond / float64(with)
	}
	if total.TotalCount() == 0 {
		return m
	}
	at := func(q float64) float64 { return float64(percentile(total, q)) / micro }
	m.P50, m.P90, m.P99, m.P999 = at(50), at(90), at(99), at(99.9)
	m.Max, m.Mean = float64(total.Max())/micro, total.Mean()/micro
	for _, q := range shares {
		m.Quantiles = append(m.Quantiles, [2]float64{q / 100, at(q)})
	}
	return m
}

// percentile is 0 if nothing was measured.
func percentile(h *hdrhistogram.Histogram, q float64) int64 {
	if h.TotalCount() == 0 {
		return 0
	}
	return h.ValueAtPercentile(q)
}

// shares are the points of the distribution that are kept, in percent: closer together where it ends.
var shares = func() []float64 {
	var all []float64
	for q := 0.0; q < 98; q += 2 {
		all = append(all, q)
	}
	return append(all, 98, 98.5, 99, 99.3, 99.5, 99.7, 99.8, 99.9, 99.95, 99.99, 100)
}()
