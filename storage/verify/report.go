package verify

import (
	"time"

	"github.com/mortise-storage/mortise/storage/conformance"
	"github.com/mortise-storage/mortise/storage/problem"
)

// A Report is what a run found out.
type Report struct {
	// Server is the database's product and version, Target how it is reached, without a password.
	Server string `json:"server"`
	Target string `json:"target"`
	// Scratch is the name of the schema that was used instead of a transaction; Dropped says that it is
	// gone.
	Scratch string `json:"scratch,omitempty"`
	Dropped bool   `json:"dropped,omitempty"`
	// Transactions are those that the cases ran in.
	Transactions []Transaction `json:"transactions,omitempty"`
	Domains      []*Domain     `json:"domains"`
	// Notes are what the operator should know about the run itself.
	Notes problem.List `json:"notes"`
	// Problems were found when the queries were compiled and described; none is an Error.
	Problems problem.List `json:"problems"`
	// Interrupted says why the run ended before its end; empty if it did not.
	Interrupted string        `json:"interrupted,omitempty"`
	Elapsed     time.Duration `json:"elapsed_ns"`
}

// A Transaction is one that was never committed.
type Transaction struct {
	// ID is the server's number for it; empty on servers that do not tell.
	ID string `json:"id,omitempty"`
	// Status is what the server says of it afterwards, asked on another connection: "aborted"; empty if it
	// cannot be asked.
	Status string `json:"status,omitempty"`
}

// A Domain is what was found out about one section of the file.
type Domain struct {
	Section    string       `json:"section"`
	Abilities  []Ability    `json:"abilities"`
	Operations []*Operation `json:"operations"`
	Passed     int          `json:"passed"`
	Failed     int          `json:"failed"`
	// NotApplicable counts cases that need an ability which is lacking.
	NotApplicable int `json:"not_applicable"`
	// NotRun counts cases that could not be judged: the run ended before, or other sessions held the
	// rows that they need.
	NotRun int `json:"not_run"`
	// Failures are cases that failed: sentences of the contract that do not hold.
	Failures []*Finding `json:"failures"`
	// Deviations are abilities that are lacking.
	Deviations []*Finding `json:"deviations"`
}

// An Ability is one that was looked for.
type Ability struct {
	Name  conformance.Capability `json:"name"`
	Found bool                   `json:"found"`
	// Choice says that the contract leaves it to the operator.
	Choice     bool     `json:"choice"`
	Operations []string `json:"operations"`
}

// An Operation counts what was proved about one query.
type Operation struct {
	Key           string `json:"key"`
	Configured    bool   `json:"configured"`
	Passed        int    `json:"passed"`
	Failed        int    `json:"failed"`
	NotApplicable int    `json:"not_applicable"`
	// Calls counts how often the query was run.
	Calls int `json:"calls"`
}

// A Finding is a sentence of the contract that does not hold, and the proof.
type Finding struct {
	Severity problem.Severity `json:"severity"`
	// Rule is the contract's number for the mistake; empty if it has none.
	Rule string `json:"rule,omitempty"`
	// Ability is the one that is lacking; empty for a case that failed.
	Ability conformance.Capability `json:"ability,omitempty"`
	// Case is the case that failed; empty if an ability is lacking that no case needs.
	Case string `json:"case,omitempty"`
	// Without says which query was left out, so that those are run which it stands in for.
	Without string `json:"without,omitempty"`
	// Says is the sentence of the contract.
	Says string `json:"says"`
	// Failures are what was seen instead, one text each.
	Failures []string `json:"failures"`
	// Calls lead to the first failure, in order; Earlier counts others that are left out.
	Calls   []Call `json:"calls"`
	Earlier int    `json:"earlier_calls"`
	// Places are the queries concerned.
	Places []Place `json:"places"`
	Fix    string  `json:"fix,omitempty"`
}

// A Place is where the operator wrote a query, or would write it.
type Place struct {
	Operation string           `json:"operation"`
	Position  problem.Position `json:"position"`
	// Missing says that there is no such query; the place is the nearest that there is.
	Missing bool `json:"missing,omitempty"`
}

// Failed says whether a sentence of the contract does not hold, or some could not be judged.
func (r *Report) Failed() bool {
	for _, d := range r.Domains {
		if d.Failed > 0 || d.NotRun > 0 {
			return true
		}
	}
	return r.Interrupted != "" || r.Total().Passed == 0
}

// Deviates says whether an ability is lacking that the contract wants, or a query's text is dubious.
func (r *Report) Deviates() bool {
	for _, d := range r.Domains {
		for _, f := range d.Deviations {
			if f.Severity >= problem.Warning {
				return true
			}
		}
	}
	return r.Problems.Count(problem.Warning) > 0
}

// Total counts the outcomes of all domains.
func (r *Report) Total() conformance.Summary {
	var sum conformance.Summary
	for _, d := range r.Domains {
		sum.Passed += d.Passed
		sum.Failed += d.Failed
		sum.NotApplicable += d.NotApplicable
		sum.NotRun += d.NotRun
	}
	return sum
}

// operation returns the counts for a key.
func (d *Domain) operation(key string) *Operation {
	for _, o := range d.Operations {
		if o.Key == key {
			return o
		}
	}
	return &Operation{Key: key} // a case about a query of another section; counted nowhere
}

func (d *Domain) add(r conformance.Result) {
	var sum conformance.Summary
	sum.Add(r)
	d.Passed += sum.Passed
	d.Failed += sum.Failed
	d.NotApplicable += sum.NotApplicable
	d.NotRun += sum.NotRun
	for _, key := range r.Operations {
		o := d.operation(key)
		o.Passed += sum.Passed
		o.Failed += sum.Failed
		o.NotApplicable += sum.NotApplicable
	}
}
