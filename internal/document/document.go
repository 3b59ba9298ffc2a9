// Package document reads an operator's YAML file into a tree whose every value knows its place,
// and finds everything that can be wrong with such a file before anyone knows what its keys mean:
// broken text and syntax, keys given twice, missing environment variables, values that YAML cuts
// or joins behind the operator's back.
//
// It must not know what any key stands for, nor anything of databases; of SQL it knows only as much
// as is needed to see where YAML has damaged a query.
package document

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/mortise-storage/mortise/storage/problem"
)

// The limits of what a file may hold. They are far above any real configuration and exist so that
// a wrong path or nested aliases cannot eat the machine's memory.
const (
	maxFileBytes  = 1 << 20
	maxNodes      = 20_000
	maxValueBytes = 4 * maxFileBytes
	maxDepth      = 100
)

// Kind says what a Node is.
type Kind int

// The kinds of nodes. A Null is a key without a value; it counts as absent.
const (
	Null Kind = iota
	Scalar
	Sequence
	Mapping
)

// String names the kind as in messages to operators.
func (k Kind) String() string {
	switch k {
	case Scalar:
		return "a text"
	case Sequence:
		return "a list"
	case Mapping:
		return "a group of keys"
	default:
		return "nothing"
	}
}

// Node is a value of the document. The methods accept a nil Node, which stands for an absent key.
type Node struct {
	Kind Kind
	// Key is the path of keys that leads here, as written in the file: tracker.peer.add_query,
	// hosts[0]. It is empty for the root.
	Key string
	// KeyPosition is the place of the last key of the path (of the item itself in a list).
	KeyPosition problem.Position
	// Position is the place of the value: for text from a file (!file), that file's first line; for
	// an alias, the place of the anchored value.
	Position problem.Position
	// Value is a scalar's text after expansion.
	Value string
	// FromEnv tells that part of Value came from an environment variable, so that no message may
	// show it.
	FromEnv bool
	// Comment is the YAML comment, from its #, that follows an unquoted text on the same line, or
	// on the next one if that is indented as the text's continuation would be.
	Comment string
	// Entries are the keys of a mapping, in order, without those that are given twice.
	Entries []Entry
	// Items are the values of a sequence.
	Items []*Node

	secret  bool
	invalid bool
	place   place
	files   []string
}

// Entry is a key of a mapping, as written, and its value, which is never nil.
type Entry struct {
	Name  string
	Value *Node
}

// Load reads and parses the file at path; see Parse.
func Load(path string, env func(string) (string, bool)) (*Node, problem.List) {
	data, reason := readFile(path, false)
	if reason != "" {
		return nil, problem.List{{Severity: problem.Error, Rule: "file", Position: problem.Position{File: path},
			Message: "the file " + reason, Fix: "check its path and permissions"}}
	}
	return Parse(path, data, env)
}

// Parse parses data, the content of file, and expands environment variables with env (nil: none
// is set). Names after !file are relative to file's folder. It returns all problems, in the order
// of their places, and the tree, which is nil if the file is too broken to have one. A value with
// a problem is in the tree, but its getters return nothing, so that no problem is reported twice.
func Parse(file string, data []byte, env func(string) (string, bool)) (*Node, problem.List) {
	source := newSource(file, strings.TrimPrefix(string(data), byteOrderMark))
	if found := source.checkFile(); len(found) > 0 {
		return nil, found
	}
	top, found := parseYAML(source)
	if top == nil {
		return nil, found
	}
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	b := builder{source: source, env: env}
	root := b.root(top)
	b.problems.Sort()
	return root, b.problems
}

// Get returns the value of a key of a mapping, whatever the case of its letters, or nil if there is
// no such key or nothing behind it.
func (n *Node) Get(key string) *Node {
	if value := n.entry(key); value != nil && value.Kind != Null {
		return value
	}
	return nil
}

func (n *Node) entry(key string) *Node {
	if n == nil {
		return nil
	}
	for _, e := range n.Entries {
		if fold(e.Name) == fold(key) {
			return e.Value
		}
	}
	return nil
}

// Files returns the files that !file values of the document named, whether or not they could be
// read. Only the root knows them.
func (n *Node) Files() []string {
	if n == nil {
		return nil
	}
	return n.files
}

// Problem makes a problem of this value, placed where the value is.
func (n *Node) Problem(severity problem.Severity, rule, message, fix string) problem.Problem {
	return problem.Problem{Severity: severity, Rule: rule, Position: n.Position, Key: n.Key, Message: message, Fix: fix}
}

// fold is how keys are compared: MoChi, whose files load unchanged, ignores case.
func fold(key string) string { return strings.ToLower(key) }

// readFile returns a file's content, or why there is none, without the path. With regular, it
// refuses what is not a plain file: a named pipe would block, a device might never end.
func readFile(path string, regular bool) (data []byte, reason string) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "does not exist"
	case err != nil:
		return nil, "cannot be read: " + reasonOf(err)
	case info.IsDir():
		return nil, "is a folder"
	case regular && !info.Mode().IsRegular():
		return nil, "is not a regular file"
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, "cannot be read: " + reasonOf(err)
	}
	defer f.Close() // only read, so closing cannot lose anything
	data, err = io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	switch {
	case err != nil:
		return nil, "cannot be read: " + reasonOf(err)
	case len(data) > maxFileBytes:
		return nil, "is larger than 1 MiB"
	}
	return data, ""
}

// reasonOf returns the system's words without the path, which may come from the environment.
func reasonOf(err error) string {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return failed.Err.Error()
	}
	return "unknown reason"
}
