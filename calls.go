package mortise

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/mortise-storage/mortise/storage/fault"
)

// calls counts the calls under way, so that an end can wait for them.
type calls struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n is 0; nil if nobody waits
}

func (c *calls) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func (c *calls) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// wait returns when no call is under way, or after the limit. It says whether all have ended.
func (c *calls) wait(limit time.Duration) bool {
	c.mu.Lock()
	if c.n == 0 {
		c.mu.Unlock()
		return true
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-idle:
		return true
	case <-timer.C:
		return false
	}
}

// unary is the server's interceptor.
func (c *calls) unary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	c.begin()
	defer c.end()
	return handler(ctx, request)
}

// stream is the server's interceptor for streams. Those of go-plugin last as long as the process.
func (c *calls) stream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if !ofGoPlugin(info) {
		c.begin()
		defer c.end()
	}
	return handler(service, stream)
}

func ofGoPlugin(info *grpc.StreamServerInfo) bool {
	return strings.HasPrefix(info.FullMethod, "/plugin.")
}

// recoverUnary makes a panic the failure of its own call, in whatever service it happens. Services
// of the storage have a guard of their own, which also works without a transport.
func recoverUnary(logger *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (response any, err error) {
		defer func() {
			if r := recover(); r != nil {
				response, err = nil, panicked(logger, info.FullMethod, r)
			}
		}()
		return handler(ctx, request)
	}
}

// recoverStream is recoverUnary for streams.
func recoverStream(logger *slog.Logger) grpc.StreamServerInterceptor {
	return func(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = panicked(logger, info.FullMethod, r)
			}
		}()
		return handler(service, stream)
	}
}

func panicked(logger *slog.Logger, method string, thrown any) error {
	// What was thrown may hold a request's values, so only its type is told.
	logger.Error("a call panicked", "method", method, "type", fmt.Sprintf("%T", thrown), "stack", string(debug.Stack()))
	return fault.New(fault.Internal, "", "a defect of the plugin ended this call; its log has the details")
}
