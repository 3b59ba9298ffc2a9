package database_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/query"
)

// startPooler starts PgBouncer in transaction mode in front of the database, with so many connections
// to the server, and returns the DSN to reach it by.
func startPooler(t testing.TB, dsn string, connections int) string {
	t.Helper()
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		path = "/usr/sbin/pgbouncer" // Debian's package; not in everybody's PATH
		if _, err := os.Stat(path); err != nil {
			t.Fatal("pgbouncer is not installed, and this test is about it; run `scripts/install pgbouncer`")
		}
	}
	target, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	folder := scratchFolder(t)
	write := func(name, text string) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	users := write("users.txt", fmt.Sprintf("%q \"\"\n", target.User))
	config := write("pgbouncer.ini", fmt.Sprintf(`[databases]
* = host=%s port=%d
[pgbouncer]
pool_mode = transaction
default_pool_size = %d
max_client_conn = 100
listen_addr =
listen_port = 6432
unix_socket_dir = %s
auth_type = trust
auth_file = %s
`, target.Host, target.Port, connections, folder, users))
	var out bytes.Buffer
	cmd := exec.Command(path, config)
	cmd.Dir, cmd.SysProcAttr, cmd.Stdout, cmd.Stderr = folder, serverUser(t), &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		await(t, "the pooler to end", ended)
	})
	eventually(t, "the pooler to start", func() bool {
		select {
		case <-ended:
			t.Fatalf("the pooler ended: %s", &out)
		default:
		}
		_, err := os.Stat(filepath.Join(folder, ".s.PGSQL.6432"))
		return err == nil
	})
	return fmt.Sprintf("host=%s port=6432 user=%s dbname=%s sslmode=disable", folder, target.User, target.Database)
}

// busy has many callers use a stand at once, with writes, reads and groups, and returns their errors.
func busy(s *stand, callers, rounds int) error {
	return errors.Join(together(callers, func(i int) error {
		for round := range rounds {
			key := fmt.Sprintf("%d", i)
			text := fmt.Sprintf("%d of %d", round, i)
			add, get := s.add(key, text), s.get(key)
			s.executor.Run(limited(s.t), query.Calls(add, s.inc()).Then(get).Then(s.downloads()))
			if err := errors.Join(add.Err, get.Err); err != nil {
				return err
			}
			if value(get) != text {
				return fmt.Errorf("caller %d reads %q, and wrote %q", i, value(get), text)
			}
		}
		return nil
	})...)
}

func TestPoolerInTransactionMode(t *testing.T) {
	const callers, rounds = 8, 20
	dsn := testdb.Database(t, tables)
	s := open(t, setup{dsn: dsn, connect: startPooler(t, dsn, 2)})
	mode, err := s.pool.FindMode(limited(t))
	if err != nil || mode != database.Unprepared {
		t.Fatalf("the mode found is %s, %v; it should be unprepared", mode, err)
	}
	if err := busy(s, callers, rounds); err != nil {
		t.Error(err)
	}
	if n := s.behind.number("SELECT downloads FROM downloads"); n != callers*rounds {
		t.Errorf("the counter is %d, want %d", n, callers*rounds)
	}
	if n := s.seen.retried("26000") + s.seen.retried("42P05"); n != 0 {
		t.Errorf("prepared statements were mixed up: %v", s.seen.causes)
	}
}

// A pooler's server connection that goes takes along the statements that its clients think are
// prepared. That is why the mode is looked for.
func TestPoolerLosesItsServer(t *testing.T) {
	for mode, mixedUp := range map[database.Mode]bool{database.Prepared: true, database.Unprepared: false} {
		t.Run(mode.String(), func(t *testing.T) {
			dsn := testdb.Database(t, tables)
			s := open(t, setup{dsn: dsn, connect: startPooler(t, dsn, 1), pool: "pool_max_conns=1", options: database.Options{Mode: mode}})
			s.works()
			s.behind.terminateAll()
			s.works()
			if n := s.seen.retried("26000"); (n > 0) != mixedUp {
				t.Errorf("%d calls found that their statement was not there", n)
			}
		})
	}
}

// A pool that has not looked, or looked when the pooler had one connection to each client, finds out
// by the first mix-up, and no call fails for it.
func TestModeIsFoundByAMixUp(t *testing.T) {
	dsn := testdb.Database(t, tables)
	s := open(t, setup{dsn: dsn, connect: startPooler(t, dsn, 2)})
	if err := busy(s, 8, 20); err != nil {
		t.Error(err)
	}
	if s.pool.Mode() != database.Unprepared {
		t.Errorf("the mode is still %s", s.pool.Mode())
	}
}

func TestModeOfAServer(t *testing.T) {
	for want, given := range map[database.Mode]database.Mode{database.Prepared: database.Auto, database.Unprepared: database.Unprepared} {
		s := open(t, setup{options: database.Options{Mode: given}})
		if mode, err := s.pool.FindMode(limited(t)); err != nil || mode != want {
			t.Errorf("%s finds %s, %v; want %s", given, mode, err, want)
		}
		if err := busy(s, 4, 5); err != nil || s.pool.Mode() != want {
			t.Errorf("mode %s, %v", s.pool.Mode(), err)
		}
	}
}
