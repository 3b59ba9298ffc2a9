package terminal

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/mortise-storage/mortise/storage/problem"
)

// PrintProblems lists problems: where, how bad, which rule and what key in aligned columns, then the
// line with a caret, what is wrong, and what to do.
func PrintProblems(w io.Writer, problems problem.List) {
	p, excerpts := NewPainter(w), &Excerpts{}
	widest := 0
	for _, found := range problems {
		widest = max(widest, utf8.RuneCountInString(found.Position.String()))
	}
	for _, found := range problems {
		severity := fmt.Sprintf("%-7s", found.Severity)
		line := fmt.Sprintf("%-*s  %s  %s  %s", widest, found.Position.String(), p.Severity(found.Severity, severity), p.Bold(found.Key), p.Faint("["+found.Rule+"]"))
		fmt.Fprintln(w, strings.TrimRight(line, " "))
		if excerpt := excerpts.Excerpt(found.Position, p); excerpt != "" {
			fmt.Fprintln(w, excerpt)
		}
		fmt.Fprintln(w, "    "+indent(found.Message))
		if found.Fix != "" {
			fmt.Fprintln(w, "    "+p.Faint("fix: ")+indent(found.Fix))
		}
	}
}

func indent(text string) string { return strings.ReplaceAll(text, "\n", "\n    ") }
