package telemetry

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"
)

// Logger writes JSON lines to f, or short text when f is a terminal.
func Logger(f *os.File, service string) *slog.Logger {
	return logger(f, term.IsTerminal(int(f.Fd())), service)
}

func logger(w io.Writer, terminal bool, service string) *slog.Logger {
	if terminal {
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: short}))
	}
	return slog.New(slog.NewJSONHandler(w, nil)).With("service", service)
}

// short keeps the time of day and drops the level of ordinary news.
func short(groups []string, a slog.Attr) slog.Attr {
	switch {
	case len(groups) > 0:
	case a.Key == slog.TimeKey:
		a.Value = slog.StringValue(a.Value.Time().Format("15:04:05.000"))
	case a.Key == slog.LevelKey && a.Value.Any() == slog.LevelInfo:
		return slog.Attr{}
	}
	return a
}
