package devtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"interlock/internal/devstack"
)

var pooler = lazily(func(dir string) (*devstack.Pooler, func() error, error) {
	base, err := database()
	if err != nil {
		return nil, nil, err
	}
	home := filepath.Join(dir, "pgbouncer")
	if err := errors.Join(os.Mkdir(home, reachable), os.Chmod(home, reachable)); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	p, err := devstack.StartPooler(ctx, home, base)
	if err != nil {
		return nil, nil, err
	}
	return p, p.Stop, nil
})

// Pooled is direct through a pgbouncer in transaction mode. Without pgbouncer
// tb is skipped.
func Pooled(tb testing.TB, direct string) string {
	tb.Helper()
	p, err := pooler()
	switch {
	case errors.Is(err, devstack.ErrNoPooler):
		tb.Skipf("%v: install pgbouncer", err)
	case err != nil:
		fail(tb, err)
	}
	return p.URL(direct)
}
