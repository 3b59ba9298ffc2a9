package storage_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// trialOf opens a trial of the default query set on a database of its own, and returns its DSN, too.
func trialOf(t *testing.T, options storage.TrialOptions) (*storage.Trial, string) {
	t.Helper()
	config, problems := mortise.Load("../queries.example.yaml")
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	config.Storage.Connection = testdb.Database(t, mortise.Schema)
	trial, err := storage.OpenTrial(t.Context(), config.Storage, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(trial.Close)
	return trial, config.Storage.Connection
}

func trialPeer(n byte) *trackerv1.PutPeerRequest {
	return &trackerv1.PutPeerRequest{InfoHash: make([]byte, 20), IsSeeder: true, Created: timestamppb.New(time.Now()),
		Peer: &trackerv1.Peer{PeerId: append(make([]byte, 19), n), Address: []byte{10, 0, 0, n}, Port: 6881}}
}

func seeders(t *testing.T, trial *storage.Trial) int64 {
	t.Helper()
	response, err := trackerv1.NewSwarmsClient(trial.Conn()).ScrapeSwarm(t.Context(), &trackerv1.ScrapeSwarmRequest{InfoHash: make([]byte, 20)})
	if err != nil {
		t.Fatal(err)
	}
	return response.GetSeeders()
}

func rowsOf(t *testing.T, dsn, table string) (n int) {
	t.Helper()
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(context.Background()) }()
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTrialLeavesNothing(t *testing.T) {
	trial, dsn := trialOf(t, storage.TrialOptions{Transaction: database.TransactionOptions{Isolation: "REPEATABLE READ", Settings: map[string]string{"lock_timeout": "2s"}}})
	swarms := trackerv1.NewSwarmsClient(trial.Conn())
	for n := range byte(3) {
		if _, err := swarms.PutPeer(t.Context(), trialPeer(n)); err != nil {
			t.Fatal(err)
		}
	}
	if n := seeders(t, trial); n != 3 {
		t.Errorf("%d seeders inside the trial", n)
	}
	if n := rowsOf(t, dsn, "tracker_peers"); n != 0 {
		t.Errorf("%d rows can be seen outside", n)
	}
	number, err := trial.Identity(t.Context())
	if err != nil || number == "" {
		t.Fatalf("the transaction's number: %q, %v", number, err)
	}
	trial.Close()
	trial.Close()
	if n := rowsOf(t, dsn, "tracker_peers"); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(context.Background()) }()
	var status string
	if err := conn.QueryRow(t.Context(), "SELECT pg_xact_status($1::text::xid8)", number).Scan(&status); err != nil || status != "aborted" {
		t.Errorf("transaction %s: %q, %v", number, status, err)
	}
}

