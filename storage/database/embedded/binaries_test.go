//go:build unix && !aix && !solaris

package embedded

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFindBinaries(t *testing.T) {
	dir, version, err := FindBinaries()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if version == "" {
		t.Error("no version")
	}
	// The variable alone is enough, and PATH alone is, too.
	t.Setenv("PATH", "")
	t.Setenv(BinariesVariable, dir)
	expectFound(t, dir, version)
	links := newFolder(t)
	for _, name := range []string{"initdb", "postgres"} {
		if err := os.Symlink(filepath.Join(dir, name), filepath.Join(links, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(BinariesVariable, "")
	t.Setenv("PATH", links)
	expectFound(t, dir, version) // where the links lead
}

func expectFound(t *testing.T, dir, version string) {
	t.Helper()
	gotDir, gotVersion, err := FindBinaries()
	if err != nil || gotDir != dir || gotVersion != version {
		t.Errorf("got %s, %s, %v; want %s, %s", gotDir, gotVersion, err, dir, version)
	}
}

func TestMissingBinaries(t *testing.T) {
	empty := newFolder(t)
	t.Setenv(BinariesVariable, empty)
	_, _, err := FindBinaries()
	expectError(t, err, ErrNotInstalled, BinariesVariable, empty, "unset it")
	_, err = Start(limited(t), Options{DataDir: filepath.Join(empty, "data")})
	expectError(t, err, ErrNotInstalled, BinariesVariable)

	t.Setenv(BinariesVariable, "")
	t.Setenv("PATH", empty)
	usual := usualFolders
	defer func() { usualFolders = usual }()
	usualFolders = []string{empty + "/*"}
	_, _, err = FindBinaries()
	expectError(t, err, ErrNotInstalled, "initdb and postgres", "make postgresql", "apt install", "dnf install", "brew install", BinariesVariable)
}

// TestOldBinaries finds programs that say they are too old, and passes over them.
func TestOldBinaries(t *testing.T) {
	old := newFolder(t)
	for name, script := range map[string]string{"initdb": "#!/bin/sh\n", "postgres": "#!/bin/sh\necho 'postgres (PostgreSQL) 11.22'\n"} {
		if err := os.WriteFile(filepath.Join(old, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(BinariesVariable, old)
	_, _, err := FindBinaries()
	expectError(t, err, ErrNotInstalled, "version 12 or later", "11.22 in "+old)
}

func TestParseVersion(t *testing.T) {
	for line, want := range map[string]struct {
		version string
		major   int
	}{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n": {"15.18", 15},
		"postgres (PostgreSQL) 12.22":                            {"12.22", 12},
		"postgres (PostgreSQL) 19beta2":                          {"19beta2", 19},
		"postgres (PostgreSQL) 20devel":                          {"20devel", 20},
		"postgres (PostgreSQL) 9.6.24":                           {"9.6.24", 9},
	} {
		version, major, err := parseVersion(line)
		if err != nil || version != want.version || major != want.major {
			t.Errorf("parseVersion(%q) = %q, %d, %v", line, version, major, err)
		}
	}
	if _, _, err := parseVersion("something else"); err == nil {
		t.Error("a line without a version was accepted")
	}
}

func TestNewestFirst(t *testing.T) {
	dir := filepath.Join(newFolder(t), "pg")
	for _, version := range []string{"9", "15", "12"} {
		if err := os.MkdirAll(dir+"-"+version, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// The folder's own name has digits, too; they are the same in all.
	var got []string
	for _, found := range newestFirst(dir + "-*") {
		got = append(got, strings.TrimPrefix(found, dir+"-"))
	}
	if want := []string{"15", "12", "9"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
