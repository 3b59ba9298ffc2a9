package sqltext

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mortise-storage/mortise/storage/problem"
)

// A Parameter is what an operation declares.
type Parameter struct {
	// Name is what follows the @ in the text. The contract sees to its form: a lower-case ASCII letter or
	// an underscore, then ASCII letters, digits and underscores.
	Name string
	// Identity marks a parameter that chooses which rows are meant. To leave one out is a warning,
	// because that is how a DELETE comes to hit every row.
	Identity bool
}

// reference is a use of a declared parameter.
type reference struct {
	token     int // index of its token
	parameter int // index of the declared parameter
	named     bool
}

// resolver decides which tokens are parameters.
type resolver struct {
	source   string
	declared []Parameter
	index    map[string]int // declared name to its index
	in       []Token
	out      []Token // as in, but with parameter tokens and operators split where that was needed
	uses     []reference
	found    findings
}

// resolve returns the resolver after its run over the tokens.
func resolve(source string, tokens []Token, declared []Parameter) *resolver {
	r := &resolver{source: source, declared: declared, in: tokens}
	r.index = make(map[string]int, len(declared))
	for i, p := range declared {
		r.index[p.Name] = i
	}
	r.out = make([]Token, 0, len(tokens))
	for i := 0; i < len(tokens); i++ {
		switch t := tokens[i]; {
		case t.Kind == Position:
			r.position(i)
		case t.Kind == Operator && source[t.End-1] == '@' && r.follows(i, Identifier):
			r.at(i)
			i++
		case t.Kind == Other && t.text(source) == "$":
			r.strayDollar(i)
		default:
			r.out = append(r.out, t)
		}
	}
	r.colons()
	r.mixed()
	return r
}

// follows reports whether the token after the one at i is of the given kind.
func (r *resolver) follows(i int, kind Kind) bool {
	return i+1 < len(r.in) && r.in[i+1].Kind == kind
}

// at decides about the operator at i, which ends in @, and the identifier right behind it.
func (r *resolver) at(i int) {
	operator, name := r.in[i], r.in[i+1]
	run := operator.text(r.source)
	_, declared := r.index[name.text(r.source)]
	var before *Token
	if len(r.out) > 0 {
		before = &r.out[len(r.out)-1]
	}
	alone := run == "@" && (before == nil || !before.endsOperand(r.source))
	switch {
	case alone, run != "@" && !endsInAt[run] && mayTouchParameter(run[:len(run)-1]):
		r.parameter(operator, name)
		return
	case run == "@" && before.Kind == parameter:
		r.found.error(RuleTouching, operator.Start,
			fmt.Sprintf("@%s is right behind the parameter %s", name.text(r.source), before.text(r.source)),
			"put what belongs between them, at least a space")
	case declared:
		r.ambiguous(operator, name, run)
	}
	r.out = append(r.out, operator, name)
}

// parameter takes the last @ of an operator and the name behind it as a parameter.
func (r *resolver) parameter(operator, name Token) {
	length, _ := operatorRun(r.source[operator.Start : operator.End-1])
	for start := operator.Start; start < operator.End-1; start, length = start+length, 1 {
		r.out = append(r.out, Token{Operator, start, start + length})
	}
	use := Token{parameter, operator.End - 1, name.End}
	word := name.text(r.source)
	if i, ok := r.index[word]; ok {
		r.uses = append(r.uses, reference{token: len(r.out), parameter: i, named: true})
	} else {
		r.unknown(use, word)
	}
	r.out = append(r.out, use)
}

// validName returns how many bytes at the start of s can be the name of a parameter.
func validName(s string) int {
	n := 0
	for n < len(s) && s[n] < 0x80 && s[n] != '$' {
		n++
	}
	if n > 0 && 'A' <= s[0] && s[0] <= 'Z' {
		return 0
	}
	return n
}

// unknown reports a name that is not declared, with the likeliest reason.
func (r *resolver) unknown(use Token, name string) {
	if _, ok := r.index[name[:validName(name)]]; ok {
		n := validName(name)
		r.found.error(RuleTouching, use.Start,
			fmt.Sprintf("%q is right behind the parameter @%s", name[n:], name[:n]),
			"put what belongs between them, at least a space")
		return
	}
	message := fmt.Sprintf("unknown parameter @%s", name)
	names := make([]string, len(r.declared))
	for i, p := range r.declared {
		names[i] = p.Name
		if strings.EqualFold(p.Name, name) {
			r.found.error(RuleUnknownParameter, use.Start, message,
				fmt.Sprintf("write @%s: names of parameters are case-sensitive", p.Name))
			return
		}
	}
	if near := problem.Nearest(name, names); near != "" {
		r.found.error(RuleUnknownParameter, use.Start, message, fmt.Sprintf("did you mean @%s?", near))
		return
	}
	fix := "this query has no parameters"
	if len(r.declared) > 0 {
		fix = "there are " + quoteList("@", r.declared)
	}
	r.found.error(RuleUnknownParameter, use.Start, message,
		fmt.Sprintf("%s; if @ is the operator, write a space behind it (@ %s), or abs(%s) for the absolute value", fix, name, name))
}

