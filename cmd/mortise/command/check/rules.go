package check

import (
	"fmt"
	"io"
	"strings"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/check"
)

// listRules is the word that stands for no rule in particular.
const listRules = "rules"

// printRules explains one rule, or lists all.
func (c checker) printRules(w io.Writer, name string) error {
	if name == listRules || name == "" {
		return listOfRules(w)
	}
	rule, nearest, ok := check.Find(name)
	if !ok {
		if nearest != "" {
			return command.Misused("there is no rule %s; did you mean %s? `mortise check --explain` lists all", name, nearest)
		}
		return command.Misused("there is no rule %s; `mortise check --explain` lists all", name)
	}
	p := terminal.NewPainter(w)
	fmt.Fprintf(w, "%s  %s\n%s\n\n%s\n", p.Bold(rule.Name), p.Severity(rule.Severity, rule.Severity.String()), rule.Title, wrap(rule.Explanation, 90))
	if rule.Source == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%s%s\n", p.Faint("source: "), rule.Source)
	return err
}

func listOfRules(w io.Writer) error {
	p, table := terminal.NewPainter(w), terminal.NewTable(w, "rule", "severity", "what it finds")
	for _, rule := range check.Rules() {
		table.Row(rule.Name, p.Severity(rule.Severity, rule.Severity.String()), rule.Title)
	}
	return table.Print()
}

// wrap breaks a text into lines of at most so many characters.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		length := len([]rune(word))
		switch {
		case column == 0:
		case column+1+length > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += length
	}
	return b.String()
}
