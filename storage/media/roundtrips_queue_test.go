package media_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/fault"
)

// counted is a node without a listener whose round trips are counted.
func counted(t testing.TB, as arrangement) (*node, *wire) {
	t.Helper()
	w := &wire{}
	as.options = func(o *storage.Options) { o.Quiet, o.Database.Dial = true, w.dial }
	return start(t, defaultTables(t), as), w
}

func TestRoundTripsOfQueueUploadsAndClaims(t *testing.T) {
	n, w := counted(t, arrangement{})
	var job *mediav1.Job
	var upload []byte
	take := func(j *mediav1.Job, err error) error {
		job = j
		return err
	}
	complete := func(result mediav1.JobResult) error {
		response, err := n.jobs.Complete(within(t), &mediav1.CompleteRequest{Queue: "cleanup", Worker: worker(1), JobId: job.GetId(), Result: result})
		if !response.GetHeld() {
			t.Error("the job is not held")
		}
		return err
	}
	for _, c := range []struct {
		name  string
		trips int
		call  func() error
	}{
		{"Push", 1, func() error {
			_, err := n.jobs.Push(within(t), &mediav1.PushRequest{Job: &mediav1.NewJob{Queue: "cleanup", Job: `1`}})
			return err
		}},
		{"PushMany", 1, func() error {
			r := &mediav1.PushManyRequest{}
			for range 100 {
				r.Jobs = append(r.Jobs, &mediav1.NewJob{Queue: "cleanup", Job: `1`})
			}
			_, err := n.jobs.PushMany(within(t), r)
			return err
		}},
		{"Pop", 1, func() error {
			return take(n.jobs.Pop(within(t), &mediav1.PopRequest{Queue: "cleanup", Worker: worker(1)}))
		}},
		{"Heartbeat", 1, func() error {
			_, err := n.jobs.Heartbeat(within(t), &mediav1.JobRequest{Queue: "cleanup", Worker: worker(1), JobId: job.GetId()})
			return err
		}},
		{"Next", 1, func() error {
			response, err := n.asked(within(t), job, mediav1.JobResult_SUCCESS)
			return take(response.GetJob(), err)
		}},
		{"Next after a failure", 1, func() error {
			response, err := n.asked(within(t), job, mediav1.JobResult_FAILURE)
			return take(response.GetJob(), err)
		}},
		{"Complete", 1, func() error { return complete(mediav1.JobResult_SUCCESS) }},
		{"Pop and acknowledge", 1, func() error {
			return take(n.jobs.Pop(within(t), &mediav1.PopRequest{Queue: "cleanup", Worker: worker(1), Acknowledge: true}))
		}},
		{"Complete a failure", 1, func() error { return complete(mediav1.JobResult_FAILURE) }},
		{"Pop in vain", 1, func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			_, err := n.jobs.Pop(ctx, &mediav1.PopRequest{Queue: "another", Worker: worker(1)})
			refused(t, err, codes.DeadlineExceeded, fault.Timeout)
			return nil
		}},
		{"RequeueInProgress", 1, func() error {
			_, err := n.jobs.RequeueInProgress(within(t), &mediav1.RequeueInProgressRequest{})
			return err
		}},
		{"Length", 1, func() error { _, err := n.jobs.Length(within(t), &mediav1.LengthRequest{}); return err }},
		{"Create an upload", 1, func() error {
			response, err := n.uploads.Create(within(t), &mediav1.CreateUploadRequest{})
			upload = response.GetUploadId()
			return err
		}},
		{"Complete an upload", 1, func() error {
			_, err := n.uploads.Complete(within(t), &mediav1.CompleteUploadRequest{UploadId: upload, Result: `1`})
			return err
		}},
		{"Wait for an upload", 1, func() error {
			_, err := n.uploads.Wait(within(t), &mediav1.UploadRequest{UploadId: upload})
			return err
		}},
		{"Claim an upload", 1, func() error {
			_, err := n.uploads.Claim(within(t), &mediav1.UploadRequest{UploadId: upload})
			return err
		}},
		{"Claim a variant", 1, func() error { n.claims(claimed); return nil }},
		{"Claim it again", 1, func() error { n.claims(busy); return nil }},
		{"Heartbeat of a claim", 1, func() error { _, err := n.variants.Heartbeat(within(t), thumbnail); return err }},
		{"Wait for a variant in vain", 1, func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			_, err := n.variants.Wait(ctx, &mediav1.WaitVariantRequest{Hash: thumbnail.GetHash(), Variant: thumbnail.GetVariant(), WhileClaimed: true})
			refused(t, err, codes.DeadlineExceeded, fault.Timeout)
			return nil
		}},
		{"Release a claim", 1, func() error { _, err := n.variants.Release(within(t), thumbnail); return err }},
	} {
		var err error
		if trips := w.count(func() { err = c.call() }); trips != c.trips || err != nil {
			t.Errorf("%s: %d round trips, %v; expected %d", c.name, trips, err, c.trips)
		}
	}
}

