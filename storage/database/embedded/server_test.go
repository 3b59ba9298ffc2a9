//go:build unix && !aix && !solaris

package embedded

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestServer takes one server through its life. The steps build on each other.
func TestServer(t *testing.T) {
	dir := newFolder(t)
	log, recorded := logger()
	options := Options{DataDir: dir, Logger: log, Settings: map[string]string{"Work_Mem": "5MB"}}
	s := mustStart(t, options)

	t.Run("has its role and database", func(t *testing.T) { checkIdentity(t, s) })
	t.Run("is private", func(t *testing.T) { checkPrivate(t, s) })
	t.Run("runs with durable settings and those of the options", func(t *testing.T) {
		for name, want := range map[string]string{
			"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "work_mem": "5MB",
			"listen_addresses": "", "log_statement": "none", "log_min_error_statement": "panic",
			"shared_buffers": "128MB", "max_connections": "100",
		} {
			expect(t, s.ConnString(), "SELECT current_setting('"+name+"')", want)
		}
	})
	t.Run("refuses a second start", func(t *testing.T) {
		_, err := Start(limited(t), options)
		expectError(t, err, ErrInUse, fmt.Sprintf("pid %d", os.Getpid()), "serve --listen", "another data folder")
	})
	t.Run("is found by another program", func(t *testing.T) {
		if found, err := Beside(dir); err != nil || found != s.ConnString() {
			t.Errorf("found %q, %v; it is %q", found, err, s.ConnString())
		}
		_, err := Beside(newFolder(t))
		expectError(t, err, ErrNotRunning)
	})
	mustExec(t, s.ConnString(), "CREATE TABLE kept (n int PRIMARY KEY)")
	mustExec(t, s.ConnString(), "INSERT INTO kept VALUES (1)")
	t.Run("restarts on the same socket", func(t *testing.T) { checkRestart(t, s) })
	t.Run("recovers what was committed before a crash", func(t *testing.T) { checkCrash(t, s) })
	t.Run("stops though clients are connected", func(t *testing.T) { checkStop(t, s) })
	t.Run("is not found any more", func(t *testing.T) {
		_, err := Beside(dir)
		expectError(t, err, ErrNotRunning)
	})
	t.Run("keeps its data between runs", func(t *testing.T) {
		again := mustStart(t, options)
		expect(t, again.ConnString(), "SELECT string_agg(n::text, ',' ORDER BY n) FROM kept", "1,2")
	})
	if text := recorded.text(); text == "" {
		t.Error("the server's log was not forwarded")
	}
}

func checkIdentity(t *testing.T, s *Server) {
	for sql, want := range map[string]string{
		"SELECT current_user || ' ' || current_database()":                                         "mortise mortise",
		"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'mortise'":                "mortise",
		"SELECT rolsuper::text FROM pg_roles WHERE rolname = 'mortise'":                            "false",
		"SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()": "UTF8",
		"SELECT datcollate FROM pg_database WHERE datname = current_database()":                    "C",
	} {
		expect(t, s.ConnString(), sql, want)
	}
	expect(t, s.AdminConnString(), "SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user", "true")
	mustExec(t, s.ConnString(), "CREATE TABLE public.own (n int); DROP TABLE public.own")
}

// checkPrivate looks at what keeps others out: the socket, its folder, the cluster's folder, the
// rules of authentication, and the server's user.
func checkPrivate(t *testing.T, s *Server) {
	for _, path := range []string{s.layout.socket, s.layout.cluster, filepath.Join(s.layout.socket, socketName)} {
		if got := mode(t, path); got != "700" {
			t.Errorf("%s has mode %s, want 700", path, got)
		}
		owner, err := ownerOf(path)
		if err != nil {
			t.Fatal(err)
		}
		if owner.uid == 0 || owner.uid != s.account.uid {
			t.Errorf("%s belongs to %s, want %s", path, owner, s.account)
		}
	}
	rules := "SELECT string_agg(type || database[1] || user_name[1] || auth_method, ';') FROM pg_hba_file_rules"
	expect(t, s.AdminConnString(), rules, "localallalltrust")
	session, err := unix.Getsid(s.PID())
	if err != nil {
		t.Fatal(err)
	}
	if session != s.PID() {
		t.Errorf("the server is in session %d, want one of its own (%d), which Ctrl-C does not reach", session, s.PID())
	}
}

