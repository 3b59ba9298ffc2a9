package media

import (
	"context"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// Complete implements the method of the API.
func (s queue) Complete(ctx context.Context, r *mediav1.CompleteRequest) (*mediav1.CompleteResponse, error) {
	v := s.begin()
	done, err := v.newCompletion(r.GetQueue(), r.GetWorker(), r.GetJobId(), r.GetResult())
	if err != nil {
		return nil, err
	}
	v.Run(ctx, &query.Flight{Groups: []query.Group{done.group}})
	return s.completed(done)
}

// A completion is the end of a job on its way: one transaction.
type completion struct {
	result mediav1.JobResult
	group  query.Group // what tells whether the job was held comes first
}

func (v view) newCompletion(queue string, worker, id []byte, result mediav1.JobResult) (*completion, error) {
	c := &completion{result: result}
	switch result {
	case mediav1.JobResult_SUCCESS, mediav1.JobResult_ABORTED:
		call, err := v.Call(mediav1.Operations_QueueComplete_FullMethodName,
			&mediav1.HeldJobParameters{Queue: queue, Worker: worker, JobId: id})
		c.group = query.Group{call}
		return c, err
	case mediav1.JobResult_FAILURE:
		return c, v.failing(c, queue, worker, id)
	}
	return nil, invalid("the result is none of the known ones")
}

// failing takes an attempt off, and removes a job that has none left, at once: between two
// transactions a crash would leave a row that nobody ever claims or removes.
func (v view) failing(c *completion, queue string, worker, id []byte) error {
	fail, err := v.Call(mediav1.Operations_QueueFail_FullMethodName,
		&mediav1.QueueFailParameters{Queue: queue, Worker: worker, JobId: id})
	if err != nil {
		return err
	}
	c.group = query.Group{fail}
	if !v.configured(mediav1.Operations_QueueDiscardExhausted_FullMethodName) {
		return nil
	}
	discard, err := v.Call(mediav1.Operations_QueueDiscardExhausted_FullMethodName, &mediav1.JobIDParameters{JobId: id})
	c.group = append(c.group, discard)
	return err
}

// completed is what the answer means. A call that was sent twice and found the job not held met its own
// first effect, as far as anybody can tell.
func (s *Service) completed(c *completion) (*mediav1.CompleteResponse, error) {
	if err := c.group.Err(); err != nil {
		return nil, err
	}
	call := c.group[0]
	response := &mediav1.CompleteResponse{}
	if c.result == mediav1.JobResult_FAILURE {
		response.Held = call.Found() || call.Resent
		if call.Found() {
			response.AttemptsLeft = proto.Int64(max(call.Rows[0].(*mediav1.Attempts).GetRetry(), 0))
		}
	} else {
		response.Held = held(call)
	}
	s.metrics.ended(c.result, response)
	return response, nil
}

// held says whether a write that hits only what the caller holds hit it; true also if the query does
// not tell.
func held(call *query.Call) bool { return !call.Counted || call.Affected > 0 || call.Resent }
