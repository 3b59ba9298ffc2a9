package media

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// Claim implements the method of the API. It takes the claim without knowing yet whether the variant
// exists, because both are asked for in one round trip; if it does, the claim is released again.
func (s variants) Claim(ctx context.Context, r *mediav1.VariantRequest) (*mediav1.ClaimVariantResponse, error) {
	v := s.begin()
	c, err := v.newClaiming(r)
	if err != nil {
		return nil, err
	}
	v.Run(ctx, c.flight())
	taken := c.claim.Err == nil && c.claim.Affected > 0
	if exists := c.identifier.Err == nil && c.identifier.Found(); taken && (exists || c.identifier.Err != nil) {
		s.releaseAgain(ctx, r)
	}
	return c.answer(taken)
}

// releaseAgain gives a claim up that was not needed. If that fails, it ends when it is stale.
func (s variants) releaseAgain(ctx context.Context, r *mediav1.VariantRequest) {
	if _, err := s.Release(ctx, r); err != nil {
		s.logger.Warn("a claim that was not needed could not be released; it ends when it is stale", "error", err.Error())
	}
}

// A claiming is an attempt to claim a variant on its way: three transactions in one round trip, so
// that each sees what the one before it did.
type claiming struct {
	identifier, claim *query.Call
	expire            *query.Call // nil if claim takes stale claims over itself
}

func (v view) newClaiming(r *mediav1.VariantRequest) (c *claiming, err error) {
	c = &claiming{}
	if c.identifier, err = v.Call(mediav1.Variants_Identifier_FullMethodName, r); err != nil {
		return nil, err
	}
	now := v.Now()
	stale := timestamppb.New(now.Add(-v.settings.GetVariantsStaleAfter().AsDuration()))
	if v.configured(mediav1.Operations_VariantExpireClaims_FullMethodName) {
		if c.expire, err = v.Call(mediav1.Operations_VariantExpireClaims_FullMethodName, &mediav1.StaleParameters{StaleBefore: stale}); err != nil {
			return nil, err
		}
	}
	c.claim, err = v.Call(mediav1.Operations_VariantClaim_FullMethodName, &mediav1.VariantClaimParameters{
		Key: claimKey(r.GetHash(), r.GetVariant()), Now: timestamppb.New(now), StaleBefore: stale, Hash: r.GetHash(), Variant: r.GetVariant()})
	return c, err
}

// flight asks for the variant last. Who generated it has stored it before releasing the claim; so whoever
// takes the claim after that sees the variant, and does not generate it once more.
func (c *claiming) flight() *query.Flight {
	flight := &query.Flight{}
	if c.expire != nil {
		flight.Then(c.expire)
	}
	return flight.Then(c.claim).Then(c.identifier)
}

// answer is what came of the attempt. That stale claims could not be removed matters only if one may
// have been in the way.
func (c *claiming) answer(taken bool) (*mediav1.ClaimVariantResponse, error) {
	switch {
	case c.identifier.Err != nil:
		return nil, c.identifier.Err
	case c.identifier.Found():
		return &mediav1.ClaimVariantResponse{Outcome: mediav1.ClaimVariantResponse_EXISTS,
			Identifier: c.identifier.Rows[0].(*mediav1.IdentifierResponse).GetIdentifier()}, nil
	case c.claim.Err != nil:
		return nil, c.claim.Err
	case taken:
		return &mediav1.ClaimVariantResponse{Outcome: mediav1.ClaimVariantResponse_CLAIMED}, nil
	case !c.claim.Counted:
		return nil, fault.New(fault.BadResult, c.claim.Statement.Operation.Key,
			"the query does not tell whether the claim was taken; let it be an INSERT, or return a column affected")
	case c.expire != nil && c.expire.Err != nil:
		return nil, c.expire.Err
	}
	return &mediav1.ClaimVariantResponse{Outcome: mediav1.ClaimVariantResponse_BUSY}, nil
}

