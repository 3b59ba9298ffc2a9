package host

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// outdatedBatch is how many outdated items one run takes on. What is left waits for the next run, so
// that no single job runs for hours.
const outdatedBatch = 2048

// collect removes a hash with its variants if it has no alias. An alias that comes while it is at it
// wins: then nothing is removed, and no file.
func (h *Host) collect(ctx context.Context, hash []byte) error {
	contents, err := h.hashes.Contents(ctx, &mediav1.ContentsRequest{Hash: hash})
	if err != nil {
		return repoFailure(err)
	}
	if len(contents.GetAliases()) > 0 {
		return nil
	}
	return h.removeHash(ctx, hash, contents)
}

// purge removes a hash with its aliases and variants. An alias that comes meanwhile stays, and the hash
// with it.
func (h *Host) purge(ctx context.Context, hash []byte) error {
	contents, err := h.hashes.Contents(ctx, &mediav1.ContentsRequest{Hash: hash})
	if err != nil {
		return repoFailure(err)
	}
	for _, alias := range contents.GetAliases() {
		if _, err := h.aliases.Delete(ctx, &mediav1.DeleteAliasRequest{Alias: alias.GetAlias(), WithoutToken: true}); err != nil {
			return repoFailure(err)
		}
	}
	return h.removeHash(ctx, hash, contents)
}

// removeHash removes the row of a hash and its variants, and pushes the jobs that remove their files:
// all or nothing.
func (h *Host) removeHash(ctx context.Context, hash []byte, contents *mediav1.ContentsResponse) error {
	var jobs []*mediav1.NewJob
	if info := contents.GetInfo(); info != nil {
		jobs = append(jobs, fileJob(info.GetIdentifier()))
		if info.MotionIdentifier != nil {
			jobs = append(jobs, fileJob(info.GetMotionIdentifier()))
		}
	}
	for _, variant := range contents.GetVariants() {
		jobs = append(jobs, fileJob(variant.GetIdentifier()))
	}
	_, err := h.hashes.Cleanup(ctx, &mediav1.CleanupHashRequest{Hash: hash, Jobs: jobs})
	if fault.ReasonOf(err) == fault.InUse {
		h.log.InfoContext(ctx, "a hash that was to be removed has an alias again, and stays")
		return nil
	}
	return repoFailure(err)
}

// removeFile removes a file, then its details: should the second fail, the job comes again.
func (h *Host) removeFile(ctx context.Context, identifier string) error {
	if err := h.store.Remove(identifier); err != nil && !missing(err) {
		return storeFailure(err)
	}
	_, err := h.details.Cleanup(ctx, &mediav1.IdentifierRequest{Identifier: identifier})
	return repoFailure(err)
}

// removeAlias removes an alias, unless the job is about an outdated one that was asked for meanwhile.
func (h *Host) removeAlias(ctx context.Context, p payload) error {
	if p.UnusedSince != nil {
		accessed, err := h.access.AliasAt(ctx, &mediav1.AliasRequest{Alias: p.Alias})
		if kept, err := usedSince(accessed, err, *p.UnusedSince); kept || err != nil {
			return err
		}
	}
	deleted, err := h.aliases.Delete(ctx, &mediav1.DeleteAliasRequest{Alias: p.Alias, DeleteToken: p.Token})
	if fault.ReasonOf(err) == fault.InvalidToken {
		return &Error{Code: InvalidToken, Message: "this is not the token of the alias", Cause: err}
	}
	if err != nil {
		return repoFailure(err)
	}
	switch {
	case deleted.GetLastAlias():
		return h.push(ctx, collectJob(deleted.GetHash()))
	case deleted.Hash == nil && p.Hash != nil: // an earlier run may have got no further than this
		return h.push(ctx, collectJob(p.Hash))
	}
	return nil
}

// usedSince says whether a last access was at a time or later. No access is none.
func usedSince(accessed *mediav1.AccessedResponse, err error, since time.Time) (bool, error) {
	if err != nil {
		if absent(err) {
			return false, nil
		}
		return false, repoFailure(err)
	}
	return !accessed.GetAccessed().AsTime().Before(since), nil
}

// removeVariant removes one variant with its file; without a name, has each variant of the hash removed.
func (h *Host) removeVariant(ctx context.Context, p payload) error {
	if p.Variant == "" {
		return h.removeVariantsOf(ctx, p.Hash)
	}
	variant := &mediav1.VariantRequest{Hash: p.Hash, Variant: p.Variant}
	if p.UnusedSince != nil {
		accessed, err := h.access.VariantAt(ctx, variant)
		if kept, err := usedSince(accessed, err, *p.UnusedSince); kept || err != nil {
			return err
		}
	}
	found, err := h.variants.Identifier(ctx, variant)
	if absent(err) { // only the time of an access can be left
		_, err = h.access.RemoveVariant(ctx, variant)
		return repoFailure(err)
	}
	if err != nil {
		return repoFailure(err)
	}
	_, err = h.variants.Cleanup(ctx, &mediav1.CleanupVariantRequest{
		Hash: p.Hash, Variant: p.Variant, Job: fileJob(found.GetIdentifier())})
	return repoFailure(err)
}

