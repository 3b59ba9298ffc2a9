package media

import (
	"encoding/hex"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// pushCalls makes the calls that store a job: push goes into the caller's transaction; notify, nil if
// the operator has no query for it (a trigger notifies, or nobody does), goes into a group of its own
// behind that transaction, in the same flight:
//
//	flight := query.Calls(push, others...)
//	if notify != nil {
//		flight.Then(notify)
//	}
//
// So the server's lock on its queue of notifications, which is held up to the commit, is never held
// while the transaction is written to disk. A notification of a transaction that failed, or of a job
// that was a duplicate, wakes somebody for nothing, which is harmless; that of several jobs may go
// into one group.
//
// After the commit the caller tells pushed. A push that returned no row, or that was refused with
// 23505, found its unique key taken. Where that happens inside of a transaction, everything was undone
// with it.
func (v view) pushCalls(job *mediav1.NewJob) (push, notify *query.Call, err error) {
	if job == nil {
		return nil, nil, invalid("there is no job")
	}
	id := jobIDs.next(v.Now())
	if push, err = v.Call(mediav1.Operations_QueuePush_FullMethodName, &mediav1.QueuePushParameters{
		Queue: job.GetQueue(), Job: job.GetJob(), UniqueKey: job.UniqueKey, JobId: id, Retry: v.settings.GetQueueRetries(),
	}); err != nil {
		return nil, nil, err
	}
	push.Once = !push.Statement.Uses("job_id") // or the job would be stored twice
	if !v.configured(mediav1.Operations_QueueNotify_FullMethodName) {
		return push, nil, nil
	}
	notify, err = v.Call(mediav1.Operations_QueueNotify_FullMethodName, &mediav1.QueueNotifyParameters{
		Queue: job.GetQueue(), JobId: id, Payload: uuidText(id) + " " + job.GetQueue(),
	})
	return push, notify, err
}

// pushed tells that jobs were stored and committed, so that those who wait in this process look for
// them, whether or not notifications arrive. One waiter of the job's queue is woken for each.
func (s *Service) pushed(jobs ...*mediav1.NewJob) {
	s.metrics.pushed.Add(float64(len(jobs)))
	for _, job := range jobs {
		s.topics.jobs.Wake(job.GetQueue())
	}
}

// uuidText is the usual text form of 16 bytes.
func uuidText(id []byte) string {
	text := hex.EncodeToString(id)
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
