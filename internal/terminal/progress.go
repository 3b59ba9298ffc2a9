package terminal

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// A Progress is a line that says how far long work is. It is only drawn on a terminal; elsewhere
// nothing is written, so that logs stay readable.
type Progress struct {
	mu      sync.Mutex
	w       io.Writer
	paint   Painter
	shown   bool
	label   string
	total   int64
	done    int64
	begin   time.Time
	drawn   time.Time
	columns int
}

// NewProgress begins to show work of total steps on w, which should be the error output. The total may
// be 0 for work of unknown length.
func NewProgress(w io.Writer, label string, total int64) *Progress {
	return &Progress{w: w, paint: NewPainter(w), shown: IsTerminal(w), label: label, total: total, begin: time.Now(), columns: Width(w)}
}

// Add tells that n further steps are done, and, if note is not empty, what is being done.
func (p *Progress) Add(n int64, note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	if !p.shown || time.Since(p.drawn) < 50*time.Millisecond && p.done != p.total {
		return
	}
	p.drawn = time.Now()
	fmt.Fprint(p.w, "\r\x1b[K"+p.line(note))
}

func (p *Progress) line(note string) string {
	elapsed := time.Since(p.begin)
	if p.total <= 0 {
		return clip(fmt.Sprintf("%s  %d  %s  %s", p.label, p.done, elapsed.Round(time.Second), note), p.columns-1)
	}
	share := min(float64(p.done)/float64(p.total), 1)
	const cells = 24
	full := int(share * cells)
	bar := strings.Repeat("█", full) + strings.Repeat("░", cells-full)
	left := ""
	if share > 0.02 && share < 1 {
		left = "  " + (time.Duration(float64(elapsed) * (1 - share) / share)).Round(time.Second).String() + " left"
	}
	head := fmt.Sprintf("%s  ", p.label)
	tail := clip(fmt.Sprintf("  %3.0f%%  %d/%d%s  %s", 100*share, p.done, p.total, left, note), max(0, p.columns-len(head)-cells-1))
	return head + p.paint.Cyan(bar) + tail
}

func clip(text string, columns int) string {
	runes := []rune(text)
	if len(runes) <= columns {
		return text
	}
	return string(runes[:max(columns, 0)])
}

// End takes the line away.
func (p *Progress) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}
