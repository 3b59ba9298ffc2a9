package swarmdemo

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A paper prints for a person: colour only where somebody looks.
type paper struct {
	out    io.Writer
	colour bool
}

func newPaper(out io.Writer) paper {
	file, ok := out.(*os.File)
	if !ok {
		return paper{out, false}
	}
	info, err := file.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return paper{out, terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

const (
	bold  = "\x1b[1m"
	green = "\x1b[32m"
	red   = "\x1b[31m"
	plain = "\x1b[0m"
)

func (p paper) paint(colour, text string) string {
	if !p.colour {
		return text
	}
	return colour + text + plain
}

// title begins a part of the report.
func (p paper) title(format string, args ...any) {
	fmt.Fprintf(p.out, "\n%s\n", p.paint(bold, fmt.Sprintf(format, args...)))
}

// step tells what has just happened, with the time since the beginning.
func (p paper) step(since time.Time, format string, args ...any) {
	fmt.Fprintf(p.out, "%6.1fs  %s\n", time.Since(since).Seconds(), fmt.Sprintf(format, args...))
}

// table prints rows under their headings, columns aligned; those of numbers to the right.
func (p paper) table(heads []string, right map[int]bool, rows [][]string) {
	widths := make([]int, len(heads))
	for _, cells := range append([][]string{heads}, rows...) {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	line := func(cells []string) string {
		var b strings.Builder
		for i, cell := range cells {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if right[i] {
				b.WriteString("  " + space + cell)
			} else {
				b.WriteString("  " + cell + space)
			}
		}
		return strings.TrimRight(b.String(), " ")
	}
	fmt.Fprintln(p.out, p.paint(bold, line(heads)))
	for _, cells := range rows {
		fmt.Fprintln(p.out, line(cells))
	}
}

// swarm prints who took part and where each got the file from.
func (p paper) swarm(members []*member) {
	names := map[string]string{}
	for _, m := range members {
		names[m.address.String()] = m.name
	}
	var rows [][]string
	for _, m := range members {
		took, check, from := "-", "-", "-"
		if !m.seed {
			took, from = fmt.Sprintf("%.1f", m.took.Seconds()), sources(m.sources, names)
		}
		if m.verified {
			check = "same"
		}
		rows = append(rows, []string{
			m.name, m.program.title(), m.protocol, m.role, m.address.String(), took, check, from,
		})
	}
	p.table([]string{"who", "client", "tracker by", "joined as", "address", "seconds", "SHA-256", "data from"}, map[int]bool{5: true}, rows)
}

// sources names the peers that data came from, the biggest first.
func sources(from map[string]int64, names map[string]string) string {
	addresses := slices.SortedFunc(maps.Keys(from), func(a, b string) int {
		return cmp.Or(cmp.Compare(from[b], from[a]), cmp.Compare(names[a], names[b]))
	})
	var parts []string
	for _, address := range addresses {
		name := cmp.Or(names[address], address)
		if from[address] > 0 {
			name = fmt.Sprintf("%s (%.1f MiB)", name, float64(from[address])/(1<<20))
		}
		parts = append(parts, name)
	}
	return cmp.Or(strings.Join(parts, ", "), "not told")
}

// rows prints what the table of peers holds.
func (p paper) rows(rows []row, members []*member) {
	if len(rows) == 0 {
		fmt.Fprintln(p.out, "  (no rows)")
		return
	}
	var cells [][]string
	for _, r := range rows {
		cells = append(cells, []string{
			printable(r.PeerID), r.Address.String(), fmt.Sprint(r.Port), fmt.Sprint(r.Seeder),
			fmt.Sprintf("%.1f", r.Age), owner(r, members),
		})
	}
	p.table([]string{"peer_id", "address", "port", "is_seeder", "age in s", "that is"}, map[int]bool{2: true, 4: true}, cells)
}

// owner names the member that a row stands for.
func owner(r row, members []*member) string {
	for _, m := range members {
		if m.holds(r) {
			return m.name
		}
	}
	return "nobody of this demo"
}

// operations prints what the plugin did.
func (p paper) operations(all []operation) {
	var cells [][]string
	for _, o := range all {
		sign := "<= "
		if o.unbounded {
			sign = "> "
		}
		cells = append(cells, []string{o.name, fmt.Sprint(o.calls), short(o.mean), "<= " + short(o.p50), sign + short(o.p99)})
	}
	p.table([]string{"operation", "calls", "mean", "median", "99 %"}, map[int]bool{1: true, 2: true, 3: true, 4: true}, cells)
}

// short writes a duration with three digits, in milliseconds.
func short(d time.Duration) string {
	return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond))
}

// printable shows a peer id as people know it: its first bytes name the client (BEP 20).
func printable(id []byte) string {
	var b strings.Builder
	for _, c := range id {
		if c <= ' ' || c > '~' {
			c = '.'
		}
		b.WriteByte(c)
	}
	return b.String()
}