func (h *Host) removeVariantsOf(ctx context.Context, hash []byte) error {
	list, err := h.variants.ForHash(ctx, &mediav1.HashRequest{Hash: hash})
	if err != nil {
		return repoFailure(err)
	}
	for _, variant := range list.GetVariants() {
		_, err := h.variants.Cleanup(ctx, &mediav1.CleanupVariantRequest{
			Hash: hash, Variant: variant.GetVariant(), Job: fileJob(variant.GetIdentifier())})
		if err != nil {
			return repoFailure(err)
		}
	}
	return nil
}

// removeAllVariants pushes a job for each hash.
func (h *Host) removeAllVariants(ctx context.Context) error {
	return h.eachBatch(ctx, func(batch []*mediav1.OrderedHash) error {
		jobs := make([]*mediav1.NewJob, len(batch))
		for i, hash := range batch {
			jobs[i] = payload{Kind: jobVariant, Hash: hash.GetHash()}.job(CleanupQueue, "variants:"+variantKey(hash.GetHash(), ""))
		}
		return h.pushMany(ctx, jobs)
	})
}

// eachBatch visits all hashes.
func (h *Host) eachBatch(ctx context.Context, visit func([]*mediav1.OrderedHash) error) error {
	ctx, cancel := context.WithCancel(ctx) // ends the stream if visit fails
	defer cancel()
	stream, err := h.hashes.List(ctx, &mediav1.ListHashesRequest{})
	if err != nil {
		return repoFailure(err)
	}
	for {
		batch, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return repoFailure(err)
		}
		if err := visit(batch.GetHashes()); err != nil {
			return err
		}
	}
}

// removeOutdatedVariants pushes a job for each variant that nobody asked for within the retention.
func (h *Host) removeOutdatedVariants(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	before := h.now().Add(-h.options.Retention)
	stream, err := h.access.OlderVariants(ctx, &mediav1.OlderRequest{Before: timestamppb.New(before), Limit: outdatedBatch})
	if err != nil {
		return repoFailure(err)
	}
	for {
		batch, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return repoFailure(err)
		}
		var jobs []*mediav1.NewJob
		for _, v := range batch.GetVariants() {
			p := payload{Kind: jobVariant, Hash: v.GetHash(), Variant: v.GetVariant(), UnusedSince: &before}
			jobs = append(jobs, p.job(CleanupQueue, "variant:"+variantKey(v.GetHash(), v.GetVariant())))
		}
		if err := h.pushMany(ctx, jobs); err != nil {
			return err
		}
	}
}

// removeOutdatedProxies pushes a job for each alias whose URLs nobody asked for within the retention.
func (h *Host) removeOutdatedProxies(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	before := h.now().Add(-h.options.Retention)
	stream, err := h.access.OlderAliases(ctx, &mediav1.OlderRequest{Before: timestamppb.New(before), Limit: outdatedBatch})
	if err != nil {
		return repoFailure(err)
	}
	for {
		batch, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return repoFailure(err)
		}
		if err := h.removeOutdatedAliases(ctx, batch.GetAliases(), before); err != nil {
			return err
		}
	}
}

// removeOutdatedAliases pushes the jobs of one batch. Of an alias without a token, which nobody could
// delete, only the URLs are forgotten.
func (h *Host) removeOutdatedAliases(ctx context.Context, aliases []*mediav1.OlderAlias, before time.Time) error {
	var jobs []*mediav1.NewJob
	for _, older := range aliases {
		p, err := h.aliasRemoval(ctx, older.GetAlias())
		if errors.Is(err, &Error{Code: AliasNotFound}) {
			if err := h.forgetURLs(ctx, older.GetAlias()); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		p.UnusedSince = &before
		jobs = append(jobs, p.job(CleanupQueue, "alias:"+older.GetAlias()))
	}
	return h.pushMany(ctx, jobs)
}

// forgetURLs forgets the URLs of an alias, and when they were asked for.
func (h *Host) forgetURLs(ctx context.Context, alias string) error {
	request := &mediav1.AliasRequest{Alias: alias}
	if _, err := h.proxies.Remove(ctx, request); err != nil {
		return repoFailure(err)
	}
	_, err := h.access.RemoveAlias(ctx, request)
	return repoFailure(err)
}
