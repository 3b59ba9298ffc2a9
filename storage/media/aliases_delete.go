package media

import (
	"context"
	"crypto/subtle"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// Delete implements the method of the API, in two round trips: the first looks up the token and the
// hash; the second is the transaction that deletes, and, after its commit, the list of what is left.
//
// The list comes after the commit, because otherwise two callers that delete the last two aliases of a
// hash at the same time would each see the other's alias, and nobody would clean the hash up.
func (s aliases) Delete(ctx context.Context, request *mediav1.DeleteAliasRequest) (*mediav1.DeleteAliasResponse, error) {
	v := s.begin()
	hash, err := v.hashToDelete(ctx, request)
	if err != nil {
		return nil, err
	}
	if hash == nil {
		return &mediav1.DeleteAliasResponse{Deleted: new(bool)}, nil
	}
	return v.deleteAlias(ctx, request.GetAlias(), hash)
}

// hashToDelete returns the hash of the alias if the caller may delete it; nil if the alias is unknown.
// An alias without a token can only be deleted by a caller for whom the host vouches.
func (v view) hashToDelete(ctx context.Context, request *mediav1.DeleteAliasRequest) ([]byte, error) {
	hash, err := v.hashOf(request.GetAlias())
	if err != nil {
		return nil, err
	}
	reads := []*query.Call{hash}
	var token *query.Call
	if !request.GetWithoutToken() {
		if token, err = v.tokenOf(request.GetAlias()); err != nil {
			return nil, err
		}
		// The token first: an alias that goes away between the two has a token and no hash then, and is
		// not taken for one without a token.
		reads = []*query.Call{token, hash}
	}
	if err := v.read(ctx, reads...); err != nil {
		return nil, err
	}
	if !hash.Found() {
		return nil, nil
	}
	if token != nil && (!token.Found() || !sameToken(tokenIn(token), request.GetDeleteToken())) {
		return nil, fault.New(fault.InvalidToken, token.Statement.Operation.Key, "the alias belongs to the owner of another token")
	}
	return hashIn(hash), nil
}

// sameToken compares in a time that does not tell how much of a guess is right.
func sameToken(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// deleteAlias is the second round trip. A URL that was related to the alias in the middle of the
// transaction makes it fail, and is found when it runs once more.
func (v view) deleteAlias(ctx context.Context, alias string, hash []byte) (*mediav1.DeleteAliasResponse, error) {
	var response *mediav1.DeleteAliasResponse
	var err error
	for range 2 {
		if response, err = v.tryDeleteAlias(ctx, alias, hash); fault.ReasonOf(err) != fault.InUse {
			break
		}
	}
	return response, err
}

func (v view) tryDeleteAlias(ctx context.Context, alias string, hash []byte) (*mediav1.DeleteAliasResponse, error) {
	var calls []*query.Call
	for _, step := range []struct {
		method   string
		required bool
	}{
		{mediav1.Proxies_Remove_FullMethodName, false}, // before the alias, which it refers to
		{mediav1.Operations_AliasAccessRemove_FullMethodName, false},
		{mediav1.Aliases_Cleanup_FullMethodName, true},
	} {
		if !step.required && !v.configured(step.method) {
			continue
		}
		call, err := v.Call(step.method, &mediav1.AliasRequest{Alias: alias})
		if err != nil {
			return nil, err
		}
		calls = append(calls, call)
	}
	left, err := v.aliasesOf(hash)
	if err != nil {
		return nil, err
	}
	if err := v.transact(ctx, calls, query.Group{left}); err != nil {
		return nil, err
	}
	if left.Err != nil {
		if left, err = v.listAgain(ctx, hash); err != nil {
			return nil, err
		}
	}
	return &mediav1.DeleteAliasResponse{Deleted: removed(calls[len(calls)-1]), Hash: hash, LastAlias: !left.Found()}, nil
}

// listAgain asks once more what is left, even for a caller who gave up: the alias is deleted, and nobody
// else will be told that it was the last one.
func (v view) listAgain(ctx context.Context, hash []byte) (*query.Call, error) {
	left, err := v.aliasesOf(hash)
	if err != nil {
		return nil, err
	}
	v.Run(context.WithoutCancel(ctx), query.Calls(left))
	if left.Err != nil {
		return nil, &fault.Error{Reason: fault.Partial, Operation: fault.OperationOf(left.Err), SQLState: fault.SQLStateOf(left.Err), Cause: left.Err,
			Message: "the alias is deleted, and whether its hash has others is not known; ask for them, and clean the hash up if there are none"}
	}
	return left, nil
}
