package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
	"interlock/internal/view"
)

// AllAccounts is the scope of a trading state that counts for every account.
const AllAccounts = view.AllAccounts

// Control is the trading state of a scope, and who set it why.
type Control = view.Control

const setTradingStateSQL = `
	UPDATE interlock.trading_controls SET state = @state, actor = @actor, reason = @reason, changed_at = clock_timestamp()
	WHERE scope = @scope`

// SetTradingState sets what a scope may do. When it has returned, no attempt
// begins that the new state forbids: the row waits for whoever reads it under
// a share lock. ErrInvalid without actor or reason, ErrNotFound for an unknown
// scope. Setting the same state again is recorded again.
func (s *Store) SetTradingState(ctx context.Context, scope string, state trade.TradingState, actor, reason string) error {
	if actor == "" || reason == "" {
		return fmt.Errorf("set %s %s: %w: actor and reason are required", scope, state, ErrInvalid)
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, setTradingStateSQL, pgx.StrictNamedArgs{
			"scope": scope, "state": string(state), "actor": actor, "reason": reason,
		})
		if err != nil {
			return err
		}
		if tag.RowsAffected() != 1 {
			return ErrNotFound
		}
		return appendAudit(ctx, tx, event{
			Chain: scope, Kind: "trading.state", Actor: actor, Body: map[string]any{"state": state, "reason": reason},
		})
	})
	if err != nil {
		return fmt.Errorf("set %s %s: %w", scope, state, err)
	}
	return nil
}

const tradingStatesSQL = `SELECT scope, state, actor, reason, changed_at FROM interlock.trading_controls ORDER BY scope`

// TradingStates lists the state of every scope; of two that concern an
// account, the stricter one counts.
func (s *Store) TradingStates(ctx context.Context) ([]Control, error) {
	list, err := all[Control](ctx, s.pool, tradingStatesSQL, pgx.StrictNamedArgs{})
	if err != nil {
		return nil, fmt.Errorf("trading states: %w", classify(err))
	}
	return list, nil
}
