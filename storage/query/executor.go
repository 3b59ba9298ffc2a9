package query

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/operation"
)

// An Executor runs operations of the current set of statements. Services hold one; the set behind it
// can be replaced at any time, and calls that are under way finish on the one they started with.
type Executor struct {
	contract *operation.Contract
	set      atomic.Pointer[Set]
	runner   Runner
	observer Observer
	clock    func() time.Time
}

// NewExecutor makes an executor. clock may be nil for the system's; observer may be nil.
func NewExecutor(contract *operation.Contract, set *Set, runner Runner, observer Observer, clock func() time.Time) *Executor {
	if clock == nil {
		clock = time.Now
	}
	e := &Executor{contract: contract, runner: runner, observer: observer, clock: clock}
	e.set.Store(set)
	return e
}

// Set returns the current statements.
func (e *Executor) Set() *Set { return e.set.Load() }

// Use replaces the statements in one step. Those of the new set must have their plans.
func (e *Executor) Use(set *Set) { e.set.Store(set) }

// Now is the service's clock: UTC, whole microseconds, which is what the database stores.
func (e *Executor) Now() time.Time { return e.clock().UTC().Truncate(time.Microsecond) }

// Statement returns the statement of the operation that a method declares, by the method's full name
// as gRPC writes it (the generated constants); nil if the operator gave no query for it.
func (e *Executor) Statement(method string) *Statement {
	op := e.contract.Method(method)
	if op == nil {
		return nil
	}
	return e.set.Load().Statement(op)
}

// Call prepares a call of the operation that a method declares. It fails if the operator gave no
// query for it, or if the request breaks the contract.
func (e *Executor) Call(method string, request proto.Message) (*Call, error) {
	op := e.contract.Method(method)
	if op == nil {
		return nil, fault.New(fault.Internal, "", "no operation is declared as %s", method)
	}
	return e.call(op, request)
}

func (e *Executor) call(op *operation.Operation, request proto.Message) (*Call, error) {
	statement := e.set.Load().Statement(op)
	if statement == nil {
		text := "no query is configured for it; add this key to the query file"
		if without := op.Spec.GetWithout(); without != "" {
			text += " (without it " + without + ")"
		}
		return nil, fault.New(fault.NotConfigured, op.Key, "%s", text)
	}
	return NewCall(statement, request, e.Now(), e.observer)
}

// Check tells whether a request fits the contract of the operation that a method declares, whether or
// not the operator gave a query for it.
func (e *Executor) Check(method string, request proto.Message) error {
	op := e.contract.Method(method)
	if op == nil {
		return fault.New(fault.Internal, "", "no operation is declared as %s", method)
	}
	_, err := checkedValues(op, request, e.Now())
	return err
}

// Run executes a flight.
func (e *Executor) Run(ctx context.Context, flight *Flight) { e.runner.Run(ctx, flight) }

// Invoke runs a method that is exactly one operation.
func (e *Executor) Invoke(ctx context.Context, op *operation.Operation, request proto.Message) (proto.Message, error) {
	call, err := e.call(op, request)
	if err != nil {
		return nil, err
	}
	if op.Empty(request) {
		return call.nothing()
	}
	e.Run(ctx, Calls(call))
	return call.Answer()
}

// nothing answers a call that has nothing to do: nothing was changed, nothing was found.
func (c *Call) nothing() (proto.Message, error) {
	if c.Statement.Operation.Spec.GetResult() != annotation.Result_AFFECTED {
		return c.Statement.Operation.NewResponse(nil), nil
	}
	c.Counted = true
	return c.affectedResponse()
}

// BadRow reports a row that a composed method had to leave out.
func (e *Executor) BadRow(op *operation.Operation, column, rule string) {
	if e.observer != nil {
		e.observer.BadRow(op, column, rule)
	}
}
