package document

import (
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/mortise-storage/mortise/storage/problem"
)

// span says where the bytes of a text from offset at onwards come from, up to the next span: from
// raw onwards byte by byte or, if it is fixed, all from the one place raw, as those of an escape,
// a joined line break or a variable do.
type span struct {
	at, raw int
	fixed   bool
}

// origin looks an offset up in spans that are ordered by at and start at 0.
func origin(spans []span, offset int) int {
	i := sort.Search(len(spans), func(i int) bool { return spans[i].at > offset }) - 1
	if i < 0 {
		return offset
	}
	if spans[i].fixed {
		return spans[i].raw
	}
	return spans[i].raw + offset - spans[i].at
}

// place leads from a scalar's value back to its file: from the value to the text that YAML decoded
// (expanded), and from that to the file (spans).
type place struct {
	source   *source
	spans    []span
	expanded []span
	decoded  string
	style    yaml.Style
	// length is that of the decoded text, end the offset in the file behind its last byte.
	length, end int
	// exact tells that spans were found by following the file byte by byte. Otherwise they lead to
	// the value's beginning.
	exact bool
	// hash is the offset of the comment behind a plain scalar, 0 if there is none; ownLine tells
	// that it stands on the line below.
	hash    int
	ownLine bool
}

// Locate returns the place in the file of a byte of a scalar's Value. It is exact for literal
// blocks (|) and for what stands in the file as it stands in the value; a byte of an escape, of a
// line break that YAML turned into a space, or of a variable is placed where those begin. An
// offset outside the value counts as its nearest end.
func (n *Node) Locate(offset int) problem.Position {
	if n == nil {
		return problem.Position{}
	}
	if n.Kind != Scalar {
		return n.Position
	}
	offset = max(0, min(offset, len(n.Value)))
	if n.place.expanded != nil {
		if offset == len(n.Value) {
			return n.place.position(n.place.length)
		}
		offset = origin(n.place.expanded, offset)
	}
	return n.place.position(offset)
}

// position returns the place of a byte of the decoded text.
func (p *place) position(offset int) problem.Position {
	raw := origin(p.spans, min(offset, p.length))
	for text := p.source.text; raw > 0 && raw < len(text) && !utf8.RuneStart(text[raw]); {
		raw--
	}
	return p.source.position(raw)
}

func (p *place) line(offset int) int { return p.source.line(origin(p.spans, min(offset, p.length))) }

// placeScalar finds the text of a scalar in the file. The parser tells only where it begins, and
// what came out; the file is read again beside that, byte by byte.
func placeScalar(s *source, y *yaml.Node) place {
	start := skipProperties(s.text, s.offset(y.Line, y.Column))
	p := place{source: s, decoded: y.Value, length: len(y.Value), style: y.Style &^ yaml.TaggedStyle}
	a := aligner{text: s.text, raw: start, value: y.Value}
	switch {
	case p.style&yaml.LiteralStyle != 0:
		p.exact = a.literal()
	case p.style&yaml.FoldedStyle != 0:
		p.exact = a.folded()
	case p.style&yaml.DoubleQuotedStyle != 0:
		a.raw++
		p.exact = a.flow(a.doubleQuoted)
	case p.style&yaml.SingleQuotedStyle != 0:
		a.raw++
		p.exact = a.flow(a.singleQuoted)
	default:
		p.exact = a.flow(nil)
	}
	p.spans, p.end = a.spans, a.raw
	if !p.exact {
		p.spans, p.end = nil, start
	}
	if len(p.spans) == 0 {
		p.spans = []span{{raw: start, fixed: true}}
	}
	return p
}

// anchorOrTag matches what the parser takes for one of the two: a tag ends at white space, an anchor
// before anything that cannot be in its name.
var anchorOrTag = regexp.MustCompile(`^(?:![^ \t\r\n]*|&[0-9A-Za-z_-]*)`)

// skipProperties steps over the tag and the anchor in front of a value, and over the comments and
// line breaks that may follow them.
func skipProperties(text string, i int) int {
	for i < len(text) && (text[i] == '!' || text[i] == '&') {
		i += len(anchorOrTag.FindString(text[i:]))
		for i < len(text) && strings.ContainsRune(" \t\r\n#", rune(text[i])) {
			if text[i] == '#' {
				i = lineEnd(text, i)
			} else {
				i++
			}
		}
	}
	return i
}

// findComment looks for a comment that has, or may have, cut a plain scalar short: behind it on its
// line, or on the next line if that is indented deeper than the key. An alias's key stands further
// down than the text; what is below the text is the anchor's affair then.
func (p *place) findComment(keyLine, keyColumn int) {
	if p.style != 0 || !p.exact {
		return
	}
	text := p.source.text
	i := skipBlanks(text, p.end)
	if i < len(text) && text[i] == '#' && i > p.end {
		p.hash = i
		return
	}
	n := breakAt(text, i)
	if n == 0 {
		return
	}
	next := i + n
	hash := skipBlanks(text, next)
	if hash < len(text) && text[hash] == '#' && hash-next >= keyColumn && keyLine <= p.source.line(p.end) {
		p.hash, p.ownLine = hash, true
	}
}

func skipBlanks(text string, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t') {
		i++
	}
	return i
}

// comment returns the text of the comment behind the scalar.
func (p *place) comment() string {
	if p.hash == 0 {
		return ""
	}
	return strings.TrimRight(p.source.text[p.hash:lineEnd(p.source.text, p.hash)], " \t")
}
