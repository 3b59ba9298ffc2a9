package database_test

import (
	"fmt"
	"testing"

	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// reversed has the counter first, as SCALAR reads the first column.
const reversed = `CREATE TABLE counted (downloads int4, info_hash bytea PRIMARY KEY); INSERT INTO counted VALUES (7, convert_to(repeat('h', 20), 'UTF8'))`

// A schemaChange is made between two calls of downloads.get.
type schemaChange struct {
	text, change string
}

var schemaChanges = map[string]schemaChange{
	"a column is added":         {`SELECT * FROM counted WHERE info_hash = @info_hash`, `ALTER TABLE counted ADD note text`},
	"a column is dropped":       {`SELECT * FROM (SELECT * FROM counted) AS c WHERE info_hash = @info_hash`, `ALTER TABLE counted ADD note text; ALTER TABLE counted DROP note; ALTER TABLE counted ADD other int8`},
	"a result's type changes":   {`SELECT downloads FROM counted WHERE info_hash = @info_hash`, `ALTER TABLE counted ALTER downloads TYPE int8`},
	"a type of the same width":  {`SELECT downloads FROM counted WHERE info_hash = @info_hash`, `ALTER TABLE counted ALTER downloads TYPE float4; ALTER TABLE counted ALTER downloads TYPE numeric`},
	"a parameter's type":        {`SELECT downloads FROM counted WHERE info_hash = @info_hash`, `ALTER TABLE counted ALTER info_hash TYPE text USING convert_from(info_hash, 'UTF8')`},
	"both":                      {`SELECT downloads FROM counted WHERE info_hash = @info_hash`, `ALTER TABLE counted ALTER info_hash TYPE text USING convert_from(info_hash, 'UTF8'), ALTER downloads TYPE int2`},
	"a table is made anew":      {`SELECT downloads FROM counted WHERE info_hash = @info_hash`, `DROP TABLE counted; ` + reversed},
	"it has other columns then": {`SELECT * FROM counted WHERE info_hash = @info_hash`, `DROP TABLE counted; CREATE TABLE counted (downloads int8, extra int4, info_hash bytea); INSERT INTO counted VALUES (7, 1, convert_to(repeat('h', 20), 'UTF8'))`},
}

func TestSchemaChanges(t *testing.T) {
	for name, c := range schemaChanges {
		for way, with := range map[string]struct {
			mode  database.Mode
			fresh bool
		}{
			"on the old connection": {mode: database.Prepared},
			"on a new connection":   {mode: database.Prepared, fresh: true},
			"unprepared":            {mode: database.Unprepared},
		} {
			t.Run(name+" "+way, func(t *testing.T) {
				s := open(t, setup{scripts: []string{reversed}, replaced: queries{downQuery: c.text}, options: database.Options{Mode: with.mode}})
				before := s.downloads()
				if err := s.run(limited(t), before); err != nil || value(before) != "downloads:7" {
					t.Fatalf("before the change: %q, %v", value(before), err)
				}
				s.behind.exec(c.change)
				if with.fresh {
					s.behind.terminateAll()
				}
				for range 3 {
					after := s.downloads()
					if err := s.run(limited(t), after); err != nil || value(after) != "downloads:7" {
						t.Fatalf("after it: %q, %v", value(after), err)
					}
				}
				// The connection that was ended may cost an attempt of its own.
				if n := s.seen.retried("") - s.seen.retried("connection"); n > 1 {
					t.Errorf("%d further attempts: %v; want one at most", n, s.seen.causes)
				}
			})
		}
	}
}

// All connections hold the old statement; each call needs one further attempt at most, and once they
// had it nobody needs any.
func TestSchemaChangeUnderManyConnections(t *testing.T) {
	const many = 8
	s := open(t, setup{scripts: []string{reversed},
		replaced: queries{downQuery: fmt.Sprintf(`SELECT * FROM counted WHERE info_hash = @info_hash AND meet(%d)`, many)}})
	round := func(what string) {
		t.Helper()
		calls := make([]*query.Call, many)
		for i := range calls {
			calls[i] = s.downloads()
		}
		for i, err := range together(many, func(i int) error { return s.run(limited(t), calls[i]) }) {
			if err != nil || value(calls[i]) != "downloads:7" {
				t.Errorf("%s: %q, %v", what, value(calls[i]), err)
			}
		}
	}
	round("before the change")
	s.behind.exec(`ALTER TABLE counted ADD note text`)
	round("after it")
	if n := s.seen.retried("0A000"); n < 1 || n > many {
		t.Errorf("%d further attempts for %d calls", n, many)
	}
	if s.seen.retried("") != s.seen.retried("0A000") {
		t.Errorf("there were other retries: %v", s.seen.causes)
	}
	healed := s.seen.retried("")
	round("later")
	round("later still")
	if n := s.seen.retried("") - healed; n != 0 {
		t.Errorf("%d attempts were still lost later", n)
	}
}

// A write whose columns are found changed when its answer comes has taken effect. It is sent again
// only if something is read from them, and if that does no harm.
func TestSchemaChangeUnderAWrite(t *testing.T) {
	for name, mode := range map[string]database.Mode{"prepared": database.Prepared, "unprepared": database.Unprepared} {
		t.Run(name, func(t *testing.T) {
			s := open(t, setup{options: database.Options{Mode: mode}, replaced: queries{
				"tracker.data.del_query": `DELETE FROM kv WHERE context = @context AND name = ANY (@key) RETURNING *`,
				incQuery: `INSERT INTO downloads VALUES (@info_hash, 1)
					ON CONFLICT (info_hash) DO UPDATE SET downloads = downloads.downloads + 1 RETURNING downloads`}})
			if err := s.run(limited(t), s.add("k", "v"), s.inc(), s.del("none")); err != nil {
				t.Fatal(err)
			}
			s.behind.exec(`ALTER TABLE kv ALTER value TYPE text USING convert_from(value, 'UTF8'); ALTER TABLE downloads ALTER downloads TYPE int8`)
			s.behind.terminateAll()
			del, inc := s.del("k"), s.inc()
			s.executor.Run(limited(t), query.Calls(del).Then(inc))
			if del.Err != nil || !del.Resent {
				t.Errorf("the delete: resent %v, %v", del.Resent, del.Err)
			}
			if n := s.behind.number("SELECT count(*) FROM kv"); n != 0 {
				t.Errorf("%d rows are still there", n)
			}
			if n := s.behind.number("SELECT downloads FROM downloads"); inc.Err != nil || inc.Resent || n != 2 {
				t.Errorf("the counter is %d, resent %v, %v; want 2 after one attempt", n, inc.Resent, inc.Err)
			}
		})
	}
}

func TestSchemaThatDoesNotFitAnyMore(t *testing.T) {
	for name, c := range map[string]struct{ change, back string }{
		"a type that no number fits": {`ALTER TABLE counted ALTER downloads TYPE jsonb USING to_jsonb(downloads)`,
			`ALTER TABLE counted ALTER downloads TYPE int4 USING downloads::text::int4`},
		"the column is gone": {`ALTER TABLE counted RENAME downloads TO others`, `ALTER TABLE counted RENAME others TO downloads`},
		"the table is gone":  {`DROP TABLE counted`, reversed},
	} {
		for way, fresh := range map[string]bool{"on the old connection": false, "on a new connection": true} {
			t.Run(name+" "+way, func(t *testing.T) {
				s := open(t, setup{scripts: []string{reversed}, replaced: queries{downQuery: `SELECT downloads FROM counted WHERE info_hash = @info_hash`}})
				if err := s.run(limited(t), s.downloads()); err != nil {
					t.Fatal(err)
				}
				s.behind.exec(c.change)
				if fresh {
					s.behind.terminateAll()
				}
				for range 3 {
					err := s.run(limited(t), s.downloads())
					if reason := fault.ReasonOf(err); reason != fault.Query && reason != fault.BadResult {
						t.Errorf("got %v", err)
					}
				}
				s.works() // other operations are not concerned
				s.behind.exec(c.back)
				after := s.downloads()
				if err := s.run(limited(t), after); err != nil || value(after) != "downloads:7" {
					t.Errorf("after the change was undone: %q, %v", value(after), err)
				}
			})
		}
	}
}

// An error that only looks like a change of the schema is not tried again and again, and makes no
// new statements on the server.
func TestErrorThatOnlyLooksLikeAChange(t *testing.T) {
	s := open(t, setup{replaced: queries{addQuery: `SELECT fail('42883') AS affected`}, pool: "pool_max_conns=1"})
	plan := s.set.Statement(s.add("k", "v").Statement.Operation).Plan()
	for range 3 {
		expectFault(t, s.run(limited(t), s.add("k", "v")), fault.Query, "42883")
	}
	if n := s.behind.runs(); n != 3 {
		t.Errorf("%d attempts of 3 calls", n)
	}
	if s.set.Statement(s.add("k", "v").Statement.Operation).Plan() != plan {
		t.Error("the statement has a new plan, though nothing changed")
	}
}
