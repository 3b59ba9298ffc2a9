package verify

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/verify"
)

// mostFailures are printed with their proof; further ones are named. JSON has them all.
const mostFailures = 20

// jsonReport is the report for programs.
type jsonReport struct {
	File string `json:"file"`
	*verify.Report
	// Verdict is "passed", "deviates" or "failed".
	Verdict string `json:"verdict"`
}

func verdictOf(r *verify.Report, strict bool) string {
	switch {
	case r.Failed(), strict && r.Deviates():
		return "failed"
	case r.Deviates():
		return "deviates"
	}
	return "passed"
}

// A printer shows reports to people.
type printer struct {
	w     io.Writer
	paint terminal.Painter
	width int
}

func (p printer) report(file string, r *verify.Report, strict bool) error {
	how := "in transactions that are rolled back"
	if r.Scratch != "" {
		how = "in the scratch schema " + r.Scratch
	}
	fmt.Fprintf(p.w, "%s on %s, %s, %s\n\n", p.paint.Bold(file), r.Server, r.Target, how)
	for _, d := range r.Domains {
		if err := p.domain(d, r.Scratch == ""); err != nil {
			return err
		}
	}
	if notes := slices.Concat(r.Problems, r.Notes); len(notes) > 0 {
		fmt.Fprintln(p.w, p.paint.Bold("Notes"))
		terminal.PrintProblems(p.w, notes)
		fmt.Fprintln(p.w)
	}
	fmt.Fprintln(p.w, p.paint.Faint("each case has decoys around its rows that differ in one part of the key; whatever rows the tables held besides stayed untouched"))
	p.proof(r)
	return p.verdict(r, strict)
}

// domain prints the table, then what does not hold.
func (p printer) domain(d *verify.Domain, calls bool) error {
	headings := []string{"operation", ">passed", ">failed", ">not applicable"}
	if calls {
		headings = append(headings, ">calls")
	}
	table := terminal.NewTable(p.w, append(headings, "abilities")...)
	for _, o := range d.Operations {
		if o.Passed+o.Failed+o.NotApplicable == 0 {
			continue // not among the cases that were chosen
		}
		if !o.Configured {
			table.Row(append([]any{p.paint.Faint(o.Key), "", "", ""}, blanks(calls, p.paint.Faint("not given"))...)...)
			continue
		}
		row := []any{o.Key, o.Passed, p.bad(o.Failed), o.NotApplicable}
		if calls {
			row = append(row, o.Calls)
		}
		table.Row(append(row, p.abilities(d, o.Key))...)
	}
	if err := table.Print(); err != nil {
		return err
	}
	fmt.Fprintln(p.w)
	for i, f := range d.Failures {
		if i == mostFailures {
			fmt.Fprintf(p.w, "%s %d further cases: see --json, or --only with the name of one\n", p.paint.Red("FAILED"), len(d.Failures)-i)
		}
		if i < mostFailures {
			p.finding(p.paint.Red("FAILED")+"  "+p.paint.Bold(f.Case), f)
		} else {
			fmt.Fprintln(p.w, "    "+f.Case)
		}
	}
	var choices []*verify.Finding
	for _, f := range d.Deviations {
		if f.Severity < problem.Warning {
			choices = append(choices, f)
			continue
		}
		p.finding(p.paint.Yellow("DEVIATES")+"  "+p.paint.Bold("no "+string(f.Ability))+rule(f, p.paint), f)
	}
	return p.choices(choices)
}

func blanks(calls bool, last string) []any {
	if calls {
		return []any{"", last}
	}
	return []any{last}
}

func rule(f *verify.Finding, paint terminal.Painter) string {
	if f.Rule == "" {
		return ""
	}
	return "  " + paint.Faint("["+f.Rule+"]")
}

func (p printer) bad(n int) string {
	if n == 0 {
		return "0"
	}
	return p.paint.Red(fmt.Sprint(n))
}

// abilities lists those of one operation.
func (p printer) abilities(d *verify.Domain, key string) string {
	var names []string
	for _, a := range d.Abilities {
		switch {
		case !slices.Contains(a.Operations, key):
		case a.Found:
			names = append(names, p.paint.Green(string(a.Name)))
		case a.Choice:
			names = append(names, p.paint.Faint("no "+string(a.Name)))
		default:
			names = append(names, p.paint.Yellow("no "+string(a.Name)))
		}
	}
	var lines []string
	for chunk := range slices.Chunk(names, 2) {
		lines = append(lines, strings.Join(chunk, ", "))
	}
	return strings.Join(lines, "\n")
}

