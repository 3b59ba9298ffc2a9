package storage_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mortise "github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/problem"
)

const reloadFile = `connection_string: ${MORTISE_DATABASE}
tracker:
  data:
    add_query: |
      INSERT INTO tracker_kv (context, name, value) VALUES (@context, @key, @value)
    del_query: |
      DELETE FROM tracker_kv WHERE context = @context AND name = ANY (@key)
    get_query: |
      SELECT 'old'::bytea AS value WHERE @context::text <> '' AND @key::bytea IS NOT NULL
`

func loadText(t *testing.T, text string) (*mortise.Config, problem.List) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return mortise.Load(path)
}

// TestReload changes a query under calls: each sees the old or the new one, none fails, and a file
// with a mistake of any sort changes nothing.
func TestReload(t *testing.T) {
	t.Setenv("MORTISE_DATABASE", testdb.Database(t, mortise.Schema))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	config, problems := loadText(t, reloadFile)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	s, err := storage.Open(ctx, config.Storage, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Settled(ctx); err != nil {
		t.Fatal(err)
	}
	data := trackerv1.NewDataClient(s.Conn())
	load := func() string {
		answer, err := data.Load(ctx, &trackerv1.LoadRequest{Context: "c", Key: []byte("k")})
		if err != nil {
			t.Error(err)
		}
		return string(answer.GetValue())
	}

	for name, text := range map[string]string{
		"a misspelt parameter":  strings.Replace(reloadFile, "@key)", "@kee)", 1),
		"a table that is not":   strings.Replace(reloadFile, "'old'::bytea AS value", "value FROM nowhere", 1),
		"another type":          strings.Replace(reloadFile, "'old'::bytea", "now()", 1),
		"another database":      strings.Replace(reloadFile, "${MORTISE_DATABASE}", "host=db.example", 1),
		"a general key":         reloadFile + "call_timeout: 9s\n",
		"another listener":      reloadFile + "listen_connection_string: host=db.example\n",
		"another metric prefix": reloadFile + "  metrics_prefix: chihaya\n",
	} {
		bad, _ := loadText(t, text)
		if a := s.Reload(ctx, storage.Update{Config: bad.Storage}); a.Outcome != storage.Rejected || a.Problems.Err() == nil ||
			a.InUse.Generation != 1 || a.Problems[0].Key == "" || a.Problems[0].Line == 0 {
			t.Errorf("%s: %+v", name, a)
		}
		if got := load(); got != "old" {
			t.Errorf("%s: the old query answers %q", name, got)
		}
	}

	var calls sync.WaitGroup
	var stop atomic.Bool
	for range 4 {
		calls.Go(func() {
			for !stop.Load() {
				if got := load(); got != "old" && got != "new" {
					t.Errorf("answer is %q", got)
					return
				}
			}
		})
	}
	for i := range 20 {
		text := reloadFile
		if i%2 == 1 {
			text = strings.Replace(reloadFile, "'old'", "'new'", 1)
		}
		good, _ := loadText(t, text)
		if a := s.Reload(ctx, storage.Update{Config: good.Storage}); a.Outcome != storage.Applied || a.InUse.Generation != int64(i)+2 {
			t.Errorf("%+v", a)
		}
	}
	stop.Store(true)
	calls.Wait()
	if got := load(); got != "new" {
		t.Errorf("after the reload the answer is %q", got)
	}
}

// TestMisfitIsRepaired shows that a storage whose queries did not fit serves as soon as the operator
// has repaired the file, or the tables.
func TestMisfitIsRepaired(t *testing.T) {
	for name, repair := range map[string]func(*testing.T, context.Context, *storage.Storage, string){
		"the file": func(t *testing.T, ctx context.Context, s *storage.Storage, _ string) {
			good, _ := loadText(t, reloadFile)
			if a := s.Reload(ctx, storage.Update{Config: good.Storage}); a.Outcome != storage.Applied {
				t.Fatal(a)
			}
		},
		"the tables": func(t *testing.T, _ context.Context, _ *storage.Storage, dsn string) {
			testdb.Exec(t, dsn, "CREATE TABLE nowhere (value bytea)")
		},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := testdb.Database(t, mortise.Schema)
			t.Setenv("MORTISE_DATABASE", dsn)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			config, _ := loadText(t, strings.Replace(reloadFile, "'old'::bytea AS value", "value FROM nowhere", 1))
			s, err := storage.Open(ctx, config.Storage, storage.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			problems, err := s.Settled(ctx)
			if err != nil || problems.Err() == nil {
				t.Fatalf("the queries fit: %v %v", problems, err)
			}
			if state, _ := s.Health(ctx); state != storage.Misconfigured {
				t.Errorf("state is %v", state)
			}
			repair(t, ctx, s, dsn)
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for state := storage.Misconfigured; state != storage.Serving; state, _ = s.Health(ctx) {
				select {
				case <-ctx.Done():
					t.Fatal("it does not serve after the repair")
				case <-tick.C:
				}
			}
		})
	}
}
