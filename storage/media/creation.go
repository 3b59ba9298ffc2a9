package media

import (
	"context"

	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// An insertion stores a row under a key, unless the key is taken: then the row that is there stays.
// Queries say that in two ways: no row was affected (ON CONFLICT DO NOTHING), or SQLSTATE 23505.
type insertion struct {
	call *query.Call
	// stored reads what is there under the key. If the first call finds nothing, the key is free.
	stored []*query.Call
	// same says whether stored found exactly what the call was to store.
	same func() bool
}

// insert runs the insertion. The error is ALREADY_EXISTS if the key is taken.
func (v view) insert(ctx context.Context, in insertion) error {
	v.Run(ctx, query.Calls(in.call))
	return v.inserted(ctx, in)
}

// inserted is what the answer to an insertion means. What is there is read only where the answer alone
// does not tell: after a unique violation, which may come from another key than that of the operation,
// and after a call that was sent twice, which may have met its own row.
func (v view) inserted(ctx context.Context, in insertion) error {
	clashed := uniqueViolation(in.call.Err)
	switch {
	case in.call.Err != nil && !clashed:
		return in.call.Err
	case !clashed && hasStored(in.call):
		return nil
	case !clashed && !in.call.Resent:
		return alreadyExists(in.call)
	}
	if err := v.read(ctx, in.stored...); err != nil {
		return err
	}
	switch {
	case in.call.Resent && in.same():
		return nil
	case clashed && !in.stored[0].Found():
		return otherKey(in.call)
	}
	return alreadyExists(in.call)
}

// hasStored says whether an insert that succeeded stored its row. A query that does not tell, because it
// has no result at all, is taken to have stored it.
func hasStored(call *query.Call) bool {
	switch {
	case call.Found():
		return true
	case call.Counted:
		return call.Affected > 0
	}
	return len(call.Plan().Description().Fields) == 0
}

// uniqueViolation says whether an error is SQLSTATE 23505 (PostgreSQL's manual, appendix A).
func uniqueViolation(err error) bool { return err != nil && fault.SQLStateOf(err) == "23505" }

func alreadyExists(call *query.Call) error {
	return &fault.Error{Reason: fault.AlreadyExists, Operation: call.Statement.Operation.Key, Message: "resource exists already"}
}

// otherKey is the error for a unique violation although the row is not there: the table has another
// unique key, and the operator's query does not say which one it means.
func otherKey(call *query.Call) error {
	return &fault.Error{Reason: fault.Query, Operation: call.Statement.Operation.Key, SQLState: fault.SQLStateOf(call.Err), Cause: call.Err,
		Message: "another unique key of the table than the operation's own refuses the row; nothing was stored"}
}
