package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

// An Input is what an operator's file says, as far as rules look at it.
type Input struct {
	Contract *operation.Contract
	// Set has the compiled statements. What did not compile is not in it, and not looked at here.
	Set     *query.Set
	Sources query.Sources
	// Settings are the settings messages by section.
	Settings map[string]proto.Message
	// Connection is the connection string. It is never printed.
	Connection string
	// AnnounceInterval is what a tracker tells its clients, where the file says it (a whole MoChi
	// configuration does); 0 is not known.
	AnnounceInterval time.Duration
	// Given says whether a key ("tracker.peer_lifetime") stands in the file; nil is not known.
	Given func(key string) bool
	// Place returns the place of a key's value, or of the nearest thing around it; nil is not known.
	Place  func(key string) problem.Position
	Target Target
	// Online says that a check against the database's catalogue is made as well. What that sees better,
	// such as which indexes there are, is then left to it.
	Online bool
}

// given says whether a key stands in the file; where that is not known, it is taken to be there.
func (in *Input) given(key string) bool { return in.Given == nil || in.Given(key) }

func (in *Input) place(key string) problem.Position {
	switch {
	case in.Place != nil:
		return in.Place(key)
	case in.Sources.Place != nil:
		return in.Sources.Place(key)
	}
	return problem.Position{}
}

// A file is all statements as the rules see them.
type file struct {
	*Input
	readings []*reading
}

// statement returns the statement of an operation, or nil.
func (f *file) statement(key string) *reading {
	for _, r := range f.readings {
		if r.op.Key == key {
			return r
		}
	}
	return nil
}

// Texts applies all rules that need no database. What the scanner and the loader have found is not
// found again; see Merge.
func Texts(in Input) problem.List {
	f := &file{Input: &in}
	if in.Set != nil {
		for _, s := range in.Set.Statements() {
			f.readings = append(f.readings, read(s))
		}
	}
	c := &collection{seen: map[string]bool{}}
	for _, l := range assembled() {
		level := l.on.on(in.Target)
		if level == silent || l.offline && in.Online {
			continue
		}
		if l.file != nil {
			l.file(f, &finder{lint: l, level: level, input: &in, to: c})
			continue
		}
		for _, r := range f.readings {
			l.statement(r, &finder{lint: l, level: level, input: &in, reading: r, to: c})
		}
	}
	c.list.Sort()
	return c.list
}

// Merge puts what Texts found to what the loader found. Where both speak of the same thing, only the
// more telling problem stays.
func Merge(loaded, found problem.List) problem.List {
	var merged problem.List
	for _, p := range loaded {
		if !said(p, found) {
			merged = append(merged, p)
		}
	}
	merged = append(merged, found...)
	merged.Sort()
	return merged
}

// said tells whether a problem is among others in other words: a scanner's warning of an unused
// parameter, or what the database has described and the text shows as well, with a place.
func said(p problem.Problem, found problem.List) bool {
	return slices.ContainsFunc(found, func(other problem.Problem) bool {
		if other.Key != p.Key {
			return false
		}
		switch p.Rule {
		case sqltext.RuleUnusedIdentity:
			return other.Rule == "T02" && strings.Contains(p.Message, " "+unusedName(other.Message)+",")
		case "row-bound-unknown":
			return other.Rule == unknownCountRule
		case doubledColumnRule, missingColumnRule, noResultRule:
			return other.Rule == p.Rule
		}
		return false
	})
}

// unusedName returns the name in T02's message.
func unusedName(message string) string {
	_, rest, _ := strings.Cut(message, "@")
	name, _, _ := strings.Cut(rest, " ")
	return name
}

// A collection is what was found so far. The text of a query that clauses are appended to is read
// again with each clause; what is found there a second time is left out.
type collection struct {
	list problem.List
	seen map[string]bool
}

func (c *collection) add(p problem.Problem) {
	where := p.Position.String()
	if p.Line == 0 {
		where = p.Key
	}
	id := fmt.Sprint(p.Rule, "|", where, "|", p.Message)
	if !c.seen[id] {
		c.seen[id] = true
		c.list = append(c.list, p)
	}
}

// A finder reports what one rule finds.
type finder struct {
	lint    *lint
	level   level
	input   *Input
	reading *reading
	to      *collection
}

// as returns a finder that reports at another level than the rule's own.
func (f *finder) as(l level) *finder {
	other := *f
	other.level = l
	return &other
}

// in returns a finder for a rule on the whole file that has found something in a statement.
func (f *finder) in(r *reading) *finder {
	other := *f
	other.reading = r
	return &other
}

// at reports something at a byte offset in the statement's positional text.
func (f *finder) at(offset int, message, fix string) {
	f.to.add(problem.Problem{Severity: f.level.severity(), Rule: f.lint.Name, Position: f.reading.statement.At(offset),
		Key: f.reading.op.Key, Message: message, Fix: fix})
}

// key reports something about a key of the file.
func (f *finder) key(key, message, fix string) {
	f.to.add(problem.Problem{Severity: f.level.severity(), Rule: f.lint.Name, Position: f.input.place(key), Key: key,
		Message: message, Fix: fix})
}
