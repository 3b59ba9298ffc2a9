//go:build unix && !aix && !solaris

package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// victimVariable makes the test binary a program that starts a server on the folder of that name
// and waits to be killed.
const victimVariable = "MORTISE_TEST_VICTIM"

// runVictim writes the server's pid to standard output when one row is committed. It ends when its
// standard input does, so that it does not outlive the test.
func runVictim(dir string) int {
	ctx := context.Background()
	s, err := Start(ctx, Options{DataDir: dir, Settings: unsynced()})
	if err == nil {
		var conn *pgconn.PgConn
		if conn, err = pgconn.Connect(ctx, s.ConnString()); err == nil {
			_, err = conn.Exec(ctx, "CREATE TABLE kept AS SELECT 7 AS n").ReadAll()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(s.PID())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// startVictim returns the running victim and the pid of its server.
func startVictim(t *testing.T, dir string) (*exec.Cmd, int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), victimVariable+"="+dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait() // again, where the test killed it
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the victim did not start its server: %v", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return cmd, pid
}

// TestProgramKilled kills a program that runs a server: while it lives, the folder is its own;
// then its server goes, and the next one finds what was committed.
func TestProgramKilled(t *testing.T) {
	dir := readyFolder(t)
	victim, pid := startVictim(t, dir)
	_, err := Start(limited(t), Options{DataDir: dir, Settings: unsynced()})
	expectError(t, err, ErrInUse, fmt.Sprintf("the program with pid %d", victim.Process.Pid))

	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait()
	if runtime.GOOS == "linux" || runtime.GOOS == "freebsd" { // elsewhere Start ends it
		eventually(t, "the server of the killed program ends", func() bool { return !processExists(pid) })
	}
	s := mustStart(t, Options{DataDir: dir, Settings: unsynced()})
	if processExists(pid) {
		t.Errorf("the old server, process %d, still exists", pid)
	}
	expect(t, s.ConnString(), "SELECT n::text FROM kept", "7")
}

// TestLeftBehind starts on a folder where a server still runs that belongs to no program, and one
// where postmaster.pid names a process that is no server.
func TestLeftBehind(t *testing.T) {
	dir := readyFolder(t)
	old := mustStart(t, Options{DataDir: dir, Settings: unsynced()})
	mustExec(t, old.ConnString(), "CREATE TABLE kept AS SELECT 1 AS n")
	old.release() // as the kernel does when a program is killed

	log, recorded := logger()
	s := mustStart(t, Options{DataDir: dir, Logger: log, Settings: unsynced()})
	select {
	case <-old.Done():
	default:
		t.Error("two servers run on one folder")
	}
	if !strings.Contains(recorded.text(), "stopping the server of a program that was killed") {
		t.Error("the log does not tell about the server that was left behind")
	}
	stranger := &process{name: "another run", cmd: s.process.cmd, log: s.process.log, exited: s.process.exited}
	_, err := awaitReady(limited(t), stranger, s.AdminConnString(), 5*pollInterval)
	expectError(t, err, nil, "did not answer")
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	mustStop(t, s)

	// The pid now belongs to a process of the server's user, as after a container's restart.
	other := exec.Command("sleep", "600")
	other.SysProcAttr = s.account.attributes(syscall.SIGKILL)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	}()
	replacePID(t, filepath.Join(s.layout.cluster, "postmaster.pid"), other.Process.Pid)
	again := mustStart(t, Options{DataDir: dir, Settings: unsynced()})
	expect(t, again.ConnString(), "SELECT n::text FROM kept", "1")
	if !processExists(other.Process.Pid) {
		t.Error("a process that is no server was ended")
	}
}

func replacePID(t *testing.T, file string, pid int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(file, []byte(strconv.Itoa(pid)+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestLingering starts while a session of a crashed server has not noticed the crash, which keeps
// PostgreSQL from starting; it succeeds when the session is gone.
func TestLingering(t *testing.T) {
	dir := readyFolder(t)
	old := mustStart(t, Options{DataDir: dir, Settings: unsynced()})
	session := int(mustConnect(t, old.ConnString()).PgConn().PID())
	if err := syscall.Kill(session, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	end := sync.OnceValue(func() error { return syscall.Kill(session, syscall.SIGKILL) })
	defer end() // where the test ends early
	if err := old.process.signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-old.Done()
	old.release()

	log, recorded := logger()
	started := make(chan error, 1)
	go func() {
		s, err := Start(limited(t), Options{DataDir: dir, Logger: log, Settings: unsynced()})
		if err == nil {
			err = s.Stop(limited(t))
		}
		started <- err
	}()
	eventually(t, "the start is refused once", func() bool { return strings.Contains(recorded.text(), "sqlstate="+lockFileExists) })
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if err := <-started; err != nil {
		t.Error(err)
	}
}

// TestHalfMade interrupts initdb at work, then leaves rubbish as a kill would, and starts again.
func TestHalfMade(t *testing.T) {
	dir := newFolder(t)
	ctx, cancel := context.WithCancel(limited(t))
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		s, err := Start(ctx, Options{DataDir: dir})
		if err == nil {
			err = errors.Join(errors.New("it started"), s.Stop(context.Background()))
		}
		failed <- err
	}()
	eventually(t, "initdb is at work", func() bool {
		made, _ := filepath.Glob(filepath.Join(dir, unfinished+"*", "base", "1", "*"))
		return len(made) > 0
	})
	cancel()
	expectError(t, <-failed, context.Canceled, "initdb was interrupted")
	if _, err := os.Lstat(filepath.Join(dir, "cluster")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a half-made cluster has its final name (%v)", err)
	}
	rubbish := filepath.Join(dir, unfinished+"1")
	if err := os.MkdirAll(filepath.Join(rubbish, "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := mustStart(t, Options{DataDir: dir})
	expect(t, s.ConnString(), "SELECT 1::text", "1")
	if left, _ := filepath.Glob(filepath.Join(dir, unfinished+"*")); len(left) > 0 {
		t.Errorf("half-made clusters are still there: %q", left)
	}
}
