package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mortise-storage/mortise/examples/mediaserver/files"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
	"github.com/mortise-storage/mortise/storage/fault"
)

// A Code names a kind of failure to programs. Those of package picture are passed on as they are.
type Code string

// The codes that the host itself gives.
const (
	AliasNotFound   Code = "alias-not-found"
	ProxyNotFound   Code = "proxy-not-found"
	DuplicateAlias  Code = "duplicate-alias"
	InvalidAlias    Code = "invalid-alias"
	InvalidToken    Code = "invalid-delete-token"
	AlreadyClaimed  Code = "already-claimed"
	NotReady        Code = "upload-not-ready"
	TooLarge        Code = "validate-file-size"
	NoDetails       Code = "validate-no-files"
	DownloadFailed  Code = "download-file-error"
	InvalidURL      Code = "invalid-url"
	CommandTimeout  Code = "command-timeout"
	LostFile        Code = "lost-file"
	ReadOnly        Code = "read-only"
	RepoFailed      Code = "postgres-error"
	StoreFailed     Code = "file-store-error"
	BadDetails      Code = "extract-details"
	BadUploadResult Code = "extract-upload-result"
	RequestTimeout  Code = "request-timeout"
	RequestAborted  Code = "request-aborted"
	BadJob          Code = "extract-job"
)

// sqlStateReadOnly is what a standby answers to a write (PostgreSQL, appendix A).
const sqlStateReadOnly = "25006"

const unavailableForNow = "the storage cannot answer at the moment, please try again later"

// An Error is what a caller is told. Its message may be shown to anybody; the cause may not.
type Error struct {
	Code    Code
	Message string
	// Cause is for the log; may be nil.
	Cause error
}

// Error gives the message, and the cause if there is one.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Cause)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is makes errors with the same code the same for errors.Is.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code == e.Code && other.Message == ""
}

func failure(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of an error; "" if it has none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	var bad *picture.Error
	if errors.As(err, &bad) {
		return Code(bad.Code)
	}
	return ""
}

// As returns an error in the form in which callers are told: an Error as it stands, what package
// picture found wrong with an image, the end of ctx where that may be the reason of a failure, and
// everything else as a failure of the storage.
func As(ctx context.Context, err error) *Error {
	var e *Error
	var bad *picture.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e) && !passing(e.Code):
		return e
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &Error{Code: RequestTimeout, Message: "the request's time is over", Cause: err}
	case ctx.Err() != nil:
		return &Error{Code: RequestAborted, Message: "the request was given up", Cause: err}
	case e != nil:
		return e
	case errors.As(err, &bad):
		return &Error{Code: Code(bad.Code), Message: bad.Message, Cause: err}
	case errors.Is(err, files.ErrTooLarge):
		return &Error{Code: TooLarge, Message: "the file is too large", Cause: err}
	}
	return &Error{Code: StoreFailed, Message: unavailableForNow, Cause: err}
}

// repoFailure turns an error of the repo that the caller has no use for into a failure of the storage.
func repoFailure(err error) error {
	switch {
	case err == nil:
		return nil
	case fault.SQLStateOf(err) == sqlStateReadOnly:
		return &Error{Code: ReadOnly, Message: "the database accepts no changes at the moment", Cause: err}
	}
	return &Error{Code: RepoFailed, Message: unavailableForNow, Cause: err}
}

// storeFailure is the same for the file store.
func storeFailure(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return &Error{Code: LostFile, Message: "the file is lost", Cause: err}
	}
	return &Error{Code: StoreFailed, Message: unavailableForNow, Cause: err}
}

func absent(err error) bool { return status.Code(err) == codes.NotFound }

// unsure says whether an error leaves open if the call took effect.
func unsure(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Unknown, codes.Internal:
		return true
	}
	return false
}

// permanent says whether an error would be the same at the next try: the job that met it is given up.
func permanent(err error) bool {
	code := CodeOf(err)
	return code != "" && code != ReadOnly && code != RequestTimeout && code != RequestAborted && !passing(code)
}

// passing are the codes of failures that may not come again, and that the end of a request's time looks
// like.
func passing(code Code) bool {
	switch code {
	case RepoFailed, StoreFailed, DownloadFailed, IncompleteFile, CommandTimeout:
		return true
	}
	return false
}
