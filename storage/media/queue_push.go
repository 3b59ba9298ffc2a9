package media

import (
	"context"
	"slices"
	"strings"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// Push implements the method of the API.
func (s queue) Push(ctx context.Context, r *mediav1.PushRequest) (*mediav1.PushResponse, error) {
	v := s.begin()
	push, notify, err := v.pushCalls(r.GetJob())
	if err != nil {
		return nil, err
	}
	flight := query.Calls(push)
	if notify != nil {
		flight.Then(notify)
	}
	v.Run(ctx, flight)
	s.tellUnnotified(notify)
	if push.Err != nil {
		return nil, push.Err
	}
	return s.stored(r.GetJob(), push), nil
}

// PushMany implements the method of the API: one transaction. A unique key that is taken, and a query
// without ON CONFLICT, undo all of it; then each job is sent again as a transaction of its own, in
// one more round trip, so that only duplicates are left out.
func (s queue) PushMany(ctx context.Context, r *mediav1.PushManyRequest) (*mediav1.PushManyResponse, error) {
	v := s.begin()
	pushes, notifies, err := v.pushAll(r.GetJobs())
	if err != nil {
		return nil, err
	}
	if err := v.pushTogether(ctx, pushes, notifies); err != nil {
		return nil, err
	}
	for _, notify := range notifies {
		s.tellUnnotified(notify)
	}
	response := &mediav1.PushManyResponse{Results: make([]*mediav1.PushResponse, len(pushes))}
	for i, push := range pushes {
		response.Results[i] = s.stored(r.GetJobs()[i], push)
	}
	return response, nil
}

func (v view) pushTogether(ctx context.Context, pushes, notifies query.Group) error {
	v.Run(ctx, query.Calls(inKeyOrder(pushes)...).Then(notifies...))
	if !uniqueViolation(pushes.Err()) {
		return pushes.Err()
	}
	each := apart(pushes...).Then(notifies...)
	v.Run(ctx, each)
	return pushes.Err()
}

// inKeyOrder returns pushes of one transaction in the order of their unique keys. Who pushes a key waits
// for a transaction that has pushed it and is not committed; in one order for all, such transactions
// wait for each other in a row and never in a circle.
func inKeyOrder(pushes []*query.Call) []*query.Call {
	ordered := slices.Clone(pushes)
	slices.SortStableFunc(ordered, func(a, b *query.Call) int { return strings.Compare(uniqueKeyOf(a), uniqueKeyOf(b)) })
	return ordered
}

// uniqueKeyOf is the key of a push; empty if it has none.
func uniqueKeyOf(push *query.Call) string {
	return push.Values()[push.Statement.Operation.Parameter("unique_key").Index].Text
}

// stored is the answer to a push that succeeded, and wakes those who wait for the job. No row means that
// the unique key is taken. Only a job without one that was sent twice is stored all the same: its id
// is taken by its own first effect.
func (s *Service) stored(job *mediav1.NewJob, push *query.Call) *mediav1.PushResponse {
	response := &mediav1.PushResponse{}
	switch {
	case push.Found():
		response.JobId, response.Queued = push.Rows[0].(*mediav1.JobID).GetId(), true
	case push.Resent && job.UniqueKey == nil:
		response.JobId, response.Queued = push.Values()[pushedID(push)].Bytes, true
	default:
		s.metrics.duplicates.Inc()
		return response
	}
	s.pushed(job)
	return response
}

// pushedID is the index of the parameter job_id.
func pushedID(push *query.Call) int { return push.Statement.Operation.Parameter("job_id").Index }

// tellUnnotified logs a notification that could not be sent. What it is about is stored all the same,
// and others find it at their next look.
func (s *Service) tellUnnotified(notify *query.Call) {
	if notify != nil && notify.Err != nil {
		s.logger.Warn("those who wait in other processes were not notified", "error", notify.Err.Error())
	}
}
