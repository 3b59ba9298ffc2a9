package media_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/fault"
)

// upload begins an upload and returns its id.
func (n *node) upload() []byte {
	n.t.Helper()
	response, err := n.uploads.Create(within(n.t), &mediav1.CreateUploadRequest{})
	if err != nil || len(response.GetUploadId()) != 16 {
		n.t.Fatalf("%v, %v", response, err)
	}
	return response.GetUploadId()
}

// A waited is the answer to a call that waited.
type waited struct {
	text string
	err  error
}

func (n *node) uploadWaiters(id []byte, waiters int) <-chan waited {
	return begun(waiters, func(int) waited {
		result, err := n.uploads.Wait(within(n.t), &mediav1.UploadRequest{UploadId: id})
		return waited{result.GetResult(), err}
	})
}

func (n *node) completeUpload(id []byte, result string) int64 {
	n.t.Helper()
	response, err := n.uploads.Complete(within(n.t), &mediav1.CompleteUploadRequest{UploadId: id, Result: result})
	if err != nil {
		n.t.Fatal(err)
	}
	return response.GetAffected()
}

func TestAnUpload(t *testing.T) {
	onEachSet(t, func(t *testing.T, n *node, _ *stopped) {
		id := n.upload()
		waiting := n.uploadWaiters(id, 3)
		n.waiting("media.uploads", 3)
		if n.completeUpload(id, `{"Success":1}`) != 1 {
			t.Error("the upload was not completed")
		}
		for range 3 {
			if got := next(t, waiting); got.err != nil || got.text != `{"Success": 1}` && got.text != `{"Success":1}` {
				t.Errorf("%v", got)
			}
		}
		const claimers = 8
		claims := begun(claimers, func(int) error {
			_, err := n.uploads.Claim(within(t), &mediav1.UploadRequest{UploadId: id})
			return err
		})
		got := 0
		for range claimers {
			if err := next(t, claims); err == nil {
				got++
			} else {
				refused(t, err, codes.FailedPrecondition, fault.Precondition)
			}
		}
		if got != 1 {
			t.Errorf("%d callers claimed one upload", got)
		}
		if n.completeUpload(id, `1`) != 0 {
			t.Error("an upload that was claimed was completed")
		}
		refused(t, next(t, n.uploadWaiters(id, 1)).err, codes.FailedPrecondition, fault.Precondition)
	})
}

func TestUploadWaitersOfAnotherProcess(t *testing.T) {
	dsn := defaultTables(t)
	here, there := start(t, dsn, arrangement{}), start(t, dsn, arrangement{})
	id, other := here.upload(), here.upload()
	waiting, others := here.uploadWaiters(id, 3), here.uploadWaiters(other, 1)
	here.waiting("media.uploads", 4)
	there.completeUpload(id, `"done"`)
	for range 3 {
		if got := next(t, waiting); got.err != nil || got.text != `"done"` {
			t.Errorf("%v", got)
		}
	}
	if here.wakeups("media.uploads", "notification") != 3 {
		t.Error("one who waits for another upload was woken, or not all three for this one")
	}
	there.completeUpload(other, `1`)
	if got := next(t, others); got.err != nil {
		t.Error(got.err)
	}
}

func TestWaitingForAnUploadEnds(t *testing.T) {
	dsn := defaultTables(t)
	n := start(t, dsn, arrangement{settings: func(s *mediav1.SectionSettings) { s.UploadsPollInterval = durationpb.New(5 * time.Millisecond) }})
	id := n.upload()
	ctx, cancel := context.WithTimeout(within(t), 100*time.Millisecond)
	defer cancel()
	_, err := n.uploads.Wait(ctx, &mediav1.UploadRequest{UploadId: id})
	refused(t, err, codes.DeadlineExceeded, fault.Timeout)
	if ctx.Err() != nil {
		t.Error("the answer came after the deadline")
	}
	waiting := n.uploadWaiters(id, 1)
	testdb.Exec(t, dsn, `DELETE FROM media_uploads`) // nobody notifies of that
	refused(t, next(t, waiting).err, codes.FailedPrecondition, fault.Precondition)
	for _, bad := range [][]byte{nil, []byte("short")} {
		_, err = n.uploads.Wait(within(t), &mediav1.UploadRequest{UploadId: bad})
		refused(t, err, codes.InvalidArgument, fault.InvalidArgument)
		_, err = n.uploads.Complete(within(t), &mediav1.CompleteUploadRequest{UploadId: bad, Result: `1`})
		refused(t, err, codes.InvalidArgument, fault.InvalidArgument)
	}
	_, err = n.uploads.Create(within(t), &mediav1.CreateUploadRequest{UploadId: []byte("short")})
	refused(t, err, codes.InvalidArgument, fault.InvalidArgument)
}

func TestUploadIDsOfTheHost(t *testing.T) {
	n := start(t, defaultTables(t), arrangement{})
	for range 2 { // a host that had no answer may ask again
		response, err := n.uploads.Create(within(t), &mediav1.CreateUploadRequest{UploadId: worker(7)})
		if err != nil || !bytes.Equal(response.GetUploadId(), worker(7)) {
			t.Errorf("%v, %v", response, err)
		}
	}
}

func TestUploadsExpire(t *testing.T) {
	dsn := defaultTables(t)
	clock := stoppedClock()
	n := start(t, dsn, arrangement{options: clock.option, settings: func(s *mediav1.SectionSettings) {
		s.UploadsExpireInterval = durationpb.New(5 * time.Millisecond)
	}})
	old := n.upload()
	clock.pass(24 * time.Hour)
	young := n.upload()
	clock.pass(time.Microsecond)
	until(t, "the old upload to expire", func() bool { return n.metric("mortise_media_uploads_expired_total") == 1 })
	_, err := n.uploads.Result(within(t), &mediav1.UploadRequest{UploadId: old})
	refused(t, err, codes.FailedPrecondition, fault.Precondition)
	if _, err = n.uploads.Result(within(t), &mediav1.UploadRequest{UploadId: young}); err != nil {
		t.Error(err)
	}
	testdb.Exec(t, dsn, `ALTER TABLE media_uploads RENAME TO away`)
	until(t, "a failure that is counted", func() bool { return n.metric("mortise_media_background_errors_total") > 0 })
	testdb.Exec(t, dsn, `ALTER TABLE away RENAME TO media_uploads`)
	clock.pass(24 * time.Hour)
	until(t, "the work to go on", func() bool { return n.metric("mortise_media_uploads_expired_total") == 2 })
}

func TestTheLengthOfTheQueueIsMeasured(t *testing.T) {
	n := start(t, defaultTables(t), arrangement{settings: func(s *mediav1.SectionSettings) {
		s.PrometheusReportingInterval = durationpb.New(5 * time.Millisecond)
	}})
	n.push("cleanup", `1`)
	n.push("process", `1`)
	until(t, "the gauge", func() bool { return n.metric("mortise_media_queue_length") == 2 })
}
