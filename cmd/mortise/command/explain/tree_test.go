package explain

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/explain"
)

func sample(relation string) *explain.Plan {
	scan := &explain.Node{Type: "Seq Scan", Relation: relation, TotalCost: 12.5, PlanRows: 7, Loops: 1, ActualMS: 0.5, ActualRows: 6.5,
		Filter: "((" + relation + ".info_hash = $1) AND (" + strings.Repeat("long ", 30) + "))"}
	root := &explain.Node{Type: "Sort", SortKey: []string{"n"}, SortMethod: "quicksort", SortSpaceKB: 25, Loops: 1, Children: []*explain.Node{scan}}
	return &explain.Plan{Root: root, Analyzed: true, ExecutionMS: 1, Triggers: []explain.Trigger{{Name: "counts", MS: 2, Calls: 3}}}
}

func TestBesideAndBelow(t *testing.T) {
	panels := []panel{{"left plan", tree(sample("peers"))}, {"right plan", tree(sample("swarms"))}, {"third plan", tree(sample("third"))}}
	for _, c := range []struct {
		width  int
		beside bool
	}{{80, false}, {120, false}, {121, true}, {160, true}} {
		var b strings.Builder
		beside(&b, terminal.Painter(false), panels, c.width)
		text := b.String()
		hold(t, "the plans", text, "-> Seq Scan on peers", "-> Seq Scan on swarms", "-> Seq Scan on third", "rows 6.50", "trigger counts: 2.0 ms, 3 calls", "quicksort 25 kB")
		together := false
		for _, l := range strings.Split(text, "\n") {
			together = together || strings.Contains(l, "on peers") && strings.Contains(l, "on swarms")
			if utf8.RuneCountInString(l) > c.width {
				t.Errorf("a line of %d columns on %d: %s", utf8.RuneCountInString(l), c.width, l)
			}
			if strings.Contains(l, "on third") && strings.Contains(l, "|") {
				t.Errorf("the third plan stands beside another: %s", l)
			}
		}
		if together != c.beside {
			t.Errorf("at %d columns, beside each other: %v:\n%s", c.width, together, text)
		}
	}
}

func TestColoursChangeNoWidth(t *testing.T) {
	panels := []panel{{"left", tree(sample("peers"))}, {"right", tree(sample("peers"))}}
	var plain, painted strings.Builder
	beside(&plain, terminal.Painter(false), panels, 140)
	beside(&painted, terminal.Painter(true), panels, 140)
	if !strings.Contains(painted.String(), "\x1b[") {
		t.Error("nothing is painted")
	}
	var bare strings.Builder
	escape := false
	for _, r := range painted.String() {
		switch {
		case r == '\x1b':
			escape = true
		case !escape:
			bare.WriteRune(r)
		case r == 'm':
			escape = false
		}
	}
	trim := func(text string) string {
		lines := strings.Split(text, "\n")
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], " ")
		}
		return strings.Join(lines, "\n")
	}
	if trim(bare.String()) != plain.String() {
		t.Errorf("painted:\n%s\nplain:\n%s", bare.String(), plain.String())
	}
}
