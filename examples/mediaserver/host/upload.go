package host

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/examples/mediaserver/files"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
)

// An ingestJob is an upload in the background. Alias and token are made when it is pushed, so that the
// job gives the same names however often it is run.
type ingestJob struct {
	Upload []byte `json:"upload"`
	// The file as it was uploaded.
	Identifier string `json:"identifier"`
	Size       int64  `json:"size"`
	SHA256     []byte `json:"sha256"`
	// Name is the alias without its extension, which is known when the file was looked at.
	Name       string             `json:"name"`
	Token      string             `json:"token"`
	Limits     picture.Limits     `json:"limits"`
	Operations []picture.KeyValue `json:"operations,omitempty"`
}

func (j *ingestJob) stored() files.Stored {
	stored := files.Stored{Identifier: j.Identifier, Size: j.Size}
	copy(stored.SHA256[:], j.SHA256)
	return stored
}

// An uploadResult is what an upload in the background came to: one of the two.
type uploadResult struct {
	Success *uploadSuccess `json:"Success,omitempty"`
	Failure *uploadFailure `json:"Failure,omitempty"`
}

type uploadSuccess struct {
	Alias string `json:"alias"`
	Token string `json:"token"`
}

type uploadFailure struct {
	Message string `json:"message"`
	Code    Code   `json:"code"`
}

// A FailedUpload is the error of an upload in the background whose file was not taken in. Its error
// says why.
type FailedUpload struct{ Failure *Error }

// Error says why the file was not taken in.
func (f *FailedUpload) Error() string { return f.Failure.Error() }

// Unwrap returns the reason.
func (f *FailedUpload) Unwrap() error { return f.Failure }

// Background stores a file and has a worker take it in. It returns the id under which the outcome can
// be claimed. Only the size of the file is checked here.
func (h *Host) Background(ctx context.Context, r io.Reader, o IngestOptions) (uuid.UUID, error) {
	if err := h.writable(); err != nil {
		return uuid.Nil, err
	}
	if err := o.check(); err != nil {
		return uuid.Nil, err
	}
	limits := h.limitsOf(o)
	stored, err := h.put(ctx, r, limits.MaxBytes)
	if err != nil {
		return uuid.Nil, err
	}
	id := uuid.New()
	job := payload{Kind: jobIngest, Ingest: &ingestJob{
		Upload: id[:], Identifier: stored.Identifier, Size: stored.Size, SHA256: stored.SHA256[:],
		Name: uuid.NewString(), Token: uuid.NewString(), Limits: limits, Operations: o.Operations,
	}}
	if _, err = h.uploads.Create(ctx, &mediav1.CreateUploadRequest{UploadId: id[:]}); err == nil {
		_, err = h.queue.Push(ctx, &mediav1.PushRequest{Job: job.job(ProcessQueue, "")})
	}
	if err == nil {
		return id, nil
	}
	// A job that was pushed all the same finds neither its upload nor its file, and does nothing.
	h.drop(ctx, stored.Identifier)
	return uuid.Nil, errors.Join(repoFailure(err), h.forgetUpload(ctx, id))
}

// forgetUpload takes away an upload that nobody will claim.
func (h *Host) forgetUpload(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := tidying(ctx)
	defer cancel()
	_, err := h.uploads.Claim(ctx, &mediav1.UploadRequest{UploadId: id[:]})
	if status.Code(err) == codes.FailedPrecondition {
		return nil
	}
	return repoFailure(err)
}

// DiscardUpload gives up an upload that nobody will claim, finished or not: for a request that failed
// after some of its files.
func (h *Host) DiscardUpload(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := tidying(ctx)
	defer cancel()
	found, err := h.uploads.Result(ctx, &mediav1.UploadRequest{UploadId: id[:]})
	if err == nil && found.Result != nil {
		var result uploadResult
		if json.Unmarshal([]byte(found.GetResult()), &result) == nil && result.Success != nil {
			err = h.push(ctx, aliasJob(result.Success.Alias, result.Success.Token, nil))
		}
	}
	if status.Code(err) == codes.FailedPrecondition {
		return nil
	}
	return errors.Join(repoFailure(err), h.forgetUpload(ctx, id))
}

// ClaimUpload waits for the outcome of an upload in the background, and hands it out once.
//
// Errors: NotReady after the host's ClaimWait, AlreadyClaimed (or never begun), a *FailedUpload.
func (h *Host) ClaimUpload(ctx context.Context, id uuid.UUID) (Uploaded, error) {
	if err := h.writable(); err != nil {
		return Uploaded{}, err
	}
	result, err := h.waitUpload(ctx, id)
	if err != nil {
		return Uploaded{}, err
	}
	var up Uploaded
	if result.Success != nil {
		// What is answered is read before the upload is taken away: who is told of an error can ask again.
		file, err := h.Original(ctx, result.Success.Alias)
		if err != nil {
			return Uploaded{}, err
		}
		up = Uploaded{Alias: result.Success.Alias, DeleteToken: result.Success.Token, Details: file.Details}
	}
	if _, err := h.uploads.Claim(ctx, &mediav1.UploadRequest{UploadId: id[:]}); err != nil {
		return Uploaded{}, uploadGone(err)
	}
	if result.Failure != nil {
		return Uploaded{}, &FailedUpload{failure(result.Failure.Code, "%s", result.Failure.Message)}
	}
	return up, nil
}

