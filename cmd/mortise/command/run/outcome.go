package run

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/query/literal"
)

// An outcome is what became of a run. It is the query's observer: what the service would count and log is
// told here.
type outcome struct {
	operation *operation.Operation
	config    string
	further   []string // the files of contracts beyond the built-in one
	statement *query.Statement
	values    []operation.Value
	call      *query.Call
	server    string

	// sent says that the statement reached the server, committed that its effects are kept.
	sent, committed bool
	elapsed         time.Duration
	notes           []string
	leftOut         []leftOut
	notices         []notice
	err             error
}

// A leftOut is a row that breaks the contract and that the service skips.
type leftOut struct {
	Column string `json:"column"`
	Rule   string `json:"rule"`
}

// A notice is what the server said beside its answer.
type notice struct {
	Severity string `json:"severity"`
	Message  string `json:"message"`
	Detail   string `json:"detail,omitempty"`
	Hint     string `json:"hint,omitempty"`
}

// BadRow implements query.Observer.
func (o *outcome) BadRow(_ *operation.Operation, column, rule string) {
	o.leftOut = append(o.leftOut, leftOut{Column: column, Rule: rule})
}

// Clamped implements query.Observer.
func (o *outcome) Clamped(_ *operation.Operation, column string) {
	o.notes = append(o.notes, "column "+column+" was outside of its range and was brought into it")
}

func (o *outcome) notice(said *pgconn.Notice) {
	o.notices = append(o.notices, notice{Severity: said.Severity, Message: said.Message, Detail: said.Detail, Hint: said.Hint})
}

// columns are those of the contract that the result has: what a result may lack is left out if it lacks it.
func (o *outcome) columns() []*operation.Column {
	if o.statement == nil || o.statement.Plan() == nil {
		return o.operation.Columns
	}
	reads := o.statement.Plan().Reads()
	return slices.DeleteFunc(slices.Clone(o.operation.Columns), func(c *operation.Column) bool {
		return c.MayBeMissing() && !slices.Contains(reads, c)
	})
}

// answered says what a host is answered for an empty result, if that is an error: NOT_FOUND.
func (o *outcome) answered() string {
	if o.err != nil || !o.sent {
		return ""
	}
	if _, err := o.call.Answer(); err != nil {
		return o.operation.Spec.GetEmpty().String()
	}
	return ""
}

// limit is what the operator's file or the contract allows a call of the operation; 0 if neither says it.
func (o *outcome) limit() time.Duration {
	if o.statement == nil {
		return 0
	}
	return o.statement.Timeout
}

// exit is how the command ends. The error was printed.
func (o *outcome) exit() error {
	var mistakes literal.Mistakes
	switch {
	case o.err == nil:
		return nil
	case errors.As(o.err, &mistakes):
		return &command.Exit{Status: command.Usage}
	}
	return command.Found()
}

// plainError is the rule of an error that has no place in the file and comes from no statement.
const plainError = "run"

// problems shows an error as what all commands show: where, what, and what to do.
func (o *outcome) problems() problem.List {
	if list := problem.From(o.err); list != nil {
		return list
	}
	p := problem.Problem{Severity: problem.Error, Rule: plainError, Key: o.operation.Key, Message: o.err.Error()}
	var f *fault.Error
	if errors.As(o.err, &f) {
		p.Rule, p.Position, p.Message = string(f.Reason), f.Position, f.Message
		if p.Position == (problem.Position{}) && o.statement != nil {
			p.Position = o.statement.Place(0)
		}
		if f.SQLState != "" {
			p.Message += fmt.Sprintf(" (SQLSTATE %s)", f.SQLState)
		}
		p.Fix = fix(f.SQLState)
	}
	return problem.List{p}
}

// fix is what to do about an error of the server, where that can be said in general.
func fix(state string) string {
	switch state {
	case "42501":
		return "grant the role of connection_string what the query needs, or let it connect as another role"
	case "42P01":
		return "create the table (mortise init applies a schema) or set the search_path of the role"
	case "25006":
		return "connect to the primary server"
	}
	return ""
}
