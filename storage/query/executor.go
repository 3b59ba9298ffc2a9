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

// An Executor runs operations of the operator's current set of statements, which can be replaced at any
// time. Whoever makes calls begins with a Snapshot: only that knows statements, so that the parts of one
// call cannot come from two sets.
type Executor struct {
	contract *operation.Contract
	current  atomic.Pointer[Snapshot]
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
	e.Use(set)
	return e
}

// Use replaces the set in one step. Its statements must have their plans. Calls that are under way
// finish on the snapshot they began with.
func (e *Executor) Use(set *Set) { e.current.Store(&Snapshot{executor: e, set: set}) }

// Begin returns what a call works with from its begin to its end. It costs no more than a load.
func (e *Executor) Begin() *Snapshot { return e.current.Load() }

// Set returns the current statements.
func (e *Executor) Set() *Set { return e.Begin().set }

// Invoke runs a method that is exactly one operation.
func (e *Executor) Invoke(ctx context.Context, op *operation.Operation, request proto.Message) (proto.Message, error) {
	return e.Begin().invoke(ctx, op, request)
}

// Run executes a flight. Its calls know their statements already.
func (e *Executor) Run(ctx context.Context, flight *Flight) { e.runner.Run(ctx, flight) }

// A Snapshot is an operator's statements and settings as they were together when a call began. It is
// immutable but for the plans inside the statements, and shared by all calls that began with it.
type Snapshot struct {
	executor *Executor
	set      *Set
}

// Set returns the statements.
func (s *Snapshot) Set() *Set { return s.set }

// Settings returns the settings of a section; nil if the set came without.
func (s *Snapshot) Settings(section string) proto.Message { return s.set.settings[section] }

// Now is the service's clock: UTC, whole microseconds, which is what the database stores.
func (s *Snapshot) Now() time.Time { return s.executor.clock().UTC().Truncate(time.Microsecond) }

// Statement returns the statement of the operation that a method declares, by the method's full name
// as gRPC writes it (the generated constants); nil if the operator gave no query for it.
func (s *Snapshot) Statement(method string) *Statement {
	op := s.executor.contract.Method(method)
	if op == nil {
		return nil
	}
	return s.set.Statement(op)
}

// Complete says whether the group of a section can be used: the operator gave all queries that it
// requires, and at least one.
func (s *Snapshot) Complete(section, group string) bool {
	some := false
	for _, declared := range s.executor.contract.Sections() {
		if declared.Name != section {
			continue
		}
		for _, op := range declared.Operations {
			if op.Group != group {
				continue
			}
			given := s.set.Statement(op) != nil
			if op.Spec.GetNeed() == annotation.Need_REQUIRED && !given {
				return false
			}
			some = some || given
		}
	}
	return some
}

// Call prepares a call of the operation that a method declares. It fails if the operator gave no
// query for it, or if the request breaks the contract.
func (s *Snapshot) Call(method string, request proto.Message) (*Call, error) {
	op := s.executor.contract.Method(method)
	if op == nil {
		return nil, fault.New(fault.Internal, "", "no operation is declared as %s", method)
	}
	return s.call(op, request)
}

func (s *Snapshot) call(op *operation.Operation, request proto.Message) (*Call, error) {
	statement := s.set.Statement(op)
	if statement == nil {
		text := "no query is configured for it; add this key to the query file"
		if without := op.Spec.GetWithout(); without != "" {
			text += " (without it " + without + ")"
		}
		return nil, fault.New(fault.NotConfigured, op.Key, "%s", text)
	}
	return NewCall(statement, request, s.Now(), s.executor.observer)
}

// Check tells whether a request fits the contract of the operation that a method declares, whether or
// not the operator gave a query for it.
func (s *Snapshot) Check(method string, request proto.Message) error {
	op := s.executor.contract.Method(method)
	if op == nil {
		return fault.New(fault.Internal, "", "no operation is declared as %s", method)
	}
	_, err := checkedValues(op, request, s.Now())
	return err
}

// Run executes a flight.
func (s *Snapshot) Run(ctx context.Context, flight *Flight) { s.executor.runner.Run(ctx, flight) }

func (s *Snapshot) invoke(ctx context.Context, op *operation.Operation, request proto.Message) (proto.Message, error) {
	call, err := s.call(op, request)
	if err != nil {
		return nil, err
	}
	if op.Empty(request) {
		return call.nothing()
	}
	s.Run(ctx, Calls(call))
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
func (s *Snapshot) BadRow(op *operation.Operation, column, rule string) {
	if s.executor.observer != nil {
		s.executor.observer.BadRow(op, column, rule)
	}
}
