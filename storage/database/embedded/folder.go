//go:build unix && !aix && !solaris

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// A layout is where things are in the data folder. The folder itself belongs to the program's user
// and what the server writes to lies one level below, so that a server that was taken over cannot
// put links into root's way.
type layout struct {
	root    string // absolute, links resolved
	cluster string // the server's own data folder, PGDATA; belongs to the server's user
	hba     string // rules of authentication, written at each start
	ident   string // empty map of user names, beside it
	lock    string // its presence marks the folder as made by this package
	socket  string // folder of the socket; may lie elsewhere if root is long
}

const lockName = "mortise.lock"

func newLayout(root string) layout {
	return layout{
		root:    root,
		cluster: filepath.Join(root, "cluster"),
		hba:     filepath.Join(root, "pg_hba.conf"),
		ident:   filepath.Join(root, "pg_ident.conf"),
		lock:    filepath.Join(root, lockName),
	}
}

// openFolder makes the data folder if it is missing, and refuses one that is not ours.
func openFolder(dir string) (layout, error) {
	if dir == "" {
		var err error
		if dir, err = defaultFolder(); err != nil {
			return layout{}, err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return layout{}, err
	}
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o755 // the server's user must get through
	}
	if err := makeFolders(dir, mode); err != nil {
		return layout{}, fmt.Errorf("cannot make the data folder: %w", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return layout{}, err
	}
	return newLayout(dir), checkFolder(dir)
}

// makeFolders makes dir and the missing folders above it with exactly this mode, whatever the umask.
func makeFolders(dir string, mode fs.FileMode) error {
	err := os.Mkdir(dir, mode)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil // what is not usable about it, checkFolder tells
	case errors.Is(err, fs.ErrNotExist):
		if err := makeFolders(filepath.Dir(dir), mode); err != nil {
			return err
		}
		err = os.Mkdir(dir, mode)
	}
	if err != nil {
		return err
	}
	return os.Chmod(dir, mode)
}

// defaultFolder follows the XDG base directory specification for ordinary users, which says that a
// relative value is to be ignored.
func defaultFolder() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/mortise/postgres", nil
	}
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "mortise", "postgres"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no place for the data folder: %w; name one in the configuration, or set HOME or XDG_STATE_HOME", err)
	}
	return filepath.Join(home, ".local", "state", "mortise", "postgres"), nil
}

// checkFolder refuses a folder that holds other things, or that others can change.
func checkFolder(dir string) error {
	owner, err := ownerOf(dir)
	if err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("data folder %s is not a folder; name another", dir)
	}
	if int(owner.uid) != os.Geteuid() {
		return fmt.Errorf("data folder %s belongs to %s; run as that user, or use another folder", dir, owner)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("data folder %s can be written by everyone; run `chmod o-w` on it, or use another folder", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	foreign := ""
	for _, e := range entries {
		switch e.Name() {
		case lockName:
			return nil
		case "lost+found": // of an empty file system
		default:
			foreign = e.Name()
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "PG_VERSION")); err == nil {
		return fmt.Errorf("%s is the data folder of another PostgreSQL server; use an empty or new folder, or connect to that server", dir)
	}
	if foreign != "" {
		return fmt.Errorf("%s holds other files (such as %q); use an empty or new folder", dir, foreign)
	}
	return nil
}

// letIn makes the data folder passable for the server's user.
func (l layout) letIn(ctx context.Context, a account, bin installation) error {
	if !a.other {
		return nil
	}
	info, err := os.Stat(l.root)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o011 != 0o011 {
		if err := os.Chmod(l.root, mode|0o011); err != nil {
			return err
		}
	}
	if err := a.tryProgram(ctx, bin, "/"); err != nil {
		return fmt.Errorf("%s cannot run %s: %w; make it and the folders above it executable for everyone, or set %s to another installation",
			a, bin.program("postgres"), err, BinariesVariable)
	}
	return a.enter(ctx, bin, l.root)
}

// enter checks that the account can reach dir. It tries it, because access control lists and
// security modules have their say beside the permission bits.
func (a account) enter(ctx context.Context, bin installation, dir string) error {
	err := a.tryProgram(ctx, bin, dir)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	closed := a.closedFolder(dir)
	return fmt.Errorf("%s, which runs the server because PostgreSQL does not run as root, cannot enter %s; run `chmod o+x %s`, or use a data folder elsewhere (the default for root is /var/lib/mortise/postgres)",
		a, closed, closed)
}

// tryProgram runs a program of the server that does nothing, as the account, in dir.
func (a account) tryProgram(ctx context.Context, bin installation, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin.program("postgres"), "--version")
	cmd.Dir = dir
	cmd.Env = childEnvironment()
	cmd.SysProcAttr = a.attributes(0)
	return cmd.Run()
}

// closedFolder returns the topmost folder on the way to dir that, by its permission bits, the
// account may not pass; dir itself if the bits do not tell.
func (a account) closedFolder(dir string) string {
	found := dir
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		owner, ownerErr := ownerOf(at)
		if err == nil && ownerErr == nil {
			bit := fs.FileMode(0o001)
			switch {
			case owner.uid == a.uid:
				bit = 0o100
			case owner.gid == a.gid:
				bit = 0o010
			}
			if info.Mode().Perm()&bit == 0 {
				found = at
			}
		}
		if at == filepath.Dir(at) {
			return found
		}
	}
}

// childEnvironment is what the server's programs inherit: enough to find programs and libraries,
// and nothing that would steer them (PGDATA, PGPORT, LC_ALL and so on) or that is secret.
func childEnvironment() []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
