package database_test

import (
	"context"
	"testing"
	"time"

	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// endless is a read that nobody waits for to its end.
const endless = `SELECT ''::bytea AS value FROM (SELECT pg_sleep(3600)) AS long`

// endlessAdd is such a write.
const endlessAdd = `SELECT 1 AS affected FROM (SELECT pg_sleep(3600)) AS long`

func TestShortestTimeLimitHolds(t *testing.T) {
	const short, long = 50 * time.Millisecond, time.Hour
	for name, c := range map[string]struct{ host, operation, general time.Duration }{
		"the host's deadline":     {host: short, operation: long, general: long},
		"the operation's timeout": {host: long, operation: short, general: long},
		"the general limit":       {host: long, operation: 0, general: short},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, setup{replaced: queries{getQuery: endless}, timeouts: map[string]time.Duration{getQuery: c.operation},
				options: database.Options{CallTimeout: c.general}})
			ctx, cancel := context.WithTimeout(context.Background(), c.host)
			defer cancel()
			expectFault(t, s.run(ctx, s.get("k")), fault.Timeout)
			eventually(t, "the server to stop the statement", func() bool { return s.behind.at(getQuery) == 0 })
			if s.seen.retried("") != 0 {
				t.Errorf("the call was sent again: %v", s.seen.causes)
			}
		})
	}
}

// In a flight of several operations the shortest limit holds for all, wherever it stands.
func TestShortestTimeLimitOfAFlight(t *testing.T) {
	s := open(t, setup{replaced: queries{getQuery: endless, addQuery: endlessAdd},
		timeouts: map[string]time.Duration{getQuery: 50 * time.Millisecond, addQuery: time.Hour}})
	for _, calls := range [][]*query.Call{{s.get("k"), s.add("k", "v")}, {s.add("k", "v"), s.get("k")}} {
		expectFault(t, s.run(limited(t), calls...), fault.Timeout)
	}
	flight := query.Calls(s.get("k")).Then(s.add("k", "v"))
	s.executor.Run(limited(t), flight)
	expectFault(t, flight.Err(), fault.Timeout)
}

// A limit of the operation's own replaces the general one, and periodic work has none. Both calls
// run for longer than another, which the general limit ends.
func TestGeneralLimitDoesNotHold(t *testing.T) {
	for name, c := range map[string]struct {
		key  string
		text string
		call func(*stand) *query.Call
	}{
		"for an operation with its own limit": {addQuery, `SELECT 1 AS affected WHERE ` + gate, func(s *stand) *query.Call { return s.add("k", "v") }},
		"for periodic work":                   {gcQuery, `DELETE FROM peers WHERE created <= @created AND ` + gate, (*stand).gc},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, setup{replaced: queries{getQuery: endless, c.key: c.text},
				timeouts: map[string]time.Duration{addQuery: patience}, options: database.Options{CallTimeout: 50 * time.Millisecond}})
			s.behind.exec("INSERT INTO peers SELECT '', '', '10.0.0.1', 1, true, '2000-01-01'")
			release := s.behind.hold()
			result := later(func() error { return s.run(limited(t), c.call(s)) })
			eventually(t, "the call to reach the database", func() bool { return s.behind.at(c.key) == 1 })
			expectFault(t, s.run(limited(t), s.get("k")), fault.Timeout)
			release()
			if err := await(t, "the call", result); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTimedOutWriteSaysThatItsOutcomeIsUnknown(t *testing.T) {
	s := open(t, setup{replaced: queries{getQuery: endless}})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	add, get := s.add("k", "v"), s.get("k")
	expectFault(t, s.run(ctx, add, get), fault.Timeout, "may or may not have taken effect")
	if add.Counted || add.Err == nil {
		t.Errorf("the write is reported as done: %d rows, error %v", add.Affected, add.Err)
	}
	if n := s.behind.number("SELECT count(*) FROM kv"); n != 0 {
		t.Errorf("%d rows of the group that timed out were kept", n)
	}
}

func TestCallerGivesUp(t *testing.T) {
	for key, call := range map[string]func(*stand) *query.Call{
		getQuery: func(s *stand) *query.Call { return s.get("k") },
		addQuery: func(s *stand) *query.Call { return s.add("k", "v") },
		gcQuery:  (*stand).gc,
	} {
		t.Run(key, func(t *testing.T) {
			s := open(t, setup{replaced: queries{getQuery: endless, addQuery: endlessAdd,
				gcQuery: `DELETE FROM peers WHERE created <= @created AND (SELECT pg_sleep(3600)) IS NULL`}})
			s.behind.exec("INSERT INTO peers SELECT '', '', '10.0.0.1', 1, true, '2000-01-01'")
			ctx, cancel := context.WithCancel(limited(t))
			defer cancel()
			result := later(func() error { return s.run(ctx, call(s)) })
			eventually(t, "the call to reach the database", func() bool { return s.behind.at(key) == 1 })
			cancel()
			expectFault(t, await(t, "the answer", result), fault.Canceled)
			eventually(t, "the server to stop the statement", func() bool { return s.behind.at(key) == 0 })
			if err := s.run(limited(t), s.downloads()); err != nil {
				t.Errorf("the pool does not work any more: %v", err)
			}
		})
	}
}

// The database's own limit, set by its administrator, is a timeout as well, and leaves the
// connection usable.
func TestStatementTimeoutOfTheServer(t *testing.T) {
	s := open(t, setup{replaced: queries{getQuery: endless}, scripts: []string{
		`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''50ms''', current_database()); END $$;`}})
	expectFault(t, s.run(limited(t), s.get("k")), fault.Timeout, "57014")
	if err := s.run(limited(t), s.add("k", "v")); err != nil {
		t.Error(err)
	}
}

// Time spent waiting for a connection counts.
func TestDeadlineWhileWaitingForAConnection(t *testing.T) {
	s := open(t, setup{pool: "pool_max_conns=1", replaced: queries{addQuery: `SELECT 1 AS affected WHERE ` + gate}})
	release := s.behind.hold()
	first := later(func() error { return s.run(limited(t), s.add("k", "v")) })
	eventually(t, "the call to reach the database", func() bool { return s.behind.at(addQuery) == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	expectFault(t, s.run(ctx, s.inc()), fault.Timeout, "nothing was changed")
	release()
	if err := await(t, "the first call", first); err != nil {
		t.Error(err)
	}
	if n := s.behind.number("SELECT count(*) FROM downloads"); n != 0 {
		t.Error("the call that came too late was run")
	}
	s.reads()
}
