package mortise_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/creack/pty"

	mortise "github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
)

// loop are the commands of the operator's loop, each with what it takes to be quick.
var loop = map[string][]string{
	"check":   {"check"},
	"verify":  {"verify", "--only", "Ping"},
	"show":    {"show", "tracker.peer.add_query"},
	"ops":     {"ops"},
	"run":     {"run", "tracker.peer.count_query"},
	"explain": {"explain", "tracker.peer.count_query"},
	"bench":   {"bench", "--size", "50", "--duration", "50ms", "--warmup", "0s", "--operations", "ping"},
	"init":    {"init"},
}

// secret is the password in the connection strings of these tests, which nothing may ever show.
const secret = "hunter2-and-more"

// sgr are the codes of colours and other looks.
var sgr = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// onTerminal runs the program on a terminal and returns what appeared there.
func onTerminal(t *testing.T, environment []string, args ...string) (shown string, status int) {
	t.Helper()
	cmd := exec.CommandContext(limited(t), program(t), args...)
	cmd.Env = append(append(os.Environ(), "MORTISE_CONFIG=", "TERM=xterm-256color", "NO_COLOR="), environment...)
	screen, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 120})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = screen.Close() }()
	text, _ := io.ReadAll(screen) // ends with an error when the program does
	failure := cmd.Wait()
	var ended *exec.ExitError
	if failure != nil && !errors.As(failure, &ended) {
		t.Fatal(failure)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

func loopCommand(name, config string) []string {
	return append(slices.Clone(loop[name]), "--config", config)
}

// Each command shows colours to a person, and plain text to a program and to whoever does not want them.
func TestCommandsOnTerminal(t *testing.T) {
	config := exampleConfig(t, newDatabase(t)+" password="+secret)
	for name := range loop {
		t.Run(name, func(t *testing.T) {
			args := loopCommand(name, config)
			colours, status := onTerminal(t, nil, args...)
			if status != 0 {
				t.Errorf("on a terminal: exit status %d\n%s", status, colours)
			}
			if quiet := name == "init"; !quiet && !sgr.MatchString(colours) {
				t.Errorf("no colours on a terminal:\n%s", colours)
			}
			plain, status := onTerminal(t, []string{"NO_COLOR=1"}, args...)
			if status != 0 || sgr.MatchString(plain) {
				t.Errorf("with NO_COLOR: exit status %d\n%q", status, plain)
			}
			stdout, stderr, status := command(t, args...)
			if status != 0 || strings.Contains(stdout+stderr, "\x1b") {
				t.Errorf("piped: exit status %d\n%q%q", status, stdout, stderr)
			}
			if strings.Contains(colours+plain+stdout+stderr, secret) {
				t.Error("the password is shown")
			}
		})
	}
}

// A situation is a database that is not as it should be.
type situation struct {
	dsn func(t *testing.T) string
	// tells is what the commands say about it, one of these.
	tells []string
	// fine are the commands that have nothing to say about it.
	fine []string
}

var situations = map[string]situation{
	"a server that does not run": {
		dsn: func(*testing.T) string {
			return "host=127.0.0.1 port=1 user=u dbname=d sslmode=disable connect_timeout=5"
		},
		tells: []string{"connection refused", "check that the server runs"}, fine: []string{"ops"}},
	"a database that does not exist": {
		dsn:   func(t *testing.T) string { return emptyDatabase(t) + " dbname=no_such_database" },
		tells: []string{"does not exist"}, fine: []string{"ops"}},
	"an empty database": {
		dsn: emptyDatabase, tells: []string{"mortise init"}, fine: []string{"ops", "bench", "init"}},
	"a role without rights": {
		dsn: func(t *testing.T) string {
			server, err := sharedServer()
			if err != nil {
				t.Fatal(err)
			}
			testdb.Exec(t, server.AdminConnString(), "DO $$ BEGIN CREATE ROLE poor LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
			return newDatabase(t) + " user=poor"
		},
		tells: []string{"permission denied", "may create neither"}, fine: []string{"ops", "show"}},
}

func TestCommandsOnBadDatabases(t *testing.T) {
	for what, s := range situations {
		t.Run(what, func(t *testing.T) {
			for name := range loop {
				config := exampleConfig(t, s.dsn(t)+" password="+secret)
				stdout, stderr, status := command(t, loopCommand(name, config)...)
				said := stdout + stderr
				if slices.Contains(s.fine, name) {
					if status != 0 {
						t.Errorf("%s: exit status %d\n%s", name, status, said)
					}
				} else if status != 1 || !slices.ContainsFunc(s.tells, func(part string) bool { return strings.Contains(said, part) }) {
					t.Errorf("%s: exit status %d; it should say one of %q:\n%s", name, status, s.tells, said)
				}
				if strings.Contains(said, secret) || strings.Contains(said, "goroutine ") {
					t.Errorf("%s shows what it must not:\n%s", name, said)
				}
			}
		})
	}
}

func TestCommandsWithoutFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	for name := range loop {
		if name != "ops" { // which shows the contract alone
			_, stderr, status := command(t, loop[name]...)
			if status != 2 || !strings.Contains(stderr, "--config FILE") {
				t.Errorf("%s without --config: exit status %d, %s", name, status, stderr)
			}
		}
		stdout, stderr, status := command(t, loopCommand(name, missing)...)
		if status == 0 || !strings.Contains(stdout+stderr, "missing.yaml") {
			t.Errorf("%s of a file that is not there: exit status %d, %s%s", name, status, stdout, stderr)
		}
		_, stderr, status = command(t, append(loopCommand(name, missing), "--no-such-flag")...)
		if status != 2 || !strings.Contains(stderr, "no-such-flag") {
			t.Errorf("%s with an unknown flag: exit status %d, %s", name, status, stderr)
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if script := mustRun(t, "completion", shell); !strings.Contains(script, "mortise") {
			t.Errorf("%s: no script", shell)
		}
	}
	for _, c := range []string{"explain", "run", "show", "ops"} {
		if words := mustRun(t, "__complete", c, "tracker.peer.a"); !strings.Contains(words, "tracker.peer.add_query") {
			t.Errorf("%s completes to %q", c, words)
		}
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	check := exec.CommandContext(context.Background(), bash, "-n")
	check.Stdin = strings.NewReader(mustRun(t, "completion", "bash"))
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("bash cannot read its script: %v\n%s", err, out)
	}
}

// The embedded server belongs to the plugin that runs; commands work on it at the same time.
func TestCommandsBesideThePlugin(t *testing.T) {
	config := embeddedConfig(t, newFolder(t))
	host := mustConnect(t, mortise.ConnectOptions{Program: program(t), Config: config})
	mustPut(t, trackerv1.NewDataClient(host.Conn()), "key", "value")
	out := mustRun(t, "run", "tracker.data.get_query", "--config", config, "--param", "context=test", "--param", "key=text:key")
	if !strings.Contains(out, "76616c7565") {
		t.Errorf("what the plugin stored is not there: %s", out)
	}
	for _, name := range []string{"check", "explain", "verify"} {
		mustRun(t, loopCommand(name, config)...)
	}
	mustPut(t, trackerv1.NewDataClient(host.Conn()), "another key", "value") // the server is still there
}
