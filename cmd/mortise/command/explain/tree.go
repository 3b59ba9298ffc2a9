package explain

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/explain"
)

// A line is a line of a tree. depth is how far it is indented; paint is how it looks.
type line struct {
	text  string
	depth int
	paint func(terminal.Painter, string) string
}

func plain(_ terminal.Painter, text string) string  { return text }
func faint(p terminal.Painter, text string) string  { return p.Faint(text) }
func bold(p terminal.Painter, text string) string   { return p.Bold(text) }
func yellow(p terminal.Painter, text string) string { return p.Yellow(text) }

// tree writes a plan as lines, children below their parents.
func tree(plan *explain.Plan) []line {
	if plan == nil || plan.Root == nil {
		return []line{{text: "a command without a plan", paint: faint}}
	}
	var lines []line
	node(plan.Root, 0, plan.Analyzed, &lines)
	for _, t := range plan.Triggers {
		lines = append(lines, line{text: fmt.Sprintf("trigger %s: %s, %.0f calls", t.Name, milliseconds(t.MS), t.Calls), paint: faint})
	}
	if plan.JIT != nil {
		lines = append(lines, line{text: fmt.Sprintf("just-in-time compilation: %d functions, %s", plan.JIT.Functions, milliseconds(plan.JIT.MS)), paint: faint})
	}
	return lines
}

// step is how many columns a child stands further right than its parent.
const step = 3

func node(n *explain.Node, depth int, analyzed bool, lines *[]line) {
	if n.Subplan != "" {
		*lines = append(*lines, line{text: n.Subplan, depth: depth, paint: faint})
	}
	arrow := ""
	if depth > 0 {
		arrow = "-> "
	}
	look := plain
	if n.Type == "Seq Scan" {
		look = yellow
	}
	*lines = append(*lines, line{text: arrow + n.Label(), depth: depth, paint: look})
	below := depth + step
	*lines = append(*lines, line{text: fmt.Sprintf("cost %.2f..%.2f, rows %s", n.StartupCost, n.TotalCost, rows(n.PlanRows)), depth: below, paint: faint})
	if analyzed {
		*lines = append(*lines, line{text: actual(n), depth: below, paint: faint})
	}
	if len(n.SortKey) > 0 {
		*lines = append(*lines, line{text: "Sort Key: " + strings.Join(n.SortKey, ", "), depth: below, paint: plain})
	}
	if len(n.GroupKey) > 0 {
		*lines = append(*lines, line{text: "Group Key: " + strings.Join(n.GroupKey, ", "), depth: below, paint: plain})
	}
	for _, c := range n.Conditions() {
		*lines = append(*lines, line{text: c.Name + ": " + c.Text, depth: below, paint: plain})
	}
	if n.Conflict != "" {
		*lines = append(*lines, line{text: "Conflict: " + n.Conflict + " by " + strings.Join(n.ConflictIndexes, ", "), depth: below, paint: plain})
	}
	for _, child := range n.Children {
		node(child, below, analyzed, lines)
	}
}

// actual is what a run showed of a node.
func actual(n *explain.Node) string {
	if n.Loops == 0 {
		return "never run"
	}
	parts := []string{milliseconds(n.ActualMS), "rows " + rows(n.ActualRows)}
	if n.Loops > 1 {
		parts = append(parts, fmt.Sprintf("%.0f times", n.Loops))
	}
	if n.RowsRemoved > 0 {
		parts = append(parts, "removed "+rows(n.RowsRemoved))
	}
	if n.RowsRemovedByJoin > 0 {
		parts = append(parts, "removed by join "+rows(n.RowsRemovedByJoin))
	}
	pages := fmt.Sprintf("pages %.0f", n.SharedHit+n.SharedRead)
	if n.SharedRead > 0 {
		pages += fmt.Sprintf(", %.0f of them not in memory", n.SharedRead)
	}
	parts = append(parts, pages)
	if n.TempWritten > 0 {
		parts = append(parts, fmt.Sprintf("temporary pages %.0f", n.TempWritten))
	}
	if n.SortMethod != "" {
		parts = append(parts, fmt.Sprintf("%s %.0f kB", n.SortMethod, n.SortSpaceKB))
	}
	if n.HashBatches > 1 || n.AggBatches > 1 {
		parts = append(parts, fmt.Sprintf("batches %.0f", max(n.HashBatches, n.AggBatches)))
	}
	return strings.Join(parts, ", ")
}

func rows(n float64) string {
	if n == float64(int64(n)) {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprintf("%.2f", n) // version 18 tells the average of all loops with its fraction
}

func milliseconds(ms float64) string {
	switch {
	case ms >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	case ms >= 1:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.3f ms", ms)
}

// folded breaks lines that are wider than the width; what goes on stands two columns further right.
func folded(lines []line, width int) []line {
	var out []line
	for _, l := range lines {
		room := max(width-l.depth, 20)
		rest := []rune(l.text)
		depth := l.depth
		for len(rest) > room {
			cut := room
			for i := room; i > room/2; i-- {
				if rest[i] == ' ' {
					cut = i
					break
				}
			}
			out = append(out, line{text: strings.TrimRight(string(rest[:cut]), " "), depth: depth, paint: l.paint})
			rest = []rune(strings.TrimLeft(string(rest[cut:]), " "))
			depth, room = l.depth+2, max(width-l.depth-2, 20)
		}
		out = append(out, line{text: string(rest), depth: depth, paint: l.paint})
	}
	return out
}

// drawn is the line for the screen, filled up to the width; no filling if that is 0.
func (l line) drawn(p terminal.Painter, width int) string {
	text := strings.Repeat(" ", l.depth) + l.text
	padding := strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0))
	return strings.Repeat(" ", l.depth) + l.paint(p, l.text) + padding
}

// A panel is a plan with its heading.
type panel struct {
	heading string
	lines   []line
}

// narrowest is how wide a plan must be able to be to stand beside another one.
const narrowest = 58

// What stands in front of plans, and between two.
const margin, gap = "  ", " | "

// beside writes panels in pairs beside each other where there is room, and else below each other.
func beside(b *strings.Builder, p terminal.Painter, panels []panel, width int) {
	half := (width - len(margin) - len(gap)) / 2
	if half < narrowest {
		stacked(b, p, panels, width)
		return
	}
	for len(panels) > 1 {
		pair(b, p, panels[0], panels[1], half)
		panels = panels[2:]
	}
	if len(panels) == 1 {
		stacked(b, p, panels, width)
	}
}

func stacked(b *strings.Builder, p terminal.Painter, panels []panel, width int) {
	for _, one := range panels {
		b.WriteString("\n" + margin + p.Bold(one.heading) + "\n")
		for _, l := range folded(one.lines, max(width-len(margin), narrowest)) {
			b.WriteString(margin + l.drawn(p, 0) + "\n")
		}
	}
}

func pair(b *strings.Builder, p terminal.Painter, left, right panel, half int) {
	b.WriteString("\n")
	a := append(folded([]line{{text: left.heading, paint: bold}}, half), folded(left.lines, half)...)
	c := append(folded([]line{{text: right.heading, paint: bold}}, half), folded(right.lines, half)...)
	for i := range max(len(a), len(c)) {
		var l, r line
		l.paint, r.paint = plain, plain
		if i < len(a) {
			l = a[i]
		}
		if i < len(c) {
			r = c[i]
		}
		b.WriteString(strings.TrimRight(margin+l.drawn(p, half)+p.Faint(gap)+r.drawn(p, 0), " ") + "\n")
	}
}
