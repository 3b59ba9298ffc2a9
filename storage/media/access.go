package media

import (
	"context"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// RemoveAlias implements the method of the API.
func (s access) RemoveAlias(ctx context.Context, request *mediav1.AliasRequest) (*mediav1.Affected, error) {
	v := s.begin()
	return v.forget(ctx, mediav1.Operations_AliasAccessRemove_FullMethodName, mediav1.Access_AliasAt_FullMethodName, request)
}

// RemoveVariant implements the method of the API.
func (s access) RemoveVariant(ctx context.Context, request *mediav1.VariantRequest) (*mediav1.Affected, error) {
	v := s.begin()
	return v.forget(ctx, mediav1.Operations_VariantAccessRemove_FullMethodName, mediav1.Access_VariantAt_FullMethodName, request)
}

// forget removes a time of access. Where the operator has no query for that, the time goes with another
// row. Where the whole group is off, that is an error, which another method of the group, with an equal
// request, tells.
func (v view) forget(ctx context.Context, remove, other string, request proto.Message) (*mediav1.Affected, error) {
	if !v.configured(remove) {
		_, err := v.Call(other, request)
		return &mediav1.Affected{}, err
	}
	call, err := v.Call(remove, request)
	if err != nil {
		return nil, err
	}
	v.Run(ctx, query.Calls(call))
	if call.Err != nil {
		return nil, call.Err
	}
	return &mediav1.Affected{Affected: affected(call)}, nil
}

// ContainsVariant implements the method of the API.
func (s access) ContainsVariant(ctx context.Context, request *mediav1.VariantRequest) (*mediav1.Contained, error) {
	v := s.begin()
	method := mediav1.Operations_VariantAccessContains_FullMethodName
	own := v.configured(method)
	if !own {
		method = mediav1.Access_VariantAt_FullMethodName
	}
	call, err := v.Call(method, request)
	if err != nil {
		return nil, err
	}
	if err := v.read(ctx, call); err != nil {
		return nil, err
	}
	if own {
		return &mediav1.Contained{Contained: first[*mediav1.Contained](call).GetContained()}, nil
	}
	return &mediav1.Contained{Contained: call.Found()}, nil
}
