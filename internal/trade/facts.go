package trade

import (
	"time"

	"github.com/shopspring/decimal"
)

// Request is one wish to execute a proposal. Its ID makes the wish repeatable:
// asked again under the same ID, it gets the same verdict.
type Request struct {
	ID               string    `json:"id"`
	ProposalID       string    `json:"proposalId"`
	Actor            string    `json:"actor"`
	OverrideCooldown bool      `json:"overrideCooldown,omitempty"`
	OverrideAntiFlip bool      `json:"overrideAntiFlip,omitempty"`
	Reason           string    `json:"reason,omitempty"`
	Via              string    `json:"via"`               // "update" or "signal"
	NotAfter         time.Time `json:"notAfter,omitzero"` // zero: no bound
}

// Override permits one execution of one proposal in spite of cooldown or
// anti-flip. It looks past the trades known when it was stored, and no later.
type Override struct {
	ID         string    `json:"id"`
	ProposalID string    `json:"proposalId"`
	Cooldown   bool      `json:"cooldown"`
	AntiFlip   bool      `json:"antiFlip"`
	Actor      string    `json:"actor"`
	Verified   bool      `json:"verified"` // the actor proved who they are
	Reason     string    `json:"reason"`
	StoredAt   time.Time `json:"storedAt"`
	ExpiresAt  time.Time `json:"expiresAt"`
}

// Facts is everything a verdict depends on, read in one transaction under the
// account lock. What could not be read is absent, and absence blocks.
type Facts struct {
	Now              time.Time       // database clock, after the lock
	Policy           *Policy         // nil: the user has none
	PolicyVersion    int             //
	Control          TradingState    // the stricter of account and global
	UnresolvedOrders []string        // proposals whose order in this asset is in doubt
	UnknownOrder     string          // an exchange order that bears this proposal's ID and that we lack
	Clock            *ClockFact      // nil: never measured
	Price            *PriceFact      // nil: none
	Rules            *MarketRules    // nil: none
	Trades           []PastTrade     // the user's, back to Policy.Lookback, open executions included
	Held             decimal.Decimal // base asset that our own trades left on the account
	ExposureMarket   decimal.Decimal // quote asset, held and on order in this market
	ExposureAccount  decimal.Decimal // quote asset, over all markets of the account
	Executions       []time.Time     // claims on the account, back to the throttle's window
	ReconciledAt     *time.Time      // last comparison by this very database; nil: never
	Overrides        []Override      // unused ones of this proposal
}

// ClockFact is how far the exchange's clock was ahead of the database's.
type ClockFact struct {
	Ahead      time.Duration
	MeasuredAt time.Time // database clock
}

// PriceFact is the last price seen.
type PriceFact struct {
	Price      decimal.Decimal
	ObservedAt time.Time // database clock
}

// PastTrade is a trade, or an execution that may still become one.
type PastTrade struct {
	Ref     string    // proposal, or where the row came from
	Asset   string    // base asset
	Side    Side      //
	At      time.Time // last fill; the claim while it is open
	KnownAt time.Time // when our records first held it
	Open    bool
}

// Problem says why o cannot be stored; empty when it can.
func (o Override) Problem() string {
	switch {
	case !o.Cooldown && !o.AntiFlip:
		return "an override must name cooldown or antiFlip"
	case o.Actor == "":
		return "an override needs an actor"
	case o.Reason == "":
		return "an override needs a reason"
	case len(o.Actor) > 100 || len(o.Reason) > 500:
		return "actor (100 bytes) or reason (500 bytes) is too long"
	}
	return ""
}
