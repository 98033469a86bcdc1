package postgres

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/devstack/devtest"
	"interlock/migrations"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// newStore opens a store with the owner's rights on a migrated database of its
// own.
func newStore(t *testing.T) *Store {
	t.Helper()
	return openStore(t, devtest.Database(t, migrations.Up))
}

// pooledVariable makes every test go through a transaction-mode pooler.
const pooledVariable = "INTERLOCK_TEST_POOLED"

func openStore(t *testing.T, url string, options ...Option) *Store {
	t.Helper()
	if os.Getenv(pooledVariable) != "" {
		url = devtest.Pooled(t, url)
	}
	s, err := Open(context.Background(), url, options...)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}
