// Package problem describes what is wrong with an operator's files: what, where, and what to do.
//
// Loading, compiling and checking report every problem they find at once, as values of this
// package, so that one run shows the whole list. The package knows nothing of YAML, SQL or
// databases; it must not, because all of those report through it.
package problem

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// Severity says how bad a problem is.
type Severity int

// The severities, from harmless to fatal. Only an Error keeps a file from being used; --strict
// makes a Warning fail as well.
const (
	Info Severity = iota
	Warning
	Error
)

// String returns the severity in lower case, as printed in reports.
func (s Severity) String() string {
	switch s {
	case Info:
		return "info"
	case Warning:
		return "warning"
	default:
		return "error"
	}
}

// MarshalText makes severities readable in JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Position is a place in a file. Line and Column count from 1, columns in characters; 0 means
// unknown.
type Position struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// String returns file:line:column, leaving out what is unknown.
func (p Position) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	return strings.TrimPrefix(b.String(), ":")
}

// A Problem is one thing that an operator should know or repair.
type Problem struct {
	Severity Severity `json:"severity"`
	// Rule is the short stable name of the check that found it, for example "unknown-key".
	Rule string `json:"rule"`
	Position
	// Key is the YAML key concerned, with dots: tracker.peer.add_query.
	Key string `json:"key,omitempty"`
	// Message says what is wrong. It never contains a secret or an argument's value.
	Message string `json:"message"`
	// Fix says what to do about it. It may be empty where the message says it all.
	Fix string `json:"fix,omitempty"`
}

// String formats the problem on one line: position, severity, key, message, fix.
func (p Problem) String() string {
	var b strings.Builder
	if pos := p.Position.String(); pos != "" {
		b.WriteString(pos + ": ")
	}
	b.WriteString(p.Severity.String() + ": ")
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Message)
	if p.Fix != "" {
		b.WriteString("; " + p.Fix)
	}
	return b.String()
}

// List is a set of problems; it is usable as an error when at least one is an Error.
type List []Problem

// Error joins all problems, one a line.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, p := range l {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns the list as an error if it holds a problem of severity Error, otherwise nil.
func (l List) Err() error {
	if l.Count(Error) == 0 {
		return nil
	}
	return l
}

// Count returns the number of problems of at least the given severity.
func (l List) Count(atLeast Severity) int {
	n := 0
	for _, p := range l {
		if p.Severity >= atLeast {
			n++
		}
	}
	return n
}

// Sort orders the list by file, line, column, keeping the order of equal places.
func (l List) Sort() {
	sort.SliceStable(l, func(i, j int) bool {
		a, b := l[i].Position, l[j].Position
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
}

// From returns the list inside err, or nil if err holds none.
func From(err error) List {
	var l List
	if errors.As(err, &l) {
		return l
	}
	return nil
}

// Nearest returns the candidate most similar to name, or "" if none is close enough to be a
// likely misspelling (an edit distance of at most a third of the longer word, at least one).
func Nearest(name string, candidates []string) string {
	best, bestDistance := "", 1<<30
	for _, c := range candidates {
		d := distance(strings.ToLower(name), strings.ToLower(c))
		if d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if bestDistance > max(1, max(len(name), len(best))/3) {
		return ""
	}
	return best
}

// distance is the optimal string alignment distance: insertions, deletions, substitutions and
// swaps of neighbours count one each.
func distance(a, b string) int {
	previous2, previous, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], previous2[j-2]+1)
			}
		}
		previous2, previous, current = previous, current, previous2
	}
	return previous[len(b)]
}
