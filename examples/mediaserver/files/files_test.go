package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t testing.TB, s *Store, content, extension string) string {
	t.Helper()
	stored, err := s.Put(context.Background(), strings.NewReader(content), extension, 0)
	if err != nil {
		t.Fatal(err)
	}
	return stored.Identifier
}

func list(t testing.TB, s *Store) []string {
	t.Helper()
	var all []string
	for identifier, err := range s.Identifiers() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, identifier)
	}
	return all
}

// leftovers lists unfinished writes.
func leftovers(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, incoming))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestAFolderIsNoFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	identifier := "01/23/45/67/89abcdef0123456789abcdef"
	if err := os.MkdirAll(filepath.Join(dir, identifier), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(identifier); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	first, second := put(t, s, "1", "png"), put(t, s, "2", "png")
	reader, err := s.Open(first)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for range 2 { // the second time it is missing
		if err := s.Remove(first); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Open(first); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening it gives %v", err)
	}
	if content, err := io.ReadAll(reader); err != nil || string(content) != "1" {
		t.Errorf("who had it open reads %q, %v", content, err)
	}
	if all := list(t, s); !slices.Equal(all, []string{second}) {
		t.Errorf("left are %v, want %s", all, second)
	}
	if err := s.Remove(second); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != incoming {
		t.Errorf("empty folders are left: %v, %v", entries, err)
	}
}

func TestIdentifiers(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if all := list(t, s); len(all) > 0 {
		t.Errorf("an empty store has %v", all)
	}
	var want []string
	for _, extension := range []string{"png", "jpg", "", "webp", "gif"} {
		want = append(want, put(t, s, extension, extension))
	}
	for _, other := range []string{"README", "01/notes.txt", filepath.Dir(want[0]) + "/thumbs.db"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(other)), 0o755), os.WriteFile(filepath.Join(dir, other), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if all := list(t, s); !slices.Equal(all, want) {
		t.Errorf("files are %v, want those put, oldest first: %v", all, want)
	}
	for identifier := range s.Identifiers() {
		if identifier != want[0] {
			t.Errorf("the first is %s", identifier)
		}
		break // must be allowed
	}
}

func TestOpenRemovesOldLeftoversOnly(t *testing.T) {
	dir := t.TempDir()
	kept := put(t, open(t, dir), "content", "png")
	for name, age := range map[string]time.Duration{"old": 25 * time.Hour, "young": 23 * time.Hour} {
		file := filepath.Join(dir, incoming, name)
		changed := time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(file, []byte("half"), 0o600), os.Chtimes(file, changed, changed)); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-1000 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, kept), old, old); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	if left := leftovers(t, dir); !slices.Equal(left, []string{"young"}) {
		t.Errorf("left are %v, want the young one", left)
	}
	if all := list(t, s); !slices.Equal(all, []string{kept}) {
		t.Errorf("files are %v, want %s", all, kept)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	if left := append(leftovers(t, dir), list(t, s)...); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(); err == nil {
		t.Error("a folder that is gone can be written")
	}
	if _, err := s.Put(context.Background(), strings.NewReader("x"), "", 0); err == nil {
		t.Error("a file was put into a folder that is gone")
	}
}

func TestAClosedStore(t *testing.T) {
	s := open(t, t.TempDir())
	identifier := put(t, s, "content", "png")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(identifier); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening gives %v, which is not what it is", err)
	}
	if s.Remove(identifier) == nil || s.Check() == nil {
		t.Error("it can still be changed")
	}
	failed := false
	for _, err := range s.Identifiers() {
		failed = failed || err != nil
	}
	if !failed {
		t.Error("it can still be listed")
	}
}

func TestOpenWhereThereIsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); err == nil {
		t.Error("a file was opened as a folder")
	}
}
