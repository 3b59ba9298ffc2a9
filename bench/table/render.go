package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

var heads = []string{"method", "callers", "plain µs", "in-process µs", "plugin µs", "plain/in-process", "plain/plugin", "hop µs", "samples", "spread"}

// legend explains the columns.
var legend = []string{
	"µs: median time per iteration, all callers together; with several callers the inverse of the throughput.",
	"plain is the same SQL hand-written on pgx. plain/x: plain's time as a part of x's, 1.00 is as fast as the floor.",
	"hop: plugin minus in-process for one caller. spread: distance of the extreme samples as a part of the median, the greatest of the ways.",
	"DeletePeer, RemovePeer, GraduateLeecher, AnnounceCompleted, AnnounceStopped and DataDelete include the call that stores what they use up.",
	"WakeUp: mean time from the begin of a push until a worker that waits elsewhere, and is told by a notification, has the job.",
}

const (
	green = "\x1b[32m"
	red   = "\x1b[31m"
	bold  = "\x1b[1m"
	reset = "\x1b[0m"
)

// cells are a row's texts, in the order of heads.
func (r *row) cells() []string {
	time := func(name string) string {
		w, ok := r.Ways[name]
		if !ok {
			return "-"
		}
		return micros(w.Micros)
	}
	ratio := func(value float64) string {
		if value == 0 {
			return "-"
		}
		return fmt.Sprintf("%.2f", value)
	}
	hop := ""
	if r.Hop != nil {
		hop = micros(*r.Hop)
	}
	samples, most := r.samples()
	count := fmt.Sprint(samples)
	if most != samples {
		count = fmt.Sprintf("%d-%d", samples, most)
	}
	return []string{r.Method, fmt.Sprint(r.Callers), time(plain), time(inProcess), time(plugin), ratio(r.InProcessRatio),
		ratio(r.PluginRatio), hop, count, fmt.Sprintf("%.0f%%", 100*r.spread())}
}

// micros writes a time with three significant digits, or all before the point.
func micros(value float64) string {
	size := max(value, -value)
	switch {
	case size >= 100:
		return fmt.Sprintf("%.0f", value)
	case size >= 10:
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.2f", value)
}

// table returns the cells of the rows that compare ways, and the others as notes.
func (s *summary) table() (rows []row, notes []string) {
	for _, r := range s.Rows {
		if r.compared() {
			rows = append(rows, r)
			continue
		}
		for _, w := range r.Ways {
			notes = append(notes, fmt.Sprintf("%s, callers %d: %s µs, of which every figure above has its part.", r.Method, r.Callers, micros(w.Micros)))
		}
	}
	return rows, notes
}

func (s *summary) writeText(out io.Writer, colour bool) error {
	var text strings.Builder
	for _, c := range s.Conditions {
		fmt.Fprintf(&text, "%s: %s\n", c.Name, strings.Join(c.Values, " | "))
	}
	text.WriteByte('\n')
	rows, notes := s.table()
	lines := [][]string{heads}
	for _, r := range rows {
		lines = append(lines, r.cells())
	}
	widths := widthsOf(lines)
	for i, line := range lines {
		if i > 1 && rows[i-1].Method != rows[i-2].Method {
			text.WriteByte('\n')
		}
		for column, cell := range line {
			if column > 0 {
				text.WriteString("  ")
			}
			padded := pad(cell, widths[column], column == 0)
			if colour {
				padded = paint(padded, cell, i == 0, column)
			}
			text.WriteString(padded)
		}
		text.WriteByte('\n')
	}
	text.WriteByte('\n')
	for _, line := range append(notes, legend...) {
		text.WriteString(line + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func widthsOf(lines [][]string) []int {
	widths := make([]int, len(heads))
	for _, line := range lines {
		for column, cell := range line {
			widths[column] = max(widths[column], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

func pad(cell string, width int, left bool) string {
	space := strings.Repeat(" ", width-utf8.RuneCountInString(cell))
	if left {
		return cell + space
	}
	return space + cell
}

// paint makes heads bold, and ratios green near the floor and red at less than half its speed.
func paint(padded, cell string, head bool, column int) string {
	var ratio float64
	switch {
	case head:
		return bold + padded + reset
	case column != 5 && column != 6:
		return padded
	}
	if _, err := fmt.Sscan(cell, &ratio); err != nil {
		return padded
	}
	switch {
	case ratio >= 0.8:
		return green + padded + reset
	case ratio < 0.5:
		return red + padded + reset
	}
	return padded
}

func (s *summary) writeMarkdown(out io.Writer) error {
	var text strings.Builder
	var conditions []string
	for _, c := range s.Conditions {
		if c.Name != "pkg" {
			conditions = append(conditions, c.Name+": "+strings.Join(c.Values, ", "))
		}
	}
	text.WriteString(strings.Join(conditions, "; ") + ".\n\n")
	line := func(cells []string) { text.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(heads)
	text.WriteString("| --- |" + strings.Repeat(" ---: |", len(heads)-1) + "\n")
	rows, notes := s.table()
	for _, r := range rows {
		line(r.cells())
	}
	text.WriteByte('\n')
	for _, note := range append(notes, legend...) {
		text.WriteString("- " + note + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}
