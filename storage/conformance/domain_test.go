package conformance

import (
	"context"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/operation"
)

// contractOf loads the operations of all domains.
func contractOf(t *testing.T) *operation.Contract {
	t.Helper()
	contract, err := operation.Load(trackerv1.File_mortise_tracker_v1_tracker_proto, mediav1.File_mortise_media_v1_media_proto)
	if err != nil {
		t.Fatal(err)
	}
	return contract
}

// settingsOf are the messages of the sections' settings.
var settingsOf = map[string]proto.Message{"tracker": &trackerv1.Settings{}, "media": &mediav1.SectionSettings{}}

// suiteOf binds a domain to nothing: what it is made of can be looked at.
func suiteOf(t *testing.T, d Domain) *Suite {
	t.Helper()
	suite, err := d.Bind(nil, settingsOf[d.Section], nil)
	if err != nil {
		t.Fatal(err)
	}
	return suite
}

func TestDomainsAreSections(t *testing.T) {
	contract := contractOf(t)
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
		if _, err := d.Bind(nil, &emptypb.Empty{}, nil); err == nil {
			t.Errorf("%s: another domain's settings were taken", d.Section)
		}
		if d.Steady != nil && proto.Equal(d.Steady(settingsOf[d.Section]), settingsOf[d.Section]) {
			t.Errorf("%s: the steady settings are no other ones", d.Section)
		}
	}
	if len(Domains()) != len(settingsOf) {
		t.Errorf("there are %d domains, and settings for %d", len(Domains()), len(settingsOf))
	}
}

// What is told of an ability that is lacking is there for each of them.
func TestAbilitiesAreDescribed(t *testing.T) {
	contract := contractOf(t)
	rules := map[string]bool{}
	for _, d := range Domains() {
		known := map[Capability]bool{}
		for _, a := range suiteOf(t, d).Abilities {
			if a.Says == "" || a.Fix == "" || len(a.Operations) == 0 || a.look == nil {
				t.Errorf("%s: %s is not described", d.Section, a.Capability)
			}
			if known[a.Capability] {
				t.Errorf("%s: %s is looked for twice", d.Section, a.Capability)
			}
			for _, key := range a.Operations {
				if op, ok := contract.Lookup(key); !ok || op.Section != d.Section {
					t.Errorf("%s: %s is about %s, which is no operation of the section", d.Section, a.Capability, key)
				}
			}
			for _, base := range a.BuildsOn {
				if !known[base] {
					t.Errorf("%s: %s builds on %s, which is not looked for before", d.Section, a.Capability, base)
				}
			}
			known[a.Capability], rules[a.Rule] = true, true
		}
	}
	if n := len(suiteOf(t, trackerDomain()).Abilities); n != len(trackerAbilities) {
		t.Errorf("%d abilities of trackers are looked for, %d are described", n, len(trackerAbilities))
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
