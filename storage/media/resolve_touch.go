package media

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// Resolve implements the method of the API. The time of access is recorded also for a variant that does
// not exist yet. A query that records it itself makes this one round trip; otherwise there is a second
// one, whose failure does not spoil the answer.
func (s variants) Resolve(ctx context.Context, request *mediav1.ResolveVariantRequest) (*mediav1.Resolved, error) {
	r := &resolving{view: s.begin(), details: true}
	steps := r.variantSteps
	if r.configured(mediav1.Operations_VariantResolve_FullMethodName) {
		steps = r.variantJoined
	}
	if err := steps(ctx, request); err != nil {
		return nil, err
	}
	return s.resolved(ctx, r, request.GetTouch())
}

// variantJoined asks the query that joins everything.
func (r *resolving) variantJoined(ctx context.Context, request *mediav1.ResolveVariantRequest) error {
	call, err := r.Call(mediav1.Operations_VariantResolve_FullMethodName, &mediav1.VariantResolveParameters{
		Alias: request.GetAlias(), Variant: request.GetVariant(), Accessed: r.accessed(request.GetTouch())})
	if err != nil {
		return err
	}
	if err := r.whole(ctx, call); err != nil || r.found == nil {
		return err
	}
	if request.GetTouch() && !r.found.GetTouched() {
		r.touch = r.variantTouch(r.found.GetHash(), request.GetVariant())
	}
	return nil
}

// variantSteps asks for one after the other; the touch travels with the second step.
func (r *resolving) variantSteps(ctx context.Context, request *mediav1.ResolveVariantRequest) error {
	hash, err := r.hashOf(request.GetAlias())
	if err != nil {
		return err
	}
	if err := r.begun(ctx, hash); err != nil || r.found == nil {
		return err
	}
	identifier, err := r.Call(mediav1.Variants_Identifier_FullMethodName,
		&mediav1.VariantRequest{Hash: r.found.GetHash(), Variant: request.GetVariant()})
	if err != nil {
		return err
	}
	if request.GetTouch() {
		r.touch = r.variantTouch(r.found.GetHash(), request.GetVariant())
	}
	return r.file(ctx, identifier)
}

// Resolve implements the method of the API. Touching is as in Variants.Resolve.
func (s proxies) Resolve(ctx context.Context, request *mediav1.ResolveURLRequest) (*mediav1.Resolved, error) {
	r := &resolving{view: s.begin(), details: true}
	steps := r.urlSteps
	if r.configured(mediav1.Operations_ProxyResolve_FullMethodName) {
		steps = r.urlJoined
	}
	if err := steps(ctx, request); err != nil {
		return nil, err
	}
	return s.resolved(ctx, r, request.GetTouch())
}

// urlJoined asks the query that joins everything.
func (r *resolving) urlJoined(ctx context.Context, request *mediav1.ResolveURLRequest) error {
	call, err := r.Call(mediav1.Operations_ProxyResolve_FullMethodName, &mediav1.ProxyResolveParameters{
		Url: request.GetUrl(), Accessed: r.accessed(request.GetTouch())})
	if err != nil {
		return err
	}
	if err := r.whole(ctx, call); err != nil || r.found == nil {
		return err
	}
	if request.GetTouch() && !r.found.GetTouched() {
		r.touch = r.aliasTouch(r.found.GetAlias())
	}
	return nil
}

// urlSteps asks for the alias first; the touch travels with what is asked next. A URL that is known is
// resolved also if its alias is gone, as far as that goes.
func (r *resolving) urlSteps(ctx context.Context, request *mediav1.ResolveURLRequest) error {
	related, err := r.Call(mediav1.Proxies_Related_FullMethodName, &mediav1.URLRequest{Url: request.GetUrl()})
	if err != nil {
		return err
	}
	if err := r.read(ctx, related); err != nil {
		return err
	}
	if !related.Found() {
		return doesNotExist(related.Statement.Operation.Key)
	}
	alias := first[*mediav1.RelatedResponse](related).GetAlias()
	if request.GetTouch() {
		r.touch = r.aliasTouch(alias)
	}
	if err := r.original(ctx, alias); err != nil {
		return err
	}
	if r.found == nil {
		r.found = &mediav1.Resolved{}
	}
	r.found.Alias = proto.String(alias)
	return nil
}

// accessed is the time of access to be recorded, or none.
func (v view) accessed(touch bool) *timestamppb.Timestamp {
	if !touch {
		return nil
	}
	return timestamppb.New(v.Now())
}

// variantTouch makes the call that records an access now; nil if the operator does not record any.
func (v view) variantTouch(hash []byte, variant string) *query.Call {
	call, err := v.Call(mediav1.Access_Variant_FullMethodName, &mediav1.AccessedVariantRequest{Hash: hash, Variant: variant})
	if err != nil {
		return nil
	}
	return call
}

func (v view) aliasTouch(alias string) *query.Call {
	call, err := v.Call(mediav1.Access_Alias_FullMethodName, &mediav1.AccessedAliasRequest{Alias: alias})
	if err != nil {
		return nil
	}
	return call
}

// resolved is the answer: after a touch that is left, and with what became of the touch.
func (s *Service) resolved(ctx context.Context, r *resolving, asked bool) (*mediav1.Resolved, error) {
	if r.found == nil {
		return nil, doesNotExist(r.key)
	}
	if r.touch != nil {
		r.touched = r.touch
		r.Run(ctx, query.Calls(r.touch))
	}
	switch {
	case !asked:
		r.found.Touched = nil
	case r.touched == nil:
		r.found.Touched = proto.Bool(r.found.GetTouched())
	default:
		if r.touched.Err != nil {
			s.logger.Debug("the time of access was not recorded", "error", r.touched.Err)
		}
		r.found.Touched = proto.Bool(r.touched.Err == nil && !(r.touched.Counted && r.touched.Affected == 0))
	}
	return r.found, nil
}
