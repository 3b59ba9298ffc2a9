package benchmark

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mortise-storage/mortise/internal/terminal"
)

// JSON writes the report for programs.
func (r *Report) JSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	p := terminal.NewPainter(w)
	r.printConditions(w, p)
	fmt.Fprintln(w)
	print := r.printFigures
	if r.Compared() {
		print = r.printRatios
	}
	if err := print(w, p); err != nil {
		return err
	}
	r.printTrouble(w, p)
	if r.Compared() {
		r.printPlans(w, p)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "%s %s\n", p.Cyan("note:"), note)
	}
	return nil
}

func (r *Report) printConditions(w io.Writer, p terminal.Painter) {
	for _, set := range r.Sets {
		name := set.File
		if set.Name != "" {
			name = set.Name + ": " + name
		}
		fmt.Fprintf(w, "%s  queries %s, %s, %s\n", p.Bold(name), set.QueriesHash, set.Server, set.Place)
		for _, section := range sorted(set.Data) {
			fmt.Fprintf(w, "  %s: %s\n", section, set.Data[section])
		}
		if set.Declined > 0 {
			fmt.Fprintf(w, "  %s\n", p.Yellow(fmt.Sprintf("the queries declined %d of these rows", set.Declined)))
		}
	}
	fmt.Fprintln(w, r.Conditions.Load())
}

// Load says in a line how calls were made.
func (c Conditions) Load() string {
	way := "in-process"
	if c.Way == ViaPlugin {
		way = "through the plugin"
	}
	loop := "closed loop"
	if c.Rate > 0 {
		loop = fmt.Sprintf("open loop of %g calls a second", c.Rate)
	}
	return fmt.Sprintf("%s, %d callers, %s, %gs for each case in %d rounds, seed %d; %d cores, %s", way, c.Callers, loop, c.Seconds, c.Rounds, c.Seed, c.Cores, c.Machine)
}

func (r *Report) printFigures(w io.Writer, p terminal.Painter) error {
	table := terminal.NewTable(w, "", ">callers", ">median", ">p90", ">p99", ">p99.9", ">max", ">calls/s")
	kind := ""
	for _, result := range r.Results {
		if kind != "" && kind != result.Kind {
			table.Line()
		}
		kind = result.Kind
		m := result.Sides[0]
		if m.Calls == m.Errors {
			table.Row(result.Name(), result.Callers, p.Red("failed"))
			continue
		}
		table.Row(result.Name(), result.Callers, p.Bold(Duration(m.P50)), Duration(m.P90), Duration(m.P99), Duration(m.P999), Duration(m.Max), Count(m.PerSecond))
	}
	return table.Print()
}

func (r *Report) printRatios(w io.Writer, p terminal.Painter) error {
	table := terminal.NewTable(w, "", ">A median", ">B median", ">B/A", "interval", "", ">A p99", ">B p99", "answers")
	kind := ""
	for _, result := range r.Results {
		if kind != "" && kind != result.Kind {
			table.Line()
		}
		kind = result.Kind
		ratio, interval, verdict := "", "", "not compared"
		if q := result.Ratio; q != nil {
			ratio, interval = fmt.Sprintf("%.2f", q.Center), fmt.Sprintf("%.2f … %.2f", q.Low, q.High)
			verdict = paint(p, q.Verdict)
		}
		table.Row(result.Name(), medianOf(p, result.Sides[0]), medianOf(p, result.Sides[1]), p.Bold(ratio), interval, verdict,
			tailOf(result.Sides[0]), tailOf(result.Sides[1]), answers(p, result))
	}
	if err := table.Print(); err != nil {
		return err
	}
	fmt.Fprintln(w, p.Faint(fmt.Sprintf("B/A is the ratio of median latencies, with an interval of at least %g %%; within %g %% of 1 is no difference; p99 is the time that one call in a hundred exceeds",
		100*r.Conditions.Confidence, 100*r.Conditions.Margin)))
	return nil
}

