package page

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise/internal/benchmark"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func measured(factor float64) *benchmark.Measured {
	m := &benchmark.Measured{Calls: 100, P50: 100 * factor, P90: 200 * factor, P99: 900 * factor, P999: 1500 * factor, Max: 2000 * factor, PerSecond: 5000 / factor}
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 1} {
		m.Quantiles = append(m.Quantiles, [2]float64{q, (50 + 1000*q) * factor})
	}
	for i := range 5 {
		m.Rounds = append(m.Rounds, benchmark.Point{At: float64(i) / 10, Calls: 20, P50: m.P50, PerSecond: m.PerSecond})
	}
	return m
}

// reports are those of one set and of two, with everything that a page can show.
func reports() map[string]*benchmark.Report {
	conditions := benchmark.Conditions{Date: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Machine: "a <machine> & more", Cores: 2, Callers: 4, Rounds: 5, Confidence: 0.99, Margin: 0.05}
	set := func(name string) benchmark.SetInfo {
		return benchmark.SetInfo{Name: name, File: "<b>queries.yaml", QueriesHash: "0123", SchemaHash: "4567", Server: "PostgreSQL 15", Place: "scratch",
			Declined: 3, FillSeconds: 1, Data: map[string]string{"tracker": "10 peers"}, Settings: map[string]string{"fsync": "on"}}
	}
	failed := &benchmark.Measured{Calls: 2, Errors: 2, Error: "no <table>", Rounds: []benchmark.Point{{}}}
	one := &benchmark.Report{Conditions: conditions, Sets: []benchmark.SetInfo{set("")}, Notes: []string{"a <note>"}, Results: []*benchmark.Result{
		{Subject: "tracker.ping_query", Kind: "operation", Callers: 1, Sides: []*benchmark.Measured{measured(1)}},
		{Subject: "Swarms.Announce", Variant: "started & more", Kind: "method", Callers: 4, Sides: []*benchmark.Measured{measured(30)}},
		{Subject: "Data.Put", Kind: "method", Callers: 4, Sides: []*benchmark.Measured{failed}},
	}}
	two := &benchmark.Report{Conditions: conditions, Sets: []benchmark.SetInfo{set("A"), set("B")}}
	for i, v := range []benchmark.Verdict{benchmark.Faster, benchmark.Slower, benchmark.Same, benchmark.Unclear} {
		two.Results = append(two.Results, &benchmark.Result{Subject: "tracker.operation", Variant: string(v), Kind: "operation", Callers: 4, Checked: 5,
			Sides: []*benchmark.Measured{measured(1), measured(2)}, Ratio: &benchmark.Ratio{Center: float64(i) + 1, Low: float64(i) + 0.5, High: float64(i) + 2, Verdict: v}})
	}
	two.Results[0].Differences = []benchmark.Difference{{Call: "x=<1>", What: "A has <2>, B 3"}}
	two.Results[1].Wrong = []benchmark.Difference{{Set: "B", Call: "x=1", What: "was never stored"}}
	two.Results[2].Plan = []string{"only A: Index Scan (a < b)", "only B: Seq Scan"}
	two.Results = append(two.Results, &benchmark.Result{Subject: "Data.Put", Kind: "method", Callers: 4, Sides: []*benchmark.Measured{failed, measured(1)}})
	empty := &benchmark.Report{Conditions: conditions, Sets: []benchmark.SetInfo{set("")}}
	return map[string]*benchmark.Report{"one": one, "two": two, "empty": empty}
}

func write(t *testing.T, r *benchmark.Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPageIsWellFormed(t *testing.T) {
	for name, report := range reports() {
		decoder := xml.NewDecoder(strings.NewReader(write(t, report)))
		elements := map[string]int{}
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if start, ok := token.(xml.StartElement); ok {
				elements[start.Name.Local]++
			}
		}
		plots := map[string]int{"one": 1 + 2*2, "two": 1 + 5*2, "empty": 0}[name]
		if elements["svg"] != plots || elements["table"] < 2 || elements["script"]+elements["link"]+elements["img"] > 0 {
			t.Errorf("%s: expected %d plots among %v", name, plots, elements)
		}
	}
}

func TestPageNeedsNothingElse(t *testing.T) {
	outside := regexp.MustCompile(`(?i)https?:|//[a-z]|url\(|@import|\bsrc=|href="[^#]`)
	for name, report := range reports() {
		if found := outside.FindString(write(t, report)); found != "" {
			t.Errorf("%s refers to something outside: %s", name, found)
		}
	}
}

func TestColoursFollowTheReader(t *testing.T) {
	plots := regexp.MustCompile(`(?s)<svg.*?</svg>`)
	colour := regexp.MustCompile(`(?:stroke|fill):(#[0-9A-Fa-f]+)`)
	for name, report := range reports() {
		for _, plot := range plots.FindAllString(write(t, report), -1) {
			if found := colour.FindString(plot); found != "" {
				t.Fatalf("%s: a plot has the fixed colour %s", name, found)
			}
			// Text without a colour would be black, in the dark as well.
			for _, text := range regexp.MustCompile(`(?s)<text[^>]*>`).FindAllString(plot, -1) {
				if !strings.Contains(text, "fill:var(") {
					t.Fatalf("%s: %s", name, text)
				}
			}
		}
	}
}

func TestPageSaysWhatWasFound(t *testing.T) {
	pages := reports()
	for name, parts := range map[string][]string{
		"one": {"Benchmark of &lt;b&gt;queries.yaml", "tracker.ping_query", "Swarms.Announce, started &amp; more", "100 µs", "a &lt;note&gt;", "no &lt;table&gt;", "3 rows"},
		"two": {`class="faster">1</b>`, `class="slower">1</b>`, "no difference", "x=&lt;1&gt;", "A has &lt;2&gt;, B 3", "was never stored", "only A: Index Scan (a &lt; b)", "0.50 … 2.00", "not compared"},
	} {
		text := write(t, pages[name])
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %q is missing", name, part)
			}
		}
	}
}
