package mutation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/conformance"
	"github.com/mortise-storage/mortise/storage/query"
)

const (
	dataAdd = "tracker.data.add_query"
	dataGet = "tracker.data.get_query"
	dataDel = "tracker.data.del_query"
)

// A small query set, of key-value data only.
var small = map[string]string{
	dataAdd: "INSERT INTO kv (context, name, value) VALUES (@context, @key, @value) ON CONFLICT (context, name) DO UPDATE SET value = excluded.value",
	dataGet: "SELECT value FROM kv WHERE context = @context AND name = @key",
	dataDel: "DELETE FROM kv WHERE context = @context AND name = ANY (@key)",
}

const smallSchema = "CREATE TABLE kv (context text, name bytea, value bytea, PRIMARY KEY (context, name)); INSERT INTO kv VALUES ('mine', 'old', 'row')"

// A check is a case of the small suite.
type check struct {
	name string
	on   []string
	run  func(ctx context.Context, t conformance.T, data trackerv1.DataClient)
}

func put(ctx context.Context, t conformance.T, data trackerv1.DataClient, where, key, value string) {
	_, err := data.Put(ctx, &trackerv1.PutRequest{Context: where, Entries: []*trackerv1.Entry{{Key: []byte(key), Value: []byte(value)}}})
	if err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func holds(ctx context.Context, t conformance.T, data trackerv1.DataClient, where, key, value string) {
	got, err := data.Load(ctx, &trackerv1.LoadRequest{Context: where, Key: []byte(key)})
	if status.Code(err) == codes.NotFound && value == "" {
		return
	}
	if err != nil || string(got.Value) != value {
		t.Errorf("Load of %s gives %q, error %v; it should be %q", key, got.GetValue(), err, value)
	}
}

var smallSuite = []check{
	{"an entry replaces an older one", []string{dataAdd, dataGet}, func(ctx context.Context, t conformance.T, data trackerv1.DataClient) {
		put(ctx, t, data, "a", "k", "one")
		put(ctx, t, data, "a", "k", "two")
		holds(ctx, t, data, "a", "k", "two")
	}},
	{"keys and contexts are kept apart", []string{dataGet}, func(ctx context.Context, t conformance.T, data trackerv1.DataClient) {
		put(ctx, t, data, "a", "k", "one")
		put(ctx, t, data, "b", "k", "two")
		put(ctx, t, data, "a", "l", "three")
		holds(ctx, t, data, "a", "k", "one")
		holds(ctx, t, data, "b", "k", "two")
		holds(ctx, t, data, "a", "l", "three")
		holds(ctx, t, data, "b", "l", "")
	}},
	{"a deletion deletes what is listed", []string{dataDel}, func(ctx context.Context, t conformance.T, data trackerv1.DataClient) {
		for _, at := range []string{"ak", "al", "am", "bk"} {
			put(ctx, t, data, at[:1], at[1:], at)
		}
		if _, err := data.Delete(ctx, &trackerv1.DeleteRequest{Context: "a", Key: [][]byte{[]byte("k"), []byte("m")}}); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		for at, value := range map[string]string{"ak": "", "al": "al", "am": "", "bk": "bk"} {
			holds(ctx, t, data, at[:1], at[1:], value)
		}
	}},
	{"what is not there is not found", []string{dataGet}, func(ctx context.Context, t conformance.T, data trackerv1.DataClient) {
		holds(ctx, t, data, "a", "k", "")
	}},
}

// smallDomain is a domain with some of the small suite.
func smallDomain(checks ...check) []conformance.Domain {
	bind := func(conn grpc.ClientConnInterface, _ proto.Message, _ *conformance.Clock) (*conformance.Suite, error) {
		data := trackerv1.NewDataClient(conn)
		suite := &conformance.Suite{Answers: func(context.Context) error { return nil }}
		for _, c := range checks {
			suite.Cases = append(suite.Cases, conformance.Case[conformance.None]{Name: c.name, Operations: c.on, Says: c.name,
				Run: func(ctx context.Context, t conformance.T, _ conformance.None) { c.run(ctx, t, data) }})
		}
		return suite, nil
	}
	return []conformance.Domain{{Section: "tracker", Bind: bind}}
}

// options serve a query set on a database of its own.
func options(t *testing.T, queries map[string]string, domains []conformance.Domain) Options {
	t.Helper()
	config := storage.Config{Connection: testdb.Database(t, smallSchema), Sources: query.Sources{ByKey: map[string]query.Source{}},
		Settings: map[string]proto.Message{"tracker": &trackerv1.Settings{CountOn: "completed", MetricsPrefix: "test", GcLimit: 10}}}
	config.Sources.Settings = config.Settings
	for key, sql := range queries {
		config.Sources.ByKey[key] = query.Source{SQL: sql}
	}
	return Options{Config: config, Domains: domains, Operations: slices.Collect(maps.Keys(queries))}
}

func run(t *testing.T, o Options) Report {
	t.Helper()
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestAStrongSuiteKillsAll(t *testing.T) {
	o := options(t, small, smallDomain(smallSuite...))
	var told []int
	o.Progress = func(done, total int, _ Result) { told = append(told, total-done) }
	o.Workers = 3
	report := run(t, o)
	for _, m := range report.With(Survived) {
		t.Errorf("%s of %s survives: %s", m.Operator, m.Operation, m.SQL)
	}
	if report.Count(Killed) < 15 || !report.OK() || report.Cases != len(smallSuite) || len(report.Unfit) != 0 {
		t.Errorf("%s; unfit %v", report.Summary(), report.Unfit)
	}
	if len(told) != len(report.Results) || told[len(told)-1] != 0 || !slices.IsSortedFunc(told, func(a, b int) int { return b - a }) {
		t.Errorf("progress: %v mutants left", told)
	}
	conn := testdb.Conn(t, o.Config.Connection)
	defer func() { _ = conn.Close(context.Background()) }()
	var rows int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM kv").Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d rows afterwards, error %v; there should be the one of before", rows, err)
	}
}

