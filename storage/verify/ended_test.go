package verify_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/mortise-storage/mortise/internal/testdb"
)

// A process is the command, in a process of its own.
type process struct {
	*exec.Cmd
	out bytes.Buffer
}

// startCommand runs `verify` on a query set's file.
func startCommand(t *testing.T, set querySet, dsn string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file, err := filepath.Abs(set.queries)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(self, append([]string{"--config", file}, args...)...)}
	p.Env = append(os.Environ(), roleVariable+"=command", "MORTISE_DATABASE="+dsn)
	p.Stdout, p.Stderr = &p.out, &p.out
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// status waits for the process's end.
func (p *process) status() int {
	_ = p.Wait()
	return p.ProcessState.ExitCode()
}

// midway waits until a run has stored peers, and returns its transaction's number. Its rows cannot be
// seen from outside, but the numbers that it drew for torrents can.
func midway(t *testing.T, conn *pgx.Conn, drawn int64) (transaction string) {
	t.Helper()
	eventually(t, "a run in the middle of its work", func() bool {
		err := conn.QueryRow(t.Context(), `SELECT a.backend_xid::text FROM pg_stat_activity AS a, torrents_id_seq AS s
			WHERE a.application_name = 'mortise verify' AND a.datname = current_database() AND a.backend_xid IS NOT NULL
			  AND s.last_value > $1 + 20 LIMIT 1`, drawn).Scan(&transaction)
		return err == nil
	})
	return transaction
}

func drawnTorrents(t *testing.T, conn *pgx.Conn) (drawn int64) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), "SELECT last_value FROM torrents_id_seq").Scan(&drawn); err != nil {
		t.Fatal(err)
	}
	return drawn
}

// However a run ends, nothing is left: no row, no session, no lock.
func TestEndedFromOutside(t *testing.T) {
	set := querySetNamed(t, "private-tracker")
	for name, c := range map[string]struct {
		signal syscall.Signal
		status int
		says   string
	}{
		"killed":      {syscall.SIGKILL, -1, ""},
		"interrupted": {syscall.SIGINT, 1, "aborted; the tables are as they were"},
		"terminated":  {syscall.SIGTERM, 1, "ended early"},
	} {
		t.Run(name, func(t *testing.T) {
			config := set.config(t)
			openSite(t, config, 10, 12)
			before := contents(t, config.Connection)
			conn := testdb.Conn(t, config.Connection)
			defer func() { _ = conn.Close(context.Background()) }()
			drawn := drawnTorrents(t, conn)
			p := startCommand(t, set, config.Connection)
			transaction := midway(t, conn, drawn)
			if err := p.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			if status := p.status(); status != c.status || !strings.Contains(p.out.String(), c.says) {
				t.Errorf("status %d, output %s", status, p.out.String())
			}
			eventually(t, "the session ends", func() bool { return leftSessions(t, conn) == 0 })
			var status string
			if err := conn.QueryRow(t.Context(), "SELECT pg_xact_status($1::text::xid8)", transaction).Scan(&status); err != nil || status != "aborted" {
				t.Errorf("transaction %s is %q, %v", transaction, status, err)
			}
			sameContents(t, before, contents(t, config.Connection))
			if _, err := conn.Exec(t.Context(), "BEGIN; SET LOCAL lock_timeout = '1ms'; LOCK TABLE peers, torrents, site_kv IN ACCESS EXCLUSIVE MODE; COMMIT"); err != nil {
				t.Errorf("a lock is left: %v", err)
			}
		})
	}
}

// schemas are the names of scratch schemas in a database.
func scratchSchemas(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'mortise\\_verify\\_%'")
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// scratchInUse waits until a run has stored a peer in a schema of its own.
func scratchInUse(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	eventually(t, "a scratch schema with rows", func() bool {
		for _, name := range scratchSchemas(t, conn) {
			var n int
			if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM "+name+".mo_peers").Scan(&n); err == nil && n > 0 {
				return true
			}
		}
		return false
	})
}

// A scratch schema goes when its run is interrupted; one whose run was killed goes at the next run, and
// not while it is in use.
func TestScratchEndedFromOutside(t *testing.T) {
	set := querySetNamed(t, "mochi")
	config := set.config(t)
	openSite(t, config, 5, 12)
	before := contents(t, config.Connection)
	conn := testdb.Conn(t, config.Connection)
	defer func() { _ = conn.Close(context.Background()) }()

	p := startCommand(t, set, config.Connection, "--scratch")
	scratchInUse(t, conn)
	_ = p.Process.Signal(syscall.SIGINT)
	if status := p.status(); status != 1 || !strings.Contains(p.out.String(), "dropped") {
		t.Errorf("status %d, output %s", status, p.out.String())
	}
	if names := scratchSchemas(t, conn); len(names) > 0 {
		t.Errorf("%v are left after an interruption", names)
	}

	killed := startCommand(t, set, config.Connection, "--scratch")
	scratchInUse(t, conn)
	under := startCommand(t, set, config.Connection, "--scratch", "--only", "Ping")
	if status := under.status(); status != 0 {
		t.Errorf("a second run at the same time: status %d, %s", status, under.out.String())
	}
	left := scratchSchemas(t, conn)
	if len(left) != 1 {
		t.Errorf("the schemas are %v; that of the run under way should be there", left)
	}
	_ = killed.Process.Kill()
	killed.status()
	eventually(t, "the session ends", func() bool { return leftSessions(t, conn) == 0 })
	if names := scratchSchemas(t, conn); len(names) != 1 {
		t.Errorf("the schemas are %v; the killed run should have left one", names)
	}
	next := startCommand(t, set, config.Connection, "--scratch", "--only", "Ping")
	if status := next.status(); status != 0 {
		t.Errorf("status %d, %s", status, next.out.String())
	}
	if names := scratchSchemas(t, conn); len(names) > 0 {
		t.Errorf("%v are left after the next run", names)
	}
	sameContents(t, before, contents(t, config.Connection))
}
