package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// cancelOpensSQL asks once per account: what is under way already goes on, for
// nothing was sent since its halt.
const cancelOpensSQL = `
	INSERT INTO interlock.cancel_opens (account_id, actor, reason)
	SELECT id, @actor, @reason FROM interlock.accounts WHERE @scope IN (id, '*')
	ON CONFLICT DO NOTHING`

func askCancelOpen(ctx context.Context, tx pgx.Tx, scope, actor, reason string) error {
	_, err := tx.Exec(ctx, cancelOpensSQL, pgx.StrictNamedArgs{"scope": scope, "actor": actor, "reason": reason})
	return err
}

// takeCancelOpenSQL gives the wish to one worker at a time. One that was killed
// or frozen keeps it until its lease is over.
const takeCancelOpenSQL = `
	UPDATE interlock.cancel_opens c SET worker = @worker, leased_until = clock_timestamp() + @lease::interval
	FROM interlock.accounts a
	WHERE c.account_id = @account AND a.id = c.account_id AND completed_at IS NULL AND given_up_at IS NULL
		AND (worker = @worker OR leased_until IS NULL OR leased_until < clock_timestamp())
	RETURNING c.id, c.account_id, a.read_lag, clock_timestamp()`

// TakeCancelOpen gives worker the cancel-open of an account for the length of a
// lease; nil when none is under way, or another worker has it. Taking it again
// renews the lease.
func (s *Store) TakeCancelOpen(ctx context.Context, account, worker string, lease time.Duration) (*trade.CancelOpen, error) {
	var c trade.CancelOpen
	row := s.pool.QueryRow(ctx, takeCancelOpenSQL, pgx.StrictNamedArgs{"account": account, "worker": worker, "lease": lease})
	err := row.Scan(&c.ID, &c.AccountID, &c.ReadLag, &c.Began)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		err = beginLife(ctx, s.pool)
	}
	if err != nil {
		return nil, fmt.Errorf("take cancel-open of %s: %w", account, classify(err))
	}
	return &c, nil
}

// sentAttemptsSQL is every attempt that may have an order which is not known to
// be over, or whose request the exchange could still carry out.
const sentAttemptsSQL = `
	SELECT e.proposal_id, e.market, e.side, e.client_order_id, a.deadline,
		(SELECT min(f.begun_at) FROM interlock.order_attempts f WHERE f.execution_id = e.id) AS since,
		coalesce(a.order_id, '') AS order_id, e.ended_at IS NOT NULL AS ended
	FROM interlock.order_attempts a JOIN interlock.trade_executions e ON e.id = a.execution_id
	WHERE e.account_id = @account AND (a.verdict IS NULL OR a.verdict = 'accepted')
		AND (e.ended_at IS NULL OR a.deadline >= @visible)
	ORDER BY a.begun_at`

type sentAttemptRow struct {
	ProposalID    string    `db:"proposal_id"`
	Market        string    `db:"market"`
	ClientOrderID uuid.UUID `db:"client_order_id"`
	Deadline      time.Time `db:"deadline"`
	Side          string    `db:"side"`
	Since         time.Time `db:"since"`
	OrderID       string    `db:"order_id"`
	Ended         bool      `db:"ended"`
}

// SentAttempts lists the attempts that a cancel-open has to wait for or to deal
// with, at an instant of the exchange's clock.
func (s *Store) SentAttempts(ctx context.Context, c trade.CancelOpen, exchangeNow time.Time) ([]trade.SentAttempt, error) {
	rows, err := all[sentAttemptRow](ctx, s.pool, sentAttemptsSQL, pgx.StrictNamedArgs{
		"account": c.AccountID, "visible": exchangeNow.Add(-c.ReadLag),
	})
	if err != nil {
		return nil, fmt.Errorf("sent attempts of %s: %w", c.AccountID, classify(err))
	}
	list := make([]trade.SentAttempt, len(rows))
	for i, r := range rows {
		list[i] = trade.SentAttempt{
			ProposalID: r.ProposalID, Market: trade.Market(r.Market), ClientOrderID: r.ClientOrderID, Deadline: r.Deadline,
			Side: trade.Side(r.Side), Since: r.Since, OrderID: r.OrderID, Ended: r.Ended,
		}
	}
	return list, nil
}

const proposalOfSQL = `
	SELECT coalesce(max(proposal_id), '') FROM interlock.trade_executions WHERE account_id = @account AND client_order_id = @client`

// ProposalOf names the proposal that an order bears the ID of; empty when the
// records of the account know none.
func (s *Store) ProposalOf(ctx context.Context, account string, o trade.Order) (id string, err error) {
	client := clientOf(o)
	if client == nil {
		return "", nil
	}
	err = s.pool.QueryRow(ctx, proposalOfSQL, pgx.StrictNamedArgs{"account": account, "client": *client}).Scan(&id)
	return id, classify(err)
}

const cancelledOrderColumns = `market, order_id, client_order_id, proposal_id, result, order_status, filled_amount, detail`

type cancelledOrderRow struct {
	Market        string          `db:"market"`
	OrderID       string          `db:"order_id"`
	ClientOrderID string          `db:"client_order_id"`
	ProposalID    string          `db:"proposal_id"`
	Result        string          `db:"result"`
	Status        string          `db:"order_status"`
	FilledAmount  decimal.Decimal `db:"filled_amount"`
	Detail        string          `db:"detail"`
}

const cancelledOrdersSQL = `
	SELECT ` + cancelledOrderColumns + ` FROM interlock.cancel_open_orders
	WHERE cancel_open_id = @id ORDER BY first_seen_at, market, order_id`

