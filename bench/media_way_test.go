package bench

import "context"

// A mediaWay does what the hot methods of the media domain do.
type mediaWay interface {
	resolveAlias(ctx context.Context, alias string) (resolved, error)
	resolveVariant(ctx context.Context, alias, variant string, touch bool) (resolved, error)
	touchAlias(ctx context.Context, alias string) (affected, error)
	touchVariant(ctx context.Context, hash []byte, variant string) (affected, error)

	save(ctx context.Context, u *upload) (saved, error)

	push(ctx context.Context, queue, job string) (id []byte, err error)
	pop(ctx context.Context, queue string, worker []byte) (job, error)
	complete(ctx context.Context, queue string, worker, id []byte) (held bool, err error)
	next(ctx context.Context, queue string, worker, id []byte) (j job, held bool, err error)
}

// resolved is what stands behind an alias.
type resolved struct {
	hash                []byte
	identifier, details string
	touched             bool
}

// An upload is a stored file that is recorded under an alias.
type upload struct {
	hash                              []byte
	identifier, details, alias, token string
}

// saved is what became of an upload.
type saved struct {
	hashExisted, aliasExisted bool
	token                     string
}

// A job is one that a worker took.
type job struct {
	id      []byte
	payload string
}
