package mutation

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// An Equivalent is a change that makes no difference to any caller, or one about which the contract says
// nothing; with the reason.
type Equivalent struct {
	Operation, Operator, Before, After string
	// Occurrence says which of several mutants with the same texts is meant; 0 is all of them.
	Occurrence int
	Reason     string
}

// String names the change.
func (e Equivalent) String() string {
	return fmt.Sprintf("%s, %s: %q -> %q", e.Operation, e.Operator, e.Before, e.After)
}

func (e Equivalent) matches(m Mutant) bool {
	return e.Operation == m.Operation && e.Operator == m.Operator && (e.Occurrence == 0 || e.Occurrence == m.Occurrence) &&
		e.Before == m.Before && e.After == m.After
}

// A group is how the file writes equivalents: changes that have one reason, of operations that have the
// same lines.
type group struct {
	Reason     string   `yaml:"reason"`
	Operations []string `yaml:"operations"`
	Mutants    []struct {
		Operator   string `yaml:"operator"`
		Before     string `yaml:"before"`
		After      string `yaml:"after"`
		Occurrence int    `yaml:"occurrence"`
	} `yaml:"mutants"`
}

// Equivalents reads a list of equivalent mutants:
//
//   - reason: why no caller can notice, or which behaviour the contract leaves open
//     operations: [tracker.announce.query]
//     mutants:
//   - {operator: boundary, before: "AND address <= last", after: "AND address < last"}
//
// Texts are those of reports; spaces do not matter. An occurrence picks one of several mutants that have
// the same texts.
func Equivalents(r io.Reader) ([]Equivalent, error) {
	decoder := yaml.NewDecoder(r)
	decoder.KnownFields(true)
	var groups []group
	if err := decoder.Decode(&groups); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the list of equivalent mutants: %w", err)
	}
	names := Operators()
	var all []Equivalent
	for i, g := range groups {
		if strings.TrimSpace(g.Reason) == "" || len(g.Operations) == 0 || len(g.Mutants) == 0 {
			return nil, fmt.Errorf("the list of equivalent mutants: entry %d lacks a reason, operations or mutants", i+1)
		}
		for _, operation := range g.Operations {
			for _, m := range g.Mutants {
				if names[m.Operator] == "" {
					return nil, fmt.Errorf("the list of equivalent mutants: entry %d: unknown operator %q", i+1, m.Operator)
				}
				all = append(all, Equivalent{Operation: operation, Operator: m.Operator, Before: oneLine(m.Before), After: oneLine(m.After),
					Occurrence: m.Occurrence, Reason: oneLine(g.Reason)})
			}
		}
	}
	return all, nil
}

//go:embed equivalent/default.yaml
var defaultSet string

// DefaultSet returns the equivalent mutants of the default query set, queries.example.yaml.
func DefaultSet() []Equivalent {
	all, err := Equivalents(strings.NewReader(defaultSet))
	if err != nil {
		panic(err) // it is part of the program, and read by its tests
	}
	return all
}

// A Stale entry of a list of equivalents should be taken out of it, or repaired.
type Stale struct {
	Equivalent `json:"entry"`
	// Why says whether no mutant is meant any more, or which case notices one.
	Why string `json:"why"`
}

// stale finds the entries that do not hold.
func stale(equivalents []Equivalent, results []Result, only []string) []Stale {
	var all []Stale
	for _, e := range equivalents {
		if only != nil && !slices.Contains(only, e.Operation) {
			continue
		}
		found := false
		for _, r := range results {
			if !e.matches(r.Mutant) {
				continue
			}
			found = true
			switch r.Outcome {
			case Killed:
				all = append(all, Stale{e, fmt.Sprintf("the case %q notices it: %s", r.KilledBy, r.Failure)})
			case Invalid:
				all = append(all, Stale{e, "the database refuses it"})
			}
		}
		if !found {
			all = append(all, Stale{e, "there is no such mutant"})
		}
	}
	return all
}
