package document

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/mortise-storage/mortise/storage/problem"
)

// builder makes the tree of Nodes from the parser's.
type builder struct {
	source   *source
	env      func(string) (string, bool)
	problems problem.List
	files    []string
	// following holds the anchored values that are being built, whether an alias led there or not,
	// to notice one that stands inside itself.
	following map[*yaml.Node]bool
	nodes     int
	bytes     int
	tooLarge  bool
}

// at is the place in the tree that a value is built for.
type at struct {
	key         string
	keyPosition problem.Position
	// column is that of the key or of the list's dashes: a line of a text is indented deeper.
	column int
	secret bool
	depth  int
}

func (b *builder) root(top *yaml.Node) *Node {
	b.following = map[*yaml.Node]bool{}
	root := b.node(top, at{keyPosition: b.position(top)})
	if root.Kind != Mapping && !root.invalid {
		b.report(root, "wrong-type", "the file must hold keys with values, and holds "+root.Kind.String(), "")
	}
	if root.invalid {
		return nil
	}
	root.files = b.files
	return root
}

func (b *builder) position(y *yaml.Node) problem.Position {
	line, column := b.source.clamp(y.Line, y.Column)
	return problem.Position{File: b.source.file, Line: line, Column: column}
}

func (b *builder) report(n *Node, rule, message, fix string) {
	n.invalid = true
	b.problems = append(b.problems, n.Problem(problem.Error, rule, message, fix))
}

func (b *builder) node(y *yaml.Node, where at) *Node {
	n := &Node{Key: where.key, KeyPosition: where.keyPosition, Position: b.position(y), secret: where.secret}
	n.place = place{source: b.source, spans: []span{{raw: b.source.offset(y.Line, y.Column), fixed: true}}}
	if b.limited(n, y, where.depth) {
		return n
	}
	switch y.Kind {
	case yaml.AliasNode:
		return b.alias(n, y, where)
	case yaml.MappingNode:
		n.Kind = Mapping
		if b.checkTag(n, y) {
			b.mapping(n, y, where)
		}
	case yaml.SequenceNode:
		n.Kind = Sequence
		if b.checkTag(n, y) {
			b.sequence(n, y, where)
		}
	default:
		b.scalar(n, y, where.column)
	}
	return n
}

// limited reports, once, a document that is larger in the end than in the file: nested aliases
// multiply what they stand for.
func (b *builder) limited(n *Node, y *yaml.Node, depth int) bool {
	b.nodes++
	b.bytes += len(y.Value)
	switch {
	case depth > maxDepth:
		b.report(n, "too-large", fmt.Sprintf("the values are nested deeper than %d levels", maxDepth), "")
		return true
	case b.nodes <= maxNodes && b.bytes <= maxValueBytes:
		return false
	case !b.tooLarge:
		b.tooLarge = true
		b.report(n, "too-large", fmt.Sprintf("the document has more than %d values or %d MiB of text, aliases counted as what they stand for",
			maxNodes, maxValueBytes>>20), "write out what is needed instead of nesting aliases")
	}
	n.invalid = true
	return true
}

func (b *builder) alias(n *Node, y *yaml.Node, where at) *Node {
	if b.following[y.Alias] {
		b.report(n, "alias-cycle", "this alias stands for a value that it is itself part of", "write the value out")
		return n
	}
	b.following[y.Alias] = true
	defer delete(b.following, y.Alias)
	where.depth++
	return b.node(y.Alias, where)
}

func (b *builder) mapping(n *Node, y *yaml.Node, where at) {
	defer b.enter(y)()
	first := map[string]problem.Position{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		place := at{key: where.key, keyPosition: b.position(key), secret: where.secret, depth: where.depth + 1}
		place.column = place.keyPosition.Column
		if !b.checkKey(key, place) {
			continue
		}
		if !where.secret {
			place.key = joinKey(where.key, key.Value)
			place.secret = isSecret(key.Value)
		}
		if before, again := first[fold(key.Value)]; again {
			b.duplicate(key, place, before)
			continue
		}
		first[fold(key.Value)] = place.keyPosition
		value := b.node(y.Content[i+1], place)
		if value.Kind == Null && !value.invalid {
			b.problems = append(b.problems, problem.Problem{Severity: problem.Warning, Rule: "empty-value", Position: place.keyPosition,
				Key: place.key, Message: "this key has no value and counts as absent", Fix: `give it a value or remove it; an empty text is ""`})
		}
		n.Entries = append(n.Entries, Entry{Name: key.Value, Value: value})
	}
}

func (b *builder) duplicate(key *yaml.Node, place at, before problem.Position) {
	message := fmt.Sprintf("the key %s is given twice, first in line %d", quoteKey(key.Value), before.Line)
	if place.secret && !isSecret(key.Value) {
		message = fmt.Sprintf("a key is given twice, first in line %d", before.Line)
	}
	b.problems = append(b.problems, problem.Problem{Severity: problem.Error, Rule: "duplicate-key", Position: place.keyPosition,
		Key: place.key, Message: message, Fix: "remove one of the two; upper and lower case do not matter in keys"})
}

