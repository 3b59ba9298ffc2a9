package mortise

import (
	"context"
	"io"
	"log"
	"log/slog"
	"os"
	"strings"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/term"
)

// LevelTrace is go-plugin's level below debug.
const LevelTrace = slog.LevelDebug - 4

// NewLogger makes a logger for a process: readable text on a terminal; otherwise go-plugin's form,
// one JSON object a line, from which a host takes level, message and attributes.
func NewLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
	}
	handler := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: hclogAttr})
	return slog.New(handler).With("@module", "mortise")
}

// hclogAttr gives the built-in attributes the names and forms of hclog's JSON, which a host parses.
func hclogAttr(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		if a.Value.Kind() == slog.KindTime {
			return slog.String("@timestamp", a.Value.Time().Format("2006-01-02T15:04:05.000000Z07:00"))
		}
	case slog.LevelKey:
		if level, ok := a.Value.Any().(slog.Level); ok {
			return slog.String("@level", hclogLevel(level).String())
		}
	case slog.MessageKey:
		return slog.Attr{Key: "@message", Value: a.Value}
	}
	return a
}

func hclogLevel(level slog.Level) hclog.Level {
	switch {
	case level < slog.LevelDebug:
		return hclog.Trace
	case level < slog.LevelInfo:
		return hclog.Debug
	case level < slog.LevelWarn:
		return hclog.Info
	case level < slog.LevelError:
		return hclog.Warn
	default:
		return hclog.Error
	}
}

func slogLevel(level hclog.Level) slog.Level {
	switch level {
	case hclog.Trace:
		return LevelTrace
	case hclog.Debug:
		return slog.LevelDebug
	case hclog.Warn:
		return slog.LevelWarn
	case hclog.Error:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// An hcLog is an hclog.Logger that writes to a slog.Logger, for go-plugin. hclog itself has only the
// opposite.
type hcLog struct {
	logger *slog.Logger
	least  slog.Level // what is below is dropped, whatever logger takes
	name   string
	args   []any
}

func newHCLog(logger *slog.Logger, least slog.Level) hclog.Logger {
	return &hcLog{logger: logger, least: least}
}

func (l *hcLog) enabled(level slog.Level) bool {
	return level >= l.least && l.logger.Enabled(context.Background(), level)
}

// Log writes a message.
func (l *hcLog) Log(level hclog.Level, msg string, args ...any) {
	if to := slogLevel(level); l.enabled(to) {
		l.logger.Log(context.Background(), to, msg, args...)
	}
}

// Trace, Debug, Info, Warn and Error write a message at their level.
func (l *hcLog) Trace(msg string, args ...any) { l.Log(hclog.Trace, msg, args...) }

// Debug is like Trace.
func (l *hcLog) Debug(msg string, args ...any) { l.Log(hclog.Debug, msg, args...) }

// Info is like Trace.
func (l *hcLog) Info(msg string, args ...any) { l.Log(hclog.Info, msg, args...) }

// Warn is like Trace.
func (l *hcLog) Warn(msg string, args ...any) { l.Log(hclog.Warn, msg, args...) }

// Error is like Trace.
func (l *hcLog) Error(msg string, args ...any) { l.Log(hclog.Error, msg, args...) }

// IsTrace and the like say whether a message of that level is written.
func (l *hcLog) IsTrace() bool { return l.enabled(LevelTrace) }

// IsDebug is like IsTrace.
func (l *hcLog) IsDebug() bool { return l.enabled(slog.LevelDebug) }

// IsInfo is like IsTrace.
func (l *hcLog) IsInfo() bool { return l.enabled(slog.LevelInfo) }

// IsWarn is like IsTrace.
func (l *hcLog) IsWarn() bool { return l.enabled(slog.LevelWarn) }

// IsError is like IsTrace.
func (l *hcLog) IsError() bool { return l.enabled(slog.LevelError) }

// GetLevel returns the least level that is written.
func (l *hcLog) GetLevel() hclog.Level {
	for _, level := range []hclog.Level{hclog.Trace, hclog.Debug, hclog.Info, hclog.Warn, hclog.Error} {
		if l.enabled(slogLevel(level)) {
			return level
		}
	}
	return hclog.Off
}

// SetLevel does nothing: the level is slog's affair.
func (l *hcLog) SetLevel(hclog.Level) {}

// ImpliedArgs returns what With has added.
func (l *hcLog) ImpliedArgs() []any { return l.args }

// With adds attributes to all messages.
func (l *hcLog) With(args ...any) hclog.Logger {
	return &hcLog{logger: l.logger.With(args...), least: l.least, name: l.name, args: append(append([]any{}, l.args...), args...)}
}

// Name returns the name; go-plugin names loggers, but slog has no place for that.
func (l *hcLog) Name() string { return l.name }

// Named returns a logger with a further name.
func (l *hcLog) Named(name string) hclog.Logger {
	if l.name != "" {
		name = l.name + "." + name
	}
	return l.ResetNamed(name)
}

// ResetNamed returns a logger with another name.
func (l *hcLog) ResetNamed(name string) hclog.Logger {
	renamed := *l
	renamed.name = name
	return &renamed
}

// StandardLogger returns a logger of the standard library.
func (l *hcLog) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return slog.NewLogLogger(l.logger.Handler(), slog.LevelInfo)
}

// StandardWriter returns a writer each of whose lines becomes a message.
func (l *hcLog) StandardWriter(*hclog.StandardLoggerOptions) io.Writer {
	return lineWriter(func(line string) { l.Info(line) })
}

// lineWriter calls itself for each line written. Lines are taken to be written at once.
type lineWriter func(line string)

// Write passes the lines on.
func (w lineWriter) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		w(strings.TrimRight(line, "\r\n"))
	}
	return len(p), nil
}
