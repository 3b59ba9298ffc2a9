//go:build unix && !aix && !solaris

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// leftoverGrace is how long a server that was left behind may take for its fast shutdown.
const leftoverGrace = 30 * time.Second

// pollInterval is the pause between two looks at something that gives no notice.
const pollInterval = 20 * time.Millisecond

// endLeftover stops the server of a program that was killed, if it still runs. The caller holds
// the lock, so the server belongs to nobody.
func (l layout) endLeftover(ctx context.Context, log *slog.Logger) error {
	file := filepath.Join(l.cluster, "postmaster.pid")
	pid, err := readPID(file)
	if err != nil || pid == 0 {
		return err
	}
	if !isServer(pid, l.cluster) {
		return l.removeStale(file, pid)
	}
	log.Warn("stopping the server of a program that was killed", "server_pid", pid)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("cannot stop the server with pid %d that still runs on %s: %w; stop it by hand", pid, l.cluster, err)
		}
		if l.awaitLeftover(ctx, pid) {
			return nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return fmt.Errorf("the server with pid %d still runs on %s and did not stop in time; stop it by hand: %w", pid, l.cluster, context.Cause(ctx))
}

// awaitLeftover says whether the server ended before the grace and ctx did.
func (l layout) awaitLeftover(ctx context.Context, pid int) bool {
	ctx, cancel := context.WithTimeout(ctx, leftoverGrace)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for isServer(pid, l.cluster) {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return true
}

// removeStale removes a lock file of the server's whose pid now belongs to some other process, or
// to a dead one that its parent has not reaped; PostgreSQL would take it for a server that runs.
// In a container, where pids are small and few, this is common. The server's second interlock, on
// shared memory, stays.
func (l layout) removeStale(file string, pid int) error {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return nil // PostgreSQL sees that by itself
	}
	return os.Remove(file)
}

// removeSocketLock does the same for the socket's lock file, in a folder that only our server uses.
func (l layout) removeSocketLock() error {
	err := os.Remove(filepath.Join(l.socket, socketName+".lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// readPID returns the pid in the first line of a postmaster.pid, 0 if there is none. It is
// negative there for a server in single-user mode.
func readPID(file string) (int, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0, nil // PostgreSQL itself complains, and says what to do
	}
	return max(pid, -pid), nil
}

// isServer says whether pid is a PostgreSQL server that runs on the cluster.
func isServer(pid int, cluster string) bool {
	args := processArguments(pid)
	if len(args) == 0 {
		return false
	}
	name := filepath.Base(args[0])
	return (name == "postgres" || name == "postmaster") && slices.Contains(args[1:], cluster)
}
