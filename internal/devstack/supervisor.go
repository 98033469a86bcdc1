package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"interlock/internal/listen"
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

	// Tells makes the child write down the addresses that it listens on, as
	// package listen has it. It is not ready before, and comes back at the same.
	Tells bool

	// Ready is asked until it is nil, with what the child has told; without it
	// the child is ready once it has started, and told.
	Ready       func(context.Context, listen.Addresses) error
	ReadyWithin time.Duration // 0 is 30 s
	Backoff     time.Duration // pause before a restart, doubled up to 30 s; 0 is never restarted
	Grace       time.Duration // between SIGTERM and SIGKILL; 0 is 10 s
}

// Supervisor keeps children running and ends them in reverse order. A child's
// output goes to logs/<name>.log, its addresses to addresses/<name>.json.
type Supervisor struct {
	logs      string
	addresses string
	progress  io.Writer

	mu       sync.Mutex
	children []*supervised
	stopped  bool
}

// NewSupervisor keeps logs and addresses below dir. Progress gets a line when a child ends
// unasked; nil is silence.
func NewSupervisor(dir string, progress io.Writer) (*Supervisor, error) {
	if progress == nil {
		progress = io.Discard
	}
	s := &Supervisor{logs: filepath.Join(dir, "logs"), addresses: filepath.Join(dir, "addresses"), progress: progress}
	if err := errors.Join(makePrivateDir(s.logs), makePrivateDir(s.addresses)); err != nil {
		return nil, fmt.Errorf("supervisor: %w", err)
	}
	return s, nil
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
	told, err := s.addressFile(&c)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	child, err := supervise(c, filepath.Join(s.logs, c.Name+".log"), told, s.progress)
	if err != nil {
		return nil, err
	}
	s.children = append(s.children, child)
	return child, nil
}

// addressFile names c's file to it, and removes what another start left there,
// which would pin c to the ports of that.
func (s *Supervisor) addressFile(c *Child) (string, error) {
	if !c.Tells {
		return "", nil
	}
	file := filepath.Join(s.addresses, c.Name+".json")
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	c.Env = append(slices.Clone(c.Env), listen.Variable+"="+file)
	return file, nil
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

// Unrest says which children have ended unasked and how, in one line: a reason
// why what they do together is not done. It is empty when none has.
func (s *Supervisor) Unrest() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, child := range s.children {
		if one := child.unrest(); one != "" {
			all = append(all, one)
		}
	}
	return strings.Join(all, "; ")
}

// Addresses are where a child listens, for one that tells them.
func (s *Supervisor) Addresses(name string) (listen.Addresses, error) {
	child, err := s.find(name)
	if err != nil {
		return nil, err
	}
	return child.addresses()
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
