//go:build unix && !aix && !solaris

package embedded

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestLogLevels feeds lines as the server writes them.
func TestLogLevels(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"[12] 00000 LOG:  ready", "INFO ready"},
		{"[12] 00000 session LOG:  duration", "DEBUG duration"},
		{"[12] 01000 WARNING:  worker took long", "WARN worker took long"},
		{"[12] 25P01 session WARNING:  no transaction", "DEBUG no transaction"},
		{"[12] 53100 ERROR:  disk full", "ERROR disk full"},
		{"[12] 23505 session ERROR:  duplicate key", "DEBUG duplicate key"},
		{"[12] 23505 session DETAIL:  Key (n)=(1) exists.", "DEBUG DETAIL: Key (n)=(1) exists."},
		{"\tsecond line", "DEBUG second line"},
		{"[12] 57P03 session FATAL:  starting up", "DEBUG starting up"},
		{"[12] 3D000 session FATAL:  no database", "WARN no database"},
		{"[12] F0001 FATAL:  lock file exists", "ERROR lock file exists"},
		{"[12] F0001 HINT:  Is another server running?", "ERROR HINT: Is another server running?"},
		{"[12] XX001 session PANIC:  broken", "ERROR broken"},
		{"[12] 00000 DEBUG2:  details", "DEBUG details"},
		{"2026-01-02 03:04:05 UTC [7] LOG:  before the prefix", "INFO before the prefix"},
	} {
		expectLine(t, tc.line, tc.want)
	}
}

// logged is shared by the lines of TestLogLevels: a line may continue the one before.
var logged = newLogged()

func newLogged() func(line string) string {
	r := &record{}
	out := slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.LevelKey || a.Key == slog.MessageKey {
			return a
		}
		return slog.Attr{}
	}}))
	s := &serverLog{out: out}
	return func(line string) string {
		r.lines = nil
		s.add(line)
		return r.text()
	}
}

func expectLine(t *testing.T, line, want string) {
	t.Helper()
	level, message, _ := strings.Cut(want, " ")
	got := strings.TrimSpace(logged(line))
	if got != fmt.Sprintf("level=%s msg=%q", level, message) && got != fmt.Sprintf("level=%s msg=%s", level, message) {
		t.Errorf("%q: got %q, want %q", line, got, want)
	}
}

// TestNoValuesInLog makes a real server complain about arguments in every way it can, and looks
// for them above the debug level. At the debug level the complaints must be there.
func TestNoValuesInLog(t *testing.T) {
	const secret = "hunter2hunter2"
	debug, all := logger()
	s := mustStart(t, Options{DataDir: readyFolder(t), Logger: debug, Settings: map[string]string{"fsync": "off", "log_min_duration_statement": "0"}})
	conn := mustConnect(t, s.ConnString())
	for _, sql := range []string{"CREATE TABLE t (v text PRIMARY KEY)", "INSERT INTO t VALUES ($1)", "INSERT INTO t VALUES ($1)", "SELECT $1::text::int"} {
		var args []any
		if strings.Contains(sql, "$1") {
			args = append(args, secret)
		}
		_, _ = conn.Exec(limited(t), sql, args...) // most of them are meant to fail
	}
	_, _ = conn.Exec(limited(t), "DO $$ BEGIN RAISE WARNING '"+secret+"'; END $$")
	eventually(t, "the complaints are logged", func() bool { return strings.Contains(all.text(), "msg="+secret) })
	found := 0
	for line := range strings.Lines(all.text()) {
		switch {
		case !strings.Contains(line, secret):
		case strings.Contains(line, "level=DEBUG"):
			found++
		default:
			t.Errorf("an argument is in the log: %s", line)
		}
	}
	if found < 3 { // the key that exists, the bad number, the warning
		t.Errorf("only %d complaints are in the debug log:\n%s", found, all.text())
	}
}
