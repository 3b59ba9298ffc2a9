package workload

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

func (o *original) newJob() *mediav1.NewJob { return &mediav1.NewJob{Queue: o.queue, Job: o.job()} }

func (o *original) newJobs(n int) []*mediav1.NewJob {
	var all []*mediav1.NewJob
	for range n {
		all = append(all, o.newJob())
	}
	return all
}

// queueOperations are those of the queue. Each turn has a queue of its own, with the job that is taken
// from it: so a claim finds what was put there for it.
func (p *passer) queueOperations() {
	d := p.mediaData
	now := timestamppb.New(d.plan.Now)
	op := func(method string, there, left []part, call func(o *original) proto.Message) *Case {
		return p.add(Case{Method: method, Direct: true}, there, left, call)
	}
	op(mediav1.Operations_QueuePush_FullMethodName, nil, list(aJob), func(o *original) proto.Message { return d.push(o, o.queue, attempts).Message }).
		Differ = differentIDs
	op(mediav1.Operations_QueueClaim_FullMethodName, list(aJob), nil, func(o *original) proto.Message { return d.take(o).Message }).
		Differ = d.differentContents
	op(mediav1.Queue_Heartbeat_FullMethodName, list(aJob, taken), nil, func(o *original) proto.Message {
		return &mediav1.JobRequest{Queue: o.queue, Worker: o.worker, JobId: o.id, Now: now}
	})
	op(mediav1.Operations_QueueComplete_FullMethodName, list(aJob, taken), nil, func(o *original) proto.Message {
		return &mediav1.HeldJobParameters{Queue: o.queue, Worker: o.worker, JobId: o.id}
	})
	fail := op(mediav1.Operations_QueueFail_FullMethodName, list(lastJob, taken), nil, func(o *original) proto.Message {
		return &mediav1.QueueFailParameters{Queue: o.queue, Worker: o.worker, JobId: o.id, Now: now}
	})
	fail.Differ, fail.Stays = differentAttempts, true // the job waits for a worker that is stale
	op(mediav1.Operations_QueueDiscardExhausted_FullMethodName, list(aJob), nil, func(o *original) proto.Message {
		return &mediav1.JobIDParameters{JobId: o.id}
	})
	op(mediav1.Queue_RequeueInProgress_FullMethodName, list(aJob, taken), nil, func(o *original) proto.Message {
		return &mediav1.RequeueInProgressRequest{Queue: &o.queue, Worker: o.worker}
	})
	op(mediav1.Operations_QueueAckWorker_FullMethodName, list(aJob, taken), nil, func(o *original) proto.Message {
		return &mediav1.AckWorkerParameters{Queue: o.queue, Worker: o.worker}
	})
	op(mediav1.Operations_QueueNotify_FullMethodName, nil, nil, func(o *original) proto.Message {
		return &mediav1.QueueNotifyParameters{Queue: o.queue, JobId: o.id, Payload: "job " + o.queue}
	})
}

// queueMethods are the composed methods of the queue.
func (p *passer) queueMethods() {
	method := func(name, variant string, there, left []part, call func(o *original) proto.Message) *Case {
		c := p.add(Case{Method: name, Variant: variant}, there, left, call)
		c.Differ = tells
		return c
	}
	method(mediav1.Queue_Push_FullMethodName, "", nil, list(aJob), func(o *original) proto.Message { return &mediav1.PushRequest{Job: o.newJob()} })
	method(mediav1.Queue_PushMany_FullMethodName, "10 jobs", nil, list(tenJobs), func(o *original) proto.Message {
		return &mediav1.PushManyRequest{Jobs: o.newJobs(several)}
	})
	method(mediav1.Queue_Pop_FullMethodName, "", list(aJob), nil, func(o *original) proto.Message {
		return &mediav1.PopRequest{Queue: o.queue, Worker: o.worker}
	}).Differ = p.differentContents
	method(mediav1.Queue_Complete_FullMethodName, "success", list(aJob, taken), nil, func(o *original) proto.Message {
		return &mediav1.CompleteRequest{Queue: o.queue, Worker: o.worker, JobId: o.id}
	})
	method(mediav1.Queue_Complete_FullMethodName, "last failure", list(lastJob, taken), nil, func(o *original) proto.Message {
		return &mediav1.CompleteRequest{Queue: o.queue, Worker: o.worker, JobId: o.id, Result: mediav1.JobResult_FAILURE}
	})
	next := method(mediav1.Queue_Next_FullMethodName, "", list(aJob, taken, anotherJob), nil, func(o *original) proto.Message {
		return &mediav1.NextRequest{Queue: o.queue, Worker: o.worker, JobId: o.id}
	})
	next.Differ, next.Wrong = p.differentContents, noNextJob
}

// noNextJob tells that the job behind the one that is completed was not found, which is no error.
func noNextJob(_ Turn, a *Answer) string {
	if response, ok := a.Rows[0].(*mediav1.NextResponse); ok && response.GetJob() == nil {
		return "there is a job behind the one that is completed, and it is not given out"
	}
	return ""
}

// upkeep is periodic work and what is rare.
func (d *mediaData) upkeep() []*Case {
	alone := func(method string, writes bool, message proto.Message) *Case {
		return &Case{Method: method, Direct: true, Alone: true, Writes: writes, Turn: func(int64) Turn {
			return Turn{Call: Request{Method: method, Message: message}}
		}}
	}
	now := timestamppb.New(d.plan.Now)
	health := alone(mediav1.Operations_HealthCheck_FullMethodName, true, &mediav1.HealthCheckParameters{Value: make([]byte, 8)})
	health.Alone, health.Stays = false, true
	clear := alone(mediav1.StoreMigration_Clear_FullMethodName, true, &mediav1.ClearRequest{})
	// How many there are depends on how often what leaves them was called.
	clear.Consumes, clear.Differ = true, never
	length := alone(mediav1.Queue_Length_FullMethodName, false, &mediav1.LengthRequest{})
	continuing := alone(mediav1.StoreMigration_IsContinuing_FullMethodName, false, &mediav1.IsContinuingRequest{})
	continuing.Alone = false
	return []*Case{
		alone(mediav1.Hashes_Count_FullMethodName, false, &mediav1.CountRequest{}), length, continuing, health,
		alone(mediav1.Operations_VariantExpireClaims_FullMethodName, true, &mediav1.StaleParameters{StaleBefore: d.longAgo()}),
		alone(mediav1.Operations_QueueRequeueStale_FullMethodName, true, &mediav1.RequeueStaleParameters{StaleBefore: d.longAgo(), Now: now}),
		alone(mediav1.Uploads_Expire_FullMethodName, true, &mediav1.ExpireUploadsRequest{Before: d.longAgo()}),
		clear,
	}
}
