package document

import (
	"strings"
	"unicode/utf8"
)

// aligner walks through a scalar's text in the file (raw) and its decoded value (at) side by side.
type aligner struct {
	text  string
	raw   int
	value string
	at    int
	spans []span
}

// same takes n bytes that stand in the file as in the value.
func (a *aligner) same(n int) {
	if k := len(a.spans); k == 0 || a.spans[k-1].fixed || a.spans[k-1].raw+a.at-a.spans[k-1].at != a.raw {
		a.spans = append(a.spans, span{at: a.at, raw: a.raw})
	}
	a.at += n
	a.raw += n
}

// replaced takes n bytes of the value for length bytes of the file.
func (a *aligner) replaced(n, length int) {
	if n > 0 {
		a.spans = append(a.spans, span{at: a.at, raw: a.raw, fixed: true})
	}
	a.at += n
	a.raw += length
}

// finish ends the spans at a.raw, so that the end of the value has a place.
func (a *aligner) finish() bool {
	a.spans = append(a.spans, span{at: a.at, raw: a.raw, fixed: true})
	return a.at == len(a.value)
}

// flow aligns plain and quoted scalars; special takes what their style does not write literally
// and tells if there was such a thing.
func (a *aligner) flow(special func() bool) bool {
	for a.at < len(a.value) {
		switch {
		case a.raw >= len(a.text):
			return false
		case special != nil && special():
		case a.foldBreaks():
		case a.text[a.raw] == a.value[a.at]:
			a.same(1)
		default:
			return false
		}
		if a.at > len(a.value) {
			return false
		}
	}
	return a.finish()
}

// foldBreaks takes line breaks with the blanks around them: one is a space, n are n-1 line breaks
// (YAML 1.2.2 section 6.5).
func (a *aligner) foldBreaks() bool {
	end := skipBlanks(a.text, a.raw)
	if breakAt(a.text, end) == 0 {
		return false
	}
	end, breaks := skipBreaks(a.text, end)
	a.replaced(max(1, breaks-1), end-a.raw)
	return true
}

// skipBreaks steps over line breaks and the blanks that follow them.
func skipBreaks(text string, i int) (end, breaks int) {
	for n := breakAt(text, i); n > 0; n = breakAt(text, i) {
		i = skipBlanks(text, i+n)
		breaks++
	}
	return i, breaks
}

func (a *aligner) singleQuoted() bool {
	if strings.HasPrefix(a.text[a.raw:], "''") {
		a.replaced(1, 2)
		return true
	}
	return false
}

// doubleQuoted takes an escape: always one character of the value, except for a line break, which
// vanishes.
func (a *aligner) doubleQuoted() bool {
	if a.text[a.raw] != '\\' || a.raw+1 >= len(a.text) {
		return false
	}
	if breakAt(a.text, a.raw+1) > 0 {
		end, breaks := skipBreaks(a.text, a.raw+1)
		a.replaced(breaks-1, end-a.raw)
		return true
	}
	length := 2
	switch a.text[a.raw+1] {
	case 'x':
		length = 4
	case 'u':
		length = 6
	case 'U':
		length = 10
	}
	_, size := utf8.DecodeRuneInString(a.value[a.at:])
	a.replaced(size, length)
	return true
}

// literal aligns a | block: each line of the value is a line of the file without its indentation.
func (a *aligner) literal() bool {
	a.skipHeader()
	indent := blockIndent(a.text[a.raw:], a.value)
	for a.at < len(a.value) {
		a.raw += min(indent, leadingSpaces(a.text[a.raw:]))
		end := lineEnd(a.text, a.raw)
		line, _, broken := strings.Cut(a.value[a.at:], "\n")
		if line != a.text[a.raw:end] {
			return false
		}
		a.same(len(line))
		if !broken {
			break
		}
		if a.at == len(a.value)-1 {
			// The end of the value is the end of its last line, not the beginning of the next,
			// which belongs to another key.
			a.replaced(1, 0)
			break
		}
		a.replaced(1, breakAt(a.text, a.raw))
	}
	return a.finish()
}

// folded aligns a > block: the lines of the file follow each other in the value, joined by spaces
// or line breaks.
func (a *aligner) folded() bool {
	a.skipHeader()
	indent := blockIndent(a.text[a.raw:], a.value)
	for a.at < len(a.value) && strings.Trim(a.value[a.at:], " \t\n") != "" {
		if a.raw >= len(a.text) {
			return false
		}
		end := lineEnd(a.text, a.raw)
		a.raw += min(indent, leadingSpaces(a.text[a.raw:]))
		line := a.text[a.raw:end]
		if strings.Trim(line, " \t") != "" {
			skip := strings.Index(a.value[a.at:], line)
			if skip < 0 || strings.Trim(a.value[a.at:a.at+skip], " \t\n") != "" {
				return false
			}
			a.replaced(skip, 0)
			a.same(len(line))
		}
		if strings.Trim(a.value[a.at:], " \t\n") != "" {
			a.raw = end + breakAt(a.text, end)
		}
	}
	a.replaced(len(a.value)-a.at, 0)
	return a.finish()
}

// skipHeader steps over the line with the | or >.
func (a *aligner) skipHeader() {
	a.raw = lineEnd(a.text, a.raw)
	a.raw += breakAt(a.text, a.raw)
}

// blockIndent finds how far a block is indented by comparing the first line that has more than
// spaces, in the file and in the value; so it needs no rule for indentation indicators.
func blockIndent(block, value string) int {
	inFile, ok := firstIndent(block)
	inValue, same := firstIndent(value)
	if ok && same {
		return max(0, inFile-inValue)
	}
	for i := 0; value != ""; {
		line, rest, _ := strings.Cut(value, "\n")
		if line != "" {
			return max(0, leadingSpaces(block[i:])-len(line))
		}
		value = rest
		i = lineEnd(block, i)
		i += breakAt(block, i)
	}
	return len(block) // there are only line breaks, so all spaces are indentation
}

func firstIndent(text string) (spaces int, ok bool) {
	for i := 0; i < len(text); {
		spaces, end := leadingSpaces(text[i:]), lineEnd(text, i)
		if i+spaces < end {
			return spaces, true
		}
		i = end + breakAt(text, end)
	}
	return 0, false
}

func leadingSpaces(text string) int { return len(text) - len(strings.TrimLeft(text, " ")) }
