package check_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/cmd/mortise/command/check"
	"github.com/mortise-storage/mortise/internal/testdb"
	rules "github.com/mortise-storage/mortise/storage/check"
)

const root = "../../../../"

// An outcome is how a command line ended.
type outcome struct {
	stdout, stderr string
	status         int
}

// run runs the command on a database.
func run(t *testing.T, dsn string, args ...string) outcome {
	t.Helper()
	t.Setenv("MORTISE_DATABASE", dsn)
	t.Setenv("MORTISE_CONFIG", "")
	var stdout, stderr bytes.Buffer
	cmd := check.New()
	cmd.SetArgs(append([]string{"--timeout", "5m"}, args...)) // for machines that are busy
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	status := command.Status(cmd.Execute(), &stderr)
	return outcome{stdout.String(), stderr.String(), status}
}

func (o outcome) expect(t *testing.T, status int, parts ...string) {
	t.Helper()
	if o.status != status {
		t.Errorf("status %d; expected %d", o.status, status)
	}
	for _, part := range parts {
		if !strings.Contains(o.stdout+o.stderr, part) {
			t.Errorf("%q is missing", part)
		}
	}
	if t.Failed() {
		t.Logf("printed\n%s%s", o.stdout, o.stderr)
	}
}

// rulesIn lists the rules that a report names, in order.
func (o outcome) rulesIn() []string {
	var names []string
	for _, line := range regexp.MustCompile(`(?m)^\S.*\[([A-Za-z0-9-]+)\]$`).FindAllStringSubmatch(o.stdout, -1) {
		names = append(names, line[1])
	}
	return names
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// mochi is a database with the tables of the set of that name.
func mochi(t *testing.T) string { return testdb.Database(t, read(t, root+"schemas/mochi/schema.sql")) }

// The whole report on the documented sample: what is printed, where, and in which words.
func TestReport(t *testing.T) {
	dsn := mochi(t)
	want := read(t, "testdata/mochi.txt")
	t.Chdir(root)
	o := run(t, dsn, "-c", "schemas/mochi/queries.yaml")
	o.expect(t, command.Fine)
	if got := regexp.MustCompile(`against .*; for postgres [0-9]+`).ReplaceAllString(o.stdout, "against SERVER"); got != want {
		t.Errorf("printed\n%s\nexpected\n%s", got, want)
	}
	if strings.Contains(o.stdout, "\x1b") || o.stderr != "" {
		t.Errorf("there are colours in what is piped, or something was logged: %q", o.stderr)
	}
}

// Every mistake of the sample that the contract lists is found, and counts as it should.
func TestSample(t *testing.T) {
	dsn := mochi(t)
	var report struct {
		Problems []struct{ Severity, Rule, Key, File string }
		Errors   int
		Warnings int
		Notes    int
		Queries  int
	}
	o := run(t, dsn, "-c", root+"schemas/mochi/queries.yaml", "--json")
	o.expect(t, command.Fine)
	if err := json.Unmarshal([]byte(o.stdout), &report); err != nil {
		t.Fatal(err)
	}
	severities := map[string]string{}
	for _, p := range report.Problems {
		severities[p.Rule] = p.Severity
	}
	for severity, names := range map[string]string{"warning": "T01 T02 T03 T05 T08 T09 T10 T12 T13 T16", "info": "T04 T06 T07 T11 T15 T17 T18 T19"} {
		for _, name := range strings.Fields(names) {
			// The test's own connection string has no keyword database.
			if severities[name] != severity && name != "T15" {
				t.Errorf("%s is %q; expected %s", name, severities[name], severity)
			}
		}
	}
	if report.Errors != 0 || report.Warnings+report.Notes != len(report.Problems) || report.Queries != 14 {
		t.Errorf("counted %+v", report)
	}
	run(t, dsn, "-c", root+"schemas/mochi/queries.yaml", "--strict").expect(t, command.Problems)
}

// The default set has no warnings on its own schema, with and without a database.
func TestDefaultSet(t *testing.T) {
	dsn := testdb.Database(t, read(t, root+"schema.sql"))
	run(t, dsn, "-c", root+"queries.example.yaml", "--strict").expect(t, command.Fine, "no problems", "101 queries, checked against PostgreSQL")
	run(t, dsn, "-c", root+"queries.example.yaml", "--strict", "--offline").expect(t, command.Fine, "no problems", "checked without a database")
}

func TestLevel(t *testing.T) {
	file := root + "schemas/mochi/queries.yaml"
	o := run(t, "", "-c", file, "--offline", "--level", "warning")
	o.expect(t, command.Fine, "errors: 0, warnings: ", ", notes: ")
	if slices.Contains(o.rulesIn(), "T04") || !slices.Contains(o.rulesIn(), "T01") {
		t.Errorf("shown are %v", o.rulesIn())
	}
	o = run(t, "", "-c", file, "--offline", "--level", "error", "--strict")
	o.expect(t, command.Problems)
	if len(o.rulesIn()) != 0 {
		t.Errorf("shown are %v", o.rulesIn())
	}
}

func TestUsage(t *testing.T) {
	file := root + "queries.example.yaml"
	for _, c := range []struct {
		args  []string
		parts []string
	}{
		{[]string{}, []string{"give --config FILE"}},
		{[]string{"-c", file, "--format", "xml"}, []string{"--format xml is not known; possible are text, json and sarif"}},
		{[]string{"-c", file, "--format", "sarif", "--json"}, []string{"cannot both be meant"}},
		{[]string{"-c", file, "--level", "high"}, []string{"--level high is not known"}},
		{[]string{"-c", file, "--target", "postgrse 15"}, []string{"--target", "did you mean postgres"}},
		{[]string{"-c", file, "stray"}, []string{`unexpected argument "stray"`}},
		{[]string{"--explain", "T99"}, []string{"there is no rule T99"}},
		{[]string{"--explain=misssing-index"}, []string{"did you mean missing-index?"}},
	} {
		run(t, "", c.args...).expect(t, command.Usage, c.parts...)
	}
	run(t, "", "-c", "/nowhere/queries.yaml").expect(t, command.Problems, "/nowhere/queries.yaml")
}

func TestTarget(t *testing.T) {
	text := strings.Replace(read(t, root+"queries.example.yaml"), "\ntracker:\n", "\ntarget: cockroachdb\n\ntracker:\n", 1)
	file := write(t, text)
	o := run(t, "", "-c", file, "--offline")
	o.expect(t, command.Problems, "D13-postgres-only", "for cockroachdb")
	run(t, "", "-c", file, "--offline", "--target", "postgres 15").expect(t, command.Fine, "for postgres 15")
	dsn := testdb.Database(t, read(t, root+"schema.sql"))
	run(t, dsn, "-c", file).expect(t, command.Problems, "[target-mismatch]", "the file is written for cockroachdb, and the server is postgres")
	wrong := write(t, strings.Replace(text, "target: cockroachdb", "target: oracle", 1))
	o = run(t, "", "-c", wrong, "--offline")
	o.expect(t, command.Problems, "[unknown-target]", `"oracle" is not known here`)
	if !strings.Contains(o.stdout, "| target: oracle\n                ^") {
		t.Errorf("the place is not shown:\n%s", o.stdout)
	}
}

func TestExplain(t *testing.T) {
	run(t, "", "--explain", "T17").expect(t, command.Fine, "T17  info\n", "source: ")
	run(t, "", "--explain=missing-index").expect(t, command.Fine, "missing-index  warning\nA request reads a whole table")
	all := run(t, "", "--explain")
	all.expect(t, command.Fine)
	for _, rule := range rules.Rules() {
		if !strings.Contains(all.stdout, rule.Name+" ") || rule.Title == "" || rule.Explanation == "" || rule.Source == "" {
			t.Errorf("%s is not listed, or not explained", rule.Name)
		}
	}
}

func TestSARIF(t *testing.T) {
	compiled, err := jsonschema.NewCompiler().Compile("testdata/sarif.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, read(t, root+"schemas/mochi/queries.yaml"))
	dsn := mochi(t)
	print := func() (log sarifLog) {
		o := run(t, dsn, "-c", file, "--format", "sarif")
		o.expect(t, command.Fine)
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(o.stdout))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(document); err != nil {
			t.Error(err)
		}
		if err := json.Unmarshal([]byte(o.stdout), &log); err != nil {
			t.Fatal(err)
		}
		return log
	}
	log := print()
	driver, results := log.Runs[0].Tool.Driver, log.Runs[0].Results
	if driver.Name != "Mortise" || len(results) < 18 {
		t.Errorf("%d results of %s", len(results), driver.Name)
	}
	before := map[string]bool{}
	for _, r := range results {
		if driver.Rules[r.RuleIndex].ID != r.RuleID || driver.Rules[r.RuleIndex].Help.Text == "" {
			t.Errorf("%s leads to the rule %+v", r.RuleID, driver.Rules[r.RuleIndex])
		}
		if len(r.Locations) != 1 || !strings.HasPrefix(r.Locations[0].PhysicalLocation.ArtifactLocation.URI, "file:///") || r.Locations[0].PhysicalLocation.Region.StartLine == 0 {
			t.Errorf("%s has no place: %+v", r.RuleID, r.Locations)
		}
		if before[r.PartialFingerprints["mortise/v1"]] {
			t.Errorf("%s has a fingerprint twice", r.RuleID)
		}
		before[r.PartialFingerprints["mortise/v1"]] = true
	}
	if err := os.WriteFile(file, []byte("# moved\n# by lines\n"+read(t, file)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, r := range print().Runs[0].Results {
		if !before[r.PartialFingerprints["mortise/v1"]] {
			t.Errorf("%s has another fingerprint when lines are added above", r.RuleID)
		}
	}
}

// A sarifLog is what a reader makes of a report.
type sarifLog struct {
	Runs []struct {
		Tool struct {
			Driver struct {
				Name  string
				Rules []struct {
					ID   string
					Help struct{ Text string }
				}
			}
		}
		Results []struct {
			RuleID    string
			RuleIndex int
			Locations []struct {
				PhysicalLocation struct {
					ArtifactLocation struct{ URI string }
					Region           struct{ StartLine int }
				}
			}
			PartialFingerprints map[string]string
		}
	}
}
