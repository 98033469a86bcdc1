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
	ResumedAt        time.Time       // since when a person lets the account trade; zero while it is halted
	ReconciledAt     *time.Time      // last comparison by this very database; nil: never
	ComparableFrom   *time.Time      // a comparison begun earlier may lack what a lost future of this database sent; nil: unknown
	Overrides        []Override      // unused ones of this proposal
	OverrideIDs      []string        // of every override of this proposal, used ones too
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
	At      time.Time // from when on it counts: the last fill; the claim while it is open
	KnownTo []string  // stored overrides that our records already showed it to
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
