package conformance

import (
	"context"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
)

func TestMain(m *testing.M) {
	status := testdb.Run(m)
	if err := goleak.Find(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func TestEveryOperationHasACase(t *testing.T) {
	contract := contractOf(t)
	named := map[string]int{}
	for _, d := range Domains() {
		for _, c := range suiteOf(t, d).Cases {
			for _, key := range c.Operations {
				if op, ok := contract.Lookup(key); !ok || op.Section != d.Section {
					t.Errorf("%s: %s is no operation of the section %s", c.Name, key, d.Section)
				}
				named[key]++
			}
		}
	}
	for _, op := range contract.Operations() {
		if named[op.Key] == 0 {
			t.Errorf("no case is about %s", op.Key)
		}
	}
}

func TestCasesAreWellFormed(t *testing.T) {
	for _, d := range Domains() {
		suite := suiteOf(t, d)
		names := map[string]bool{}
		for _, c := range suite.Cases {
			if names[c.Name] {
				t.Errorf("two cases of %s are called %q", d.Section, c.Name)
			}
			names[c.Name] = true
			if c.Says == "" || len(c.Operations) == 0 || c.Run == nil {
				t.Errorf("%s: the case says nothing, is about no operation or does nothing", c.Name)
			}
			for _, need := range c.Needs {
				if !slices.ContainsFunc(suite.Abilities, func(a Ability) bool { return a.Capability == need }) {
					t.Errorf("%s needs %s, which nothing looks for", c.Name, need)
				}
			}
		}
	}
}

// Runners find cases by their place in the list, on several connections.
func TestCasesHaveOneOrder(t *testing.T) {
	for _, d := range Domains() {
		first, second := suiteOf(t, d), suiteOf(t, d)
		for i, c := range first.Cases {
			if second.Cases[i].Name != c.Name {
				t.Fatalf("the case %d of %s is %q, and then %q", i, d.Section, c.Name, second.Cases[i].Name)
			}
		}
	}
}

func TestAwkwardBytesFitIntoHashes(t *testing.T) {
	for what, start := range awkward {
		if len(start) != 8 {
			t.Errorf("%s: %d bytes; the cases need 8", what, len(start))
		}
	}
}

// A command runs the suite, and a binary must not carry the flags and the registry of package testing.
func TestSuiteDoesNotImportTesting(t *testing.T) {
	paths, err := filepath.Glob("*.go")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files to look at: %v", err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range file.Imports {
			if imported.Path.Value == `"testing"` {
				t.Errorf("%s imports testing", path)
			}
		}
	}
}

func TestRunCases(t *testing.T) {
	var ran []string
	begin := func(name string, run func(T)) Case[int] {
		return Case[int]{Name: name, Run: func(_ context.Context, t T, _ int) {
			ran = append(ran, name)
			run(t)
		}}
	}
	cases := []Case[int]{
		begin("passes", func(t T) { t.Logf("%d", 1) }),
		begin("fails twice", func(t T) { t.Errorf("%s", "one"); t.Errorf("two") }),
		begin("ends", func(t T) { t.Fatalf("over"); t.Errorf("not reached") }),
		begin("panics", func(T) { panic("broken") }),
		begin("needs", func(t T) { t.Errorf("not reached") }),
	}
	cases[4].Needs = []Capability{"there", "absent", "unknown"}
	var results []Result
	known := Capabilities{"there": true, "absent": false}
	summary := RunCases(t.Context(), cases, 0, known, func(r Result) { results = append(results, r) })

	if summary.Passed != 1 || summary.Failed != 3 || summary.NotApplicable != 1 || summary.NotRun != 0 || summary.OK() {
		t.Errorf("summary %+v, OK %v", summary, summary.OK())
	}
	want := [][]string{nil, {"one", "two"}, {"over"}, {"panic: broken"}, nil}
	for i, r := range results {
		if r.Name != cases[i].Name || !slices.Equal(r.Failures, want[i]) {
			t.Errorf("%s: failures %q; they should be %q", r.Name, r.Failures, want[i])
		}
	}
	if got := results[4]; got.Outcome != NotApplicable || !slices.Equal(got.Missing, []Capability{"absent"}) {
		t.Errorf("a case that lacks an ability: %v, missing %v", got.Outcome, got.Missing)
	}
	if !slices.Equal(ran, []string{"passes", "fails twice", "ends", "panics"}) {
		t.Errorf("ran %q", ran)
	}
}

func TestRunCasesWithoutTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var outcomes []Outcome
	cases := []Case[int]{
		{Name: "first", Run: func(context.Context, T, int) { cancel() }},
		{Name: "second", Run: func(context.Context, T, int) { t.Error("it was run") }},
	}
	summary := RunCases(ctx, cases, 0, nil, func(r Result) { outcomes = append(outcomes, r.Outcome) })
	if !slices.Equal(outcomes, []Outcome{Passed, NotRun}) || summary.OK() {
		t.Errorf("outcomes %v, OK %v", outcomes, summary.OK())
	}
}

func TestMisplaced(t *testing.T) {
	p, q, r := peer4(), peer4(), peer6()
	other := with(p, func(p *trackerv1.Peer) { p.PeerId[0]++ })
	for name, c := range map[string]struct {
		got    peers
		groups []peers
		right  bool
	}{
		"nothing of nothing":           {nil, nil, true},
		"one":                          {peers{p}, []peers{{p}}, true},
		"any order within a group":     {peers{q, r, p}, []peers{{p, q, r}}, true},
		"groups in order":              {peers{r, p, q}, []peers{{r}, {p, q}}, true},
		"groups out of order":          {peers{p, r, q}, []peers{{r}, {p, q}}, false},
		"one missing":                  {peers{p}, []peers{{p, q}}, false},
		"one too many":                 {peers{p, q}, []peers{{p}}, false},
		"one twice":                    {peers{p, p}, []peers{{p}}, false},
		"one instead of another":       {peers{q}, []peers{{p}}, false},
		"another id":                   {peers{other}, []peers{{p}}, false},
		"either of two at a place":     {peers{other, q}, []peers{{p, other}, {q}}, true},
		"both of two at a place":       {peers{p, other}, []peers{{p, other}}, false},
		"the earlier of two groups":    {peers{p, q}, []peers{{p}, {other, q}}, true},
		"the later of two groups":      {peers{other, q}, []peers{{p}, {other, q}}, false},
		"a mapped address for a plain": {peers{mapped(p)}, []peers{{p}}, false},
	} {
		if wrong := misplaced(c.got, c.groups...); (wrong == "") != c.right {
			t.Errorf("%s: %q", name, wrong)
		}
	}
}

func TestNeighboursDifferInOnePart(t *testing.T) {
	for _, p := range (peers{peer4(), peer6()}) {
		for _, by := range neighbours {
			w := newSwarm(t.Context(), t, nil)
			v, n := by.of(w, p)
			var differ []string
			if string(v.hash) != string(w.hash) {
				differ = append(differ, "info hash")
			}
			if string(n.PeerId) != string(p.PeerId) {
				differ = append(differ, "peer id")
			}
			if isV6(n) != isV6(p) {
				differ = append(differ, "address family")
			} else if string(n.Address) != string(p.Address) {
				differ = append(differ, "address")
			}
			if n.Port != p.Port {
				differ = append(differ, "port")
			}
			if !slices.Equal(differ, []string{by.part}) {
				t.Errorf("the neighbour with another %s differs in %q", by.part, differ)
			}
		}
	}
}
