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
// scope, ErrConflict when trading would go on while a cancel-open is under way:
// give that up first. Setting the same state again is recorded again.
func (s *Store) SetTradingState(ctx context.Context, scope string, state trade.TradingState, actor, reason string) error {
	return s.control(ctx, Control{Scope: scope, State: state, Actor: actor, Reason: reason}, false)
}

// HaltAndCancel halts a scope as SetTradingState does and, in the same
// transaction, asks the orders workers of its accounts to cancel every open
// order. They need nothing but the database to find the wish.
func (s *Store) HaltAndCancel(ctx context.Context, scope, actor, reason string) error {
	return s.control(ctx, Control{Scope: scope, State: trade.Halted, Actor: actor, Reason: reason}, true)
}

func (s *Store) control(ctx context.Context, c Control, cancelOpen bool) error {
	if c.Actor == "" || c.Reason == "" {
		return fmt.Errorf("set %s %s: %w: actor and reason are required", c.Scope, c.State, ErrInvalid)
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error { return setControl(ctx, tx, c, cancelOpen) })
	if err != nil {
		return fmt.Errorf("set %s %s: %w", c.Scope, c.State, err)
	}
	return nil
}

func setControl(ctx context.Context, tx pgx.Tx, c Control, cancelOpen bool) error {
	tag, err := tx.Exec(ctx, setTradingStateSQL, pgx.StrictNamedArgs{
		"scope": c.Scope, "state": string(c.State), "actor": c.Actor, "reason": c.Reason,
	})
	if err != nil {
		return err
	}
	if tag.RowsAffected() != 1 {
		return ErrNotFound
	}
	if err := settleCancelOpen(ctx, tx, c, cancelOpen); err != nil {
		return err
	}
	return auditControl(ctx, tx, c, cancelOpen)
}

func auditControl(ctx context.Context, tx pgx.Tx, c Control, cancelOpen bool) error {
	body := map[string]any{"state": c.State, "reason": c.Reason}
	if cancelOpen {
		body["cancelOpen"] = true
	}
	return appendAudit(ctx, tx, event{Chain: c.Scope, Kind: "trading.state", Actor: c.Actor, Body: body})
}

const underWaySQL = `
	SELECT count(*) FROM interlock.cancel_opens
	WHERE @scope IN (account_id, '*') AND completed_at IS NULL AND given_up_at IS NULL`

// settleCancelOpen stores the wish of a halt, and lets nobody trade beside one
// that is under way: what it would cancel then could be a new order.
func settleCancelOpen(ctx context.Context, tx pgx.Tx, c Control, wanted bool) error {
	if wanted {
		return askCancelOpen(ctx, tx, c.Scope, c.Actor, c.Reason)
	}
	if c.State == trade.Halted {
		return nil
	}
	var n int
	if err := tx.QueryRow(ctx, underWaySQL, pgx.StrictNamedArgs{"scope": c.Scope}).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("%w: open orders are still being cancelled", ErrConflict)
	}
	return nil
}

const haltByItselfSQL = `SELECT interlock.halt_unless_halted(@account, @actor, @reason)`

// haltByItself halts an account in the transaction that found the reason. It
// returns nil when there is nothing to tell: a halt that is there already stays
// as it is.
func haltByItself(ctx context.Context, tx pgx.Tx, account, reason string) (*Control, error) {
	c := Control{Scope: account, State: trade.Halted, Actor: "interlock", Reason: reason}
	var isNew bool
	err := tx.QueryRow(ctx, haltByItselfSQL, pgx.StrictNamedArgs{"account": account, "actor": c.Actor, "reason": reason}).Scan(&isNew)
	if err != nil || !isNew {
		return nil, err
	}
	return &c, nil
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
