package conformance

import (
	"context"
	"slices"
	"testing"

	"google.golang.org/protobuf/types/known/emptypb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/operation"
)

// suiteOf binds a domain to nothing: what it is made of can be looked at.
func suiteOf(t *testing.T, d Domain) *Suite {
	t.Helper()
	suite, err := d.Bind(nil, &trackerv1.Settings{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return suite
}

func TestDomainsAreSections(t *testing.T) {
	contract, err := operation.Load(trackerv1.File_mortise_tracker_v1_tracker_proto)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range Domains() {
		if _, ok := contract.Section(d.Section); !ok {
			t.Errorf("%s is no section", d.Section)
		}
		suite := suiteOf(t, d)
		if len(suite.Cases) == 0 || len(suite.Abilities) == 0 || suite.Answers == nil {
			t.Errorf("%s: the suite is not complete", d.Section)
		}
		for shortcut, dormant := range suite.Shortcuts {
			for _, key := range append(slices.Clone(dormant), shortcut) {
				if _, ok := contract.Lookup(key); !ok {
					t.Errorf("%s: %s is no operation", d.Section, key)
				}
			}
		}
	}
	if _, err := trackerDomain().Bind(nil, &emptypb.Empty{}, nil); err == nil {
		t.Error("another domain's settings were taken")
	}
}

// What is told of an ability that is lacking is there for each of them.
func TestAbilitiesAreDescribed(t *testing.T) {
	contract, err := operation.Load(trackerv1.File_mortise_tracker_v1_tracker_proto)
	if err != nil {
		t.Fatal(err)
	}
	suite := suiteOf(t, trackerDomain())
	if len(suite.Abilities) != len(trackerAbilities) {
		t.Errorf("%d abilities are looked for, %d are described", len(suite.Abilities), len(trackerAbilities))
	}
	rules := map[string]bool{}
	for _, a := range suite.Abilities {
		if a.Says == "" || a.Fix == "" || len(a.Operations) == 0 || a.look == nil {
			t.Errorf("%s is not described", a.Capability)
		}
		for _, key := range a.Operations {
			if _, ok := contract.Lookup(key); !ok {
				t.Errorf("%s: %s is no operation", a.Capability, key)
			}
		}
		rules[a.Rule] = true
	}
	for _, rule := range []string{"T01", "T03", "T05", "T06", "T07", "T10"} {
		if !rules[rule] {
			t.Errorf("no ability is about %s", rule)
		}
	}
}

func TestLook(t *testing.T) {
	for name, c := range map[string]struct {
		look func(T) bool
		has  bool
	}{
		"there":               {func(T) bool { return true }, true},
		"lacking":             {func(T) bool { return false }, false},
		"failing":             {func(t T) bool { t.Errorf("refused"); return false }, true},
		"failing at once":     {func(t T) bool { t.Fatalf("refused"); return false }, true},
		"panicking":           {func(T) bool { panic("broken") }, true},
		"saying and lacking":  {func(t T) bool { t.Logf("nothing"); return false }, false},
		"failing, but there ": {func(t T) bool { t.Errorf("refused"); return true }, true},
	} {
		a := Ability{look: func(_ context.Context, t T) bool { return c.look(t) }}
		if has, _ := a.Look(t.Context()); has != c.has {
			t.Errorf("%s: %v", name, has)
		}
	}
}

// A runner is told of each failure when it happens, not when the case is over.
func TestRunCaseTellsFailuresAtOnce(t *testing.T) {
	var steps []string
	c := Case[None]{Name: "case", Run: func(_ context.Context, t T, _ None) {
		steps = append(steps, "first")
		t.Errorf("wrong")
		steps = append(steps, "second")
		t.Fatalf("over")
	}}
	r := RunCase(t.Context(), c, None{}, nil, func(text string) { steps = append(steps, text) })
	if want := []string{"first", "wrong", "second", "over"}; !slices.Equal(steps, want) || r.Outcome != Failed || len(r.Failures) != 2 {
		t.Errorf("steps %q, outcome %v, failures %q", steps, r.Outcome, r.Failures)
	}
}
