package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/devstack"
	"interlock/internal/devstack/devtest"
	"interlock/internal/postgres"
	"interlock/internal/trade"
	"interlock/internal/waittest"
	"interlock/migrations"
	"interlock/workflows"
)

// house is a stack of which copies are taken, and brought back while the
// exchange lives on.
type house struct {
	*stack

	database string // its name on the server
	server   *devstack.Temporal
	file     string // where the Temporal server keeps everything
}

func newHouse(t *testing.T, dynamic map[string]any) *house {
	t.Helper()
	h := &house{file: filepath.Join(t.TempDir(), "temporal", "temporal.db")}
	h.server = devtest.PrivateTemporal(t, devstack.TemporalConfig{
		DBFile: h.file, SearchAttributes: workflows.SearchAttributes(), DynamicConfig: dynamic,
	})
	at := devtest.Server{Address: h.server.Address(), Namespace: h.server.Namespace()}
	h.stack = newStackAt(t, devtest.Database(t, migrations.Up), at, 1, func(p *trade.Policy) {
		p.Allowlist = trade.Allowlist{"BTC-EUR", "ETH-EUR", "SOL-EUR", "ADA-EUR"}
		p.MaxOrderBase = trade.AssetLimits{Unlimited: true}
	})
	require.NoError(t, h.query(`SELECT current_database()`, &h.database))
	return h
}

// copyDatabase copies the running database, as a backup does.
func (h *house) copyDatabase() (name string) {
	h.t.Helper()
	name = h.database + "_copy"
	h.onServer(
		"ALTER DATABASE "+h.database+" ALLOW_CONNECTIONS false", h.endConnections(),
		"CREATE DATABASE "+name+" TEMPLATE "+h.database, "ALTER DATABASE "+h.database+" ALLOW_CONNECTIONS true",
	)
	h.reconnect()
	h.t.Cleanup(func() { h.onServer("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)") })
	return name
}

// restoreDatabase puts a copy in the place of the database, made to look so
// old. The server runs on: only the database is another.
func (h *house) restoreDatabase(name string, age time.Duration) {
	h.t.Helper()
	h.onServer(
		"ALTER DATABASE "+h.database+" ALLOW_CONNECTIONS false",
		"DROP DATABASE "+h.database+" WITH (FORCE)", "CREATE DATABASE "+h.database+" TEMPLATE "+name,
	)
	h.reconnect()
	for _, column := range []string{
		"accounts.created_at", "trade_proposals.created_at", "trade_executions.claimed_at", "trade_executions.followed_at",
		"trade_executions.ended_at", "order_attempts.deadline", "order_attempts.begun_at", "order_attempts.concluded_at",
		"order_looks.exchange_time", "order_looks.looked_at", "order_fills.filled_at", "trade_history.executed_at", "trade_history.counts_from",
		"reconciliations.started_at", "reconciliations.finished_at", "market_facts.observed_at", "exchange_clocks.measured_at",
	} {
		h.age(column, age)
	}
}

// age moves one column back in time, past the triggers that forbid it.
func (h *house) age(column string, by time.Duration) {
	h.t.Helper()
	table, name, _ := strings.Cut(column, ".")
	require.NoError(h.t, pgx.BeginFunc(ctx, h.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL session_replication_role = replica`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, fmt.Sprintf(`UPDATE interlock.%s SET %s = %s - $1::interval`, table, name, name), by)
		return err
	}))
}

func (h *house) endConnections() string {
	return "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + h.database + "'"
}

// reconnect replaces the test's own connections, which were ended with all the
// others.
func (h *house) reconnect() {
	h.t.Helper()
	h.pool.Reset()
	h.owner.Close()
	var err error
	h.owner, err = postgres.Open(ctx, h.ownerURL)
	require.NoError(h.t, err)
	h.t.Cleanup(h.owner.Close)
}

func (h *house) onServer(statements ...string) {
	h.t.Helper()
	u, err := url.Parse(h.ownerURL)
	require.NoError(h.t, err)
	u.Path = "/postgres"
	conn, err := pgx.Connect(ctx, u.String())
	require.NoError(h.t, err)
	defer conn.Close(ctx)
	for _, s := range statements {
		waittest.Until(h.t, s, func() error { // a connection that is ending is in the way for a moment
			_, err := conn.Exec(ctx, s)
			return err
		})
	}
}

// copyTemporal copies what the Temporal server keeps, at one moment.
func (h *house) copyTemporal() (folder string) {
	h.t.Helper()
	folder = h.t.TempDir()
	require.NoError(h.t, h.server.Signal(syscall.SIGSTOP))
	h.moveState(filepath.Dir(h.file), folder)
	require.NoError(h.t, h.server.Signal(syscall.SIGCONT))
	return folder
}

// restoreTemporal brings a copy back; an empty folder is a server that has
// lost everything.
func (h *house) restoreTemporal(folder string) {
	h.t.Helper()
	require.NoError(h.t, h.server.Kill())
	for _, suffix := range []string{"", "-wal", "-shm"} {
		require.NoError(h.t, os.RemoveAll(h.file+suffix))
	}
	h.moveState(folder, filepath.Dir(h.file))
	require.NoError(h.t, h.server.Restart(ctx))
}

func (h *house) moveState(from, to string) {
	h.t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		name := filepath.Base(h.file) + suffix
		content, err := os.ReadFile(filepath.Join(from, name))
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(h.t, err)
		require.NoError(h.t, os.WriteFile(filepath.Join(to, name), content, 0o600))
	}
}
