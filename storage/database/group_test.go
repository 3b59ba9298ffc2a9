package database_test

import (
	"testing"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query"
)

func TestGroupIsAtomic(t *testing.T) {
	const refused = `SELECT fail('22023') AS affected`
	for name, mode := range map[string]database.Mode{"prepared": database.Prepared, "unprepared": database.Unprepared} {
		t.Run(name, func(t *testing.T) {
			s := open(t, setup{replaced: queries{incQuery: refused}, options: database.Options{Mode: mode}})
			first, bad, after := s.add("first", "v"), s.inc(), s.add("after", "v")
			second, third := s.add("second", "v"), s.get("second")
			s.executor.Run(limited(t), query.Calls(first, bad, after).Then(second).Then(third))
			for _, call := range []*query.Call{first, bad, after} {
				expectFault(t, call.Err, fault.Rejected, incQuery)
				if call.Affected != 0 || call.Counted {
					t.Errorf("%s reports %d rows, which were rolled back", call.Statement.Operation.Key, call.Affected)
				}
			}
			if second.Err != nil || third.Err != nil || value(third) != "v" {
				t.Errorf("the groups behind the failed one: %v, %v, %q", second.Err, third.Err, value(third))
			}
			if n := s.behind.number("SELECT count(*) FROM kv WHERE name <> 'second'"); n != 0 {
				t.Errorf("%d rows of the failed group were kept", n)
			}
		})
	}
}

// An error at commit comes after all rows were reported.
func TestDeferredConstraint(t *testing.T) {
	deferred := `CREATE TABLE allowed (name bytea PRIMARY KEY);
		ALTER TABLE kv ADD FOREIGN KEY (name) REFERENCES allowed DEFERRABLE INITIALLY DEFERRED;`
	for name, mode := range map[string]database.Mode{"prepared": database.Prepared, "unprepared": database.Unprepared} {
		t.Run(name, func(t *testing.T) {
			s := open(t, setup{scripts: []string{deferred}, options: database.Options{Mode: mode}})
			inc, add, other := s.inc(), s.add("forbidden", "v"), s.downloads()
			s.executor.Run(limited(t), query.Calls(inc, add).Then(other))
			for _, call := range []*query.Call{inc, add} {
				expectFault(t, call.Err, fault.Rejected, "23503")
				if call.Affected != 0 || call.Counted {
					t.Errorf("%s reports %d rows, which were rolled back", call.Statement.Operation.Key, call.Affected)
				}
			}
			if other.Err != nil || other.Found() {
				t.Errorf("the read behind it: found %v, %v", other.Found(), other.Err)
			}
			if n := s.behind.number("SELECT (SELECT count(*) FROM kv) + (SELECT count(*) FROM downloads)"); n != 0 {
				t.Errorf("%d rows were kept", n)
			}
		})
	}
}

// The same where the group is committed in a further round trip.
func TestDeferredConstraintInTwoSteps(t *testing.T) {
	s := open(t, setup{scripts: []string{`CREATE TABLE allowed (name bytea PRIMARY KEY);
		ALTER TABLE kv ADD FOREIGN KEY (name) REFERENCES allowed DEFERRABLE INITIALLY DEFERRED;`},
		replaced: queries{addQuery: `WITH counted AS (INSERT INTO downloads VALUES (@value, 1))
			INSERT INTO kv VALUES (@context, @key, @value)`}})
	add := s.add("forbidden", "v")
	if !add.Statement.Plan().TwoSteps {
		t.Fatal("the statement is sent in one step; the test needs another")
	}
	expectFault(t, s.run(limited(t), add), fault.Rejected, "23503")
	if n := s.behind.number("SELECT (SELECT count(*) FROM kv) + (SELECT count(*) FROM downloads)"); n != 0 {
		t.Errorf("%d rows were kept", n)
	}
	s.reads()
}

