package media

import (
	"context"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// Resolve implements the method of the API: one round trip, or three without a query of its own.
func (s aliases) Resolve(ctx context.Context, request *mediav1.AliasRequest) (*mediav1.Resolved, error) {
	v := s.begin()
	r := &resolving{view: v, details: true}
	if err := r.original(ctx, request.GetAlias()); err != nil {
		return nil, err
	}
	if r.found == nil {
		return nil, doesNotExist(r.key)
	}
	return r.found, nil
}

// Identifier implements the method of the API.
func (s aliases) Identifier(ctx context.Context, request *mediav1.AliasRequest) (*mediav1.IdentifierResponse, error) {
	v := s.begin()
	r := &resolving{view: v}
	if err := r.original(ctx, request.GetAlias()); err != nil {
		return nil, err
	}
	if r.found == nil || r.found.Identifier == nil {
		return nil, doesNotExist(r.key)
	}
	return &mediav1.IdentifierResponse{Identifier: r.found.GetIdentifier()}, nil
}

// A resolving finds out what stands behind an alias, step by step where the operator has no query that
// joins it all.
type resolving struct {
	view
	// details says that they are asked for. Where the group is off, there are none.
	details bool
	// touch records the time of access, with whatever is sent next; nil if it is not to be recorded, or
	// is on its way.
	touch, touched *query.Call

	// found is the answer; nil if the alias is unknown. key is the operation that looked for it.
	found *mediav1.Resolved
	key   string
}

// send runs a read, and the touch that is waiting for a round trip. A touch that fails fails alone.
func (r *resolving) send(ctx context.Context, call *query.Call) error {
	flight := apart(call)
	if r.touch != nil {
		flight.Then(r.touch)
		r.touch, r.touched = nil, r.touch
	}
	r.Run(ctx, flight)
	return call.Err
}

// original resolves an alias to the file of its hash.
func (r *resolving) original(ctx context.Context, alias string) error {
	if r.configured(mediav1.Operations_AliasResolve_FullMethodName) {
		call, err := r.Call(mediav1.Operations_AliasResolve_FullMethodName, &mediav1.AliasRequest{Alias: alias})
		if err != nil {
			return err
		}
		return r.whole(ctx, call)
	}
	hash, err := r.hashOf(alias)
	if err != nil {
		return err
	}
	if err := r.begun(ctx, hash); err != nil || r.found == nil {
		return err
	}
	identifier, err := r.identifierOf(r.found.GetHash())
	if err != nil {
		return err
	}
	return r.file(ctx, identifier)
}

// whole takes the answer of a query that joins everything.
func (r *resolving) whole(ctx context.Context, call *query.Call) error {
	r.key = call.Statement.Operation.Key
	err := r.send(ctx, call)
	if call.Found() {
		r.found = first[*mediav1.Resolved](call)
	}
	return err
}

// begun is the first of the single steps: the hash of the alias.
func (r *resolving) begun(ctx context.Context, hash *query.Call) error {
	r.key = hash.Statement.Operation.Key
	err := r.send(ctx, hash)
	if hash.Found() {
		r.found = &mediav1.Resolved{Hash: hashIn(hash)}
	}
	return err
}

// file is the second and third step: the identifier, and its details.
func (r *resolving) file(ctx context.Context, identifier *query.Call) error {
	if err := r.send(ctx, identifier); err != nil || !identifier.Found() {
		return err
	}
	r.found.Identifier = proto.String(identifierIn(identifier))
	if !r.details || !r.configured(mediav1.Details_Get_FullMethodName) {
		return nil
	}
	details, err := r.Call(mediav1.Details_Get_FullMethodName, &mediav1.IdentifierRequest{Identifier: r.found.GetIdentifier()})
	if err != nil {
		return err
	}
	if err := r.send(ctx, details); err != nil || !details.Found() {
		return err
	}
	r.found.Details = proto.String(first[*mediav1.DetailsResponse](details).GetDetails())
	return nil
}
