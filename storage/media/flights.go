package media

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// read sends reads in one round trip. Each is a group of its own: they do not need one transaction, and
// one that the database refuses would take the answers of all others with it.
func (v view) read(ctx context.Context, calls ...*query.Call) error {
	flight := apart(calls...)
	v.Run(ctx, flight)
	return flight.Err()
}

// apart makes a flight in which each call is a group of its own.
func apart(calls ...*query.Call) *query.Flight {
	flight := &query.Flight{}
	for _, call := range calls {
		flight.Then(call)
	}
	return flight
}

// transact runs calls as one transaction, and in the same round trip, after its commit, the groups behind
// it. It returns the error of the transaction.
//
// A row that the database refuses for a reason that the contract takes for "nothing was affected" (a
// job whose unique key is taken, details that are there already) is no error, and yet undoes the whole
// transaction. Then the others are sent again without it, so that they stay together; it costs a
// round trip for each such row, and only with queries that have no ON CONFLICT.
func (v view) transact(ctx context.Context, calls []*query.Call, behind ...query.Group) error {
	for {
		flight := query.Calls(calls...)
		flight.Groups = append(flight.Groups, behind...)
		v.Run(ctx, flight)
		refused := slices.IndexFunc(calls, (*query.Call).Ignored)
		if refused < 0 {
			return query.Group(calls).Err()
		}
		calls[refused].Reset() // it affected nothing, and is nobody's culprit
		calls = slices.Delete(slices.Clone(calls), refused, refused+1)
	}
}

// culprit returns the call for which a transaction failed; nil if that is not known.
func culprit(calls []*query.Call) *query.Call {
	for _, call := range calls {
		if call.Culprit {
			return call
		}
	}
	return nil
}

// removed says whether a removal hit its row; nil if the query does not tell. A removal that was sent
// twice may have found nothing because of its own first effect.
func removed(call *query.Call) *bool {
	if n := affected(call); n != nil {
		return proto.Bool(*n > 0)
	}
	return nil
}

// affected is how many rows a write changed; nil if that is not known.
func affected(call *query.Call) *int64 {
	if !call.Counted || call.Resent && call.Affected == 0 {
		return nil
	}
	return proto.Int64(call.Affected)
}

// first returns the only row of a call, or a nil message, whose getters return nothing.
func first[T proto.Message](call *query.Call) (row T) {
	if call != nil && call.Found() {
		return call.Rows[0].(T)
	}
	return row
}

func doesNotExist(key string) error {
	return &fault.Error{Reason: fault.DoesNotExist, Operation: key, Message: "resource does not exist"}
}
