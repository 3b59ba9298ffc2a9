//go:build unix && !aix && !solaris

package embedded

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// logPrefix begins every line with the process and the SQLSTATE; %q ends it for the server's own
// processes, so "session" marks what was logged on behalf of a client.
const logPrefix = "[%p] %e %qsession "

var logLine = regexp.MustCompile(`^\[([0-9]+)\] ([0-9A-Z]{5}) (session )?([A-Z]+[1-5]?):  (.*)$`)

// bareLine is a line from before the prefix was known, or in initdb's manner.
var bareLine = regexp.MustCompile(`\b(DEBUG[1-5]|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC):  (.*)$`)

const (
	longestLogLine = 16 << 10 // the rest of a longer line is dropped
	keptLogLines   = 6        // shown when the server ends while starting
)

// A serverLog forwards the server's log and remembers its last words.
type serverLog struct {
	out *slog.Logger

	mu    sync.Mutex
	level slog.Level // of the message that the present lines belong to
	kept  []string
	fatal string // SQLSTATE of the last FATAL of a process that is no session
}

// forward reads until the last process of the server has closed its end.
func (s *serverLog) forward(r io.Reader) {
	lines := bufio.NewReaderSize(r, longestLogLine)
	for {
		line, more, err := lines.ReadLine()
		if err != nil {
			return
		}
		text := string(line)
		for more && err == nil {
			_, more, err = lines.ReadLine()
		}
		s.add(text)
	}
}

// add forwards one line. A line without severity of its own (DETAIL, HINT, the second line of a
// message) goes where its message went.
func (s *serverLog) add(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var attrs []slog.Attr
	text := strings.TrimSpace(line)
	if m := logLine.FindStringSubmatch(line); m != nil {
		pid, state, session, severity := m[1], m[2], m[3] != "", m[4]
		text = m[5]
		if level, ok := levelOf(severity, state, session); ok {
			s.level = level
		} else {
			text = severity + ": " + text
		}
		if severity == "FATAL" && !session {
			s.fatal = state
		}
		if n, err := strconv.Atoi(pid); err == nil {
			attrs = append(attrs, slog.Int("server_pid", n))
		}
		if state != "00000" {
			attrs = append(attrs, slog.String("sqlstate", state))
		}
	} else if m := bareLine.FindStringSubmatch(line); m != nil {
		s.level, _ = levelOf(m[1], "", false)
		text = m[2]
	}
	s.keep(text)
	s.out.LogAttrs(context.Background(), s.level, text, attrs...)
}

// keep remembers what may tell why a server did not start; s.mu is held.
func (s *serverLog) keep(text string) {
	if s.level < slog.LevelInfo {
		return
	}
	s.kept = append(s.kept, text)
	s.kept = s.kept[max(0, len(s.kept)-keptLogLines):]
}

// lastWords returns the last lines of the server's own processes, on one line.
func (s *serverLog) lastWords() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) == 0 {
		return "it logged nothing"
	}
	return "it logged: " + strings.Join(s.kept, "; ")
}

// lastFatal returns the SQLSTATE of the last FATAL of the server itself.
func (s *serverLog) lastFatal() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fatal
}

// levelOf maps a severity to a level. A session's messages go to its client, which deals with
// them, and may quote arguments: they are for debugging. Sessions that the server ends (SQLSTATE
// class 57: shutdown, still starting) are no news either.
func levelOf(severity, state string, session bool) (slog.Level, bool) {
	switch severity {
	case "LOG", "INFO", "NOTICE":
		if session {
			return slog.LevelDebug, true
		}
		return slog.LevelInfo, true
	case "WARNING":
		if session {
			return slog.LevelDebug, true
		}
		return slog.LevelWarn, true
	case "ERROR":
		if session {
			return slog.LevelDebug, true
		}
		return slog.LevelError, true
	case "FATAL":
		switch {
		case strings.HasPrefix(state, "57"):
			return slog.LevelDebug, true
		case session:
			return slog.LevelWarn, true
		}
		return slog.LevelError, true
	case "PANIC":
		return slog.LevelError, true
	}
	if strings.HasPrefix(severity, "DEBUG") {
		return slog.LevelDebug, true
	}
	return 0, false
}

// tellWhy adds the server's last words to an error.
func (s *serverLog) tellWhy(what string) error { return errors.New(what + "; " + s.lastWords()) }
