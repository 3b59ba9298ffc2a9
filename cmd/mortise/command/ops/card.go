package ops

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/query/literal"
)

// printCard shows what one operation must do.
func printCard(w io.Writer, e *entry) error {
	p, width := terminal.NewPainter(w), min(terminal.Width(w), 110)
	fmt.Fprintln(w, p.Bold(p.Cyan(e.Key)))
	fmt.Fprintln(w, wrap(e.Description, width))
	fmt.Fprintln(w)
	if err := e.printParameters(w, p); err != nil {
		return err
	}
	if err := e.printColumns(w, p); err != nil {
		return err
	}
	for _, fact := range e.facts() {
		text := strings.ReplaceAll(wrap(fact[1], width-10), "\n", "\n          ")
		fmt.Fprintf(w, "%s  %s\n", p.Bold(fmt.Sprintf("%-8s", fact[0])), text)
	}
	fmt.Fprintln(w)
	if err := e.printKeys(w, p); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n  %s\n", p.Bold("By hand, with made-up values:"), e.commandLine(width-2))
	return err
}

// printKeys lists the keys that the operator's file may have, and where it has them.
func (e *entry) printKeys(w io.Writer, p terminal.Painter) error {
	headings := []string{"key in the file", ""}
	if e.State != "" {
		headings = append(headings, "given")
	}
	table := terminal.NewTable(w, headings...)
	for _, k := range e.Keys {
		cells := []any{k.Name, p.Faint(k.Meaning)}
		if k.Place != nil {
			cells = append(cells, p.Green(fmt.Sprintf("line %d", k.Place.Line)))
		}
		table.Row(cells...)
	}
	return table.Print()
}

// wrap breaks a text at blanks into lines of at most so many characters. A longer word has a line of its own.
func wrap(text string, width int) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return strings.Join(append(lines, line), "\n")
}

func (e *entry) printParameters(w io.Writer, p terminal.Painter) error {
	if len(e.Parameters) == 0 {
		_, err := fmt.Fprint(w, "No parameters.\n\n")
		return err
	}
	table := terminal.NewTable(w, "", "parameter", "kind", "")
	for _, one := range e.Parameters {
		name := "@" + one.Name
		if one.Identity {
			name = p.Bold(name)
		}
		table.Row(fmt.Sprintf("$%d", one.Number), name, one.Kind, wrap(one.note(), 62))
	}
	if err := table.Print(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// note is what there is to know of a parameter.
func (one parameter) note() string {
	var parts []string
	add := func(when bool, text string) {
		if when {
			parts = append(parts, text)
		}
	}
	add(one.Identity, "says which rows are meant")
	add(one.Rules != "", one.Rules)
	add(one.Derived != "", one.Derived)
	add(one.Capability, "a host that sets it is refused if the query does not use it")
	add(one.Description != "" && !strings.HasPrefix(one.Description, "Derived from"), strings.TrimSuffix(one.Description, "."))
	return strings.Join(parts, "; ")
}

func (e *entry) printColumns(w io.Writer, p terminal.Painter) error {
	if e.Result == "NONE" || e.Result == "AFFECTED" || e.Result == "SCALAR" {
		return nil
	}
	table := terminal.NewTable(w, "column", "kind", "")
	for _, c := range e.Columns {
		var parts []string
		for _, part := range []string{c.Rules, strings.TrimSuffix(c.Description, ".")} {
			if part != "" {
				parts = append(parts, part)
			}
		}
		table.Row(p.Bold(c.Name), c.Kind, wrap(strings.Join(parts, "; "), 62))
	}
	if err := table.Print(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// facts are what stands below the tables: a word, and what there is to say.
func (e *entry) facts() [][2]string {
	var facts [][2]string
	add := func(when bool, word, text string) {
		if when {
			facts = append(facts, [2]string{word, text})
		}
	}
	add(true, "result", e.result())
	add(e.Empty != "OK", "empty", "no row, or no row changed, is answered "+e.Empty)
	add(e.BadRows == "SKIP", "bad rows", "a row that breaks the contract is left out, counted and logged")
	add(e.MaxRows > 0, "bound", fmt.Sprintf("at most %d row; a query that changes more is rolled back and answered with ROW_BOUND", e.MaxRows))
	add(true, "called", e.called())
	add(true, "heat", heats[e.Heat])
	add(true, "retry", retries[e.Retry])
	add(e.Timeout != "", "limit", e.Timeout+" for a call, unless the file says otherwise")
	add(true, "need", e.needText())
	add(e.Without != "", "without", e.Without)
	add(e.Default != "", "default", e.Default)
	add(e.Extends != "", "clause", "its text is appended to that of "+e.Extends)
	add(e.State != "", "state", e.stateText())
	return facts
}

func (e *entry) result() string {
	switch e.Result {
	case "AFFECTED":
		return "the number of rows changed, from the statement itself; a SELECT tells it in a column " + e.Columns[0].Name
	case "SCALAR":
		return "the first column of the first row: " + e.Columns[0].Name + ", " + e.Columns[0].Kind + ruled(e.Columns[0].Rules)
	case "ROW":
		return "the first row, with these columns; upper and lower case are the same"
	case "ROWS":
		return "all rows, with these columns; upper and lower case are the same"
	}
	return "none; whatever comes back is ignored"
}

func ruled(rules string) string {
	if rules == "" {
		return ""
	}
	return " (" + rules + ")"
}

func (e *entry) called() string {
	if e.Internal {
		return "by composed methods and background work only"
	}
	return "by hosts, as " + e.Method
}

var heats = map[string]string{
	"HOT": "on every request", "WARM": "often", "RARE": "rarely", "BACKGROUND": "periodically, on connections of its own",
}

var retries = map[string]string{
	"NEVER":      "never sent again after the connection was lost mid-way: the caller is told that the outcome is unknown",
	"IDEMPOTENT": "sent again after the connection was lost: twice has the effect of once",
	"RESOLVED":   "sent again after the connection was lost; an empty second answer then counts as success",
}

func (e *entry) needText() string {
	switch {
	case e.Need == "REQUIRED" && len(e.Unless) > 0:
		return "required, unless there is " + strings.Join(e.Unless, " and ")
	case e.Need == "REQUIRED":
		return "required if its group is used"
	}
	return "may be left out"
}

func (e *entry) stateText() string {
	if e.Place != nil {
		return e.State + " at " + e.Place.String()
	}
	return e.State
}

// commandLine runs the operation; it goes over several lines, as a shell takes them, if it is long.
func (e *entry) commandLine(width int) string {
	words := []string{"mortise run " + e.Key}
	if e.Place != nil {
		words = append(words, "--config "+e.Place.File)
	}
	for _, file := range e.further {
		words = append(words, "--contract "+file)
	}
	for _, word := range literal.ExampleWords(e.operation) {
		words = append(words, "--param "+word)
	}
	if line := strings.Join(words, " "); len(line) <= width {
		return line
	}
	return strings.Join(words, " \\\n      ")
}
