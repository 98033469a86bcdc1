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

// proposalRow is a row of trade_proposals as it is decided upon.
type proposalRow struct {
	ID            string           `db:"id"`
	UserID        string           `db:"user_id"`
	AccountID     string           `db:"account_id"`
	Market        string           `db:"market"`
	Side          string           `db:"side"`
	OrderType     string           `db:"order_type"`
	Amount        *decimal.Decimal `db:"amount"`
	AmountQuote   *decimal.Decimal `db:"amount_quote"`
	Price         *decimal.Decimal `db:"price"`
	ExpectedPrice *decimal.Decimal `db:"expected_price"`
	Confidence    *decimal.Decimal `db:"confidence"`
	Rationale     string           `db:"rationale"`
	Source        string           `db:"source"`
	PolicyVersion int              `db:"policy_version"`
	Status        string           `db:"status"`
	FailureCode   string           `db:"failure_code"`
	CreatedAt     time.Time        `db:"created_at"`
	ExpiresAt     time.Time        `db:"expires_at"`
}

const proposalColumns = `id, user_id, account_id, market, side, order_type, amount, amount_quote, price,
	expected_price, confidence, rationale, source, policy_version, status, failure_code, created_at, expires_at`

func (r proposalRow) proposal() trade.Proposal {
	return trade.Proposal{
		ID: r.ID, UserID: r.UserID, AccountID: r.AccountID,
		Market: trade.Market(r.Market), Side: trade.Side(r.Side), OrderType: trade.OrderType(r.OrderType),
		Amount: r.Amount, AmountQuote: r.AmountQuote, Price: r.Price, ExpectedPrice: r.ExpectedPrice,
		Confidence: r.Confidence, Rationale: r.Rationale, Source: r.Source, PolicyVersion: r.PolicyVersion,
		Status: trade.Status(r.Status), FailureCode: r.FailureCode, CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt,
	}
}

const proposalByIDSQL = `SELECT ` + proposalColumns + ` FROM interlock.trade_proposals WHERE id = @id`

func readProposal(ctx context.Context, q querier, id string) (trade.Proposal, error) {
	row, err := one[proposalRow](ctx, q, proposalByIDSQL, pgx.StrictNamedArgs{"id": id})
	if err != nil {
		return trade.Proposal{}, fmt.Errorf("proposal %s: %w", id, err)
	}
	return row.proposal(), nil
}

// executionRow is a row of trade_executions.
type executionRow struct {
	ID            int64           `db:"id"`
	UserID        string          `db:"user_id"`
	ProposalID    string          `db:"proposal_id"`
	AccountID     string          `db:"account_id"`
	Market        string          `db:"market"`
	Side          string          `db:"side"`
	ClientOrderID uuid.UUID       `db:"client_order_id"`
	Status        string          `db:"status"`
	Plan          json.RawMessage `db:"plan"`
	RequestID     string          `db:"request_id"`
	ClaimedAt     time.Time       `db:"claimed_at"`
	OrderID       *string         `db:"order_id"`
	OrderStatus   *string         `db:"order_status"`
	FilledAmount  decimal.Decimal `db:"filled_amount"`
	FilledQuote   decimal.Decimal `db:"filled_quote"`
	FeePaid       decimal.Decimal `db:"fee_paid"`
	FeeCurrency   string          `db:"fee_currency"`
}

const executionColumns = `id, user_id, proposal_id, account_id, market, side, client_order_id, status, plan,
	request_id, claimed_at, order_id, order_status, filled_amount, filled_quote, fee_paid, fee_currency`

func (r executionRow) plan() (trade.Plan, error) {
	var plan trade.Plan
	if err := json.Unmarshal(r.Plan, &plan); err != nil {
		return plan, fmt.Errorf("execution %d: plan: %w", r.ID, err)
	}
	return plan, nil
}

// execution is the row with its attempts.
func (r executionRow) execution(attempts []attemptRow) (trade.Execution, error) {
	plan, err := r.plan()
	e := trade.Execution{
		ID: r.ID, ProposalID: r.ProposalID, AccountID: r.AccountID, Status: trade.Status(r.Status), RequestID: r.RequestID,
		ClientOrderID: r.ClientOrderID, Plan: plan, ClaimedAt: r.ClaimedAt,
	}
	for _, a := range attempts {
		e.Attempts = append(e.Attempts, a.attempt())
	}
	return e, err
}

