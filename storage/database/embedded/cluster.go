//go:build unix && !aix && !solaris

package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// unfinished begins the names of folders in which initdb is or was at work.
const unfinished = "cluster.new-"

// clusterMajor returns the major version that made the cluster, 0 if there is none yet.
func (l layout) clusterMajor() (int, error) {
	file := filepath.Join(l.cluster, "PG_VERSION")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(l.cluster); err == nil {
			return 0, fmt.Errorf("%s has no file PG_VERSION, so it is no data folder of PostgreSQL; restore it from a backup, or remove it to begin with an empty database", l.cluster)
		}
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s does not hold a version; restore the folder from a backup", file)
	}
	return major, nil
}

// initCluster makes the cluster in a folder of another name, and renames it when it is complete
// and on disk. So a folder named "cluster" is never half-made, whatever happens in between.
func (l layout) initCluster(ctx context.Context, a account, bin installation, log *slog.Logger) error {
	l.removeUnfinished(log)
	dir, err := os.MkdirTemp(l.root, unfinished)
	if err != nil {
		return err
	}
	if err := a.own(dir); err != nil {
		return err
	}
	log.Info("making a new database cluster", "folder", l.cluster, "version", bin.version)
	if err := runInitdb(ctx, a, bin, dir); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	if err := os.Rename(dir, l.cluster); err != nil {
		return err
	}
	return syncFolder(l.root)
}

// removeUnfinished clears away what a killed initdb left.
func (l layout) removeUnfinished(log *slog.Logger) {
	dirs, _ := filepath.Glob(filepath.Join(escapeGlob(l.root), unfinished+"*")) // the pattern is valid
	for _, dir := range dirs {
		log.Warn("removing a half-made database cluster", "folder", dir)
		if err := os.RemoveAll(dir); err != nil {
			log.Warn("cannot remove it; it does no harm", "error", err)
		}
	}
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// runInitdb makes the cluster's files. UTF-8, and text is compared by its bytes (LC_COLLATE C):
// the same order on every machine and after every update of the C library, which otherwise breaks
// indexes, and LIKE 'prefix%' can use them. Upper and lower case follow Unicode where the C library
// has the locale for it.
func runInitdb(ctx context.Context, a account, bin installation, dir string) error {
	args := []string{"-D", dir, "-U", adminName, "--auth=trust", "--encoding=UTF8", "--locale=C"}
	if hasUnicodeLocale(ctx) {
		args = append(args, "--lc-ctype=C.UTF-8")
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, bin.program("initdb"), args...)
	cmd.Dir = dir
	cmd.Env = childEnvironment()
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = a.attributes(syscall.SIGKILL)
	// initdb's own children are in its session and group; they go with it.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	// The death signal is bound to the thread that makes the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("initdb was interrupted: %w", context.Cause(ctx))
		}
		return fmt.Errorf("initdb failed: %w: %s", err, lastLines(out.String(), 5))
	}
	return nil
}

// hasUnicodeLocale says whether the C library has the locale C.UTF-8.
func hasUnicodeLocale(ctx context.Context) bool {
	out, err := exec.CommandContext(ctx, "locale", "-a").Output()
	if err != nil {
		return false
	}
	for name := range strings.Lines(string(out)) {
		if strings.EqualFold(strings.ReplaceAll(strings.TrimSpace(name), "-", ""), "C.utf8") {
			return true
		}
	}
	return false
}

// lastLines returns the last n lines that say something, on one line.
func lastLines(text string, n int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}

// syncFolder brings a rename in dir to the disk.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// accessRules is the whole pg_hba.conf.
const accessRules = `# Written by Mortise at each start; changes are lost.
# Everyone who can open the socket is trusted: its folder and the socket itself have mode 0700, so
# that is the server's user and root. There is no other way in; the server does not listen on TCP.
local all all trust
`

// writeAccessRules writes the files on authentication. They lie outside of the cluster, where the
// server's user cannot change them.
func (l layout) writeAccessRules() error {
	if err := writeReadable(l.hba, accessRules); err != nil {
		return err
	}
	return writeReadable(l.ident, "# Written by Mortise at each start. No user names are mapped.\n")
}

// writeReadable writes a file that the server's user may read, whatever the umask.
func writeReadable(path, text string) error {
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Chmod(path, 0o644)
}
