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
	"interlock/internal/view"
)

// What people are shown is shaped by package view.
type (
	// ProposalView is a proposal with all that became of it.
	ProposalView = view.Proposal
	// ExecutionView is what became of its claim.
	ExecutionView = view.Execution
	// ProposalFilter chooses what a list shows.
	ProposalFilter = view.Filter
	// Identity is who a token speaks for.
	Identity = view.Identity
)

type viewRow struct {
	proposalRow
	FailureDetail string           `db:"failure_detail"`
	ExchangeCode  string           `db:"exchange_code"`
	CancelActor   string           `db:"cancel_actor"`
	CancelReason  string           `db:"cancel_reason"`
	UpdatedAt     time.Time        `db:"updated_at"`
	Verdict       *json.RawMessage `db:"verdict"`
	Claimed       *bool            `db:"claimed"`
	RequestID     *string          `db:"request_id"`
	ClientOrderID *uuid.UUID       `db:"client_order_id"`
	ExecStatus    *string          `db:"execution_status"`
	ClaimedAt     *time.Time       `db:"claimed_at"`
	EndedAt       *time.Time       `db:"ended_at"`
	OrderID       *string          `db:"order_id"`
	OrderStatus   *string          `db:"order_status"`
	FilledAmount  *decimal.Decimal `db:"filled_amount"`
	FilledQuote   *decimal.Decimal `db:"filled_quote"`
	FeePaid       *decimal.Decimal `db:"fee_paid"`
	FeeCurrency   *string          `db:"fee_currency"`
	Attempts      int              `db:"attempts"`
	InDoubt       *int             `db:"in_doubt"`
	DoubtUntil    *time.Time       `db:"doubt_until"`
	Looks         int              `db:"looks"`
	LastLook      *time.Time       `db:"last_look"`
}

const viewSQL = `
	SELECT p.id, p.user_id, p.account_id, p.market, p.side, p.order_type, p.amount, p.amount_quote, p.price,
		p.expected_price, p.confidence, p.rationale, p.source, p.policy_version, p.status, p.failure_code, p.created_at, p.expires_at,
		p.failure_detail, p.exchange_code, coalesce(p.cancel_actor, '') AS cancel_actor, coalesce(p.cancel_reason, '') AS cancel_reason, p.updated_at,
		v.body AS verdict, v.claimed, e.request_id, e.client_order_id, e.status AS execution_status, e.claimed_at, e.ended_at,
		coalesce(e.order_id, a.order_id) AS order_id, e.order_status, e.filled_amount, e.filled_quote, e.fee_paid, e.fee_currency,
		a.attempts, a.in_doubt, a.doubt_until, l.looks, l.last_look
	FROM interlock.trade_proposals p
	LEFT JOIN interlock.trade_executions e ON e.proposal_id = p.id AND e.user_id = p.user_id
	CROSS JOIN LATERAL (
		SELECT count(*) AS attempts, max(order_id) FILTER (WHERE verdict = 'accepted') AS order_id,
			max(number) FILTER (WHERE verdict IS NULL) AS in_doubt, max(deadline) FILTER (WHERE verdict IS NULL) AS doubt_until
		FROM interlock.order_attempts WHERE execution_id = e.id) a
	CROSS JOIN LATERAL (SELECT count(*) AS looks, max(looked_at) AS last_look FROM interlock.order_looks WHERE execution_id = e.id) l
	LEFT JOIN LATERAL (
		SELECT body, claimed FROM interlock.verdicts WHERE proposal_id = p.id ORDER BY created_at DESC LIMIT 1) v ON true`

const viewByIDSQL = viewSQL + ` WHERE p.id = @id`

// Proposal reads a proposal and what has become of it. ErrNotFound when there
// is none; whose it is, the caller must compare.
func (s *Store) Proposal(ctx context.Context, id string) (ProposalView, error) {
	row, err := one[viewRow](ctx, s.pool, viewByIDSQL, pgx.StrictNamedArgs{"id": id})
	if err != nil {
		return ProposalView{}, fmt.Errorf("proposal %s: %w", id, classify(err))
	}
	return row.view()
}

// viewsSQL takes its page's start only from a row that the filter shows: a
// stranger's proposal is no cursor.
const viewsSQL = viewSQL + `
	WHERE (@user = '' OR p.user_id = @user) AND (@account = '' OR p.account_id = @account) AND (@status = '' OR p.status = @status)
		AND (@before = '' OR (p.created_at, p.id) < (
			SELECT created_at, id FROM interlock.trade_proposals
			WHERE id = @before AND (@user = '' OR user_id = @user) AND (@account = '' OR account_id = @account)))
	ORDER BY p.created_at DESC, p.id DESC LIMIT @limit`

// Proposals lists proposals, the newest first, a page at a time.
func (s *Store) Proposals(ctx context.Context, f ProposalFilter) ([]ProposalView, error) {
	const usual, most = 50, 500
	if f.Limit <= 0 {
		f.Limit = usual
	}
	rows, err := all[viewRow](ctx, s.pool, viewsSQL, pgx.StrictNamedArgs{
		"user": f.UserID, "account": f.AccountID, "status": string(f.Status), "before": f.Before, "limit": min(f.Limit, most),
	})
	if err != nil {
		return nil, fmt.Errorf("proposals: %w", classify(err))
	}
	views := make([]ProposalView, len(rows))
	for i, r := range rows {
		if views[i], err = r.view(); err != nil {
			return nil, err
		}
	}
	return views, nil
}

func (r viewRow) view() (ProposalView, error) {
	v := ProposalView{
		Proposal: r.proposal(), Execution: r.execution(),
		CancelledBy: r.CancelActor, CancelReason: r.CancelReason, UpdatedAt: r.UpdatedAt,
	}
	if r.FailureCode != "" {
		v.Failure = &trade.Failure{Code: trade.Code(r.FailureCode), ExchangeCode: r.ExchangeCode, Message: r.FailureDetail}
	}
	if r.Verdict == nil || *r.Claimed {
		return v, nil
	}
	var verdict trade.Verdict
	if err := json.Unmarshal(*r.Verdict, &verdict); err != nil {
		return v, fmt.Errorf("proposal %s: stored verdict: %w", r.ID, err)
	}
	v.Blocks = verdict.Blocks()
	return v, nil
}

func (r viewRow) execution() *ExecutionView {
	if r.RequestID == nil {
		return nil
	}
	e := &ExecutionView{
		RequestID: *r.RequestID, ClientOrderID: *r.ClientOrderID, Status: trade.Status(*r.ExecStatus),
		ClaimedAt: *r.ClaimedAt, EndedAt: r.EndedAt, OrderID: orEmpty(r.OrderID), OrderStatus: trade.OrderStatus(orEmpty(r.OrderStatus)),
		FilledAmount: *r.FilledAmount, FilledAmountQuote: *r.FilledQuote, FeePaid: *r.FeePaid, FeeCurrency: *r.FeeCurrency,
		Attempts: r.Attempts, Looks: r.Looks, LastLook: r.LastLook, DoubtUntil: r.DoubtUntil,
	}
	if r.InDoubt != nil {
		e.InDoubt = *r.InDoubt
	}
	return e
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