func (h *Host) waitUpload(ctx context.Context, id uuid.UUID) (uploadResult, error) {
	waiting, cancel := context.WithTimeout(ctx, h.options.ClaimWait)
	defer cancel()
	found, err := h.uploads.Wait(waiting, &mediav1.UploadRequest{UploadId: id[:]})
	if deadlineOver(err) && ctx.Err() == nil {
		return uploadResult{}, failure(NotReady, "the upload is not finished yet")
	}
	if err != nil {
		return uploadResult{}, uploadGone(err)
	}
	return decodeResult(found.GetResult())
}

func decodeResult(text string) (uploadResult, error) {
	var result uploadResult
	err := json.Unmarshal([]byte(text), &result)
	if err != nil || (result.Success == nil) == (result.Failure == nil) {
		return uploadResult{}, &Error{Code: BadUploadResult, Message: "the recorded result of the upload cannot be read", Cause: err}
	}
	return result, nil
}

func uploadGone(err error) error {
	if status.Code(err) == codes.FailedPrecondition {
		return failure(AlreadyClaimed, "there is no such upload: it was claimed, or never begun")
	}
	return repoFailure(err)
}

// runIngest takes in the file of an upload. It may have been run before, to any point, and may be
// running elsewhere: so the file as it was uploaded goes last, when the outcome is recorded.
func (h *Host) runIngest(ctx context.Context, j *ingestJob) error {
	finished, err := h.finished(ctx, j)
	if err != nil {
		return err
	}
	if finished {
		return h.dropUploaded(ctx, j)
	}
	alias, spare, err := h.ingestStored(ctx, j)
	result := uploadResult{Success: &uploadSuccess{alias, j.Token}}
	if err != nil {
		if ctx.Err() != nil || !permanent(err) {
			return err
		}
		// Who finished the same job meanwhile has removed the file that was looked for.
		if finished, finishedErr := h.finished(ctx, j); finished || finishedErr != nil {
			return finishedErr
		}
		told := As(ctx, err)
		result = uploadResult{Failure: &uploadFailure{Message: told.Message, Code: told.Code}}
	}
	text, encodeErr := json.Marshal(result)
	if encodeErr != nil {
		return encodeErr
	}
	if _, completeErr := h.uploads.Complete(ctx, &mediav1.CompleteUploadRequest{UploadId: j.Upload, Result: string(text)}); completeErr != nil {
		return repoFailure(completeErr)
	}
	if err != nil {
		return errors.Join(err, h.dropUploaded(ctx, j))
	}
	if spare {
		h.drop(ctx, j.Identifier)
	}
	return nil
}

// finished says whether there is nothing left to do for an upload: it has its outcome, or was claimed or
// given up.
func (h *Host) finished(ctx context.Context, j *ingestJob) (bool, error) {
	found, err := h.uploads.Result(ctx, &mediav1.UploadRequest{UploadId: j.Upload})
	if status.Code(err) == codes.FailedPrecondition {
		return true, nil
	}
	return found.GetResult() != "", repoFailure(err)
}

// ingestStored records the file of an upload under the job's alias, or finds that this was done. spare
// says that something else was recorded, and the file as it was uploaded is not needed.
func (h *Host) ingestStored(ctx context.Context, j *ingestJob) (alias string, spare bool, err error) {
	in, replaced, err := h.prepared(ctx, j.stored(), j.Limits, j.Operations)
	if err != nil {
		return "", false, err
	}
	alias = j.Name + "." + in.extension
	saved, err := h.save(ctx, in, alias, j.Token)
	switch {
	case err != nil && replaced:
		h.unrecorded(ctx, in, alias, j.Token, err)
		return "", false, repoFailure(err)
	case err != nil: // the file stays for the next try
		return "", false, repoFailure(err)
	case saved.GetHashExisted() && replaced:
		h.drop(ctx, in.Identifier)
	}
	if saved.GetAliasExisted() { // by an earlier run
		err = h.named(ctx, in.hash, alias)
	}
	return alias, replaced || saved.GetHashExisted(), err
}

// dropUploaded removes the file as it was uploaded, unless it became the original of its hash. It is
// called when the outcome is recorded.
func (h *Host) dropUploaded(ctx context.Context, j *ingestJob) error {
	if len(j.Operations) > 0 { // what became an original is another file
		h.drop(ctx, j.Identifier)
		return nil
	}
	in, err := h.examine(ctx, j.stored(), j.Limits)
	if permanent(err) { // missing, or refused: nothing can refer to it
		h.drop(ctx, j.Identifier)
		return nil
	}
	if err != nil {
		return err
	}
	known, err := h.knows(ctx, in)
	if err == nil && !known {
		h.drop(ctx, j.Identifier)
	}
	return err
}
