package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// poolerReady bounds the start of a pooler, which has nothing to recover.
const poolerReady = 2 * time.Minute

// ErrNoPooler is that this machine has no pgbouncer.
var ErrNoPooler = errors.New("there is no pgbouncer on this machine")

// Pooler is a running pgbouncer in transaction mode: a client keeps a session
// of the server for one transaction and no longer.
type Pooler struct {
	dir     string
	behind  *url.URL
	owner   account
	process *process
	ports   ports
	port    int
}

// StartPooler starts pgbouncer on 127.0.0.1 in front of the server of behind,
// the URL of a superuser, and returns when it answers. Its settings are its own
// defaults wherever they matter: no startup parameter is ignored. ErrNoPooler
// when it is not installed.
func StartPooler(ctx context.Context, dir, behind string) (*Pooler, error) {
	program, err := findPooler()
	if err != nil {
		return nil, err
	}
	p, err := newPooler(dir, behind)
	if err == nil {
		err = p.open(ctx, program)
	}
	if err != nil {
		return nil, fmt.Errorf("start pgbouncer: %w", err)
	}
	return p, nil
}

func newPooler(dir, behind string) (p *Pooler, err error) {
	p = &Pooler{dir: dir}
	if p.behind, err = url.Parse(behind); err != nil {
		return nil, err
	}
	p.owner, err = serverAccount(filepath.Join(dir, "none"))
	return p, err
}

func (p *Pooler) open(ctx context.Context, program string) error {
	return onFreePorts(ctx, "pgbouncer", io.Discard, func() error { return p.start(ctx, program) })
}

func findPooler() (string, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} { // Debian keeps it out of a user's PATH
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNoPooler
}

// poolerSettings hands every transaction to the session that rested longest, so
// that whoever counts on a session is found out at once.
const poolerSettings = `[databases]
* = host=%s port=%s auth_user=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
pool_mode = transaction
server_round_robin = 1
default_pool_size = 20
max_client_conn = 1000
server_idle_timeout = 2
auth_type = scram-sha-256
auth_file = %s
`

func (p *Pooler) start(ctx context.Context, program string) (err error) {
	if p.port, err = p.ports.choose(0, "pgbouncer"); err != nil {
		return err
	}
	password, _ := p.behind.User.Password()
	users, settings := filepath.Join(p.dir, "users.txt"), filepath.Join(p.dir, "pgbouncer.ini")
	for path, text := range map[string]string{
		users:    fmt.Sprintf("%q %q\n", p.behind.User.Username(), password),
		settings: fmt.Sprintf(poolerSettings, p.behind.Hostname(), p.behind.Port(), p.behind.User.Username(), p.port, users),
	} {
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), p.owner.own(path)); err != nil {
			return err
		}
	}
	child, err := start(command{
		name: "pgbouncer", path: program, args: []string{settings}, env: bareEnv(), dir: p.dir, log: filepath.Join(p.dir, "pgbouncer.log"),
		runAs: p.owner.credential(), deathSignal: syscall.SIGKILL,
	})
	if err != nil {
		return err
	}
	p.process = child
	if err := child.awaitReady(ctx, poolerReady, 25*time.Millisecond, p.ping); err != nil {
		return errors.Join(err, child.kill())
	}
	return nil
}

func (p *Pooler) ping(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.URL(p.behind.String()))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// URL is the same database and login as direct, through the pooler.
func (p *Pooler) URL(direct string) string {
	u, err := url.Parse(direct)
	if err != nil {
		return direct // the connection itself will say what is wrong
	}
	u.Host = hostPort(p.port)
	return u.String()
}

// Stop cuts every connection.
func (p *Pooler) Stop() error { return p.process.stop(step{syscall.SIGTERM, 5 * time.Second}) }
