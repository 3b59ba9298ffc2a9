package database_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/fault"
)

// setReadOnly is what a failover looks like to new connections.
const setReadOnly = `DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET default_transaction_read_only = %s', current_database()); END $$`

func TestReadOnlyServer(t *testing.T) {
	s := open(t, setup{options: database.Options{RetryFor: 50 * time.Millisecond},
		replaced: queries{getQuery: `SELECT pg_backend_pid()::text AS value`}, pool: "pool_max_conns=1"})
	s.behind.exec("SET default_transaction_read_only = off; " + fmt.Sprintf(setReadOnly, "on"))
	s.behind.terminateAll()

	var pids []string
	read := func() {
		t.Helper()
		get := s.get("pid")
		if err := s.run(limited(t), get); err != nil {
			t.Fatalf("a read: %v", err)
		}
		pids = append(pids, value(get))
	}
	read()
	for range 3 {
		expectFault(t, s.run(limited(t), s.add("k", "v")), fault.Unavailable, "25006", "read-only")
		read()
	}
	if s.seen.retried("25006") == 0 {
		t.Error("the write was not tried again")
	}
	if different := slices.Compact(slices.Sorted(slices.Values(pids))); len(different) != len(pids) {
		t.Errorf("a connection on which a write was refused is still used: backends %v", pids)
	}

	// The write is under way while the server becomes writable.
	patient := open(t, setup{dsn: s.dsn})
	result := later(func() error { return patient.run(limited(t), patient.add("k", "v")) })
	eventually(t, "the write to be refused", func() bool { return patient.seen.retried("25006") > 0 })
	s.behind.exec(fmt.Sprintf(setReadOnly, "off"))
	if err := await(t, "the write", result); err != nil {
		t.Error(err)
	}
}

// One refused write is enough to give up all connections to the old primary.
func TestReadOnlyServerLosesIdleConnections(t *testing.T) {
	const many = 4
	s := open(t, setup{options: database.Options{RetryFor: time.Millisecond},
		replaced: queries{getQuery: `SELECT ''::bytea AS value WHERE ` + gate}})
	s.behind.exec("SET default_transaction_read_only = off; " + fmt.Sprintf(setReadOnly, "on"))
	s.behind.terminateAll()
	release := s.behind.hold()
	reads := later(func() []error {
		return together(many, func(int) error { return s.run(limited(t), s.get("k")) })
	})
	eventually(t, "all reads to be under way", func() bool { return s.behind.at(getQuery) == many })
	release()
	if err := errors.Join(await(t, "the reads", reads)...); err != nil {
		t.Fatal(err)
	}
	old := s.behind.backends()
	if len(old) < many {
		t.Fatalf("there are %d connections; the test needs %d", len(old), many)
	}
	expectFault(t, s.run(limited(t), s.add("k", "v")), fault.Unavailable, "25006")
	eventually(t, "the old connections to end", func() bool {
		return !slices.ContainsFunc(s.behind.backends(), func(pid int) bool { return slices.Contains(old, pid) })
	})
}

func TestFailover(t *testing.T) {
	primary := newCluster(t, "local all all trust\nlocal replication all trust\n")
	testdb.Exec(t, primary.dsn(), tables)
	standby := primary.standby()

	both := fmt.Sprintf("host=%s,%s port=5432,5432 user=postgres dbname=postgres target_session_attrs=read-write connect_timeout=5",
		primary.folder, standby.folder)
	s := open(t, setup{dsn: primary.dsn(), connect: both})
	first := newBehind(t, standby.dsn())
	if err := s.run(limited(t), s.add("before", "v")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the standby to have it", func() bool { return first.number("SELECT count(*) FROM kv") == 1 })

	primary.stop()
	result := later(func() error { return s.run(limited(t), s.add("after", "v")) })
	eventually(t, "the write to find no primary", func() bool { return s.seen.retried("connection") > 0 })
	standby.promote()
	if err := await(t, "the write", result); err != nil {
		t.Fatal(err)
	}
	before, after := s.get("before"), s.get("after")
	if err := s.run(limited(t), before, after); err != nil || value(before) != "v" || value(after) != "v" {
		t.Errorf("after the failover: %q, %q, %v", value(before), value(after), err)
	}
	if n := first.number("SELECT count(*) FROM kv"); n != 2 {
		t.Errorf("the new primary has %d rows, want 2", n)
	}
}

// Without a choice of servers the connections lead to the standby; when it is promoted they are good
// again.
func TestStandbyIsPromotedUnderThePool(t *testing.T) {
	primary := newCluster(t, "local all all trust\nlocal replication all trust\n")
	testdb.Exec(t, primary.dsn(), tables)
	standby := primary.standby()
	s := open(t, setup{dsn: standby.dsn()})
	server := func() database.Server {
		conn, err := s.pool.Connect(limited(t))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
		about, err := conn.Server(limited(t))
		if err != nil {
			t.Fatal(err)
		}
		return about
	}
	if !server().ReadOnly {
		t.Error("the standby is not known to be read-only")
	}
	s.reads()
	result := later(func() error { return s.run(limited(t), s.add("k", "v")) })
	eventually(t, "the write to be refused", func() bool { return s.seen.retried("25006") > 0 })
	standby.promote()
	if err := await(t, "the write", result); err != nil {
		t.Fatal(err)
	}
	if server().ReadOnly {
		t.Error("the new primary passes for read-only")
	}
}
