package terminal

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/mortise-storage/mortise/storage/problem"
)

// Excerpts shows places in files: the line, and a caret under the column. It reads each file once.
type Excerpts struct {
	files map[string][]string
}

// Excerpt returns the line and the caret line of a place, with the line's number in front; "" if the
// place is unknown or the file cannot be read. Tabs are shown as one column, as columns count them.
// A password in a connection string is never shown.
func (e *Excerpts) Excerpt(at problem.Position, p Painter) string {
	lines := e.lines(at.File)
	if at.Line < 1 || at.Line > len(lines) || at.Column < 1 {
		return ""
	}
	line := strings.ReplaceAll(lines[at.Line-1], "\t", " ")
	if !utf8.ValidString(line) {
		return ""
	}
	margin := fmt.Sprintf("%5d | ", at.Line)
	shown, column := window([]rune(hideSecrets(line)), at.Column-1)
	caret := strings.Repeat(" ", len(margin)+column) + "^"
	return p.Faint(margin) + shown + "\n" + p.Red(caret)
}

// secrets are where a line of a file can hold a password: behind the user in a URL, and behind a
// keyword in a DSN or in a URL's query.
var secrets = []*regexp.Regexp{
	regexp.MustCompile(`(://[^:@/\s]*:)\S*(@)`),
	regexp.MustCompile(`(?i)(passw(?:or)?d['"]?\s*[=:]\s*)(?:'(?:[^'\\]|\\.|'')*'|"[^"]*"|[^\s&'"]+)()`),
}

func hideSecrets(line string) string {
	for _, secret := range secrets {
		line = secret.ReplaceAllString(line, "${1}***${2}")
	}
	return line
}

// window cuts a long line down to the part around a column; it returns the column's place in that.
func window(line []rune, column int) (string, int) {
	const most, before = 100, 60
	if len(line) <= most {
		return string(line), min(column, len(line))
	}
	start := 0
	if column > most-20 {
		start = min(column-before, len(line)-most)
	}
	part, shift := string(line[start:min(start+most, len(line))]), column-start
	if start > 0 {
		part, shift = "…"+part, shift+1
	}
	if start+most < len(line) {
		part += "…"
	}
	return part, min(shift, utf8.RuneCountInString(part))
}

func (e *Excerpts) lines(file string) []string {
	if e.files == nil {
		e.files = map[string][]string{}
	}
	lines, known := e.files[file]
	if !known && file != "" {
		if text, err := os.ReadFile(file); err == nil {
			lines = strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
		}
		e.files[file] = lines
	}
	return lines
}
