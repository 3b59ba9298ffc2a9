package run_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/cmd/mortise/command/run"
	"github.com/mortise-storage/mortise/internal/testdb"
)

// program runs the tests and then stops their server, before goroutines are looked for.
type program struct{ m *testing.M }

func (p program) Run() int { return testdb.Run(p.m) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(program{m}) }

// root is the module's folder.
const root = "../../../.."

// example is the default query set.
var example = filepath.Join(root, "queries.example.yaml")

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A result is how the command ended.
type result struct {
	status         int
	stdout, stderr string
}

// invoke runs the command as the program does.
func invoke(t testing.TB, arguments ...string) result {
	t.Helper()
	cmd := run.New()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	var stdout, stderr bytes.Buffer
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	cmd.SetArgs(arguments)
	cmd.SetContext(t.Context())
	status := command.Status(cmd.Execute(), &stderr)
	return result{status, stdout.String(), stderr.String()}
}

// onTerminal runs the command on a terminal of 100 columns and returns what appeared on it.
func onTerminal(t *testing.T, arguments ...string) string {
	t.Helper()
	t.Setenv("TERM", "xterm")
	screen, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: 100}); err != nil {
		t.Fatal(err)
	}
	shown := make(chan string)
	go func() {
		text, _ := io.ReadAll(screen) // ends with an error when the other side is closed
		shown <- strings.ReplaceAll(string(text), "\r\n", "\n")
	}()
	cmd := run.New()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(tty)
	cmd.SetErr(tty)
	cmd.SetArgs(arguments)
	cmd.SetContext(t.Context())
	_ = command.Status(cmd.Execute(), tty)
	_ = tty.Close()
	text := <-shown
	_ = screen.Close()
	return text
}

// must runs the command, which must end well.
func must(t testing.TB, arguments ...string) string {
	t.Helper()
	got := invoke(t, arguments...)
	if got.status != command.Fine || got.stderr != "" {
		t.Fatalf("mortise run %s: status %d\n%s%s", strings.Join(arguments, " "), got.status, got.stdout, got.stderr)
	}
	return got.stdout
}

// says runs the command and looks for texts in what it says on both outputs.
func says(t testing.TB, status int, texts []string, arguments ...string) result {
	t.Helper()
	got := invoke(t, arguments...)
	if got.status != status {
		t.Errorf("mortise run %s: status %d; expected %d", strings.Join(arguments, " "), got.status, status)
	}
	for _, text := range texts {
		if !strings.Contains(got.stdout+got.stderr, text) {
			t.Errorf("mortise run %s does not say %q:\n%s%s", strings.Join(arguments, " "), text, got.stdout, got.stderr)
		}
	}
	return got
}

// database makes a database for the test with these scripts, to which ${MORTISE_DATABASE} leads.
func database(t testing.TB, scripts ...string) string {
	t.Helper()
	dsn := testdb.Database(t, scripts...)
	t.(*testing.T).Setenv("MORTISE_DATABASE", dsn)
	return dsn
}

// queries writes an operator's file with these lines below the section tracker.
func queries(t testing.TB, lines string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "queries.yaml")
	text := "connection_string: ${MORTISE_DATABASE}\ntracker:\n" + lines
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// contents is all that a database's tables hold.
func contents(t testing.TB, dsn string) string {
	t.Helper()
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(t.Context()) }()
	var text string
	err := conn.QueryRow(t.Context(), `SELECT coalesce(string_agg(relname || ': ' || query_to_xml(
		format('SELECT * FROM %I.%I AS t ORDER BY t::text', nspname, relname), true, false, '')::text, E'\n' ORDER BY nspname, relname), '')
		FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
		WHERE relkind = 'r' AND nspname NOT IN ('pg_catalog', 'information_schema')`).Scan(&text)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A document is what --json prints.
type document struct {
	Operation  string
	Parameters map[string]any
	Columns    []struct{ Name, Kind string }
	Rows       []map[string]any
	Affected   *int64
	Answer     string
	Committed  bool
	LeftOut    []struct{ Column, Rule string } `json:"left_out"`
	Notes      []string
	Notices    []struct{ Severity, Message string }
	Error      *struct {
		Reason, SQLState string
		Problems         []struct {
			Rule, File, Key, Message, Fix string
			Line, Column                  int
		}
		Missing []string
		Example string
	}
}

func decode(t testing.TB, text string) document {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var d document
	if err := decoder.Decode(&d); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return d
}
