package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	superuser = "postgres"
	database  = "interlock"

	// postgresReady bounds a start that recovers from a crash.
	postgresReady = 3 * time.Minute
)

// PostgresConfig says where a private PostgreSQL lives.
type PostgresConfig struct {
	Dir      string    // holds data, password and log; survives restarts
	Port     int       // 0 picks a free one
	Fast     bool      // for tests: a machine's crash may lose everything
	Progress io.Writer // one line per thing that takes time; nil is silence

	ports ports
}

// Postgres is a running private server.
type Postgres struct {
	cfg      PostgresConfig
	home     installation
	owner    account
	password string
	lock     io.Closer
	stopped  atomic.Bool

	mu      sync.Mutex
	process *process
	port    int
}

// StartPostgres starts a server of PostgreSQL 15 or later on 127.0.0.1 and
// returns when it answers. It uses the machine's own installation, else a
// downloaded one; as root the server runs as an unprivileged user. An orphan
// of a killed predecessor is ended first. Data of another major version, a
// folder in use or out of reach, and a taken port are errors that say so.
func StartPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	p, err := preparePostgres(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	if err := p.open(ctx); err != nil {
		p.lock.Close()
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	return p, nil
}

func preparePostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	cfg.Dir = dir
	if cfg.Progress == nil {
		cfg.Progress = io.Discard
	}
	if err := makeDir(cfg.Dir); err != nil {
		return nil, err
	}
	lock, err := tryLock(filepath.Join(cfg.Dir, "postgres.lock"))
	if errors.Is(err, errHeld) {
		return nil, fmt.Errorf("%s is in use by another process: stop it, or use another folder", cfg.Dir)
	}
	if err != nil {
		return nil, err
	}
	p := &Postgres{cfg: cfg, lock: lock}
	if err := p.settle(ctx); err != nil {
		lock.Close()
		return nil, err
	}
	return p, nil
}

// settle decides user and binaries, and makes the data folder if there is none.
func (p *Postgres) settle(ctx context.Context) (err error) {
	if p.owner, err = serverAccount(p.data()); err != nil {
		return err
	}
	if err := p.owner.canReach(p.cfg.Dir); err != nil {
		return err
	}
	want, err := dataMajor(p.data())
	if err != nil {
		return err
	}
	if p.home, err = findPostgres(ctx, want, p.data(), p.owner, p.cfg.Progress); err != nil {
		return err
	}
	if p.password, err = keepPassword(p.path("password"), want != 0); err != nil {
		return err
	}
	if want == 0 {
		return p.initialise(ctx)
	}
	return nil
}

func (p *Postgres) path(name string) string { return filepath.Join(p.cfg.Dir, name) }
func (p *Postgres) data() string            { return p.path("data") }
func (p *Postgres) logFile() string         { return p.path("postgres.log") }

// URL is the superuser's connection to the database "interlock".
func (p *Postgres) URL() string { return p.urlOf(database) }

func (p *Postgres) urlOf(name string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, p.password),
		Host: hostPort(p.Port()), Path: "/" + name, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Port is where the server listens; it stays the same over Restart.
func (p *Postgres) Port() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.port
}

// Pid is the postmaster's process ID, also after its end.
func (p *Postgres) Pid() int { return p.running().pid() }

// Done is closed when the present server process has ended, for any reason.
func (p *Postgres) Done() <-chan struct{} { return p.running().done }

// Ended says how the server process ended whose Done is closed.
func (p *Postgres) Ended() error { return p.running().ended("") }

func (p *Postgres) running() *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.process
}

// Signal sends sig to the postmaster, e.g. SIGSTOP to refuse new connections.
func (p *Postgres) Signal(sig syscall.Signal) error { return p.running().signal(sig) }

// Kill ends the server as a crash would, and returns when no process of it is
// left. The folder stays ours: Restart brings the data back.
func (p *Postgres) Kill() error {
	if err := p.running().kill(); err != nil {
		return err
	}
	return stopPredecessor(context.Background(), p.data(), io.Discard)
}

// Restart stops the server if it runs and starts it again on the same port,
// waiting for it should another program have it meanwhile. After Stop it fails:
// the folder may be another's by then.
func (p *Postgres) Restart(ctx context.Context) error {
	if p.stopped.Load() {
		return errors.New("restart PostgreSQL: it was stopped")
	}
	if err := p.shutdown(); err != nil {
		return err
	}
	p.cfg.Port = p.Port()
	if err := onSamePorts(ctx, "PostgreSQL", p.cfg.Progress, func() error { return p.open(ctx) }); err != nil {
		return fmt.Errorf("restart PostgreSQL: %w", err)
	}
	return nil
}

// Stop disconnects everybody and ends the server within half a minute, killed
// if need be; data that was committed is kept either way. A second Stop does
// nothing.
func (p *Postgres) Stop() error {
	err := p.shutdown()
	if p.stopped.CompareAndSwap(false, true) {
		p.lock.Close()
	}
	return err
}

func (p *Postgres) shutdown() error {
	return p.running().stop(
		step{syscall.SIGINT, 20 * time.Second},
		step{syscall.SIGQUIT, 6 * time.Second},
	)
}
