package api

import (
	"time"

	"github.com/shopspring/decimal"

	"interlock/internal/trade"
	"interlock/internal/view"
	"interlock/workflows"
)

// ProposalView is a proposal with everything that has become of it. Amounts
// and prices are decimals in strings.
type ProposalView struct {
	ID            string               `json:"id"`
	UserID        string               `json:"userId"`
	AccountID     string               `json:"accountId"`
	Market        trade.Market         `json:"market" example:"BTC-EUR"`
	Side          trade.Side           `json:"side" example:"buy"`
	OrderType     trade.OrderType      `json:"orderType" example:"market"`
	Amount        string               `json:"amount,omitempty"`
	AmountQuote   string               `json:"amountQuote,omitempty"`
	Price         string               `json:"price,omitempty"`
	ExpectedPrice string               `json:"expectedPrice,omitempty"`
	Confidence    string               `json:"confidence,omitempty"`
	Rationale     string               `json:"rationale,omitempty"`
	Source        string               `json:"source,omitempty"`
	PolicyVersion int                  `json:"policyVersion" doc:"In force when it was stored, then the one it was claimed under; 0: none"`
	Status        trade.Status         `json:"status" example:"PENDING"`
	Blocks        []Block              `json:"blocks,omitempty" nullable:"false" doc:"Of the last execute, unless that one won the claim"`
	Failure       *FailureView         `json:"failure,omitempty"`
	Order         *workflows.OrderView `json:"order,omitempty"`
	Execution     *ExecutionView       `json:"execution,omitempty" doc:"Absent: never claimed"`
	CancelledBy   string               `json:"cancelledBy,omitempty" doc:"Who asked to give it up"`
	CancelReason  string               `json:"cancelReason,omitempty"`
	CreatedAt     time.Time            `json:"createdAt"`
	UpdatedAt     time.Time            `json:"updatedAt"`
	ExpiresAt     time.Time            `json:"expiresAt"`
}

// ExecutionView is how the execution stands.
type ExecutionView struct {
	RequestID     string       `json:"requestId" doc:"The request that won the claim"`
	ClientOrderID string       `json:"clientOrderId"`
	Status        trade.Status `json:"status"`
	ClaimedAt     time.Time    `json:"claimedAt"`
	EndedAt       *time.Time   `json:"endedAt,omitempty"`
	Attempts      int          `json:"attempts"`
	InDoubt       int          `json:"inDoubt,omitempty" doc:"Number of the attempt whose outcome is unknown"`
	DoubtUntil    *time.Time   `json:"doubtUntil,omitempty" doc:"Before this, on the exchange's clock, the doubtful request may still act"`
	Looks         int          `json:"looks" doc:"For its order at the exchange"`
	LastLook      *time.Time   `json:"lastLook,omitempty"`
}

// FailureView says why an execution placed nothing.
type FailureView struct {
	Code         trade.Code `json:"code" example:"EXCHANGE_REFUSED"`
	ExchangeCode string     `json:"exchangeCode,omitempty" doc:"The exchange's own error code"`
	Message      string     `json:"message,omitempty"`
}

func viewOf(v view.Proposal) ProposalView {
	shown := ProposalView{
		ID: v.ID, UserID: v.UserID, AccountID: v.AccountID, Market: v.Market, Side: v.Side, OrderType: v.OrderType,
		Amount: plain(v.Amount), AmountQuote: plain(v.AmountQuote), Price: plain(v.Price),
		ExpectedPrice: plain(v.ExpectedPrice), Confidence: plain(v.Confidence), Rationale: v.Rationale, Source: v.Source,
		PolicyVersion: v.PolicyVersion, Status: v.Status, Blocks: blocksOf(v.Blocks), Order: orderOf(v.Execution),
		Execution: executionOf(v.Execution), CancelledBy: v.CancelledBy, CancelReason: v.CancelReason,
		CreatedAt: v.CreatedAt.UTC(), UpdatedAt: v.UpdatedAt.UTC(), ExpiresAt: v.ExpiresAt.UTC(),
	}
	if v.Failure != nil {
		failure := FailureView(*v.Failure)
		shown.Failure = &failure
	}
	return shown
}

func plain(d *decimal.Decimal) string {
	if d == nil {
		return ""
	}
	return d.String()
}

func executionOf(e *view.Execution) *ExecutionView {
	if e == nil {
		return nil
	}
	return &ExecutionView{
		RequestID: e.RequestID, ClientOrderID: e.ClientOrderID.String(), Status: e.Status, ClaimedAt: e.ClaimedAt.UTC(), EndedAt: e.EndedAt,
		Attempts: e.Attempts, InDoubt: e.InDoubt, DoubtUntil: e.DoubtUntil, Looks: e.Looks, LastLook: e.LastLook,
	}
}
