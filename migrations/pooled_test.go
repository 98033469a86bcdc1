package migrations

import (
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/devstack/devtest"
)

// A session's lock would be taken in one session of the server and given back
// in another.
func TestMigrationThroughAPoolerIsRefused(t *testing.T) {
	t.Parallel()
	url := devtest.Postgres(t)
	require.ErrorIs(t, Up(ctx, devtest.Pooled(t, url)), ErrPooled)
	execute(t, url, `DO $$ BEGIN IF to_regnamespace('interlock') IS NOT NULL THEN RAISE 'something was made'; END IF; END $$`)
	require.NoError(t, Up(ctx, url))
	require.ErrorIs(t, To(ctx, devtest.Pooled(t, url), 0), ErrPooled)
	_, _, err := Version(ctx, devtest.Pooled(t, url))
	require.ErrorIs(t, err, ErrPooled)
}
