package demo

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mortise-storage/mortise/internal/terminal"
)

// paper prints for people: the story as it happens, then the tables.
type paper struct {
	story  io.Writer // what happens
	report io.Writer // what came of it
	err    io.Writer
	paint  terminal.Painter
	lines  *sync.Mutex
}

// newPaper tells the story on out, or on err if out is for a program.
func newPaper(out, err io.Writer, json bool) paper {
	story := out
	if json {
		story = err
	}
	return paper{story: story, report: out, err: err, paint: terminal.NewPainter(story), lines: &sync.Mutex{}}
}

// title begins a part.
func (p paper) title(text string) { fmt.Fprintf(p.story, "\n%s\n", p.paint.Bold(text)) }

// step tells what has just happened, with the time since the beginning.
func (p paper) step(since time.Time, format string, args ...any) {
	p.lines.Lock()
	defer p.lines.Unlock()
	if terminal.IsTerminal(p.err) {
		fmt.Fprint(p.err, "\r\x1b[K") // a bar may be there, which is drawn again
	}
	fmt.Fprintf(p.story, "%s  %s\n", p.paint.Faint(fmt.Sprintf("%6.1fs", time.Since(since).Seconds())), fmt.Sprintf(format, args...))
}

// progress shows how far something is, on a terminal.
func (p paper) progress(label string, total int) *terminal.Progress {
	return terminal.NewProgress(p.err, label, int64(total))
}

// conclude prints the tables and the last line.
func (p paper) conclude(r Result, logs string) error {
	var failed error
	for _, part := range []func(Result) error{p.checks, p.rows, p.workers, p.killed, p.trips, p.latencies} {
		if err := part(r); err != nil {
			failed = err
		}
	}
	if r.OK {
		fmt.Fprintf(p.report, "\n%s in %.1f s; everything that it started has ended.\n", p.paint.Green("The demo succeeded"), r.Seconds)
	} else {
		fmt.Fprintf(p.report, "\n%s after %.1f s: %s\nLogs: %s\n", p.paint.Red("The demo failed"), r.Seconds, r.Error, logs)
	}
	return failed
}

func (p paper) checks(r Result) error {
	if len(r.Checks) == 0 {
		return nil
	}
	p.title("What must hold")
	for _, check := range r.Checks {
		mark := p.paint.Green("yes")
		if !check.OK {
			mark = p.paint.Red("NO ")
		}
		fmt.Fprintf(p.report, "  %s  %s  %s\n", mark, check.Name, p.paint.Faint("("+check.Detail+")"))
	}
	return nil
}

func (p paper) rows(r Result) error {
	if len(r.Rows) == 0 {
		return nil
	}
	p.title("Rows in the operator's tables")
	table := terminal.NewTable(p.report, "table", ">rows")
	for _, name := range slices.Sorted(maps.Keys(r.Rows)) {
		table.Row(name, r.Rows[name])
	}
	return table.Print()
}

func (p paper) workers(r Result) error {
	if len(r.Workers) == 0 {
		return nil
	}
	p.title("Jobs that ended, by worker")
	table := terminal.NewTable(p.report, "worker", ">process", ">cleanup", ">not done", "")
	for _, w := range r.Workers {
		remark := ""
		if w.Killed {
			remark = "killed"
		}
		table.Row(w.Worker, w.Process, w.Cleanup, w.Failed, remark)
	}
	return table.Print()
}

func (p paper) killed(r Result) error {
	if len(r.Killed.Returned) == 0 {
		return nil
	}
	p.title("Jobs that came back after " + r.Killed.Worker + " was killed")
	table := terminal.NewTable(p.report, "job", "kind", "taken over by", ">seconds after the kill")
	for _, job := range r.Killed.Returned {
		table.Row(job.Job, job.Kind, job.By, fmt.Sprintf("%.1f", job.After))
	}
	if n := r.Killed.Unrecorded; n > 0 {
		defer fmt.Fprintf(p.report, "It left %s on disk that it had not recorded yet; nothing refers to it.\n", count(n, "file"))
	}
	return table.Print()
}

func (p paper) trips(r Result) error {
	if len(r.Trips) == 0 {
		return nil
	}
	p.title("Round trips to the database for one request")
	table := terminal.NewTable(p.report, "request", ">round trips", "the operator's queries in them")
	for _, t := range r.Trips {
		lines := t.lines()
		table.Row(t.Kind, strings.TrimSuffix(fmt.Sprintf("%.1f", t.RoundTrips), ".0"), lines[0])
		for _, line := range lines[1:] {
			table.Row("", "", line)
		}
	}
	return table.Print()
}

func (p paper) latencies(r Result) error {
	if len(r.Latencies) == 0 {
		return nil
	}
	p.title(fmt.Sprintf("How long requests took, up to %d at once on this one machine", clients))
	table := terminal.NewTable(p.report, "request", ">number", ">median", ">99 %", ">longest")
	for _, l := range r.Latencies {
		table.Row(l.Kind, l.Count, short(l.Median), short(l.P99), short(l.Max))
	}
	return table.Print()
}

// short writes milliseconds with three digits.
func short(ms float64) string {
	if ms >= 1000 {
		return fmt.Sprintf("%.3g s", ms/1000)
	}
	return fmt.Sprintf("%.3g ms", ms)
}