// CancelledOrders lists every order that a cancel-open has dealt with.
func (s *Store) CancelledOrders(ctx context.Context, id int64) ([]trade.CancelledOrder, error) {
	rows, err := all[cancelledOrderRow](ctx, s.pool, cancelledOrdersSQL, pgx.StrictNamedArgs{"id": id})
	if err != nil {
		return nil, fmt.Errorf("orders of cancel-open %d: %w", id, classify(err))
	}
	list := make([]trade.CancelledOrder, len(rows))
	for i, r := range rows {
		list[i] = trade.CancelledOrder{
			Market: trade.Market(r.Market), OrderID: r.OrderID, ClientOrderID: r.ClientOrderID, ProposalID: r.ProposalID,
			Result: trade.CancelResult(r.Result), Status: trade.OrderStatus(r.Status), FilledAmount: r.FilledAmount, Detail: r.Detail,
		}
	}
	return list, nil
}

// noteCancelledSQL changes only what is still open, so an end is told once.
const noteCancelledSQL = `
	INSERT INTO interlock.cancel_open_orders AS o
		(cancel_open_id, market, order_id, client_order_id, proposal_id, result, order_status, filled_amount, detail)
	VALUES (@id, @market, @order, @client, @proposal, @result, @status, @filled, @detail)
	ON CONFLICT (cancel_open_id, market, order_id) DO UPDATE SET
		result = excluded.result, order_status = excluded.order_status, filled_amount = excluded.filled_amount,
		detail = excluded.detail, tries = o.tries + 1, updated_at = clock_timestamp()
	WHERE o.result = 'open'`

// NoteCancelled writes down what became of one order under a cancel-open. An
// end is audited once, in the story of the order's proposal; a result that was
// written already stands.
func (s *Store) NoteCancelled(ctx context.Context, c trade.CancelOpen, o trade.CancelledOrder) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, noteCancelledSQL, pgx.StrictNamedArgs{
			"id": c.ID, "market": string(o.Market), "order": o.OrderID, "client": o.ClientOrderID, "proposal": o.ProposalID,
			"result": string(o.Result), "status": string(o.Status), "filled": o.FilledAmount, "detail": shorten(o.Detail),
		})
		if err != nil || tag.RowsAffected() == 0 || o.Result == trade.CancelOpenStill {
			return err
		}
		return appendAudit(ctx, tx, event{
			Chain: c.AccountID, Kind: "halt.order", Proposal: o.ProposalID, Body: map[string]any{"cancelOpen": c.ID, "order": o},
		})
	})
	if err != nil {
		return fmt.Errorf("note order %s of cancel-open %d: %w", o.OrderID, c.ID, err)
	}
	return nil
}

const lookedSQL = `
	UPDATE interlock.cancel_opens SET looked_at = clock_timestamp(), obstacles = @obstacles,
		completed_at = CASE WHEN @complete THEN clock_timestamp() END
	WHERE id = @id AND completed_at IS NULL AND given_up_at IS NULL`

// ConcludeCancelOpen writes down what a look at the account left in the way,
// and completes the cancel-open when that was nothing, the account is halted
// and nothing that an earlier life of this database sent can still appear. It
// returns what stands in the way. ErrConflict when the cancel-open is over.
func (s *Store) ConcludeCancelOpen(ctx context.Context, c trade.CancelOpen, left []trade.Obstacle) ([]trade.Obstacle, error) {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		more, err := accountObstacles(ctx, tx, c)
		if err != nil {
			return err
		}
		left = append(left, more...)
		return concludeCancelOpen(ctx, tx, c, left)
	})
	if err != nil {
		return nil, fmt.Errorf("conclude cancel-open %d: %w", c.ID, err)
	}
	return left, nil
}

func concludeCancelOpen(ctx context.Context, tx pgx.Tx, c trade.CancelOpen, left []trade.Obstacle) error {
	body, err := json.Marshal(append([]trade.Obstacle{}, left...))
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, lookedSQL, pgx.StrictNamedArgs{"id": c.ID, "obstacles": string(body), "complete": len(left) == 0})
	if err != nil {
		return err
	}
	if tag.RowsAffected() != 1 {
		return fmt.Errorf("%w: it is over", ErrConflict)
	}
	if len(left) > 0 {
		return nil
	}
	return appendAudit(ctx, tx, event{Chain: c.AccountID, Kind: "halt.complete", Body: map[string]any{"cancelOpen": c.ID}})
}

// accountObstacles is what only the database knows. The state is locked: a
// resume that comes now waits, and finds the wish complete.
func accountObstacles(ctx context.Context, tx pgx.Tx, c trade.CancelOpen) ([]trade.Obstacle, error) {
	var list []trade.Obstacle
	var state trade.TradingState
	if err := tx.QueryRow(ctx, `SELECT interlock.lock_trading_state($1)`, c.AccountID).Scan(&state); err != nil {
		return nil, err
	}
	if state != trade.Halted {
		list = append(list, trade.Obstacle{Why: fmt.Sprintf("the account is %s", state)})
	}
	var from *time.Time
	if err := tx.QueryRow(ctx, `SELECT interlock.comparable_from($1, $2)`, c.AccountID, trade.AccessWindow).Scan(&from); err != nil {
		return nil, err
	}
	switch {
	case from == nil:
		list = append(list, trade.Obstacle{Why: "this database was started anew, and no worker has begun its life"})
	case c.Began.Before(*from):
		list = append(list, trade.Obstacle{Until: *from, Why: "this database was started anew: what it may have lost can still appear"})
	}
	return list, nil
}
