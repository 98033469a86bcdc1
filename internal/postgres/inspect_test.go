package postgres

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/devstack/devtest"
	"interlock/migrations"
)

var update = flag.Bool("update", false, "write what the migrations grant anew; read the difference before committing it")

const grantsFile = "../../migrations/grants.txt"

func connected(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(ctx) })
	return conn
}

// loginURL is url with a new login that has role and nothing else.
func loginURL(t *testing.T, url, role string) string {
	t.Helper()
	login := newLogin(t, url)
	require.NoError(t, EnsureLogin(ctx, url, login, "secret", role))
	own, err := LoginURL(url, login, "secret")
	require.NoError(t, err)
	return own
}

func TestGrantsAreThoseThatAreListed(t *testing.T) {
	t.Parallel()
	conn := connected(t, devtest.Database(t, migrations.Up))
	var lines strings.Builder
	for _, role := range groupRoles {
		privileges, err := privilegesOf(ctx, conn, role)
		require.NoError(t, err)
		require.NotEmpty(t, privileges)
		for _, p := range privileges {
			fmt.Fprintf(&lines, "%s %s\n", role, p)
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(grantsFile, []byte(lines.String()), 0o644))
	}
	listed, err := os.ReadFile(grantsFile)
	require.NoError(t, err)
	require.Equal(t, strings.Split(lines.String(), "\n"), strings.Split(string(listed), "\n"),
		"read the difference, then run: go test ./internal/postgres -run TestGrantsAreThoseThatAreListed -update")
}

func TestALoginFindsOutWhatItIs(t *testing.T) {
	t.Parallel()
	url := devtest.Database(t, migrations.Up)
	for _, role := range groupRoles {
		found, err := Inspect(ctx, loginURL(t, url, role))
		require.NoError(t, err)
		require.False(t, found.Above, role)
		require.Equal(t, []string{role}, found.Groups)
		require.Equal(t, migrations.Granted(role), found.Privileges, role)
		require.Equal(t, migrations.Latest(), found.Schema)
		require.Equal(t, migrations.Latest(), found.Serves)
		require.Len(t, found.Settings, 3)
	}
	owner, err := Inspect(ctx, url)
	require.NoError(t, err)
	require.True(t, owner.Above)
}

func TestInspectingChangesNothing(t *testing.T) {
	t.Parallel()
	url := devtest.Postgres(t)
	found, err := Inspect(ctx, url)
	require.NoError(t, err)
	require.Zero(t, found.Schema)
	var there bool
	require.NoError(t, connected(t, url).QueryRow(ctx, `SELECT to_regnamespace('interlock') IS NOT NULL`).Scan(&there))
	require.False(t, there)
}

func TestASchemaSaysToEveryRoleWhomItServes(t *testing.T) {
	t.Parallel()
	url := devtest.Database(t, migrations.Up)
	d := desk{openStore(t, url), t}
	latest := migrations.Latest()
	for _, role := range groupRoles {
		version, oldest, err := d.as(role).Schema(ctx)
		require.NoError(t, err, role)
		require.Equal(t, []int32{latest, latest}, []int32{version, oldest}, role)
	}
	d.exec(`UPDATE interlock.schema_version SET version = version + 1`)
	d.exec(`INSERT INTO interlock.schema_serves VALUES ($1, 3)`, latest+1)
	for _, role := range groupRoles {
		version, oldest, err := d.as(role).Schema(ctx)
		require.NoError(t, err, role)
		require.Equal(t, []int32{latest + 1, 3}, []int32{version, oldest}, role)
		_, err = d.as(role).pool.Exec(ctx, `INSERT INTO interlock.schema_serves VALUES (1, 1)`)
		require.Error(t, err, "%s may not say it", role)
	}
	d.exec(`DROP TABLE interlock.schema_serves`)
	version, oldest, err := d.Schema(ctx)
	require.NoError(t, err)
	require.Equal(t, version, oldest, "an older schema says nothing")
	d.exec(`DROP SCHEMA interlock CASCADE`)
	version, _, err = d.Schema(ctx)
	require.NoError(t, err)
	require.Zero(t, version)
}
