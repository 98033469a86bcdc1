package stack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// breakage is something to do to a server between its end and its next start.
// Wait does it, because nobody else may start servers.
type breakage struct {
	do   func(context.Context) error
	done chan<- error
}

// errForeign is the answer when the part to break is not ours.
var errForeign = errors.New("it was not started by this stack")

// Signal sends sig to a child, e.g. SIGSTOP to freeze it.
func (s *Stack) Signal(name string, sig syscall.Signal) error { return s.children.Signal(name, sig) }

// Abandon ends everything at once, for a stack whose data nobody wants any
// more: workers are killed, so there is nothing to drain. It must not be called
// while Wait runs.
func (s *Stack) Abandon() error {
	var errs []error
	for name := range s.info.URLs {
		if child, found := strings.CutPrefix(name, PID); found {
			errs = append(errs, s.children.Kill(child))
		}
	}
	return errors.Join(append(errs, s.Stop())...)
}

// CrashDatabase ends PostgreSQL in its immediate mode, which writes nothing
// more, and returns when it has ended. Wait starts it again.
func (s *Stack) CrashDatabase() error {
	if s.postgres == nil {
		return errForeign
	}
	ended := s.postgres.Done()
	if err := s.postgres.Signal(syscall.SIGQUIT); err != nil {
		return err
	}
	<-ended
	return nil
}

// CopyTemporal kills Temporal, copies its database to the folder to, and
// starts it again. It needs Wait to be running, and returns when it is done.
func (s *Stack) CopyTemporal(ctx context.Context, to string) error {
	return s.whileDown(ctx, func() error { return os.CopyFS(to, os.DirFS(s.temporalDir())) })
}

// RestoreTemporal kills Temporal and starts it on the copy in the folder from:
// all that happened since is forgotten. It needs Wait to be running.
func (s *Stack) RestoreTemporal(ctx context.Context, from string) error {
	return s.whileDown(ctx, func() error {
		if err := os.RemoveAll(s.temporalDir()); err != nil {
			return err
		}
		return os.CopyFS(s.temporalDir(), os.DirFS(from))
	})
}

func (s *Stack) temporalDir() string { return filepath.Join(s.opts.Dir, "temporal") }

// whileDown does something while Temporal is killed.
func (s *Stack) whileDown(ctx context.Context, do func() error) error {
	if s.server == nil {
		return errForeign
	}
	done := make(chan error, 1)
	b := breakage{done: done, do: func(ctx context.Context) error {
		err := s.server.Kill()
		if err == nil {
			err = do()
		}
		return errors.Join(err, s.server.Restart(ctx))
	}}
	select {
	case s.breakage <- b:
		return <-done
	case <-ctx.Done():
		return ctx.Err()
	}
}
