package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStringsThatAreNoIdentifiers(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	good := put(t, s, "content", "png")
	outside := filepath.Join(filepath.Dir(dir), "outside.png")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, identifier := range []string{
		"", ".", "..", "/", "../outside.png", outside, "/" + good, good + "/", "./" + good, good + "/../" + filepath.Base(good),
		strings.ToUpper(good), strings.ReplaceAll(good, "/", "\\"), good + "\x00", good + ".", good + ".gz", filepath.Dir(good),
		strings.Replace(good, "/", "//", 1), incoming, incoming + "/" + filepath.Base(good), "../" + filepath.Base(dir) + "/" + good,
		good[:2] + "/../" + good, strings.TrimSuffix(good, ".png") + ".p/g", strings.TrimSuffix(good, ".png") + ".",
	} {
		if file, err := s.Open(identifier); !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, ErrIdentifier) {
			t.Errorf("opening %q gives %v, %v", identifier, file, err)
		}
		if err := s.Remove(identifier); !errors.Is(err, ErrIdentifier) {
			t.Errorf("removing %q gives %v", identifier, err)
		}
	}
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("the file outside: %v", err)
	}
	if _, err := s.Open(good); err != nil {
		t.Errorf("the file inside: %v", err)
	}
}

func TestNoWayOutThroughLinks(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	s := open(t, dir)
	identifier := "01/23/45/67/89abcdef0123456789abcdef.png"
	secret := filepath.Join(outside, "23/45/67/89abcdef0123456789abcdef.png")
	if err := errors.Join(os.MkdirAll(filepath.Dir(secret), 0o755), os.WriteFile(secret, []byte("secret"), 0o600),
		os.Symlink(outside, filepath.Join(dir, "01"))); err != nil {
		t.Fatal(err)
	}
	if file, err := s.Open(identifier); err == nil {
		t.Errorf("%s was opened through a link", file.Name())
	}
	if err := s.Remove(identifier); err == nil {
		t.Error("removing through a link is no error")
	}
	if _, err := os.Stat(secret); err != nil {
		t.Errorf("the file outside: %v", err)
	}
}

func TestIdentifiersAreNeverUsedAgain(t *testing.T) {
	const count = 20_000
	seen := make(map[string]bool, count)
	previous := ""
	for range count {
		identifier, err := newIdentifier("png")
		if err != nil {
			t.Fatal(err)
		}
		if seen[identifier] || identifier <= previous || !Valid(identifier) {
			t.Fatalf("%s after %s: used before %v, valid %v", identifier, previous, seen[identifier], Valid(identifier))
		}
		seen[identifier], previous = true, identifier
	}
}
