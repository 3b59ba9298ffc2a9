package query

import (
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/operation"
)

// Require makes it an error (DOES_NOT_EXIST) that the write affects no row, so that the server rolls
// back all of the call's group by itself, in the same round trip. Without it a composed method would
// see only after the commit that the row it depends on is not there. It works on operations with an
// AFFECTED result; a query that does not tell its number is taken to have affected a row.
func (c *Call) Require() *Call {
	c.required = true
	return c
}

// Plan returns how the call is sent and read, or nil while no database has described its statement.
func (c *Call) Plan() *Plan {
	plan := c.Statement.Plan()
	if plan != nil && c.required {
		return plan.Required()
	}
	return plan
}

// Required returns the plan for calls that must affect a row. It may be the plan itself.
func (p *Plan) Required() *Plan {
	if p.required == nil {
		return p
	}
	return p.required
}

// Base returns the plan that the database described: of a required plan the one it was made from.
func (p *Plan) Base() *Plan {
	if p.base == nil {
		return p
	}
	return p.base
}

// requiredPlan makes the form of a plan for calls that must affect a row. Its result is known without
// asking the database: the number, and the column that fails.
func (s *Statement) requiredPlan(plan *Plan, way boundWay, types *Types) *Plan {
	if s.Operation.Spec.GetResult() != annotation.Result_AFFECTED || way == boundUnknown {
		return nil
	}
	required := *plan
	required.base = plan
	if !s.countsItself(way) {
		required.TwoSteps = true
		return &required
	}
	before, after := s.boundWrite(1)
	required.SQL, required.prefix = s.tag()+before+s.compiled.Text+after, s.tag()+before
	required.fields = []pgconn.FieldDescription{
		{Name: "affected", DataTypeOID: pgtype.Int8OID, DataTypeSize: 8, TypeModifier: -1},
		{Name: "mortise_bound", DataTypeOID: pgtype.Int8OID, DataTypeSize: 8, TypeModifier: -1},
	}
	number := types.lookup(pgtype.Int8OID)
	codec, ok := intCodec(number)
	if !ok {
		return nil
	}
	required.resultFormats = []int16{number.format(), number.format()}
	required.affected = &columnPlan{position: 0, decode: codec.decode}
	required.content = planContent(required.SQL, &pgconn.StatementDescription{ParamOIDs: plan.ParamOIDs, Fields: required.fields})
	required.Name = required.content + strings.TrimPrefix(plan.Name, plan.content) // another one whenever the plan's own is
	return &required
}

// countsItself says whether the statement can stand inside another one that counts its rows. One that
// begins with WITH can only where that was tried: it may hold a write, which may not be nested.
func (s *Statement) countsItself(way boundWay) bool {
	if !writesRows(s.compiled.Command) {
		return false
	}
	return way == boundWrapped || way == boundNone && s.compiled.Command != "WITH"
}

func absent(op *operation.Operation) *fault.Error {
	return &fault.Error{Reason: fault.DoesNotExist, Operation: op.Key, Message: "resource does not exist"}
}
