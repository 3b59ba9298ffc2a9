package mutation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

// A token is one that means something to the server, with its place among the brackets. CASE and END
// count as brackets, since what is between them has clauses of its own.
type token struct {
	sqltext.Token
	text string
	// word is an unquoted name or keyword in upper case; empty if it is another token, or a name behind
	// a dot.
	word string
	// parameter is what a parameter stands for, or nil.
	parameter *operation.Parameter
	// partner is the index of the bracket that belongs to this one; -1 if this is none.
	partner int
}

// A text is an operator's query as the mutation operators see it.
type text struct {
	sql    string
	tokens []token
}

// read splits a query that compiles into tokens.
func read(sql string, op *operation.Operation) (*text, error) {
	all, err := sqltext.Tokenize(sql)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", op.Key, err)
	}
	t := &text{sql: sql}
	for i := 0; i < len(all); i++ {
		one := all[i]
		if !one.Means() {
			continue
		}
		// The statement compiles, so a declared name behind an @ is the parameter and nothing else.
		if one.Kind == sqltext.Operator && sql[one.End-1] == '@' && i+1 < len(all) && all[i+1].Kind == sqltext.Identifier {
			if p := op.Parameter(all[i+1].Text(sql)); p != nil {
				if one.End-one.Start > 1 {
					t.add(sqltext.Token{Kind: sqltext.Operator, Start: one.Start, End: one.End - 1}, nil)
				}
				t.add(sqltext.Token{Kind: sqltext.Position, Start: one.End - 1, End: all[i+1].End}, p)
				i++
				continue
			}
		}
		t.add(one, positional(one, sql, op))
	}
	t.pair()
	return t, nil
}

// positional returns the parameter that $n stands for.
func positional(one sqltext.Token, sql string, op *operation.Operation) *operation.Parameter {
	if one.Kind != sqltext.Position {
		return nil
	}
	for _, p := range op.Parameters {
		if one.Text(sql) == fmt.Sprintf("$%d", p.Index+1) {
			return p
		}
	}
	return nil
}

func (t *text) add(one sqltext.Token, p *operation.Parameter) {
	added := token{Token: one, text: one.Text(t.sql), parameter: p, partner: -1}
	if one.Kind == sqltext.Identifier && (len(t.tokens) == 0 || t.tokens[len(t.tokens)-1].text != ".") {
		added.word = strings.ToUpper(added.text)
	}
	t.tokens = append(t.tokens, added)
}

func (t *text) pair() {
	var open []int
	for i, one := range t.tokens {
		switch {
		case one.text == "(", one.text == "[", one.word == "CASE":
			open = append(open, i)
		case len(open) > 0 && (one.text == ")" || one.text == "]" || (one.word == "END" && t.tokens[open[len(open)-1]].word == "CASE")):
			last := open[len(open)-1]
			open = open[:len(open)-1]
			t.tokens[i].partner, t.tokens[last].partner = last, i
		}
	}
}

func (t *text) len() int { return len(t.tokens) }

// at returns the token at an index; outside of the text one that is nothing.
func (t *text) at(i int) token {
	if i < 0 || i >= len(t.tokens) {
		return token{partner: -1}
	}
	return t.tokens[i]
}

// is says whether the token is one of the texts: punctuation or an operator.
func (t *text) is(i int, texts ...string) bool {
	one := t.at(i)
	return (one.Kind == sqltext.Punctuation || one.Kind == sqltext.Operator) && slices.Contains(texts, one.text)
}

// word says whether the token is one of the keywords, which must be in upper case.
func (t *text) word(i int, words ...string) bool {
	one := t.at(i)
	return one.word != "" && slices.Contains(words, one.word)
}

// after returns the index of the next token on the level of the one at i; a bracket is stepped over as
// a whole.
func (t *text) after(i int) int {
	if p := t.at(i).partner; p > i {
		return p + 1
	}
	return i + 1
}

// before returns the index of the token before the one at i on the same level.
func (t *text) before(i int) int {
	if p := t.at(i - 1).partner; p >= 0 && p < i-1 {
		return p
	}
	return i - 1
}

// closes says whether the level of the tokens before i ends at i.
func (t *text) closes(i int) bool {
	p := t.at(i).partner
	return i >= t.len() || (p >= 0 && p < i)
}

// opens says whether the level of the tokens behind i begins at i.
func (t *text) opens(i int) bool { return i < 0 || t.at(i).partner > i }

// level returns the indices from a up to b that are on the level of a.
func (t *text) level(a, b int) []int {
	var all []int
	for i := a; i < b && !t.closes(i); i = t.after(i) {
		all = append(all, i)
	}
	return all
}

// clauses are the keywords that end the clause before them.
var clauses = []string{
	"SELECT", "FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH", "FOR", "UNION", "INTERSECT", "EXCEPT",
	"ON", "SET", "VALUES", "RETURNING", "JOIN", "CROSS", "INNER", "NATURAL", "USING", "DO", "WHEN", "THEN", "ELSE", "AS", "WITH",
}

// boundary says whether the token at i begins a clause, or separates items of one.
func (t *text) boundary(i int) bool {
	switch {
	case t.word(i, "LEFT", "RIGHT", "FULL"): // also names of functions
		return t.word(i+1, "JOIN", "OUTER")
	case t.word(i, "FROM"): // IS DISTINCT FROM
		return !t.word(i-1, "DISTINCT") || !t.word(i-2, "IS", "NOT")
	}
	return t.word(i, clauses...)
}

// end returns the index behind the clause that goes on at i: the next clause on this level, or the end
// of the level.
func (t *text) end(i int) int {
	for !t.closes(i) && !t.boundary(i) {
		i = t.after(i)
	}
	return i
}

// items splits the tokens from a up to b at the commas on their level.
func (t *text) items(a, b int) [][2]int {
	return t.split(a, b, func(i int) bool { return t.is(i, ",") })
}

func (t *text) split(a, b int, at func(int) bool) [][2]int {
	var parts [][2]int
	start := a
	for _, i := range t.level(a, b) {
		if at(i) {
			parts = append(parts, [2]int{start, i})
			start = i + 1
		}
	}
	return append(parts, [2]int{start, b})
}

// source returns the operator's own text of the tokens from a up to b.
func (t *text) source(a, b int) string { return t.sql[t.tokens[a].Start:t.tokens[b-1].End] }

// column returns the text of the column at i, which may be behind the name of its table, if the tokens
// from i on are nothing but that; n is how many tokens it has.
func (t *text) column(i int) (name string, n int) {
	named := func(i int) bool {
		one := t.at(i)
		return one.Kind == sqltext.Identifier || one.Kind == sqltext.QuotedIdentifier
	}
	if !named(i) || t.word(i, "TRUE", "FALSE", "NULL", "NOT", "ANY", "ALL", "SOME", "CASE", "ARRAY") || t.is(i-1, "::", ".") {
		return "", 0
	}
	n = 1
	if t.is(i+1, ".") && named(i+2) {
		n = 3
	}
	if t.is(i+n, "(", ".", "::") || t.at(i+n).Kind == sqltext.String {
		return "", 0
	}
	return t.source(i, i+n), n
}

// columnBefore returns the text of the column that ends right before i.
func (t *text) columnBefore(i int) string {
	for _, n := range []int{3, 1} {
		if name, length := t.column(i - n); length == n {
			return name
		}
	}
	return ""
}