func TestAWeakSuiteLetsSurvive(t *testing.T) {
	for _, c := range []struct {
		operation, operator string
		suite               []check
	}{
		{dataAdd, "do-nothing", smallSuite[1:]},
		{dataGet, "drop-predicate", []check{smallSuite[0], smallSuite[3]}},
	} {
		report := run(t, options(t, small, smallDomain(c.suite...)))
		if report.OK() || !slices.ContainsFunc(report.With(Survived), func(r Result) bool {
			return r.Operation == c.operation && r.Operator == c.operator && r.Tried > 0
		}) {
			t.Errorf("no mutant %s of %s survives: %s", c.operator, c.operation, report.Summary())
		}
	}
}

func TestQueriesThatNoCaseSends(t *testing.T) {
	report := run(t, options(t, small, smallDomain(smallSuite[1])))
	for _, r := range report.Results {
		if r.Operation == dataDel && (r.Outcome != Survived || r.Tried != 0 || !strings.Contains(r.Failure, "no case sends")) {
			t.Errorf("%s: %s after %d cases, %q", r.Operator, r.Outcome, r.Tried, r.Failure)
		}
	}
}

// A mutant that never ends costs its connection, and no other mutant anything.
func TestAMutantThatNeverEnds(t *testing.T) {
	queries := maps.Clone(small)
	queries[dataGet] = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3) " +
		"SELECT value FROM kv WHERE context = @context AND name = @key AND 3 = (SELECT count(*) FROM n)"
	o := options(t, queries, smallDomain(smallSuite...))
	o.Operations, o.CaseLimit = []string{dataGet}, time.Second
	report := run(t, o)
	endless := 0
	for _, r := range report.Results {
		if r.TimedOut {
			endless++
			if r.Outcome != Killed || r.KilledBy == "" {
				t.Errorf("%s: %s by %q", r.Operator, r.Outcome, r.KilledBy)
			}
		}
	}
	if endless == 0 || endless == len(report.Results) || report.Count(Killed) < len(report.Results)/2 {
		t.Errorf("%d of these never end: %s", endless, report.Summary())
	}
}

