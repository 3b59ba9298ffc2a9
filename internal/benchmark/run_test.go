package benchmark

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/problem"
)

// brief are the options of a run that is as short as can be.
func brief(t *testing.T, sets ...QuerySet) Options {
	t.Helper()
	contract, err := storage.Contract()
	if err != nil {
		t.Fatal(err)
	}
	return Options{Sets: sets, Contract: contract, Place: ScratchDatabase, Size: 300, Seed: 1, Callers: 2, Duration: 24 * time.Millisecond,
		Warmup: time.Millisecond, Rounds: 8, Confidence: 0.99, Margin: 0.05, Checks: 8}
}

// querySet makes a database with a query set's schema. Replacements change its queries, in pairs.
func querySet(t *testing.T, name, folder string, replacements ...string) QuerySet {
	t.Helper()
	file, schema := filepath.Join(repository, "schemas", folder, "queries.yaml"), filepath.Join(repository, "schemas", folder, "schema.sql")
	if folder == "" {
		file, schema = repository+"queries.example.yaml", repository+"schema.sql"
	}
	script := read(t, schema)
	dsn := testdb.Database(t, script)
	if len(replacements) > 0 {
		text := read(t, file)
		for i := 0; i < len(replacements); i += 2 {
			if !strings.Contains(text, replacements[i]) {
				t.Fatalf("%s does not contain %q", file, replacements[i])
			}
		}
		file = filepath.Join(t.TempDir(), "queries.yaml")
		if err := os.WriteFile(file, []byte(strings.NewReplacer(replacements...).Replace(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("MORTISE_DATABASE", dsn)
	config, problems := mortise.Load(file)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return QuerySet{Name: name, Config: config, ConnString: dsn, Schema: script, Place: "a test's database"}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func run(t *testing.T, o Options) *Report {
	t.Helper()
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func (r *Report) find(t *testing.T, name string) *Result {
	t.Helper()
	for _, result := range r.Results {
		if result.Name() == name {
			return result
		}
	}
	t.Fatalf("there is no result of %s", name)
	return nil
}

func TestEveryCaseOfEverySetCanBeCalled(t *testing.T) {
	for _, folder := range []string{"", "mochi", "private-tracker", "functions"} {
		report := run(t, brief(t, querySet(t, "", folder)))
		for _, result := range report.Results {
			m := result.Sides[0]
			if m.Calls == 0 || m.Errors > 0 || m.P50 <= 0 || m.PerSecond <= 0 || m.P50 > m.P99 || m.P99 > m.Max || len(m.Rounds) != 8 {
				t.Errorf("%q %s: %+v", folder, result.Name(), *m)
			}
			if len(result.Wrong) > 0 {
				t.Errorf("%q %s: %+v", folder, result.Name(), result.Wrong)
			}
		}
		if len(report.Results) < 30 {
			t.Errorf("%q: only %d cases", folder, len(report.Results))
		}
		info := report.Sets[0]
		if info.QueriesHash == "" || info.SchemaHash == "" || info.Settings["shared_buffers"] == "" || !strings.Contains(info.Data["tracker"], "300 peers") {
			t.Errorf("%q: %+v", folder, info)
		}
	}
}

func TestThroughThePlugin(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := querySet(t, "", "mochi")
	s.Plugin = &Plugin{Program: program}
	o := brief(t, s)
	o.Only = regexp.MustCompile("Announce|tracker.ping|Contains|Stats")
	report := run(t, o)
	if report.Conditions.Way != ViaPlugin {
		t.Error(report.Conditions.Way)
	}
	if m := report.find(t, "Swarms.Announce, interval").Sides[0]; m.Errors > 0 || m.Calls == 0 {
		t.Errorf("%+v", *m)
	}
	for _, result := range report.Results {
		if result.Kind != "method" {
			t.Errorf("%s is measured through the plugin", result.Name())
		}
	}
	if !strings.Contains(strings.Join(report.Notes, "\n"), "operations by themselves only in-process") {
		t.Errorf("notes %q", report.Notes)
	}
}

func TestASlowerQueryIsFound(t *testing.T) {
	slow := querySet(t, "B", "mochi", "SELECT 1\n", "SELECT pg_sleep(0.02)\n")
	o := brief(t, querySet(t, "A", "mochi"), slow)
	o.Only = regexp.MustCompile("ping_query|downloads.get")
	o.Callers = 1
	report := run(t, o)
	ping := report.find(t, "tracker.ping_query")
	if ping.Ratio == nil || ping.Ratio.Verdict != Slower || ping.Ratio.Low <= 2 || ping.Ratio.Pairs != o.Rounds {
		t.Errorf("%+v", ping.Ratio)
	}
	if len(ping.Differences) > 0 {
		t.Errorf("a slow answer is another one: %+v", ping.Differences)
	}
	o.Sets = []QuerySet{slow, querySet(t, "A", "mochi")}
	o.Sets[0].Name, o.Sets[1].Name = "A", "B"
	if q := run(t, o).find(t, "tracker.ping_query").Ratio; q.Verdict != Faster || q.High >= 0.5 {
		t.Errorf("turned around %+v", q)
	}
}

func TestWrongAnswersAreFound(t *testing.T) {
	for name, tt := range map[string]struct {
		replace [2]string
		subject string
		wrong   bool
	}{
		"the other role":     {[2]string{"WHERE info_hash = $1 AND is_seeder = $2 AND", "WHERE info_hash = $1 AND is_seeder <> $2 AND"}, "tracker.announce.query", true},
		"any swarm":          {[2]string{"WHERE info_hash = $1 AND is_seeder", "WHERE info_hash >= $1 AND is_seeder"}, "tracker.announce.query", true},
		"fewer peers":        {[2]string{"LIMIT $4", "LIMIT least($4, 2)"}, "tracker.announce.query", false},
		"counts too much":    {[2]string{"COUNT(1) FILTER (WHERE is_seeder) AS", "1 + COUNT(1) FILTER (WHERE is_seeder) AS"}, "tracker.peer.by_info_hash_clause", false},
		"deletes nobody":     {[2]string{"AND port = @port AND is_seeder = @is_seeder", "AND port = @port AND is_seeder <> @is_seeder"}, "tracker.peer.del_query", false},
		"the value is mixed": {[2]string{"SELECT value\n", "SELECT value || 'x'\n"}, "tracker.data.get_query", false},
	} {
		o := brief(t, querySet(t, "A", "mochi"), querySet(t, "B", "mochi", tt.replace[0], tt.replace[1]))
		o.Only = regexp.MustCompile("^" + tt.subject + "$")
		report := run(t, o)
		result := report.find(t, tt.subject)
		if len(result.Differences) == 0 || report.Disagree() != 1 {
			t.Errorf("%s: %d calls, and no difference", name, result.Checked)
			continue
		}
		if d := result.Differences[0]; d.Call == "" || d.What == "" {
			t.Errorf("%s: %+v", name, d)
		}
		if tt.wrong != (len(result.Wrong) > 0) {
			t.Errorf("%s: wrong %+v", name, result.Wrong)
		}
		for _, d := range result.Wrong {
			if d.Set != "B" {
				t.Errorf("%s: %s is blamed", name, d.Set)
			}
		}
	}
}

func TestPlansAreCompared(t *testing.T) {
	b := querySet(t, "B", "mochi", "by_info_hash_clause: |\n                WHERE info_hash = @info_hash", "by_info_hash_clause: |\n                WHERE info_hash || '' = @info_hash")
	o := brief(t, querySet(t, "A", "mochi"), b)
	o.Size = 3000
	o.Only = regexp.MustCompile("by_info_hash|downloads.get")
	report := run(t, o)
	plan := strings.Join(report.find(t, "tracker.peer.by_info_hash_clause").Plan, "\n")
	if !strings.Contains(plan, "only A: ") || !strings.Contains(plan, "Index") || !strings.Contains(plan, "only B: ") || !strings.Contains(plan, "Seq Scan") {
		t.Errorf("plans differ by %q", plan)
	}
	if equal := report.find(t, "tracker.downloads.get_query"); len(equal.Plan) > 0 || len(equal.Differences) > 0 {
		t.Errorf("the same query has another plan: %q", equal.Plan)
	}
}

func TestOpenLoop(t *testing.T) {
	o := brief(t, querySet(t, "", "mochi", "SELECT 1\n", "SELECT pg_sleep(0.01)\n"))
	o.Only = regexp.MustCompile("tracker.ping_query")
	o.Rate, o.Callers, o.Rounds, o.Duration = 1000, 1, 1, 200*time.Millisecond
	m := run(t, o).find(t, "tracker.ping_query").Sides[0]
	// 200 calls are due and each takes at least 10 ms, so that at most 20 begin in time.
	if m.Calls+m.Missed != 200 || m.Calls > 20 {
		t.Errorf("%d calls, %d missed", m.Calls, m.Missed)
	}
	// The k-th was due after k ms and ends after at least 10 k ms: latencies count the waiting.
	if m.Max < 9*float64(m.Calls-1)*1000 {
		t.Errorf("the longest of %d calls took %s", m.Calls, Duration(m.Max))
	}
}

func TestOwnRowsStayAsTheyAre(t *testing.T) {
	s := querySet(t, "", "mochi")
	s.Place, s.Schema = "", ""
	testdb.Exec(t, s.ConnString, `INSERT INTO mo_peers SELECT '\x0102030405060708090a0b0c0d0e0f1011121314', decode(lpad(to_hex(n), 40, '0'), 'hex'), '192.0.2.1', n, true, false, now() FROM generate_series(1, 20) AS n`)
	contents := func() string {
		conn := testdb.Conn(t, s.ConnString)
		defer func() { _ = conn.Close(context.Background()) }()
		var text string
		if err := conn.QueryRow(t.Context(), `SELECT (SELECT md5(string_agg(p::text, ',' ORDER BY p::text)) FROM mo_peers AS p)
			|| (SELECT count(*) FROM mo_downloads) || (SELECT count(*) FROM mo_kv)`).Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	before := contents()
	o := brief(t, s)
	o.Place, o.Size = OwnRows, 0
	o.Keys = [][]byte{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}}
	report := run(t, o)
	if m := report.find(t, "tracker.announce.query").Sides[0]; m.Calls == 0 || m.Errors > 0 {
		t.Errorf("%+v", *m)
	}
	for _, result := range report.Results {
		if strings.Contains(result.Name(), "PutPeer") || strings.Contains(result.Subject, "gc") {
			t.Errorf("%s is measured", result.Name())
		}
	}
	if after := contents(); after != before {
		t.Error("reading changed the rows")
	}

	// Where it is allowed, writing leaves what was there, and takes away what it made.
	o.Place, o.Size, o.Keys = MayChange, 200, nil
	report = run(t, o)
	if m := report.find(t, "tracker.peer.add_query, new").Sides[0]; m.Calls == 0 || m.Errors > 0 {
		t.Errorf("%+v", *m)
	}
	for _, result := range report.Results {
		if strings.Contains(result.Name(), "RunGC") || strings.Contains(result.Subject, "gc_query") {
			t.Errorf("%s is measured", result.Name())
		}
	}
	if after := contents(); after != before {
		t.Error("writing left something")
	}
}

func TestQueriesThatDoNotFit(t *testing.T) {
	s := querySet(t, "", "mochi")
	s.ConnString = testdb.Database(t) // without the tables
	_, err := Run(t.Context(), brief(t, s))
	if list := problem.From(err); len(list) == 0 || !strings.Contains(list.Error(), "mo_peers") {
		t.Errorf("%v", err)
	}
}

func TestFailingCallsAreTold(t *testing.T) {
	o := brief(t, querySet(t, "", "mochi", "SELECT downloads\n", "SELECT downloads / (downloads - downloads)\n"))
	o.Only = regexp.MustCompile("downloads.get")
	report := run(t, o)
	m := report.find(t, "tracker.downloads.get_query").Sides[0]
	if m.Errors == 0 || !strings.Contains(m.Error, "22012") || report.Failing() != 1 {
		t.Errorf("%+v", *m)
	}
}

func TestARunCanBeEnded(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	o := brief(t, querySet(t, "", "mochi"))
	o.Duration = time.Hour
	o.Progress = func(label string, _ int64) Meter { return ender{label, cancel} }
	if _, err := Run(ctx, o); !errors.Is(err, errCanceled) {
		t.Errorf("%v", err)
	}
}

// ender ends a run when it begins to measure.
type ender struct {
	label string
	end   context.CancelCauseFunc
}

func (e ender) Add(int64, string) {
	if e.label == "measuring" {
		e.end(errCanceled)
	}
}
func (ender) End() {}
