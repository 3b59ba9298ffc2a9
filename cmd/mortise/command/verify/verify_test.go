package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/internal/testdb"
)

func TestMain(m *testing.M) {
	status := testdb.Run(m)
	if err := goleak.Find(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

const sample = "../../../../schemas/mochi/"

// sampleDatabase is a database with the tables of the note's sample.
func sampleDatabase(t *testing.T) string {
	t.Helper()
	schema, err := os.ReadFile(sample + "schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	return testdb.Database(t, string(schema))
}

// run executes the command.
func run(t *testing.T, dsn string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	t.Setenv("MORTISE_DATABASE", dsn)
	var out, errs bytes.Buffer
	cmd := New()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	status = command.Status(cmd.Execute(), &errs)
	return status, out.String(), errs.String()
}

// brokenSample is the sample's file with a predicate taken out.
func brokenSample(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(sample + "queries.yaml")
	if err != nil {
		t.Fatal(err)
	}
	broken := strings.Replace(string(text), "AND port = @port AND is_seeder = @is_seeder", "AND port = @port", 1)
	file := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(file, []byte(broken), 0o600); err != nil || broken == string(text) {
		t.Fatal("the sample could not be broken", err)
	}
	return file
}

func TestReportForPeople(t *testing.T) {
	status, out, errs := run(t, sampleDatabase(t), "--config", sample+"queries.yaml")
	if status != command.Fine || errs != "" {
		t.Errorf("status %d, %s", status, errs)
	}
	for _, want := range []string{
		`tracker\.peer\.graduate_query +\d+ +0 +\d+ +\d+ +no exact_graduate, tells_promotion`,
		`tracker\.announce\.mixed_query +not given`,
		`DEVIATES  no exact_graduate  \[T01\]\n +contract  only the leecher with this peer id is promoted`,
		`DEVIATES  no graduate_refreshes  \[T03\]`,
		`DEVIATES  no kv_overwrite  \[T10\]`,
		`DEVIATES  no families\n`,
		`query +\S*schemas/mochi/queries\.yaml:36:17  tracker\.peer\.graduate_query\n +36 \| +UPDATE mo_peers\n +\^`,
		`data\.get_query +context=conformance-[0-9a-f]+ +value=`,
		`decoys`,
		`(?m)^transaction \d+: aborted; the tables are as they were$`,
		`(?m)^passed, with deviations: \d+ cases passed, 0 failed, \d+ not applicable; deviations: \d`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s is not in\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Error("there are colours in what is no terminal")
	}
}

func TestExitStatus(t *testing.T) {
	good, broken, dsn := sample+"queries.yaml", brokenSample(t), sampleDatabase(t)
	missing := filepath.Join(t.TempDir(), "missing")
	for name, c := range map[string]struct {
		dsn  string
		args []string
		want int
		says string
	}{
		"deviations":             {dsn, []string{"-c", good, "--only", "data"}, command.Fine, "passed, with deviations"},
		"deviations, strict":     {dsn, []string{"-c", good, "--only", "data", "--strict"}, command.Problems, "failed"},
		"a broken query":         {dsn, []string{"-c", broken, "--only", `peer\.del`}, command.Problems, "FAILED  peer.del keeps the other role"},
		"an empty database":      {testdb.Database(t), []string{"-c", good}, command.Problems, "mortise init"},
		"no such database":       {dsn + " dbname=nowhere", []string{"-c", good}, command.Problems, `database "nowhere" does not exist`},
		"nobody listens":         {"host=/nowhere user=x", []string{"-c", good}, command.Problems, "no connection to host=/nowhere"},
		"nothing matches":        {dsn, []string{"-c", good, "--only", "no such case"}, command.Problems, `"no such case"`},
		"no file":                {dsn, []string{}, command.Usage, "--config"},
		"a schema for nothing":   {dsn, []string{"-c", good, "--schema", "x"}, command.Usage, "--scratch"},
		"no such script":         {dsn, []string{"-c", good, "--scratch", "--schema", missing}, command.Usage, "missing"},
		"equivalents of nothing": {dsn, []string{"-c", good, "--equivalents", "x"}, command.Usage, "--mutate"},
		"both modes":             {dsn, []string{"-c", good, "--mutate", "--scratch"}, command.Usage, "--scratch"},
		"no expression":          {dsn, []string{"-c", good, "--only", "("}, command.Usage, "--only"},
		"no time":                {dsn, []string{"-c", good, "--timeout", "0s"}, command.Usage, "--timeout"},
		"a word too many":        {dsn, []string{"-c", good, "more"}, command.Usage, "more"},
		"too little time":        {dsn, []string{"-c", good, "--timeout", "300ms"}, command.Problems, "300ms"},
		"no query to mutate":     {dsn, []string{"-c", good, "--mutate", "--only", "nothing"}, command.Usage, `"nothing"`},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, errs := run(t, c.dsn, c.args...)
			if status != c.want || !strings.Contains(out+errs, c.says) {
				t.Errorf("status %d; it should be %d and tell %q:\n%s%s", status, c.want, c.says, out, errs)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	dsn := sampleDatabase(t)
	status, out, _ := run(t, dsn, "-c", brokenSample(t), "--only", `peer\.del`, "--json")
	var report struct {
		Verdict string
		Domains []struct {
			Section  string
			Failed   int
			Failures []struct {
				Case, Says string
				Calls      []struct {
					Operation string
					Arguments []struct{ Name, Value string }
					Affected  *int64
				}
				Places []struct {
					Operation string
					Position  struct{ Line, Column int }
				}
			}
		}
		Transactions []struct{ ID, Status string }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if status != command.Problems || report.Verdict != "failed" || len(report.Domains) != 1 || len(report.Transactions) != 1 || report.Transactions[0].Status != "aborted" {
		t.Fatalf("status %d, %+v", status, report)
	}
	f := report.Domains[0].Failures
	if len(f) == 0 || len(f) != report.Domains[0].Failed || f[0].Case == "" || f[0].Says == "" || len(f[0].Calls) == 0 || len(f[0].Places) != 1 || f[0].Places[0].Position.Line == 0 {
		t.Errorf("failures %+v", f)
	}
	for name, args := range map[string][]string{
		"no database":       {"-c", sample + "queries.yaml", "--json"},
		"an empty database": {"-c", sample + "queries.yaml", "--json"},
	} {
		dsn := "host=/nowhere"
		if name == "an empty database" {
			dsn = testdb.Database(t)
		}
		status, out, _ := run(t, dsn, args...)
		var answer map[string]any
		if err := json.Unmarshal([]byte(out), &answer); err != nil || status != command.Problems || answer["verdict"] != "not run" {
			t.Errorf("%s: status %d, %v, %s", name, status, err, out)
		}
	}
}

func TestMutations(t *testing.T) {
	dsn := sampleDatabase(t)
	status, out, errs := run(t, dsn, "-c", sample+"queries.yaml", "--mutate", "--only", `downloads\.get`)
	if status != command.Fine || !regexp.MustCompile(`tracker\.downloads\.get_query +\d+ +[1-9]\d* +0`).MatchString(out) {
		t.Errorf("status %d, %s %s", status, out, errs)
	}
	// The column is compared with itself already, so to compare it otherwise is noticed by nobody.
	status, out, errs = run(t, dsn, "-c", sample+"queries.yaml", "--mutate", "--only", `peer\.graduate`)
	if status != command.Problems || !strings.Contains(out, "SURVIVED  tracker.peer.graduate_query") || !strings.Contains(out, "before") {
		t.Errorf("status %d, %s %s", status, out, errs)
	}
}

func TestEquivalentsAreRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "equivalents.yaml")
	if err := os.WriteFile(file, []byte("- reason: because\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, _, errs := run(t, sampleDatabase(t), "-c", sample+"queries.yaml", "--mutate", "--equivalents", file)
	if status != command.Usage || !strings.Contains(errs, "equivalent") {
		t.Errorf("status %d, %s", status, errs)
	}
}

func TestFold(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "",
		"one":                 "one",
		"one two three":       "one two|three",
		"a word-that-is-long": "a|word-that-is-long",
	} {
		if got := strings.Join(wrap(text, 8), "|"); got != want {
			t.Errorf("%q is folded to %q; expected %q", text, got, want)
		}
	}
	if got := brief("0123456789abcdef0123456789abcdef01234567"); got != "0123456789abcd…01234567" {
		t.Errorf("brief gives %q", got)
	}
}

var errDisk = errors.New("disk full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errDisk }

// What cannot be printed is no success.
func TestFullDisk(t *testing.T) {
	t.Setenv("MORTISE_DATABASE", sampleDatabase(t))
	for _, more := range [][]string{{}, {"--json"}} {
		cmd := New()
		cmd.SetArgs(append([]string{"-c", sample + "queries.yaml", "--only", "Ping"}, more...))
		cmd.SetOut(fullDisk{})
		cmd.SetErr(&bytes.Buffer{})
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		if err := cmd.Execute(); !errors.Is(err, errDisk) {
			t.Errorf("%v: error %v", more, err)
		}
	}
}
