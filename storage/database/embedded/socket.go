//go:build unix && !aix && !solaris

package embedded

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	// socketPort only makes the socket's name; there is no TCP.
	socketPort = "5432"
	socketName = ".s.PGSQL." + socketPort
	// longestSocket is the longest path that fits into sockaddr_un on every system, with its
	// closing zero byte: 104 bytes on macOS and the BSDs, 108 on Linux.
	longestSocket = 103
)

// prepareSocket makes the socket's folder, private to the account, and returns its path. It lies
// in the data folder, or in the folder for temporary files if the path would be too long.
func prepareSocket(ctx context.Context, l layout, a account, bin installation) (string, error) {
	if dir := filepath.Join(l.root, "socket"); fitsSocket(dir) {
		return dir, a.privateFolder(dir)
	}
	// The same data folder always has the same socket, so that an open client finds it again.
	sum := sha256.Sum256([]byte(l.root))
	name := "mortise-" + hex.EncodeToString(sum[:12])
	var problems []error
	for _, base := range []string{os.TempDir(), "/tmp"} {
		dir := filepath.Join(base, name)
		if !filepath.IsAbs(dir) || !fitsSocket(dir) {
			problems = append(problems, fmt.Errorf("%s: unsuited for a socket's path", dir))
			continue
		}
		err := a.privateFolder(dir)
		if err == nil && a.other {
			err = a.enter(ctx, bin, dir)
		}
		if err == nil {
			return dir, nil
		}
		problems = append(problems, err)
	}
	return "", fmt.Errorf("the path of %s is too long for a socket in it, and no other place was found (%w); use a data folder with a path of at most %d bytes",
		l.root, errors.Join(problems...), longestSocket-len("/socket/"+socketName))
}

// fitsSocket says whether a socket in dir has a path that the system takes, and that needs no
// quoting in the server's setting and in a connection string, where a comma separates hosts.
func fitsSocket(dir string) bool {
	return len(dir)+len("/"+socketName) <= longestSocket &&
		!strings.ContainsFunc(dir, func(r rune) bool { return r < ' ' || strings.ContainsRune(`,"'\`, r) })
}

// privateFolder makes dir with mode 0700 for the account, or takes one that is like that. Anything
// else of that name is refused: in a folder for temporary files someone else may have put it there.
func (a account) privateFolder(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner, err := ownerOf(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder; remove it", dir)
	}
	if owner.uid != a.uid && int(owner.uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to %s instead of %s; remove it", dir, owner, a)
	}
	if info.Mode().Perm() != 0o700 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return err
		}
	}
	return a.own(dir)
}

// connString returns the DSN (keyword/value form) of a role on the socket. What the environment
// could change (PGSSLMODE, PGTARGETSESSIONATTRS) is said explicitly.
func (l layout) connString(role, database string) string {
	return fmt.Sprintf("host='%s' port=%s user=%s dbname=%s sslmode=disable target_session_attrs=any",
		l.socket, socketPort, role, database)
}
