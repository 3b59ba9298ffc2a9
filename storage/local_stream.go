package storage

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

type localStreaming struct {
	impl    any
	handler grpc.StreamHandler
}

// NewStream begins a method that answers with a stream; methods that take one are not there. The
// handler runs until it is done or ctx ends, and is never more than one message ahead of its caller.
func (c *localConn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	m, ok := c.streams[method]
	if !ok || desc.ClientStreams {
		return nil, status.Errorf(codes.Unimplemented, "unknown stream %s", method)
	}
	return &localStream{ctx: ctx, method: m, request: make(chan proto.Message, 1), messages: make(chan proto.Message), ended: make(chan struct{})}, nil
}

// A localStream is both ends of a stream.
type localStream struct {
	ctx      context.Context
	method   localStreaming
	start    sync.Once
	request  chan proto.Message
	messages chan proto.Message
	// ended is closed when the handler has returned err.
	ended chan struct{}
	err   error
}

// SendMsg gives the handler its request and starts it.
func (s *localStream) SendMsg(m any) error {
	request, ok := m.(proto.Message)
	if !ok {
		return status.Error(codes.Internal, "a request must be a message")
	}
	s.start.Do(func() {
		s.request <- request
		go func() {
			defer close(s.ended)
			s.err = s.method.handler(s.method.impl, &localServerStream{s})
		}()
	})
	return nil
}

// RecvMsg waits for the next message; io.EOF is the end.
func (s *localStream) RecvMsg(m any) error {
	select {
	case message := <-s.messages:
		target := m.(proto.Message)
		proto.Reset(target)
		share(target, message)
		return nil
	case <-s.ended:
		if s.err == nil {
			return io.EOF
		}
		return status.Convert(contextStatus(s.err)).Err()
	}
}

// contextStatus gives the end of a context the code that gRPC gives it.
func contextStatus(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	return err
}

// CloseSend has nothing to do: there is one request.
func (*localStream) CloseSend() error { return nil }

// Context returns the caller's.
func (s *localStream) Context() context.Context { return s.ctx }

// Header returns nothing: there is no transport.
func (*localStream) Header() (metadata.MD, error) { return nil, nil }

// Trailer returns nothing: there is no transport.
func (*localStream) Trailer() metadata.MD { return nil }

// A localServerStream is the handler's end.
type localServerStream struct{ stream *localStream }

// Context returns the caller's.
func (s *localServerStream) Context() context.Context { return s.stream.ctx }

// RecvMsg returns the request, once.
func (s *localServerStream) RecvMsg(m any) error {
	select {
	case request := <-s.stream.request:
		share(m.(proto.Message), request)
		return nil
	default:
		return io.EOF
	}
}

// SendMsg waits until the caller takes the message. A caller that gave up ends its context.
func (s *localServerStream) SendMsg(m any) error {
	select {
	case s.stream.messages <- m.(proto.Message):
		return nil
	case <-s.stream.ctx.Done():
		return status.FromContextError(s.stream.ctx.Err()).Err()
	}
}

// SetHeader, SendHeader and SetTrailer have no transport to write to.
func (*localServerStream) SetHeader(metadata.MD) error { return nil }

// SendHeader has no transport to write to.
func (*localServerStream) SendHeader(metadata.MD) error { return nil }

// SetTrailer has no transport to write to.
func (*localServerStream) SetTrailer(metadata.MD) {}
