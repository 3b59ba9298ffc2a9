package check_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/storage/check"
	"github.com/mortise-storage/mortise/storage/problem"
)

var ruleName = regexp.MustCompile(`^([TM][0-9]{2}|D[0-9]{2}-[a-z-]+|[a-z]+(-[a-z]+)*)$`)

func TestRules(t *testing.T) {
	var names []string
	for _, r := range check.Rules() {
		names = append(names, r.Name)
		if !ruleName.MatchString(r.Name) || r.Title == "" || r.Source == "" || strings.HasSuffix(r.Title, ".") {
			t.Errorf("rule %+v", r)
		}
		if len(r.Explanation) < 40 || !strings.HasSuffix(r.Explanation, ".") && !strings.HasSuffix(r.Explanation, "}.") {
			t.Errorf("%s explains little: %q", r.Name, r.Explanation)
		}
		if r.Severity < problem.Info || r.Severity > problem.Error {
			t.Errorf("%s has the severity %d", r.Name, r.Severity)
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("names are not sorted, or there twice: %q", names)
	}
	for _, name := range []string{"T01", "T13", "T14", "T15", "D06-select-star", "D27-any-column", "unknown-parameter", "unknown-key"} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is missing", name)
		}
	}
}

// Every rule of this package is seen to fire somewhere in the tests' tables.
func TestEveryRuleFires(t *testing.T) {
	tried := strings.Join(sample, "\n") + "\nD19-time-index positional-parameters tracker-unused-query M14 "
	for _, row := range table {
		tried += row.rule + " "
	}
	for _, c := range slices.Concat(generalCases, trackerCases, mediaCases) {
		tried += strings.Join(c.want, "\n") + "\n"
	}
	for _, r := range check.Rules() {
		own := r.Name[0] == 'T' && r.Name != "T14" || r.Name[0] == 'M' || r.Name[0] == 'D' || slices.Contains([]string{"Mortise, operations reference", "Mortise, result columns"}, r.Source)
		if own && !strings.HasPrefix(r.Name, "missing-") && !strings.Contains(tried, r.Name) {
			t.Errorf("no test lets %s fire", r.Name)
		}
	}
}

func TestFind(t *testing.T) {
	if r, _, ok := check.Find("t05"); !ok || r.Name != "T05" || r.Severity != problem.Warning {
		t.Errorf("found %+v, %v", r, ok)
	}
	if _, near, ok := check.Find("d06-select-stra"); ok || near != "D06-select-star" {
		t.Errorf("near is %q, %v", near, ok)
	}
	if _, near, ok := check.Find("something else entirely"); ok || near != "" {
		t.Errorf("near is %q, %v", near, ok)
	}
}

func TestRegister(t *testing.T) {
	if _, _, again := check.Find("test-registered"); !again { // the test may be run more than once
		check.Register(check.Rule{Name: "test-registered", Title: "a rule of another package", Explanation: "It is there so that this test can see it in the list of rules.", Source: "this test"})
	}
	if _, _, ok := check.Find("test-registered"); !ok {
		t.Error("a registered rule is not in the list")
	}
	defer func() {
		if recover() == nil {
			t.Error("a name was taken twice")
		}
	}()
	check.Register(check.Rule{Name: "T05"})
}

func TestMerge(t *testing.T) {
	unused := func(key, name string) problem.Problem {
		return problem.Problem{Severity: problem.Warning, Rule: "unused-identity", Key: key, Position: problem.Position{Line: 2},
			Message: "the parameter " + name + ", which chooses the rows that are meant, is not used"}
	}
	loaded := problem.List{unused(graduate, "peer_id"), unused(graduate, "port"), unused(del, "peer_id"), {Rule: "doubled-column", Key: get}, {Rule: "doubled-column", Key: list}, {Rule: "row-bound-unknown", Key: put}}
	found := problem.List{{Rule: "T02", Key: graduate, Position: problem.Position{Line: 1}, Message: "required parameter @peer_id is not used"},
		{Rule: "doubled-column", Key: get, Position: problem.Position{Line: 3}}, {Rule: "unknown-count", Key: put, Position: problem.Position{Line: 4}}}
	var got []string
	for _, p := range check.Merge(loaded, found) {
		got = append(got, p.Rule+" "+p.Key)
	}
	want := []string{"doubled-column " + list, "T02 " + graduate, "unused-identity " + graduate, "unused-identity " + del, "doubled-column " + get, "unknown-count " + put}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// With a look at the database, rules that it answers better are silent.
func TestOnline(t *testing.T) {
	in, _ := input(t, "", list, "SELECT id, name FROM t WHERE @id = ANY (tags) LIMIT 1", run, "REFRESH MATERIALIZED VIEW CONCURRENTLY v", put, "DELETE FROM t WHERE ctid = @key::text::tid")
	if found := check.Texts(in); len(found) != 3 {
		t.Errorf("offline: %v", found)
	}
	in.Online = true
	if found := check.Texts(in); len(found) != 1 || found[0].Rule != "D13-postgres-only" {
		t.Errorf("online: %v", found)
	}
}

func TestNothing(t *testing.T) {
	if found := check.Texts(check.Input{}); len(found) > 0 {
		t.Errorf("nothing was given, and found %v", found)
	}
}
