package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// Kinds of differences. An unknown order is not ours to explain; amounts that
// differ are for people; a contradiction should be impossible.
const (
	unknownOrder  = "unknown_order"
	contradiction = "contradiction"
	amountsDiffer = "amounts_differ"
)

// differenceRow is an order of the exchange that our records deny.
type differenceRow struct {
	kind, detail   string
	order          trade.Order
	user, proposal string // whose records deny it; empty: nobody's
}

type knownRow struct {
	UserID       string          `db:"user_id"`
	ProposalID   string          `db:"proposal_id"`
	Status       string          `db:"status"`
	OrderID      *string         `db:"order_id"`
	FilledAmount decimal.Decimal `db:"filled_amount"`
	Accepted     *string         `db:"accepted"`
}

const knownByClientSQL = `
	SELECT e.user_id, e.proposal_id, e.status, e.order_id, e.filled_amount,
		(SELECT a.order_id FROM interlock.order_attempts a WHERE a.execution_id = e.id AND a.verdict = 'accepted') AS accepted
	FROM interlock.trade_executions e WHERE e.account_id = @account AND e.client_order_id = @client`

// compareOrder finds what our records deny of o; nil when they agree.
func compareOrder(ctx context.Context, tx pgx.Tx, account string, o trade.Order) (*differenceRow, error) {
	client := clientOf(o)
	if client == nil {
		return &differenceRow{kind: unknownOrder, order: o, detail: "not placed by this database"}, nil
	}
	known, err := all[knownRow](ctx, tx, knownByClientSQL, pgx.StrictNamedArgs{"account": account, "client": client})
	switch {
	case err != nil:
		return nil, err
	case len(known) == 0:
		return &differenceRow{kind: unknownOrder, order: o, detail: "its client order ID is not in this database"}, nil
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
	d := differenceRow{kind: contradiction, order: o, user: k.UserID, proposal: k.ProposalID}
	switch {
	case k.Accepted != nil && *k.Accepted != o.OrderID:
		d.detail = "proposal " + k.ProposalID + " has order " + *k.Accepted
	case k.Status == string(trade.Failed):
		d.detail = "proposal " + k.ProposalID + " was concluded to have no order"
	case k.Status == string(trade.Executed) && o.Status.Final() && !k.FilledAmount.Equal(o.FilledAmount):
		d.kind = amountsDiffer
		d.detail = fmt.Sprintf("proposal %s recorded %s filled, the exchange says %s", k.ProposalID, k.FilledAmount, o.FilledAmount)
	default:
		return nil
	}
	return &d
}

// noteDifferenceSQL tells a new difference by the row's having no predecessor.
const noteDifferenceSQL = `
	INSERT INTO interlock.exchange_differences (account_id, market, order_id, kind, client_order_id, operator_id, detail, body)
	VALUES (@account, @market, @order, @kind, @client, @operator, @detail, @body)
	ON CONFLICT (account_id, market, order_id, kind) DO UPDATE SET
		last_seen_at = clock_timestamp(), body = excluded.body, detail = excluded.detail
	RETURNING xmax = 0`

func noteDifference(ctx context.Context, tx pgx.Tx, account string, d differenceRow) (isNew bool, err error) {
	body, err := json.Marshal(d.order)
	if err != nil {
		return false, err
	}
	err = tx.QueryRow(ctx, noteDifferenceSQL, pgx.StrictNamedArgs{
		"account": account, "market": string(d.order.Market), "order": d.order.OrderID, "kind": d.kind,
		"client": clientOf(d.order), "operator": d.order.OperatorID, "detail": d.detail, "body": string(body),
	}).Scan(&isNew)
	return isNew, err
}

// alarm stops the account: a contradiction should be impossible, so nothing we
// believe about it is safe to act on. An alarm is raised once per order, so
// that a person who has looked can resume.
func alarm(ctx context.Context, tx pgx.Tx, account string, contradictions []differenceRow) error {
	for _, d := range contradictions {
		reason := fmt.Sprintf("order %s in %s contradicts our records: %s", d.order.OrderID, d.order.Market, d.detail)
		if _, err := tx.Exec(ctx, `SELECT interlock.raise_halt($1, 'interlock', $2)`, account, shorten(reason)); err != nil {
			return err
		}
	}
	for _, d := range contradictions {
		if err := appendAudit(ctx, tx, event{
			Chain: account, Kind: "order.contradicts", User: d.user, Proposal: d.proposal,
			Body: map[string]any{"order": d.order, "detail": d.detail, "tradingState": trade.Halted},
		}); err != nil {
			return err
		}
	}
	return nil
}

const trackedSQL = `
	SELECT DISTINCT ON (market, order_id) market, order_id, body->>'status' AS status FROM interlock.exchange_differences
	WHERE account_id = @account ORDER BY market, order_id, last_seen_at DESC`

type trackedRow struct {
	Market  string `db:"market"`
	OrderID string `db:"order_id"`
	Status  string `db:"status"`
}

// Tracked lists the orders that differ from our records and had not ended when
// they were last seen, so that what becomes of them is shown as well.
func (s *Store) Tracked(ctx context.Context, account string) ([]trade.Order, error) {
	rows, err := all[trackedRow](ctx, s.pool, trackedSQL, pgx.StrictNamedArgs{"account": account})
	if err != nil {
		return nil, fmt.Errorf("tracked orders of %s: %w", account, classify(err))
	}
	var open []trade.Order
	for _, r := range rows {
		if status := trade.OrderStatus(r.Status); !status.Final() {
			open = append(open, trade.Order{OrderID: r.OrderID, Market: trade.Market(r.Market), Status: status})
		}
	}
	return open, nil
}
