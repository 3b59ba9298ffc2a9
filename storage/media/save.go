package media

import (
	"context"
	"slices"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// Save implements the method of the API. What is stored afterwards, by what was there before:
//
//	hash  alias
//	new   new    hash, details and alias
//	new   taken  hash and details; the host tries another alias with the same file, and that call then
//	             finds its own identifier, so that it does not report the hash as one that existed
//	old   new    the alias, at the hash that was there; the details of the file that is not needed are
//	             removed again, and the host deletes the file
//	old   taken  nothing; the details are removed again
//
// A host that has to try another alias keeps its file until an alias is stored, whatever it is told of
// the hash: the hash may be cleaned up between the two calls, and then the second brings it back.
//
// A hash whose identifier is that of the request never counts as old, whether it comes from this call,
// sent twice, or from one before it: otherwise the host would delete the only file that there is.
//
// A hash that was deleted between the two statements refuses the alias (23503); then everything runs
// once more.
func (s uploads) Save(ctx context.Context, request *mediav1.SaveUploadRequest) (*mediav1.SaveUploadResponse, error) {
	v := s.begin()
	token := request.GetDeleteToken()
	if token == "" {
		token = newToken() // one for all attempts, by which they know their own row
	}
	var vanished error
	for attempt := range 2 {
		u := &saving{view: v, service: s.Service, request: request, again: attempt > 0}
		if err := u.prepare(token); err != nil {
			return nil, err
		}
		response, err := u.save(ctx)
		if err == nil || fault.ReasonOf(err) != fault.DoesNotExist {
			return response, err
		}
		vanished = err
	}
	return nil, &fault.Error{Reason: fault.Conflict, Operation: fault.OperationOf(vanished), SQLState: fault.SQLStateOf(vanished), Cause: vanished,
		Message: "the hash was deleted again and again while it was used; try again"}
}

// A saving is one attempt to save an upload.
type saving struct {
	view
	service *Service
	request *mediav1.SaveUploadRequest
	// again says that an attempt before this one may have stored the alias.
	again bool

	create, details *query.Call
	alias           *aliasInsertion
	// stored reads the identifier of the hash, behind the transaction and in its round trip. It is needed
	// only if the hash existed, and would then be a trip of its own.
	stored *query.Call

	// calls are the transaction. Those whose key was found to be taken are not in it any more.
	calls                 []*query.Call
	hashTaken, aliasTaken bool
}

func (u *saving) prepare(token string) (err error) {
	if u.create, err = u.createHash(u.request.GetHash(), u.request.GetIdentifier(), u.request.GetCreatedAt()); err != nil {
		return err
	}
	if u.stored, err = u.identifierOf(u.request.GetHash()); err != nil {
		return err
	}
	if u.alias, err = u.aliasInsertion(u.request.GetAlias(), token, u.request.GetHash()); err != nil {
		return err
	}
	u.calls = []*query.Call{u.create}
	if u.request.Details != nil {
		if u.details, err = u.relateDetails(u.request.GetIdentifier(), u.request.GetDetails()); err != nil {
			return err
		}
		u.calls = append(u.calls, u.details)
	}
	u.calls = append(u.calls, u.alias.call)
	return nil
}

func (u *saving) save(ctx context.Context) (*mediav1.SaveUploadResponse, error) {
	if err := u.transaction(ctx); err != nil {
		return nil, err
	}
	hashExisted, err := u.hashExisted(ctx)
	if err != nil {
		return nil, err
	}
	aliasExisted, err := u.aliasExisted(ctx)
	if err != nil {
		return nil, err
	}
	if hashExisted && slices.Contains(u.calls, u.details) {
		u.service.forgetDetails(ctx, u.view, u.request.GetIdentifier())
	}
	response := &mediav1.SaveUploadResponse{HashExisted: hashExisted, AliasExisted: aliasExisted}
	if !aliasExisted { // the token of somebody else's alias is not told
		response.DeleteToken = u.alias.validToken()
	}
	return response, nil
}

// transaction stores all three rows. A unique violation undoes it; then the row whose key is taken is
// left out and the others are sent again, so that they stay together.
func (u *saving) transaction(ctx context.Context) error {
	for {
		err := u.transact(ctx, u.calls, query.Group{u.stored})
		if !uniqueViolation(err) {
			return err
		}
		switch culprit(u.calls) {
		case u.create:
			if u.stored.Err != nil {
				return u.stored.Err
			}
			if !u.stored.Found() {
				return otherKey(u.create)
			}
			u.hashTaken = true
			u.calls = []*query.Call{u.alias.call}
		case u.alias.call:
			if err := u.read(ctx, u.alias.stored...); err != nil {
				return err
			}
			if !u.alias.stored[0].Found() {
				return otherKey(u.alias.call)
			}
			u.aliasTaken = true
			u.calls = slices.DeleteFunc(u.calls, func(call *query.Call) bool { return call == u.alias.call })
		default:
			return err
		}
	}
}

// hashExisted says whether the hash was there with another file. The error is DOES_NOT_EXIST if it was,
// and is gone again.
func (u *saving) hashExisted(ctx context.Context) (bool, error) {
	if !u.hashTaken && hasStored(u.create) {
		return false, nil
	}
	if u.stored.Err != nil { // the rest is committed: asked once more, for the host needs to know
		if err := u.read(ctx, u.stored); err != nil {
			return false, &fault.Error{Reason: fault.Partial, Operation: fault.OperationOf(err), SQLState: fault.SQLStateOf(err), Cause: err,
				Message: "the upload is saved, and whether its file is the one that is used is not known; save it again under the same alias and token, and keep the file until then"}
		}
	}
	if !u.stored.Found() {
		return false, doesNotExist(u.create.Statement.Operation.Key)
	}
	return identifierIn(u.stored) != u.request.GetIdentifier(), nil
}

// aliasExisted says whether the alias is somebody else's.
func (u *saving) aliasExisted(ctx context.Context) (bool, error) {
	if !u.aliasTaken && hasStored(u.alias.call) {
		return false, nil
	}
	if !u.again && !u.alias.call.Resent {
		return true, nil
	}
	if err := u.read(ctx, u.alias.stored...); err != nil {
		return false, err
	}
	return !u.alias.same(), nil
}
