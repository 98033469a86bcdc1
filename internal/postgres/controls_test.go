package postgres

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
	"interlock/internal/waittest"
)

func TestTradingStateNeedsActorAndReason(t *testing.T) {
	t.Parallel()
	s := newDesk(t).as(OperatorRole)
	require.ErrorIs(t, s.SetTradingState(ctx, AllAccounts, trade.Halted, "", "fire"), ErrInvalid)
	require.ErrorIs(t, s.SetTradingState(ctx, AllAccounts, trade.Halted, "anna", ""), ErrInvalid)
	require.ErrorIs(t, s.SetTradingState(ctx, AllAccounts, "PAUSED", "anna", "fire"), ErrInvalid)
	require.ErrorIs(t, s.SetTradingState(ctx, "nowhere", trade.Halted, "anna", "fire"), ErrNotFound)
	states, err := s.TradingStates(ctx)
	require.NoError(t, err)
	for _, state := range states {
		require.Equal(t, trade.Active, state.State)
	}
}

func TestEveryChangeOfTheTradingStateIsAuditedInItsChain(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	s := d.as(OperatorRole)
	for _, scope := range []string{AllAccounts, account} {
		require.NoError(t, s.SetTradingState(ctx, scope, trade.Halted, "anna", "fire"))
		require.NoError(t, s.SetTradingState(ctx, scope, trade.Halted, "bert", "still fire"))
		require.NoError(t, s.SetTradingState(ctx, scope, trade.Active, "anna", "out"))
		require.Equal(t, 3, d.count(`SELECT count(*) FROM interlock.audit_events WHERE chain = $1 AND kind = 'trading.state'`, scope))
	}
	states, err := s.TradingStates(ctx)
	require.NoError(t, err)
	require.Equal(t, AllAccounts, states[0].Scope)
	require.Equal(t, "anna", states[0].Actor)
	require.Equal(t, "out", states[0].Reason)
}

// A halt must not return while somebody who read "active" may still act on it.
func TestHaltWaitsForWhoeverHoldsTheState(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	tx := d.held()
	var state string
	require.NoError(t, tx.QueryRow(ctx, `SELECT interlock.lock_trading_state('paper')`).Scan(&state))
	d.queue(tx, func() error { return d.SetTradingState(ctx, AllAccounts, trade.Halted, "anna", "fire") })
	require.NoError(t, d.pool.QueryRow(ctx, `SELECT interlock.lock_trading_state('paper')`).Scan(&state))
	require.Equal(t, "HALTED", state)
}

// held is a transaction that a test keeps open for as long as it wants.
func (d desk) held() pgx.Tx {
	d.t.Helper()
	tx, err := d.pool.Begin(ctx)
	require.NoError(d.t, err)
	d.t.Cleanup(func() { _ = tx.Rollback(ctx) })
	return tx
}

// queue starts rivals, demands that every one of them waits for a lock, commits
// tx, which holds it, and returns when they have ended.
func (d desk) queue(tx pgx.Tx, rivals ...func() error) {
	d.t.Helper()
	ended := make(chan error, len(rivals))
	for _, rival := range rivals {
		go func() { ended <- outwait(rival) }()
	}
	waited := d.awaitBlocked(len(rivals), func() bool { return len(ended) > 0 })
	require.NoError(d.t, tx.Commit(ctx))
	for range rivals {
		require.NoError(d.t, <-ended)
	}
	require.True(d.t, waited, "somebody did not wait")
}

// awaitBlocked tells whether n sessions of this database came to wait for a
// lock before it was in vain.
func (d desk) awaitBlocked(n int, vain func() bool) bool {
	d.t.Helper()
	const blocked = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
	var waiting int
	waittest.Closely(d.t, fmt.Sprintf("%d sessions to wait for a lock", n), func() error {
		err := d.pool.QueryRow(ctx, blocked, pgx.QueryExecModeExec).Scan(&waiting)
		return waittest.Is(err == nil && waiting >= n || vain(), "%d wait (error %v)", waiting, err)
	})
	return waiting >= n
}
