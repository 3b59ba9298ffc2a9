package document

import (
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/mortise-storage/mortise/storage/problem"
)

const byteOrderMark = "\ufeff"

// source is a file's text with an index of its lines.
type source struct {
	file string
	text string
	// starts are the offsets of the first byte of each line; the first is 0.
	starts []int
	// near is what offset was last asked for. The parser's values come in order, so that a long
	// line is not read from its beginning for each.
	near struct{ line, column, offset int }
}

func newSource(file, text string) *source {
	s := &source{file: file, text: text, starts: []int{0}}
	for i := 0; i < len(text); {
		if n := breakAt(text, i); n > 0 {
			i += n
			s.starts = append(s.starts, i)
		} else {
			i++
		}
	}
	return s
}

// breakAt returns the length of the line break at offset i, or 0. Line breaks are those of YAML
// 1.2.2 section 5.4: LF, CR LF and CR.
func breakAt(text string, i int) int {
	switch {
	case i >= len(text):
		return 0
	case text[i] == '\n':
		return 1
	case text[i] != '\r':
		return 0
	case i+1 < len(text) && text[i+1] == '\n':
		return 2
	default:
		return 1
	}
}

// position returns the place of a byte; offsets outside the text count as its nearest end.
func (s *source) position(offset int) problem.Position {
	offset = max(0, min(offset, len(s.text)))
	line := sort.SearchInts(s.starts, offset+1)
	column := utf8.RuneCountInString(s.text[s.starts[line-1]:offset]) + 1
	return problem.Position{File: s.file, Line: line, Column: column}
}

// line returns the number of the line that holds the byte at offset.
func (s *source) line(offset int) int { return sort.SearchInts(s.starts, offset+1) }

// offset is the reverse of position; a column behind the line's end counts as its end.
func (s *source) offset(line, column int) int {
	line = max(1, min(line, len(s.starts)))
	i, c := s.starts[line-1], 1
	if s.near.line == line && s.near.column <= column {
		i, c = s.near.offset, s.near.column
	}
	for ; c < column && i < len(s.text) && breakAt(s.text, i) == 0; c++ {
		_, size := utf8.DecodeRuneInString(s.text[i:])
		i += size
	}
	s.near.line, s.near.column, s.near.offset = line, c, i
	return i
}

// clamp moves a place behind the text or its line, where the parser may put a missing value, into
// the text.
func (s *source) clamp(line, column int) (int, int) {
	s.offset(line, column)
	return s.near.line, s.near.column
}

// lineText returns a line without its break.
func (s *source) lineText(line int) string {
	if line < 1 || line > len(s.starts) {
		return ""
	}
	start := s.starts[line-1]
	return s.text[start:lineEnd(s.text, start)]
}

// lineEnd returns the offset of the next line break, or of the end of the text.
func lineEnd(text string, from int) int {
	if i := strings.IndexAny(text[from:], "\r\n"); i >= 0 {
		return from + i
	}
	return len(text)
}

// checkFile finds what makes a YAML file unfit to be parsed.
func (s *source) checkFile() problem.List {
	whole := problem.Problem{Severity: problem.Error, Position: problem.Position{File: s.file}}
	switch {
	case len(s.text) > maxFileBytes:
		whole.Rule, whole.Message = "file", "the file is larger than 1 MiB"
	case strings.HasPrefix(s.text, "\xff\xfe") || strings.HasPrefix(s.text, "\xfe\xff"):
		whole.Rule, whole.Message = "encoding", "the file is in UTF-16"
		whole.Fix = "save it as UTF-8"
	case strings.TrimSpace(s.text) == "":
		whole.Rule, whole.Message = "empty-file", "the file is empty"
	default:
		return s.checkText(true)
	}
	return problem.List{whole}
}

// checkText reports the first of each kind of character that a query must not hold: the driver
// cuts a statement where UTF-8 is broken, PostgreSQL has no NUL in texts, and U+FFFD is what is left
// of a character that some program could not read. A YAML file must not hold other control
// characters either, nor those that YAML 1.1 takes for line breaks and 1.2 for text.
func (s *source) checkText(yaml bool) problem.List {
	var found problem.List
	reported := map[string]bool{}
	for i := 0; i < len(s.text); {
		r, size := utf8.DecodeRuneInString(s.text[i:])
		if p := badRune(r, size, yaml); p.Rule != "" && !reported[p.Message] {
			reported[p.Message] = true
			p.Position = s.position(i)
			found = append(found, p)
		}
		i += size
	}
	return found
}

func badRune(r rune, size int, yaml bool) problem.Problem {
	p := problem.Problem{Severity: problem.Error}
	switch {
	case r == utf8.RuneError && size == 1:
		p.Rule, p.Message, p.Fix = "encoding", "this is not valid UTF-8", "save the file as UTF-8"
	case r == utf8.RuneError:
		p.Rule, p.Message = "encoding", "there is a replacement character (U+FFFD) here, left by a program that could not read the original one"
		p.Fix = "write the character that was meant"
	case r == 0:
		p.Rule, p.Message, p.Fix = "control-character", "there is a NUL character here", "remove it"
	case !yaml:
	case r == '\u0085' || r == '\u2028' || r == '\u2029':
		p.Rule, p.Message = "control-character", "there is an invisible line separator (U+0085, U+2028 or U+2029) here"
		p.Fix = "use an ordinary line break, or an escape such as \"\\u2028\" in double quotes"
	case r < ' ' && r != '\t' && r != '\n' && r != '\r', r >= 0x7f && r < 0xa0, r == 0xfffe, r == 0xffff:
		p.Rule, p.Message, p.Fix = "control-character", "there is a control character here", "remove it"
	}
	return p
}
