package mortise_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"

	mortise "github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage"
)

// markedQueries is a query set all of whose parts can be told from those of a set with another mark: each
// query writes or answers it, and the setting of the peers' lifetime shows in what is counted. With the
// mark 2 downloads are counted in a second round trip.
const markedQueries = `connection_string: "DSN"
tracker:
  peer_lifetime: MARKh
  announce:
    query: |
      SELECT decode(repeat('70', 20), 'hex') AS peer_id, '10.0.0.9'::inet AS address, MARK000 AS port
      WHERE @info_hash::bytea IS NOT NULL AND @is_seeder::bool AND NOT @is_v6::bool AND @count::bigint > 0
  peer:
    add_max_rows: 0
    add_query: |
      INSERT INTO notes SELECT @info_hash, 'put', MARK FROM generate_series(1, MARK)
      WHERE (@peer_id::bytea, @address::inet, @port::int, @is_seeder::bool) IS NOT NULL
    del_query: |
      DELETE FROM notes WHERE info_hash = @info_hash AND step = 'never'
      AND (@peer_id::bytea, @address::inet, @port::int, @is_seeder::bool) IS NOT NULL
    graduate_query: |
      INSERT INTO notes SELECT @info_hash, 'promote', MARK WHERE (@peer_id::bytea, @address::inet, @port::int) IS NOT NULL
    count_query: |
      SELECT MARK AS seeders, round(extract(epoch FROM now() - @alive_since::timestamptz) / 3600)::bigint AS leechers
    by_info_hash_clause: |
      WHERE @info_hash::bytea IS NOT NULL
  downloads:
    count_on: COUNTON
    get_query: |
      SELECT MARK AS downloads WHERE @info_hash::bytea IS NOT NULL
    inc_query: |
      INSERT INTO notes VALUES (@info_hash, 'count', MARK)
  data:
    add_query: |
      INSERT INTO notes SELECT convert_to(@context, 'UTF8'), 'data', MARK WHERE @key::bytea IS NOT NULL AND @value::bytea IS NOT NULL
    get_query: |
      SELECT 'MARK'::bytea AS value WHERE @context::text IS NOT NULL AND @key::bytea IS NOT NULL
    del_query: |
      DELETE FROM notes WHERE info_hash = convert_to(@context, 'UTF8') AND step = 'never' AND @key::bytea[] IS NOT NULL
  gc_query: |
    DELETE FROM notes WHERE step = 'never' AND @created::timestamptz IS NOT NULL
`

const notesTable = "CREATE TABLE notes (info_hash bytea NOT NULL, step text NOT NULL, mark int NOT NULL)"

func marked(dsn string, mark int) string {
	return strings.NewReplacer("DSN", dsn, "MARK", fmt.Sprint(mark), "COUNTON", []string{"", "completed", "graduated"}[mark]).Replace(markedQueries)
}

// A crowd calls without pause, and checks that each call was answered by one set entirely.
type crowd struct {
	swarms trackerv1.SwarmsClient
	data   trackerv1.DataClient
	calls  atomic.Int64
	seen   [3]atomic.Int64 // by mark
}

var serial atomic.Int64

// newHash is an info hash that no other call has.
func newHash() []byte { return fmt.Appendf(nil, "h%019d", serial.Add(1)) }

func (c *crowd) all() []func(context.Context) error {
	return []func(context.Context) error{c.announce, c.graduate, c.putPeers, c.scrape, c.put, c.load}
}

// one checks that all marks of an answer are the same one.
func (c *crowd) one(marks ...int64) error {
	for _, mark := range marks {
		if mark != marks[0] || mark < 1 || mark > 2 {
			return fmt.Errorf("one call was answered by the sets %v", marks)
		}
	}
	c.seen[marks[0]].Add(1)
	c.calls.Add(1)
	return nil
}

var announcing = &trackerv1.Peer{PeerId: []byte(strings.Repeat("q", 20)), Address: []byte{10, 0, 0, 1}, Port: 6881}

func (c *crowd) announce(ctx context.Context) error {
	answer, err := c.swarms.Announce(ctx, &trackerv1.AnnounceRequest{InfoHashes: [][]byte{newHash()}, Peers: []*trackerv1.Peer{announcing},
		Action: trackerv1.Action_PUT_LEECHER, Want: 5, Families: []trackerv1.Family{trackerv1.Family_IPV4}, WantCounts: true})
	if err != nil {
		return err
	}
	if answer.GetWriteError() != nil || len(answer.GetPeers()) != 1 {
		return fmt.Errorf("Announce: %v", answer)
	}
	return c.one(answer.GetAffected(), answer.GetComplete(), answer.GetIncomplete(), answer.GetDownloaded(), int64(answer.GetPeers()[0].GetPort()/1000))
}

func (c *crowd) graduate(ctx context.Context) error {
	answer, err := c.swarms.Announce(ctx, &trackerv1.AnnounceRequest{InfoHashes: [][]byte{newHash()}, Peers: []*trackerv1.Peer{announcing},
		Action: trackerv1.Action_GRADUATE, WantCounts: true})
	if err != nil {
		return err
	}
	if answer.GetWriteError() != nil || answer.GetAffected() != 1 {
		return fmt.Errorf("Announce: %v", answer)
	}
	return c.one(answer.GetComplete(), answer.GetIncomplete(), answer.GetDownloaded())
}

