package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"syscall"
	"time"

	"interlock/internal/listen"
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
	told     string // the file in which it tells its addresses; empty for one that does not
	progress io.Writer
	ready    chan struct{} // closed once it has been
	stopping chan struct{}
	watched  chan struct{} // closed when the watch has ended

	mu      sync.Mutex
	process *process
	stopped bool
	ends    int   // that nobody asked for
	lastEnd error // the last of them
}

func supervise(spec Child, log, told string, progress io.Writer) (*supervised, error) {
	if spec.ReadyWithin == 0 {
		spec.ReadyWithin = defaultReadyWithin
	}
	if spec.Grace == 0 {
		spec.Grace = defaultGrace
	}
	c := &supervised{
		spec: spec, log: log, told: told, progress: progress,
		ready: make(chan struct{}), stopping: make(chan struct{}), watched: make(chan struct{}),
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
	if c.spec.Ready != nil || c.spec.Tells {
		if err := c.awaitAnswer(ctx); err != nil {
			return err
		}
	}
	close(c.ready)
	return nil
}

func (c *supervised) awaitAnswer(ctx context.Context) error {
	return c.running().awaitReady(ctx, c.spec.ReadyWithin, 25*time.Millisecond, func(ctx context.Context) error {
		at, err := c.addresses()
		if errors.Is(err, fs.ErrNotExist) {
			return errors.New("it has not told where it listens")
		}
		if err != nil || c.spec.Ready == nil {
			return err
		}
		return c.spec.Ready(ctx, at)
	})
}

// addresses are what the child has told; none for one that never does.
func (c *supervised) addresses() (listen.Addresses, error) {
	if c.told == "" {
		return nil, nil
	}
	return listen.Read(c.told)
}

func (c *supervised) watch() {
	defer close(c.watched)
	select {
	case <-c.ready:
	case <-c.stopping:
		return
	}
	pause := c.spec.Backoff
	for {
		began := time.Now()
		p := c.running()
		if !c.endedUnasked(p) {
			return
		}
		ended := c.noteEnd(p)
		if c.spec.Backoff == 0 {
			fmt.Fprintf(c.progress, "%s: %v\n", c.spec.Name, ended)
			return
		}
		if time.Since(began) > recovered {
			pause = c.spec.Backoff
		}
		fmt.Fprintf(c.progress, "%s: %v; starting it again in %s\n", c.spec.Name, ended, pause)
		if !c.relaunch(&pause) {
			return
		}
	}
}

func (c *supervised) noteEnd(p *process) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends++
	c.lastEnd = p.ended("")
	return c.lastEnd
}

// unrest says how often the child ended unasked, and how the last time; empty
// for one that never did.
func (c *supervised) unrest() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ends == 0 {
		return ""
	}
	return fmt.Sprintf("%s %v; that is end %d of it", c.spec.Name, c.lastEnd, c.ends)
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
