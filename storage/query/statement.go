package query

import (
	"strconv"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

// A Statement is an operation's SQL after compiling. Its plan comes later, when a database has
// described it, and is replaced when the database's types change.
type Statement struct {
	Operation *operation.Operation
	// Timeout is the limit for a call; 0 leaves it to the configuration.
	Timeout time.Duration
	// MaxRows is the bound on affected rows; 0 is none.
	MaxRows int64

	source   Source
	compiled *sqltext.Compiled
	uses     []bool // by parameter index
	plan     atomic.Pointer[Plan]
}

// Compile reads an operator's query for an operation. The statement is nil if a problem is an Error.
func Compile(op *operation.Operation, source Source) (*Statement, problem.List) {
	declared := make([]sqltext.Parameter, len(op.Parameters))
	for i, p := range op.Parameters {
		declared[i] = sqltext.Parameter{Name: p.Name, Identity: p.Identity()}
	}
	compiled, findings := sqltext.Compile(source.SQL, declared)
	var problems problem.List
	for _, f := range findings {
		problems = append(problems, problem.Problem{Severity: f.Severity, Rule: f.Rule, Position: source.locate(f.Offset),
			Key: op.Key, Message: f.Message, Fix: f.Fix})
	}
	if compiled == nil {
		return nil, problems
	}
	s := &Statement{Operation: op, Timeout: source.Timeout, MaxRows: op.Spec.GetMaxRows(), source: source, compiled: compiled,
		uses: make([]bool, len(op.Parameters))}
	if s.Timeout == 0 {
		s.Timeout = op.Timeout
	}
	if source.MaxRows != nil {
		s.MaxRows = *source.MaxRows
	}
	for _, arg := range compiled.Args {
		s.uses[arg] = true
	}
	return s, problems
}

// Uses says whether the query uses the parameter with this name.
func (s *Statement) Uses(name string) bool {
	p := s.Operation.Parameter(name)
	return p != nil && s.uses[p.Index]
}

// Plan returns how the statement is sent and read, or nil while no database has described it.
func (s *Statement) Plan() *Plan { return s.plan.Load() }

// Text returns the positional SQL as it is sent, without the row bound.
func (s *Statement) Text() string { return s.tag() + s.compiled.Text }

// Positional returns the operator's text with the parameters as $1, $2, ..., without the tag: what
// those read who look into a query.
func (s *Statement) Positional() string { return s.compiled.Text }

// Compiled returns what the scanner found in the operator's text.
func (s *Statement) Compiled() *sqltext.Compiled { return s.compiled }

// At returns the place in the operator's file of a byte offset in Positional.
func (s *Statement) At(offset int) problem.Position {
	return s.source.locate(s.compiled.Origin(offset))
}

// Place returns the place in the operator's file of a byte offset in the operator's own text.
func (s *Statement) Place(offset int) problem.Position { return s.source.locate(offset) }

// Arguments returns the names of the parameters that $1, $2, ... stand for in Text.
func (s *Statement) Arguments() []string {
	names := make([]string, len(s.compiled.Args))
	for i, index := range s.compiled.Args {
		names[i] = s.Operation.Parameters[index].Name
	}
	return names
}

// Source returns what the operator wrote.
func (s *Statement) Source() Source { return s.source }

// tag is a constant comment in front of the statement, so that pg_stat_statements and the server's
// log lead back to the operator's key. Nothing that changes from call to call is ever put there.
func (s *Statement) tag() string { return "/* " + s.Operation.Key + " */ " }

// ArgumentPosition is the place of the first use of $number in the operator's file.
func (s *Statement) ArgumentPosition(number int) problem.Position {
	ordinal := "$" + strconv.Itoa(number)
	tokens, err := sqltext.Tokenize(s.compiled.Text)
	if err != nil {
		return problem.Position{}
	}
	for _, t := range tokens {
		if t.Kind == sqltext.Position && s.compiled.Text[t.Start:t.End] == ordinal {
			return s.source.locate(s.compiled.Origin(t.Start))
		}
	}
	return problem.Position{}
}

// position maps a position that the server reported (characters, from 1) in a text that starts with
// prefix to the operator's file.
func (s *Statement) position(prefix string, serverPosition int) problem.Position {
	if serverPosition == 0 {
		return problem.Position{}
	}
	offset, ok := s.compiled.SourceOffset(serverPosition - utf8.RuneCountInString(prefix))
	if !ok {
		offset = 0
	}
	return s.source.locate(offset)
}
