package reload

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/problem"
)

// problemsOf are the problems of an answer, as every command shows them. Their places are in the
// server's files; the lines are shown if those are there on this machine, too.
func problemsOf(response *pluginv1.ReloadResponse) problem.List {
	list := problem.List{}
	for _, p := range response.GetProblems() {
		list = append(list, problem.Problem{Severity: problem.Severity(p.GetSeverity()), Rule: p.GetRule(),
			Position: problem.Position{File: p.GetFile(), Line: int(p.GetLine()), Column: int(p.GetColumn())},
			Key:      p.GetKey(), Message: p.GetMessage(), Fix: p.GetFix()})
	}
	return list
}

// printReport lists problems, and says what happened.
func printReport(w io.Writer, response *pluginv1.ReloadResponse) error {
	if problems := problemsOf(response); len(problems) > 0 {
		terminal.PrintProblems(w, problems)
		fmt.Fprintln(w)
	}
	paint := terminal.NewPainter(w)
	verdict := paint.Green(outcome(response))
	if !response.GetApplied() {
		verdict = paint.Red(outcome(response))
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", verdict, response.GetMessage())
	return err
}

func outcome(response *pluginv1.ReloadResponse) string {
	return strings.ReplaceAll(strings.ToLower(response.GetOutcome().String()), "_", " ")
}

// printJSON prints what printReport does, for programs.
func printJSON(w io.Writer, response *pluginv1.ReloadResponse) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(map[string]any{
		"applied":    response.GetApplied(),
		"outcome":    strings.ToLower(response.GetOutcome().String()),
		"generation": response.GetGeneration(),
		"message":    response.GetMessage(),
		"problems":   problemsOf(response),
	})
}
