package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	defaultReadyWithin = 30 * time.Second
	defaultGrace       = 10 * time.Second
)

// Child is a program to keep running.
type Child struct {
	Name string
	Path string
	Args []string
	Env  []string // all of it: nothing of ours is inherited

	Ready       func(context.Context) error // asked until nil; nil itself means ready once started
	ReadyWithin time.Duration               // 0 is 30 s
	Backoff     time.Duration               // pause before a restart, doubled up to 30 s; 0 is never restarted
	Grace       time.Duration               // between SIGTERM and SIGKILL; 0 is 10 s
}

// Supervisor keeps children running and ends them in reverse order. A child's
// output goes to logs/<name>.log.
type Supervisor struct {
	logs     string
	progress io.Writer

	mu       sync.Mutex
	children []*supervised
	stopped  bool
}

// NewSupervisor keeps logs below dir. Progress gets a line when a child ends
// unasked; nil is silence.
func NewSupervisor(dir string, progress io.Writer) (*Supervisor, error) {
	if progress == nil {
		progress = io.Discard
	}
	logs := filepath.Join(dir, "logs")
	if err := makePrivateDir(logs); err != nil {
		return nil, fmt.Errorf("supervisor: %w", err)
	}
	return &Supervisor{logs: logs, progress: progress}, nil
}

// Start starts c and returns when it is ready. It fails, leaving no process,
// when c ends or is not ready in time; then the error carries c's last words.
func (s *Supervisor) Start(ctx context.Context, c Child) error {
	child, err := s.add(c)
	if err != nil {
		return err
	}
	if err := child.awaitReady(ctx); err != nil {
		s.forget(child)
		return errors.Join(fmt.Errorf("start %s: %w", c.Name, err), child.stop())
	}
	return nil
}

func (s *Supervisor) add(c Child) (*supervised, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, fmt.Errorf("start %s: the supervisor was stopped", c.Name)
	}
	if slices.ContainsFunc(s.children, func(other *supervised) bool { return other.spec.Name == c.Name }) {
		return nil, fmt.Errorf("start %s: it already runs", c.Name)
	}
	child, err := supervise(c, filepath.Join(s.logs, c.Name+".log"), s.progress)
	if err != nil {
		return nil, err
	}
	s.children = append(s.children, child)
	return child, nil
}

func (s *Supervisor) forget(child *supervised) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.children = slices.DeleteFunc(s.children, func(other *supervised) bool { return other == child })
}

// Stop ends all children, the last started first, and returns when none is
// left. Each gets SIGTERM, its grace, then SIGKILL.
func (s *Supervisor) Stop() error {
	s.mu.Lock()
	s.stopped = true
	children := slices.Clone(s.children)
	s.mu.Unlock()
	var errs []error
	for _, child := range slices.Backward(children) {
		errs = append(errs, child.stop())
	}
	return errors.Join(errs...)
}

// End ends one child as Stop does. Its name may be started again.
func (s *Supervisor) End(name string) error {
	child, err := s.find(name)
	if err != nil {
		return err
	}
	err = child.stop()
	s.forget(child)
	return err
}

// Kill ends a child as a crash would; it comes back if it has a backoff.
func (s *Supervisor) Kill(name string) error {
	child, err := s.find(name)
	if err != nil {
		return err
	}
	return child.running().kill()
}

// Signal sends sig to a child. One that has just ended gets nothing.
func (s *Supervisor) Signal(name string, sig syscall.Signal) error {
	child, err := s.find(name)
	if err != nil {
		return err
	}
	return child.running().signal(sig)
}

// Pid is a child's process ID; another one after each restart.
func (s *Supervisor) Pid(name string) (int, error) {
	child, err := s.find(name)
	if err != nil {
		return 0, err
	}
	return child.running().pid(), nil
}

func (s *Supervisor) find(name string) (*supervised, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, child := range s.children {
		if child.spec.Name == name {
			return child, nil
		}
	}
	return nil, fmt.Errorf("no child named %s", name)
}
