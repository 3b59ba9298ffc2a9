package run

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query/literal"
)

func (o *outcome) print(stdout, stderr io.Writer, asJSON bool) error {
	if asJSON {
		return o.printJSON(stdout)
	}
	if o.err != nil {
		o.printNotices(stderr)
		return o.printError(stderr)
	}
	if err := o.printResult(stdout); err != nil {
		return err
	}
	o.printNotices(stdout)
	_, err := fmt.Fprintln(stdout, o.summary(terminal.NewPainter(stdout)))
	return err
}

// printResult shows the rows under the contract's names.
func (o *outcome) printResult(w io.Writer) error {
	if !o.showsRows() {
		return nil
	}
	columns := o.columns()
	headings := make([]string, len(columns))
	for i, c := range columns {
		headings[i] = c.Name
		if !c.List && (c.Kind == operation.Int || c.Kind == operation.Float) {
			headings[i] = ">" + c.Name
		}
	}
	table := terminal.NewTable(w, headings...)
	for _, row := range o.call.Rows {
		cells := make([]any, len(columns))
		for i, c := range columns {
			v := c.Get(row)
			cells[i] = cell(w, literal.Format(&c.Field, &v))
		}
		table.Row(cells...)
	}
	return table.Print()
}

// showsRows says whether the contract reads rows from the result, and there are some.
func (o *outcome) showsRows() bool {
	switch o.operation.Spec.GetResult() {
	case annotation.Result_NONE, annotation.Result_AFFECTED:
		return false
	}
	return o.call.Found()
}

// cell cuts long values where a person looks at them; what is piped stays whole.
func cell(w io.Writer, text string) string {
	const most = 120
	runes := []rune(text)
	if !terminal.IsTerminal(w) || len(runes) <= most {
		return text
	}
	return fmt.Sprintf("%s… (%d characters)", string(runes[:most-20]), len(runes))
}

// summary says in a few lines what happened.
func (o *outcome) summary(p terminal.Painter) string {
	var lines []string
	if o.sent {
		lines = append(lines, p.Bold(o.count()))
	}
	if answer := o.answered(); answer != "" {
		lines = append(lines, "a host is answered "+answer)
	}
	for _, row := range o.leftOut {
		lines = append(lines, p.Yellow("left out: ")+"a row whose column "+row.Column+" "+row.Rule)
	}
	for _, note := range o.notes {
		lines = append(lines, p.Yellow("note: ")+note)
	}
	if limit := o.limit(); limit > 0 && o.elapsed > limit {
		lines = append(lines, p.Yellow("note: ")+"that is more than the operation's limit of "+limit.String()+"; a host would have been answered DeadlineExceeded")
	}
	if o.sent {
		lines = append(lines, o.ended(p)+p.Faint(fmt.Sprintf(", %s, %s", o.elapsed.Round(10*time.Microsecond), o.server)))
	}
	return strings.Join(lines, "\n")
}

// count says how many rows there are.
func (o *outcome) count() string {
	var parts []string
	result := o.operation.Spec.GetResult()
	switch {
	case result == annotation.Result_ROWS && len(o.call.Rows) != 1:
		parts = append(parts, fmt.Sprintf("%d rows", len(o.call.Rows)))
	case o.showsRows():
		parts = append(parts, "1 row")
	case result == annotation.Result_ROW || result == annotation.Result_SCALAR:
		parts = append(parts, "no row")
	}
	switch {
	case o.call.Counted:
		parts = append(parts, fmt.Sprintf("affected: %d", o.call.Affected))
	case result == annotation.Result_AFFECTED:
		parts = append(parts, "affected: unknown, since the query does not tell")
	case result == annotation.Result_NONE:
		parts = append(parts, "no result")
	}
	return strings.Join(parts, ", ")
}

func (o *outcome) ended(p terminal.Painter) string {
	switch result := o.operation.Spec.GetResult(); {
	case o.committed:
		return p.Green("committed")
	case o.call.Counted || result == annotation.Result_NONE || result == annotation.Result_AFFECTED:
		return "rolled back (--commit keeps it)"
	}
	return "rolled back"
}

func (o *outcome) printNotices(w io.Writer) {
	p := terminal.NewPainter(w)
	for _, said := range o.notices {
		fmt.Fprintf(w, "%s: %s\n", p.Cyan(said.Severity), said.Message)
		for _, more := range []string{said.Detail, said.Hint} {
			if more != "" {
				fmt.Fprintln(w, "    "+more)
			}
		}
	}
}

// printError shows what went wrong and, for a wrong command line, what a right one looks like.
func (o *outcome) printError(w io.Writer) error {
	var mistakes literal.Mistakes
	if !errors.As(o.err, &mistakes) {
		if list := o.problems(); list[0].Rule != plainError {
			terminal.PrintProblems(w, list)
			return nil
		}
		_, err := fmt.Fprintln(w, "mortise: "+o.err.Error())
		return err
	}
	p := terminal.NewPainter(w)
	for _, mistake := range mistakes {
		fmt.Fprintln(w, "mortise: "+mistake.String())
	}
	_, err := fmt.Fprintf(w, "\n%s\n  %s\n%s mortise ops %s\n", p.Bold("For example:"), o.example(), p.Faint("What it does and what each parameter means:"), o.operation.Key)
	return err
}

// example is a command line that runs the operation.
func (o *outcome) example() string {
	words := []string{"mortise run", o.operation.Key}
	if o.config != "" && o.config != os.Getenv("MORTISE_CONFIG") {
		words = append(words, "--config", shellQuote(o.config))
	}
	for _, file := range o.further {
		words = append(words, "--contract", shellQuote(file))
	}
	for _, word := range literal.ExampleWords(o.operation) {
		words = append(words, "--param", shellQuote(word))
	}
	return strings.Join(words, " ")
}

// shellQuote puts a word into quotation marks if a shell would take it for something else.
func shellQuote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("=_-./:,+@%", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
