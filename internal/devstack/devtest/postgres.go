package devtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/devstack"
)

// DatabaseVariable names a server to use instead of one of our own, by the
// URL of a database whose user may create databases.
const DatabaseVariable = "INTERLOCK_TEST_DATABASE_URL"

// timeout bounds what a test waits for; it judges nothing.
const timeout = 5 * time.Minute

var database = lazily(func(dir string) (string, func() error, error) {
	if given := os.Getenv(DatabaseVariable); given != "" {
		return given, func() error { return nil }, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	p, err := devstack.StartPostgres(ctx, devstack.PostgresConfig{Dir: filepath.Join(dir, "postgres"), Fast: true})
	if err != nil {
		return "", nil, err
	}
	watch(p)
	return p.URL(), p.Stop, nil
})

func serverURL(tb testing.TB) string {
	tb.Helper()
	found, err := database()
	if err != nil {
		fail(tb, err)
	}
	return found
}

// Postgres returns the URL of a new, empty database that is dropped after tb.
// Its user is a superuser of a server that loses data with the machine.
func Postgres(tb testing.TB) string {
	tb.Helper()
	return newDatabase(tb, "template0")
}

// Database returns the URL of a new database that migrate has prepared,
// dropped after tb. migrate runs once per process; every later call with the
// same function copies its result, which takes a fraction of a second.
// migrate must have closed its connections when it returns.
func Database(tb testing.TB, migrate func(ctx context.Context, url string) error) string {
	tb.Helper()
	template, err := templateOf(tb, migrate)
	if err != nil {
		fail(tb, err)
	}
	return newDatabase(tb, template)
}

// PrivatePostgres starts a server for tb alone, to be killed, frozen and
// restarted.
func PrivatePostgres(tb testing.TB) *devstack.Postgres {
	tb.Helper()
	p, err := devstack.StartPostgres(tb.Context(), devstack.PostgresConfig{Dir: folder(tb, "postgres"), Fast: true, Progress: tb.Output()})
	if err != nil {
		fail(tb, err)
	}
	tb.Cleanup(func() {
		if err := p.Stop(); err != nil {
			tb.Errorf("devtest: %v", err)
		}
	})
	return p
}

var templates sync.Map // of function pointer to func() (string, error)

func templateOf(tb testing.TB, migrate func(context.Context, string) error) (string, error) {
	tb.Helper()
	base := serverURL(tb)
	build, _ := templates.LoadOrStore(reflect.ValueOf(migrate).Pointer(),
		sync.OnceValues(func() (string, error) { return buildTemplate(base, migrate) }))
	return build.(func() (string, error))()
}

func buildTemplate(base string, migrate func(context.Context, string) error) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	name := "template_" + random()
	if err := execute(ctx, base, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return "", err
	}
	shared.mu.Lock()
	// Before the server stops: one that was given to us outlives us.
	shared.stops = append([]func() error{func() error { return drop(base, name) }}, shared.stops...)
	shared.mu.Unlock()
	if err := migrate(ctx, withDatabase(base, name)); err != nil {
		return "", fmt.Errorf("migrate the template: %w", err)
	}
	return name, nil
}

func newDatabase(tb testing.TB, template string) string {
	tb.Helper()
	base, name := serverURL(tb), "test_"+random()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := execute(ctx, base, "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		fail(tb, err)
	}
	tb.Cleanup(func() {
		if err := drop(base, name); err != nil {
			tb.Errorf("devtest: %v", err)
		}
	})
	return withDatabase(base, name)
}

func drop(base, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return execute(ctx, base, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
}

func execute(ctx context.Context, url, statement string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

func withDatabase(base, name string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base // the connection itself will say what is wrong
	}
	u.Path = "/" + name
	return u.String()
}

func random() string { return strings.ToLower(rand.Text()[:12]) }
