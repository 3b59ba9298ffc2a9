package query

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"google.golang.org/protobuf/proto"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/operation"
)

// A Call is one use of an operation: a request on its way to the database, and what came back. It is
// used by one goroutine at a time.
type Call struct {
	Statement *Statement
	// Rows are the rows of a ROWS result, and the first row of a ROW or SCALAR one.
	Rows []proto.Message
	// Affected is the number of rows that a write changed, if Counted says that it is known.
	Affected int64
	Counted  bool
	// Resent says that the call was sent again after a connection was lost while its outcome was
	// unknown, so that the answer may be about its own first effect.
	Resent bool
	// Once says that the operator's query must not run twice, although the contract allows it: it does
	// not store what a second run would be known by.
	Once bool
	// Err is why the call failed. A group fails as a whole; Culprit says that it was because of this
	// call, as far as that is known.
	Err     error
	Culprit bool

	values   []operation.Value
	observer Observer
	required bool
}

// An Observer is told what the executor let pass: rows that it skipped and numbers that it clamped.
type Observer interface {
	BadRow(op *operation.Operation, column string, rule string)
	Clamped(op *operation.Operation, column string)
}

// NewCall checks a request against the contract and prepares it for sending. now is the service's
// clock. A request that breaks the contract never reaches the database: the error says which
// parameter breaks which rule, and never holds a value.
func NewCall(s *Statement, request proto.Message, now time.Time, observer Observer) (*Call, error) {
	values, err := checkedValues(s.Operation, request, now)
	if err != nil {
		return nil, err
	}
	for i, p := range s.Operation.Parameters {
		if p.Rules.GetCapability() && !s.uses[i] && p.Asked(&values[i]) {
			return nil, fault.New(fault.Unsupported, s.Operation.Key, "the request sets %s, which the operator's query does not use", p.Name)
		}
	}
	return &Call{Statement: s, values: values, observer: observer}, nil
}

// checkedValues reads the parameters of a request and checks them against the contract.
func checkedValues(op *operation.Operation, request proto.Message, now time.Time) ([]operation.Value, error) {
	values, err := op.Values(request, now, nil)
	var bad *operation.ArgumentError
	if errors.As(err, &bad) {
		return nil, fault.New(fault.InvalidArgument, op.Key, "%s", bad.Error())
	}
	return values, err
}

// Lane returns the value that routes the call to a lane, and whether it has one.
func (c *Call) Lane() (operation.Value, bool) { return c.Statement.Operation.Lane(c.values) }

// Values returns the arguments, in the order of the operation's parameters. They belong to the call.
func (c *Call) Values() []operation.Value { return c.values }

// Reset forgets an answer, before the call is sent again.
func (c *Call) Reset() {
	c.Rows, c.Affected, c.Counted, c.Err, c.Culprit = nil, 0, false, nil, false
}

// Found says whether a row came back.
func (c *Call) Found() bool { return len(c.Rows) > 0 }

// RowsOf returns the rows of a call as what they are.
func RowsOf[T proto.Message](c *Call) []T {
	rows := make([]T, len(c.Rows))
	for i, row := range c.Rows {
		rows[i] = row.(T)
	}
	return rows
}

// Encode returns the wire form of the call's arguments under a plan. A value that the database's
// type cannot hold is found here, before anything is sent: sending it would cost the connection.
func (c *Call) Encode(p *Plan) ([][]byte, error) {
	arguments := make([][]byte, len(p.arguments))
	// One buffer serves all arguments; what was cut from it before it grew stays valid.
	buf := make([]byte, 0, 32*len(arguments))
	for i, a := range p.arguments {
		v := &c.values[a.parameter.Index]
		if v.Null {
			continue
		}
		start := len(buf)
		var err error
		if buf, err = a.encode(v, buf); err != nil {
			return nil, fault.New(fault.Rejected, c.Statement.Operation.Key, "%s does not fit the database's type %s", a.parameter.Name, a.typeName)
		}
		arguments[i] = buf[start:len(buf):len(buf)]
	}
	return arguments, nil
}

// Read takes the statement's result from the connection to its end. An error of the contract (a bad
// row) is returned; it leaves the connection usable.
func (c *Call) Read(p *Plan, reader *pgconn.ResultReader) error {
	c.Reset()
	var bad error
	result := c.Statement.Operation.Spec.GetResult()
	first := true
	for reader.NextRow() {
		switch {
		case bad != nil:
		case result == annotation.Result_ROWS:
			bad = c.readRow(p, reader.Values())
		case first && p.affected != nil:
			bad = c.readAffected(p, reader.Values())
		case first && (result == annotation.Result_ROW || result == annotation.Result_SCALAR):
			bad = c.readRow(p, reader.Values())
		}
		first = false
	}
	tag, err := reader.Close()
	if err != nil {
		return err
	}
	switch {
	case tag.Insert() || tag.Update() || tag.Delete() || isMerge(tag): // also with RETURNING
		c.Affected, c.Counted = tag.RowsAffected(), true
	case p.affected != nil:
		c.Counted = true // a query that tells the number, and gives no row, changed nothing
	}
	return bad
}

func isMerge(tag pgconn.CommandTag) bool {
	text := tag.String()
	return len(text) >= 5 && text[:5] == "MERGE"
}

func (c *Call) readAffected(p *Plan, wire [][]byte) error {
	if wire[p.affected.position] == nil {
		return nil // NULL: nothing was changed
	}
	var v operation.Value
	if err := p.affected.decode(wire[p.affected.position], &v); err != nil {
		return fault.New(fault.BadResult, c.Statement.Operation.Key, "column affected: %s", err)
	}
	c.Affected = max(v.Int, 0)
	return nil
}

