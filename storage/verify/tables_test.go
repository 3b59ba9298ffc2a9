package verify_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
)

// A site is a tracker or an image server that is in use: its storage, and the peers that it has.
type site struct {
	swarms trackerv1.SwarmsClient
	data   trackerv1.DataClient
	puts   []*trackerv1.PutPeerRequest
}

// openSite opens a query set as a host does, and fills its tables with what other people have: peers, of
// which a third are stale, and pictures.
func openSite(t *testing.T, config storage.Config, swarms, peers int) *site {
	t.Helper()
	opened, err := storage.Open(t.Context(), config, storage.Options{Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	problems, err := opened.Settled(t.Context())
	if err != nil || problems.Err() != nil {
		t.Fatal(problems, err)
	}
	if config.Settings["media"] != nil {
		fillAlbum(t, opened.Conn())
	}
	if config.Settings["tracker"] == nil {
		return nil
	}
	s := &site{swarms: trackerv1.NewSwarmsClient(opened.Conn()), data: trackerv1.NewDataClient(opened.Conn())}
	for range swarms {
		hash := bytesOf(20)
		for i := range peers {
			age := time.Duration(i%3) * 40 * time.Minute
			address := bytesOf(4)
			if i%4 == 0 {
				address = append([]byte{0x20, 0x01}, bytesOf(14)...)
			}
			s.puts = append(s.puts, &trackerv1.PutPeerRequest{InfoHash: hash, IsSeeder: i%2 == 0, Created: timestamppb.New(time.Now().Add(-age)),
				Peer: &trackerv1.Peer{PeerId: bytesOf(20), Address: address, Port: uint32(1024 + i)}})
		}
	}
	for _, put := range s.puts {
		if _, err := s.swarms.PutPeer(t.Context(), put); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < len(s.puts); i += peers {
		request := &trackerv1.GraduateLeecherRequest{InfoHash: s.puts[i].InfoHash, Peer: s.puts[i+1].Peer}
		if _, err := s.swarms.GraduateLeecher(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		if _, err := s.data.Put(t.Context(), &trackerv1.PutRequest{Context: "site", Entries: []*trackerv1.Entry{{Key: s.puts[i].InfoHash, Value: bytesOf(8)}}}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func bytesOf(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// work goes on as the site's hosts do until stop is called: peers come back, come new, change roles and
// leave, values change, and stale peers are collected. stop returns how much was done.
func (s *site) work(t *testing.T) (stop func() int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var done atomic.Int64
	for worker := range 3 {
		all.Go(func() {
			for i := worker; ctx.Err() == nil; i++ {
				if err := s.step(ctx, i); err != nil && ctx.Err() == nil && status.Code(err) != codes.NotFound {
					t.Errorf("the site's own work: %v", err)
					return
				}
				done.Add(1)
			}
		})
	}
	return func() int64 {
		cancel()
		all.Wait()
		return done.Load()
	}
}

func (s *site) step(ctx context.Context, i int) error {
	put := s.puts[i*7919%len(s.puts)]
	var err error
	switch i % 8 {
	case 0:
		_, err = s.swarms.RunGC(ctx, &trackerv1.RunGCRequest{})
	case 1:
		_, err = s.swarms.DeletePeer(ctx, &trackerv1.DeletePeerRequest{InfoHash: put.InfoHash, Peer: put.Peer, IsSeeder: put.IsSeeder})
	case 2:
		_, err = s.swarms.GraduateLeecher(ctx, &trackerv1.GraduateLeecherRequest{InfoHash: put.InfoHash, Peer: put.Peer})
	case 3:
		_, err = s.data.Put(ctx, &trackerv1.PutRequest{Context: "site", Entries: []*trackerv1.Entry{{Key: put.InfoHash, Value: bytesOf(8)}}})
	case 4: // one that is stale, as when clocks differ
		old := &trackerv1.PutPeerRequest{InfoHash: put.InfoHash, Peer: put.Peer, Created: timestamppb.New(time.Now().Add(-time.Hour))}
		_, err = s.swarms.PutPeer(ctx, old)
	case 5:
		_, err = s.swarms.PutPeer(ctx, &trackerv1.PutPeerRequest{InfoHash: bytesOf(20), Peer: put.Peer})
	default:
		_, err = s.swarms.PutPeer(ctx, &trackerv1.PutPeerRequest{InfoHash: put.InfoHash, Peer: put.Peer, IsSeeder: put.IsSeeder})
	}
	return err
}

// contents are all rows of all tables of a database: a count and a checksum of each table. The values
// of sequences are not among them: numbers stay drawn, whatever becomes of the transaction.
func contents(t *testing.T, dsn string) map[string]string {
	t.Helper()
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(t.Context(), `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
		WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) == 0 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	found := map[string]string{}
	for _, table := range tables {
		var count int
		var sum string
		err := conn.QueryRow(t.Context(), "SELECT count(*), coalesce(md5(string_agg(r::text, E'\\n' ORDER BY r::text)), '') FROM "+table+" AS r").Scan(&count, &sum)
		if err != nil {
			t.Fatal(err)
		}
		found[table] = fmt.Sprintf("%d rows %s", count, sum)
	}
	return found
}

func sameContents(t *testing.T, before, after map[string]string) {
	t.Helper()
	if !maps.Equal(before, after) {
		t.Errorf("the tables changed:\n%v\n%v", before, after)
	}
}

// leftSessions counts sessions of verify runs, but for those that end just now, and the locks of such
// runs.
func leftSessions(t *testing.T, conn *pgx.Conn) (sessions int) {
	t.Helper()
	err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity AS a
		WHERE application_name = 'mortise verify' AND datname = current_database()`).Scan(&sessions)
	if err != nil {
		t.Fatal(err)
	}
	return sessions
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-deadline.C:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}
