package bench

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// mediaAPI is the way over the generated clients: in this process or to the plugin.
type mediaAPI struct {
	aliases  mediav1.AliasesClient
	variants mediav1.VariantsClient
	access   mediav1.AccessClient
	uploads  mediav1.UploadsClient
	queue    mediav1.QueueClient
	repo     mediav1.RepoClient
}

func newMediaAPI(conn grpc.ClientConnInterface) *mediaAPI {
	return &mediaAPI{aliases: mediav1.NewAliasesClient(conn), variants: mediav1.NewVariantsClient(conn), access: mediav1.NewAccessClient(conn),
		uploads: mediav1.NewUploadsClient(conn), queue: mediav1.NewQueueClient(conn), repo: mediav1.NewRepoClient(conn)}
}

func resolvedFrom(r *mediav1.Resolved, err error) (resolved, error) {
	return resolved{hash: r.GetHash(), identifier: r.GetIdentifier(), details: r.GetDetails(), touched: r.GetTouched()}, err
}

func (a *mediaAPI) resolveAlias(ctx context.Context, alias string) (resolved, error) {
	return resolvedFrom(a.aliases.Resolve(ctx, &mediav1.AliasRequest{Alias: alias}))
}

func (a *mediaAPI) resolveVariant(ctx context.Context, alias, variant string, touch bool) (resolved, error) {
	return resolvedFrom(a.variants.Resolve(ctx, &mediav1.ResolveVariantRequest{Alias: alias, Variant: variant, Touch: touch}))
}

func (a *mediaAPI) touchAlias(ctx context.Context, alias string) (affected, error) {
	r, err := a.access.Alias(ctx, &mediav1.AccessedAliasRequest{Alias: alias})
	if err != nil {
		return 0, err
	}
	return rows(r.Affected), nil
}

func (a *mediaAPI) touchVariant(ctx context.Context, hash []byte, variant string) (affected, error) {
	r, err := a.access.Variant(ctx, &mediav1.AccessedVariantRequest{Hash: hash, Variant: variant})
	if err != nil {
		return 0, err
	}
	return rows(r.Affected), nil
}

func (a *mediaAPI) save(ctx context.Context, u *upload) (saved, error) {
	r, err := a.uploads.Save(ctx, &mediav1.SaveUploadRequest{Hash: u.hash, Identifier: u.identifier, Details: &u.details, Alias: u.alias, DeleteToken: u.token})
	return saved{hashExisted: r.GetHashExisted(), aliasExisted: r.GetAliasExisted(), token: r.GetDeleteToken()}, err
}

func (a *mediaAPI) push(ctx context.Context, queue, job string) ([]byte, error) {
	r, err := a.queue.Push(ctx, &mediav1.PushRequest{Job: &mediav1.NewJob{Queue: queue, Job: job}})
	if err == nil && !r.GetQueued() {
		err = errors.New("a job without a unique key was not queued")
	}
	return r.GetJobId(), err
}

func (a *mediaAPI) pop(ctx context.Context, queue string, worker []byte) (job, error) {
	r, err := a.queue.Pop(ctx, &mediav1.PopRequest{Queue: queue, Worker: worker})
	return job{id: r.GetId(), payload: r.GetJob()}, err
}

func (a *mediaAPI) complete(ctx context.Context, queue string, worker, id []byte) (bool, error) {
	r, err := a.queue.Complete(ctx, &mediav1.CompleteRequest{Queue: queue, Worker: worker, JobId: id})
	return r.GetHeld(), err
}

func (a *mediaAPI) next(ctx context.Context, queue string, worker, id []byte) (job, bool, error) {
	r, err := a.queue.Next(ctx, &mediav1.NextRequest{Queue: queue, Worker: worker, JobId: id})
	return job{id: r.GetJob().GetId(), payload: r.GetJob().GetJob()}, r.GetCompleted().GetHeld(), err
}
