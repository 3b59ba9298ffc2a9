package query

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/operation"
)

func serverError(err error) *pgconn.PgError {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr
	}
	return nil
}

func isServerError(err error) bool { return serverError(err) != nil }

// Fault turns what the server said about a statement into the error that the caller sees: the reason
// by the class of the SQLSTATE, the place in the operator's own file. The server's message is kept
// only where it cannot hold a value: not for errors about data, whose texts quote it.
func (p *Plan) Fault(err *pgconn.PgError) *fault.Error {
	s := p.statement
	f := &fault.Error{Operation: s.Operation.Key, SQLState: err.Code, Cause: err}
	if rows, ok := boundViolation(err); ok && rows == "0" {
		return absent(s.Operation)
	} else if ok {
		f.Reason, f.SQLState = fault.RowBound, ""
		f.Message = fmt.Sprintf("the query hits %s rows, and at most %d are meant; nothing was changed. A predicate is missing in the query", rows, s.MaxRows)
		f.Position = s.source.locate(0)
		return f
	}
	if err.Position > 0 {
		f.Position = s.position(p.prefix, int(err.Position))
	}
	f.Reason, f.Message = classify(err)
	switch refusal(s.Operation, err.Code) {
	case annotation.Refusal_ABSENT:
		f.Reason, f.Message = fault.DoesNotExist, "what it refers to does not exist"+constraint(err)
	case annotation.Refusal_USED:
		f.Reason, f.Message = fault.InUse, "something still refers to it"+constraint(err)
	}
	return f
}

// refusal is what the contract says of a row that a key of the table refuses.
func refusal(op *operation.Operation, sqlstate string) annotation.Refusal {
	switch sqlstate {
	case uniqueViolation:
		return op.Spec.GetUnique()
	case foreignKeyViolation:
		return op.Spec.GetForeignKey()
	}
	return annotation.Refusal_REFUSED
}

// The codes of violated keys (PostgreSQL's manual, appendix A).
const (
	uniqueViolation     = "23505"
	foreignKeyViolation = "23503"
)

func constraint(err *pgconn.PgError) string {
	if err.ConstraintName == "" {
		return ""
	}
	return " (constraint " + err.ConstraintName + ")"
}

// OutOfBounds is the error for a write whose count was seen before its commit; nil if it is as it may be.
func (c *Call) OutOfBounds() error {
	s := c.Statement
	switch {
	case !c.Counted:
		return nil
	case c.required && c.Affected == 0:
		return absent(s.Operation)
	case s.MaxRows == 0 || c.Affected <= s.MaxRows:
		return nil
	}
	return &fault.Error{Reason: fault.RowBound, Operation: s.Operation.Key, Position: s.source.locate(0),
		Message: fmt.Sprintf("the query hits %d rows, and at most %d are meant; nothing was changed. A predicate is missing in the query", c.Affected, s.MaxRows)}
}

// classify follows PostgreSQL's table of error codes (its appendix A) by class.
func classify(err *pgconn.PgError) (fault.Reason, string) {
	switch err.Code {
	case "40001", "40P01", "55P03":
		return fault.Conflict, "another transaction was in the way, again and again; nothing was changed"
	case "40003":
		return fault.UnknownOutcome, "the database does not know whether it was committed"
	case "57014":
		return fault.Timeout, "the statement was cancelled by the database"
	case "25006":
		return fault.Unavailable, "the server is read-only (a standby?)"
	case "53300", "53400":
		return fault.Overload, "the database refuses more work: " + said(err)
	}
	class := ""
	if len(err.Code) >= 2 {
		class = err.Code[:2]
	}
	switch class {
	case "08", "57":
		return fault.Unavailable, "the database is not available: " + said(err)
	case "22", "54":
		return fault.Rejected, "the database refuses the value" + constraint(err)
	case "23", "44": // 44: a view's WITH CHECK OPTION
		return fault.Rejected, "a constraint of the table refuses the row" + constraint(err)
	case "53", "58":
		return fault.Unavailable, "the database lacks resources"
	case "P0": // raised by the operator's own function or trigger
		return fault.Rejected, "the operator's own SQL refuses it"
	}
	return fault.Query, "the database cannot run the query: " + said(err)
}

// said is the server's message, unless it comes from within a function of the operator, which may
// have put a value into it: by RAISE with an SQLSTATE of any class, or by a statement that it composed.
func said(err *pgconn.PgError) string {
	if err.Where != "" || err.InternalQuery != "" {
		return "a function that it uses failed"
	}
	return err.Message
}
