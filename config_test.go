package mortise_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	mortise "github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/problem"
)

// minimal is a complete data-only section, to which cases add what they are about.
const minimal = `connection_string: host=db.example dbname=site user=mortise
tracker:
  data:
    add_query: |
      INSERT INTO kv (context, name, value) VALUES (@context, @key, @value)
    del_query: |
      DELETE FROM kv WHERE context = @context AND name = ANY (@key)
    get_query: |
      SELECT value FROM kv WHERE context = @context AND name = @key
`

func load(t *testing.T, text string, files ...string) (*mortise.Config, problem.List) {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i+1 < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "queries.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config, problems := mortise.Load(path)
	for i := range problems {
		problems[i].File = filepath.Base(problems[i].File)
	}
	return config, problems
}

// TestLoadReportsProblems has one row for each thing that can be wrong with a file. The wanted lines
// are regular expressions for whole lines, in order; nothing else may be reported.
func TestLoadReportsProblems(t *testing.T) {
	t.Setenv("MORTISE_TEST_SECRET", "hunter2")
	cases := map[string]struct {
		text  string
		files []string
		want  []string
	}{
		"nothing wrong": {text: minimal},
		"unknown key in a group": {
			text: minimal + "    gett_query: SELECT 1\n",
			want: []string{`queries.yaml:10:5: error: tracker.data.gett_query: there is no key "gett_query" in tracker.data; did you mean get_query\?`},
		},
		"unknown section": {
			text: minimal + "trakcer:\n  x: 1\n",
			want: []string{`queries.yaml:10:1: error: trakcer: there is no key "trakcer"; did you mean tracker\?`},
		},
		"key at the wrong level": {
			text: minimal + "gc_interval: 3m\n",
			want: []string{`queries.yaml:10:1: error: gc_interval: .*belongs under tracker`},
		},
		"required queries are missing": {
			text: strings.Replace(minimal, "    get_query: |\n      SELECT value FROM kv WHERE context = @context AND name = @key\n", "", 1),
			want: []string{`queries.yaml:3:3: error: tracker.data.get_query: this query is required and missing; add it; its parameters are @context:text, @key:bytes`},
		},
		"no connection": {
			text: strings.TrimPrefix(minimal, "connection_string: host=db.example dbname=site user=mortise\n"),
			want: []string{`queries.yaml:1:1: error: connection_string: connection_string is missing; .*embedded`},
		},
		"durations": {
			text: minimal + "  gc_interval: 180\n  peer_lifetime: -5m\n  prometheus_reporting_interval: -1\n",
			want: []string{
				`queries.yaml:10:16: error: tracker.gc_interval: .*unit.*`,
				`queries.yaml:11:18: warning: tracker.peer_lifetime: .*30m is taken instead.*`,
				`queries.yaml:12:34: error: tracker.prometheus_reporting_interval: .*`,
			},
		},
		"a word that is not known": {
			text: minimal + "  downloads:\n    count_on: complete\n",
			want: []string{`queries.yaml:11:15: error: tracker.downloads.count_on: .*did you mean completed\?.*`},
		},
		"wrong types": {
			text: minimal + "  gc_limit: many\n  downloads: 5\nmax_waiting: 0\n",
			want: []string{
				`queries.yaml:10:13: error: tracker.gc_limit: .*`,
				`queries.yaml:11:14: error: tracker.downloads: .*`,
				`queries.yaml:12:14: error: max_waiting: .*`,
			},
		},
		"a query that YAML cut": {
			text: minimal + "  ping_query: SELECT doc #> '{a}' FROM site\n",
			want: []string{`queries.yaml:10:26: error: tracker.ping_query: .*key: \|.*`},
		},
		"a comment that swallows the rest of the query": {
			text: minimal + "  ping_query: >\n    SELECT 1 -- alive?\n    FROM site\n",
			want: []string{`queries.yaml:1[01]:\d+: error: tracker.ping_query: .*`},
		},
		"mistakes in queries, with the line and column in the file": {
			text: strings.NewReplacer("name = @key\n", "name = @kye\n", "ANY (@key)", "ANY (@key) AND x = $1").Replace(minimal),
			want: []string{
				`queries.yaml:7:\d+: error: tracker.data.del_query: .*`,
				`queries.yaml:9:64: error: tracker.data.get_query: .*@key.*`,
			},
		},
		"an unused parameter of the key": {
			text: strings.Replace(minimal, "WHERE context = @context AND name = @key", "WHERE name = @key", 1),
			want: []string{`queries.yaml:9:7: warning: tracker.data.get_query: .*context.*`},
		},
		"a query in a file": {
			text:  minimal + "  ping_query: !file ping.sql\n",
			files: []string{"ping.sql", "SELECT 1\nFROM site;\nSELECT 2\n"},
			want:  []string{`ping.sql:3:1: error: tracker.ping_query: .*`},
		},
		"a missing file": {
			text: minimal + "  ping_query: !file nowhere.sql\n",
			want: []string{`queries.yaml:10:15: error: tracker.ping_query: .*nowhere.sql.*`},
		},
		"a missing variable": {
			text: strings.Replace(minimal, "host=db.example", "host=${MORTISE_TEST_NOT_SET}", 1),
			want: []string{`queries.yaml:1:\d+: error: connection_string: .*MORTISE_TEST_NOT_SET.*`},
		},
		"a secret is never shown": {
			text: strings.Replace(minimal, "host=db.example", "host=${MORTISE_TEST_SECRET}=...", 1),
			want: []string{`queries.yaml:1:20: warning: connection_string: placeholder in connection_string; put in the database and the user`},
		},
		"a key given twice": {
			text: minimal + "connection_String: embedded\n",
			want: []string{`queries.yaml:10:1: error: connection_String: .*`},
		},
		"a clause without its query": {
			text: minimal + "  announce:\n    query: SELECT peer_id, address, port FROM p WHERE h = @info_hash AND s = @is_seeder LIMIT @count\n  peer:\n    by_info_hash_clause: WHERE h = @info_hash\n",
			want: []string{
				`queries.yaml:12:3: error: tracker.peer.add_query: this query is required.*`,
				`queries.yaml:12:3: error: tracker.peer.del_query: .*`,
				`queries.yaml:12:3: error: tracker.peer.graduate_query: .*`,
				`queries.yaml:12:3: error: tracker.peer.count_query: .*`,
				`queries.yaml:1[23]:\d+: error: tracker.peer.by_info_hash_clause: is appended to tracker.peer.count_query, which is not given.*`,
			},
		},
		"nothing to serve": {
			text: "connection_string: embedded\n",
			want: []string{`queries.yaml:1:1: error: there is no section.*tracker, media`},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, problems := load(t, c.text, c.files...)
			for i, p := range problems {
				if strings.Contains(p.String(), "hunter2") {
					t.Errorf("a value from the environment is shown: %s", p)
				}
				if i >= len(c.want) {
					t.Errorf("unexpected: %s", p)
					continue
				}
				if !regexp.MustCompile(`^(?:` + c.want[i] + `)$`).MatchString(p.String()) {
					t.Errorf("got  %s\nwant %s", p, c.want[i])
				}
			}
			for i := len(problems); i < len(c.want); i++ {
				t.Errorf("not reported: %s", c.want[i])
			}
		})
	}
}