func checkRestart(t *testing.T, s *Server) {
	dsn, pid, done := s.ConnString(), s.PID(), s.Done()
	if err := s.Restart(limited(t)); err != nil {
		t.Fatal(err)
	}
	<-done
	if s.PID() == pid {
		t.Errorf("after the restart the server still has pid %d", pid)
	}
	if s.ConnString() != dsn {
		t.Errorf("the restart changed the connection string from %s to %s", dsn, s.ConnString())
	}
	expect(t, dsn, "SELECT count(*)::text FROM kept", "1")
}

// checkCrash crashes the server while one row is committed and another is not.
func checkCrash(t *testing.T, s *Server) {
	mustExec(t, s.ConnString(), "INSERT INTO kept VALUES (2)")
	open := mustConnect(t, s.ConnString())
	if _, err := open.Exec(limited(t), "BEGIN; INSERT INTO kept VALUES (3)"); err != nil {
		t.Fatal(err)
	}
	done := s.Done()
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	default:
		t.Error("Done is open after Kill")
	}
	if err := open.Ping(limited(t)); err == nil {
		t.Error("a session survived the crash")
	}
	if err := s.Restart(limited(t)); err != nil {
		t.Fatal(err)
	}
	expect(t, s.ConnString(), "SELECT string_agg(n::text, ',' ORDER BY n) FROM kept", "1,2")
}

func checkStop(t *testing.T, s *Server) {
	idle := mustConnect(t, s.ConnString())
	busy := mustConnect(t, s.ConnString())
	failed := make(chan error, 1)
	go func() {
		_, err := busy.Exec(context.Background(), "SELECT pg_sleep(600)")
		failed <- err
	}()
	eventually(t, "the long query runs", func() bool {
		return value(t, s.AdminConnString(), "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'") == "1"
	})
	pid := s.PID()
	mustStop(t, s)
	if err := <-failed; err == nil {
		t.Error("the long query ended well")
	}
	if err := idle.Ping(limited(t)); err == nil {
		t.Error("an idle session survived the stop")
	}
	if processExists(pid) {
		t.Errorf("process %d still exists", pid)
	}
	<-s.Done()
	mustStop(t, s) // a second time
	expectError(t, s.Restart(limited(t)), ErrStopped)
}

// TestStopInTime shows that a fast shutdown that would take longer than the context becomes an
// immediate one, is reported, and loses nothing.
func TestStopInTime(t *testing.T) {
	dir := readyFolder(t)
	s := mustStart(t, Options{DataDir: dir, Settings: unsynced()})
	mustExec(t, s.ConnString(), "CREATE TABLE kept AS SELECT 1 AS n")
	pid := s.PID()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Stop(ended); err != nil { // SIGINT may have been quick enough
		expectError(t, err, context.Canceled, "without a checkpoint", "recovers")
	}
	if processExists(pid) {
		t.Errorf("process %d still exists", pid)
	}
	again := mustStart(t, Options{DataDir: dir, Settings: unsynced()})
	expect(t, again.ConnString(), "SELECT n::text FROM kept", "1")
}

func TestBadSettings(t *testing.T) {
	dir := readyFolder(t)
	for name, tc := range map[string]struct {
		setting, value string
		want           []string
	}{
		"one that the package lives on":     {"Listen_Addresses", "*", []string{"Listen_Addresses", "cannot be changed"}},
		"no name":                           {"fsync=off -c x", "1", []string{"not the name"}},
		"one that the server does not have": {"no_such_setting", "secret", []string{"ended while starting", "no_such_setting"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Start(limited(t), Options{DataDir: dir, Settings: map[string]string{tc.setting: tc.value}})
			expectError(t, err, nil, tc.want...)
		})
	}
	mustStart(t, Options{DataDir: dir, Settings: unsynced()}) // the failures left nothing in the way
}
