// Package commandtest runs commands in tests as the program does, on outputs that are kept or on a
// terminal. It is only for tests.
package commandtest

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/internal/testdb"
)

// Root is the module's folder, as the commands' packages see it.
const Root = "../../../.."

// Example is the default query set.
var Example = filepath.Join(Root, "queries.example.yaml")

// Main is for TestMain: it runs the tests, and fails if a goroutine is left behind.
func Main(m *testing.M) { testdb.Main(m) }

// A Result is how a command ended.
type Result struct {
	Status         int
	Stdout, Stderr string
}

// Invoke runs a command.
func Invoke(t testing.TB, cmd *cobra.Command, arguments ...string) Result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(t, cmd, &stdout, &stderr, arguments)
	return Result{status, stdout.String(), stderr.String()}
}

func run(t testing.TB, cmd *cobra.Command, stdout, stderr io.Writer, arguments []string) int {
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	cmd.SetArgs(arguments)
	cmd.SetContext(t.Context())
	return command.Status(cmd.Execute(), stderr)
}

// Must runs a command, which must end well, and returns what it printed.
func Must(t testing.TB, cmd *cobra.Command, arguments ...string) string {
	t.Helper()
	got := Invoke(t, cmd, arguments...)
	if got.Status != command.Fine || got.Stderr != "" {
		t.Fatalf("mortise %s %s: status %d\n%s%s", cmd.Name(), strings.Join(arguments, " "), got.Status, got.Stdout, got.Stderr)
	}
	return got.Stdout
}

// Says runs a command and looks for texts in what it says on both outputs.
func Says(t testing.TB, cmd *cobra.Command, status int, texts []string, arguments ...string) Result {
	t.Helper()
	got := Invoke(t, cmd, arguments...)
	if got.Status != status {
		t.Errorf("mortise %s %s: status %d; expected %d", cmd.Name(), strings.Join(arguments, " "), got.Status, status)
	}
	for _, text := range texts {
		if !strings.Contains(got.Stdout+got.Stderr, text) {
			t.Errorf("mortise %s %s does not say %q:\n%s%s", cmd.Name(), strings.Join(arguments, " "), text, got.Stdout, got.Stderr)
		}
	}
	return got
}

// OnTerminal runs a command on a terminal of 100 columns and returns what appeared on it.
func OnTerminal(t *testing.T, cmd *cobra.Command, arguments ...string) string {
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
	run(t, cmd, tty, tty, arguments)
	_ = tty.Close()
	text := <-shown
	_ = screen.Close()
	return text
}

// Read returns a file's text.
func Read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Database makes a database for the test with these scripts, to which ${MORTISE_DATABASE} leads.
func Database(t testing.TB, scripts ...string) string {
	t.Helper()
	dsn := testdb.Database(t, scripts...)
	t.(*testing.T).Setenv("MORTISE_DATABASE", dsn)
	return dsn
}

// Queries writes an operator's file with these lines below the section tracker.
func Queries(t testing.TB, lines string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "queries.yaml")
	text := "connection_string: ${MORTISE_DATABASE}\ntracker:\n" + lines
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
