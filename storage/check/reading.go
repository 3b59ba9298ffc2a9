package check

import (
	"errors"
	"strings"

	"github.com/wasilibs/go-pgquery/parser"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/query/sqltext"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// A reading is a statement as the rules see it: its positional text, the tokens that mean something,
// and the tree where PostgreSQL's grammar reads it.
type reading struct {
	statement *query.Statement
	op        *operation.Operation
	text      string
	tokens    []sqltext.Token
	depths    []int // by token: how many parentheses and brackets are open; a pair itself is outside
	words     []string
	tree      *syntax.Node // nil if the grammar does not read the text
	refused   string       // what the grammar said then
	refusedAt int          // and at which byte
}

// shardPlaceholder stands for a schema that is only known when the statement is sent.
const shardPlaceholder = "{shard}"

// read makes a reading of a statement. For the grammar the placeholder of a shard's schema is a name of
// the same length, so that places stay the same.
func read(s *query.Statement) *reading {
	r := &reading{statement: s, op: s.Operation, text: strings.ReplaceAll(s.Positional(), shardPlaceholder, "shard__")}
	tokens, _ := sqltext.Tokenize(r.text) // it compiled, so there is no error
	depth := 0
	for _, t := range tokens {
		if !t.Means() {
			continue
		}
		word := t.Text(r.text)
		switch word {
		case ")", "]":
			depth--
		}
		if t.Kind == sqltext.Identifier {
			word = strings.ToUpper(word)
		}
		r.tokens, r.depths, r.words = append(r.tokens, t), append(r.depths, depth), append(r.words, word)
		switch word {
		case "(", "[":
			depth++
		}
	}
	tree, err := syntax.Parse(r.text)
	if err != nil {
		r.refused = err.Error()
		var refusal *parser.Error
		if errors.As(err, &refusal) {
			r.refusedAt = byteOffset(r.text, refusal.Cursorpos)
		}
	}
	r.tree = tree
	return r
}

// byteOffset turns a position in characters, from 1, into a byte offset.
func byteOffset(text string, position int) int {
	for i := range text {
		if position--; position <= 0 {
			return i
		}
	}
	return 0
}

// The tokens. words[i] is the text of token i, keywords in upper case. A quoted name keeps its quotes,
// and so is never taken for a keyword.

// start is the offset of the statement's first word.
func (r *reading) start() int { return r.offset(0) }

func (r *reading) offset(i int) int {
	if i < 0 || i >= len(r.tokens) {
		return 0
	}
	return r.tokens[i].Start
}

// is says whether the words from token i on are these.
func (r *reading) is(i int, words ...string) bool {
	if i < 0 || i+len(words) > len(r.words) {
		return false
	}
	for j, word := range words {
		if r.words[i+j] != word {
			return false
		}
	}
	return true
}

// find returns the index of the first token from i on at which the words stand; -1 if there is none.
func (r *reading) find(i int, words ...string) int {
	for ; i < len(r.words); i++ {
		if r.is(i, words...) {
			return i
		}
	}
	return -1
}

func (r *reading) has(words ...string) bool { return r.find(0, words...) >= 0 }

// top returns the first token outside of all parentheses at which the word stands; -1 if there is none.
func (r *reading) top(word string) int {
	for i := range r.words {
		if r.depths[i] == 0 && r.words[i] == word {
			return i
		}
	}
	return -1
}

// level returns the indexes of the tokens that stand side by side with token i: inside of the same
// parentheses, without what is inside of further ones.
func (r *reading) level(i int) []int {
	depth, first, last := r.depths[i], i, i
	for first > 0 && r.depths[first-1] >= depth {
		first--
	}
	for last+1 < len(r.words) && r.depths[last+1] >= depth {
		last++
	}
	var level []int
	for j := first; j <= last; j++ {
		if r.depths[j] == depth {
			level = append(level, j)
		}
	}
	return level
}

// back returns the offset of the nearest of the words before a byte offset; the offset itself if there
// is none.
func (r *reading) back(offset int, words ...string) int {
	found := offset
	for i, t := range r.tokens {
		if t.Start >= offset {
			break
		}
		for _, word := range words {
			if r.words[i] == word {
				found = t.Start
			}
		}
	}
	return found
}

// command is the statement's first word.
func (r *reading) command() string {
	for _, word := range r.words {
		if word != "(" {
			return word
		}
	}
	return ""
}

// calls returns the tokens that name a function of the set (in lower case) which is called there.
func (r *reading) calls(functions map[string]bool) []int {
	var found []int
	for i, t := range r.tokens {
		if t.Kind == sqltext.Identifier && functions[strings.ToLower(r.words[i])] && r.is(i+1, "(") {
			found = append(found, i)
		}
	}
	return found
}

// lastArgument returns the words of the last argument of the call whose name is token i.
func (r *reading) lastArgument(i int) []string {
	depth, start := r.depths[i], i+2
	for j := i + 2; j < len(r.words); j++ {
		switch {
		case r.depths[j] == depth:
			return r.words[start:j]
		case r.depths[j] == depth+1 && r.words[j] == ",":
			start = j + 1
		}
	}
	return nil
}

// parameter returns the parameter that $number stands for, or nil.
func (r *reading) parameter(number int) *operation.Parameter {
	args := r.statement.Compiled().Args
	if number < 1 || number > len(args) {
		return nil
	}
	return r.op.Parameters[args[number-1]]
}

// written is how the operator has written the parameter $number.
func (r *reading) written(number int) string {
	p := r.parameter(number)
	switch {
	case p == nil:
		return "the parameter"
	case r.statement.Compiled().Style == sqltext.Positional:
		return "$" + itoa(p.Index+1)
	}
	return "@" + p.Name
}

// column returns the name of a result column in this statement.
func (r *reading) column(c *operation.Column) string {
	if renamed := r.statement.Source().Columns[c.Name]; renamed != "" {
		return renamed
	}
	return c.Name
}

func (r *reading) hot() bool { return r.op.Spec.GetHeat() == annotation.Heat_HOT }

// sharesTransaction says whether the statement may run in one transaction with others: with waiting
// calls, with the other steps of a composed method, inside of the row bound, or behind the choice of a
// shard.
func (r *reading) sharesTransaction() bool {
	spec := r.op.Spec
	return spec.GetCoalesce() || spec.GetMaxRows() > 0 || spec.GetScope() == annotation.Scope_SHARD ||
		r.op.Internal && !r.op.Background()
}

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(words) {
		set[word] = true
	}
	return set
}
