package media

import (
	"context"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// Relate implements the method of the API: variant and details are one transaction, and what is stored
// is read behind it. If another identifier was there first, the details of ours are forgotten in a
// second round trip. Where two callers relate a variant that a third removes in between, both are told
// to try again.
func (s variants) Relate(ctx context.Context, request *mediav1.RelateVariantRequest) (*mediav1.RelateVariantResponse, error) {
	v := s.begin()
	for range 2 {
		response, err := s.relate(ctx, v, request)
		if response != nil || err != nil {
			return response, err
		}
	}
	return nil, fault.New(fault.Conflict, "", "the variant was stored and removed by others at the same time; try again")
}

// relate returns neither a response nor an error if the variant that was in the way is gone again.
func (s variants) relate(ctx context.Context, v view, request *mediav1.RelateVariantRequest) (*mediav1.RelateVariantResponse, error) {
	relate, err := v.Call(mediav1.Operations_VariantRelate_FullMethodName, &mediav1.VariantRelateParameters{
		Hash: request.GetHash(), Variant: request.GetVariant(), Identifier: request.GetIdentifier()})
	if err != nil {
		return nil, err
	}
	stored, err := v.Call(mediav1.Variants_Identifier_FullMethodName, variantOf(request))
	if err != nil {
		return nil, err
	}
	calls := []*query.Call{relate}
	if request.Details != nil {
		details, err := v.relateDetails(request.GetIdentifier(), request.GetDetails())
		if err != nil {
			return nil, err
		}
		calls = append(calls, details)
	}
	err = v.transact(ctx, calls, query.Group{stored})
	clashed := relate == culprit(calls) && uniqueViolation(err)
	winner := identifierIn(stored)
	switch {
	case err != nil && !clashed:
		return nil, err
	case err == nil && hasStored(relate):
		return &mediav1.RelateVariantResponse{Identifier: request.GetIdentifier()}, nil
	case stored.Err != nil:
		return nil, stored.Err
	case !stored.Found() && clashed:
		return nil, otherKey(relate)
	case !stored.Found():
		return nil, nil
	case winner == request.GetIdentifier(): // the effect of this call, or of one before it
		return &mediav1.RelateVariantResponse{Identifier: winner}, nil
	}
	if !clashed && request.Details != nil {
		s.forgetDetails(ctx, v, request.GetIdentifier())
	}
	return &mediav1.RelateVariantResponse{Identifier: winner, Existed: true}, nil
}

func variantOf(request *mediav1.RelateVariantRequest) *mediav1.VariantRequest {
	return &mediav1.VariantRequest{Hash: request.GetHash(), Variant: request.GetVariant()}
}

func (v view) relateDetails(identifier, details string) (*query.Call, error) {
	return v.Call(mediav1.Details_Relate_FullMethodName, &mediav1.RelateDetailsRequest{Identifier: identifier, Details: details})
}

// forgetDetails removes the details of a file that lost to another one, and that its host deletes. What
// the call was for is done by then; so a failure is only logged, and leaves a row that nobody asks for.
func (s *Service) forgetDetails(ctx context.Context, v view, identifier string) {
	call, err := v.Call(mediav1.Details_Cleanup_FullMethodName, &mediav1.IdentifierRequest{Identifier: identifier})
	if err == nil {
		v.Run(ctx, query.Calls(call))
		err = call.Err
	}
	if err != nil {
		s.logger.Warn("the details of a file that is not used could not be removed", "error", err)
	}
}

// Remove implements the method of the API: the variant and its time of access in one transaction.
func (s variants) Remove(ctx context.Context, request *mediav1.VariantRequest) (*mediav1.Affected, error) {
	v := s.begin()
	calls, err := v.variantRemoval(request)
	if err != nil {
		return nil, err
	}
	if err := v.transact(ctx, calls); err != nil {
		return nil, err
	}
	return &mediav1.Affected{Affected: affected(calls[0])}, nil
}

// variantRemoval makes the calls that remove a variant: first its row, then the time of access, where
// that has a row of its own.
func (v view) variantRemoval(request *mediav1.VariantRequest) ([]*query.Call, error) {
	remove, err := v.Call(mediav1.Operations_VariantRemove_FullMethodName, request)
	if err != nil || !v.configured(mediav1.Operations_VariantAccessRemove_FullMethodName) {
		return []*query.Call{remove}, err
	}
	access, err := v.Call(mediav1.Operations_VariantAccessRemove_FullMethodName, request)
	return []*query.Call{remove, access}, err
}

// Cleanup implements the method of the API: removal and job in one transaction, so that a file is
// scheduled for removal exactly if nothing refers to it any more. As in Hashes.Cleanup, a job that is
// queued already does not keep the variant from being removed.
func (s variants) Cleanup(ctx context.Context, request *mediav1.CleanupVariantRequest) (*mediav1.CleanupVariantResponse, error) {
	v := s.begin()
	removal, err := v.variantRemoval(&mediav1.VariantRequest{Hash: request.GetHash(), Variant: request.GetVariant()})
	if err != nil {
		return nil, err
	}
	var jobs []*mediav1.NewJob
	if request.GetJob() != nil {
		jobs = append(jobs, request.GetJob())
	}
	pushes, notify, err := v.pushAll(jobs)
	if err != nil {
		return nil, err
	}
	if err := v.transact(ctx, append(pushes, removal...), notify); err != nil {
		return nil, err
	}
	s.pushedAll(jobs, notify)
	return &mediav1.CleanupVariantResponse{Removed: removed(removal[0])}, nil
}
