package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

func TestWhatIsPutCanBeRead(t *testing.T) {
	for _, test := range []struct{ content, extension, suffix string }{
		{"", "", ""},
		{"a", "png", ".png"},
		{strings.Repeat("many bytes ", 100_000), ".JPEG", ".jpeg"},
	} {
		dir := filepath.Join(t.TempDir(), "made", "as", "needed")
		s := open(t, dir)
		stored, err := s.Put(context.Background(), iotest.HalfReader(strings.NewReader(test.content)), test.extension, 0)
		if err != nil {
			t.Fatal(err)
		}
		if stored.Size != int64(len(test.content)) || stored.SHA256 != sha256.Sum256([]byte(test.content)) {
			t.Errorf("stored %d bytes with hash %x, want %d", stored.Size, stored.SHA256, len(test.content))
		}
		if !Valid(stored.Identifier) || filepath.Ext(stored.Identifier) != test.suffix {
			t.Errorf("identifier is %q, want one with extension %q", stored.Identifier, test.suffix)
		}
		file, err := open(t, dir).Open(stored.Identifier) // another process on the same folder
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(file)
		if err := errors.Join(err, file.Close()); err != nil || string(got) != test.content {
			t.Errorf("read %d bytes, %v, want %d", len(got), err, len(test.content))
		}
		if left := leftovers(t, dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestLimit(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for _, test := range []struct {
		size, limit int64
		tooLarge    bool
	}{{10, 10, false}, {9, 10, false}, {11, 10, true}, {1 << 20, 10, true}, {0, 1, false}, {100, 0, false}, {100, -1, false}} {
		stored, err := s.Put(context.Background(), bytes.NewReader(make([]byte, test.size)), "bin", test.limit)
		if errors.Is(err, ErrTooLarge) != test.tooLarge || (err == nil) == test.tooLarge {
			t.Errorf("%d bytes with a limit of %d: error is %v", test.size, test.limit, err)
		}
		if err == nil && stored.Size != test.size {
			t.Errorf("%d bytes with a limit of %d: %d were stored", test.size, test.limit, stored.Size)
		}
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if all := list(t, s); len(all) != 5 {
		t.Errorf("%d files are there, want 5", len(all))
	}
}

// counting stops reading after the limit: nobody fills the disk with one request.
type counting struct{ read int64 }

func (c *counting) Read(p []byte) (int, error) {
	c.read += int64(len(p))
	return len(p), nil
}

func TestLimitEndsReading(t *testing.T) {
	endless := &counting{}
	_, err := open(t, t.TempDir()).Put(context.Background(), endless, "", 1000)
	if !errors.Is(err, ErrTooLarge) || endless.read > 1001 {
		t.Errorf("error is %v after %d bytes", err, endless.read)
	}
}

func TestFailuresLeaveNothing(t *testing.T) {
	errBroken := errors.New("the connection broke")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cancelled, stop := context.WithCancel(context.Background())
	stop()
	for name, test := range map[string]struct {
		ctx       context.Context
		r         io.Reader
		extension string
		want      error
	}{
		"broken connection": {context.Background(), io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errBroken)), "png", errBroken},
		"cancelled before":  {cancelled, strings.NewReader("whole"), "png", context.Canceled},
		"cancelled while reading": {ctx, io.MultiReader(strings.NewReader("half"), readerFunc(func(p []byte) (int, error) {
			cancel()
			return copy(p, "more"), nil
		})), "png", context.Canceled},
		"path as extension": {context.Background(), strings.NewReader("whole"), "png/../../x", nil},
		"long extension":    {context.Background(), strings.NewReader("whole"), "photograph", nil},
		"two extensions":    {context.Background(), strings.NewReader("whole"), "tar.gz", nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			_, err := s.Put(test.ctx, test.r, test.extension, 0)
			if err == nil || (test.want != nil && !errors.Is(err, test.want)) {
				t.Errorf("error is %v, want %v", err, test.want)
			}
			if left := append(leftovers(t, dir), list(t, s)...); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestAFileIsNotThereBeforeItIsComplete(t *testing.T) {
	s := open(t, t.TempDir())
	reads := 0
	_, err := s.Put(context.Background(), readerFunc(func(p []byte) (int, error) {
		if all := list(t, s); len(all) > 0 {
			t.Errorf("there is %v already", all)
		}
		if reads++; reads > 3 {
			return 0, io.EOF
		}
		return copy(p, "part"), nil
	}), "png", 0)
	if err != nil || len(list(t, s)) != 1 {
		t.Errorf("error is %v, files are %v", err, list(t, s))
	}
}

func TestPutAndRemoveAtTheSameTime(t *testing.T) {
	s := open(t, t.TempDir())
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 25 {
				stored, err := s.Put(context.Background(), strings.NewReader("content"), "png", 0)
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Remove(stored.Identifier); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Go(func() {
		for range 20 {
			for _, err := range s.Identifiers() {
				if err != nil {
					t.Error(err)
				}
			}
		}
	})
	group.Wait()
	if all := list(t, s); len(all) > 0 {
		t.Errorf("left are %v", all)
	}
}
