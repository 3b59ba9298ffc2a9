package database_test

import (
	"testing"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// slowFirst makes the first attempt run until its backend is ended.
const slowFirst = `(CASE WHEN run() = 1 THEN (SELECT 1 FROM (SELECT pg_sleep(3600)) AS long) ELSE 1 END)`

func TestBackendEndsInTheMiddle(t *testing.T) {
	for name, c := range map[string]struct {
		key      string
		text     string
		call     func(*stand) *query.Call
		want     fault.Reason
		attempts int
	}{
		"an idempotent operation is sent again": {addQuery, `SELECT ` + slowFirst + ` AS affected`,
			func(s *stand) *query.Call { return s.add("k", "v") }, "", 2},
		"one that may not run twice is not": {incQuery, `SELECT ` + slowFirst + ` AS affected`,
			(*stand).inc, fault.UnknownOutcome, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, setup{replaced: queries{c.key: c.text}})
			call := c.call(s)
			result := later(func() error { return s.run(limited(t), call) })
			eventually(t, "the call to reach the database", func() bool { return s.behind.at(c.key) == 1 })
			s.behind.terminate(c.key)
			expectFault(t, await(t, "the answer", result), c.want)
			resent := c.attempts - 1
			if n := s.behind.runs(); n != c.attempts || call.Resent != (resent > 0) || s.seen.retried("connection") != resent {
				t.Errorf("%d attempts, resent %v, %d retries", n, call.Resent, s.seen.retried("connection"))
			}
			s.reads()
		})
	}
}

// rows waits until a table has that many.
func rows(s *stand, table string, n int) func() {
	return func() {
		eventually(s.t, "the rows of "+table, func() bool { return s.behind.number("SELECT count(*) FROM "+table) == n })
	}
}

func TestLostAnswer(t *testing.T) {
	put := func(s *stand) {
		s.behind.exec(`INSERT INTO peers VALUES (convert_to(repeat('h', 20), 'UTF8'), convert_to(repeat('p', 20), 'UTF8'), '10.0.0.1', 6881, true, now())`)
	}
	var wires wire
	s := open(t, setup{options: database.Options{Dial: wires.dial}})

	t.Run("absence on a repeated delete is success", func(t *testing.T) {
		put(s)
		s.reads() // a connection is there
		wires.loseAnswer(rows(s, "peers", 0))
		call := s.call(trackerv1.Swarms_DeletePeer_FullMethodName,
			&trackerv1.DeletePeerRequest{InfoHash: hash, Peer: somePeer(), IsSeeder: true})
		if err := s.run(limited(t), call); err != nil {
			t.Fatal(err)
		}
		if !call.Resent || call.Affected != 0 {
			t.Errorf("resent %v, %d rows; the second attempt should have found nothing", call.Resent, call.Affected)
		}
		if _, err := call.Answer(); err != nil {
			t.Errorf("the answer is %v", err)
		}
		again := s.call(trackerv1.Swarms_DeletePeer_FullMethodName,
			&trackerv1.DeletePeerRequest{InfoHash: hash, Peer: somePeer(), IsSeeder: true})
		if err := s.run(limited(t), again); err != nil {
			t.Fatal(err)
		}
		_, err := again.Answer()
		expectFault(t, err, fault.DoesNotExist)
	})
	t.Run("a write that may not run twice has an unknown outcome", func(t *testing.T) {
		s.reads()
		wires.loseAnswer(rows(s, "downloads", 1))
		expectFault(t, s.run(limited(t), s.inc()), fault.UnknownOutcome)
		if n := s.behind.number("SELECT downloads FROM downloads"); n != 1 {
			t.Errorf("the counter is %d, want 1", n)
		}
	})
	t.Run("so has one that shared the round trip with others", func(t *testing.T) {
		s.behind.exec("TRUNCATE downloads")
		s.reads()
		wires.loseAnswer(rows(s, "downloads", 1))
		get, inc := s.get("k"), s.inc()
		s.executor.Run(limited(t), query.Calls(get).Then(inc))
		if get.Err != nil || !get.Resent {
			t.Errorf("the read: resent %v, %v", get.Resent, get.Err)
		}
		expectFault(t, inc.Err, fault.UnknownOutcome)
		if n := s.behind.number("SELECT downloads FROM downloads"); n != 1 {
			t.Errorf("the counter is %d, want 1", n)
		}
	})
	t.Run("what was never sent is sent again", func(t *testing.T) {
		s.behind.exec("TRUNCATE downloads")
		s.reads()
		wires.question.Store(true)
		inc := s.inc()
		if err := s.run(limited(t), inc); err != nil {
			t.Fatal(err)
		}
		if n := s.behind.number("SELECT downloads FROM downloads"); n != 1 || inc.Resent {
			t.Errorf("the counter is %d, resent %v; want 1 and false", n, inc.Resent)
		}
	})
	s.works()
}

