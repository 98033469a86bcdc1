// Package view says what people are shown of a proposal, who asks, and which role
// covers which. It owns the shapes that stores fill and that HTTP API and command
// line print. It decides nothing else and reads nothing.
package view

import (
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// Proposal is a proposal with everything that has become of it.
type Proposal struct {
	trade.Proposal
	Execution    *Execution     // nil: never claimed
	Failure      *trade.Failure // nil: did not fail
	Blocks       []trade.Block  // of the last verdict, unless that one claimed
	CancelledBy  string         // who asked to give it up
	CancelReason string
	UpdatedAt    time.Time
}

// Execution is the execution of a proposal so far.
type Execution struct {
	RequestID         string // the request that won the claim in force
	ClientOrderID     uuid.UUID
	Status            trade.Status
	ClaimedAt         time.Time
	EndedAt           *time.Time        // nil: it is open
	OrderID           string            // empty: none was accepted, as far as is known
	OrderStatus       trade.OrderStatus // empty until it is recorded
	FilledAmount      decimal.Decimal   // base asset
	FilledAmountQuote decimal.Decimal   // quote asset
	FeePaid           decimal.Decimal
	FeeCurrency       string
	Attempts          int
	Looks             int        // for its order
	LastLook          *time.Time // nil: nobody has looked
	InDoubt           int        // number of the attempt without a verdict; 0: none
	DoubtUntil        *time.Time // exchange clock: before this the doubtful request may still act
}

// Difference is an order of the exchange that the records do not have, or have
// otherwise.
type Difference struct {
	AccountID     string      `json:"accountId"`
	Market        string      `json:"market"`
	OrderID       string      `json:"orderId"`
	Kind          string      `json:"kind"` // unknown_order, contradiction or amounts_differ
	ClientOrderID string      `json:"clientOrderId,omitempty"`
	ProposalID    string      `json:"proposalId,omitempty"` // whose ID the order bears, as far as it is stored here
	Detail        string      `json:"detail"`
	Order         trade.Order `json:"order"` // as it was last seen
	FirstSeenAt   time.Time   `json:"firstSeenAt"`
	LastSeenAt    time.Time   `json:"lastSeenAt"`
}

// Filter narrows a list of proposals; empty fields do not.
type Filter struct {
	UserID    string
	AccountID string
	Status    trade.Status
	Before    string // ID of the last proposal of the page before
	Limit     int    // 50 when zero, at most 500
}

// Override is an override with what has become of it.
type Override struct {
	trade.Override
	Via        string // the door it came through
	ConsumedBy string // the request that used it; empty: none has
}

// Control is the trading state of a scope, and who set it why.
type Control struct {
	Scope     string             `db:"scope" json:"scope"` // an account, or AllAccounts
	State     trade.TradingState `db:"state" json:"state"`
	Actor     string             `db:"actor" json:"actor"`
	Reason    string             `db:"reason" json:"reason"`
	ChangedAt time.Time          `db:"changed_at" json:"changedAt"`
}

// AllAccounts is the scope of a trading state that counts for every account.
const AllAccounts = "*"
