package document

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mortise-storage/mortise/storage/problem"
)

// The getters below append what is wrong with a value to found. They return false if there is no
// usable value: the key is absent, or has no value, or a problem was reported for it, now or when
// the document was parsed.

// Text returns a scalar as it is written; a number or a yes is a text as well.
func (n *Node) Text(found *problem.List) (string, bool) {
	if !n.is(Scalar, "a text", "", found) {
		return "", false
	}
	return n.Value, true
}

// TextList returns a list of texts.
func (n *Node) TextList(found *problem.List) ([]string, bool) {
	const fix = "write one item a line, each after a dash, or [a, b]"
	if !n.is(Sequence, "a list of texts", fix, found) {
		return nil, false
	}
	texts, usable := make([]string, 0, len(n.Items)), true
	for _, item := range n.Items {
		if item.Kind == Null && !item.invalid {
			*found = append(*found, item.Problem(problem.Error, "empty-value", "this item of the list is empty", "give it a value or remove it"))
		}
		text, ok := item.Text(found)
		texts, usable = append(texts, text), usable && ok
	}
	if !usable {
		return nil, false
	}
	return texts, true
}

// IsMapping tells that n is a group of keys.
func (n *Node) IsMapping(found *problem.List) bool {
	return n.is(Mapping, "a group of keys", "write the keys below it, indented", found)
}

var (
	integer = regexp.MustCompile(`^[+-]?[0-9]+(_[0-9]+)*$`)
	number  = regexp.MustCompile(`^[+-]?[0-9]*\.?[0-9]+$`)
)

// Int returns a whole number from minimum to maximum. It is written in decimal, in quotes or not,
// as 10_000 if need be. A leading zero is refused: YAML 1.1 reads 010 as 8, YAML 1.2 as 10.
func (n *Node) Int(minimum, maximum int64, found *problem.List) (int64, bool) {
	wanted := fmt.Sprintf("a whole number from %d to %d", minimum, maximum)
	switch {
	case maximum == math.MaxInt64 && minimum == math.MinInt64:
		wanted = "a whole number"
	case maximum == math.MaxInt64:
		wanted = fmt.Sprintf("a whole number, at least %d", minimum)
	}
	if !n.is(Scalar, wanted, "", found) {
		return 0, false
	}
	digits := strings.TrimLeft(n.Value, "+-")
	if !integer.MatchString(n.Value) {
		n.wrong(wanted, "", found)
		return 0, false
	}
	if len(digits) > 1 && digits[0] == '0' {
		n.wrong(wanted, "write it without leading zeros", found)
		return 0, false
	}
	value, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 10, 64)
	if err != nil || value < minimum || value > maximum {
		*found = append(*found, n.Problem(problem.Error, "out-of-range", "expected "+wanted+", found "+n.describe(), ""))
		return 0, false
	}
	return value, true
}

// Bool returns true or false. Other words are refused, because YAML's versions differ in what yes
// and on are.
func (n *Node) Bool(found *problem.List) (value, ok bool) {
	if !n.is(Scalar, "true or false", "", found) {
		return false, false
	}
	switch strings.ToLower(n.Value) {
	case "true":
		return true, true
	case "false":
		return false, true
	case "yes", "on", "y":
		n.wrong("true or false", "write true", found)
	case "no", "off", "n":
		n.wrong("true or false", "write false", found)
	default:
		n.wrong("true or false", "", found)
	}
	return false, false
}

// Duration returns a duration in Go's notation (3m, 1h30m, 250ms); 0 needs no unit. Any other bare
// number is refused, because programs differ in the unit that they take for granted. A negative
// duration is returned; what it means is for the caller to say.
func (n *Node) Duration(found *problem.List) (time.Duration, bool) {
	const wanted = "a duration such as 3m, 180s or 250ms"
	if !n.is(Scalar, wanted, "", found) {
		return 0, false
	}
	value, err := time.ParseDuration(n.Value)
	switch {
	case err == nil:
		return value, true
	case number.MatchString(n.Value):
		fix := "write 3m or 180s"
		if n.shown() {
			fix = fmt.Sprintf("write %[1]ss for seconds or %[1]sm for minutes", n.Value)
		}
		*found = append(*found, n.Problem(problem.Error, "duration-unit", "this duration has no unit", fix))
	default:
		n.wrong(wanted, "", found)
	}
	return 0, false
}

// is tells that n has a value of the given kind, and reports another one.
func (n *Node) is(kind Kind, wanted, fix string, found *problem.List) bool {
	if n == nil || n.invalid || n.Kind == Null {
		return false
	}
	if n.Kind != kind {
		n.wrong(wanted, fix, found)
		return false
	}
	return true
}

func (n *Node) wrong(wanted, fix string, found *problem.List) {
	*found = append(*found, n.Problem(problem.Error, "wrong-type", "expected "+wanted+", found "+n.describe(), fix))
}

// describe says for messages what a value is.
func (n *Node) describe() string {
	switch {
	case n.Kind == Scalar && n.Value == "":
		return "an empty text"
	case n.Kind == Scalar && n.shown():
		return strconv.Quote(n.Value)
	case n.Kind == Scalar:
		return "another text"
	default:
		return n.Kind.String()
	}
}

// harmless matches values that are worth showing and cannot be a secret put in the wrong place,
// such as a connection string.
var harmless = regexp.MustCompile(`^[\pL0-9 .,_+-]+$`)

const longestShown = 24

// shown tells that messages may repeat the value.
func (n *Node) shown() bool {
	return !n.secret && !n.FromEnv && utf8.RuneCountInString(n.Value) <= longestShown && harmless.MatchString(n.Value)
}

// Unknown reports the keys of a mapping that are not among known. elsewhere are full paths that
// are known at other levels, to notice a key that stands at the wrong one.
func (n *Node) Unknown(known []string, elsewhere ...string) problem.List {
	if n == nil || n.Kind != Mapping {
		return nil
	}
	allowed := map[string]bool{}
	for _, k := range known {
		allowed[fold(k)] = true
	}
	var found problem.List
	for _, e := range n.Entries {
		if !allowed[fold(e.Name)] {
			found = append(found, n.unknown(e, known, elsewhere))
		}
	}
	return found
}

func (n *Node) unknown(e Entry, known, elsewhere []string) problem.Problem {
	p := problem.Problem{Severity: problem.Error, Rule: "unknown-key", Position: e.Value.KeyPosition, Key: e.Value.Key,
		Message: "there is no key " + quoteKey(e.Name)}
	if n.Key != "" {
		p.Message += " in " + n.Key
	}
	if n.secret {
		p.Message = "there are no keys below this one"
		return p
	}
	for _, path := range elsewhere {
		if i := strings.LastIndexByte(path, '.'); i > 0 && fold(path[i+1:]) == fold(e.Name) {
			p.Fix = "this key belongs under " + path[:i]
			return p
		}
	}
	if near := problem.Nearest(e.Name, known); near != "" {
		p.Fix = fmt.Sprintf("did you mean %s?", near)
	}
	return p
}
