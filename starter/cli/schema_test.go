package cli

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/devstack/devtest"
	"interlock/migrations"
)

func TestNoCommandWorksOnASchemaThatDoesNotServeItButHalt(t *testing.T) {
	t.Parallel()
	url := devtest.Database(t, migrations.Up)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	exec := func(statement string) {
		t.Helper()
		_, err := conn.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	exec(`UPDATE interlock.schema_version SET version = version + 2`)
	env := map[string]string{"DATABASE_URL": url, "TEMPORAL_ADDRESS": "127.0.0.1:1", "INTERLOCK_API_ADDR": "127.0.0.1:0"}
	for _, command := range []string{
		"serve", "status", "account", "audit show p", "budget show --user anna", "scan list", "notify list", "resume --reason why --yes",
		"token create --user anna --account paper",
	} {
		code, _, said := run(t, env, strings.Fields(command)...)
		require.Equal(t, exitFailed, code, "%s: %s", command, said)
		require.Contains(t, said, "use a newer program", command)
		require.Equal(t, 1, strings.Count(said, "\n"), command)
	}
	code, _, said := run(t, env, "halt", "--reason", "something is wrong")
	require.Zero(t, code, said)
	var state string
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT state FROM interlock.trading_controls WHERE scope = '*'`).Scan(&state))
	require.Equal(t, "HALTED", state)

	exec(`INSERT INTO interlock.schema_serves SELECT version, version - 1 FROM interlock.schema_version`)
	code, _, said = run(t, env, "account")
	require.Equal(t, exitFailed, code, said)
	exec(`UPDATE interlock.schema_serves SET oldest = version - 2`)
	code, _, said = run(t, env, "account")
	require.Zero(t, code, said)
}
