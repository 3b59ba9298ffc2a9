package terminal

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/mortise-storage/mortise/storage/problem"
)

// onTerminal runs work on a terminal of 80 columns and returns what appeared on it.
func onTerminal(t *testing.T, work func(w *os.File)) string {
	t.Helper()
	t.Setenv("TERM", "xterm")
	screen, keyboard, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(keyboard, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	shown := make(chan string)
	go func() {
		text, _ := io.ReadAll(screen) // ends with an error when the other side is closed
		shown <- string(text)
	}()
	work(keyboard)
	if err := keyboard.Close(); err != nil {
		t.Fatal(err)
	}
	text := <-shown
	_ = screen.Close()
	return text
}

func TestPainter(t *testing.T) {
	var colours, none, dumb Painter
	width := 0
	onTerminal(t, func(w *os.File) {
		colours, width = NewPainter(w), Width(w)
		t.Setenv("NO_COLOR", "1")
		none = NewPainter(w)
		if !IsTerminal(w) {
			t.Error("NO_COLOR does not make it less of a terminal")
		}
		t.Setenv("NO_COLOR", "")
		t.Setenv("TERM", "dumb")
		dumb = NewPainter(w)
	})
	if !colours || none || dumb || NewPainter(io.Discard) || width != 80 {
		t.Errorf("colours %v, with NO_COLOR %v, dumb %v, piped %v, width %d", colours, none, dumb, NewPainter(io.Discard), width)
	}
	for severity, code := range map[problem.Severity]string{problem.Info: "36", problem.Warning: "33", problem.Error: "1;31"} {
		if got := Painter(true).Severity(severity, "x"); got != "\x1b["+code+"mx\x1b[0m" {
			t.Errorf("%s: %q", severity, got)
		}
		if got := Painter(false).Severity(severity, "x"); got != "x" {
			t.Errorf("%s without colours: %q", severity, got)
		}
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	table := NewTable(&out, "operation", ">calls")
	table.Row("tracker.peer.add_query", 7)
	table.Row("größe", 1234)
	table.Line()
	table.Row("sum", 1241)
	if err := table.Print(); err != nil {
		t.Fatal(err)
	}
	want := "operation               calls\n" +
		"───────────────────────────────\n" +
		"tracker.peer.add_query      7\n" +
		"größe                    1234\n" +
		"───────────────────────────────\n" +
		"sum                      1241\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nexpected\n%s", got, want)
	}
}

func TestTableOnTerminal(t *testing.T) {
	text := onTerminal(t, func(w *os.File) {
		table := NewTable(w, "a", "b")
		table.Row(Painter(true).Red("wrong"), "x")
		table.Row("right", "y")
		if err := table.Print(); err != nil {
			t.Error(err)
		}
	})
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if len(lines) < 4 || !strings.Contains(lines[0], "\x1b[1ma\x1b[0m") || !strings.Contains(lines[2], "\x1b[1;31mwrong\x1b[0m  x") || !strings.HasPrefix(lines[3], "right  y") {
		t.Errorf("got %q", lines)
	}
}

func TestProgressIsForPeople(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out, "filling", 10)
	p.Add(10, "peers")
	p.End()
	if out.Len() != 0 {
		t.Errorf("piped, it wrote %q", out.String())
	}
	text := onTerminal(t, func(w *os.File) {
		p := NewProgress(w, "filling", 4)
		p.Add(1, "peers")
		p.Add(3, strings.Repeat("long ", 40))
		p.End()
		p.Add(1, "after the end")
	})
	if !strings.Contains(text, "25%  1/4") || !strings.Contains(text, "100%  4/4") || !strings.HasSuffix(text, "\r\x1b[K") || strings.Contains(text, "after") {
		t.Errorf("on a terminal: %q", text)
	}
	for _, line := range strings.Split(text, "\r") {
		plain := strings.NewReplacer("\x1b[K", "", "\x1b[36m", "", "\x1b[0m", "").Replace(line)
		if n := len([]rune(plain)); n >= 80 {
			t.Errorf("a line of %d columns wraps: %q", n, plain)
		}
	}
}

func TestProgressOfUnknownLength(t *testing.T) {
	text := onTerminal(t, func(w *os.File) {
		p := NewProgress(w, "cases", 0)
		p.Add(3, "peer.add")
		p.End()
	})
	if !strings.Contains(text, "cases  3  0s  peer.add") {
		t.Errorf("on a terminal: %q", text)
	}
}