// TestLoadTakesMoChisLayout loads the document that MoChi's users have, as it stands and with its
// groups in a section of their own.
func TestLoadTakesMoChisLayout(t *testing.T) {
	t.Setenv("MORTISE_DATABASE", "host=db.example dbname=site user=mochi")
	wrapped, err := os.ReadFile("schemas/mochi/queries.yaml")
	if err != nil {
		t.Fatal(err)
	}
	whole := "announce_interval: 30m\nfrontends:\n  - name: http\n    config:\n      secret: ${NOT_OURS}\n" + string(wrapped)
	_, content, _ := strings.Cut(string(wrapped), "config:\n")
	inSection := "tracker:\n" + content
	inline := strings.ReplaceAll("\n"+content, "\n        ", "\n")
	for name, text := range map[string]string{"wrapped": string(wrapped), "whole": whole, "section": inSection, "inline": inline} {
		t.Run(name, func(t *testing.T) {
			config, problems := load(t, text)
			if err := problems.Err(); err != nil {
				t.Fatal(err)
			}
			for _, p := range problems {
				if p.Severity == problem.Warning && p.Key != "tracker.peer.graduate_query" {
					t.Errorf("unexpected: %s", p)
				}
			}
			if got := config.Storage.Connection; got != "host=db.example dbname=site user=mochi" {
				t.Errorf("connection is %q", got)
			}
			if got := len(config.Storage.Sources.ByKey); got != 14 {
				t.Errorf("%d queries, want the 13 of MoChi's page and its clause", got)
			}
			settings := config.Storage.Settings["tracker"].(*trackerv1.Settings)
			if settings.GetGcInterval().AsDuration() != 3*time.Minute || settings.GetPeerLifetime().AsDuration() != 30*time.Minute ||
				settings.GetPrometheusReportingInterval().AsDuration() != time.Second {
				t.Errorf("settings are %v", settings)
			}
		})
	}
}

