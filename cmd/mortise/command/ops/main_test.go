package ops_test

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
	"github.com/mortise-storage/mortise/cmd/mortise/command/ops"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// root is the module's folder.
const root = "../../../.."

// example is the default query set.
var example = filepath.Join(root, "queries.example.yaml")

// A result is how the command ended.
type result struct {
	status         int
	stdout, stderr string
}

// invoke runs the command as the program does.
func invoke(t testing.TB, arguments ...string) result {
	t.Helper()
	cmd := ops.New()
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
	cmd := ops.New()
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
		t.Fatalf("mortise ops %s: status %d\n%s%s", strings.Join(arguments, " "), got.status, got.stdout, got.stderr)
	}
	return got.stdout
}

// says runs the command and looks for texts in what it says on both outputs.
func says(t testing.TB, status int, texts []string, arguments ...string) result {
	t.Helper()
	got := invoke(t, arguments...)
	if got.status != status {
		t.Errorf("mortise ops %s: status %d; expected %d", strings.Join(arguments, " "), got.status, status)
	}
	for _, text := range texts {
		if !strings.Contains(got.stdout+got.stderr, text) {
			t.Errorf("mortise ops %s does not say %q:\n%s%s", strings.Join(arguments, " "), text, got.stdout, got.stderr)
		}
	}
	return got
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

// A document is what --json prints.
type document struct {
	File       string
	Operations []operationEntry
}

type operationEntry struct {
	Key, Section, Method, Description, Extends, Result, Empty, Need, Without, Retry, Heat, State string

	Internal   bool
	Parameters []struct {
		Number                         int
		Name, Kind, Rules, Derived     string
		Optional, Identity, Capability bool
		Description                    string
	}
	Columns []struct {
		Name, Kind, Rules string
		RenamedBy         []string `json:"renamed_by"`
	}
	MaxRows int64 `json:"max_rows"`
	Keys    []struct{ Key, Meaning string }
	Place   *struct {
		File         string
		Line, Column int
	}
}

func decode(t testing.TB, text string) document {
	t.Helper()
	var d document
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return d
}
