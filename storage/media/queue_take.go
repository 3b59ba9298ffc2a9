package media

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// Pop implements the method of the API: looks for a job until there is one, and between looks waits
// without a connection.
//
// A look that took a job just as the caller went away has taken it for nobody; the job comes back when
// its heartbeat is stale, as that of a worker that died. So there is no look in the last moments of a
// caller's time, and none for a caller who is gone.
func (s queue) Pop(ctx context.Context, r *mediav1.PopRequest) (*mediav1.Job, error) {
	w := s.topics.jobs.Register(r.GetQueue())
	defer w.Leave()
	var job *mediav1.Job
	acknowledge := r.GetAcknowledge()
	err := await(ctx, w, func(ctx context.Context) (bool, error) {
		v := s.begin()
		l, err := v.newLook(r.GetQueue(), r.GetWorker())
		if err != nil {
			return false, err
		}
		if acknowledge {
			if err := v.acknowledge(l, r); err != nil {
				return false, err
			}
		}
		v.Run(ctx, l.flight())
		acknowledge = acknowledge && l.before != nil && l.before.Err() != nil
		job, err = s.looked(ctx, l)
		return job != nil, err
	})
	if err != nil {
		return nil, err
	}
	return job, nil
}

// acknowledge deletes what the worker held before, in front of a look. Without a query for that the
// host has called Complete.
func (v view) acknowledge(l *jobLook, r *mediav1.PopRequest) error {
	if !v.configured(mediav1.Operations_QueueAckWorker_FullMethodName) {
		return nil
	}
	call, err := v.Call(mediav1.Operations_QueueAckWorker_FullMethodName, &mediav1.AckWorkerParameters{Queue: r.GetQueue(), Worker: r.GetWorker()})
	l.before = query.Group{call}
	return err
}

// Next implements the method of the API. Once the job is completed, that is told in any case: the
// host can ask again for another job, and will meet again whatever was in the way.
func (s queue) Next(ctx context.Context, r *mediav1.NextRequest) (*mediav1.NextResponse, error) {
	w := s.topics.jobs.Register(r.GetQueue())
	defer w.Leave()
	response := &mediav1.NextResponse{}
	var uncompleted error
	err := await(ctx, w, func(ctx context.Context) (bool, error) {
		v := s.begin()
		l, err := v.newLook(r.GetQueue(), r.GetWorker())
		if err != nil {
			return false, err
		}
		var done *completion // in the first look only
		if response.Completed == nil {
			if done, err = v.newCompletion(r.GetQueue(), r.GetWorker(), r.GetJobId(), r.GetResult()); err != nil {
				return false, err
			}
			l.before = done.group
		}
		v.Run(ctx, l.flight())
		if done != nil {
			response.Completed, uncompleted = s.completed(done)
		}
		response.Job, err = s.looked(ctx, l)
		if response.Job == nil && uncompleted != nil {
			return false, uncompleted
		}
		return response.Job != nil, err
	})
	switch {
	case response.Job != nil && uncompleted != nil:
		// The new job is the host's by now, so it must hear of it. The old one comes back when its
		// heartbeat is stale.
		s.logger.Warn("a job was not completed, although the next one was taken", "error", uncompleted.Error())
		return response, nil
	case response.Completed != nil:
		return response, nil
	}
	return nil, err
}

// A jobLook is one attempt to get a job, on its way: three transactions in one round trip.
type jobLook struct {
	before  query.Group // what is done first; may be nil
	requeue *query.Call
	claim   *query.Call
}

func (v view) newLook(queue string, worker []byte) (*jobLook, error) {
	now := v.Now()
	l := &jobLook{}
	var err error
	if l.requeue, err = v.Call(mediav1.Operations_QueueRequeueStale_FullMethodName, &mediav1.RequeueStaleParameters{
		StaleBefore: timestamppb.New(now.Add(-v.settings.GetQueueStaleAfter().AsDuration())), Now: timestamppb.New(now)}); err != nil {
		return nil, err
	}
	l.claim, err = v.Call(mediav1.Operations_QueueClaim_FullMethodName, &mediav1.QueueClaimParameters{
		Queue: queue, Worker: worker, Now: timestamppb.New(now)})
	return l, err
}

// flight has a commit point between the parts: what one of them cannot do does not undo the others,
// and no lock of one is held by the next.
func (l *jobLook) flight() *query.Flight {
	flight := &query.Flight{}
	return flight.Then(l.before...).Then(l.requeue).Then(l.claim)
}

// looked is what a look found. A job is returned whatever else went wrong: it is taken.
func (s *Service) looked(ctx context.Context, l *jobLook) (*mediav1.Job, error) {
	if l.requeue.Err == nil && l.requeue.Affected > 0 {
		s.metrics.requeued.Add(float64(l.requeue.Affected))
		s.topics.jobs.WakeEach() // they may be of any queue
	}
	if l.claim.Err == nil && l.claim.Found() {
		s.metrics.claimed.Inc()
		if ctx.Err() != nil {
			s.metrics.unheard.Inc()
		}
		for _, err := range []error{l.before.Err(), l.requeue.Err} {
			if err != nil {
				s.logger.Warn("a job was taken, and what goes before that failed", "error", err.Error())
			}
		}
		return l.claim.Rows[0].(*mediav1.Job), nil
	}
	for _, err := range []error{l.before.Err(), l.claim.Err, l.requeue.Err} {
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}