func TestInvalidMutants(t *testing.T) {
	queries := maps.Clone(small)
	queries[dataGet] = "SELECT value, 7 AS n FROM kv WHERE context = @context AND name = @key"
	report := run(t, options(t, queries, smallDomain(smallSuite...)))
	invalid := report.With(Invalid)
	if len(invalid) != 1 || invalid[0].Operator != "swap-columns" || invalid[0].Tried != 0 || !strings.Contains(invalid[0].Failure, "integer") {
		t.Errorf("the key of a value is an integer: %+v", invalid)
	}
	if report.Count(Survived) != 2 { // those of the number, which nobody reads
		t.Errorf("%s", report.Summary())
	}
}

// A case that fails on the queries as they are proves nothing about mutants.
func TestUnfitCases(t *testing.T) {
	wrong := check{"nothing is right", []string{dataGet}, func(ctx context.Context, t conformance.T, data trackerv1.DataClient) {
		holds(ctx, t, data, "a", "nowhere", "something")
	}}
	report := run(t, options(t, small, smallDomain(append(slices.Clone(smallSuite), wrong)...)))
	if !slices.Equal(report.Unfit, []string{wrong.name}) || report.Cases != len(smallSuite) {
		t.Errorf("unfit %v, %d cases", report.Unfit, report.Cases)
	}
	for _, r := range report.Results {
		if r.KilledBy == wrong.name {
			t.Errorf("%s is killed by it", r.Operator)
		}
	}
	if _, err := Run(t.Context(), options(t, small, smallDomain(wrong))); err == nil {
		t.Errorf("with no case that passes there is no error")
	}
}

// Mutants of a query that another one replaces are tried without that one. Here deletions are made as if
// they were only used where stale peers are not collected.
func TestShortcutsAreLeftOut(t *testing.T) {
	const collection = "tracker.gc_query"
	shortcuts := map[string][]string{collection: {dataDel}}
	domains := smallDomain(smallSuite...)
	plain := domains[0].Bind
	domains[0].Bind = func(conn grpc.ClientConnInterface, settings proto.Message, clock *conformance.Clock) (*conformance.Suite, error) {
		swarms := trackerv1.NewSwarmsClient(conn)
		suite, err := plain(conn, settings, clock)
		suite.Shortcuts = shortcuts
		run := suite.Cases[2].Run
		suite.Cases[2].Run = func(ctx context.Context, t conformance.T, s conformance.None) {
			if has, err := swarms.Capabilities(ctx, &trackerv1.CapabilitiesRequest{}); err != nil || slices.Contains(has.Queries, collection) {
				return
			}
			run(ctx, t, s)
		}
		return suite, err
	}
	queries := maps.Clone(small)
	queries[collection] = "DELETE FROM kv WHERE false AND @created::timestamptz IS NULL"
	o := options(t, queries, domains)
	o.Operations = []string{dataDel}
	if report := run(t, o); !report.OK() {
		t.Errorf("%s: %+v", report.Summary(), report.With(Survived))
	}
	delete(shortcuts, collection)
	if report := run(t, o); report.Count(Survived) != len(report.Results) {
		t.Errorf("nothing reaches the query, and yet: %s", report.Summary())
	}
}

func TestACancelledRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := options(t, small, smallDomain(smallSuite...))
	o.Progress = func(done, _ int, _ Result) {
		if done == 3 {
			cancel()
		}
	}
	report, err := Run(ctx, o)
	if err == nil || len(report.Results) < 3 || len(report.Results) > 4 {
		t.Errorf("error %v, %d results", err, len(report.Results))
	}
}

func TestReportsAreReadable(t *testing.T) {
	report := run(t, options(t, small, smallDomain(smallSuite[:2]...)))
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var read Report
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(read)
	if err != nil || !bytes.Equal(data, again) {
		t.Errorf("what is read back is not what was written: %v", err)
	}
	rows := report.Rows()
	if len(rows) != 3 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range append(rows, report.Header()) {
		if len(row) != len(report.Header()) {
			t.Errorf("a row of %d cells: %v", len(row), row)
		}
	}
	survivors := report.SurvivorRows()
	if len(survivors) != report.Count(Survived) || len(survivors) == 0 || len(survivors[0]) != len(report.SurvivorHeader()) {
		t.Errorf("%d rows of survivors", len(survivors))
	}
	if want := fmt.Sprintf("%d survived", report.Count(Survived)); !strings.Contains(report.Summary(), want) {
		t.Errorf("the summary lacks %q: %s", want, report.Summary())
	}
}
