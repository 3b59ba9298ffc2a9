package benchmark

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestMedianInterval(t *testing.T) {
	// Known values: tables of the binomial distribution with p = 1/2.
	for _, tt := range []struct {
		n          int
		confidence float64
		rank       int
		covered    float64
	}{
		{5, 0.95, 0, 0}, {6, 0.95, 1, 0.96875}, {8, 0.99, 1, 0.9921875}, {10, 0.95, 2, 0.978515625},
		{12, 0.99, 2, 0.99365234375}, {20, 0.95, 6, 0.958610534667969}, {1, 0.5, 0, 0}, {2, 0.5, 1, 0.5},
	} {
		rank, covered := medianInterval(tt.n, tt.confidence)
		if rank != tt.rank || math.Abs(covered-tt.covered) > 1e-9 {
			t.Errorf("%d values at %g: rank %d covers %.9f; expected %d and %.9f", tt.n, tt.confidence, rank, covered, tt.rank, tt.covered)
		}
	}
	if a, b := LeastRounds(0.95), LeastRounds(0.99); a != 6 || b != 8 {
		t.Errorf("least rounds %d and %d", a, b)
	}
}

func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		low, high float64
		want      Verdict
	}{
		{0.5, 0.9, Faster}, {1.1, 3, Slower}, {0.97, 1.04, Same}, {1.01, 1.04, Same}, {0.9, 1.2, Unclear}, {0.5, 1, Unclear}, {0.5, 0.999, Faster}, {1.01, 1.2, Slower},
	} {
		if got := verdict(tt.low, tt.high, 0.05); got != tt.want {
			t.Errorf("%g to %g is %s; expected %s", tt.low, tt.high, got, tt.want)
		}
	}
}

func TestCompareIsAboutPairs(t *testing.T) {
	var a, b []Point
	for i := range 12 {
		// The machine becomes ten times slower while measuring; B always takes twice as long.
		speed := 100 * math.Pow(10, float64(i)/11)
		a, b = append(a, Point{P50: speed}), append(b, Point{P50: 2 * speed})
	}
	r := compare(a, b, 0.99, 0.05)
	if r == nil || math.Abs(r.Center-2) > 1e-9 || math.Abs(r.High-r.Low) > 1e-9 || r.Verdict != Slower || r.Pairs != 12 || r.Confidence < 0.99 {
		t.Errorf("%+v", r)
	}
	if r := compare(b, a, 0.99, 0.05); r.Verdict != Faster || math.Abs(r.Center-0.5) > 1e-9 {
		t.Errorf("turned around: %+v", r)
	}
	if r := compare(a, a, 0.99, 0.05); r.Verdict != Same {
		t.Errorf("with itself: %+v", r)
	}
	if r := compare(a[:5], b[:5], 0.99, 0.05); r != nil {
		t.Errorf("five pairs have the interval %+v", r)
	}
	b[3].P50 = 0 // nothing but failures in this round
	if r := compare(a, b, 0.95, 0.05); r == nil || r.Pairs != 11 {
		t.Errorf("a round without latencies: %+v", r)
	}
}

func TestMeasured(t *testing.T) {
	one, two := &round{latencies: newHistogram(), perSecond: 100, begin: time.Unix(10, 0)}, &round{latencies: newHistogram(), perSecond: 300, begin: time.Unix(12, 0)}
	for i := range 100 {
		one.add(time.Duration(i+1)*time.Millisecond, nil)
		two.add(time.Duration(i+101)*time.Millisecond, nil)
	}
	two.add(time.Nanosecond, errors.New("refused"))
	m := measured([]*round{one, two})
	if m.Calls != 201 || m.Errors != 1 || m.Error != "refused" || m.PerSecond != 200 {
		t.Errorf("%+v", m)
	}
	for name, got := range map[string][2]float64{"median": {m.P50, 100_000}, "p90": {m.P90, 180_000}, "p99": {m.P99, 198_000}, "max": {m.Max, 200_000}, "mean": {m.Mean, 100_500}} {
		if math.Abs(got[0]/got[1]-1) > 0.01 {
			t.Errorf("%s is %g; expected %g", name, got[0], got[1])
		}
	}
	if len(m.Rounds) != 2 || m.Rounds[1].At != 2 || math.Abs(m.Rounds[0].P50/50_000-1) > 0.01 {
		t.Errorf("rounds %+v", m.Rounds)
	}
	for i := 1; i < len(m.Quantiles); i++ {
		if m.Quantiles[i][0] <= m.Quantiles[i-1][0] || m.Quantiles[i][1] < m.Quantiles[i-1][1] {
			t.Fatalf("quantiles do not rise: %v", m.Quantiles)
		}
	}
	if failed := measured([]*round{{latencies: newHistogram(), calls: 1, errors: 1, err: errors.New("x")}}); failed.P50 != 0 || failed.Quantiles != nil {
		t.Errorf("nothing but failures: %+v", failed)
	}
}

func TestNumbersForPeople(t *testing.T) {
	for _, tt := range []struct {
		us   float64
		want string
	}{{0, "–"}, {1.234, "1.23 µs"}, {12.34, "12.3 µs"}, {123.4, "123 µs"}, {999.6, "1.00 ms"}, {1234, "1.23 ms"}, {123_400, "123 ms"}, {1_500_000, "1.50 s"}} {
		if got := Duration(tt.us); got != tt.want {
			t.Errorf("%g is %s; expected %s", tt.us, got, tt.want)
		}
	}
	var all []string
	for _, n := range []float64{0.5, 12, 999, 1234, 1_234_567} {
		all = append(all, Count(n))
	}
	if got := strings.Join(all, "|"); got != "0.50|12.0|999|1 234|1 234 567" {
		t.Error(got)
	}
}
