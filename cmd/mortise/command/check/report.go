package check

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/problem"
)

// printReport lists problems, and sums up.
func printReport(w io.Writer, problems problem.List, server string) error {
	terminal.PrintProblems(w, problems)
	if len(problems) > 0 {
		fmt.Fprintln(w)
	}
	errs := problems.Count(problem.Error)
	warnings := problems.Count(problem.Warning) - errs
	verdict := "no problems"
	if errs+warnings > 0 {
		verdict = fmt.Sprintf("errors: %d, warnings: %d", errs, warnings)
	}
	how := "without a database"
	if server != "" {
		how = "against " + server
	}
	_, err := fmt.Fprintf(w, "%s (checked %s)\n", verdict, how)
	return err
}

// printJSON prints what printReport does, for programs.
func printJSON(w io.Writer, problems problem.List, server string) error {
	if problems == nil {
		problems = problem.List{}
	}
	errs := problems.Count(problem.Error)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(map[string]any{
		"problems": problems,
		"errors":   errs,
		"warnings": problems.Count(problem.Warning) - errs,
		"server":   server,
	})
}