// TestLoadFillsTheConfig follows values from the file to where they are used.
func TestLoadFillsTheConfig(t *testing.T) {
	config, problems := load(t, minimal+`    get_timeout: 250ms
    add_max_rows: 3
  downloads:
    count_on: Graduated
  metrics_prefix: chihaya
statement_mode: unprepared
call_timeout: 1s
retry_for: 4s
max_waiting: 77
metrics:
  listen: 127.0.0.1:9464
log_level: warn
`)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	sources := config.Storage.Sources.ByKey
	if got := sources["tracker.data.get_query"].Timeout; got != 250*time.Millisecond {
		t.Errorf("timeout is %v", got)
	}
	if got := sources["tracker.data.add_query"].MaxRows; got == nil || *got != 3 {
		t.Errorf("max_rows is %v", got)
	}
	settings := config.Storage.Settings["tracker"].(*trackerv1.Settings)
	if settings.GetCountOn() != "graduated" || settings.GetMetricsPrefix() != "chihaya" || settings.GetGcLimit() != 10000 {
		t.Errorf("settings are %v", settings)
	}
	s := config.Storage
	if s.Mode.String() != "unprepared" || s.CallTimeout != time.Second || s.RetryFor != 4*time.Second || s.MaxWaiting != 77 {
		t.Errorf("general settings are %v %v %v %v", s.Mode, s.CallTimeout, s.RetryFor, s.MaxWaiting)
	}
	if config.MetricsListen != "127.0.0.1:9464" || config.LogLevel.String() != "WARN" {
		t.Errorf("metrics on %q, log level %v", config.MetricsListen, config.LogLevel)
	}
}

// TestExampleQueriesCallEveryOperation keeps the example complete: it is what operators copy.
func TestExampleQueriesCallEveryOperation(t *testing.T) {
	config, problems := mortise.Load("queries.example.yaml")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	files := trackerv1.File_mortise_tracker_v1_tracker_proto.Services()
	want := 0
	for i := range files.Len() {
		for j := range files.Get(i).Methods().Len() {
			if key := queryKey(files.Get(i).Methods().Get(j)); key != "" {
				want++
				if _, ok := config.Storage.Sources.ByKey[key]; !ok {
					t.Errorf("%s is missing", key)
				}
			}
		}
	}
	if want != 17 {
		t.Errorf("the contract declares %d operations; 15 and two clauses are expected", want)
	}
}

func TestConfigKnowsItsPlaces(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "mochi.yaml")
	writeFile(t, file, "announce_interval: 45m\nstorage:\n  name: pg\n  config:\n    connection_string: host=h dbname=d\n    target: postgres 15\n"+
		"    data:\n      add_query: INSERT INTO kv (c, k, v) VALUES (@context, @key, @value)\n      add_timeout: 2s\n      get_query: SELECT v FROM kv WHERE c = @context AND k = @key\n"+
		"      del_query: DELETE FROM kv WHERE c = @context AND k = ANY(@key)\n    gc_interval: 9m\n")
	config, problems := mortise.Load(file)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	if config.Target != "postgres 15" || config.AnnounceInterval != 45*time.Minute {
		t.Errorf("target %q, announce interval %s", config.Target, config.AnnounceInterval)
	}
	for key, line := range map[string]int{"target": 6, "connection_string": 5, "tracker.data.add_query": 8, "tracker.data.add_timeout": 9, "tracker.gc_interval": 12} {
		if !config.Given(key) || config.Place(key).Line != line {
			t.Errorf("%s: given %v, line %d; it stands in line %d", key, config.Given(key), config.Place(key).Line, line)
		}
	}
	if config.Given("tracker.peer_lifetime") || config.Given("tracker.gc_query") {
		t.Error("a key that is not in the file is given")
	}
	if at := config.Place("tracker.data.get_timeout"); at.Line != 7 {
		t.Errorf("a missing key of a group is placed in line %d", at.Line)
	}
}
