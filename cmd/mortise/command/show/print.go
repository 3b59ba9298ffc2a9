package show

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/problem"
)

func printJSON(w io.Writer, views []*view, problems problem.List) error {
	if views == nil {
		views = []*view{}
	}
	if problems == nil {
		problems = problem.List{}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(map[string]any{"statements": views, "problems": problems})
}

// printSQL prints the statements alone. Several are separated as SQL wants it; a line of its own for the
// semicolon, because a statement may end in a comment.
func printSQL(w io.Writer, views []*view) error {
	texts := make([]string, len(views))
	for i, v := range views {
		texts[i] = strings.TrimRight(v.SQL, " \t\r\n")
	}
	_, err := fmt.Fprintln(w, strings.Join(texts, "\n;\n\n"))
	return err
}

func printViews(w io.Writer, views []*view) error {
	p := terminal.NewPainter(w)
	for i, v := range views {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s  %s\n", p.Bold(p.Cyan(v.Operation)), p.Faint(v.Position.String()))
		fmt.Fprintln(w, "\n"+indent(strings.TrimRight(v.SQL, " \t\r\n")))
		fmt.Fprintln(w)
		if err := v.printArguments(w, p); err != nil {
			return err
		}
		if err := v.printColumns(w, p); err != nil {
			return err
		}
		for _, fact := range v.facts() {
			fmt.Fprintf(w, "%s  %s\n", p.Faint(fmt.Sprintf("%-9s", fact[0])), fact[1])
		}
	}
	return nil
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(text, "\n", "\n    ")
}

func (v *view) printArguments(w io.Writer, p terminal.Painter) error {
	if len(v.Arguments) == 0 {
		return nil
	}
	headings := []string{"", "parameter", "kind", "type", "first used at"}
	table := terminal.NewTable(w, v.withoutTypes(headings, 3)...)
	for _, a := range v.Arguments {
		table.Row(v.cells(3, fmt.Sprintf("$%d", a.Number), p.Bold("@"+a.Name), a.Kind, a.Type, p.Faint(a.Position.String()))...)
	}
	if err := table.Print(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

func (v *view) printColumns(w io.Writer, p terminal.Painter) error {
	if len(v.Columns) == 0 {
		return nil
	}
	headings := []string{"column", "type", "read as", "kind"}
	table := terminal.NewTable(w, v.withoutTypes(headings, 1)...)
	for _, c := range v.Columns {
		reads := p.Bold(c.Reads)
		switch {
		case c.Own:
			reads = p.Faint("(the row bound)")
		case c.Reads == "":
			reads = p.Faint("(not read)")
		}
		table.Row(v.cells(1, c.Name, c.Type, reads, c.Kind)...)
	}
	if err := table.Print(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// withoutTypes leaves the column of types out if the database was not asked.
func (v *view) withoutTypes(headings []string, at int) []string {
	if v.Described {
		return headings
	}
	return append(append([]string{}, headings[:at]...), headings[at+1:]...)
}

func (v *view) cells(at int, texts ...string) []any {
	var cells []any
	for _, text := range v.withoutTypes(texts, at) {
		cells = append(cells, text)
	}
	return cells
}

// facts are what stands below the tables: a word, and what there is to say.
func (v *view) facts() [][2]string {
	facts := [][2]string{{"result", results[v.Result]}}
	add := func(when bool, word, text string) {
		if when {
			facts = append(facts, [2]string{word, text})
		}
	}
	add(len(v.Unused) > 0, "unused", "@"+strings.Join(v.Unused, ", @"))
	add(v.MaxRows > 0 && v.Bound != "", "row bound", fmt.Sprintf("at most %d, kept %s", v.MaxRows, v.Bound))
	add(v.MaxRows > 0 && v.Bound == "", "row bound", fmt.Sprintf("at most %d; what keeps it is known when the database described the statement", v.MaxRows))
	add(v.Limit != "", "limit", v.Limit+" ("+v.LimitFrom+")")
	add(v.Limit == "", "limit", "none ("+v.LimitFrom+")")
	add(true, "sent", v.sent())
	add(v.Server != "", "server", v.Server)
	return facts
}

var results = map[string]string{
	"NONE": "none; whatever comes back is ignored", "AFFECTED": "the number of affected rows", "SCALAR": "the first column of the first row",
	"ROW": "the first row", "ROWS": "all rows",
}

// sent says how the statement travels.
func (v *view) sent() string {
	switch {
	case v.Mode == "unprepared":
		return "unprepared: parsed at each use"
	case v.Name != "":
		return "prepared once per connection, as " + v.Name
	case v.Mode == "auto":
		return "prepared, unless the database turns out to be a pooler without prepared statements (statement_mode: auto)"
	}
	return "prepared once per connection"
}
