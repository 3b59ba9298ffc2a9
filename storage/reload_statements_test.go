package storage_test

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	mortise "github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
)

// lookingFile has one connection, and a query that tells what is prepared on it and when. %s marks the
// text of another query.
const lookingFile = `connection_string: "%s pool_max_conns=1"
tracker:
  data:
    get_query: |
      SELECT convert_to(coalesce(string_agg(name || ' ' || extract(epoch FROM prepare_time), ',' ORDER BY name), ''), 'UTF8') AS value
      FROM pg_prepared_statements WHERE @context::text <> '' AND @key::bytea IS NOT NULL
    add_query: |
      INSERT INTO tracker_kv (context, name, value) SELECT @context, @key, @value WHERE '%s' <> ''
    del_query: |
      DELETE FROM tracker_kv WHERE context = @context AND name = ANY (@key) AND '%s' <> ''
`

// A looked is a storage over lookingFile.
type looked struct {
	t    *testing.T
	dsn  string
	s    *storage.Storage
	data trackerv1.DataClient
}

func openLooking(t *testing.T) *looked {
	t.Helper()
	l := &looked{t: t, dsn: testdb.Database(t, mortise.Schema)}
	config, problems := loadText(t, fmt.Sprintf(lookingFile, l.dsn, "first", "first"))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	var err error
	if l.s, err = storage.Open(ctx, config.Storage, storage.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.s.Close)
	if _, err := l.s.Settled(ctx); err != nil {
		t.Fatal(err)
	}
	l.data = trackerv1.NewDataClient(l.s.Conn())
	return l
}

func (l *looked) reload(mark string) {
	l.t.Helper()
	config, _ := loadText(l.t, fmt.Sprintf(lookingFile, l.dsn, mark, mark))
	if a := l.s.Reload(l.t.Context(), storage.Update{Config: config.Storage}); a.Outcome != storage.Applied {
		l.t.Fatal(a)
	}
}

// use runs all queries once, and returns what is prepared then, as names with their times.
func (l *looked) use() []string {
	l.t.Helper()
	key := []byte("k")
	if _, err := l.data.Put(l.t.Context(), &trackerv1.PutRequest{Context: "c", Entries: []*trackerv1.Entry{{Key: key, Value: key}}}); err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.data.Delete(l.t.Context(), &trackerv1.DeleteRequest{Context: "c", Key: [][]byte{key}}); err != nil {
		l.t.Fatal(err)
	}
	answer, err := l.data.Load(l.t.Context(), &trackerv1.LoadRequest{Context: "c", Key: key})
	if err != nil {
		l.t.Fatal(err)
	}
	all := strings.Split(string(answer.GetValue()), ",")
	sort.Strings(all)
	return all
}

// A reload keeps what connections have prepared for queries that did not change, and in the end frees the
// server's memory of all others, however many reloads there were.
func TestPreparedStatementsOfOldSets(t *testing.T) {
	l := openLooking(t)
	before := l.use()
	if len(before) != 3 {
		t.Fatalf("prepared are %v", before)
	}
	l.reload("first") // the same texts
	if after := l.use(); strings.Join(after, ",") != strings.Join(before, ",") {
		t.Errorf("a reload without a change had statements prepared again:\n%v\n%v", before, after)
	}
	for i := range 60 {
		l.reload(fmt.Sprint("number ", i))
		l.use()
	}
	after := l.use()
	if len(after) != 3 {
		t.Errorf("after 60 reloads %d statements are prepared: %v", len(after), after)
	}
	kept := 0
	for _, one := range after {
		for _, other := range before {
			if one == other {
				kept++
			}
		}
	}
	if kept != 1 {
		t.Errorf("%d statements were kept, want that one whose query never changed:\n%v\n%v", kept, before, after)
	}
}

// Tables are changed and the file is reloaded in turns, so that the connection has outdated forms of the
// very texts that are in use. No call may fail for that, or be answered by another query's columns.
func TestReloadBetweenChangesOfTheSchema(t *testing.T) {
	const file = `connection_string: "%s pool_max_conns=1"
tracker:
  data:
    get_query: |
      SELECT * FROM things WHERE @context::text <> '' AND @key::bytea IS NOT NULL
    add_query: |
      INSERT INTO tracker_kv (context, name, value) VALUES (@context, @key, @value)
    del_query: |
      DELETE FROM tracker_kv WHERE context = @context AND name = ANY (@key)
`
	dsn := testdb.Database(t, mortise.Schema, "CREATE TABLE things (value bytea); INSERT INTO things VALUES ('v')")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	config, problems := loadText(t, fmt.Sprintf(file, dsn))
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
	load := func(when string) {
		answer, err := data.Load(ctx, &trackerv1.LoadRequest{Context: "c", Key: []byte("k")})
		if err != nil || string(answer.GetValue()) != "v" {
			t.Fatalf("%s: %q, %v", when, answer.GetValue(), err)
		}
	}
	for i, change := range []string{
		"ALTER TABLE things ADD further int",
		"ALTER TABLE things ADD name varchar(10)",
		"ALTER TABLE things ALTER name TYPE varchar(20)",             // only the length differs
		`ALTER TABLE things ALTER name TYPE varchar(20) COLLATE "C"`, // nothing that a description tells
		`ALTER TABLE things ALTER name TYPE varchar(20) COLLATE "POSIX"`,
		"ALTER TABLE things DROP further",
		"ALTER TABLE things DROP name", // as it was in the beginning
		"ALTER TABLE things ALTER value TYPE text USING convert_from(value, 'UTF8')",
		"ALTER TABLE things ALTER value TYPE bytea USING convert_to(value, 'UTF8')",
	} {
		load("before " + change)
		testdb.Exec(t, dsn, change)
		if i%3 != 0 {
			load("at once after " + change)
		}
		if a := s.Reload(ctx, storage.Update{Config: config.Storage}); a.Outcome != storage.Applied {
			t.Fatalf("%s: %+v", change, a)
		}
		load("after " + change)
		load("later after " + change)
	}
}
