package document

import (
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/mortise-storage/mortise/storage/problem"
)

// fault is something wrong at an offset of a value.
type fault struct {
	offset             int
	rule, message, fix string
}

// expansion is a value with its variables replaced.
type expansion struct {
	text    strings.Builder
	spans   []span // from offsets of the new text to offsets of the old one
	fromEnv bool
	faults  []fault
}

// expand sets n's Value: decoded, with environment variables replaced. That happens after parsing,
// so that what a variable holds can never become YAML.
func (b *builder) expand(n *Node, decoded string) {
	e := expandText(decoded, b.env)
	b.bytes += max(0, e.text.Len()-len(decoded))
	if what := badText(decoded); what != "" {
		e.faults = append(e.faults, fault{strings.IndexAny(decoded, "\x00\ufffd"), "encoding", "this text holds " + what, "remove the escape"})
	}
	for _, f := range e.faults {
		p := n.Problem(problem.Error, f.rule, f.message, f.fix)
		p.Position = n.place.position(f.offset)
		b.problems = append(b.problems, p)
		n.invalid = true
	}
	n.Value, n.FromEnv = e.text.String(), e.fromEnv
	n.place.expanded = e.spans
}

// expandText replaces ${NAME} and ${NAME:-default} (for a variable that is unset or empty, as in a
// shell) and makes ${ of $${. Any other $ is left alone: SQL has $1, $$ and $tag$.
func expandText(text string, env func(string) (string, bool)) *expansion {
	e := &expansion{}
	for i := 0; i < len(text); {
		next := strings.Index(text[i:], "${")
		if next < 0 {
			e.copy(text, i, len(text))
			break
		}
		if next += i; next > i && text[next-1] == '$' {
			e.copy(text, i, next-1)
			e.copy(text, next, next+2)
			i = next + 2
			continue
		}
		e.copy(text, i, next)
		end := strings.IndexByte(text[next:], '}')
		if end < 0 {
			e.fault(next, "bad-variable", "a ${ is not closed", "write ${NAME}; for the two characters themselves write $${")
			e.copy(text, next, len(text))
			break
		}
		end += next
		e.variable(text, next, end, env)
		i = end + 1
	}
	return e
}

// variable replaces text[start:end+1], which is ${...}.
func (e *expansion) variable(text string, start, end int, env func(string) (string, bool)) {
	name, _, hasDefault := strings.Cut(text[start+2:end], ":-")
	defaultStart := start + 2 + len(name) + 2
	if !isVariableName(name) {
		e.fault(start, "bad-variable", "there is no name of a variable after ${", "write ${NAME} or ${NAME:-default}; for the two characters themselves write $${")
		return
	}
	if hasDefault && strings.Contains(text[defaultStart:end], "${") {
		e.fault(start, "bad-variable", "the default of ${"+name+"} holds another ${", "variables cannot be nested; a default ends at the first }")
		return
	}
	value, set := env(name)
	switch {
	case hasDefault && value == "":
		e.copy(text, defaultStart, end)
	case !set:
		e.fault(start, "missing-variable", "the environment variable "+name+" is not set", "set it, or give a default: ${"+name+":-default}")
	case !utf8.ValidString(value) || badText(value) != "":
		e.fault(start, "encoding", "the environment variable "+name+" does not hold valid text", "give it a value in UTF-8")
	default:
		e.fromEnv = true
		e.spans = append(e.spans, span{at: e.text.Len(), raw: start, fixed: true})
		e.text.WriteString(value)
	}
}

// maxFaults is how many problems of one value are worth reporting.
const maxFaults = 20

func (e *expansion) fault(offset int, rule, message, fix string) {
	if len(e.faults) < maxFaults {
		e.faults = append(e.faults, fault{offset, rule, message, fix})
	}
}

func (e *expansion) copy(text string, from, to int) {
	if from < to {
		e.spans = append(e.spans, span{at: e.text.Len(), raw: from})
		e.text.WriteString(text[from:to])
	}
}

func isVariableName(name string) bool {
	for i, r := range name {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// badText names what a text must not hold, or returns "". In valid YAML it can only come from an
// escape such as "\0".
func badText(text string) string {
	switch {
	case strings.ContainsRune(text, 0):
		return "a NUL character"
	case strings.Contains(text, "\ufffd"):
		return "a replacement character (U+FFFD)"
	default:
		return ""
	}
}

// include replaces n's value, a file's name, by the file's text. That text is taken as it is: ${ in
// a .sql file stays, because such files are also run by psql and other tools, which would not
// expand it, and dollar-quoted bodies are long enough to hold one by chance.
func (b *builder) include(n *Node) {
	name := n.Value
	if strings.TrimSpace(name) == "" {
		b.report(n, "file", "there is no file name after !file", "write !file name.sql")
		return
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(b.source.file), name)
	}
	shown := "the file " + name
	if n.FromEnv || n.secret {
		shown = "the file named here"
	}
	data, reason := readFile(name, true)
	b.files = append(b.files, name)
	if reason != "" {
		b.report(n, "file", shown+" "+reason, "a name after !file is relative to the folder of this YAML file")
		return
	}
	included := newSource(name, strings.TrimPrefix(string(data), byteOrderMark))
	b.bytes += len(included.text)
	for _, p := range included.checkText(false) {
		p.Key = n.Key
		b.problems = append(b.problems, p)
		n.invalid = true
	}
	n.Value, n.FromEnv, n.Comment = included.text, false, ""
	n.place = place{source: included, spans: []span{{}}, length: len(included.text), exact: true}
	n.Position = included.position(0)
}
