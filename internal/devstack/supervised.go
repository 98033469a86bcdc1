package devstack

import (
	"context"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"
)

const (
	maxBackoff = 30 * time.Second

	// A child that ran this long has recovered: its next pause is short again.
	recovered = time.Minute
)

// supervised is one child with the goroutine that watches it.
type supervised struct {
	spec     Child
	log      string
	progress io.Writer
	stopping chan struct{}
	watched  chan struct{} // closed when the watch has ended

	mu      sync.Mutex
	process *process
	stopped bool
}

func supervise(spec Child, log string, progress io.Writer) (*supervised, error) {
	if spec.ReadyWithin == 0 {
		spec.ReadyWithin = defaultReadyWithin
	}
	if spec.Grace == 0 {
		spec.Grace = defaultGrace
	}
	c := &supervised{
		spec: spec, log: log, progress: progress,
		stopping: make(chan struct{}), watched: make(chan struct{}),
	}
	if err := c.launch(); err != nil {
		return nil, err
	}
	go c.watch()
	return c, nil
}

// launch does nothing once the child was told to stop: a restart must not
// slip in behind a stop.
func (c *supervised) launch() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil
	}
	p, err := start(command{
		name: c.spec.Name, path: c.spec.Path, args: c.spec.Args, env: c.spec.Env,
		log: c.log, deathSignal: syscall.SIGKILL,
	})
	if err != nil {
		return err
	}
	c.process = p
	return nil
}

func (c *supervised) running() *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.process
}

// awaitReady fails at the first end of the process: one that crashes while it
// starts has a reason that restarts do not cure.
func (c *supervised) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.spec.ReadyWithin)
	defer cancel()
	first := c.running()
	var last error
	err := poll(ctx, 25*time.Millisecond, func() (bool, error) {
		if first.exited() {
			return false, fmt.Errorf("%w (%s): %s", errEndedEarly, first.fate(), lastWords(c.log))
		}
		if c.spec.Ready == nil {
			return true, nil
		}
		last = c.spec.Ready(ctx)
		return last == nil, nil
	})
	return withLast(err, last)
}

func (c *supervised) watch() {
	defer close(c.watched)
	pause := c.spec.Backoff
	for {
		began := time.Now()
		p := c.running()
		if !c.endedUnasked(p) {
			return
		}
		if c.spec.Backoff == 0 {
			fmt.Fprintf(c.progress, "%s: ended (%s); see %s\n", c.spec.Name, p.fate(), c.log)
			return
		}
		if time.Since(began) > recovered {
			pause = c.spec.Backoff
		}
		fmt.Fprintf(c.progress, "%s: ended (%s), starting it again in %s; see %s\n", c.spec.Name, p.fate(), pause, c.log)
		if !c.relaunch(&pause) {
			return
		}
	}
}

// endedUnasked waits for the end of p, or for the order to stop.
func (c *supervised) endedUnasked(p *process) bool {
	select {
	case <-p.done:
	case <-c.stopping:
	}
	select {
	case <-c.stopping:
		return false
	default:
		return true
	}
}

// relaunch pauses and starts, again and again; false is the order to stop.
func (c *supervised) relaunch(pause *time.Duration) bool {
	for {
		timer := time.NewTimer(*pause)
		select {
		case <-timer.C:
		case <-c.stopping:
			timer.Stop()
			return false
		}
		*pause = min(2**pause, maxBackoff)
		err := c.launch()
		if err == nil {
			return true
		}
		fmt.Fprintf(c.progress, "%v; trying again in %s\n", err, *pause)
	}
}

func (c *supervised) stop() error {
	c.mu.Lock()
	if !c.stopped {
		c.stopped = true
		close(c.stopping)
	}
	c.mu.Unlock()
	<-c.watched
	return c.running().stop(step{syscall.SIGTERM, c.spec.Grace})
}
