package api

import (
	"log/slog"
	"net/http"
	"time"
)

// answerWriter remembers the status that was sent.
type answerWriter struct {
	http.ResponseWriter
	status int
}

func (w *answerWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *answerWriter) Write(data []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(data)
}

// Unwrap lets huma set the body's read deadline.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// discard takes an answer that nobody is to see.
type discard struct{ header http.Header }

func (d discard) Header() http.Header            { return d.header }
func (d discard) Write(data []byte) (int, error) { return len(data), nil }
func (d discard) WriteHeader(int)                {}

func attrs(r *http.Request, route string, status int, took time.Duration) []slog.Attr {
	if route == "" {
		route = "none"
	}
	return []slog.Attr{
		slog.String("method", r.Method), slog.String("route", route), slog.Int("status", status), slog.Duration("took", took),
	}
}

// levelOf keeps what is asked every second out of ordinary logs.
func levelOf(status int, route string) slog.Level {
	switch {
	case status >= http.StatusInternalServerError:
		return slog.LevelWarn
	case route == "GET "+livePath, route == "GET "+readyPath:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}
