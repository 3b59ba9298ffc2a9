package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
)

// statuses are those of the errors of package host and below; what is not here is the server's fault.
var statuses = map[host.Code]int{
	host.AliasNotFound:      http.StatusNotFound,
	host.ProxyNotFound:      http.StatusNotFound,
	host.DuplicateAlias:     http.StatusBadRequest,
	host.InvalidAlias:       http.StatusBadRequest,
	host.InvalidToken:       http.StatusForbidden,
	host.AlreadyClaimed:     http.StatusBadRequest,
	host.TooLarge:           http.StatusRequestEntityTooLarge,
	host.NoDetails:          http.StatusBadRequest,
	host.InvalidURL:         http.StatusBadRequest,
	host.IncompleteFile:     http.StatusBadRequest,
	host.ReadOnly:           http.StatusBadRequest,
	host.RequestTimeout:     http.StatusRequestTimeout,
	host.RequestAborted:     http.StatusBadRequest, // nobody is there to read it
	slowBody:                http.StatusBadRequest,
	picture.CodeWidth:       http.StatusBadRequest,
	picture.CodeHeight:      http.StatusBadRequest,
	picture.CodeArea:        http.StatusBadRequest,
	picture.CodeFrames:      http.StatusBadRequest,
	picture.CodeUnsupported: http.StatusBadRequest,
	picture.CodeDamaged:     http.StatusBadRequest,
	picture.CodeNotAllowed:  http.StatusBadRequest,
	picture.CodeExtension:   http.StatusBadRequest,
	// A bad operation is a 500 in the contract, as in pict-rs.
	picture.CodeProcess: http.StatusInternalServerError,
}

// A refusal is an error with a status of its own.
type refusal struct {
	status int
	told   *host.Error
}

// Error gives the text for the client, and the cause.
func (r *refusal) Error() string { return r.told.Error() }

// Unwrap returns the error without its status.
func (r *refusal) Unwrap() error { return r.told }

// refuse makes an error of this package.
func refuse(status int, code host.Code, format string, args ...any) error {
	return &refusal{status, &host.Error{Code: code, Message: fmt.Sprintf(format, args...)}}
}

// withStatus gives errors of one code another status than the usual one.
func withStatus(err error, code host.Code, status int) error {
	if err != nil && host.CodeOf(err) == code {
		var told *host.Error
		if !errors.As(err, &told) {
			told = &host.Error{Code: code, Message: err.Error()}
		}
		return &refusal{status, told}
	}
	return err
}

// errorBody is how clients are told of errors.
type errorBody struct {
	Message string    `json:"msg"`
	Code    host.Code `json:"code"`
}

// errEmpty404 is answered by the status alone.
var errEmpty404 = errors.New("not found, without a body")

// fail answers a request that failed, unless it was answered in part.
func (s *server) fail(w *recorder, r *http.Request, err error) {
	if w.status != 0 {
		if r.Context().Err() == nil {
			s.log.ErrorContext(r.Context(), "an answer broke off", "error", err)
		}
		return
	}
	if errors.Is(err, errEmpty404) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	told := host.As(r.Context(), err)
	status, known := statuses[told.Code]
	var own *refusal
	switch {
	case errors.As(err, &own) && own.told.Code == told.Code:
		status = own.status
	case !known:
		status = http.StatusInternalServerError
	}
	if status >= http.StatusInternalServerError {
		s.log.ErrorContext(r.Context(), "a request failed", "code", told.Code, "error", err)
	}
	s.send(w, r, status, errorBody{told.Message, told.Code})
}

// send answers in JSON.
func (s *server) send(w http.ResponseWriter, r *http.Request, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		s.log.ErrorContext(r.Context(), "an answer cannot be written", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that has gone needs no answer
}
