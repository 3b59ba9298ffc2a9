package explain

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/explain"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query/literal"
)

// print shows everything to people: each operation, then a table of all, then the advice.
func (o *outcome) print(w io.Writer, width int) error {
	p := terminal.NewPainter(w)
	for _, r := range o.reports {
		if _, err := io.WriteString(w, o.card(r, p, width)+"\n"); err != nil {
			return err
		}
	}
	if len(o.reports) > 1 {
		if err := o.summary(w); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	list := o.all()
	terminal.PrintProblems(w, list)
	if len(list) > 0 {
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintf(w, "%s (explained by %s)\n", verdict(list), o.server)
	return err
}

func verdict(list problem.List) string {
	errs := list.Count(problem.Error)
	warnings := list.Count(problem.Warning) - errs
	if len(list) == 0 {
		return "no advice"
	}
	return fmt.Sprintf("errors: %d, warnings: %d, notes: %d", errs, warnings, len(list)-errs-warnings)
}

// card is one operation: its line, its plans, where the arguments are from.
func (o *outcome) card(r *explain.Report, p terminal.Painter, width int) string {
	var b strings.Builder
	op := r.Statement.Operation
	fmt.Fprintf(&b, "%s  %s  %s\n", p.Bold(p.Cyan(op.Key)), heat(r), p.Faint(position(r)))
	if r.Refused != nil {
		b.WriteString(margin + p.Red("no plan: the server refuses the query; see below") + "\n")
		return b.String()
	}
	panels, same := o.panels(r)
	if same != "" {
		b.WriteString(margin + same + "\n")
	}
	beside(&b, p, panels, width)
	o.times(&b, r)
	o.arguments(&b, r, p, width)
	return b.String()
}

func heat(r *explain.Report) string {
	return strings.ToLower(r.Statement.Operation.Spec.GetHeat().String())
}

func position(r *explain.Report) string { return r.Statement.At(0).String() }

// panels returns the plans that are different, the one without arguments first, and what is said if
// there is only one.
func (o *outcome) panels(r *explain.Report) (panels []panel, same string) {
	generic := r.Generic
	if len(r.Cases) > 0 && r.Cases[0].Generic != nil {
		generic = r.Cases[0].Generic
	}
	if generic == nil || generic.Root == nil || len(r.Cases) == 0 {
		return []panel{{heading: "plan", lines: tree(generic)}}, ""
	}
	type shape struct {
		names []string
		plan  *explain.Plan
	}
	var shapes []shape
	for _, c := range r.Cases {
		i := slices.IndexFunc(shapes, func(s shape) bool { return s.plan.Shape() == c.Custom.Shape() })
		if i < 0 {
			shapes = append(shapes, shape{plan: c.Custom})
			i = len(shapes) - 1
		}
		shapes[i].names = append(shapes[i].names, c.Sample.Name)
	}
	if len(shapes) == 1 && shapes[0].plan.Shape() == generic.Shape() {
		return []panel{{heading: "plan" + ran(shapes[0].plan), lines: tree(shapes[0].plan)}},
			"one plan: with the arguments (" + strings.Join(shapes[0].names, ", ") + ") and without them the server does the same"
	}
	heading := "generic plan, without the arguments"
	for _, s := range shapes {
		if s.plan.Shape() == generic.Shape() {
			heading += "; the same as for " + strings.Join(s.names, " and ") + " ones"
			continue
		}
		panels = append(panels, panel{heading: "custom plan for " + strings.Join(s.names, " and ") + " arguments" + ran(s.plan), lines: tree(s.plan)})
	}
	first := panel{heading: heading + ranWith(generic, r.Cases[0].Sample.Name), lines: tree(generic)}
	return append([]panel{first}, panels...), ""
}

func ran(p *explain.Plan) string {
	if !p.Analyzed {
		return ""
	}
	return ", run in " + milliseconds(p.ExecutionMS)
}

func ranWith(p *explain.Plan, sample string) string {
	if !p.Analyzed {
		return ""
	}
	return "; run for " + sample + " ones in " + milliseconds(p.ExecutionMS)
}

// times tells how long each plan took with each sample.
func (o *outcome) times(b *strings.Builder, r *explain.Report) {
	if len(r.Cases) == 0 {
		return
	}
	b.WriteString("\n")
	for _, c := range r.Cases {
		switch {
		case c.NotRun != "":
			fmt.Fprintf(b, "%s%s arguments: not run: %s\n", margin, c.Sample.Name, c.NotRun)
		case c.Custom.Analyzed && c.Generic != nil:
			fmt.Fprintf(b, "%s%s arguments: custom %s and %s for planning, generic %s (medians of %d and %d)\n", margin, c.Sample.Name,
				milliseconds(c.Custom.ExecutionMS), milliseconds(c.Custom.PlanningMS), milliseconds(c.Generic.ExecutionMS), len(c.Custom.Runs), len(c.Generic.Runs))
		}
		for _, note := range c.Sample.Notes {
			fmt.Fprintf(b, "%s%s\n", margin, note)
		}
	}
}

// arguments tells where the arguments that the query uses are from, and what they are if wanted.
func (o *outcome) arguments(b *strings.Builder, r *explain.Report, p terminal.Painter, width int) {
	for _, c := range r.Cases {
		var origins []string
		names := map[string][]string{}
		for i, parameter := range r.Statement.Operation.Parameters {
			if !r.Statement.Uses(parameter.Name) {
				continue
			}
			if o.values {
				value := literal.Format(&parameter.Field, &c.Sample.Arguments[i])
				fmt.Fprintf(b, "%s%s %s = %s  %s\n", margin, c.Sample.Name, p.Bold("@"+parameter.Name), value, p.Faint(c.Sample.Origins[i]))
				continue
			}
			origin := shared(c.Sample.Origins[i])
			if names[origin] == nil {
				origins = append(origins, origin)
			}
			names[origin] = append(names[origin], "@"+parameter.Name)
		}
		for i, origin := range origins {
			origins[i] = strings.Join(names[origin], ", ") + " " + origin
		}
		if len(origins) == 0 {
			continue
		}
		for _, l := range folded([]line{{text: c.Sample.Name + ": " + strings.Join(origins, "; "), paint: faint}}, max(width-len(margin), narrowest)) {
			b.WriteString(margin + l.drawn(p, 0) + "\n")
		}
	}
}

// shared is what parameters have in common that are from the same row: tracker_peers.port of a typical
// row is of a typical row of tracker_peers.
func shared(origin string) string {
	column, row, ok := strings.Cut(origin, " of ")
	table, _, qualified := strings.Cut(column, ".")
	if !ok || !qualified || strings.Contains(column, " ") || strings.Contains(column, "(") {
		return origin
	}
	return "from " + table + " (of " + row + ")"
}

// summary is a table of all operations.
func (o *outcome) summary(w io.Writer) error {
	table := terminal.NewTable(w, "operation", "heat", "plan", "indexes", ">cost", ">ms", ">advice")
	for _, r := range o.reports {
		s := summarize(r)
		table.Row(r.Statement.Operation.Key, heat(r), s.Plan, strings.Join(s.Indexes, ", "), s.cost(), s.time(), len(r.Problems))
	}
	return table.Print()
}

// A summary is one operation in a few words.
type summary struct {
	// Plan is how its tables are reached.
	Plan    string
	Indexes []string
	// Cost is the planner's estimate, MS what a run took: both the worst of all samples.
	Cost, MS float64
	run      bool
}

func summarize(r *explain.Report) summary {
	var s summary
	if r.Refused != nil {
		s.Plan = "refused"
		return s
	}
	plans := []*explain.Plan{}
	for _, c := range r.Cases {
		plans = append(plans, c.Custom)
	}
	if len(plans) == 0 {
		plans = append(plans, r.Generic)
	}
	var ways []string
	for _, plan := range plans {
		if plan == nil || plan.Root == nil {
			continue
		}
		s.Cost = max(s.Cost, plan.Root.TotalCost)
		s.MS = max(s.MS, plan.ExecutionMS)
		s.run = s.run || plan.Analyzed
		plan.Walk(func(n *explain.Node) {
			if way := access(n); way != "" && !slices.Contains(ways, way) {
				ways = append(ways, way)
			}
			if n.Index != "" && !slices.Contains(s.Indexes, n.Index) {
				s.Indexes = append(s.Indexes, n.Index)
			}
			for _, index := range n.ConflictIndexes {
				if !slices.Contains(s.Indexes, index) {
					s.Indexes = append(s.Indexes, index)
				}
			}
		})
	}
	s.Plan = strings.Join(ways, ", ")
	return s
}

// access is how a node reaches a table, in a word or two; "" if it does not.
func access(n *explain.Node) string {
	switch n.Type {
	case "Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Tid Scan", "Tid Range Scan", "Foreign Scan", "Sample Scan", "Function Scan":
		return strings.ToLower(strings.TrimSuffix(n.Type, " Scan"))
	case "ModifyTable":
		return strings.ToLower(n.Operation)
	}
	return ""
}

func (s summary) cost() string {
	if s.Cost == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", s.Cost)
}

func (s summary) time() string {
	if !s.run {
		return ""
	}
	return fmt.Sprintf("%.3f", s.MS)
}
