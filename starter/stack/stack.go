// Package stack brings the whole system up on one machine: database, Temporal,
// paper exchange, one worker process per role and the HTTP API, each with its
// own login and only its own keys. It decides the order in which they start
// and end and what ready means, and owns the secrets of the state folder. It
// refuses to know what a proposal is.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.temporal.io/sdk/client"

	"interlock/internal/config"
	"interlock/internal/devstack"
)

// Options say what to bring up. A zero port is a free one, Usual the well-known
// one or, where that is taken, a free one.
type Options struct {
	Dir          string // state folder
	Config       config.StarterConfig
	Getenv       func(string) string
	APIPort      int
	TemporalPort int
	UIPort       int
	ExchangePort int
	ExchangeArgs []string            // more flags for the paper exchange
	Workers      map[config.Role]int // processes per role; none said is one
	NoScans      bool                // do not make the demo's scan
	Self         string              // our own binary, for exchange and API
	Progress     io.Writer
}

// Usual as a port asks for the well-known one.
const Usual = -1

// Stack is everything that runs. Stop ends it.
type Stack struct {
	NewToken string // of the first user, when this start made it

	opts     Options
	lock     *devstack.StateLock
	secrets  *secrets
	info     devstack.Info
	children *devstack.Supervisor
	postgres *devstack.Postgres
	server   *devstack.Temporal
	temporal client.Client
	env      []string // of every child
	stops    []func() error
	started  time.Time
	breakage chan breakage
}

// Up brings everything up and returns when the first proposal can be executed.
// When it fails, nothing is left running. Another stack on the same folder is
// a *devstack.LockedError.
func Up(ctx context.Context, opts Options) (*Stack, error) {
	lock, err := devstack.Lock(opts.Dir)
	if err != nil {
		return nil, err
	}
	s := &Stack{opts: opts, lock: lock, started: time.Now(), info: devstack.Info{URLs: map[string]string{}}, breakage: make(chan breakage)}
	s.stops = append(s.stops, lock.Release)
	if err := s.up(ctx); err != nil {
		if full := devstack.DiskProblem(opts.Dir); full != nil {
			err = full // the rest only follows from it
		}
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Stack) up(ctx context.Context) error {
	if err := s.checkPorts(); err != nil {
		return err
	}
	secrets, err := openSecrets(s.opts.Dir)
	if err != nil {
		return err
	}
	s.secrets = secrets
	if s.children, err = devstack.NewSupervisor(s.opts.Dir, s.opts.Progress); err != nil {
		return err
	}
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		{"database", s.startDatabase}, {"Temporal", s.startTemporal}, {"exchange", s.startExchange},
		{"analyst", s.startAnalyst},
		{"account", s.ensureAccount}, {"workers", s.startWorkers}, {"API", s.startAPI},
		{"first user", s.ensureUser}, {"first scan", s.ensureScan}, {"readiness", s.awaitReady},
	}
	for _, step := range steps {
		began := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
		s.sayf("%-10s ready after %s", step.what, time.Since(began).Round(10*time.Millisecond))
	}
	s.info.Started = s.started
	return s.lock.Publish(s.info)
}

func (s *Stack) sayf(format string, args ...any) {
	if s.opts.Progress != nil {
		fmt.Fprintf(s.opts.Progress, format+"\n", args...)
	}
}

// URLs are the addresses of everything that runs, by the names of this package.
func (s *Stack) URLs() map[string]string { return s.info.URLs }

// Kill ends a child as a crash would; it comes back by itself.
func (s *Stack) Kill(name string) error { return s.children.Kill(name) }

// Wait keeps everything running until ctx ends: children are restarted by
// their supervisor, database and Temporal here.
func (s *Stack) Wait(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-done(s.postgres):
			s.sayf("PostgreSQL %v; starting it again", s.postgres.Ended())
			if err := s.postgres.Restart(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		case <-done(s.server):
			s.sayf("Temporal %v; starting it again", s.server.Ended())
			if err := s.server.Restart(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		case b := <-s.breakage:
			b.done <- b.do(ctx)
		case <-time.After(republish):
			s.publishPIDs()
		}
	}
}

const republish = 2 * time.Second

// done is never closed for a part that somebody else runs.
func done[T interface{ Done() <-chan struct{} }](part T) <-chan struct{} {
	if any(part) == any(*new(T)) {
		return nil
	}
	return part.Done()
}

// Stop ends everything in the reverse order of its start, workers drained
// before what they talk to is gone.
func (s *Stack) Stop() error {
	var errs []error
	for i := len(s.stops) - 1; i >= 0; i-- {
		errs = append(errs, s.stops[i]())
	}
	s.stops = nil
	return errors.Join(errs...)
}
