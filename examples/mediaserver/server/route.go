package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mortise-storage/mortise/examples/mediaserver/host"
)

// A handler answers a request, or returns an error before anything was written.
type handler func(http.ResponseWriter, *http.Request) error

// methods are the handlers of one path. None at all: there is nothing at the path.
type methods map[string]handler

// guarded lets a check go before every handler, and before the answer that there is none.
func (m methods) guarded(check func(*http.Request) error) methods {
	guarded := methods{}
	for method, h := range m {
		guarded[method] = func(w http.ResponseWriter, r *http.Request) error {
			if err := check(r); err != nil {
				return err
			}
			return h(w, r)
		}
	}
	guarded[anyOther] = func(w http.ResponseWriter, r *http.Request) error {
		if err := check(r); err != nil {
			return err
		}
		return m.refuse(w, r)
	}
	return guarded
}

// anyOther stands for the methods that are not named.
const anyOther = ""

// refuse answers methods that are not offered.
func (m methods) refuse(w http.ResponseWriter, _ *http.Request) error {
	if len(m) == 0 {
		return refuse(http.StatusNotFound, "not-found", "there is nothing at this path")
	}
	offered := make([]string, 0, len(m))
	for method := range m {
		offered = append(offered, method)
	}
	slices.Sort(offered)
	w.Header().Set("Allow", strings.Join(offered, ", "))
	return refuse(http.StatusMethodNotAllowed, "method-not-allowed", "this path answers %s only", strings.Join(offered, " and "))
}

func (m methods) handler(method string) handler {
	if h, ok := m[method]; ok {
		return h
	}
	if h, ok := m[anyOther]; ok {
		return h
	}
	return m.refuse
}

// deadlineHeader is how clients say until when they wait: nanoseconds since the epoch.
const deadlineHeader = "X-Request-Deadline"

// tokenHeader holds the key of /internal/.
const tokenHeader = "X-Api-Token"

// route serves a path: it sets the client's deadline, contains panics, writes errors, logs and counts.
func (s *server) route(path string, m methods) {
	s.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		answer := &recorder{ResponseWriter: w}
		s.contained(answer, r, m.handler(r.Method))
		took := time.Since(begin)
		s.metrics.observe(path, r.Method, answer.code(), took)
		s.log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", r.Method), slog.String("route", path),
			slog.Int("status", answer.code()), slog.Int64("bytes", answer.bytes), slog.Duration("took", took))
	})
}

// contained runs a handler, and answers for it when it fails or panics.
func (s *server) contained(w *recorder, r *http.Request, h handler) {
	ctx, cancel, err := withDeadline(r)
	defer cancel()
	r = r.WithContext(ctx)
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if cause == http.ErrAbortHandler {
			panic(cause)
		}
		s.log.ErrorContext(ctx, "a request panicked", "panic", cause, "stack", string(debug.Stack()))
		s.fail(w, r, refuse(http.StatusInternalServerError, "internal-error", "this request met a defect of the server"))
	}()
	if err == nil {
		err = h(w, r)
	}
	if err != nil {
		s.fail(w, r, err)
	}
}

// withDeadline applies the deadline that the client gave, if it did.
func withDeadline(r *http.Request) (context.Context, context.CancelFunc, error) {
	text := r.Header.Get(deadlineHeader)
	if text == "" {
		ctx, cancel := context.WithCancel(r.Context())
		return ctx, cancel, nil
	}
	nanoseconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		ctx, cancel := context.WithCancel(r.Context())
		return ctx, cancel, refuse(http.StatusBadRequest, "parse-deadline", "%s must be nanoseconds since 1970", deadlineHeader)
	}
	ctx, cancel := context.WithDeadline(r.Context(), time.Unix(0, nanoseconds))
	if ctx.Err() != nil {
		err = &host.Error{Code: host.RequestTimeout, Message: "the request's deadline has passed"}
	}
	return ctx, cancel, err
}

// authorized says nil if a request has the key of /internal/.
func (s *server) authorized(r *http.Request) error {
	given := sha256.Sum256([]byte(r.Header.Get(tokenHeader)))
	if equal := subtle.ConstantTimeCompare(given[:], s.key[:]) == 1; !equal || !s.keyed {
		return refuse(http.StatusUnauthorized, "invalid-api-token", "%s is missing or wrong", tokenHeader)
	}
	return nil
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader notes the first final status.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap gives http.ResponseController the writer that knows the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
