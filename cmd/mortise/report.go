package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/mortise-storage/mortise/storage/problem"
)

// paint colours text for a terminal.
type paint bool

func painter(w io.Writer) paint {
	file, ok := w.(*os.File)
	return paint(ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd())))
}

func (p paint) in(code, text string) string {
	if !p {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p paint) severity(s problem.Severity, text string) string {
	return p.in(map[problem.Severity]string{problem.Info: "36", problem.Warning: "33", problem.Error: "1;31"}[s], text)
}

// printProblems lists problems: where, how bad and what key in aligned columns, then what is wrong
// and what to do.
func printProblems(w io.Writer, problems problem.List) {
	p := painter(w)
	widest := 0
	for _, found := range problems {
		widest = max(widest, utf8.RuneCountInString(found.Position.String()))
	}
	for _, found := range problems {
		severity := fmt.Sprintf("%-7s", found.Severity)
		line := fmt.Sprintf("%-*s  %s  %s", widest, found.Position.String(), p.severity(found.Severity, severity), p.in("1", found.Key))
		fmt.Fprintln(w, strings.TrimRight(line, " "))
		fmt.Fprintln(w, "    "+indent(found.Message))
		if found.Fix != "" {
			fmt.Fprintln(w, "    "+p.in("2", "fix: ")+indent(found.Fix))
		}
	}
}

func indent(text string) string { return strings.ReplaceAll(text, "\n", "\n    ") }

// printReport lists problems, and sums up.
func printReport(w io.Writer, problems problem.List, server string) error {
	printProblems(w, problems)
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