func (c *Call) readRow(p *Plan, wire [][]byte) error {
	op := c.Statement.Operation
	row := op.NewRow()
	for i := range p.columns {
		cp := &p.columns[i]
		v := operation.Value{Null: wire[cp.position] == nil}
		err := error(nil)
		if v.Null && op.Spec.GetNullIsEmpty() {
			return nil // the same as no row
		}
		if !v.Null {
			if err = cp.decode(wire[cp.position], &v); err != nil {
				err = &operation.BadColumn{Column: cp.column.Name, Rule: err.Error()}
			}
		}
		clamped := false
		if err == nil {
			clamped, err = cp.column.Store(row, &v)
		}
		if clamped && c.observer != nil {
			c.observer.Clamped(op, cp.column.Name)
		}
		if err != nil {
			return c.badRow(cp.column.Name, err)
		}
	}
	c.Rows = append(c.Rows, row)
	return nil
}

// badRow skips a row or fails the call, as the contract says.
func (c *Call) badRow(column string, err error) error {
	op := c.Statement.Operation
	if op.Spec.GetBadRows() != annotation.BadRows_SKIP {
		return fault.New(fault.BadResult, op.Key, "%s", err)
	}
	var bad *operation.BadColumn
	if errors.As(err, &bad) && c.observer != nil {
		c.observer.BadRow(op, column, bad.Rule)
	}
	return nil
}

// Answer makes the response of a method that is exactly this operation, or the error that the
// contract gives an empty result.
func (c *Call) Answer() (proto.Message, error) {
	if c.Err != nil {
		return nil, c.Err
	}
	op := c.Statement.Operation
	switch op.Spec.GetResult() {
	case annotation.Result_NONE:
		return op.NewRow(), nil
	case annotation.Result_AFFECTED:
		if c.Counted && c.Affected == 0 && !c.Resent {
			if err := emptyError(op); err != nil {
				return nil, err
			}
		}
		return c.affectedResponse()
	}
	if !c.Found() {
		if err := emptyError(op); err != nil {
			return nil, err
		}
	}
	return op.NewResponse(c.Rows), nil
}

func (c *Call) affectedResponse() (proto.Message, error) {
	op := c.Statement.Operation
	response := op.NewRow()
	if !c.Counted {
		return response, nil
	}
	_, err := op.Columns[0].Store(response, &operation.Value{Int: c.Affected})
	return response, err
}

// A Group is calls that succeed or fail together: one implicit transaction.
type Group []*Call

// A Flight is groups that travel together: all are sent before the first answer is awaited, so that
// they cost one round trip. A group that fails does not keep later groups from running.
type Flight struct {
	Groups []Group
}

// Calls returns a flight of calls that are one transaction.
func Calls(calls ...*Call) *Flight { return &Flight{Groups: []Group{calls}} }

// Then adds a further transaction to the flight.
func (f *Flight) Then(calls ...*Call) *Flight {
	if len(calls) > 0 {
		f.Groups = append(f.Groups, calls)
	}
	return f
}

// Err returns the error of the first call that failed.
func (f *Flight) Err() error {
	for _, group := range f.Groups {
		if err := group.Err(); err != nil {
			return err
		}
	}
	return nil
}

// Err returns the error of the group's first call that failed.
func (g Group) Err() error {
	for _, c := range g {
		if c.Err != nil {
			return c.Err
		}
	}
	return nil
}

// A Runner executes flights. When Run returns, each call holds its answer or its error. The pool of
// package database is one; a lane that joins the flights of several callers is another.
type Runner interface {
	Run(ctx context.Context, flight *Flight)
}

// emptyError is what the contract says about an empty result; nil if that is fine.
func emptyError(op *operation.Operation) error {
	switch op.Spec.GetEmpty() {
	case annotation.Empty_NOT_FOUND:
		return &fault.Error{Reason: fault.DoesNotExist, Operation: op.Key, Message: "resource does not exist"}
	case annotation.Empty_ALREADY_EXISTS:
		return &fault.Error{Reason: fault.AlreadyExists, Operation: op.Key, Message: "resource exists already"}
	case annotation.Empty_FAILED_PRECONDITION:
		return &fault.Error{Reason: fault.Precondition, Operation: op.Key, Message: "the stored state does not allow it"}
	}
	return nil
}

// Fail gives all calls of the group an error. They are one transaction, so none of them happened;
// the error names the operation that caused it, if it is known. A refusal that the contract takes for
// "nothing was affected" is none for a call that is a transaction of its own.
func (g Group) Fail(err error) {
	for _, c := range g {
		c.Reset()
		c.Err = err
	}
	if len(g) == 1 && g[0].ignores(err) {
		g[0].Err, g[0].Counted = nil, true
	}
}

// FailAt is Fail where the call at an index is to blame; -1 if that is not known.
func (g Group) FailAt(culprit int, err error) {
	g.Fail(err)
	if culprit >= 0 {
		g[culprit].Culprit = true
	}
}

// Ignored says that the group failed because of this call, and for a reason that the contract takes for
// "nothing was affected": the others were undone with it, and may be sent again without it.
func (c *Call) Ignored() bool { return c.Culprit && c.ignores(c.Err) }

func (c *Call) ignores(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && refusal(c.Statement.Operation, f.SQLState) == annotation.Refusal_IGNORED
}
