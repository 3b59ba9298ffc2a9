// Package testdb gives tests a real PostgreSQL: one embedded server for each test program, and a
// database of its own for each test. It is only for tests and benchmarks.
package testdb

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise/storage/database/embedded"
)

var (
	mu     sync.Mutex
	server *embedded.Server
	folder string
	number atomic.Int64
)

// Run is for TestMain: it runs the tests, stops the server if one was started, and returns the exit
// status.
func Run(m *testing.M) int {
	status := m.Run()
	if err := Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "testdb:", err)
		return 1
	}
	return status
}

// Main is TestMain for packages that need a server: it runs the tests, stops the server, and fails if a
// goroutine is left behind.
func Main(m *testing.M) { goleak.VerifyTestMain(program{m}) }

type program struct{ m *testing.M }

func (p program) Run() int { return Run(p.m) }

// Server returns the program's server, started at first use. It trades durability for speed, because
// its data is thrown away: tests of crashes start servers of their own.
func Server() (*embedded.Server, error) {
	mu.Lock()
	defer mu.Unlock()
	if server != nil {
		return server, nil
	}
	dir, err := Folder()
	if err != nil {
		return nil, err
	}
	started, err := embedded.Start(context.Background(), embedded.Options{DataDir: filepath.Join(dir, "data"),
		Settings: map[string]string{"fsync": "off", "max_connections": "300"}})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	server, folder = started, dir
	return server, nil
}

// Folder makes a temporary folder that the server's user can reach when the tests run as root. The
// caller removes it.
func Folder() (string, error) {
	dir, err := os.MkdirTemp("", "mortise-test-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// Stop stops the server and removes its data.
func Stop() error {
	mu.Lock()
	defer mu.Unlock()
	if server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := server.Stop(ctx)
	server = nil
	if removeErr := os.RemoveAll(folder); err == nil {
		err = removeErr
	}
	return err
}

// Database makes an empty database, applies the scripts to it, and returns its DSN. It is dropped
// when the test ends.
func Database(t testing.TB, scripts ...string) string {
	t.Helper()
	s, err := Server()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("test_%d", number.Add(1))
	Exec(t, s.AdminConnString(), "CREATE DATABASE "+name)
	t.Cleanup(func() { Exec(t, s.AdminConnString(), "DROP DATABASE "+name+" WITH (FORCE)") })
	dsn := s.AdminConnString() + " dbname=" + name
	for _, script := range scripts {
		Exec(t, dsn, script)
	}
	return dsn
}

// Exec runs a script of statements.
func Exec(t testing.TB, dsn, script string) {
	t.Helper()
	conn := Conn(t, dsn)
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.PgConn().Exec(context.Background(), script).ReadAll(); err != nil {
		t.Fatalf("%v in %s", err, strings.TrimSpace(script))
	}
}

// Conn opens a connection, which the caller closes.
func Conn(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
