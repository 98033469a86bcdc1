package api

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"interlock/internal/view"
)

const maxBody = 64 << 10

// ServeHTTP answers every request in JSON, counts it, and writes one log line
// without query, headers or body: those may hold secrets.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	secure(w.Header())
	answer := &answerWriter{ResponseWriter: w}
	route := s.serve(answer, r)
	s.Metrics.Requested(answer.status)
	s.Log.LogAttrs(r.Context(), levelOf(answer.status, route), "answered", attrs(r, route, answer.status, time.Since(began))...)
}

// secure keeps answers out of caches, frames and scripts. A browser's page of
// another origin has no business here, unless crossOrigin lists it.
func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}

// serve answers and returns the route, which is empty when there is none.
func (s *server) serve(w *answerWriter, r *http.Request) (route string) {
	defer s.recovered(w, r)
	route, refusal := s.route(w, r)
	if refusal != nil {
		refusal.write(w)
		return route
	}
	if !strings.HasPrefix(r.URL.Path, "/api/") {
		s.mux.ServeHTTP(w, r)
		return route
	}
	who, refusal := s.admit(r, route)
	if refusal == nil {
		refusal = checkBody(r)
	}
	if refusal == nil {
		refusal = checkQuery(r.URL.RawQuery)
	}
	if refusal != nil {
		if refusal.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		refusal.write(w)
		return route
	}
	ctx := context.WithValue(view.WithIdentity(r.Context(), who), askedKey{}, asked{who, s.Now()})
	s.mux.ServeHTTP(w, r.WithContext(ctx))
	return route
}

// route asks the mux without letting it answer: it would do so in plain text.
func (s *server) route(w http.ResponseWriter, r *http.Request) (string, *Problem) {
	if r.URL.Path == "" || path.Clean(r.URL.Path) != r.URL.Path {
		return "", problem(http.StatusNotFound, NotFound, "there is nothing here; /openapi.json describes what there is")
	}
	handler, route := s.mux.Handler(r)
	if route != "" {
		return route, nil
	}
	probe := &answerWriter{ResponseWriter: discard{header: http.Header{}}}
	handler.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", probe.Header().Get("Allow"))
		return "", problem(probe.status, MethodNotAllowed, "use one of %s", probe.Header().Get("Allow"))
	}
	return "", problem(http.StatusNotFound, NotFound, "there is nothing here; /openapi.json describes what there is")
}

type askedKey struct{}

// asked is who asks, and when; serve puts it into the request's context.
type asked struct {
	who view.Identity
	at  time.Time
}

func askedIn(ctx context.Context) asked {
	a, _ := ctx.Value(askedKey{}).(asked)
	return a
}

// whoAsks is who the request's token speaks for.
func whoAsks(ctx context.Context) view.Identity { return askedIn(ctx).who }

// checkBody refuses what surely is no small JSON before it is read.
func checkBody(r *http.Request) *Problem {
	switch {
	case r.ContentLength == 0:
		return nil
	case r.ContentLength > maxBody:
		return errTooLarge()
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || media != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") || r.Header.Get("Content-Encoding") != "" {
		return problem(http.StatusUnsupportedMediaType, JSONOnly, "send plain UTF-8 JSON with Content-Type: application/json")
	}
	return nil
}

// recovered turns a panic into an answer, unless one has begun.
func (s *server) recovered(w *answerWriter, r *http.Request) {
	fault := recover()
	if fault == nil {
		return
	}
	if err, ok := fault.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(fault)
	}
	s.Log.Error("handler panicked", "method", r.Method, "path", r.URL.Path, "fault", fault)
	if w.status == 0 {
		errInternal().write(w)
	}
}
