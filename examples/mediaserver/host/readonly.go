package host

import (
	"context"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// A read-only host may be behind a database that takes no writes, such as a standby. There the queries
// that resolve and record an access in one fail even if nothing is to be recorded; so they are not used,
// at the price of more round trips.

// lookUpURL is Proxies.Resolve without a query that could write.
func (h *Host) lookUpURL(ctx context.Context, url string) (*mediav1.Resolved, error) {
	related, err := h.proxies.Related(ctx, &mediav1.URLRequest{Url: url})
	if err != nil {
		return nil, err
	}
	resolved, err := h.aliases.Resolve(ctx, &mediav1.AliasRequest{Alias: related.GetAlias()})
	if err != nil {
		return nil, err
	}
	resolved.Alias = &related.Alias
	return resolved, nil
}

// lookUpVariant is Variants.Resolve without a query that could write.
func (h *Host) lookUpVariant(ctx context.Context, alias, variant string) (*mediav1.Resolved, error) {
	hash, err := h.aliases.Hash(ctx, &mediav1.AliasRequest{Alias: alias})
	if err != nil {
		return nil, err
	}
	resolved := &mediav1.Resolved{Hash: hash.GetHash()}
	found, err := h.variants.Identifier(ctx, &mediav1.VariantRequest{Hash: hash.GetHash(), Variant: variant})
	if absent(err) {
		return resolved, nil
	}
	if err != nil {
		return nil, err
	}
	resolved.Identifier = &found.Identifier
	details, err := h.details.Get(ctx, &mediav1.IdentifierRequest{Identifier: found.GetIdentifier()})
	if err != nil && !absent(err) {
		return nil, err
	}
	if err == nil {
		resolved.Details = &details.Details
	}
	return resolved, nil
}
