package host_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/host/hosttest"
)

func TestIngestAndDelete(t *testing.T) {
	s := hosttest.Open(t)
	h := s.Host(host.Options{})
	up, err := h.Ingest(t.Context(), png(t, 1), host.IngestOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if up.Details.Width != 40 || up.Details.Height != 30 || up.Details.ContentType != "image/png" || up.DeleteToken == "" {
		t.Errorf("%+v", up)
	}
	original, err := h.Original(t.Context(), up.Alias)
	if err != nil || len(original.Hash) != 39 {
		t.Fatalf("%+v, %v", original, err)
	}
	if err := h.Delete(t.Context(), up.Alias, "another"); host.CodeOf(err) != host.InvalidToken {
		t.Errorf("a wrong token: %v", err)
	}
	if err := h.Delete(t.Context(), up.Alias, up.DeleteToken); err != nil {
		t.Error(err)
	}
	if _, err := h.Original(t.Context(), up.Alias); !errors.Is(err, &host.Error{Code: host.AliasNotFound}) {
		t.Errorf("a deleted alias: %v", err)
	}
	s.Work(h)
	s.Drain()
	s.Empty()
}

// An unluckyConn makes every name that is tried one that is taken, so many times.
type unluckyConn struct {
	grpc.ClientConnInterface
	times atomic.Int64
}

func (c *unluckyConn) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	if c.times.Add(-1) >= 0 {
		switch request := args.(type) {
		case *mediav1.SaveUploadRequest:
			request.Alias = "taken.png"
		case *mediav1.CreateAliasRequest:
			request.Alias = "taken.png"
		}
	}
	return c.ClientConnInterface.Invoke(ctx, method, args, reply, options...)
}

// TestTakenAliases tries other random names, but not for ever; a file that got none is collected.
func TestTakenAliases(t *testing.T) {
	s := hosttest.Open(t)
	conn := &unluckyConn{ClientConnInterface: s.Conn}
	h := s.HostOn(conn, host.Options{})
	taken, err := h.Ingest(t.Context(), png(t, 1), host.IngestOptions{Alias: "taken.png"})
	if err != nil {
		t.Fatal(err)
	}
	for _, seed := range []uint64{1, 2} { // a file that is there, and a new one
		conn.times.Store(2)
		up, err := h.Ingest(t.Context(), png(t, seed), host.IngestOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if file, err := h.Original(t.Context(), up.Alias); err != nil || up.Alias == "taken.png" || file.Details.Width != 40 {
			t.Errorf("%+v, %v", file, err)
		}
		if err := h.Delete(t.Context(), up.Alias, up.DeleteToken); err != nil {
			t.Error(err)
		}
	}
	conn.times.Store(100)
	if _, err := h.Ingest(t.Context(), png(t, 3), host.IngestOptions{}); host.CodeOf(err) != host.DuplicateAlias {
		t.Errorf("%v", err)
	}
	conn.times.Store(0)
	each(t, s, h, 1, false)
	if n := len(s.Files()); n != 1 {
		t.Errorf("%d files, want the first", n)
	}
	if err := h.Delete(t.Context(), "taken.png", taken.DeleteToken); err != nil {
		t.Error(err)
	}
	each(t, s, h, 1, false)
	s.Empty()
}
