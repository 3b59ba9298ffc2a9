package benchmark

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/workload"
)

const (
	// chunk is how many requests are written in one transaction and one round trip.
	chunk = 500
	// writers is how many such transactions are under way at once.
	writers = 4
)

// fill stores the data through the operator's own operations. It returns how many requests changed
// nothing, as far as the queries tell: a query may decline what it is given.
func (s *side) fill(ctx context.Context, data workload.Data, done func(n int64)) (declined int64, err error) {
	var refused atomic.Int64
	err = s.store(ctx, data.Rows(), data.Together(), data.Fill, done, &refused)
	return refused.Load(), err
}

// age makes a part of the stored data old.
func (s *side) age(ctx context.Context, data workload.Data) error {
	return s.store(ctx, data.Aged(), 1, data.Age, func(int64) {}, new(atomic.Int64))
}

// store writes n requests, in chunks of which several are under way at once.
func (s *side) store(ctx context.Context, n, together int64, request func(i int64) workload.Request, done func(n int64), refused *atomic.Int64) error {
	return chunks(ctx, n, together, func(ctx context.Context, from, to int64) error {
		requests := make([]workload.Request, 0, to-from)
		for i := from; i < to; i++ {
			requests = append(requests, request(i))
		}
		n, err := s.write(ctx, requests)
		refused.Add(n)
		done(to - from)
		return err
	})
}

// empty removes what fill stored, where there are operations that can.
func (s *side) empty(ctx context.Context, data workload.Data, done func(n int64)) error {
	return chunks(ctx, data.Rows(), data.Together(), func(ctx context.Context, from, to int64) error {
		var requests []workload.Request
		for i := from; i < to; i++ {
			requests = append(requests, data.Empty(i)...)
		}
		done(to - from)
		return s.prepare(ctx, requests)
	})
}

// chunks cuts [0, n) into parts, multiples of what belongs together, and has several worked on at once.
func chunks(ctx context.Context, n, together int64, work func(ctx context.Context, from, to int64) error) error {
	size := max(chunk/together, 1) * together
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for from := int64(0); from < n && working.Err() == nil; from += size {
		group.Go(func() error { return work(working, from, min(from+size, n)) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// prepare makes requests that are not measured.
func (s *side) prepare(ctx context.Context, requests []workload.Request) error {
	for part := range slices.Chunk(requests, chunk) {
		if _, err := s.write(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// write makes requests in one transaction, in the order in which rows are to be locked. It returns how
// many changed nothing.
func (s *side) write(ctx context.Context, requests []workload.Request) (declined int64, err error) {
	slices.SortStableFunc(requests, func(a, b workload.Request) int { return strings.Compare(a.Order, b.Order) })
	calls := make([]*query.Call, len(requests))
	for i, request := range requests {
		if calls[i], err = s.call(request); err != nil {
			return 0, err
		}
	}
	flight := query.Calls(calls...)
	s.pool.Run(ctx, flight)
	if ctx.Err() != nil {
		return 0, errCanceled
	}
	if err := flight.Err(); err != nil {
		return 0, fmt.Errorf("storing generated data: %w", err)
	}
	for _, call := range calls {
		writes := call.Statement.Operation.Spec.GetResult() == annotation.Result_AFFECTED
		if writes && call.Counted && call.Affected == 0 {
			declined++
		}
	}
	return declined, nil
}
