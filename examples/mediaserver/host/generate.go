package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
)

const (
	// A variant that somebody else is generating is waited for in rounds; then the job is tried again
	// later.
	busyRounds = 3
	busyWait   = 20 * time.Second
	// claimHeartbeat is for a plugin that says nothing about it.
	claimHeartbeat = 5 * time.Second
)

// errClaimLost ends a generation whose claim another has taken over.
var errClaimLost = errors.New("the claim on the variant was lost")

// errBusy is a failure that passes.
var errBusy = errors.New("somebody else is generating the variant, and does not finish")

// runGenerate makes a variant, unless it exists. Of all workers of all processes one does it at a time;
// the others wait for that one.
func (h *Host) runGenerate(ctx context.Context, hash []byte, variant string) error {
	p, err := picture.ParseVariant(variant)
	if err != nil {
		return err
	}
	v := &mediav1.VariantRequest{Hash: hash, Variant: variant}
	for range busyRounds {
		claim, err := h.variants.Claim(ctx, v)
		if absent(err) {
			return unknownAlias()
		}
		if err != nil {
			return repoFailure(err)
		}
		switch claim.GetOutcome() {
		case mediav1.ClaimVariantResponse_EXISTS:
			return nil
		case mediav1.ClaimVariantResponse_CLAIMED:
			return h.generateClaimed(ctx, v, p)
		}
		if done, err := h.waitForOther(ctx, v); done || err != nil {
			return err
		}
	}
	return errBusy
}

// waitForOther waits while somebody else generates a variant; done says that it is there now.
func (h *Host) waitForOther(ctx context.Context, v *mediav1.VariantRequest) (done bool, err error) {
	waiting, cancel := context.WithTimeout(ctx, busyWait)
	defer cancel()
	_, err = h.variants.Wait(waiting, &mediav1.WaitVariantRequest{Hash: v.GetHash(), Variant: v.GetVariant(), WhileClaimed: true})
	switch {
	case err == nil:
		return true, nil
	case absent(err), deadlineOver(err) && ctx.Err() == nil: // the other failed, or takes long
		return false, nil
	}
	return false, repoFailure(err)
}

// generateClaimed makes a variant under a claim and gives the claim up, whatever happens.
func (h *Host) generateClaimed(ctx context.Context, v *mediav1.VariantRequest, p picture.Process) error {
	defer func() {
		ctx, cancel := tidying(ctx)
		defer cancel()
		if _, err := h.variants.Release(ctx, v); err != nil {
			h.log.WarnContext(ctx, "the claim on a variant could not be given up; others wait until it is stale", "error", err)
		}
	}()
	running, cancel := context.WithTimeout(ctx, h.options.GenerateTimeout)
	defer cancel()
	running, lost := context.WithCancelCause(running)
	defer lost(nil)
	beating, stop := context.WithCancel(running)
	var heart sync.WaitGroup
	heart.Go(func() { h.beat(beating, v, lost) })
	err := h.generate(running, v, p)
	stop()
	heart.Wait()
	if err != nil && running.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("generating a variant was given up (%w): %v", context.Cause(running), err)
	}
	return err
}

// beat keeps a claim fresh until ctx ends, and calls lost if it was not fresh enough.
func (h *Host) beat(ctx context.Context, v *mediav1.VariantRequest, lost context.CancelCauseFunc) {
	pause := claimHeartbeat
	if can, err := h.repo.Capabilities(ctx, &mediav1.CapabilitiesRequest{}); err == nil && can.GetVariantsHeartbeatInterval().AsDuration() > 0 {
		pause = can.GetVariantsHeartbeatInterval().AsDuration()
	}
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		answer, err := h.variants.Heartbeat(ctx, v)
		switch {
		case err != nil && ctx.Err() == nil:
			h.log.WarnContext(ctx, "the heartbeat of a claim failed", "error", err)
		case err == nil && !answer.GetHeld():
			lost(errClaimLost)
			return
		}
	}
}

// generate makes a variant and records it. If another was first after all, that one's file stays.
func (h *Host) generate(ctx context.Context, v *mediav1.VariantRequest, p picture.Process) error {
	original, err := h.hashes.Identifier(ctx, &mediav1.HashRequest{Hash: v.GetHash()})
	if absent(err) {
		return failure(LostFile, "the original of the variant is gone")
	}
	if err != nil {
		return repoFailure(err)
	}
	in, err := h.processed(ctx, original.GetIdentifier(), p)
	if err != nil {
		return err
	}
	details, err := encodeDetails(in.details)
	if err != nil {
		return err
	}
	related, err := h.variants.Relate(ctx, &mediav1.RelateVariantRequest{
		Hash: v.GetHash(), Variant: v.GetVariant(), Identifier: in.Identifier, Details: &details})
	switch {
	case err != nil:
		return h.notRelated(ctx, v, in, err)
	case related.GetIdentifier() != in.Identifier:
		h.drop(ctx, in.Identifier)
	}
	return nil
}

// notRelated removes the file of a variant that could not be recorded, unless it was all the same.
func (h *Host) notRelated(ctx context.Context, v *mediav1.VariantRequest, in intake, cause error) error {
	ctx, cancel := tidying(ctx)
	defer cancel()
	if absent(cause) {
		h.drop(ctx, in.Identifier)
		return failure(LostFile, "the original of the variant is gone")
	}
	found, err := h.variants.Identifier(ctx, v)
	switch {
	case err == nil && found.GetIdentifier() == in.Identifier:
		return nil
	case err == nil, absent(err):
		h.drop(ctx, in.Identifier)
	default:
		h.log.ErrorContext(ctx, "the file of a variant may be left over", "identifier", in.Identifier, "error", err)
	}
	return repoFailure(cause)
}
