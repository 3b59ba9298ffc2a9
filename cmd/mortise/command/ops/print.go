package ops

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/operation"
)

// printJSON prints the entries, for programs.
func printJSON(w io.Writer, c *catalogue, entries []*entry) error {
	document := map[string]any{"operations": entries}
	if c.file != nil {
		document["file"] = c.file.Config.File
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}

// printTable lists entries, a table for each section.
func printTable(w io.Writer, c *catalogue, entries []*entry) error {
	p := terminal.NewPainter(w)
	for _, section := range c.contract.Sections() {
		own := slices.DeleteFunc(slices.Clone(entries), func(e *entry) bool { return e.Section != section.Name })
		if len(own) == 0 {
			continue
		}
		fmt.Fprintln(w, p.Bold(p.Cyan(section.Name))+p.Faint(profiles(section)))
		if err := printSection(w, p, c, own); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	legend := "(method): hosts do not call it; +n: so many parameters that a call may lack; required*: unless another query is there."
	_, err := fmt.Fprintln(w, p.Faint(wrap(legend, min(terminal.Width(w), 120))+"\nWhat one must do: mortise ops KEY"))
	return err
}

// profiles says which groups a section must have.
func profiles(section *operation.Section) string {
	var texts []string
	for _, groups := range section.Profiles {
		texts = append(texts, strings.Join(groups, " and "))
	}
	if len(texts) == 0 {
		return ""
	}
	return "  needs the groups " + strings.Join(texts, ", or ")
}

// headings of the table, and the order in which columns are left out of one that a terminal is too narrow for.
var (
	headings  = []string{"key", "method", "result", "parameters", "need", "heat"}
	droppable = []int{1, 3, 5}
)

func printSection(w io.Writer, p terminal.Painter, c *catalogue, entries []*entry) error {
	head := slices.Clone(headings)
	if c.file != nil {
		head = append(head, "in "+filepath.Base(c.file.Config.File))
	}
	shown := fitting(w, head, entries)
	table := terminal.NewTable(w, pick(head, shown)...)
	for _, e := range entries {
		var cells []any
		for _, cell := range pick(e.cells(p), shown) {
			cells = append(cells, cell)
		}
		table.Row(cells...)
	}
	return table.Print()
}

// fitting chooses the columns that a terminal has room for. What is piped has all.
func fitting(w io.Writer, head []string, entries []*entry) []int {
	widths := make([]int, len(head))
	for i, text := range head {
		widths[i] = utf8.RuneCountInString(text)
	}
	for _, e := range entries {
		for i, text := range e.cells(terminal.Painter(false)) {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	shown := make([]int, len(head))
	total := 0
	for i, width := range widths {
		shown[i] = i
		total += width + 2 // what stands between columns
	}
	for _, i := range droppable {
		if !terminal.IsTerminal(w) || total <= terminal.Width(w) {
			break
		}
		shown = slices.DeleteFunc(shown, func(one int) bool { return one == i })
		total -= widths[i] + 2
	}
	return shown
}

func pick(texts []string, shown []int) []string {
	picked := make([]string, len(shown))
	for i, from := range shown {
		picked[i] = texts[from]
	}
	return picked
}

// cells are the entry's in the order of the headings.
func (e *entry) cells(p terminal.Painter) []string {
	cells := []string{e.Key, e.shortMethod(p), strings.ToLower(e.Result), e.shortParameters(p), e.need(), strings.ToLower(e.Heat)}
	if e.State != "" {
		cells = append(cells, e.where(p))
	}
	return cells
}

// shortMethod is service and method; those that hosts cannot call are shown faintly.
func (e *entry) shortMethod(p terminal.Painter) string {
	service, method, _ := strings.Cut(e.Method, "/")
	name := service[strings.LastIndexByte(service, '.')+1:] + "." + method
	if e.Internal {
		return p.Faint("(" + name + ")")
	}
	return name
}

// shortParameters names the parameters that a call always has, and counts the others.
func (e *entry) shortParameters(p terminal.Painter) string {
	var names []string
	others := 0
	for _, one := range e.Parameters {
		if one.Optional || one.Derived != "" {
			others++
			continue
		}
		names = append(names, one.Name)
	}
	line := strings.Join(names, " ")
	if others > 0 {
		line = strings.TrimSpace(line + " " + p.Faint(fmt.Sprintf("+%d", others)))
	}
	return line
}

func (e *entry) need() string {
	switch {
	case e.Default != "":
		return "has default"
	case len(e.Unless) > 0:
		return "required*"
	}
	return strings.ToLower(e.Need)
}

// where says how the operator's file stands to the operation.
func (e *entry) where(p terminal.Painter) string {
	switch e.State {
	case stateConfigured:
		return p.Green(fmt.Sprintf("line %d", e.Place.Line))
	case stateBroken:
		return p.Red(fmt.Sprintf("line %d, has mistakes", e.Place.Line))
	case stateMissing:
		return p.Red(e.State)
	}
	return p.Faint(e.State)
}
