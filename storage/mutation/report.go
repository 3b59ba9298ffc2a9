package mutation

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// An Outcome is what became of a mutant.
type Outcome int

// The outcomes.
const (
	// Killed: a case failed.
	Killed Outcome = iota
	// Survived: no case noticed.
	Survived
	// EquivalentMutant: no case noticed, and a list of equivalents says why none can.
	EquivalentMutant
	// Invalid: it does not compile, or the database refuses to prepare it.
	Invalid
)

var outcomes = [...]string{"killed", "survived", "equivalent", "invalid"}

// String returns the outcome in one word.
func (o Outcome) String() string { return outcomes[o] }

// MarshalText makes outcomes readable in JSON.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (o *Outcome) UnmarshalText(text []byte) error {
	i := slices.Index(outcomes[:], string(text))
	if i < 0 {
		return fmt.Errorf("unknown outcome %q", text)
	}
	*o = Outcome(i)
	return nil
}

// A Result is a mutant and what became of it.
type Result struct {
	Mutant
	Outcome Outcome `json:"outcome"`
	// KilledBy is the case that failed; Failure is its first complaint, or why the mutant is invalid, or
	// that no case sends the query.
	KilledBy string `json:"killed_by,omitempty"`
	Failure  string `json:"failure,omitempty"`
	// TimedOut says that the case took too long.
	TimedOut bool `json:"timed_out,omitempty"`
	// Tried is how many cases were run.
	Tried int `json:"tried"`
	// Reason is why the mutant is equivalent.
	Reason  string        `json:"reason,omitempty"`
	Elapsed time.Duration `json:"elapsed_ns"`
}

// A Report is what a run found. Its fields have names in JSON.
type Report struct {
	Results []Result `json:"results"`
	// Stale are entries of the list of equivalents that do not hold.
	Stale []Stale `json:"stale,omitempty"`
	// Cases is how many cases pass on the unchanged query set, and Unfit are those that fail on it: they
	// were left out.
	Cases   int           `json:"cases"`
	Unfit   []string      `json:"unfit,omitempty"`
	Elapsed time.Duration `json:"elapsed_ns"`
}

// take sorts out survivors that are known to be equivalent.
func (r *Report) take(results []Result, equivalents []Equivalent, only []string) {
	r.Stale = append(r.Stale, stale(equivalents, results, only)...)
	for i := range results {
		if results[i].Outcome != Survived {
			continue
		}
		for _, e := range equivalents {
			if e.matches(results[i].Mutant) {
				results[i].Outcome, results[i].Reason = EquivalentMutant, e.Reason
			}
		}
	}
	r.Results = results
}

// Count returns how many mutants had an outcome.
func (r Report) Count(o Outcome) int {
	n := 0
	for _, result := range r.Results {
		n += btoi(result.Outcome == o)
	}
	return n
}

// With returns the results that have an outcome.
func (r Report) With(o Outcome) []Result {
	return slices.DeleteFunc(slices.Clone(r.Results), func(result Result) bool { return result.Outcome != o })
}

// OK says that no mutant survived, and that the list of equivalents holds.
func (r Report) OK() bool { return r.Count(Survived) == 0 && len(r.Stale) == 0 && len(r.Results) > 0 }

// Summary is the report on one line.
func (r Report) Summary() string {
	slow := 0
	for _, result := range r.Results {
		slow += btoi(result.TimedOut)
	}
	text := fmt.Sprintf("%d mutants: %d killed (%d of them by a time limit), %d survived, %d equivalent, %d invalid; %d cases, %s",
		len(r.Results), r.Count(Killed), slow, r.Count(Survived), r.Count(EquivalentMutant), r.Count(Invalid), r.Cases,
		r.Elapsed.Round(100*time.Millisecond))
	if len(r.Stale) > 0 {
		text += fmt.Sprintf("; %d stale entries in the list of equivalents", len(r.Stale))
	}
	if len(r.Unfit) > 0 {
		text += fmt.Sprintf("; %d cases fail on the query set as it is", len(r.Unfit))
	}
	return text
}

// Header and Rows are a table with one row for each operation.
func (r Report) Header() []string {
	return []string{"operation", "mutants", "killed", "survived", "equivalent", "invalid"}
}

// Rows are in the order of the results; their columns are those of Header.
func (r Report) Rows() [][]string {
	var keys []string
	counts := map[string]*[4]int{}
	for _, result := range r.Results {
		if counts[result.Operation] == nil {
			keys = append(keys, result.Operation)
			counts[result.Operation] = &[4]int{}
		}
		counts[result.Operation][result.Outcome]++
	}
	rows := make([][]string, len(keys))
	for i, key := range keys {
		row, total := []string{key, ""}, 0
		for _, n := range counts[key] {
			row, total = append(row, strconv.Itoa(n)), total+n
		}
		row[1] = strconv.Itoa(total)
		rows[i] = row
	}
	return rows
}

// SurvivorHeader and SurvivorRows are a table of the mutants that nothing noticed.
func (r Report) SurvivorHeader() []string {
	return []string{"place", "operation", "operator", "before", "after"}
}

// SurvivorRows are in the order of the results; their columns are those of SurvivorHeader.
func (r Report) SurvivorRows() [][]string {
	var rows [][]string
	for _, m := range r.With(Survived) {
		rows = append(rows, []string{m.Position.String(), m.Operation, m.Operator, m.Before, m.After})
	}
	return rows
}
