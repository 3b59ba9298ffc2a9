package check

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/problem"
)

// print shows what was found in the wished form, from the least severity on.
func (c checker) print(w io.Writer, f found, least problem.Severity) error {
	shown := problem.List{}
	for _, p := range f.problems {
		if p.Severity >= least {
			shown = append(shown, p)
		}
	}
	switch c.format {
	case "json":
		return printJSON(w, f, shown)
	case "sarif":
		return printSARIF(w, shown)
	}
	return printText(w, f, shown)
}

// counts are the problems of each severity, also of those that are not shown.
type counts struct {
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Notes    int `json:"notes"`
}

func count(problems problem.List) counts {
	c := counts{Errors: problems.Count(problem.Error)}
	c.Warnings = problems.Count(problem.Warning) - c.Errors
	c.Notes = len(problems) - c.Warnings - c.Errors
	return c
}

// printText lists problems, and sums up in one line.
func printText(w io.Writer, f found, shown problem.List) error {
	terminal.PrintProblems(w, shown)
	if len(shown) > 0 {
		fmt.Fprintln(w)
	}
	p, n := terminal.NewPainter(w), count(f.problems)
	verdict := p.Green("no problems")
	switch {
	case n.Errors > 0:
		verdict = p.Red(fmt.Sprintf("errors: %d, warnings: %d", n.Errors, n.Warnings))
	case n.Warnings > 0:
		verdict = p.Yellow(fmt.Sprintf("errors: 0, warnings: %d", n.Warnings))
	}
	if n.Notes > 0 {
		verdict += fmt.Sprintf(", notes: %d", n.Notes)
	}
	how := "without a database"
	switch {
	case f.server != "":
		how = "against " + f.server
	case f.failed:
		how = "without the database, which could not be asked"
	}
	if f.target.Product != "" || f.target.Pooler {
		how += "; for " + f.target.String()
	}
	_, err := fmt.Fprintf(w, "%s (%d queries, checked %s)\n", verdict, f.queries, how)
	return err
}

// printJSON prints what printText does, for programs.
func printJSON(w io.Writer, f found, shown problem.List) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(struct {
		File     string       `json:"file,omitempty"`
		Problems problem.List `json:"problems"`
		counts
		Queries int    `json:"queries"`
		Server  string `json:"server"`
		Target  string `json:"target"`
	}{f.file, shown, count(f.problems), f.queries, f.server, f.target.String()})
}