// finding prints a sentence that does not hold, with its proof and the queries concerned.
func (p printer) finding(head string, f *verify.Finding) {
	fmt.Fprintln(p.w, head)
	line := func(label, text string) {
		fmt.Fprintf(p.w, "  %s  %s\n", p.paint.Faint(fmt.Sprintf("%-8s", label)), text)
	}
	line("contract", f.Says)
	if f.Ability != "" && f.Case != "" {
		line("shown by", f.Case)
	}
	if f.Without != "" {
		line("without", f.Without+", which was left out so that the queries are run that it stands in for")
	}
	for i, text := range f.Failures {
		label := ""
		if i == 0 {
			label = "seen"
		}
		if i == 5 && len(f.Failures) > 6 {
			line("", fmt.Sprintf("... and %d times more", len(f.Failures)-i))
			break
		}
		line(label, strings.Join(wrap(text, max(40, p.width-14)), "\n            "))
	}
	p.calls(f)
	excerpts := &terminal.Excerpts{}
	for i, place := range f.Places {
		if i == 0 {
			fmt.Fprintln(p.w)
		}
		what := place.Operation
		if place.Missing {
			what += " (not given)"
		}
		line("query", place.Position.String()+"  "+what)
		if excerpt := excerpts.Excerpt(place.Position, p.paint); excerpt != "" && !place.Missing {
			fmt.Fprintln(p.w, "    "+strings.ReplaceAll(excerpt, "\n", "\n    "))
		}
	}
	if f.Fix != "" {
		line("fix", f.Fix)
	}
	fmt.Fprintln(p.w)
}

// choices lists abilities that the contract leaves to the operator.
func (p printer) choices(list []*verify.Finding) error {
	if len(list) == 0 {
		return nil
	}
	table := terminal.NewTable(p.w, "left to the operator", "rule", "what is not so", "query")
	for _, f := range list {
		at := ""
		if len(f.Places) > 0 {
			at = f.Places[0].Position.String()
		}
		table.Row("no "+string(f.Ability), f.Rule, strings.Join(wrap(f.Says, 60), "\n"), at)
	}
	if err := table.Print(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.w)
	return err
}

// proof says that nothing was changed.
func (p printer) proof(r *verify.Report) {
	switch {
	case r.Dropped:
		fmt.Fprintf(p.w, "schema %s: dropped; no table outside of it was touched\n", r.Scratch)
	case r.Scratch != "":
		fmt.Fprintf(p.w, "schema %s: %s\n", r.Scratch, p.paint.Red("still there"))
	}
	for _, t := range r.Transactions {
		switch {
		case t.Status == "aborted":
			fmt.Fprintf(p.w, "transaction %s: aborted; the tables are as they were\n", t.ID)
		case t.Status != "":
			fmt.Fprintf(p.w, "transaction %s: %s\n", t.ID, p.paint.Red(t.Status))
		default:
			fmt.Fprintln(p.w, "the transaction was rolled back; this server does not tell what became of a transaction")
		}
	}
}

func (p printer) verdict(r *verify.Report, strict bool) error {
	sum := r.Total()
	deviations := 0
	for _, d := range r.Domains {
		for _, f := range d.Deviations {
			if f.Severity >= problem.Warning {
				deviations++
			}
		}
	}
	text := fmt.Sprintf("%d cases passed, %d failed, %d not applicable", sum.Passed, sum.Failed, sum.NotApplicable)
	if sum.NotRun > 0 {
		text += fmt.Sprintf(", %d not run", sum.NotRun)
	}
	text += fmt.Sprintf("; deviations: %d (%s)", deviations, r.Elapsed.Round(100*time.Millisecond))
	if r.Interrupted != "" {
		text += "; ended early: " + r.Interrupted
	}
	switch verdictOf(r, strict) {
	case "failed":
		text = p.paint.Red("failed") + ": " + text
	case "deviates":
		text = p.paint.Yellow("passed, with deviations") + ": " + text
	default:
		text = p.paint.Green("passed") + ": " + text
	}
	_, err := fmt.Fprintln(p.w, text)
	return err
}

// undefinedTables says whether tables are not there.
func undefinedTables(problems problem.List) bool {
	return slices.ContainsFunc(problems, func(found problem.Problem) bool {
		return strings.Contains(found.Message, "42P01") || strings.Contains(found.Message, "does not exist")
	})
}