// Idle connections that the server ended are no reason for an error, not even for a call that must
// not run twice: nothing can be written to them.
func TestIdleConnectionsEnd(t *testing.T) {
	s := open(t, setup{})
	s.works()
	s.behind.terminateAll()
	inc := s.inc()
	if err := s.run(limited(t), inc); err != nil {
		t.Fatal(err)
	}
	if n := s.behind.number("SELECT downloads FROM downloads"); n != 1 {
		t.Errorf("the counter is %d, want 1", n)
	}
}

// A FATAL error in the middle of a pipeline: what was committed before it is reported and not sent
// again, and what came after it may not be run twice.
func TestFatalErrorInTheMiddleOfAFlight(t *testing.T) {
	s := open(t, setup{replaced: queries{
		addQuery: `INSERT INTO kv SELECT @context, @key, @value FROM (SELECT run()) AS counted`,
		getQuery: `SELECT (CASE WHEN nextval('arrivals') = 1 THEN pg_terminate_backend(pg_backend_pid())::text ELSE 'alive' END)::bytea AS value`}})
	before, fatal, after, reading := s.add("k", "v"), s.get("k"), s.inc(), s.downloads()
	s.executor.Run(limited(t), query.Calls(before).Then(fatal).Then(after).Then(reading))
	if before.Err != nil || before.Affected != 1 || before.Resent {
		t.Errorf("before: %d rows, resent %v, %v", before.Affected, before.Resent, before.Err)
	}
	if n := s.behind.runs(); n != 1 {
		t.Errorf("the write before was run %d times", n)
	}
	if fatal.Err != nil || value(fatal) != "alive" || !fatal.Resent {
		t.Errorf("the one that ended the backend: %q, resent %v, %v", value(fatal), fatal.Resent, fatal.Err)
	}
	expectFault(t, after.Err, fault.UnknownOutcome)
	if n := s.behind.number("SELECT count(*) FROM downloads"); n != 0 {
		t.Errorf("the call after it was run")
	}
	if reading.Err != nil {
		t.Errorf("the read at the end: %v", reading.Err)
	}
}

// A statement whose row bound needs a second round trip is in a transaction that ends with its
// connection, so nothing is unknown: even a call that must not run twice is sent again.
func TestLossBeforeTheCommitOfTwoSteps(t *testing.T) {
	s := open(t, setup{replaced: queries{incQuery: `WITH counted AS (
			INSERT INTO downloads SELECT @info_hash, ` + slowFirst + ` RETURNING downloads)
		UPDATE peers SET port = port WHERE info_hash = @info_hash AND EXISTS (SELECT FROM counted)`}})
	inc := s.inc()
	if !inc.Statement.Plan().TwoSteps {
		t.Fatal("the statement is sent in one step; the test needs another")
	}
	result := later(func() error { return s.run(limited(t), inc) })
	eventually(t, "the call to reach the database", func() bool { return s.behind.at(incQuery) == 1 })
	s.behind.terminate(incQuery)
	if err := await(t, "the answer", result); err != nil {
		t.Fatal(err)
	}
	if n := s.behind.number("SELECT sum(downloads) FROM downloads"); n != 1 || s.behind.runs() != 2 {
		t.Errorf("the counter is %d after %d attempts; want 1 after 2", n, s.behind.runs())
	}
}

// Once its COMMIT was sent, it is unknown.
func TestLossOfTheCommitOfTwoSteps(t *testing.T) {
	var wires wire
	s := open(t, setup{options: database.Options{Dial: wires.dial}, replaced: queries{incQuery: `WITH counted AS (
			INSERT INTO downloads VALUES (@info_hash, 1) RETURNING downloads)
		UPDATE peers SET port = port WHERE info_hash = @info_hash AND EXISTS (SELECT FROM counted)`}})
	wires.loseAnswerTo("COMMIT", rows(s, "downloads", 1))
	expectFault(t, s.run(limited(t), s.inc()), fault.UnknownOutcome)
	if n := s.behind.number("SELECT count(*) FROM downloads"); n != 1 || s.seen.retried("") != 0 {
		t.Errorf("%d rows, %d retries", n, s.seen.retried(""))
	}
	s.works()
}
