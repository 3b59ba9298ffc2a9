package media

import (
	"context"
	"math"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// OlderAliases implements the method of the API.
func (s access) OlderAliases(request *mediav1.OlderRequest, stream grpc.ServerStreamingServer[mediav1.OlderAliasBatch]) error {
	next := func(v view, behind proto.Message, size int64) (*query.Call, error) {
		parameters := &mediav1.OlderAliasesParameters{Before: request.GetBefore(), Limit: size}
		if row, ok := behind.(*mediav1.OlderAlias); ok {
			parameters.AfterAccessed, parameters.AfterAlias = row.GetAccessed(), &row.Alias
		}
		return v.Call(mediav1.Operations_AliasAccessOlder_FullMethodName, parameters)
	}
	size := func(v view) int64 { return v.settings.GetAliasAccessBatchSize() }
	return s.older(stream.Context(), request, size, next, func(call *query.Call) error {
		return stream.Send(&mediav1.OlderAliasBatch{Aliases: query.RowsOf[*mediav1.OlderAlias](call)})
	})
}

// OlderVariants implements the method of the API.
func (s access) OlderVariants(request *mediav1.OlderRequest, stream grpc.ServerStreamingServer[mediav1.OlderVariantBatch]) error {
	next := func(v view, behind proto.Message, size int64) (*query.Call, error) {
		parameters := &mediav1.OlderVariantsParameters{Before: request.GetBefore(), Limit: size}
		if row, ok := behind.(*mediav1.OlderVariant); ok {
			parameters.AfterAccessed, parameters.AfterHash, parameters.AfterVariant = row.GetAccessed(), row.GetHash(), &row.Variant
		}
		return v.Call(mediav1.Operations_VariantAccessOlder_FullMethodName, parameters)
	}
	size := func(v view) int64 { return v.settings.GetVariantAccessBatchSize() }
	return s.older(stream.Context(), request, size, next, func(call *query.Call) error {
		return stream.Send(&mediav1.OlderVariantBatch{Variants: query.RowsOf[*mediav1.OlderVariant](call)})
	})
}

// older sends batches until one is not full, or until limit rows are sent (0: no bound). Each batch is a
// round trip of its own, strictly behind the last row of the one before, with the queries and the batch
// size that are in use by then. Rows that are touched meanwhile drop out.
func (s *Service) older(ctx context.Context, request *mediav1.OlderRequest, sizeOf func(view) int64,
	next func(v view, behind proto.Message, size int64) (*query.Call, error), send func(*query.Call) error) error {
	if err := given("before", request.GetBefore()); err != nil {
		return err
	}
	limit := request.GetLimit()
	switch {
	case limit < 0:
		return invalid("limit must not be negative")
	case limit == 0:
		limit = math.MaxInt64
	}
	var behind proto.Message
	for limit > 0 {
		v := s.begin()
		size := min(sizeOf(v), limit)
		call, err := next(v, behind, size)
		if err != nil {
			return err
		}
		if err := v.read(ctx, call); err != nil || !call.Found() {
			return err
		}
		full := int64(len(call.Rows)) >= size
		call.Rows = call.Rows[:min(int64(len(call.Rows)), limit)]
		last := call.Rows[len(call.Rows)-1]
		if proto.Equal(last, behind) {
			return standsStill(call)
		}
		if err := send(call); err != nil || !full {
			return err
		}
		behind, limit = last, limit-int64(len(call.Rows))
	}
	return nil
}
