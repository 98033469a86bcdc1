package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/view"
)

// CancelOpenView is a cancel-open as people are shown it.
type CancelOpenView = view.CancelOpen

const cancelOpenViewsSQL = `
	SELECT DISTINCT ON (account_id) id, account_id, actor, reason, requested_at, worker, looked_at, obstacles,
		completed_at, given_up_at, coalesce(given_up_by, '') AS given_up_by
	FROM interlock.cancel_opens WHERE @scope IN (account_id, '*') ORDER BY account_id, id DESC`

type cancelOpenRow struct {
	ID          int64           `db:"id"`
	AccountID   string          `db:"account_id"`
	Actor       string          `db:"actor"`
	Reason      string          `db:"reason"`
	RequestedAt time.Time       `db:"requested_at"`
	Worker      string          `db:"worker"`
	LookedAt    *time.Time      `db:"looked_at"`
	Obstacles   json.RawMessage `db:"obstacles"`
	CompletedAt *time.Time      `db:"completed_at"`
	GivenUpAt   *time.Time      `db:"given_up_at"`
	GivenUpBy   string          `db:"given_up_by"`
}

// CancelOpens shows the last cancel-open of each account in scope, with a
// result per order.
func (s *Store) CancelOpens(ctx context.Context, scope string) ([]CancelOpenView, error) {
	rows, err := all[cancelOpenRow](ctx, s.pool, cancelOpenViewsSQL, pgx.StrictNamedArgs{"scope": scope})
	if err != nil {
		return nil, fmt.Errorf("cancel-opens of %s: %w", scope, classify(err))
	}
	views := make([]CancelOpenView, len(rows))
	for i, r := range rows {
		if views[i], err = s.cancelOpenView(ctx, r); err != nil {
			return nil, err
		}
	}
	return views, nil
}

func (s *Store) cancelOpenView(ctx context.Context, r cancelOpenRow) (v CancelOpenView, err error) {
	v = CancelOpenView{
		ID: r.ID, AccountID: r.AccountID, Actor: r.Actor, Reason: r.Reason, RequestedAt: r.RequestedAt, Worker: r.Worker,
		LookedAt: r.LookedAt, CompletedAt: r.CompletedAt, GivenUpAt: r.GivenUpAt, GivenUpBy: r.GivenUpBy,
	}
	if err := json.Unmarshal(r.Obstacles, &v.Obstacles); err != nil {
		return v, fmt.Errorf("cancel-open %d: obstacles: %w", r.ID, err)
	}
	v.Orders, err = s.CancelledOrders(ctx, r.ID)
	return v, err
}

const giveUpCancelOpensSQL = `
	UPDATE interlock.cancel_opens SET given_up_at = clock_timestamp(), given_up_by = @actor
	WHERE @scope IN (account_id, '*') AND completed_at IS NULL AND given_up_at IS NULL RETURNING account_id`

// GiveUpCancelOpen ends every cancel-open in scope that is not complete: open
// orders stay as they are. The account stays halted.
func (s *Store) GiveUpCancelOpen(ctx context.Context, scope, actor, reason string) error {
	if actor == "" || reason == "" {
		return fmt.Errorf("give up cancelling on %s: %w: actor and reason are required", scope, ErrInvalid)
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, giveUpCancelOpensSQL, pgx.StrictNamedArgs{"scope": scope, "actor": actor})
		if err != nil {
			return err
		}
		accounts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(accounts) == 0 {
			return err
		}
		return appendAudit(ctx, tx, event{
			Chain: scope, Kind: "halt.given_up", Actor: actor, Body: map[string]any{"reason": reason, "accounts": accounts},
		})
	})
	if err != nil {
		return fmt.Errorf("give up cancelling on %s: %w", scope, err)
	}
	return nil
}
