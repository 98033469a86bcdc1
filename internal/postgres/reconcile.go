package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// comparisonStartSQL begins where the last comparison by this very database
// did, or, when it made none, where the account does: before that this
// installation cannot have placed anything.
const comparisonStartSQL = `
	SELECT clock_timestamp(), coalesce((
		SELECT max(started_at) FROM interlock.reconciliations
		WHERE account_id = @account AND database_id = interlock.database_id()
	), created_at) - @overlap::interval
	FROM interlock.accounts WHERE id = @account`

// StartComparison reads the database's clock, and from when on the exchange's
// history must be read. ErrNotFound when there is no such account.
func (s *Store) StartComparison(ctx context.Context, account string, overlap time.Duration) (now, since time.Time, err error) {
	row := s.pool.QueryRow(ctx, comparisonStartSQL, pgx.StrictNamedArgs{"account": account, "overlap": overlap})
	if err := row.Scan(&now, &since); err != nil {
		return now, since, fmt.Errorf("start comparison %s: %w", account, classify(err))
	}
	return now, since, nil
}

// tradedMarketsSQL is where orders of ours can be: what any policy allows now,
// and what was ever claimed.
const tradedMarketsSQL = `
	SELECT DISTINCT market FROM interlock.trade_executions WHERE account_id = @account
	UNION
	SELECT replace(m, '/', '-') FROM (
		SELECT DISTINCT ON (user_id) body FROM interlock.trading_policies
		WHERE account_id = @account ORDER BY user_id, version DESC
	) p, json_array_elements_text(p.body->'allowlist') m
	ORDER BY 1`

// Markets lists the markets in which an account's orders can be.
func (s *Store) Markets(ctx context.Context, account string) ([]string, error) {
	return s.ids(ctx, tradedMarketsSQL, pgx.StrictNamedArgs{"account": account})
}

type knownRow struct {
	ProposalID   string          `db:"proposal_id"`
	Status       string          `db:"status"`
	OrderID      *string         `db:"order_id"`
	FilledAmount decimal.Decimal `db:"filled_amount"`
	Accepted     *string         `db:"accepted"`
}

const knownByClientSQL = `
	SELECT e.proposal_id, e.status, e.order_id, e.filled_amount,
		(SELECT a.order_id FROM interlock.order_attempts a WHERE a.execution_id = e.id AND a.verdict = 'accepted') AS accepted
	FROM interlock.trade_executions e WHERE e.account_id = @account AND e.client_order_id = @client`

// Compare holds what the exchange shows against our records, notes every
// difference and the comparison itself, and returns how many there were. It
// adopts nothing.
func (s *Store) Compare(ctx context.Context, c trade.Comparison) (differences int, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		differences = 0
		for _, o := range c.Orders {
			d, err := compareOrder(ctx, tx, c.AccountID, o)
			if err != nil {
				return err
			}
			if d == nil {
				continue
			}
			differences++
			if err := noteDifference(ctx, tx, c.AccountID, d); err != nil {
				return err
			}
		}
		return storeComparison(ctx, tx, c, differences)
	})
	if err != nil {
		return 0, fmt.Errorf("compare %s: %w", c.AccountID, err)
	}
	return differences, nil
}

func compareOrder(ctx context.Context, tx pgx.Tx, account string, o trade.Order) (*differenceRow, error) {
	client := clientOf(o)
	if client == nil {
		return difference("unknown_order", o, "not placed by this database"), nil
	}
	known, err := all[knownRow](ctx, tx, knownByClientSQL, pgx.StrictNamedArgs{"account": account, "client": client})
	switch {
	case err != nil:
		return nil, err
	case len(known) == 0:
		return difference("unknown_order", o, "its client order ID is not in this database"), nil
	}
	return compareKnown(known[0], o), nil
}

// clientOf is the order's client order ID; nil when it has none of our form.
func clientOf(o trade.Order) *uuid.UUID {
	id, err := uuid.Parse(o.ClientOrderID)
	if err != nil {
		return nil
	}
	return &id
}

// compareKnown finds what our records deny. An execution that is still being
// carried out denies nothing: its own workflow looks for its order.
func compareKnown(k knownRow, o trade.Order) *differenceRow {
	switch {
	case k.Accepted != nil && *k.Accepted != o.OrderID:
		return difference("contradiction", o, "proposal "+k.ProposalID+" has order "+*k.Accepted)
	case k.Status == string(trade.Failed):
		return difference("contradiction", o, "proposal "+k.ProposalID+" was concluded to have no order")
	case k.Status == string(trade.Executed) && o.Status.Final() && !k.FilledAmount.Equal(o.FilledAmount):
		return difference("amounts_differ", o, fmt.Sprintf("proposal %s recorded %s filled, the exchange says %s", k.ProposalID, k.FilledAmount, o.FilledAmount))
	}
	return nil
}

type differenceRow struct {
	kind, detail string
	order        trade.Order
}

func difference(kind string, o trade.Order, detail string) *differenceRow {
	return &differenceRow{kind: kind, detail: detail, order: o}
}

const noteDifferenceSQL = `
	INSERT INTO interlock.exchange_differences (account_id, market, order_id, kind, client_order_id, operator_id, detail, body)
	VALUES (@account, @market, @order, @kind, @client, @operator, @detail, @body)
	ON CONFLICT (account_id, market, order_id, kind) DO UPDATE SET
		last_seen_at = clock_timestamp(), body = excluded.body, detail = excluded.detail`

func noteDifference(ctx context.Context, tx pgx.Tx, account string, d *differenceRow) error {
	body, err := json.Marshal(d.order)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, noteDifferenceSQL, pgx.StrictNamedArgs{
		"account": account, "market": string(d.order.Market), "order": d.order.OrderID, "kind": d.kind,
		"client": clientOf(d.order), "operator": d.order.OperatorID, "detail": d.detail, "body": string(body),
	})
	return err
}

const storeComparisonSQL = `
	INSERT INTO interlock.reconciliations (account_id, database_id, started_at, orders_seen, trades_seen, differences, balances)
	VALUES (@account, interlock.database_id(), @started, @orders, @trades, @differences, @balances)`

func storeComparison(ctx context.Context, tx pgx.Tx, c trade.Comparison, differences int) error {
	balances, err := json.Marshal(c.Holdings)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, storeComparisonSQL, pgx.StrictNamedArgs{
		"account": c.AccountID, "started": c.StartedAt, "orders": len(c.Orders), "trades": c.TradesSeen,
		"differences": differences, "balances": string(balances),
	})
	if err != nil || differences == 0 {
		return err
	}
	return appendAudit(ctx, tx, event{
		Chain: c.AccountID, Kind: "reconcile.differs",
		Body: map[string]any{"differences": differences, "orders": len(c.Orders), "trades": c.TradesSeen},
	})
}
