package terminal

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// A Table is rows under headings. Cells may be coloured.
type Table struct {
	w     io.Writer
	paint Painter
	inner table.Writer
	// numbers are the columns that are aligned to the right, from 1.
	configs []table.ColumnConfig
}

// NewTable makes a table with these headings; one that begins with ">" is aligned to the right, as
// numbers are.
func NewTable(w io.Writer, headings ...string) *Table {
	t := &Table{w: w, paint: NewPainter(w), inner: table.NewWriter()}
	header := make(table.Row, len(headings))
	for i, heading := range headings {
		align := text.AlignLeft
		if name, right := strings.CutPrefix(heading, ">"); right {
			heading, align = name, text.AlignRight
		}
		header[i] = t.paint.Bold(heading)
		t.configs = append(t.configs, table.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align})
	}
	t.inner.AppendHeader(header)
	t.inner.SetColumnConfigs(t.configs)
	style := table.StyleLight
	style.Options = table.Options{SeparateHeader: true}
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatDefault
	t.inner.SetStyle(style)
	t.inner.SuppressTrailingSpaces()
	return t
}

// Row adds a row.
func (t *Table) Row(cells ...any) {
	row := make(table.Row, len(cells))
	for i, cell := range cells {
		row[i] = fmt.Sprint(cell)
	}
	t.inner.AppendRow(row)
}

// Line draws a line under the rows so far.
func (t *Table) Line() { t.inner.AppendSeparator() }

// Print writes the table.
func (t *Table) Print() error {
	_, err := fmt.Fprintln(t.w, t.inner.Render())
	return err
}
