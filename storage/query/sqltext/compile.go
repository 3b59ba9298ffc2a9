package sqltext

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Style says how a query names its parameters.
type Style uint8

// The styles. A query without parameters has None.
const (
	None Style = iota
	Named
	Positional
)

// String returns the style in lower case.
func (s Style) String() string {
	switch s {
	case Named:
		return "named"
	case Positional:
		return "positional"
	default:
		return "none"
	}
}

// Compiled is an operator's text in the form in which it is sent.
type Compiled struct {
	// Text is one statement with the parameters $1, $2, ... and no gaps between them. What was behind
	// the statement (semicolons, spaces, comments) is cut off; all else is as the operator wrote it.
	Text string
	// Args has the index of the declared parameter that $1, $2, ... stand for. Names are numbered by
	// their first appearance, positions in rising order.
	Args []int
	// Style is how the source names its parameters.
	Style Style
	// Command is the first keyword in upper case: SELECT, INSERT, WITH, CALL, ... It is empty if the
	// statement does not start with a word.
	Command string
	// SingleRowInsert tells that the statement is an INSERT that can touch at most one row of its
	// table, whatever its arguments are. False means that the text alone does not prove it.
	SingleRowInsert bool
	// HasReturning tells that the statement itself has a RETURNING clause.
	HasReturning bool

	pieces    []piece // by rising offset; the last one is the end of the text
	sourceEnd int     // offset in the source at which the text was cut
}

// piece is a part of the text. Up to the next piece, offsets in text and source go side by side, or
// all of them belong to the one offset at which a parameter starts.
type piece struct {
	text, source int
	replaced     bool
}

// Compile reads a query of an operation that declares the given parameters, in the contract's order.
// The result is nil if a finding is an error. Findings are in the order of the text. All that can be
// found at once is found at once: a text with characters that must not be there is not looked at any
// further, and unused parameters are not reported where another parameter is wrong, because one is
// most often the reason of the other.
func Compile(source string, declared []Parameter) (*Compiled, []Finding) {
	if found := checkCharacters(source); found != nil {
		return nil, found
	}
	tokens, err := Tokenize(source)
	r := resolve(source, tokens, declared)
	found := r.found
	if open := (*SyntaxError)(nil); errors.As(err, &open) {
		found.error(RuleUnterminated, open.Offset, fmt.Sprintf("the %s that starts here is never closed", open.What), "close it")
		return nil, found.sorted()
	}
	s, wrong := checkStatement(source, r.out)
	if len(found) == 0 && s.tokens != nil {
		wrong = append(wrong, r.unused(s.tokens[0].Start)...)
	}
	found = append(found, wrong...)
	if found.fatal() {
		return nil, found.sorted()
	}
	c := &Compiled{
		Command:         firstKeyword(source, s.tokens),
		SingleRowInsert: singleRowInsert(source, s.tokens),
		HasReturning:    hasReturning(source, s.tokens),
		sourceEnd:       s.end,
	}
	c.render(r, s.start)
	return c, found.sorted()
}

// unused warns of identity parameters that the statement at offset does not use.
func (r *resolver) unused(offset int) findings {
	used := make([]bool, len(r.declared))
	positional := false
	for _, use := range r.uses {
		used[use.parameter] = true
		positional = !use.named
	}
	var found findings
	for i, p := range r.declared {
		if !p.Identity || used[i] {
			continue
		}
		write := "@" + p.Name
		if positional {
			write = "$" + strconv.Itoa(i+1)
		}
		found.warning(RuleUnusedIdentity, offset,
			fmt.Sprintf("the parameter %s, which chooses the rows that are meant, is not used", p.Name),
			fmt.Sprintf("use it as %s; without it the query may touch or return rows of others", write))
	}
	return found
}

// render writes the text from the source offset start up to sourceEnd with ordinals for parameters.
func (c *Compiled) render(r *resolver, start int) {
	ordinals := c.number(r.uses)
	var b strings.Builder
	copied := start
	c.pieces = []piece{{text: 0, source: start}}
	for _, use := range r.uses {
		t := r.out[use.token]
		b.WriteString(r.source[copied:t.Start])
		c.pieces = append(c.pieces, piece{text: b.Len(), source: t.Start, replaced: true})
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(ordinals[use.parameter]))
		c.pieces = append(c.pieces, piece{text: b.Len(), source: t.End})
		copied = t.End
	}
	b.WriteString(r.source[copied:c.sourceEnd])
	c.Text = b.String()
}

// number sets Args and Style, and returns the ordinal of each parameter that is used.
func (c *Compiled) number(uses []reference) map[int]int {
	ordinals := make(map[int]int)
	for _, use := range uses {
		if _, seen := ordinals[use.parameter]; !seen {
			ordinals[use.parameter] = 0
			c.Args = append(c.Args, use.parameter)
		}
		c.Style = Positional
		if use.named {
			c.Style = Named
		}
	}
	if c.Style == Positional {
		sort.Ints(c.Args)
	}
	for i, parameter := range c.Args {
		ordinals[parameter] = i + 1
	}
	return ordinals
}
