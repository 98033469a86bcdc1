package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// command is a child to start. Its environment is complete: nothing of ours
// is inherited, so no key leaks by being forgotten.
type command struct {
	name        string
	path        string
	args        []string
	env         []string
	dir         string
	log         string
	runAs       *syscall.Credential
	deathSignal syscall.Signal
}

// process is a started child. done is closed once it was reaped.
type process struct {
	name     string
	cmd      *exec.Cmd
	log      string
	logStart int64 // where its own words begin
	done     chan struct{}
	err      error
}

func start(c command) (*process, error) {
	log, err := openLog(c.log)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", c.name, err)
	}
	defer log.Close() // the child has its own descriptor
	cmd := exec.Command(c.path, c.args...)
	cmd.Env = append([]string{}, c.env...) // nil would mean: inherit ours
	cmd.Dir = c.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttributes(c.runAs, c.deathSignal)
	p := &process{name: c.name, cmd: cmd, log: c.log, done: make(chan struct{})}
	if info, err := log.Stat(); err == nil {
		p.logStart = info.Size()
	}
	if err := onLastingThread(cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	go p.reap()
	return p, nil
}

func (p *process) reap() {
	p.err = p.cmd.Wait()
	close(p.done)
}

// awaitReady asks ready until it is nil. It fails as soon as the child ends or
// ctx does, and when the child is not ready within a time; then it says what
// ready said last.
func (p *process) awaitReady(ctx context.Context, within, every time.Duration, ready func(context.Context) error) error {
	bound, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	go func() {
		select {
		case <-p.done:
			cancel() // whoever answers now is another
		case <-bound.Done():
		}
	}()
	var last error
	err := poll(bound, every, func() (bool, error) {
		err := ready(bound)
		if last == nil || bound.Err() == nil {
			last = err
		}
		return err == nil, nil
	})
	switch {
	case p.exited():
		return p.ended(" while starting")
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("not ready yet (%w): %w; its last words: %s; see %s", ctx.Err(), last, p.lastWords(), p.log)
	}
	return fmt.Errorf("not ready in %s: %w; its last words: %s; see %s", within, last, p.lastWords(), p.log)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// fate says how a child that was reaped ended.
func (p *process) fate() string { return p.cmd.ProcessState.String() }

func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal is safe against a pid that was reused: a reaped child gets nothing.
func (p *process) signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

// step is one way of asking a child to end, and how long to wait for it.
type step struct {
	sig  syscall.Signal
	wait time.Duration
}

// stop takes the steps in turn until the child is gone, then kills it. A
// stopped child could not act on a polite signal, so it is continued first.
func (p *process) stop(steps ...step) error {
	for _, s := range steps {
		if p.exited() {
			return nil
		}
		if err := p.signal(s.sig); err != nil {
			return err
		}
		if err := p.signal(syscall.SIGCONT); err != nil {
			return err
		}
		if p.gone(s.wait) {
			return nil
		}
	}
	return p.kill()
}

func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	if !p.gone(10 * time.Second) {
		return fmt.Errorf("%s (pid %d) survived a kill", p.name, p.pid())
	}
	return nil
}

func (p *process) gone(within time.Duration) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}
