package database_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/database/embedded"
)

// A cluster is a PostgreSQL server with a configuration of the test's own: the embedded server lets
// nobody in for replication, and asks nobody for a password.
type cluster struct {
	t      testing.TB
	folder string // the socket's, and that of everything else
	data   string
	ended  chan struct{}
	server *exec.Cmd
}

// scratchFolder returns a folder that belongs to the server's user.
func scratchFolder(t testing.TB) string {
	t.Helper()
	folder, err := testdb.Folder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if credential := serverUser(t).Credential; credential != nil {
		if err := os.Chown(folder, int(credential.Uid), int(credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// serverUser has programs run as the user postgres if the tests run as root, which the servers refuse.
func serverUser(t testing.TB) *syscall.SysProcAttr {
	t.Helper()
	if os.Geteuid() != 0 {
		return &syscall.SysProcAttr{}
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		t.Fatalf("the tests run as root and need the user postgres: %v", err)
	}
	uid, _ := strconv.ParseUint(account.Uid, 10, 32)
	gid, _ := strconv.ParseUint(account.Gid, 10, 32)
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// program prepares a program of the PostgreSQL installation.
func program(t testing.TB, folder, name string, args ...string) *exec.Cmd {
	t.Helper()
	dir, _, err := embedded.FindBinaries()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, name), args...)
	cmd.Dir, cmd.SysProcAttr = folder, serverUser(t)
	return cmd
}

func mustRun(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", cmd, err, out)
	}
}

// newCluster makes a server with the given pg_hba.conf, and starts it.
func newCluster(t testing.TB, access string) *cluster {
	t.Helper()
	c := &cluster{t: t, folder: scratchFolder(t)}
	c.data = filepath.Join(c.folder, "data")
	mustRun(t, program(t, c.folder, "initdb", "-D", c.data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"))
	if err := os.WriteFile(filepath.Join(c.data, "pg_hba.conf"), []byte(access), 0o644); err != nil {
		t.Fatal(err)
	}
	c.start()
	return c
}

// standby makes a standby of the server, and starts it.
func (c *cluster) standby() *cluster {
	c.t.Helper()
	s := &cluster{t: c.t, folder: scratchFolder(c.t)}
	s.data = filepath.Join(s.folder, "data")
	mustRun(c.t, program(c.t, s.folder, "pg_basebackup", "-h", c.folder, "-U", "postgres", "-D", s.data, "-R", "-c", "fast", "-N"))
	s.start()
	return s
}

func (c *cluster) start() {
	c.t.Helper()
	var out bytes.Buffer
	c.server = program(c.t, c.folder, "postgres", "-D", c.data, "-k", c.folder, "-c", "listen_addresses=", "-c", "fsync=off")
	c.server.Stdout, c.server.Stderr = &out, &out
	if err := c.server.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan struct{})
	c.ended = ended
	go func() {
		defer close(ended)
		_ = c.server.Wait()
	}()
	c.t.Cleanup(c.stop)
	eventually(c.t, "the server to start", func() bool {
		select {
		case <-ended:
			c.t.Fatalf("the server ended: %s", &out)
		default:
		}
		conn, err := pgx.Connect(limited(c.t), c.dsn())
		if err == nil {
			_ = conn.Close(context.Background())
		}
		return err == nil
	})
}

// stop ends the server at once, if it still runs.
func (c *cluster) stop() {
	if err := c.server.Process.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Error(err)
	}
	await(c.t, "the server to end", c.ended)
}

// dsn is for the superuser, who needs no password through pg_hba.conf's first line.
func (c *cluster) dsn() string {
	return fmt.Sprintf("host=%s user=postgres dbname=postgres", c.folder)
}

// promote makes a standby the primary.
func (c *cluster) promote() {
	c.t.Helper()
	mustRun(c.t, program(c.t, c.folder, "pg_ctl", "-D", c.data, "promote"))
}
