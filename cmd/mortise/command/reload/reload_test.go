package reload_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	mortise "github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/cmd/mortise/command/reload"
	"github.com/mortise-storage/mortise/internal/testdb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(world{m}) }

type world struct{ m *testing.M }

func (w world) Run() int { return testdb.Run(w.m) }

const queries = `connection_string: "DSN"
tracker:
  data:
    get_query: |
      SELECT 'MARK'::bytea AS value WHERE @context::text <> '' AND @key::bytea IS NOT NULL
    add_query: |
      INSERT INTO tracker_kv (context, name, value) VALUES (@context, @key, @value)
    del_query: |
      DELETE FROM tracker_kv WHERE context = @context AND name = ANY (@key)
`

// A server is `mortise serve --listen` within this process.
type server struct {
	t             *testing.T
	dsn, file, at string
}

func start(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, dsn: testdb.Database(t, mortise.Schema)}
	dir, err := testdb.Folder() // with a path short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s.file, s.at = filepath.Join(dir, "queries.yaml"), "unix://"+filepath.Join(dir, "s")
	s.write("old")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() {
		ended <- mortise.ServeListen(ctx, mortise.ListenOptions{Address: s.at, Ready: func(string, string) { close(ready) },
			ServeOptions: mortise.ServeOptions{ConfigFile: s.file, Logger: slog.New(slog.DiscardHandler)}})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case <-ctx.Done():
		t.Fatal("the server does not start")
	}
	return s
}

func (s *server) write(mark string) {
	s.t.Helper()
	text := strings.NewReplacer("DSN", s.dsn, "MARK", mark).Replace(queries)
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run runs the command and returns what it printed and its exit status.
func run(args ...string) (out string, status int) {
	var stdout, stderr bytes.Buffer
	cmd := reload.New()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	status = command.Status(cmd.Execute(), &stderr)
	return stdout.String() + stderr.String(), status
}

func expect(t *testing.T, args []string, want int, parts ...string) {
	t.Helper()
	out, status := run(args...)
	if status != want {
		t.Errorf("%v ended with %d, want %d: %s", args, status, want, out)
	}
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("%v does not print %q: %s", args, part, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("%v prints colours where no terminal is", args)
	}
}

func TestReloadAndRollback(t *testing.T) {
	s := start(t)
	reload, rollback := []string{"--address", s.at}, []string{"--address", s.at, "--rollback"}
	expect(t, reload, command.Fine, "unchanged: nothing has changed; in use is generation 1 ("+s.file)
	expect(t, rollback, command.Problems, "mortise: there is no query set to go back to")
	s.write("x'::nowhere||'")
	expect(t, reload, command.Problems, s.file+":5:", "x'::nowhere", "the database refuses the query", "rejected: the file has an error; generation 1 stays in use")
	s.write("new")
	expect(t, reload, command.Fine, "in use", "generation 2 (") // the server may have seen the change by itself
	expect(t, rollback, command.Fine, "rolled back: the set before is in use again, as generation 3")
}

func TestJSON(t *testing.T) {
	s := start(t)
	s.write("bad'")
	out, status := run("--address", s.at, "--json")
	var answer struct {
		Applied    bool
		Outcome    string
		Generation int
		Message    string
		Problems   []struct {
			Severity, Rule, File, Key, Message string
			Line, Column                       int
		}
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if status != command.Problems || answer.Applied || answer.Outcome != "rejected" || answer.Generation != 1 || len(answer.Problems) != 1 {
		t.Fatalf("%d: %s", status, out)
	}
	if p := answer.Problems[0]; p.Severity != "error" || p.File != s.file || p.Line != 5 || p.Column == 0 || p.Key != "tracker.data.get_query" {
		t.Errorf("problem: %+v", p)
	}
	s.write("new")
	out, status = run("--address", s.at, "--json")
	if err := json.Unmarshal([]byte(out), &answer); err != nil || status != command.Fine || !answer.Applied || len(answer.Problems) != 0 {
		t.Errorf("%d, %v: %s", status, err, out)
	}
}

func TestWrongUse(t *testing.T) {
	nowhere := "unix://" + filepath.Join(t.TempDir(), "s")
	for name, c := range map[string]struct {
		args   []string
		status int
		part   string
	}{
		"no address":           {nil, command.Usage, "give --address"},
		"no scheme":            {[]string{"--address", "/run/s"}, command.Usage, "expected unix:///path/to/socket or tcp://host:port"},
		"a relative path":      {[]string{"--address", "unix://s"}, command.Usage, "expected unix:///"},
		"TCP without TLS":      {[]string{"--address", "tcp://127.0.0.1:1"}, command.Usage, "--tls-cert"},
		"missing certificates": {[]string{"--address", "tcp://127.0.0.1:1", "--tls-cert", "no", "--tls-key", "no", "--tls-ca", "no"}, command.Usage, "TLS certificate and key"},
		"an argument":          {[]string{"file.yaml"}, command.Usage, "unknown command"},
		"no server":            {[]string{"--address", nowhere}, command.Problems, "no server answers on " + nowhere},
		"no server on TCP":     {[]string{"--address", "tcp://127.0.0.1:1", "--insecure"}, command.Problems, "no server answers on tcp://127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, c.args, c.status, c.part) })
	}
}

// What cannot be written is an error, and not lost.
func TestClosedOutput(t *testing.T) {
	s := start(t)
	for _, more := range [][]string{nil, {"--json"}} {
		cmd := reload.New()
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetArgs(append([]string{"--address", s.at}, more...))
		cmd.SetOut(broken{})
		var exit *command.Exit
		if err := cmd.Execute(); !errors.As(err, &exit) || exit.Status != command.Problems || exit.Err == nil {
			t.Errorf("%v: %v", more, err)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("the pipe is closed") }
