package trade

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
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
	PolicyVersion    int             // of Policy
	Control          TradingState    // the stricter of account and global
	UnresolvedOrders []string        // proposals whose order in this asset is in doubt
	UnknownOrder     string          // an exchange order that bears this proposal's ID and that we lack
	Clock            *ClockFact      // nil: never measured
	Price            *PriceFact      // nil: none
	Rules            *MarketRules    // nil: none
	Trades           []PastTrade     // the user's, back to Policy.Lookback, and every open execution
	Held             decimal.Decimal // base asset that our own trades left on the account
	ExposureMarket   decimal.Decimal // quote asset without fees, held and on order in this market
	ExposureAccount  decimal.Decimal // quote asset, over all markets of the account
	Executions       []time.Time     // claims on the account, as far back as the throttle's window
	ReconciledAt     *time.Time      // last comparison by this very database; nil: never
	ComparableFrom   *time.Time      // a comparison begun earlier may lack what a lost future of this database sent; nil: unknown
	Overrides        []Override      // unused ones of this proposal
}

// ClockFact is how far the exchange's clock was ahead of the database's.
type ClockFact struct {
	Ahead      time.Duration
	MeasuredAt time.Time // database clock
}

// PriceFact is the last price seen. It is never taken for fresher than the
// moment before the exchange was asked.
type PriceFact struct {
	Price      decimal.Decimal
	ObservedAt time.Time // database clock
}

// MarketFact is what the exchange shows of one market at one moment.
type MarketFact struct {
	Market Market
	Price  decimal.Decimal
	Rules  MarketRules
}

// PastTrade is a trade, or an execution that may still become one.
type PastTrade struct {
	Ref     string    // proposal, or where the row came from
	Asset   string    // base asset
	Side    Side      // buy or sell
	At      time.Time // last fill; the claim while it is open
	KnownAt time.Time // when our records first held it
	Open    bool
}

// age is how long ago t traded: not at all while it is open, because it may
// trade at any moment, and not at all when a clock ahead of ours saw it.
func (t PastTrade) age(now time.Time) time.Duration {
	if t.Open {
		return 0
	}
	return max(now.Sub(t.At), 0)
}

// Problem says why o cannot be stored; empty when it can.
func (o Override) Problem() string {
	switch {
	case !o.Cooldown && !o.AntiFlip:
		return "an override must name cooldown or antiFlip"
	case strings.TrimSpace(o.Actor) == "":
		return "an override needs an actor"
	case strings.TrimSpace(o.Reason) == "":
		return "an override needs a reason"
	case len(o.Actor) > 100 || len(o.Reason) > 500:
		return "actor (100 bytes) or reason (500 bytes) is too long"
	}
	if err := errors.Join(checkText("actor", o.Actor, 100), checkText("reason", o.Reason, 500)); err != nil {
		return err.Error()
	}
	return ""
}

// overrideSpace separates override IDs from every other use of UUIDv5.
var overrideSpace = uuid.MustParse("0b7f6f57-7d3e-5a43-9a53-2f3a4f0f2b61")

// DerivedID names an override that was given without an ID after its proposal
// and content, so that the same override sent twice is one.
func (o Override) DerivedID() string {
	text := fmt.Sprintf("%q %t %t %q %q %s", o.ProposalID, o.Cooldown, o.AntiFlip, o.Actor, o.Reason, stamp(o.ExpiresAt))
	return uuid.NewSHA1(overrideSpace, []byte(text)).String()
}
