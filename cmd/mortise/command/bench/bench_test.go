package bench

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"github.com/mortise-storage/mortise/internal/benchmark"
	"github.com/mortise-storage/mortise/internal/testdb"
)

func TestDefaultSet(t *testing.T) {
	dsn := testdb.Database(t)
	file := filepath.Join(t.TempDir(), "report.html")
	r := invoke(t, dsn, short("-c", root+"queries.example.yaml", "--html", file)...)
	r.expect(t, 0, "tracker.announce.mixed_query", "Swarms.Announce, interval", "Swarms.RunGC", "scratch database", "100 peers")
	if r.stderr != "" || strings.ContainsAny(r.stdout, "\r\x1b") {
		t.Errorf("piped, the command draws:\n%s", r.stderr)
	}
	page, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(page), "<svg") || !strings.HasSuffix(string(page), "</html>\n") {
		t.Errorf("the page has %d bytes, error %v", len(page), err)
	}
	nothingLeft(t, dsn)
}

func TestJSON(t *testing.T) {
	dsn := testdb.Database(t)
	r := invoke(t, dsn, short("-c", root+"schemas/private-tracker/queries.yaml", "--scratch", "schema", "--operations", "ping|Announce", "--json", "-")...)
	r.expect(t, 0)
	var report benchmark.Report
	decoder := json.NewDecoder(strings.NewReader(r.stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&report); err != nil {
		t.Fatal(err)
	}
	if len(report.Results) < 5 || report.Results[0].Sides[0].Calls == 0 || report.Conditions.Callers != 2 || !strings.Contains(report.Sets[0].Place, "scratch schema") {
		t.Errorf("%+v", report)
	}
	nothingLeft(t, dsn)
}

func TestComparison(t *testing.T) {
	dsn := testdb.Database(t)
	slow := query(t, "SELECT 1\n", "SELECT pg_sleep(0.02)\n")
	invoke(t, dsn, short("--a", mochi, "--b", slow, "--schema", mochiSchema, "--operations", "^tracker.ping")...).
		expect(t, 0, "slower", "equal", "B: "+slow)
	wrong := query(t, "SELECT downloads\n", "SELECT downloads + 1\n")
	invoke(t, dsn, short("--a", mochi, "--b", wrong, "--schema-b", mochiSchema, "--operations", "downloads.get")...).
		expect(t, 1, "answers differ:", "call:", "info_hash=0x")
	nothingLeft(t, dsn)
}

func TestFailuresLeaveNothing(t *testing.T) {
	dsn := testdb.Database(t)
	output := filepath.Join(t.TempDir(), "report.json")
	for name, tt := range map[string]struct {
		arguments []string
		says      string
	}{
		"a schema of other tables":  {[]string{"-c", mochi, "--schema", root + "schema.sql"}, "mo_peers"},
		"a query that cannot store": {[]string{"-c", query(t, "VALUES (@info_hash, @peer_id", "VALUES (@info_hash, substr(@peer_id::bytea, 1/0)"), "--schema", mochiSchema}, "22012"},
		"schemas of its own":        {[]string{"-c", root + "schemas/functions/queries.yaml", "--scratch", "schema"}, "--scratch database"},
	} {
		r := invoke(t, dsn, short(append(tt.arguments, "--json", output)...)...)
		if r.status != 1 || !strings.Contains(r.stdout+r.stderr, tt.says) {
			t.Errorf("%s: status %d\n%s%s", name, r.status, r.stdout, r.stderr)
		}
		if _, err := os.Stat(output); err == nil {
			t.Errorf("%s: an empty report is left", name)
		}
		nothingLeft(t, dsn)
	}
}

// TestSignal ends a real process while it measures.
func TestSignal(t *testing.T) {
	dsn := testdb.Database(t)
	master, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = master.Close() }()
	if err := pty.Setsize(terminal, &pty.Winsize{Rows: 24, Cols: 100}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "bench", "-c", mochi, "--size", "100", "--duration", "1h", "--rounds", "1000000")
	cmd.Env = append(os.Environ(), "MORTISE_DATABASE="+dsn, "TERM=xterm")
	cmd.Stderr = terminal // so that progress is drawn
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = terminal.Close()
	drawn := ""
	for buffer := make([]byte, 4096); !strings.Contains(drawn, "measuring"); {
		n, err := master.Read(buffer)
		if err != nil {
			t.Fatalf("%v after %q", err, drawn)
		}
		drawn += string(buffer[:n])
	}
	if scratches(t, dsn) != 1 {
		t.Error("there is no scratch while measuring")
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for buffer := make([]byte, 4096); ; {
		n, err := master.Read(buffer)
		if err != nil {
			break // the terminal is closed when the process has ended
		}
		drawn += string(buffer[:n])
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("ended with %v", err)
	}
	if !strings.Contains(drawn, "filling") || !strings.Contains(drawn, "ended before it was done") {
		t.Errorf("drawn %q", drawn)
	}
	nothingLeft(t, dsn)
}

func TestForeignRowsAreRefused(t *testing.T) {
	schema, err := os.ReadFile(mochiSchema)
	if err != nil {
		t.Fatal(err)
	}
	dsn := testdb.Database(t, string(schema))
	own := short("-c", mochi, "--scratch", "none", "--operations", "ping|peer.add")
	// Empty tables are filled, and emptied again.
	invoke(t, dsn, own...).expect(t, 0, "the operator's own tables", "removed again")
	invoke(t, dsn, append(own, "--operations", "peer|downloads|Announce")...).expect(t, 0, "tracker.downloads.get_query", "nothing removes")
	invoke(t, dsn, own...).expect(t, 0) // nothing is left
	testdb.Exec(t, dsn, `INSERT INTO mo_kv VALUES ('mine', 'x', 'y')`)
	invoke(t, dsn, own...).expect(t, 1, "public.mo_kv", "--database-may-be-changed")
	invoke(t, dsn, append(own, "--database-may-be-changed")...).expect(t, 0, "tracker.peer.add_query, new")
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte("\\x0102030405060708090a0b0c0d0e0f1011121314\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := invoke(t, dsn, short("-c", mochi, "--fill", "none", "--keys", keys)...)
	r.expect(t, 0, "tracker.announce.query", "only what reads is measured")
	if strings.Contains(r.stdout, "peer.add") {
		t.Errorf("without leave something is written:\n%s", r.stdout)
	}
}

func TestLeftovers(t *testing.T) {
	dsn := testdb.Database(t, "CREATE SCHEMA mortise_bench_260101_000000_killed")
	invoke(t, dsn, short("-c", mochi, "--operations", "tracker.ping")...).expect(t, 0, "schema mortise_bench_260101_000000_killed", "--remove-leftovers")
	invoke(t, dsn, "-c", mochi, "--remove-leftovers").expect(t, 0, "removed schema mortise_bench_260101_000000_killed")
	invoke(t, dsn, "-c", mochi, "--remove-leftovers").expect(t, 0, "nothing was left behind")
}

func TestASectionWithoutWorkloadIsTold(t *testing.T) {
	dsn := testdb.Database(t)
	invoke(t, dsn, short("-c", root+"testdata/notes.yaml", "--schema", root+"testdata/notes.sql",
		"--contract", root+"testdata/contract/mortise/notes/v1/notes.proto", "-I", root+"testdata/contract")...).
		expect(t, 0, "section notes has no workload", "3 operations are not measured", "nothing is measured")
	nothingLeft(t, dsn)
}

func TestMisuse(t *testing.T) {
	for name, tt := range map[string]struct {
		arguments []string
		says      string
	}{
		"no file":              {nil, "--config"},
		"only one of two":      {[]string{"--a", mochi}, "missing [b]"},
		"one and two":          {[]string{"-c", mochi, "--a", mochi, "--b", mochi}, "--a and --b"},
		"a bad expression":     {[]string{"-c", mochi, "--operations", "("}, "--operations"},
		"an unknown scratch":   {[]string{"-c", mochi, "--scratch", "disk"}, "auto, database, schema or none"},
		"an unknown way":       {[]string{"-c", mochi, "--way", "carrier-pigeon"}, "inprocess or plugin"},
		"a strange size":       {[]string{"-c", mochi, "--size", "many"}, "whole number"},
		"own rows, no keys":    {[]string{"-c", mochi, "--fill", "none"}, "--keys"},
		"own rows in scratch":  {[]string{"-c", mochi, "--fill", "none", "--scratch", "schema"}, "scratch has none"},
		"keys without need":    {[]string{"-c", mochi, "--keys", "x"}, "--fill none"},
		"no callers":           {[]string{"-c", mochi, "--callers", "0"}, "--callers"},
		"too sure":             {[]string{"-c", mochi, "--confidence", "1"}, "--confidence"},
		"too few rounds":       {[]string{"--a", mochi, "--b", mochi, "--rounds", "3"}, "at least 8 --rounds"},
		"a schema that is not": {[]string{"-c", mochi, "--schema", "nowhere.sql"}, "nowhere.sql"},
		"a report to nowhere":  {[]string{"-c", mochi, "--html", "/nowhere/report.html"}, "--html"},
	} {
		dsn := ""
		if name == "a schema that is not" {
			dsn = testdb.Database(t)
		}
		r := invoke(t, dsn, tt.arguments...)
		if r.status != 2 || !strings.Contains(r.stderr, tt.says) {
			t.Errorf("%s: status %d, %s", name, r.status, r.stderr)
		}
	}
}

func TestNoDatabase(t *testing.T) {
	invoke(t, "host=/nowhere dbname=x password=geheim", short("-c", mochi)...).expect(t, 1, "no connection to host=/nowhere")
	broken := query(t, "@info_hash", "@info_hsh")
	invoke(t, "host=/nowhere", short("-c", broken)...).expect(t, 1, "@info_hash")
}