// A value that the database's type cannot hold fails its own group before anything is sent; the
// driver would close the connection.
func TestValueThatCannotBeEncoded(t *testing.T) {
	s := open(t, setup{scripts: []string{`ALTER TABLE kv ALTER value TYPE uuid USING NULL`}, pool: "pool_max_conns=1",
		replaced: queries{getQuery: `SELECT pg_backend_pid()::text AS value`}})
	pid := s.get("pid")
	if err := s.run(limited(t), pid); err != nil {
		t.Fatal(err)
	}
	good, bad, again := s.add("good", "0123456789abcdef"), s.add("bad", "three"), s.get("pid")
	s.executor.Run(limited(t), query.Calls(s.inc(), bad).Then(good).Then(again))
	expectFault(t, bad.Err, fault.Rejected, "value does not fit")
	if good.Err != nil || again.Err != nil {
		t.Errorf("the other groups: %v, %v", good.Err, again.Err)
	}
	if value(again) != value(pid) {
		t.Errorf("the connection is another one: backend %s, then %s", value(pid), value(again))
	}
	if n := s.behind.number("SELECT count(*) FROM downloads"); n != 0 {
		t.Error("the group of the bad value was sent")
	}
}

// Groups of one flight that use the same new statement share its preparation, also when the first of
// them fails before it comes to it.
func TestNewStatementInSeveralGroups(t *testing.T) {
	const refused = `SELECT fail('22023') AS affected`
	for name, begin := range map[string]func(*stand) []*query.Call{
		"that succeed":       func(s *stand) []*query.Call { return []*query.Call{s.get("k")} },
		"of which one fails": func(s *stand) []*query.Call { return []*query.Call{s.inc(), s.get("k")} },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, setup{replaced: queries{incQuery: refused}})
			second, third := s.get("k"), s.get("k")
			s.executor.Run(limited(t), query.Calls(begin(s)...).Then(second, third).Then(s.add("k", "v")))
			if second.Err != nil || third.Err != nil {
				t.Errorf("%v, %v", second.Err, third.Err)
			}
			if s.seen.retried("") != 0 || s.pool.Mode() != database.Auto {
				t.Errorf("retries %v, mode %s", s.seen.causes, s.pool.Mode())
			}
			s.works()
		})
	}
}

// A statement that cannot be prepared any more fails with its own reason, and keeps no other from it.
func TestNewStatementThatCannotBePrepared(t *testing.T) {
	s := open(t, setup{})
	s.behind.exec("DROP TABLE kv")
	get, inc := s.get("k"), s.inc()
	s.executor.Run(limited(t), query.Calls(get).Then(inc))
	expectFault(t, get.Err, fault.Query, "42P01", "kv")
	if inc.Err != nil {
		t.Error(inc.Err)
	}
}

// A panic while an answer is read costs the call, and neither the connection nor its place.
func TestPanicWhileReading(t *testing.T) {
	s := open(t, setup{pool: "pool_max_conns=1", options: database.Options{Observer: panicky{}}})
	s.behind.exec(`INSERT INTO peers SELECT convert_to(repeat('h', 20), 'UTF8'), convert_to('short' || i, 'UTF8'), '10.0.0.1', i, true, now() FROM generate_series(1, 1000) AS i`)
	announce := s.call(trackerv1.Operations_Announce_FullMethodName, &trackerv1.AnnounceParameters{InfoHash: hash, IsSeeder: true, Count: 1000})
	panicked := func() (what any) {
		defer func() { what = recover() }()
		_ = s.run(limited(t), announce)
		return nil
	}()
	if panicked == nil {
		t.Fatal("there was no panic; the test needs one")
	}
	requests, _ := s.pool.Stat()
	if requests.AcquiredConns() != 0 {
		t.Errorf("%d connections are still in use", requests.AcquiredConns())
	}
	if err := s.run(limited(t), s.inc()); err != nil {
		t.Error(err)
	}
}

// panicky is an observer with a defect.
type panicky struct{}

func (panicky) BadRow(*operation.Operation, string, string) { panic("a defect") }
func (panicky) Clamped(*operation.Operation, string)        {}
func (panicky) RoundTrip(*operation.Operation)              {}
func (panicky) Done(*query.Call, float64)                   {}
func (panicky) Retried(*operation.Operation, string)        {}