func (c *crowd) putPeers(ctx context.Context) error {
	var changes []*trackerv1.PeerChange
	for range 3 {
		changes = append(changes, &trackerv1.PeerChange{InfoHash: newHash(), Peer: announcing, Kind: trackerv1.PeerChange_PUT})
	}
	answer, err := c.swarms.PutPeers(ctx, &trackerv1.PutPeersRequest{Changes: changes})
	if err != nil {
		return err
	}
	var marks []int64
	for _, result := range answer.GetResults() {
		if result.GetError() != nil {
			return fmt.Errorf("PutPeers: %v", result)
		}
		marks = append(marks, result.GetAffected())
	}
	return c.one(marks...)
}

func (c *crowd) scrape(ctx context.Context) error {
	answer, err := c.swarms.ScrapeSwarms(ctx, &trackerv1.ScrapeSwarmsRequest{InfoHashes: [][]byte{newHash(), newHash()}})
	if err != nil {
		return err
	}
	var marks []int64
	for _, swarm := range answer.GetSwarms() {
		marks = append(marks, swarm.GetSeeders(), swarm.GetLeechers(), swarm.GetSnatched())
	}
	return c.one(marks...)
}

func (c *crowd) put(ctx context.Context) error {
	var entries []*trackerv1.Entry
	for i := range 3 {
		entries = append(entries, &trackerv1.Entry{Key: []byte{byte(i)}, Value: []byte("v")})
	}
	_, err := c.data.Put(ctx, &trackerv1.PutRequest{Context: string(newHash()), Entries: entries})
	c.calls.Add(1)
	return err
}

func (c *crowd) load(ctx context.Context) error {
	answer, err := c.data.Load(ctx, &trackerv1.LoadRequest{Context: "c", Key: []byte("k")})
	if err != nil {
		return err
	}
	return c.one(int64(answer.GetValue()[0] - '0'))
}

// underReloads has a crowd call while sets are replaced, and looks at what was written in the end.
func underReloads(t *testing.T, conn grpc.ClientConnInterface, dsn string, calls int64, reloads int, reload func(mark int)) {
	t.Helper()
	c := &crowd{swarms: trackerv1.NewSwarmsClient(conn), data: trackerv1.NewDataClient(conn)}
	ctx, stop := context.WithCancel(limited(t))
	var workers sync.WaitGroup
	for i := range 8 {
		workers.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				call := c.all()[n%len(c.all())]
				if err := call(limitedBy(ctx)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	done := 0
	for ; (done < reloads || c.calls.Load() < calls) && !t.Failed(); done++ {
		reload(2 - done%2)
	}
	stop()
	workers.Wait()
	t.Logf("%d calls, %d reloads, answers by set: %d and %d", c.calls.Load(), done, c.seen[1].Load(), c.seen[2].Load())
	if c.seen[1].Load() == 0 || c.seen[2].Load() == 0 {
		t.Error("one of the sets answered no call")
	}
	if n := count(t, dsn, "SELECT count(*) FROM (SELECT FROM notes GROUP BY info_hash HAVING min(mark) <> max(mark)) AS mixed"); n != 0 {
		t.Errorf("%d calls wrote with two sets", n)
	}
	if n := count(t, dsn, `SELECT count(*) FROM (SELECT FROM notes GROUP BY info_hash
		HAVING count(*) FILTER (WHERE step = 'promote') <> count(*) FILTER (WHERE step = 'count')) AS miscounted`); n != 0 {
		t.Errorf("%d graduations did not count their download once", n)
	}
}

// limitedBy lets a call finish that is under way when the others are to stop.
func limitedBy(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

func TestOneSetPerCallInProcess(t *testing.T) {
	dsn := emptyDatabase(t)
	mustExec(t, dsn, notesTable)
	load := func(mark int) storage.Config {
		config, problems := mortise.Load(writeConfig(t, marked(dsn, mark)))
		if problems.Err() != nil {
			t.Fatal(problems)
		}
		return config.Storage
	}
	configs := []storage.Config{load(1), load(2)}
	s, err := storage.Open(limited(t), configs[0], storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if problems, err := s.Settled(limited(t)); errors.Join(err, problems.Err()) != nil {
		t.Fatal(problems, err)
	}
	underReloads(t, s.Conn(), dsn, 3000, 50, func(mark int) {
		if a := s.Reload(limited(t), storage.Update{Config: configs[mark-1]}); a.Outcome != storage.Applied {
			t.Errorf("%s: %v", a.Message, a.Problems)
		}
	})
}

func TestOneSetPerCallThroughThePlugin(t *testing.T) {
	dsn := emptyDatabase(t)
	mustExec(t, dsn, notesTable)
	path := writeConfig(t, marked(dsn, 1))
	h := mustConnect(t, mortise.ConnectOptions{Config: path, Logger: new(record).logger()})
	pid := h.PID()
	underReloads(t, h.Conn(), dsn, 3000, 50, func(mark int) {
		replaceFile(t, path, marked(dsn, mark))
		// The watcher may have been faster.
		if a, err := h.Reload(limited(t)); err != nil || !a.GetApplied() {
			t.Errorf("%v, %v", a, err)
		}
	})
	if h.PID() != pid {
		t.Error("the plugin was restarted")
	}
}
