package host

import (
	"context"
	"fmt"
	"runtime/debug"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// Run does a job, and says how it ended:
//
//   - SUCCESS, also if there was nothing left to do: jobs are delivered at least once, and every one of
//     them may be run again, or twice at the same time;
//   - FAILURE if it may succeed another time;
//   - ABORTED if it never will: it cannot be read, or what it is about is damaged or gone.
//
// Errors are logged here. A job whose ctx ended is a FAILURE; whoever ended it knows whether the queue
// is to be told so.
func (h *Host) Run(ctx context.Context, queue string, job []byte) (result mediav1.JobResult) {
	defer func() {
		if cause := recover(); cause != nil {
			h.log.ErrorContext(ctx, "a job panicked and is given up", "queue", queue, "panic", cause, "stack", string(debug.Stack()))
			result = mediav1.JobResult_ABORTED
		}
	}()
	p, err := parsePayload(job)
	if err == nil {
		err = h.run(ctx, queue, p)
	}
	log := h.log.With("queue", queue, "kind", p.Kind)
	switch {
	case err == nil:
		return mediav1.JobResult_SUCCESS
	case ctx.Err() == nil && permanent(err):
		log.WarnContext(ctx, "a job is given up", "error", err)
		return mediav1.JobResult_ABORTED
	}
	log.WarnContext(ctx, "a job failed", "error", err)
	return mediav1.JobResult_FAILURE
}

// run does what a job says.
func (h *Host) run(ctx context.Context, queue string, p payload) error {
	if err := h.writable(); err != nil {
		return err
	}
	switch queue {
	case CleanupQueue:
		return h.runCleanup(ctx, p)
	case ProcessQueue:
		return h.runProcess(ctx, p)
	}
	return failure(BadJob, "there is no queue of this name")
}

func (h *Host) runProcess(ctx context.Context, p payload) error {
	switch {
	case p.Kind == jobIngest && p.Ingest != nil:
		return h.runIngest(ctx, p.Ingest)
	case p.Kind == jobGenerate && len(p.Hash) > 0 && p.Variant != "":
		return h.runGenerate(ctx, p.Hash, p.Variant)
	}
	return incomplete(p)
}

func (h *Host) runCleanup(ctx context.Context, p payload) error {
	switch {
	case p.Kind == jobHash && len(p.Hash) > 0:
		return h.collect(ctx, p.Hash)
	case p.Kind == jobPurgeHash && len(p.Hash) > 0:
		return h.purge(ctx, p.Hash)
	case p.Kind == jobIdentifier && p.Identifier != "":
		return h.removeFile(ctx, p.Identifier)
	case p.Kind == jobAlias && p.Alias != "":
		return h.removeAlias(ctx, p)
	case p.Kind == jobVariant && len(p.Hash) > 0:
		return h.removeVariant(ctx, p)
	case p.Kind == jobAllVariants:
		return h.removeAllVariants(ctx)
	case p.Kind == jobOutdatedVariants:
		return h.removeOutdatedVariants(ctx)
	case p.Kind == jobOutdatedProxies:
		return h.removeOutdatedProxies(ctx)
	case p.Kind == jobPrune:
		return h.prune(ctx)
	}
	return incomplete(p)
}

func incomplete(p payload) error {
	return &Error{Code: BadJob, Message: "the job cannot be read", Cause: fmt.Errorf("kind %q is unknown in this queue, or lacks a field", p.Kind)}
}
