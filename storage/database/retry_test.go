package database_test

import (
	"context"
	"testing"
	"time"

	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

func TestDeadlockIsRetried(t *testing.T) {
	s := open(t, setup{scripts: []string{`
		CREATE TABLE counters (id text PRIMARY KEY, n int);
		INSERT INTO counters VALUES ('a', 0), ('b', 0);
		CREATE FUNCTION bump(first text, second text) RETURNS bigint LANGUAGE plpgsql AS $$
		BEGIN
			UPDATE counters SET n = n + 1 WHERE id = first;
			PERFORM meet(2);
			UPDATE counters SET n = n + 1 WHERE id = second;
			RETURN 1;
		END $$;
		DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''10ms''', current_database()); END $$;`},
		replaced: queries{addQuery: `SELECT bump(convert_from(@key, 'UTF8'), convert_from(@value, 'UTF8')) AS affected`}})
	ways := []*query.Call{s.add("a", "b"), s.add("b", "a")}
	for i, err := range together(2, func(i int) error { return s.run(limited(t), ways[i]) }) {
		if err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if n := s.seen.retried("40P01"); n == 0 {
		t.Error("no deadlock was retried")
	}
	if n := s.behind.number("SELECT count(*) FROM counters WHERE n = 2"); n != 2 {
		t.Errorf("%d counters were increased exactly twice; both should be", n)
	}
}

func TestSerializationFailureIsRetried(t *testing.T) {
	const callers = 2
	s := open(t, setup{scripts: []string{`
		CREATE TABLE numbers (n int);
		CREATE FUNCTION take() RETURNS bigint LANGUAGE plpgsql AS $$
		DECLARE next int;
		BEGIN
			SELECT coalesce(max(n), 0) + 1 INTO next FROM numbers;
			PERFORM meet(2);
			INSERT INTO numbers VALUES (next);
			RETURN 1;
		END $$;
		DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database()); END $$;`},
		replaced: queries{addQuery: `SELECT take() AS affected`}})
	for i, err := range together(callers, func(int) error { return s.run(limited(t), s.add("k", "v")) }) {
		if err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if n := s.seen.retried("40001"); n == 0 {
		t.Error("no serialization failure was retried")
	}
	if n := s.behind.number("SELECT count(DISTINCT n) FROM numbers"); n != callers {
		t.Errorf("%d different numbers were taken; each caller should have its own", n)
	}
}

func TestRetriesUsedUp(t *testing.T) {
	for _, code := range []string{"40001", "40P01"} {
		s := open(t, setup{replaced: queries{addQuery: `SELECT fail('` + code + `') AS affected`},
			options: database.Options{RetryFor: 50 * time.Millisecond}})
		err := s.run(limited(t), s.add("k", "v"))
		expectFault(t, err, fault.Conflict, code)
		attempts := s.behind.runs()
		if attempts < 2 || attempts != s.seen.retried(code)+1 {
			t.Errorf("%s: %d attempts, %d retries told", code, attempts, s.seen.retried(code))
		}
	}
}

func TestRetriesEndWithTheDeadline(t *testing.T) {
	s := open(t, setup{replaced: queries{addQuery: `SELECT fail('40001') AS affected`},
		options: database.Options{RetryFor: time.Hour}})
	ctx, cancel := context.WithTimeout(limited(t), 100*time.Millisecond)
	defer cancel()
	err := s.run(ctx, s.add("k", "v"))
	if reason := fault.ReasonOf(err); reason != fault.Conflict && reason != fault.Timeout {
		t.Errorf("got %v", err)
	}
	attempts := s.behind.runs()
	s.reads()
	if again := s.behind.runs(); attempts < 2 || again != attempts {
		t.Errorf("%d attempts within the deadline and %d after it; there should be some, and none", attempts, again-attempts)
	}
}

// A conflict that shows after long work is retried as well: the time for retries begins with the
// first failure.
func TestRetryAfterLongWork(t *testing.T) {
	const once = `(CASE WHEN run() = 1 THEN (SELECT fail('40001') FROM (SELECT pg_sleep(0.2)) AS long) ELSE 1 END)`
	s := open(t, setup{replaced: queries{addQuery: `SELECT ` + once + ` AS affected`}, options: database.Options{RetryFor: 100 * time.Millisecond}})
	if err := s.run(limited(t), s.add("k", "v")); err != nil {
		t.Error(err)
	}
	if s.seen.retried("40001") != 1 {
		t.Errorf("%d retries, want 1", s.seen.retried("40001"))
	}
}

func TestRacingInserts(t *testing.T) {
	s := open(t, setup{scripts: []string{`
		CREATE FUNCTION put(c text, k bytea, v bytea) RETURNS bigint LANGUAGE plpgsql AS $$
		BEGIN
			UPDATE kv SET value = v WHERE context = c AND name = k;
			IF NOT FOUND THEN
				PERFORM meet(2);
				INSERT INTO kv VALUES (c, k, v);
			END IF;
			RETURN 1;
		END $$;`}, replaced: queries{addQuery: `SELECT put(@context, @key, @value) AS affected`}})
	for i, err := range together(2, func(int) error { return s.run(limited(t), s.add("k", "v")) }) {
		if err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if n := s.seen.retried("23505"); n != 1 {
		t.Errorf("%d inserts were retried, want 1", n)
	}
}

func TestUniqueViolationsThatStay(t *testing.T) {
	for name, c := range map[string]struct {
		key      string
		call     func(*stand) *query.Call
		attempts int
	}{
		"an idempotent operation is tried twice":   {addQuery, func(s *stand) *query.Call { return s.add("k", "v") }, 2},
		"one that may not run twice is tried once": {incQuery, (*stand).inc, 1},
	} {
		s := open(t, setup{replaced: queries{c.key: `SELECT fail('23505') AS affected`}})
		expectFault(t, s.run(limited(t), c.call(s)), fault.Rejected, "23505")
		if n := s.behind.runs(); n != c.attempts {
			t.Errorf("%s: there were %d attempts", name, n)
		}
	}
}

// What was tried for one reason does not use up the remedy for another.
func TestRetriesForDifferentReasons(t *testing.T) {
	s := open(t, setup{replaced: queries{addQuery: `SELECT (CASE run() WHEN 1 THEN fail('40001') WHEN 3 THEN fail('23505') ELSE 1 END) AS affected`}})
	if err := s.run(limited(t), s.add("k", "v")); err != nil {
		t.Error(err)
	}
	if s.seen.retried("40001") != 1 || s.seen.retried("23505") != 1 {
		t.Errorf("retries: %v", s.seen.causes)
	}
}
