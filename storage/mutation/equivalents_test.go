package mutation

import (
	"strings"
	"testing"
)

func TestEquivalents(t *testing.T) {
	all, err := Equivalents(strings.NewReader(`
- reason: >
    because
    it is so
  operations: [a, b]
  mutants:
    - {operator: number, before: "x  1", after: x 2}
    - {operator: union, before: UNION, after: UNION ALL, occurrence: 2}
`))
	if err != nil || len(all) != 4 {
		t.Fatalf("%d entries, error %v", len(all), err)
	}
	if all[0] != (Equivalent{Operation: "a", Operator: "number", Before: "x 1", After: "x 2", Reason: "because it is so"}) || all[3].Operation != "b" || all[3].Occurrence != 2 {
		t.Errorf("%+v", all)
	}
	for what, text := range map[string]string{
		"no reason":        "- operations: [a]\n  mutants: [{operator: number}]",
		"no operation":     "- reason: so\n  mutants: [{operator: number}]",
		"no mutant":        "- reason: so\n  operations: [a]",
		"unknown operator": "- reason: so\n  operations: [a]\n  mutants: [{operator: magic}]",
		"unknown key":      "- reason: so\n  operation: a",
		"no list":          "reason: so",
	} {
		if _, err := Equivalents(strings.NewReader(text)); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if none, err := Equivalents(strings.NewReader("")); err != nil || len(none) != 0 {
		t.Errorf("an empty list: %v, %v", none, err)
	}
}

func TestEquivalentsOfTheDefaultSet(t *testing.T) {
	if len(DefaultSet()) == 0 {
		t.Error("the list is empty")
	}
}

func TestEquivalentsThatDoNotHold(t *testing.T) {
	weak := options(t, small, smallDomain(smallSuite[:2]...))
	survivors := run(t, weak).With(Survived)
	if len(survivors) < 2 {
		t.Fatalf("%d survivors; the test needs two", len(survivors))
	}
	for _, m := range survivors {
		weak.Equivalents = append(weak.Equivalents, Equivalent{Operation: m.Operation, Operator: m.Operator, Before: m.Before, After: m.After,
			Occurrence: m.Occurrence, Reason: "so"})
	}
	report := run(t, weak)
	if !report.OK() || report.Count(EquivalentMutant) != len(survivors) || report.With(EquivalentMutant)[0].Reason != "so" {
		t.Errorf("%s: %v", report.Summary(), report.Stale)
	}
	strong := options(t, small, smallDomain(smallSuite...))
	strong.Equivalents = append(weak.Equivalents, Equivalent{Operation: dataGet, Operator: "number", Before: "x", After: "y"})
	report = run(t, strong)
	if report.OK() || len(report.Stale) != len(survivors)+1 {
		t.Errorf("%d stale entries; all %d should be: %s", len(report.Stale), len(survivors)+1, report.Summary())
	}
	if last := report.Stale[len(report.Stale)-1]; last.Why != "there is no such mutant" {
		t.Errorf("%s: %s", last.Equivalent, last.Why)
	}
	strong.Operations, strong.Equivalents = []string{dataAdd}, strong.Equivalents[len(survivors):]
	if report := run(t, strong); len(report.Stale) != 0 {
		t.Errorf("entries of queries that were not mutated are stale: %v", report.Stale)
	}
}