func medianOf(p terminal.Painter, m *Measured) string {
	if m.Calls == m.Errors {
		return p.Red("failed")
	}
	return Duration(m.P50)
}

// tailOf shows what the slowest hundredth of the calls takes at least: a swarm that is rare and huge is
// not seen in the median.
func tailOf(m *Measured) string {
	if m.Calls == m.Errors {
		return ""
	}
	return Duration(m.P99)
}

func answers(p terminal.Painter, result *Result) string {
	switch {
	case len(result.Differences) > 0:
		return p.Red("differ")
	case len(result.Wrong) > 0:
		return p.Red("wrong")
	case result.Checked == 0:
		return "not checked"
	}
	return "equal"
}

func paint(p terminal.Painter, v Verdict) string {
	switch v {
	case Faster:
		return p.Green(string(v))
	case Slower:
		return p.Red(string(v))
	case Unclear:
		return p.Yellow(string(v))
	}
	return string(v)
}

// mostPrinted is how many differences of a case are printed; the JSON form has more.
const mostPrinted = 2

// printTrouble tells what makes figures worthless: failed calls and wrong answers.
func (r *Report) printTrouble(w io.Writer, p terminal.Painter) {
	for _, result := range r.Results {
		for i, m := range result.Sides {
			who := result.Name()
			if name := r.Sets[i].Name; name != "" {
				who = name + ", " + who
			}
			if m.Errors > 0 {
				fmt.Fprintf(w, "%s %s: %d of %d calls failed: %s\n", p.Red("failed:"), p.Bold(who), m.Errors, m.Calls, m.Error)
			}
			if m.Missed > 0 {
				fmt.Fprintf(w, "%s %s: %d calls were due and not made; the rate is more than it can do with so many callers\n", p.Yellow("behind:"), p.Bold(who), m.Missed)
			}
		}
		for _, d := range result.Wrong[:min(mostPrinted, len(result.Wrong))] {
			fmt.Fprintf(w, "%s %s: %s\n    %s %s\n", p.Red("wrong answer:"), p.Bold(strings.TrimPrefix(d.Set+", "+result.Name(), ", ")), d.What, p.Faint("call:"), d.Call)
		}
		for _, d := range result.Differences[:min(mostPrinted, len(result.Differences))] {
			fmt.Fprintf(w, "%s %s: %s\n    %s %s\n", p.Red("answers differ:"), p.Bold(result.Name()), d.What, p.Faint("call:"), d.Call)
		}
	}
}

func (r *Report) printPlans(w io.Writer, p terminal.Painter) {
	told := map[string]bool{}
	for _, result := range r.Results {
		if len(result.Plan) == 0 || result.Kind != "operation" || told[result.Subject] {
			continue
		}
		told[result.Subject] = true
		fmt.Fprintf(w, "%s %s\n", p.Cyan("plans differ:"), p.Bold(result.Subject))
		for _, line := range result.Plan {
			fmt.Fprintln(w, "    "+line)
		}
	}
}

// Duration writes microseconds with three digits and the unit that fits.
func Duration(us float64) string {
	switch {
	case us == 0:
		return "–"
	case us < 9.995:
		return fmt.Sprintf("%.2f µs", us)
	case us < 99.95:
		return fmt.Sprintf("%.1f µs", us)
	case us < 999.5:
		return fmt.Sprintf("%.0f µs", us)
	case us < 999_500:
		return digitsOf(us/1e3) + " ms"
	}
	return digitsOf(us/1e6) + " s"
}

func digitsOf(x float64) string {
	switch {
	case x < 9.995:
		return fmt.Sprintf("%.2f", x)
	case x < 99.95:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// Count writes a number of calls a second.
func Count(x float64) string {
	if x < 100 {
		return digitsOf(x)
	}
	text := fmt.Sprintf("%.0f", x)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + " " + text[i:]
	}
	return text
}

func sorted(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