func TestTrialReturnsToMarks(t *testing.T) {
	trial, _ := trialOf(t, storage.TrialOptions{})
	swarms := trackerv1.NewSwarmsClient(trial.Conn())
	step := func(work func(context.Context) error) {
		t.Helper()
		if err := work(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	put := func(n byte) {
		t.Helper()
		if _, err := swarms.PutPeer(t.Context(), trialPeer(n)); err != nil {
			t.Fatal(err)
		}
	}
	put(1)
	step(trial.Mark)
	put(2)
	step(trial.Mark)
	put(3)
	for _, want := range []int64{3, 2, 1} {
		if n := seeders(t, trial); n != want {
			t.Errorf("%d seeders; expected %d", n, want)
		}
		if want > 1 {
			step(trial.Return)
		}
	}
}

// A call that the server refuses takes back its own effects only, and the trial goes on.
func TestTrialGoesOnAfterErrors(t *testing.T) {
	trial, _ := trialOf(t, storage.TrialOptions{})
	swarms, data := trackerv1.NewSwarmsClient(trial.Conn()), trackerv1.NewDataClient(trial.Conn())
	if _, err := swarms.PutPeer(t.Context(), trialPeer(1)); err != nil {
		t.Fatal(err)
	}
	huge := make([]byte, 9000) // beyond what an index row can hold, and not compressible
	for i := range huge {
		huge[i] = byte(i*i>>3 ^ i*7)
	}
	_, err := data.Put(t.Context(), &trackerv1.PutRequest{Context: "c", Entries: []*trackerv1.Entry{{Key: huge}}})
	if fault.ReasonOf(err) != fault.Rejected {
		t.Errorf("a key that is too long: %v", err)
	}
	if n := seeders(t, trial); n != 1 {
		t.Errorf("%d seeders after another call's error", n)
	}
}

// A call that takes too long ends, and the connection with all that was tried on it stays.
func TestTrialSurvivesTimeouts(t *testing.T) {
	trial, _ := trialOf(t, storage.TrialOptions{})
	swarms := trackerv1.NewSwarmsClient(trial.Conn())
	if _, err := swarms.PutPeer(t.Context(), trialPeer(1)); err != nil {
		t.Fatal(err)
	}
	slow := query.Source{SQL: "SELECT downloads FROM tracker_downloads, pg_sleep(30) WHERE info_hash = @info_hash UNION SELECT 1 FROM pg_sleep(30)", Timeout: 50 * time.Millisecond}
	for range 3 {
		if problems, err := trial.Replace(t.Context(), "tracker.downloads.get_query", &slow); err != nil || problems.Err() != nil {
			t.Fatal(problems, err)
		}
		_, err := swarms.ScrapeSwarm(t.Context(), &trackerv1.ScrapeSwarmRequest{InfoHash: make([]byte, 20)})
		if fault.ReasonOf(err) != fault.Timeout {
			t.Errorf("a slow query: %v", err)
		}
		trial.Restore()
		if n := seeders(t, trial); n != 1 {
			t.Errorf("%d seeders after the timeout", n)
		}
	}
}

func TestTrialReplacesQueries(t *testing.T) {
	trial, _ := trialOf(t, storage.TrialOptions{})
	swarms := trackerv1.NewSwarmsClient(trial.Conn())
	if _, err := swarms.PutPeer(t.Context(), trialPeer(1)); err != nil {
		t.Fatal(err)
	}
	replace := func(key string, source *query.Source) bool {
		t.Helper()
		problems, err := trial.Replace(t.Context(), key, source)
		if err != nil {
			t.Fatal(err)
		}
		return problems.Err() == nil
	}
	const count = "SELECT 7 AS seeders, %s AS leechers FROM tracker_peers WHERE info_hash IS NOT NULL"
	if !replace("tracker.peer.count_query", &query.Source{SQL: fmt.Sprintf(count, "0")}) {
		t.Error("a right query was refused")
	}
	if n := seeders(t, trial); n != 7 {
		t.Errorf("%d seeders by the changed query", n)
	}
	if replace("tracker.peer.count_query", &query.Source{SQL: fmt.Sprintf(count, "no_such_column")}) {
		t.Error("a query with an unknown column was taken")
	}
	if n := seeders(t, trial); n != 7 {
		t.Errorf("%d seeders after a refused change", n)
	}
	trial.Restore()
	if n := seeders(t, trial); n != 1 {
		t.Errorf("%d seeders by the restored query", n)
	}
	if replace("tracker.peer.add_query", nil) {
		t.Error("a required query was taken away")
	}
}

func TestTrialTellsItsCalls(t *testing.T) {
	trial, _ := trialOf(t, storage.TrialOptions{})
	var told []string
	trial.Observe(func(c *query.Call) {
		told = append(told, fmt.Sprint(c.Statement.Operation.Key, " ", c.Affected, " ", c.Err))
	})
	if _, err := trackerv1.NewSwarmsClient(trial.Conn()).PutPeer(t.Context(), trialPeer(1)); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || told[0] != "tracker.peer.add_query 1 <nil>" {
		t.Errorf("told %q", told)
	}
	err := trial.Use(t.Context(), func(conn *pgx.Conn) error {
		var n int
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM tracker_peers").Scan(&n); err != nil {
			return err
		}
		if n != 1 {
			t.Errorf("%d rows on the trial's connection", n)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
