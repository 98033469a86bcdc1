package stack

import (
	"context"
	"time"

	"interlock/internal/devstack"
)

const usualAPIPort = 8085

// startAPI starts the HTTP API as a process of its own.
func (s *Stack) startAPI(ctx context.Context) error {
	port, err := pick(s.opts.APIPort, usualAPIPort)
	if err != nil {
		return err
	}
	database, err := s.databaseURL("api")
	if err != nil {
		return err
	}
	base := "http://" + loopback(port)
	s.info.URLs[API] = base
	return s.start(ctx, devstack.Child{
		Name: "api", Path: s.opts.Self, Args: []string{"serve"},
		Env:         append(append([]string{}, s.env...), "DATABASE_URL="+database, "INTERLOCK_API_ADDR="+loopback(port)),
		Grace:       drain,
		Ready:       func(ctx context.Context) error { return answers(ctx, base+"/readyz") },
		ReadyWithin: time.Minute,
	})
}
