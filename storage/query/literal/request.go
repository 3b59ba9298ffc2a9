package literal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
)

// A Mistake is one thing that is wrong with the words given for an operation. It never holds a value.
type Mistake struct {
	// Parameter is the parameter's name; empty if the word does not lead to one.
	Parameter string
	// Rule says what is wrong, in words that go on behind the name.
	Rule string
	// Missing says that the parameter is needed and was not given.
	Missing bool
}

// String names the parameter and says what is wrong with it.
func (m Mistake) String() string { return strings.TrimSpace(m.Parameter + " " + m.Rule) }

// Mistakes is everything that is wrong with the words given for one operation.
type Mistakes []Mistake

// Error lists the mistakes, one a line.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, one := range m {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// Missing returns the names of parameters that are needed and were not given.
func (m Mistakes) Missing() []string {
	var names []string
	for _, one := range m {
		if one.Missing {
			names = append(names, one.Parameter)
		}
	}
	return names
}

// Values makes the request of an operation from words of the form name=value; the name may have an @ in front.
// An optional parameter that is not given is NULL, or what the service derives it from when the request is used;
// now is what the word now means in a time. The error is Mistakes: all of them at once.
func Values(op *operation.Operation, given []string, now time.Time) (proto.Message, error) {
	r := words{operation: op, request: op.NewRequest(), seen: map[string]bool{}, reader: reader{now: func() time.Time { return now }}}
	for i, word := range given {
		r.word(i+1, word)
	}
	for _, p := range op.Parameters {
		if Required(p) && !r.seen[p.Name] {
			r.mistakes = append(r.mistakes, Mistake{Parameter: p.Name, Rule: "(" + p.TypeName() + ") is missing", Missing: true})
		}
	}
	if len(r.mistakes) > 0 {
		return nil, r.mistakes
	}
	return r.request, nil
}

// Required says whether a call by hand must give the parameter: it may not be NULL, and nobody else knows it.
func Required(p *operation.Parameter) bool {
	return !p.Optional && p.Derive == annotation.Derive_UNSET
}

// words are being read into a request.
type words struct {
	operation *operation.Operation
	request   proto.Message
	seen      map[string]bool
	set       []*operation.Parameter // those with a value
	reader    reader
	mistakes  Mistakes
}

func (w *words) wrong(name, rule string, args ...any) {
	w.mistakes = append(w.mistakes, Mistake{Parameter: name, Rule: fmt.Sprintf(rule, args...)})
}

func (w *words) word(number int, word string) {
	name, text, ok := strings.Cut(word, "=")
	name = strings.TrimPrefix(strings.TrimSpace(name), "@")
	if !ok || !isName(name) {
		w.wrong("", "value %d is not of the form name=value", number)
		return
	}
	p := w.operation.Parameter(name)
	switch {
	case p == nil:
		w.wrong(name, "is no parameter of %s; %s", w.operation.Key, nearest(name, w.operation))
		return
	case w.seen[name]:
		w.wrong(name, "is given twice")
		return
	}
	w.seen[name] = true
	if p.Derive == annotation.Derive_IS_V6 {
		w.wrong(name, "follows from %s; leave it out", p.Rules.GetOf())
		return
	}
	v, err := w.reader.field(&p.Field, text)
	if err != nil {
		w.wrong(name, "(%s) %s", p.TypeName(), err)
		return
	}
	w.store(p, &v)
}

func (w *words) store(p *operation.Parameter, v *operation.Value) {
	err := p.Store(w.request, v)
	var rule *operation.ArgumentError
	switch {
	case errors.As(err, &rule):
		w.wrong(p.Name, "(%s) %s", p.TypeName(), rule.Rule)
		return
	case err != nil:
		w.wrong(p.Name, "(%s) cannot be set", p.TypeName())
		return
	case v.Null:
		return
	}
	// Of the fields of a oneof only one can have a value: the last one stored.
	for _, other := range w.set {
		if before := other.Get(w.request); before.Null {
			w.wrong(p.Name, "cannot be given together with %s", other.Name)
		}
	}
	w.set = append(w.set, p)
}

// isName says whether a word may be the name of a parameter. What is not is never shown: it may be a value.
func isName(word string) bool {
	for i, r := range word {
		letter := r == '_' || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z')
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return word != "" && len(word) <= 63 // the longest name that PostgreSQL has
}

func nearest(name string, op *operation.Operation) string {
	names := slices.DeleteFunc(op.ParameterNames(), func(name string) bool {
		return op.Parameter(name).Derive == annotation.Derive_IS_V6
	})
	if near := problem.Nearest(name, names); near != "" {
		return "did you mean " + near + "?"
	}
	if len(names) == 0 {
		return "it has none"
	}
	return "it has " + strings.Join(names, ", ")
}
