package media

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// List implements the method of the API: each batch is a round trip of its own, which begins at the row
// that the one before read beyond its end. The row need not be there any more. The last message is the
// one without a cursor; where nothing is stored, it is the only one.
func (s hashes) List(request *mediav1.ListHashesRequest, stream grpc.ServerStreamingServer[mediav1.HashBatch]) error {
	if request.GetFrom() != nil {
		if err := given("created_at", request.GetFrom().GetCreatedAt()); err != nil {
			return err
		}
	}
	for cursor := request.GetFrom(); ; {
		batch, err := s.batch(stream.Context(), cursor)
		if err != nil {
			return err
		}
		if err := stream.Send(batch); err != nil || batch.GetCursor() == nil {
			return err
		}
		cursor = batch.GetCursor()
	}
}

// batch reads a batch with the queries that are in use by now.
func (s hashes) batch(ctx context.Context, from *mediav1.OrderedHash) (*mediav1.HashBatch, error) {
	v := s.begin()
	size := v.settings.GetHashesBatchSize()
	var call *query.Call
	var err error
	if from == nil {
		call, err = v.Call(mediav1.Operations_HashFirstPage_FullMethodName, &mediav1.FirstPageParameters{Limit: size + 1})
	} else {
		call, err = v.Call(mediav1.Operations_HashPage_FullMethodName,
			&mediav1.PageParameters{CreatedAt: from.GetCreatedAt(), Hash: from.GetHash(), Limit: size + 1})
	}
	if err != nil {
		return nil, err
	}
	if err := v.read(ctx, call); err != nil {
		return nil, err
	}
	batch := &mediav1.HashBatch{}
	batch.Hashes, batch.Cursor = cut(query.RowsOf[*mediav1.OrderedHash](call), size)
	if batch.Cursor != nil && proto.Equal(batch.Cursor, from) {
		return nil, standsStill(call)
	}
	return batch, nil
}

// standsStill is the error for a query that goes on where it began. Without it the stream would repeat
// its batch for ever.
func standsStill(call *query.Call) error {
	return fault.New(fault.BadResult, call.Statement.Operation.Key,
		"the query returns the row again that it was to go on behind; it must use the cursor and the order of the contract")
}
