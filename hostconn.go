package mortise

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/mortise-storage/mortise/storage/fault"
)

// retryPause is the pause before a call that was not sent is tried again while its process lives.
const retryPause = 20 * time.Millisecond

// hostConn is the connection that outlives the processes behind it.
type hostConn struct{ host *Host }

// Invoke calls a method of the process that runs now, or of the next one if the call did not get
// through to it.
func (c hostConn) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	h := c.host
	h.calls.begin()
	defer h.calls.end()
	limit := time.NewTimer(h.options.MaxWait)
	defer limit.Stop()
	for {
		g, err := h.acquire(ctx, limit.C)
		if err != nil {
			return err
		}
		sent := new(atomic.Bool)
		err = g.conn.Invoke(context.WithValue(ctx, sentKey{}, sent), method, args, reply, options...)
		if !connectionLost(ctx, err) {
			return err // an answer of the plugin, or the caller's own deadline
		}
		if sent.Load() {
			return fault.New(fault.UnknownOutcome, "", "the plugin was lost during the call: it may or may not have taken effect")
		}
		if err := h.pauseBefore(ctx, g, limit.C, status.Convert(err).Message()); err != nil {
			return err
		}
	}
}

// connectionLost says whether an error is about the connection and not from the plugin, whose errors
// have a reason. A call that meets a connection which is being closed, because its process has ended,
// is told CANCELLED, though nobody has cancelled it.
func connectionLost(ctx context.Context, err error) bool {
	code := status.Code(err)
	return (code == codes.Unavailable || code == codes.Canceled && ctx.Err() == nil) && fault.ReasonOf(err) == ""
}

// pauseBefore waits until it makes sense to try again what g did not take.
func (h *Host) pauseBefore(ctx context.Context, g *generation, limit <-chan time.Time, reason string) error {
	again := time.NewTimer(retryPause)
	defer again.Stop()
	select {
	case <-g.process.exited:
		h.forget(g)
		return nil
	case <-again.C:
		return nil
	case <-limit:
		return fault.New(fault.Unavailable, "", "the plugin runs but takes no calls: %s", reason)
	case <-ctx.Done():
		return waitedInVain(ctx, "the plugin runs but takes no calls: "+reason)
	}
}

// forget takes a generation out of use whose process has ended; the supervisor may not have got to
// it yet.
func (h *Host) forget(g *generation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current == g {
		h.current, h.reason = nil, "the plugin ended and is being restarted"
	}
}

// NewStream begins a stream with the process that runs now, or with the next one if it did not get
// through. A process that dies in the middle ends the stream with an error: only the caller knows what
// it has received, and where to go on.
func (c hostConn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, options ...grpc.CallOption) (grpc.ClientStream, error) {
	h := c.host
	limit := time.NewTimer(h.options.MaxWait)
	defer limit.Stop()
	h.calls.begin()
	for {
		g, err := h.acquire(ctx, limit.C)
		if err != nil {
			h.calls.end()
			return nil, err
		}
		stream, err := g.conn.NewStream(ctx, desc, method, options...)
		if err == nil {
			return newHostStream(stream, h.calls.end), nil
		}
		if !connectionLost(ctx, err) {
			h.calls.end()
			return nil, err
		}
		if err := h.pauseBefore(ctx, g, limit.C, status.Convert(err).Message()); err != nil {
			h.calls.end()
			return nil, err
		}
	}
}

// A hostStream counts as a call under way until it ends, by its last message or its context.
type hostStream struct {
	grpc.ClientStream
	end func()
}

func newHostStream(stream grpc.ClientStream, end func()) *hostStream {
	s := &hostStream{ClientStream: stream, end: sync.OnceFunc(end)}
	context.AfterFunc(stream.Context(), s.end)
	return s
}

// RecvMsg receives a message. An error is the stream's end.
func (s *hostStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err == nil {
		return nil
	}
	s.end()
	if connectionLost(s.Context(), err) {
		return fault.New(fault.Unavailable, "", "the plugin was lost during the stream; what was received is good, and the rest has to be asked for again")
	}
	return err
}

// sentKey is where a call's context holds whether the call was sent.
type sentKey struct{}

// sentHandler notes when a call leaves this process. Only that tells a call that certainly did not
// happen from one that may have: the error is the same.
type sentHandler struct{}

// TagRPC changes nothing.
func (sentHandler) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC notes what was sent. An attempt that gRPC repeats by itself was refused by the server
// unseen.
func (sentHandler) HandleRPC(ctx context.Context, s stats.RPCStats) {
	sent, ok := ctx.Value(sentKey{}).(*atomic.Bool)
	if !ok {
		return
	}
	switch event := s.(type) {
	case *stats.Begin:
		if event.IsTransparentRetryAttempt {
			sent.Store(false)
		}
	case *stats.OutHeader:
		sent.Store(true)
	}
}

// TagConn changes nothing.
func (sentHandler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn is not needed.
func (sentHandler) HandleConn(context.Context, stats.ConnStats) {}
