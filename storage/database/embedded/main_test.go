//go:build unix && !aix && !solaris

package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

// patience bounds every wait of these tests; it is no expectation of how long things take.
const patience = time.Minute

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimVariable); dir != "" {
		os.Exit(runVictim(dir))
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if templateFolder != "" {
			_ = os.RemoveAll(templateFolder) // a rest in /tmp fails no test
		}
		os.Exit(code)
	}))
}

// template is a data folder that is ready; copying it takes much less than making one.
var (
	templateFolder string
	template       = sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("/tmp", "mortise-test-template-")
		if err != nil {
			return "", err
		}
		templateFolder = dir
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s, err := Start(ctx, Options{DataDir: dir, Settings: unsynced()})
		if err != nil {
			return dir, err
		}
		return dir, s.Stop(ctx)
	})
)

// readyFolder returns a copy of the template.
func readyFolder(t *testing.T) string {
	t.Helper()
	from, err := template()
	if err != nil {
		t.Fatal(err)
	}
	dir := newFolder(t)
	if out, err := exec.Command("cp", "-a", from+"/.", dir).CombinedOutput(); err != nil {
		t.Fatalf("copying the template: %v: %s", err, out)
	}
	return dir
}

// unsynced settings spare the disk in tests where no machine crashes; a crash of the server alone
// loses nothing by them.
func unsynced() map[string]string { return map[string]string{"fsync": "off"} }

// newFolder returns a folder that every user can reach; t.TempDir is closed to the server's user
// when the tests run as root.
func newFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "mortise-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// mustStart starts a server that is stopped with the test.
func mustStart(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(limited(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustStop(t, s) })
	return s
}

func mustStop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func mustConnect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(limited(t), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// mustExec runs one statement on a connection of its own.
func mustExec(t *testing.T, dsn, sql string) {
	t.Helper()
	conn := mustConnect(t, dsn)
	defer conn.Close(context.Background())
	if _, err := conn.Exec(limited(t), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// value returns the only value of a query's only row, as text.
func value(t *testing.T, dsn, sql string) string {
	t.Helper()
	conn := mustConnect(t, dsn)
	defer conn.Close(context.Background())
	var text string
	if err := conn.QueryRow(limited(t), sql).Scan(&text); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return text
}

func expect(t *testing.T, dsn, sql, want string) {
	t.Helper()
	if got := value(t, dsn, sql); got != want {
		t.Errorf("%s: got %q, want %q", sql, got, want)
	}
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx := limited(t)
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("in vain waited for: %s", what)
		case <-ticker.C:
		}
	}
}

// expectError checks that err wraps target (unless nil) and that its text has all of the parts.
func expectError(t *testing.T, err, target error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one about %q", parts)
	}
	if target != nil && !errors.Is(err, target) {
		t.Errorf("error %q does not wrap %q", err, target)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

// processExists says whether pid is alive; a process that nobody reaped is not.
func processExists(pid int) bool {
	return syscall.Kill(pid, 0) == nil && len(processArguments(pid)) > 0
}

func mode(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%o", info.Mode().Perm())
}

// A record is the log of a server, readable while it is written.
type record struct {
	mu    sync.Mutex
	lines []string
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, string(p))
	return len(p), nil
}

func (r *record) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "")
}

// logger returns a logger into a record, of all levels.
func logger() (*slog.Logger, *record) {
	r := &record{}
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug})), r
}