// An answer that got lost is asked for again where that changes nothing, and what the second answer
// says is understood.
func TestLostAnswersOfTheQueue(t *testing.T) {
	n, w := counted(t, arrangement{})
	// At its first use on a connection a statement is prepared, and it is that answer that would get lost.
	for _, lose := range []func(){func() {}, w.lose} {
		before := n.length()
		lose()
		n.push("cleanup", `1`)
		if n.length() != before+1 {
			t.Error("the job was stored twice, or not at all")
		}
		job := n.pop("cleanup", worker(1))
		lose()
		failure := n.complete(job, worker(1), mediav1.JobResult_FAILURE)
		if !failure.GetHeld() {
			t.Errorf("a failure: %v", failure)
		}
		n.push("cleanup", `1`)
		job = n.pop("cleanup", worker(1))
		lose()
		if !n.complete(job, worker(1), mediav1.JobResult_SUCCESS).GetHeld() || n.length() != before+1 {
			t.Error("a completion")
		}
		lose()
		if id := n.upload(); len(id) != 16 {
			t.Error("no upload was created")
		}
	}
	if left := numberOf(t, n.dsn, `SELECT min(retry) FROM media_jobs`); left != 4 {
		t.Errorf("one failure took more than one attempt: %d are left", left)
	}
	n.claims(claimed)
	w.lose()
	_, err := n.variants.Claim(within(t), thumbnail)
	refused(t, err, codes.Unavailable, fault.UnknownOutcome)
}

// A query that does not store the id that it is given cannot be sent twice.
func TestLostAnswersWithoutAnID(t *testing.T) {
	n, w := counted(t, arrangement{config: func(c *storage.Config) {
		for key, text := range map[string]string{
			"media.queue.push_query": `INSERT INTO media_jobs (id, queue, job, retry, queue_time)
				VALUES (gen_random_uuid(), @queue, @job, @retry, @now) RETURNING id`,
			"media.uploads.create_query": `INSERT INTO media_uploads (id, created_at) VALUES (gen_random_uuid(), @now) RETURNING id`,
		} {
			source := c.Sources.ByKey[key]
			source.SQL = text
			c.Sources.ByKey[key] = source
		}
	}})
	n.push("warm", `1`)
	w.lose()
	_, err := n.jobs.Push(within(t), &mediav1.PushRequest{Job: &mediav1.NewJob{Queue: "cleanup", Job: `1`}})
	refused(t, err, codes.Unavailable, fault.UnknownOutcome)
	w.lose()
	_, err = n.uploads.Create(within(t), &mediav1.CreateUploadRequest{})
	refused(t, err, codes.Unavailable, fault.UnknownOutcome)
	if n.length() > 2 {
		t.Error("the job was stored twice")
	}
}
