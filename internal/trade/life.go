package trade

import (
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// Claim is the right to carry out one proposal, won in its preflight.
type Claim struct {
	ExecutionID   int64     `json:"executionId"`
	ProposalID    string    `json:"proposalId"`
	AccountID     string    `json:"accountId"`
	RequestID     string    `json:"requestId"` // the request that won it
	ClientOrderID uuid.UUID `json:"clientOrderId"`
	Plan          Plan      `json:"plan"`
	ClaimedAt     time.Time `json:"claimedAt"`
	NextAttempt   int       `json:"nextAttempt"`
	Untried       bool      `json:"untried"` // no attempt was made for the request that won it
}

// Life is what is stored of a proposal and its execution.
type Life struct {
	Proposal      Proposal `json:"proposal"`
	Claim         *Claim   `json:"claim,omitempty"`         // nil: never claimed
	Attempts      int      `json:"attempts,omitempty"`      // how many have a row
	InDoubt       int      `json:"inDoubt,omitempty"`       // number of the attempt without a verdict; 0: none
	AcceptedOrder string   `json:"acceptedOrder,omitempty"` // the exchange's order ID; empty: none accepted
	Order         *Order   `json:"order,omitempty"`         // as recorded at the end
	CancelledBy   string   `json:"cancelledBy,omitempty"`   // who asked to give it up
	Tried         []Tried  `json:"tried,omitempty"`         // the last attempts, oldest first
	Looked        []Looked `json:"looked,omitempty"`        // the last looks, oldest first
}

// Tried is one attempt as the records have it: Unknown while it is in doubt.
type Tried struct {
	Number  int       `json:"number"`
	At      time.Time `json:"at"`
	Placing Placing   `json:"placing"`
}

// Looked is one look for the order of an attempt.
type Looked struct {
	Number int       `json:"number"`
	At     time.Time `json:"at"`
	Look   Look      `json:"look"`
}

// Decision is the answer of preflight: the verdict, and the claim if it passed.
type Decision struct {
	Verdict Verdict `json:"verdict"`
	Claim   *Claim  `json:"claim,omitempty"`
}

// Holding is a balance of the exchange account.
type Holding struct {
	Symbol    string          `json:"symbol"`
	Available decimal.Decimal `json:"available"`
	InOrder   decimal.Decimal `json:"inOrder"`
}

// Comparison is one reading of an exchange account, ready to be compared.
type Comparison struct {
	AccountID  string
	StartedAt  time.Time // database clock, before the exchange was asked
	Orders     []Order
	TradesSeen int
	Holdings   []Holding
}

// Compared is what one comparison found.
type Compared struct {
	Differences    int
	Contradictions int           // that were not known before; each raised an alarm
	Wait           time.Duration // zero: it counts; else one begun after so long will
}
