package tracker_test

import (
	"context"
	"testing"
	"time"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

const gcCounted = `DELETE FROM peers WHERE created <= @created AND (SELECT run()) > 0`

func TestCollectionRunsAgainAndAgain(t *testing.T) {
	waiting := open(t, setup{more: queries{gcQuery: gcCounted}, settings: every(time.Hour, 1000)})
	waiting.service.Start()
	s := open(t, setup{more: queries{gcQuery: gcCounted}, settings: every(time.Millisecond, 1000)})
	s.service.Start()
	eventually(t, "the stale peers to go", func() bool { return s.peers() == 0 })
	s.exec(`INSERT INTO peers VALUES ('h', 'p', '10.0.0.1', 1, true, '2000-01-01'), ('h', 'p', '10.0.0.1', 2, true, now())`)
	eventually(t, "a later one to go", func() bool { return s.peers() == 1 })
	eventually(t, "it to be counted", func() bool { return s.level(deletedTotal) == 6 })
	if n := s.metric(durationsGauge).GetHistogram().GetSampleCount(); n < 2 {
		t.Errorf("the duration of %d collections was observed", n)
	}
	if n := waiting.runs(); n != 0 {
		t.Errorf("another service collected %d times before its first interval was over", n)
	}
}

func TestErrorsDoNotEndTheSchedule(t *testing.T) {
	s := open(t, setup{more: queries{gcQuery: `DELETE FROM peers WHERE created <= @created AND NOT (SELECT broken(3))`},
		settings: every(time.Millisecond, 1000)})
	s.service.Start()
	eventually(t, "the stale peers to go", func() bool { return s.peers() == 0 })
	if n := s.level(errorsTotal); n != 3 {
		t.Errorf("%v errors are counted, want 3", n)
	}
}

func TestCollectionInChunks(t *testing.T) {
	logged := `CREATE TABLE log (transaction bigint, rows bigint);
		CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO log SELECT txid_current(), count(*) FROM gone;
			RETURN NULL;
		END $$;
		CREATE TRIGGER log AFTER DELETE ON peers REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION log();`
	for name, c := range map[string]struct {
		text    string
		limit   int64
		chunks  int
		largest int
		deleted int64 // -1 is unknown
	}{
		"the last one is not full":     {gcChunks, 2, 3, 2, 5},
		"the last one is just full":    {gcChunks, 5, 2, 5, 5},
		"all fit into one":             {gcChunks, 100, 1, 5, 5},
		"the query knows no limit":     {`DELETE FROM peers WHERE created <= @created`, 2, 1, 5, 5},
		"the number is not told":       {`DO $$ BEGIN DELETE FROM peers WHERE created < now() - interval '1 hour'; END $$`, 2, 1, 5, -1},
		"the database's clock is used": {`DELETE FROM peers WHERE created <= now() - make_interval(secs => @lifetime::bigint)`, 2, 1, 5, 5},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, setup{more: queries{gcQuery: c.text}, settings: every(time.Hour, c.limit)})
			s.exec(logged)
			s.exec(`INSERT INTO peers VALUES ('h', 'p', '10.0.0.1', 99, true, now())`)
			response, err := s.service.RunGC(limited(t), &trackerv1.RunGCRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if got := response.GetDeleted(); (response.Deleted == nil) != (c.deleted < 0) || c.deleted >= 0 && got != c.deleted {
				t.Errorf("%v deleted, want %d", response, c.deleted)
			}
			chunks, largest := s.number("SELECT count(DISTINCT transaction) FROM log"), s.number("SELECT max(rows) FROM log")
			if chunks != c.chunks || largest != c.largest {
				t.Errorf("%d transactions of up to %d rows; want %d of %d", chunks, largest, c.chunks, c.largest)
			}
			if n := s.peers(); n != 1 {
				t.Errorf("%d peers are left; the one that is alive should be", n)
			}
		})
	}
}

func TestCloseEndsACollection(t *testing.T) {
	for name, text := range map[string]string{
		"in the middle of a statement": `DELETE FROM peers WHERE created <= @created AND (SELECT run()) > 0 AND (SELECT true FROM (SELECT pg_sleep(3600)) AS long)`,
		// It says that it deleted as many as it might, for ever.
		"between two chunks": `SELECT @limit::bigint + 0 * run() AS affected WHERE @created::timestamptz IS NOT NULL`,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, setup{more: queries{gcQuery: text}, settings: every(time.Millisecond, 2)})
			s.service.Start()
			eventually(t, "the collection to run", func() bool { return s.runs() > 0 })
			s.service.Close()
			s.service.Close()
			eventually(t, "the server to stop it", func() bool {
				return s.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '/* tracker.gc_query */%'") == 0
			})
			if n := s.peers(); n != 5 {
				t.Errorf("%d peers are left of 5", n)
			}
			if n := s.level(errorsTotal); n != 0 {
				t.Errorf("being closed is counted as %v errors", n)
			}
		})
	}
}

