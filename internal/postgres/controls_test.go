package postgres

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
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
	tx, err := d.pool.Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	var state string
	require.NoError(t, tx.QueryRow(ctx, `SELECT interlock.lock_trading_state('paper')`).Scan(&state))
	halted := make(chan error, 1)
	go func() { halted <- d.SetTradingState(ctx, AllAccounts, trade.Halted, "anna", "fire") }()
	d.awaitBlocked()
	select {
	case err := <-halted:
		require.FailNow(t, "the halt did not wait", "%v", err)
	default:
	}
	require.NoError(t, tx.Commit(ctx))
	require.NoError(t, <-halted)
	require.NoError(t, d.pool.QueryRow(ctx, `SELECT interlock.lock_trading_state('paper')`).Scan(&state))
	require.Equal(t, "HALTED", state)
}

// awaitBlocked returns when somebody waits for a lock in this database.
func (d desk) awaitBlocked() {
	d.t.Helper()
	const blocked = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
	require.Eventually(d.t, func() bool {
		var n int
		err := d.pool.QueryRow(ctx, blocked, pgx.QueryExecModeExec).Scan(&n)
		return err == nil && n > 0
	}, 3*time.Second, 5*time.Millisecond)
}
