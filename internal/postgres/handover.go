package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"interlock/internal/handover"
	"interlock/internal/trade"
)

// Handover brings the earlier system's rows into this database. With Rehearse
// everything is done and taken back.
type Handover struct {
	AccountID string
	Actor     string
	Rehearse  bool
}

// errRehearsed takes a transaction back whose result is wanted.
var errRehearsed = errors.New("rehearsed")

func (s *Store) handOver(ctx context.Context, h Handover, do func(pgx.Tx) error) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if err := do(tx); err != nil || !h.Rehearse {
			return err
		}
		return errRehearsed
	})
	if errors.Is(err, errRehearsed) {
		return nil
	}
	return err
}

// importTradesSQL leaves out what was read before, and trades of ours that were
// carried to the earlier system and now come back.
const importTradesSQL = `
	INSERT INTO interlock.trade_history (user_id, account_id, proposal_id, market, asset, side, amount, amount_quote, executed_at, source_key)
	SELECT x."UserID", @account, nullif(x."ProposalID", ''), nullif(x."Market", ''), x."Asset", x."Side", x."Amount", x."AmountQuote", x."ExecutedAt", x."Key"
	FROM json_to_recordset(@rows) AS x("Key" text, "UserID" text, "ProposalID" text, "Market" text, "Asset" text, "Side" text,
		"Amount" numeric, "AmountQuote" numeric, "ExecutedAt" timestamptz)
	WHERE NOT EXISTS (
		SELECT FROM interlock.trade_history o
		WHERE o.execution_id IS NOT NULL AND o.user_id = x."UserID" AND (o.proposal_id = x."ProposalID"
			OR o.asset = x."Asset" AND o.side = x."Side"
				AND date_trunc('milliseconds', o.executed_at) = date_trunc('milliseconds', x."ExecutedAt")))
	ON CONFLICT (source_key) DO NOTHING`

// ImportTrades stores trades of the earlier system, which count from then on
// for cooldown, anti-flip and the trade limits. It returns how many were new:
// the same row twice is one. ErrInvalid when the account is unknown.
func (s *Store) ImportTrades(ctx context.Context, h Handover, trades []handover.Trade) (int64, error) {
	return s.importRows(ctx, h, handover.TradeHistory, importTradesSQL, trades, pgx.StrictNamedArgs{"account": h.AccountID})
}

const importUsageSQL = `
	INSERT INTO interlock.gpt_usage_log (id, user_id, snapshot_id, purpose, tokens, cost, success, detail, created_at)
	SELECT x."Key", x."UserID", x."Snapshot", x."Purpose", x."Tokens", x."Cost", x."Success", 'earlier system', x."CreatedAt"
	FROM json_to_recordset(@rows) AS x("Key" text, "UserID" text, "Snapshot" text, "Purpose" text, "Tokens" bigint, "Cost" numeric,
		"Success" boolean, "CreatedAt" timestamptz)
	ON CONFLICT (id) DO NOTHING`

// ImportUsage stores model calls of the earlier system, which count for the
// budgets from then on. It returns how many were new.
func (s *Store) ImportUsage(ctx context.Context, h Handover, calls []handover.Usage) (int64, error) {
	return s.importRows(ctx, h, handover.UsageLog, importUsageSQL, calls, pgx.StrictNamedArgs{})
}

func (s *Store) importRows(ctx context.Context, h Handover, table, sql string, rows any, args pgx.StrictNamedArgs) (fresh int64, err error) {
	text, err := json.Marshal(rows)
	if err != nil {
		return 0, fmt.Errorf("import %s: %w", table, err)
	}
	args["rows"] = string(text)
	err = s.handOver(ctx, h, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sql, args)
		if fresh = tag.RowsAffected(); err != nil || fresh == 0 {
			return err
		}
		return appendAudit(ctx, tx, event{
			Chain: h.AccountID, Kind: "handover.imported", Actor: h.Actor,
			Body: map[string]any{"table": table, "new": fresh, "rows": json.RawMessage(text)},
		})
	})
	if err != nil {
		return 0, fmt.Errorf("import %s: %w", table, err)
	}
	return fresh, nil
}

// Closed is what became of an ID that the earlier system began.
type Closed struct {
	handover.Proposal

	New  bool
	Here trade.Status // of the proposal that bears the ID here, before; empty when none does
}

// Claimed reports whether the proposal is on its way here too: nothing can be
// closed, and somebody must look at the exchange.
func (c Closed) Claimed() bool { return c.Here == trade.Executing || c.Here == trade.Unresolved }

const closeElsewhereSQL = `SELECT fresh, coalesce(status_here, ''), coalesce(account, '') FROM interlock.close_elsewhere(@id, @user, @status, @source, @actor)`

// CloseElsewhere sees to it that proposals which the earlier system began are
// never executed here: their IDs are refused from then on, and open proposals
// that bear one are cancelled.
func (s *Store) CloseElsewhere(ctx context.Context, h Handover, proposals []handover.Proposal) ([]Closed, error) {
	var all []Closed
	err := s.handOver(ctx, h, func(tx pgx.Tx) error {
		var events []event
		for _, p := range proposals {
			c, account, err := closeElsewhere(ctx, tx, h, p)
			if err != nil {
				return fmt.Errorf("%s: %w", p.ID, err)
			}
			all = append(all, c)
			if c.Here == trade.Pending || c.Here == trade.Failed {
				events = append(events, event{Chain: account, Kind: "proposal.cancel", Proposal: p.ID, Actor: h.Actor,
					Body: map[string]any{"status": trade.Cancelled, "reason": "it is " + p.Status + " in the earlier system"}})
			}
		}
		return appendAll(ctx, tx, append(events, closedEvent(h, all)...))
	})
	if err != nil {
		return nil, fmt.Errorf("close elsewhere: %w", err)
	}
	return all, nil
}

func closeElsewhere(ctx context.Context, tx pgx.Tx, h Handover, p handover.Proposal) (Closed, string, error) {
	c, account := Closed{Proposal: p}, ""
	err := tx.QueryRow(ctx, closeElsewhereSQL, pgx.StrictNamedArgs{
		"id": p.ID, "user": p.UserID, "status": p.Status, "source": p.Source, "actor": h.Actor,
	}).Scan(&c.New, &c.Here, &account)
	return c, account, err
}

func closedEvent(h Handover, all []Closed) []event {
	var ids []string
	for _, c := range all {
		if c.New {
			ids = append(ids, c.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return []event{{Chain: h.AccountID, Kind: "handover.closed", Actor: h.Actor, Body: map[string]any{"proposals": ids}}}
}

func appendAll(ctx context.Context, tx pgx.Tx, events []event) error {
	for _, e := range events {
		if err := appendAudit(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}
