// Package terminal is how commands show things to people: colours and tables where there is a
// terminal, plain text where output is piped or NO_COLOR is set (https://no-color.org).
//
// It knows problems, because every command shows those in the same way, and nothing else of storage.
package terminal

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/mortise-storage/mortise/storage/problem"
)

// A Painter colours text, or does not.
type Painter bool

// NewPainter colours if w is a terminal on which colours are wanted.
func NewPainter(w io.Writer) Painter { return Painter(IsTerminal(w) && os.Getenv("NO_COLOR") == "") }

// IsTerminal says whether a person looks at what is written to w: then progress may be shown on it.
func IsTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))
}

// Width is how many columns w has; 100 if it is no terminal.
func Width(w io.Writer) int {
	if file, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 100
}

func (p Painter) in(code, text string) string {
	if !p || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// The looks of text. Colours are only ever an addition: everything can be told without them.
func (p Painter) Bold(text string) string   { return p.in("1", text) }
func (p Painter) Faint(text string) string  { return p.in("2", text) }
func (p Painter) Red(text string) string    { return p.in("1;31", text) }
func (p Painter) Green(text string) string  { return p.in("32", text) }
func (p Painter) Yellow(text string) string { return p.in("33", text) }
func (p Painter) Cyan(text string) string   { return p.in("36", text) }

// Severity colours text as a problem of that severity.
func (p Painter) Severity(s problem.Severity, text string) string {
	switch s {
	case problem.Info:
		return p.Cyan(text)
	case problem.Warning:
		return p.Yellow(text)
	default:
		return p.Red(text)
	}
}
