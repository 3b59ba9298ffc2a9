package database_test

import (
	"context"
	"testing"
	"time"

	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

func TestOverloadIsRefused(t *testing.T) {
	const most = 3
	blocked := queries{addQuery: `SELECT 1 AS affected WHERE ` + gate,
		gcQuery: `DELETE FROM peers WHERE created <= @created AND ` + gate}
	request := func(s *stand) *query.Call { return s.add("k", "v") }
	for name, c := range map[string]struct {
		full, other       func(*stand) *query.Call
		fullKey, otherKey string
	}{
		"requests":      {full: request, fullKey: addQuery, other: (*stand).gc, otherKey: gcQuery},
		"periodic work": {full: (*stand).gc, fullKey: gcQuery, other: request, otherKey: addQuery},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, setup{replaced: blocked, options: database.Options{MaxWaiting: most}})
			s.behind.exec("INSERT INTO peers SELECT '', '', '10.0.0.1', 1, true, '2000-01-01'")
			release := s.behind.hold()
			var waiting []<-chan error
			begin := func(call *query.Call) {
				waiting = append(waiting, later(func() error { return s.run(limited(t), call) }))
			}
			for range most {
				begin(c.full(s))
			}
			eventually(t, "all calls to be under way", func() bool { return s.behind.at(c.fullKey) == most })
			further := c.full(s)
			expectFault(t, s.run(limited(t), further), fault.Overload)
			begin(c.other(s)) // the other half of the pool has room
			eventually(t, "the other kind of call to be under way", func() bool { return s.behind.at(c.otherKey) == 1 })
			release()
			for _, result := range waiting {
				if err := await(t, "a call that waits", result); err != nil {
					t.Error(err)
				}
			}
			if err := s.run(limited(t), c.full(s)); err != nil {
				t.Errorf("after the overload: %v", err)
			}
		})
	}
}

func TestClosedPool(t *testing.T) {
	s := open(t, setup{})
	s.works()
	s.pool.Close()
	s.pool.Close()
	expectFault(t, s.run(limited(t), s.get("k")), fault.Closed)
}

// A call that waits for a connection while the pool is closed is told so; those that have one finish.
func TestCloseWhileCallsWait(t *testing.T) {
	s := open(t, setup{pool: "pool_max_conns=1", replaced: queries{addQuery: `SELECT 1 AS affected WHERE ` + gate}})
	release := s.behind.hold()
	running := later(func() error { return s.run(limited(t), s.add("k", "v")) })
	eventually(t, "the call to reach the database", func() bool { return s.behind.at(addQuery) == 1 })
	waiting := later(func() error { return s.run(limited(t), s.get("k")) })
	closed := later(func() bool { s.pool.Close(); return true })
	eventually(t, "the pool to refuse calls", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		return fault.ReasonOf(s.run(ctx, s.get("k"))) == fault.Closed
	})
	release()
	if err := await(t, "the call under way", running); err != nil {
		t.Error(err)
	}
	expectFault(t, await(t, "the call that waits", waiting), fault.Closed)
	await(t, "Close", closed)
}
