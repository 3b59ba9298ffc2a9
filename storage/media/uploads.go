package media

import (
	"context"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// Create implements the method of the API.
func (s uploads) Create(ctx context.Context, r *mediav1.CreateUploadRequest) (*mediav1.UploadResponse, error) {
	id := r.GetUploadId()
	if r.UploadId == nil {
		id = newUploadID()
	}
	v := s.begin()
	call, err := v.Call(mediav1.Operations_UploadCreate_FullMethodName, &mediav1.UploadCreateParameters{UploadId: id})
	if err != nil {
		return nil, err
	}
	call.Once = !call.Statement.Uses("upload_id") // or there would be two uploads
	v.Run(ctx, query.Calls(call))
	if call.Err != nil {
		return nil, call.Err
	}
	if !call.Found() {
		return nil, fault.New(fault.BadResult, call.Statement.Operation.Key, "the query does not return the id; let it end in RETURNING and the id's column")
	}
	return call.Rows[0].(*mediav1.UploadResponse), nil
}

// Complete implements the method of the API. Those who wait in this process are woken directly.
func (s uploads) Complete(ctx context.Context, r *mediav1.CompleteUploadRequest) (*mediav1.Affected, error) {
	v := s.begin()
	complete, err := v.Call(mediav1.Operations_UploadComplete_FullMethodName,
		&mediav1.UploadCompleteParameters{UploadId: r.GetUploadId(), Result: r.GetResult()})
	if err != nil {
		return nil, err
	}
	flight, notify := query.Calls(complete), (*query.Call)(nil)
	if v.configured(mediav1.Operations_UploadNotify_FullMethodName) {
		if notify, err = v.Call(mediav1.Operations_UploadNotify_FullMethodName, &mediav1.UploadRequest{UploadId: r.GetUploadId()}); err != nil {
			return nil, err
		}
		flight.Then(notify)
	}
	v.Run(ctx, flight)
	s.tellUnnotified(notify)
	if complete.Err != nil {
		return nil, complete.Err
	}
	s.topics.uploads.Wake(uuidText(r.GetUploadId()))
	return &mediav1.Affected{Affected: affected(complete)}, nil
}

// Wait implements the method of the API: all who wait for an upload are woken, and each reads the
// result itself.
func (s uploads) Wait(ctx context.Context, r *mediav1.UploadRequest) (*mediav1.UploadResult, error) {
	if err := s.begin().Check(mediav1.Uploads_Result_FullMethodName, r); err != nil {
		return nil, err
	}
	w := s.topics.uploads.Register(uuidText(r.GetUploadId()))
	defer w.Leave()
	var result *mediav1.UploadResult
	err := await(ctx, w, func(ctx context.Context) (bool, error) {
		v := s.begin()
		call, err := v.Call(mediav1.Uploads_Result_FullMethodName, r)
		if err != nil {
			return false, err
		}
		v.Run(ctx, query.Calls(call))
		answer, err := call.Answer() // no row is FAILED_PRECONDITION
		if err != nil {
			return false, err
		}
		result = answer.(*mediav1.UploadResult)
		return result.Result != nil, nil
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}
