//go:build unix && !aix && !solaris

package embedded

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLongPath shows that the socket goes elsewhere where the data folder's path, or a character
// in it, does not suit one; that it is as private there, and goes with the server.
func TestLongPath(t *testing.T) {
	dir := filepath.Join(newFolder(t), strings.Repeat("long, and with a comma ", 5), "data")
	s := mustStart(t, Options{DataDir: dir})
	if strings.HasPrefix(s.layout.socket, dir) {
		t.Errorf("the socket's folder is %s", s.layout.socket)
	}
	if got := mode(t, s.layout.socket); got != "700" {
		t.Errorf("the socket's folder has mode %s, want 700", got)
	}
	expect(t, s.ConnString(), "SELECT current_user::text", "mortise")
	if err := s.Restart(limited(t)); err != nil {
		t.Fatal(err)
	}
	expect(t, s.ConnString(), "SELECT current_user::text", "mortise")
	mustStop(t, s)
	if _, err := os.Lstat(s.layout.socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket's folder is still there (%v)", err)
	}
}

func TestFitsSocket(t *testing.T) {
	longest := "/" + strings.Repeat("d", longestSocket-len("//"+socketName))
	for dir, want := range map[string]bool{
		longest:       true,
		longest + "d": false,
		"/a folder":   true,
		"/a,b":        false,
		"/it's":       false,
		`/a"b`:        false,
		`/a\b`:        false,
		"/a\nb":       false,
	} {
		if got := fitsSocket(dir); got != want {
			t.Errorf("fitsSocket(%q) = %t, want %t", dir, got, want)
		}
	}
}

// TestRefusedFolders starts nothing: each folder is refused before anything is made in it.
func TestRefusedFolders(t *testing.T) {
	cases := map[string]struct {
		make func(dir string) error
		want []string
	}{
		"another server's": {
			func(dir string) error { return os.WriteFile(filepath.Join(dir, "PG_VERSION"), []byte("15\n"), 0o600) },
			[]string{"another PostgreSQL server", "new folder"},
		},
		"other files": {
			func(dir string) error { return os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600) },
			[]string{"holds other files", "notes.txt"},
		},
		"open to everyone": {
			func(dir string) error { return os.Chmod(dir, 0o777) },
			[]string{"written by everyone", "chmod o-w"},
		},
		"a file": {
			func(dir string) error { return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600)) },
			[]string{"not a folder"},
		},
		"of a version that is not installed": {
			func(dir string) error {
				return errors.Join(os.WriteFile(filepath.Join(dir, lockName), nil, 0o600), makeCluster(dir, "99\n"))
			},
			[]string{"version 99, which made the data folder", "found only", "pg_upgrade"},
		},
		"with a cluster that lost its files": {
			func(dir string) error {
				return errors.Join(os.WriteFile(filepath.Join(dir, lockName), nil, 0o600), os.Mkdir(filepath.Join(dir, "cluster"), 0o700))
			},
			[]string{"no file PG_VERSION", "backup"},
		},
	}
	if os.Geteuid() == 0 { // only root can make these
		cases["someone else's"] = struct {
			make func(dir string) error
			want []string
		}{func(dir string) error { return os.Chown(dir, 54321, 54321) }, []string{"belongs to user 54321"}}
		cases["root's cluster"] = struct {
			make func(dir string) error
			want []string
		}{
			func(dir string) error {
				_, version, err := FindBinaries()
				major, _, _ := strings.Cut(version, ".")
				return errors.Join(err, os.WriteFile(filepath.Join(dir, lockName), nil, 0o600), makeCluster(dir, major))
			},
			[]string{"belongs to root", "chown -R"},
		}
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := newFolder(t)
			if err := tc.make(dir); err != nil {
				t.Fatal(err)
			}
			_, err := Start(limited(t), Options{DataDir: dir})
			expectError(t, err, nil, append(tc.want, dir)...)
		})
	}
}

func makeCluster(dir, version string) error {
	cluster := filepath.Join(dir, "cluster")
	return errors.Join(os.Mkdir(cluster, 0o700), os.WriteFile(filepath.Join(cluster, "PG_VERSION"), []byte(version), 0o600))
}

// TestClosedParent has a folder above the data folder that only its owner may pass. That keeps the
// server out where it runs as another user, and then only.
func TestClosedParent(t *testing.T) {
	closed := filepath.Join(newFolder(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(closed, "data")
	if os.Geteuid() != 0 {
		mustStart(t, Options{DataDir: dir, Settings: unsynced()})
		return
	}
	_, err := Start(limited(t), Options{DataDir: dir})
	expectError(t, err, nil, "cannot enter "+closed, "chmod o+x "+closed, "data folder elsewhere")
	if made, _ := filepath.Glob(filepath.Join(dir, "cluster*")); len(made) > 0 {
		t.Errorf("initdb was run: %q", made)
	}
}

// TestSocketFolderTaken has something in the place of the socket's folder that is not ours.
func TestSocketFolderTaken(t *testing.T) {
	self := account{uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}
	file := filepath.Join(newFolder(t), "taken")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expectError(t, self.privateFolder(file), nil, file, "not a folder")
	link := filepath.Join(newFolder(t), "link")
	if err := os.Symlink(os.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	expectError(t, self.privateFolder(link), nil, link, "not a folder")
	if os.Geteuid() == 0 {
		dir := newFolder(t)
		if err := os.Chown(dir, 54321, 54321); err != nil {
			t.Fatal(err)
		}
		expectError(t, self.privateFolder(dir), nil, dir, "belongs to user 54321", "remove it")
	}
}

func TestDefaultFolder(t *testing.T) {
	t.Setenv("HOME", "/home/someone")
	for state, want := range map[string]string{
		"":               "/home/someone/.local/state/mortise/postgres",
		"relative/state": "/home/someone/.local/state/mortise/postgres",
		"/state":         "/state/mortise/postgres",
	} {
		t.Setenv("XDG_STATE_HOME", state)
		if os.Geteuid() == 0 {
			want = "/var/lib/mortise/postgres"
		}
		got, err := defaultFolder()
		if err != nil || got != want {
			t.Errorf("XDG_STATE_HOME=%q: got %q, %v; want %q", state, got, err, want)
		}
	}
}
