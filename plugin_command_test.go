package mortise_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	mortise "github.com/mortise-storage/mortise"
)

// command runs the program and returns its exit status.
func command(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.CommandContext(limited(t), program(t), args...)
	cmd.Env = append(os.Environ(), "MORTISE_CONFIG=")
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	failure := cmd.Run()
	var ended *exec.ExitError
	if failure != nil && !errors.As(failure, &ended) {
		t.Fatal(failure)
	}
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, status := command(t, args...)
	if status != 0 {
		t.Fatalf("mortise %s: exit status %d\n%s%s", strings.Join(args, " "), status, stdout, stderr)
	}
	return stdout
}

func TestInitThenCheck(t *testing.T) {
	dsn := emptyDatabase(t)
	config := exampleConfig(t, dsn)
	if _, _, status := command(t, "check", "--config", config); status != 1 {
		t.Errorf("check without tables: exit status %d", status)
	}
	expectParts(t, "init", mustRun(t, "init", "--config", config), "applied the default schema")
	mustRun(t, "init", "--config", config) // may be repeated
	out := mustRun(t, "check", "--strict", "--config", config)
	expectParts(t, "check", out, "no problems", "PostgreSQL ")
	if n := count(t, dsn, "SELECT count(*) FROM tracker_peers"); n != 0 {
		t.Errorf("%d peers after check", n)
	}
}

func TestInitDryRunOnlyPrints(t *testing.T) {
	if out := mustRun(t, "init", "--dry-run"); out != mortise.Schema {
		t.Errorf("it printed %q", out)
	}
}

func TestInitTellsTheLineOfAMistake(t *testing.T) {
	dsn := emptyDatabase(t)
	schema := filepath.Join(t.TempDir(), "schema.sql")
	writeFile(t, schema, "CREATE TABLE fine (a int);\n\n-- ü\nCREATE TABL wrong (a int);\n")
	_, stderr, status := command(t, "init", "--config", exampleConfig(t, dsn), "--schema", schema)
	if status != 1 {
		t.Errorf("exit status %d", status)
	}
	expectParts(t, "init", stderr, schema+":4:", "syntax error", "42601")
	if n := count(t, dsn, "SELECT count(*) FROM pg_class WHERE relname = 'fine'"); n != 0 {
		t.Error("half of the schema was applied")
	}
}

func TestCheckFindsEverything(t *testing.T) {
	config := exampleConfig(t, newDatabase(t),
		"SELECT downloads\n            FROM tracker_downloads\n", "SELECT downloads\n            FROM tracker_download\n",
		"WHERE context = @context\n              AND name = @key\n", "WHERE name = @key\n")
	out, _, status := command(t, "check", "--config", config)
	if status != 1 {
		t.Errorf("exit status %d", status)
	}
	expectParts(t, "check", out, config+":", "error", "tracker.downloads.get_query", `relation "tracker_download" does not exist`,
		"warning", "tracker.data.get_query", "@context", "fix: ", "errors: 1, warnings: 1")
	if strings.Contains(out, "\x1b") {
		t.Error("colours where there is no terminal")
	}

	out, _, _ = command(t, "check", "--json", "--level", "warning", "--config", config)
	var report struct {
		Problems []struct {
			Severity, Rule, File, Key, Message, Fix string
			Line, Column                            int
		}
		Errors, Warnings int
		Server           string
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if report.Errors != 1 || report.Warnings != 1 || len(report.Problems) != 2 || !strings.Contains(report.Server, "PostgreSQL") {
		t.Errorf("report: %+v", report)
	}
	for _, p := range report.Problems {
		if p.File != config || p.Line == 0 || p.Column == 0 || p.Key == "" || p.Message == "" || p.Rule == "" {
			t.Errorf("problem: %+v", p)
		}
	}
}

func TestExitStatus(t *testing.T) {
	fine := exampleConfig(t, newDatabase(t))
	warned := exampleConfig(t, newDatabase(t), "WHERE context = @context\n              AND name = @key\n", "WHERE name = @key\n")
	away := exampleConfig(t, "host=/nowhere dbname=x user=x password=hush")
	for name, c := range map[string]struct {
		args   []string
		status int
	}{
		"fine":                 {[]string{"check", "--config", fine}, 0},
		"a warning":            {[]string{"check", "--config", warned}, 0},
		"a warning, strict":    {[]string{"check", "--config", warned, "--strict"}, 1},
		"a warning, offline":   {[]string{"check", "--config", warned, "--strict", "--offline"}, 1},
		"no database":          {[]string{"check", "--config", away}, 1},
		"no database, offline": {[]string{"check", "--config", away, "--offline"}, 0},
		"init without one":     {[]string{"init", "--config", away}, 1},
		"no file":              {[]string{"check", "--config", "/nowhere/queries.yaml"}, 1},
		"no file named":        {[]string{"check"}, 2},
		"unknown flag":         {[]string{"check", "--bogus"}, 2},
		"unknown command":      {[]string{"bogus"}, 2},
		"an argument":          {[]string{"check", fine}, 2},
		"no schema":            {[]string{"init", "--config", fine, "--schema", "/nowhere/schema.sql"}, 2},
		"version":              {[]string{"version"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, status := command(t, c.args...)
			if status != c.status {
				t.Errorf("exit status %d, want %d\n%s%s", status, c.status, stdout, stderr)
			}
			if status != 0 && stdout+stderr == "" {
				t.Error("it says nothing")
			}
			if strings.Contains(stdout+stderr, "hush") {
				t.Errorf("the password: %s%s", stdout, stderr)
			}
		})
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