// checkKey refuses keys that are not plain names. Merge keys are among them: they would let a value
// come from a place where nobody looks for it, YAML 1.2 has dropped them, and parsers differ in
// what wins if a key is in both places.
func (b *builder) checkKey(key *yaml.Node, place at) bool {
	p := problem.Problem{Severity: problem.Error, Position: place.keyPosition, Key: place.key}
	switch {
	case key.Kind != yaml.ScalarNode || key.Style&yaml.TaggedStyle != 0:
		p.Rule, p.Message, p.Fix = "bad-key", "a key must be a simple name", "write it without brackets, tags or aliases"
	case key.Tag == "!!merge":
		p.Rule, p.Message = "merge-key", "merge keys (<<) are not supported"
		p.Fix = "write the keys out, or give each one its value with an alias (key: *name)"
	case key.Value == "" || key.Tag == "!!null":
		p.Rule, p.Message, p.Fix = "bad-key", "there is a value without a key here", "write the key in front of the colon"
	case badText(key.Value) != "":
		p.Rule, p.Message, p.Fix = "encoding", "this key holds "+badText(key.Value), "write a simple name"
	default:
		return true
	}
	b.problems = append(b.problems, p)
	return false
}

func (b *builder) sequence(n *Node, y *yaml.Node, where at) {
	defer b.enter(y)()
	for i, item := range y.Content {
		place := at{key: fmt.Sprintf("%s[%d]", where.key, i), keyPosition: b.position(item), column: y.Column,
			secret: where.secret, depth: where.depth + 1}
		n.Items = append(n.Items, b.node(item, place))
	}
}

// enter marks a value as being built, until the returned function is called.
func (b *builder) enter(y *yaml.Node) func() {
	if b.following[y] || y.Anchor == "" {
		return func() {}
	}
	b.following[y] = true
	return func() { delete(b.following, y) }
}

func (b *builder) scalar(n *Node, y *yaml.Node, column int) {
	if !b.checkTag(n, y) {
		return
	}
	if y.Tag == "!!null" {
		return // Kind is Null
	}
	n.Kind = Scalar
	n.place = placeScalar(b.source, y)
	n.place.findComment(n.KeyPosition.Line, column)
	n.Comment = n.place.comment()
	b.expand(n, y.Value)
	if y.Tag == fileTag && !n.invalid {
		b.include(n)
	}
}

// fileTag marks a value that is the name of a file with the text.
const fileTag = "!file"

var coreTags = map[yaml.Kind][]string{
	yaml.ScalarNode:   {fileTag, "!!str", "!!int", "!!float", "!!bool", "!!null"},
	yaml.SequenceNode: {"!!seq"},
	yaml.MappingNode:  {"!!map"},
}

// checkTag refuses tags that nobody would heed.
func (b *builder) checkTag(n *Node, y *yaml.Node) bool {
	if y.Style&yaml.TaggedStyle == 0 {
		return true
	}
	for _, tag := range coreTags[y.Kind] {
		if y.Tag == tag {
			return true
		}
	}
	message := "this value has an unknown tag"
	if !n.secret {
		message = fmt.Sprintf("the tag %s cannot be used here", quoteKey(y.Tag))
	}
	fix := "remove it, or put the value in quotes if the ! belongs to it"
	if y.Kind == yaml.ScalarNode && problem.Nearest(y.Tag, []string{fileTag}) != "" {
		fix = "did you mean !file?"
	}
	b.report(n, "unknown-tag", message, fix)
	return false
}

// plainKey matches keys that need no quotes. Their length is counted apart: as {1,60} it costs megabytes.
var plainKey = regexp.MustCompile(`^[\pL\pN_-]+$`)

const longestPlainKey = 60

func joinKey(parent, name string) string {
	if !plainKey.MatchString(name) || utf8.RuneCountInString(name) > longestPlainKey {
		name = quoteKey(name)
	}
	if parent == "" {
		return name
	}
	return parent + "." + name
}

// quoteKey returns a name for messages: quoted, cut if it is long, and hidden if it looks like a
// connection string that has slipped into the place of a key.
func quoteKey(name string) string {
	if strings.Contains(name, "://") || strings.Contains(name, "=") {
		name = "..."
	}
	if runes := []rune(name); len(runes) > 60 {
		name = string(runes[:60]) + "..."
	}
	return strconv.Quote(name)
}

// isSecret tells that the value of a key must never be shown.
func isSecret(name string) bool {
	name = strings.ReplaceAll(fold(name), "-", "_")
	for _, word := range []string{"connection_string", "password", "secret", "token", "dsn"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
