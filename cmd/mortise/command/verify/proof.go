package verify

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/verify"
)

// calls prints the calls that lead to a failure, as a table. Long values are shown by both their ends,
// because decoys differ in the last byte.
func (p printer) calls(f *verify.Finding) {
	if len(f.Calls) == 0 {
		return
	}
	fmt.Fprintln(p.w)
	if f.Earlier > 0 {
		fmt.Fprintln(p.w, p.paint.Faint(fmt.Sprintf("  the last calls of the case (%d others are left out):", f.Earlier)))
	} else {
		fmt.Fprintln(p.w, p.paint.Faint("  the calls of the case:"))
	}
	var text strings.Builder
	table := terminal.NewTable(&text, "call", "arguments", ">affected", "result")
	width := max(30, min(p.width, 140)-60)
	for _, c := range f.Calls {
		_, short, _ := strings.Cut(c.Operation, ".")
		if c.About {
			short = p.paint.Bold(short)
		}
		if c.Times > 1 {
			short += fmt.Sprintf("\n%d times", c.Times)
		}
		table.Row(short, strings.Join(fold(arguments(c), width), "\n"), affected(c), result(c, p.paint))
	}
	_ = table.Print() // into memory
	for line := range strings.Lines(text.String()) {
		fmt.Fprint(p.w, "    "+line)
	}
}

func arguments(c verify.Call) []string {
	var words []string
	for _, a := range c.Arguments {
		word := a.Name + "=" + brief(a.Value)
		if a.Unused {
			word += " (not used)"
		}
		words = append(words, word)
	}
	return words
}

func affected(c verify.Call) string {
	if c.Affected == nil {
		return ""
	}
	return fmt.Sprint(*c.Affected)
}

// result lists the rows that came back, or the error.
func result(c verify.Call, paint terminal.Painter) string {
	if c.Error != "" {
		return paint.Red(strings.Join(wrap(c.Error, 44), "\n"))
	}
	const most = 6
	var lines []string
	for i, row := range c.Rows {
		if i == most {
			lines = append(lines, fmt.Sprintf("and %d rows more", len(c.Rows)-i+c.More))
			break
		}
		cells := make([]string, len(row))
		for k, cell := range row {
			cells[k] = c.Columns[k] + "=" + brief(cell)
		}
		lines = append(lines, fold(cells, 50)...)
	}
	if c.Rows != nil && len(c.Rows) == 0 {
		lines = append(lines, "no row")
	}
	return strings.Join(lines, "\n")
}

// brief shows a long value by its ends.
func brief(value string) string {
	const head, tail = 14, 8
	runes := []rune(value)
	if len(runes) <= head+tail+8 {
		return value
	}
	return string(runes[:head]) + "…" + string(runes[len(runes)-tail:])
}

// fold puts words into lines of at most width characters, if no word is longer.
func fold(words []string, width int) []string {
	var lines []string
	line := ""
	for _, word := range words {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// wrap folds a text at its spaces.
func wrap(text string, width int) []string { return fold(strings.Fields(text), width) }
