package host

import (
	"context"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// The jobs that remove.

func collectJob(hash []byte) *mediav1.NewJob {
	return payload{Kind: jobHash, Hash: hash}.job(CleanupQueue, "")
}

func purgeJob(hash []byte) *mediav1.NewJob {
	return payload{Kind: jobPurgeHash, Hash: hash}.job(CleanupQueue, "")
}

func fileJob(identifier string) *mediav1.NewJob {
	return payload{Kind: jobIdentifier, Identifier: identifier}.job(CleanupQueue, "")
}

// aliasJob removes an alias. The hash, if it is known, is collected even if the alias is gone already.
func aliasJob(alias, token string, hash []byte) *mediav1.NewJob {
	return payload{Kind: jobAlias, Alias: alias, Token: token, Hash: hash}.job(CleanupQueue, "")
}

// aliasRemoval is the job that removes an alias as its owner would. Error: AliasNotFound, also for an
// alias without token.
func (h *Host) aliasRemoval(ctx context.Context, alias string) (payload, error) {
	request := &mediav1.AliasRequest{Alias: alias}
	token, err := h.aliases.DeleteToken(ctx, request)
	if err != nil {
		return payload{}, aliasFailure(err)
	}
	hash, err := h.aliases.Hash(ctx, request)
	if err != nil {
		return payload{}, aliasFailure(err)
	}
	return payload{Kind: jobAlias, Alias: alias, Token: token.GetDeleteToken(), Hash: hash.GetHash()}, nil
}

// aliasFailure is repoFailure for a call that does not find an alias.
func aliasFailure(err error) error {
	if absent(err) {
		return unknownAlias()
	}
	return repoFailure(err)
}

// Delete removes an alias for the owner of its token. The file goes with its last alias, by a job. An
// alias that is unknown, because it was deleted before, is success. Error: InvalidToken.
func (h *Host) Delete(ctx context.Context, alias, token string) error {
	if err := h.writable(); err != nil {
		return err
	}
	if !queryable(alias) {
		return nil
	}
	if !queryable(token) {
		return failure(InvalidToken, "this is not the token of the file")
	}
	deleted, err := h.aliases.Delete(ctx, &mediav1.DeleteAliasRequest{Alias: alias, DeleteToken: token})
	if fault.ReasonOf(err) == fault.InvalidToken {
		return &Error{Code: InvalidToken, Message: "this is not the token of the file", Cause: err}
	}
	if err != nil {
		return repoFailure(err)
	}
	if !deleted.GetLastAlias() {
		return nil
	}
	return h.pushBehind(ctx, collectJob(deleted.GetHash()))
}

// DeleteBehind has a job remove an alias, for who need not show the token. Error: AliasNotFound, also
// for an alias that has no token.
func (h *Host) DeleteBehind(ctx context.Context, s Source) error {
	if err := h.writable(); err != nil {
		return err
	}
	alias, err := h.aliasOf(ctx, s)
	if err != nil {
		return notFoundAsAlias(err)
	}
	removal, err := h.aliasRemoval(ctx, alias)
	if err != nil {
		return err
	}
	return h.push(ctx, removal.job(CleanupQueue, ""))
}

// Purge has a job remove the file of a source with all its aliases, which it returns, and all its
// variants. Error: AliasNotFound.
func (h *Host) Purge(ctx context.Context, s Source) ([]string, error) {
	if err := h.writable(); err != nil {
		return nil, err
	}
	alias, err := h.aliasOf(ctx, s)
	if err != nil {
		return nil, notFoundAsAlias(err)
	}
	found, err := h.aliases.Hash(ctx, &mediav1.AliasRequest{Alias: alias})
	if err != nil {
		return nil, aliasFailure(err)
	}
	list, err := h.aliases.ForHash(ctx, &mediav1.HashRequest{Hash: found.GetHash()})
	if err != nil {
		return nil, repoFailure(err)
	}
	return namesOf(list), h.push(ctx, purgeJob(found.GetHash()))
}

// RemoveVariants has jobs remove all variants of all files.
func (h *Host) RemoveVariants(ctx context.Context) error {
	return h.push(ctx, payload{Kind: jobAllVariants}.job(CleanupQueue, keyAllVariants))
}

// PushOutdatedVariants has a job remove the variants that nobody asked for within the retention. A
// feeder calls it now and then; at most one such job is stored at a time.
func (h *Host) PushOutdatedVariants(ctx context.Context) error {
	return h.push(ctx, payload{Kind: jobOutdatedVariants}.job(CleanupQueue, keyOutdatedVariants))
}

// PushOutdatedProxies is the same for proxied URLs.
func (h *Host) PushOutdatedProxies(ctx context.Context) error {
	return h.push(ctx, payload{Kind: jobOutdatedProxies}.job(CleanupQueue, keyOutdatedProxies))
}