// ambiguous reports a declared name behind an @ that may belong to an operator or an index hint.
func (r *resolver) ambiguous(operator, name Token, run string) {
	word := name.text(r.source)
	if run == "@" {
		r.found.error(RuleAmbiguous, operator.Start,
			fmt.Sprintf("@%s touches what is before it: it can be the parameter, an operator @ or an index hint", word),
			fmt.Sprintf("put a space before @%s if it is the parameter; write \"@ %s\" for the operator, @{FORCE_INDEX=%s} for the hint", word, word, word))
		return
	}
	r.found.error(RuleAmbiguous, operator.Start,
		fmt.Sprintf("%s%s can be the operator %s before a column, or end in the parameter @%s", run, word, run, word),
		fmt.Sprintf("write %q for the column, %q or %q for the parameter", run+" "+word, run+" @"+word, strings.TrimSuffix(run, "@")+" @"+word))
}

// position decides about $n.
func (r *resolver) position(i int) {
	t := r.in[i]
	text := t.text(r.source)
	if r.follows(i, Identifier) {
		r.found.error(RuleTouching, t.Start,
			fmt.Sprintf("%q is right behind the parameter %s", r.in[i+1].text(r.source), text),
			"put what belongs between them, at least a space")
	}
	n, err := strconv.Atoi(text[1:])
	switch {
	case err == nil && 1 <= n && n <= len(r.declared):
		r.uses = append(r.uses, reference{token: len(r.out), parameter: n - 1})
	case len(r.declared) == 0:
		r.found.error(RulePosition, t.Start, text+" is used, but this query has no parameters", "remove it")
	default:
		meanings := make([]string, len(r.declared))
		for i, p := range r.declared {
			meanings[i] = fmt.Sprintf("$%d %s", i+1, p.Name)
		}
		r.found.error(RulePosition, t.Start, text+" stands for no parameter", "there are "+strings.Join(meanings, ", "))
	}
	r.out = append(r.out, t)
}

// strayDollar reports a $ that starts nothing.
func (r *resolver) strayDollar(i int) {
	t := r.in[i]
	fix := "write parameters as @name or $1, and close a dollar quote as it was opened"
	if r.follows(i, Identifier) {
		fix = fmt.Sprintf("write @%s if it is a parameter; a dollar quote needs a second $", r.in[i+1].text(r.source))
	}
	r.found.error(RuleStrayDollar, t.Start, "this $ is neither a parameter nor the start of a dollar quote", fix)
	r.out = append(r.out, t)
}

// colons reports :name, which other tools use for parameters. A colon is right between the bounds of a
// slice (arr[1:n]), and right behind an operand (JSON_OBJECT('k':v)).
func (r *resolver) colons() {
	var open []byte
	for i, t := range r.out {
		if t.Kind != Punctuation {
			continue
		}
		switch c := r.source[t.Start]; {
		case c == '(' || c == '[':
			open = append(open, c)
		case (c == ')' || c == ']') && len(open) > 0:
			open = open[:len(open)-1]
		case t.is(r.source, ":") && i+1 < len(r.out) && r.out[i+1].Kind == Identifier:
			slice := len(open) > 0 && open[len(open)-1] == '['
			touches := i > 0 && (r.out[i-1].endsOperand(r.source) || r.out[i-1].is(r.source, "::"))
			if slice || touches {
				continue
			}
			name := r.out[i+1].text(r.source)
			r.found.error(RuleColonParameter, t.Start, fmt.Sprintf(":%s is not a parameter here", name),
				fmt.Sprintf("write @%s", name))
		}
	}
}

// mixed reports the first parameter whose style is not that of the ones before it.
func (r *resolver) mixed() {
	for _, use := range r.uses {
		if use.named != r.uses[0].named {
			r.found.error(RuleMixed, r.out[use.token].Start, "the query has parameters by name (@name) and by position ($n)",
				"use one style in the whole query")
			return
		}
	}
}