// Heartbeat implements the method of the API.
func (s variants) Heartbeat(ctx context.Context, r *mediav1.VariantRequest) (*mediav1.Held, error) {
	v := s.begin()
	call, err := v.Call(mediav1.Operations_VariantHeartbeat_FullMethodName, &mediav1.VariantHeartbeatParameters{
		Key: claimKey(r.GetHash(), r.GetVariant()), Hash: r.GetHash(), Variant: r.GetVariant()})
	if err != nil {
		return nil, err
	}
	v.Run(ctx, query.Calls(call))
	if call.Err != nil {
		return nil, call.Err
	}
	return &mediav1.Held{Held: held(call)}, nil
}

// Release implements the method of the API. Those who wait in this process are woken directly.
func (s variants) Release(ctx context.Context, r *mediav1.VariantRequest) (*mediav1.ReleaseVariantResponse, error) {
	v := s.begin()
	parameters := &mediav1.ClaimParameters{Key: claimKey(r.GetHash(), r.GetVariant()), Hash: r.GetHash(), Variant: r.GetVariant()}
	release, err := v.Call(mediav1.Operations_VariantRelease_FullMethodName, parameters)
	if err != nil {
		return nil, err
	}
	flight, notify := query.Calls(release), (*query.Call)(nil)
	if v.configured(mediav1.Operations_VariantNotify_FullMethodName) {
		if notify, err = v.Call(mediav1.Operations_VariantNotify_FullMethodName, parameters); err != nil {
			return nil, err
		}
		flight.Then(notify)
	}
	v.Run(ctx, flight)
	s.tellUnnotified(notify)
	if release.Err != nil {
		return nil, release.Err
	}
	s.topics.variants.Wake(parameters.GetKey())
	return &mediav1.ReleaseVariantResponse{}, nil
}

// Wait implements the method of the API.
func (s variants) Wait(ctx context.Context, r *mediav1.WaitVariantRequest) (*mediav1.IdentifierResponse, error) {
	w := s.topics.variants.Register(claimKey(r.GetHash(), r.GetVariant()))
	defer w.Leave()
	var found *mediav1.IdentifierResponse
	err := await(ctx, w, func(ctx context.Context) (_ bool, err error) {
		found, err = s.begin().generated(ctx, r)
		return found != nil, err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// generated looks once for a variant; nil if it is not there yet. With while_claimed it asks first
// whether the variant is claimed, then whether it exists: a generation that ends between the two has
// stored its variant before it released its claim, and is seen by the second.
func (v view) generated(ctx context.Context, r *mediav1.WaitVariantRequest) (*mediav1.IdentifierResponse, error) {
	identifier, err := v.Call(mediav1.Variants_Identifier_FullMethodName, &mediav1.VariantRequest{Hash: r.GetHash(), Variant: r.GetVariant()})
	if err != nil {
		return nil, err
	}
	claimed, err := v.claimedCall(r)
	if err != nil {
		return nil, err
	}
	flight := &query.Flight{}
	if claimed != nil {
		flight.Then(claimed)
	}
	v.Run(ctx, flight.Then(identifier))
	switch {
	case identifier.Err != nil:
		return nil, identifier.Err
	case identifier.Found():
		return identifier.Rows[0].(*mediav1.IdentifierResponse), nil
	case claimed == nil:
		return nil, nil
	case claimed.Err != nil:
		return nil, claimed.Err
	case !first[*mediav1.Claimed](claimed).GetClaimed():
		return nil, fault.New(fault.DoesNotExist, identifier.Statement.Operation.Key, "the variant does not exist, and nobody is generating it")
	}
	return nil, nil
}

// claimedCall asks whether a variant is being generated; nil if that is not to be known.
func (v view) claimedCall(r *mediav1.WaitVariantRequest) (*query.Call, error) {
	if !r.GetWhileClaimed() || !v.configured(mediav1.Operations_VariantClaimed_FullMethodName) {
		return nil, nil
	}
	return v.Call(mediav1.Operations_VariantClaimed_FullMethodName, &mediav1.ClaimedParameters{
		Key: claimKey(r.GetHash(), r.GetVariant()), StaleBefore: timestamppb.New(v.Now().Add(-v.settings.GetVariantsStaleAfter().AsDuration())),
		Hash: r.GetHash(), Variant: r.GetVariant()})
}
