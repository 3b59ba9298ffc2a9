package media

import (
	"context"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// MoveIdentifier implements the method of the API: one transaction, so that a file is recorded as moved
// exactly if the new identifier is in use. The update must hit its row, or the server rolls
// everything back by itself.
//
// A variant is removed and related again, and so is there afterwards also if it was not before; its
// time of access is that of the move.
func (s storeMigration) MoveIdentifier(ctx context.Context, request *mediav1.MoveIdentifierRequest) (*mediav1.MoveIdentifierResponse, error) {
	v := s.begin()
	calls, err := v.move(request)
	if err != nil {
		return nil, err
	}
	if err := v.transact(ctx, calls); err != nil {
		return nil, err
	}
	return &mediav1.MoveIdentifierResponse{}, nil
}

func (v view) move(request *mediav1.MoveIdentifierRequest) ([]*query.Call, error) {
	calls, err := v.moveDetails(request)
	if err != nil {
		return nil, err
	}
	file, err := v.moveFile(request)
	if err != nil {
		return nil, err
	}
	mark, err := v.Call(mediav1.StoreMigration_MarkMigrated_FullMethodName,
		&mediav1.MarkMigratedRequest{OldIdentifier: request.GetOldIdentifier(), NewIdentifier: request.GetNewIdentifier()})
	return append(append(calls, file...), mark), err
}

// moveDetails records the details of the new identifier, and forgets those of the old one, unless both
// are the same.
func (v view) moveDetails(request *mediav1.MoveIdentifierRequest) (calls []*query.Call, err error) {
	if request.Details != nil {
		relate, err := v.relateDetails(request.GetNewIdentifier(), request.GetDetails())
		if err != nil {
			return nil, err
		}
		calls = append(calls, relate)
	}
	if request.GetOldIdentifier() == request.GetNewIdentifier() || !v.configured(mediav1.Details_Cleanup_FullMethodName) {
		return calls, nil
	}
	forget, err := v.Call(mediav1.Details_Cleanup_FullMethodName, &mediav1.IdentifierRequest{Identifier: request.GetOldIdentifier()})
	return append(calls, forget), err
}

// moveFile makes the calls that replace the identifier.
func (v view) moveFile(request *mediav1.MoveIdentifierRequest) ([]*query.Call, error) {
	method := ""
	switch request.GetKind() {
	case mediav1.MoveIdentifierRequest_ORIGINAL:
		method = mediav1.Hashes_UpdateIdentifier_FullMethodName
	case mediav1.MoveIdentifierRequest_MOTION:
		method = mediav1.Hashes_RelateMotionIdentifier_FullMethodName
	case mediav1.MoveIdentifierRequest_VARIANT:
		return v.moveVariant(request)
	default:
		return nil, invalid("kind is unknown")
	}
	update, err := v.Call(method, &mediav1.HashAndIdentifier{Hash: request.GetHash(), Identifier: request.GetNewIdentifier()})
	if err != nil {
		return nil, err
	}
	return []*query.Call{update.Require()}, nil
}

// moveVariant removes the variant and relates it again. That inserts nothing if somebody else relates it
// in between: then the move must not happen.
func (v view) moveVariant(request *mediav1.MoveIdentifierRequest) ([]*query.Call, error) {
	remove, err := v.Call(mediav1.Operations_VariantRemove_FullMethodName,
		&mediav1.VariantRequest{Hash: request.GetHash(), Variant: request.GetVariant()})
	if err != nil {
		return nil, err
	}
	relate, err := v.Call(mediav1.Operations_VariantRelate_FullMethodName, &mediav1.VariantRelateParameters{
		Hash: request.GetHash(), Variant: request.GetVariant(), Identifier: request.GetNewIdentifier()})
	if err != nil {
		return nil, err
	}
	return []*query.Call{remove, relate.Require()}, nil
}
