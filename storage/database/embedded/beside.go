//go:build unix && !aix && !solaris

package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Beside returns the ConnString of the server that another program runs on the data folder now: for
// commands that look at the database of a plugin that is at work. The server stays the other program's;
// it may end at any time. The error wraps ErrNotRunning if there is none.
func Beside(dataDir string) (string, error) {
	l, err := openFolder(dataDir)
	if err != nil {
		return "", fmt.Errorf("embedded PostgreSQL: %w", err)
	}
	if l.socket, err = l.runningSocket(); err != nil {
		return "", fmt.Errorf("embedded PostgreSQL: %w", err)
	}
	return l.connString(roleName, databaseName), nil
}

// runningSocket reads the socket's folder from the server's lock file, whose fifth line it is
// (PostgreSQL's src/include/utils/pidfile.h).
func (l layout) runningSocket() (string, error) {
	file := filepath.Join(l.cluster, "postmaster.pid")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w on %s", ErrNotRunning, l.root)
	}
	if err != nil {
		return "", err
	}
	pid, err := readPID(file)
	if err != nil {
		return "", err
	}
	lines := strings.Split(string(text), "\n")
	if pid == 0 || !isServer(pid, l.cluster) || len(lines) < 5 {
		return "", fmt.Errorf("%w on %s", ErrNotRunning, l.root)
	}
	return strings.TrimSpace(lines[4]), nil
}
