package sqltext

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// LineColumn returns the place of a byte offset: lines and columns count from 1, columns in
// characters. An offset outside of the source is taken as its nearest end.
func LineColumn(source string, offset int) (line, column int) {
	before := source[:max(0, min(offset, len(source)))]
	line = 1 + strings.Count(before, "\n")
	column = 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return line, column
}

// Origin returns the byte offset in the source of a byte offset in Text. Offsets inside of an
// ordinal belong to the start of the parameter as the operator wrote it; those outside of Text to the
// nearest end.
func (c *Compiled) Origin(textOffset int) int {
	offset := max(0, min(textOffset, len(c.Text)))
	i := sort.Search(len(c.pieces), func(i int) bool { return c.pieces[i].text > offset }) - 1
	p := c.pieces[i]
	if p.replaced {
		return p.source
	}
	return p.source + offset - p.text
}

// SourceOffset returns the byte offset in the source of a position that the server reported for Text.
// The server counts characters from 1, and reports the position behind the last one for an error at the
// end. Positions outside of that are not ok; a caller that sends more than Text must subtract first.
func (c *Compiled) SourceOffset(serverPosition int) (offset int, ok bool) {
	if serverPosition < 1 {
		return 0, false
	}
	characters := 1
	for i := range c.Text {
		if characters == serverPosition {
			return c.Origin(i), true
		}
		characters++
	}
	if characters == serverPosition {
		return c.Origin(len(c.Text)), true
	}
	return 0, false
}