// claimOf describes an execution to whoever carries it out.
func claimOf(e trade.Execution) *trade.Claim {
	return &trade.Claim{
		ExecutionID: e.ID, ProposalID: e.ProposalID, AccountID: e.AccountID, RequestID: e.RequestID,
		ClientOrderID: e.ClientOrderID, Plan: e.Plan, ClaimedAt: e.ClaimedAt, NextAttempt: e.NextAttempt(), Untried: e.Untried(),
	}
}

const executionByProposalSQL = `SELECT ` + executionColumns + ` FROM interlock.trade_executions WHERE proposal_id = @proposal`

const attemptColumns = `number, request_id, deadline, begun_at, reply_code, reply_detail, verdict, order_id`

const attemptsSQL = `
	SELECT ` + attemptColumns + `
	FROM interlock.order_attempts WHERE execution_id = @execution ORDER BY number`

type attemptRow struct {
	Number      int        `db:"number"`
	RequestID   string     `db:"request_id"`
	Deadline    *time.Time `db:"deadline"`
	BegunAt     time.Time  `db:"begun_at"`
	ReplyCode   string     `db:"reply_code"`
	ReplyDetail string     `db:"reply_detail"`
	Verdict     *string    `db:"verdict"`
	OrderID     *string    `db:"order_id"`
}

func (a attemptRow) attempt() trade.Attempt {
	attempt := trade.Attempt{
		Number: a.Number, RequestID: a.RequestID, BegunAt: a.BegunAt, Code: a.ReplyCode, Message: a.ReplyDetail,
	}
	if a.Deadline != nil {
		attempt.Deadline = *a.Deadline
	}
	if a.Verdict != nil {
		attempt.Outcome = trade.Outcome(*a.Verdict)
	}
	if a.OrderID != nil {
		attempt.OrderID = *a.OrderID
	}
	return attempt
}

const readCancelSQL = `SELECT coalesce(cancel_actor, '') FROM interlock.trade_proposals WHERE id = @id`

// ReadState reads a proposal with its execution and attempts: the truth that
// every run of its workflow begins with. ErrNotFound when there is none.
func (s *Store) ReadState(ctx context.Context, proposalID string) (trade.Life, error) {
	p, err := readProposal(ctx, s.pool, proposalID)
	if err != nil {
		return trade.Life{}, classify(err)
	}
	life := trade.Life{Proposal: p}
	if err := s.pool.QueryRow(ctx, readCancelSQL, pgx.StrictNamedArgs{"id": proposalID}).Scan(&life.CancelledBy); err != nil {
		return life, classify(err)
	}
	execution, err := one[executionRow](ctx, s.pool, executionByProposalSQL, pgx.StrictNamedArgs{"proposal": proposalID})
	if errors.Is(err, pgx.ErrNoRows) {
		return life, nil
	}
	if err != nil {
		return life, classify(err)
	}
	return s.addExecution(ctx, life, execution)
}

func (s *Store) addExecution(ctx context.Context, life trade.Life, row executionRow) (trade.Life, error) {
	attempts, err := all[attemptRow](ctx, s.pool, attemptsSQL, pgx.StrictNamedArgs{"execution": row.ID})
	if err != nil {
		return life, classify(err)
	}
	e, err := row.execution(attempts)
	if err != nil {
		return life, err
	}
	life.Claim, life.Attempts, life.AcceptedOrder, life.Order = claimOf(e), len(e.Attempts), e.Accepted(), row.order()
	if life.Looked, err = lastLooks(ctx, s.pool, e.ID); err != nil {
		return life, classify(err)
	}
	for _, a := range e.Attempts[max(0, len(e.Attempts)-shownTries):] {
		life.Tried = append(life.Tried, trade.PastAttempt{Number: a.Number, At: a.BegunAt, Result: a.Result()})
	}
	for _, a := range e.Attempts {
		if a.Outcome == "" {
			life.InDoubt = a.Number
		}
	}
	return life, nil
}

// order is the recorded end of the execution; nil before it has one.
func (r executionRow) order() *trade.Order {
	if r.OrderID == nil {
		return nil
	}
	return &trade.Order{
		OrderID: *r.OrderID, ClientOrderID: r.ClientOrderID.String(), Market: trade.Market(r.Market), Side: trade.Side(r.Side),
		Status: trade.OrderStatus(*r.OrderStatus), FilledAmount: r.FilledAmount, FilledAmountQuote: r.FilledQuote,
		FeePaid: r.FeePaid, FeeCurrency: r.FeeCurrency,
	}
}
