package benchmark

import "time"

// A Report is everything that a run found. Its JSON form is what `mortise bench --json` prints; fields
// are only ever added to it. Latencies are in microseconds, times within the run in seconds.
type Report struct {
	Conditions Conditions `json:"conditions"`
	// Sets are the query sets: one, or A and B.
	Sets    []SetInfo `json:"sets"`
	Results []*Result `json:"results"`
	// Notes are what was not measured, and why.
	Notes []string `json:"notes,omitempty"`
}

// Compared says whether the report is about two query sets.
func (r *Report) Compared() bool { return len(r.Sets) == 2 }

// Conditions are what the figures depend on.
type Conditions struct {
	Date     time.Time `json:"date"`
	Mortise  string    `json:"mortise"`
	Go       string    `json:"go"`
	Machine  string    `json:"machine"`
	Cores    int       `json:"cores"`
	MemoryGB float64   `json:"memory_gb,omitempty"`
	// Way is inprocess or plugin.
	Way     string `json:"way"`
	Callers int    `json:"callers"`
	// Rate is the calls that were due in a second; 0 is a closed loop.
	Rate       float64 `json:"rate,omitempty"`
	Seconds    float64 `json:"seconds"`
	Warmup     float64 `json:"warmup_seconds"`
	Rounds     int     `json:"rounds"`
	Confidence float64 `json:"confidence,omitempty"`
	Margin     float64 `json:"margin,omitempty"`
	Seed       uint64  `json:"seed"`
}

// A SetInfo is a query set and its database.
type SetInfo struct {
	Name string `json:"name,omitempty"`
	File string `json:"file"`
	// QueriesHash and SchemaHash begin the SHA-256 of the queries' texts and of the schema.
	QueriesHash string `json:"queries_sha256"`
	SchemaHash  string `json:"schema_sha256,omitempty"`
	Server      string `json:"server"`
	// Place is the scratch that was filled, or that there was none.
	Place string `json:"place"`
	// Data is what was stored, by section.
	Data map[string]string `json:"data,omitempty"`
	// Declined is how many of the stored rows the queries took without changing anything.
	Declined    int64             `json:"declined,omitempty"`
	FillSeconds float64           `json:"fill_seconds,omitempty"`
	Connections int32             `json:"connections"`
	Settings    map[string]string `json:"settings,omitempty"`
}

// A Result is what was found about one case.
type Result struct {
	// Subject is an operation's key or a method, Variant what tells cases of one subject apart.
	Subject string `json:"subject"`
	Variant string `json:"variant,omitempty"`
	// Kind is "operation" or "method".
	Kind    string `json:"kind"`
	Callers int    `json:"callers"`
	// Sides are what was measured, in the order of the report's sets.
	Sides []*Measured `json:"sides"`
	// Ratio compares B with A; nil if there is only one set, or no pair of rounds.
	Ratio *Ratio `json:"ratio,omitempty"`
	// Checked is how many calls were answered by both, Differences how their answers differ; Wrong are
	// answers that cannot be right for the stored data.
	Checked     int          `json:"checked,omitempty"`
	Differences []Difference `json:"differences,omitempty"`
	Wrong       []Difference `json:"wrong,omitempty"`
	// Plan is how B's plan differs from A's, line by line.
	Plan []string `json:"plan,omitempty"`
}

// Name is subject and variant.
func (r *Result) Name() string {
	if r.Variant == "" {
		return r.Subject
	}
	return r.Subject + ", " + r.Variant
}

// Measured is what one side did with one case.
type Measured struct {
	Calls  int64 `json:"calls"`
	Errors int64 `json:"errors,omitempty"`
	// Error is the first one.
	Error string `json:"error,omitempty"`
	// Missed is how many calls were due and not made, because the side did not keep up with the rate.
	Missed    int64   `json:"missed,omitempty"`
	P50       float64 `json:"p50_us"`
	P90       float64 `json:"p90_us"`
	P99       float64 `json:"p99_us"`
	P999      float64 `json:"p99.9_us"`
	Max       float64 `json:"max_us"`
	Mean      float64 `json:"mean_us"`
	PerSecond float64 `json:"per_second"`
	// Quantiles are points of the distribution: a share, and the latency that this share of the calls
	// does not exceed.
	Quantiles [][2]float64 `json:"quantiles"`
	Rounds    []Point      `json:"rounds"`
}

// A Point is one round.
type Point struct {
	// At is when it began, counted from the case's first round.
	At        float64 `json:"at_seconds"`
	Calls     int64   `json:"calls"`
	P50       float64 `json:"p50_us"`
	PerSecond float64 `json:"per_second"`
}

// A Difference is a call, and what is wrong with its answers.
type Difference struct {
	// Set is the query set that is wrong; empty if A and B differ.
	Set  string `json:"set,omitempty"`
	Call string `json:"call"`
	What string `json:"what"`
}

// Disagree counts the results whose answers differ or are wrong.
func (r *Report) Disagree() int {
	n := 0
	for _, result := range r.Results {
		if len(result.Differences)+len(result.Wrong) > 0 {
			n++
		}
	}
	return n
}

// Failing counts the results with calls that failed.
func (r *Report) Failing() int {
	n := 0
	for _, result := range r.Results {
		for _, side := range result.Sides {
			if side.Errors > 0 {
				n++
				break
			}
		}
	}
	return n
}
