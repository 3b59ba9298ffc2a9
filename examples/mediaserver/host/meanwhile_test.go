package host_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/host/hosttest"
)

// A hookedConn has something happen right after the first call of a method.
type hookedConn struct {
	grpc.ClientConnInterface
	method string
	hook   func()
}

func (c *hookedConn) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	err := c.ClientConnInterface.Invoke(ctx, method, args, reply, options...)
	if method != c.method {
		return err
	}
	if hook := c.hook; hook != nil { // methods with a hook are not called by two at a time
		c.hook = nil
		hook()
	}
	return err
}

// TestMeanwhile has the whole of a job done by another worker in the middle of it: after each of its
// calls in turn. Both are done with it then, and there is one of everything.
func TestMeanwhile(t *testing.T) {
	s := hosttest.Open(t)
	other := s.Host(host.Options{})
	for _, tt := range []struct {
		name, method string
		existed      bool // the content was uploaded before
	}{
		{"a new file, after the upload was looked at", mediav1.Uploads_Result_FullMethodName, false},
		{"a new file, after it was recorded", mediav1.Uploads_Save_FullMethodName, false},
		{"a new file, at the end", mediav1.Uploads_Complete_FullMethodName, false},
		{"a known file, after the upload was looked at", mediav1.Uploads_Result_FullMethodName, true},
		{"a known file, after it was recorded", mediav1.Uploads_Save_FullMethodName, true},
		{"a known file, at the end", mediav1.Uploads_Complete_FullMethodName, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var aliases []host.Uploaded
			if tt.existed {
				up, err := other.Ingest(t.Context(), png(t, 1), host.IngestOptions{})
				if err != nil {
					t.Fatal(err)
				}
				aliases = append(aliases, up)
			}
			id, err := other.Background(t.Context(), png(t, 1), host.IngestOptions{})
			if err != nil {
				t.Fatal(err)
			}
			job := s.Take()[0]
			conn := &hookedConn{ClientConnInterface: s.Conn, method: tt.method, hook: func() {
				if result := other.Run(t.Context(), job.Queue, []byte(job.Payload)); result != mediav1.JobResult_SUCCESS {
					t.Errorf("the other: %s", result)
				}
			}}
			if result := s.HostOn(conn, host.Options{}).Run(t.Context(), job.Queue, []byte(job.Payload)); result != mediav1.JobResult_SUCCESS || conn.hook != nil {
				t.Errorf("the first: %s", result)
			}
			up, err := other.ClaimUpload(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			file, err := other.Original(t.Context(), up.Alias)
			if files := s.Files(); err != nil || len(files) != 1 || files[0] != file.Identifier {
				t.Errorf("%+v, %v, files %v", file, err, files)
			}
			for _, up := range append(aliases, up) {
				if err := other.Delete(t.Context(), up.Alias, up.DeleteToken); err != nil {
					t.Error(err)
				}
			}
			each(t, s, other, 1, false)
			s.Empty()
		})
	}
}

// TestCollectedMeanwhile has the hash of a variant go while the variant is made: before its original is
// looked up, and after that.
func TestCollectedMeanwhile(t *testing.T) {
	s := hosttest.Open(t)
	other := s.Host(host.Options{})
	for _, method := range []string{mediav1.Variants_Claim_FullMethodName, mediav1.Hashes_Identifier_FullMethodName} {
		up, err := other.Ingest(t.Context(), png(t, 1), host.IngestOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := other.VariantBehind(t.Context(), host.Source{Alias: up.Alias}, process(t, "resize=20", "png")); err != nil {
			t.Fatal(err)
		}
		job := s.Take()[0]
		conn := &hookedConn{ClientConnInterface: s.Conn, method: method, hook: func() {
			if err := other.Delete(t.Context(), up.Alias, up.DeleteToken); err != nil {
				t.Error(err)
			}
			for _, collect := range s.Take() { // the file itself goes by a job that is not run yet
				if result := other.Run(t.Context(), collect.Queue, []byte(collect.Payload)); result != mediav1.JobResult_SUCCESS {
					t.Errorf("%s: %s", collect.Payload, result)
				}
			}
		}}
		result := s.HostOn(conn, host.Options{}).Run(t.Context(), job.Queue, []byte(job.Payload))
		if result != mediav1.JobResult_ABORTED || conn.hook != nil {
			t.Errorf("after %s: %s", method, result)
		}
		each(t, s, other, 1, false)
		s.Empty()
	}
}
