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

// claim describes the execution to whoever carries it out.
func (r executionRow) claim(attempts []attemptRow) (trade.Claim, error) {
	plan, err := r.plan()
	untried := true
	for _, a := range attempts {
		untried = untried && a.RequestID != r.RequestID
	}
	return trade.Claim{
		ExecutionID: r.ID, ProposalID: r.ProposalID, AccountID: r.AccountID, RequestID: r.RequestID,
		ClientOrderID: r.ClientOrderID, Plan: plan, ClaimedAt: r.ClaimedAt,
		NextAttempt: nextAttempt(attempts), Untried: untried,
	}, err
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

func (a attemptRow) accepted() bool {
	return a.Verdict != nil && *a.Verdict == string(trade.ConcludedAccepted)
}

// placing is the recorded outcome of the attempt, or unknown.
func (a attemptRow) placing() trade.Placing {
	p := trade.Placing{Reply: trade.Unknown, Code: a.ReplyCode, Message: a.ReplyDetail}
	if a.Verdict == nil {
		return p
	}
	switch trade.Conclusion(*a.Verdict) {
	case trade.ConcludedAccepted:
		p.Reply = trade.Accepted
		p.Order = &trade.Order{OrderID: *a.OrderID}
	case trade.ConcludedRefused:
		p.Reply = trade.Refused
	case trade.ConcludedNotSent:
		p.Reply = trade.NotSent
	case trade.ConcludedVoid:
		p = neverBegan
	case trade.ConcludedAbsent:
		p = absent(a)
	}
	return p
}

// neverBegan is the outcome of a void attempt.
var neverBegan = trade.Placing{Reply: trade.NotSent, Code: string(trade.ExchangeUnavailable), Message: "the attempt never began"}

// absent is the outcome of an attempt whose order the exchange does not have.
func absent(a attemptRow) trade.Placing {
	return trade.Placing{Reply: trade.NotSent, Code: string(trade.OrderAbsent), Message: "the exchange has no such order; it had said: " + a.ReplyCode + " " + a.ReplyDetail}
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

func (s *Store) addExecution(ctx context.Context, life trade.Life, e executionRow) (trade.Life, error) {
	attempts, err := all[attemptRow](ctx, s.pool, attemptsSQL, pgx.StrictNamedArgs{"execution": e.ID})
	if err != nil {
		return life, classify(err)
	}
	claim, err := e.claim(attempts)
	if err != nil {
		return life, err
	}
	life.Claim, life.Attempts = &claim, len(attempts)
	life.Order = e.order()
	if life.Looked, err = lastLooks(ctx, s.pool, e.ID); err != nil {
		return life, classify(err)
	}
	for _, a := range attempts[max(0, len(attempts)-shownTries):] {
		life.Tried = append(life.Tried, trade.Tried{Number: a.Number, At: a.BegunAt, Placing: a.placing()})
	}
	for _, a := range attempts {
		switch {
		case a.Verdict == nil:
			life.InDoubt = a.Number
		case a.accepted():
			life.AcceptedOrder = *a.OrderID
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

func nextAttempt(attempts []attemptRow) int {
	if len(attempts) == 0 {
		return 1
	}
	return attempts[len(attempts)-1].Number + 1
}
