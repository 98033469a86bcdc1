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

// MayTryAgain reports whether a new attempt at an instant could still help after
// one that ended like this.
func (c Claim) MayTryAgain(p AttemptResult, at time.Time) bool {
	return p.MayPass() && at.Sub(c.ClaimedAt) < SendWithin
}

// OpenUntil is when the order's time is over. One that takes the market's price
// ends by itself; if it does not, it is cancelled a minute from now.
func (c Claim) OpenUntil(now time.Time) time.Time {
	if c.Plan.resting() {
		return c.ClaimedAt.Add(c.Plan.TimeToLive.Std())
	}
	return now.Add(takerLife)
}

// takerLife is how long an order that takes the market's price may stay open.
const takerLife = time.Minute

// Life is what is stored of a proposal and its execution.
type Life struct {
	Proposal      Proposal      `json:"proposal"`
	Claim         *Claim        `json:"claim,omitempty"`         // nil: never claimed
	Attempts      int           `json:"attempts,omitempty"`      // how many have a row
	InDoubt       int           `json:"inDoubt,omitempty"`       // number of the attempt without a verdict; 0: none
	AcceptedOrder string        `json:"acceptedOrder,omitempty"` // the exchange's order ID; empty: none accepted
	Order         *Order        `json:"order,omitempty"`         // as recorded at the end
	CancelledBy   string        `json:"cancelledBy,omitempty"`   // who asked to give it up
	Tried         []PastAttempt `json:"tried,omitempty"`         // the last attempts, oldest first
	Looked        []PastLookup  `json:"looked,omitempty"`        // the last looks, oldest first
}

// DecidingAttempt is the one that decides a claim which an earlier run began:
// the attempt in doubt, else the last one, else the next one, which concluding
// voids so that nobody can begin it.
func (l Life) DecidingAttempt() int {
	switch {
	case l.InDoubt > 0:
		return l.InDoubt
	case l.Claim.Untried:
		return l.Claim.NextAttempt
	}
	return l.Claim.NextAttempt - 1
}

// LookupPause is how long to wait before the next lookup: soon at first, because
// most doubts are a lost reply, and never longer than half a minute. wait is when
// absence could be concluded; there is a lookup then in any case.
func LookupPause(lookups int, wait time.Duration) time.Duration {
	pause := maxLookupPause
	if lookups = max(lookups, 0); lookups < 5 {
		pause = time.Second << lookups
	}
	if wait > 0 && wait < pause {
		pause = wait + 100*time.Millisecond
	}
	return pause
}

const maxLookupPause = 30 * time.Second

// PastAttempt is one attempt as the records have it: Unknown while it is in doubt.
type PastAttempt struct {
	Number int           `json:"number"`
	At     time.Time     `json:"at"`
	Result AttemptResult `json:"placing"`
}

// PastLookup is one look for the order of an attempt.
type PastLookup struct {
	Number int       `json:"number"`
	At     time.Time `json:"at"`
	Lookup Lookup    `json:"look"`
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

// ClaimRef names a claim. It carries no fact: whoever has one reads the rows.
type ClaimRef struct {
	ExecutionID int64  `json:"executionId"`
	ProposalID  string `json:"proposalId"`
	AccountID   string `json:"accountId"`
	RequestID   string `json:"requestId"`
}

// Recorded is what recording an order has come to: its execution's status, and
// the order when that is EXECUTED.
type Recorded struct {
	Status Status `json:"status"`
	Order  *Order `json:"order,omitempty"`
}

// Ref names the claim.
func (c Claim) Ref() ClaimRef {
	return ClaimRef{ExecutionID: c.ExecutionID, ProposalID: c.ProposalID, AccountID: c.AccountID, RequestID: c.RequestID}
}

// DatabaseLife says what an earlier life of the database, or a lost future of
// it, may have known more.
type DatabaseLife struct {
	Here    bool       // the account was made in this very life
	BeganAt *time.Time // nil: it has not begun
}

// LostWindow is how long after an earlier life's end a request of it may still
// act, in time of a clock that may be off from the exchange's.
const LostWindow = AccessWindow + MaxClockSkew

// MayHaveLost reports whether an earlier life may have known more of what began
// at an instant.
func (l DatabaseLife) MayHaveLost(begun time.Time) bool {
	return !l.Here && (l.BeganAt == nil || begun.Before(*l.BeganAt))
}

func (l DatabaseLife) began(now time.Time) time.Time {
	if l.BeganAt == nil {
		return now
	}
	return *l.BeganAt
}