func TestCollectionWithoutQuery(t *testing.T) {
	s := open(t, setup{})
	s.service.Start()
	_, err := s.service.RunGC(limited(t), &trackerv1.RunGCRequest{})
	if got := fault.ReasonOf(err); got != fault.NotConfigured {
		t.Errorf("got %v", err)
	}
}

func TestCloseWithoutStart(t *testing.T) {
	s := open(t, setup{})
	s.service.Close()
	s.service.Close()
}

// The background work follows the settings of a reload: other intervals, queries that came or went.
func TestReload(t *testing.T) {
	s := open(t, setup{more: queries{}, settings: every(time.Hour, 1000)})
	s.service.Start()
	collecting := queries{gcQuery: gcCounted}
	s.reload(collecting, nil)
	if n := s.runs(); n != 0 {
		t.Errorf("%d collections before the first interval was over", n)
	}
	s.reload(collecting, every(time.Millisecond, 1000))
	eventually(t, "the new interval to hold", func() bool { return s.peers() == 0 })
	s.reload(queries{}, every(time.Millisecond, 1000))
	eventually(t, "the run that was under way to end", func() bool { // and not to be cut off, which the server may not notice in time
		_, periodic := s.pool.Stat()
		return periodic.AcquiredConns() == 0
	})
	s.service.Close()
	before := s.runs()
	s.service.Start()
	s.reload(queries{hashesQuery: countHashes}, every(time.Millisecond, 1000))
	s.exec("INSERT INTO peers VALUES ('h', 'p', '10.0.0.1', 1, true, '2000-01-01')")
	eventually(t, "the statistics to follow", func() bool { return s.level(seedersGauge) == 1 && s.level(hashesGauge) == 1 })
	if n := s.runs(); n != before {
		t.Errorf("%d collections by a query that is gone", n-before)
	}
	ctx, cancel := context.WithCancel(limited(t))
	cancel()
	s.reload(collecting, nil)
	if _, err := s.service.RunGC(ctx, nil); fault.ReasonOf(err) != fault.Canceled {
		t.Errorf("with a cancelled context: %v", err)
	}
}

// Reloads that come faster than the interval do not put the work off for ever.
func TestReloadsDoNotStarveTheSchedule(t *testing.T) {
	s := open(t, setup{more: queries{gcQuery: gcCounted}, settings: every(50*time.Millisecond, 1000)})
	s.service.Start()
	ctx := limited(t)
	for s.peers() != 0 {
		s.service.Reloaded()
		if ctx.Err() != nil {
			t.Fatal("no collection under reloads")
		}
	}
}

// A collection that is under way when the queries are replaced goes on with its own, chunk by chunk.
func TestCollectionFinishesOnItsOwnSet(t *testing.T) {
	held := func(mark string) queries {
		return queries{gcQuery: `WITH gone AS (DELETE FROM peers WHERE ctid = ANY (ARRAY(SELECT ctid FROM peers
			WHERE created <= @created LIMIT @limit::bigint)) RETURNING pg_advisory_xact_lock_shared(4711)),
			noted AS (INSERT INTO notes SELECT '` + mark + `' FROM gone) SELECT count(*) AS affected FROM gone`}
	}
	s := open(t, setup{more: queries{}, settings: every(time.Hour, 2)})
	s.exec("CREATE TABLE notes (mark text)")
	s.reload(held("old"), nil)
	s.number("SELECT 1 FROM pg_advisory_lock(4711)")
	ended := make(chan error, 1)
	go func() {
		_, err := s.service.RunGC(limited(t), &trackerv1.RunGCRequest{})
		ended <- err
	}()
	eventually(t, "the collection to wait for the test", func() bool {
		return s.number("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == 1
	})
	s.reload(held("new"), nil)
	s.number("SELECT pg_advisory_unlock(4711)::int")
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if old, all := s.number("SELECT count(*) FROM notes WHERE mark = 'old'"), s.number("SELECT count(*) FROM notes"); old != 5 || all != 5 {
		t.Errorf("%d of %d rows were deleted by the set that the collection began with, want 5 of 5", old, all)
	}
}
