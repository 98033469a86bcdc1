package trade

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Policy is what one user allows on one account. Every limit is stated, or
// knowingly "unlimited"; a policy that leaves one out is refused, not guessed.
type Policy struct {
	TimeZone        TimeZone    `json:"timeZone"`        // IANA name; its midnight starts a trading day
	Allowlist       Allowlist   `json:"allowlist"`       // markets; empty means none
	MinConfidence   Fraction    `json:"minConfidence"`   // 0..1, equal passes
	Cooldown        Duration    `json:"cooldown"`        // since any trade in the asset
	AntiFlip        Duration    `json:"antiFlip"`        // since an opposite trade in the asset
	TradesPerDay    CountLimit  `json:"tradesPerDay"`    // per calendar day in TimeZone
	TradesPerHour   CountLimit  `json:"tradesPerHour"`   // in the last 60 minutes
	MaxOrderQuote   AmountLimit `json:"maxOrderQuote"`   // quote asset, before the exchange's fee
	MaxOrderBase    AssetLimits `json:"maxOrderBase"`    // by base asset; one that is not listed may not trade
	ExposureMarket  AmountLimit `json:"exposureMarket"`  // quote asset without fees, held and on order, per market
	ExposureAccount AmountLimit `json:"exposureAccount"` // the same over all markets of the account
	PriceCollar     Fraction    `json:"priceCollar"`     // part of the reference price, either way
	PriceMaxAge     Duration    `json:"priceMaxAge"`     // of the reference price
	ReconcileMaxAge Duration    `json:"reconcileMaxAge"` // of the last comparison with the exchange
	LimitOrderTTL   Duration    `json:"limitOrderTTL"`   // an open limit order is cancelled after it
	RepeatThrottle  Throttle    `json:"repeatThrottle"`  // executions per window on the account
	AutoExecute     Switch      `json:"autoExecute"`     // scans may execute without a person
	ModelBudget     ModelBudget `json:"modelBudget"`     // what the user's scans may spend on language models

	// May be left out, as they were added later: none then applies.
	FourEyes              *AmountLimit `json:"fourEyes,omitempty"`              // quote asset; an override for more needs two verified people
	VerifiedOverridesOnly Switch       `json:"verifiedOverridesOnly,omitempty"` // no overrides by plain Temporal signals and updates
}

type policyField struct {
	name     string
	into     any
	optional bool
}

// fields is the one list of what a policy consists of, for decoding and for
// saying what is missing.
func (p *Policy) fields() []policyField {
	return []policyField{
		{name: "timeZone", into: &p.TimeZone}, {name: "allowlist", into: &p.Allowlist}, {name: "minConfidence", into: &p.MinConfidence},
		{name: "cooldown", into: &p.Cooldown}, {name: "antiFlip", into: &p.AntiFlip},
		{name: "tradesPerDay", into: &p.TradesPerDay}, {name: "tradesPerHour", into: &p.TradesPerHour},
		{name: "maxOrderQuote", into: &p.MaxOrderQuote}, {name: "maxOrderBase", into: &p.MaxOrderBase},
		{name: "exposureMarket", into: &p.ExposureMarket}, {name: "exposureAccount", into: &p.ExposureAccount},
		{name: "priceCollar", into: &p.PriceCollar}, {name: "priceMaxAge", into: &p.PriceMaxAge},
		{name: "reconcileMaxAge", into: &p.ReconcileMaxAge}, {name: "limitOrderTTL", into: &p.LimitOrderTTL},
		{name: "repeatThrottle", into: &p.RepeatThrottle}, {name: "autoExecute", into: &p.AutoExecute},
		{name: "modelBudget", into: &p.ModelBudget},
		{name: "fourEyes", into: &p.FourEyes, optional: true}, {name: "verifiedOverridesOnly", into: &p.VerifiedOverridesOnly, optional: true},
	}
}

// PolicyFields lists what every policy must state, in the order of Policy.
func PolicyFields() []string {
	var names []string
	for _, f := range (&Policy{}).fields() {
		if !f.optional {
			names = append(names, f.name)
		}
	}
	return names
}

// ParsePolicy decodes a policy strictly: unknown, repeated and missing fields
// are errors, and all problems are reported at once. With an error it returns
// the zero policy, which allows nothing.
func ParsePolicy(data []byte) (Policy, error) {
	given, repeated, err := objectFields(data)
	if err != nil {
		return Policy{}, fmt.Errorf("policy: %w", err)
	}
	var problems []error
	for _, name := range repeated {
		problems = append(problems, fmt.Errorf("%s: given twice; keep one", clip(name)))
	}
	var p Policy
	for _, f := range p.fields() {
		raw, present := given[f.name]
		delete(given, f.name)
		if !present && f.optional {
			continue
		}
		if !present {
			problems = append(problems, fmt.Errorf("%s: missing; every limit must be given, or be \"unlimited\" where that is allowed", f.name))
			continue
		}
		if err := decodeValue(raw, f.into); err != nil {
			problems = append(problems, under(f.name, err))
		}
	}
	for _, name := range sortedKeys(given) {
		problems = append(problems, fmt.Errorf("%s: unknown field; remove it", clip(name)))
	}
	if len(problems) > 0 {
		return Policy{}, errors.Join(problems...)
	}
	return p, nil
}

// UnmarshalJSON is ParsePolicy, so that no path decodes a policy leniently.
func (p *Policy) UnmarshalJSON(data []byte) error {
	parsed, err := ParsePolicy(data)
	if err == nil {
		*p = parsed
	}
	return err
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m { //workflowcheck:ignore // the order is removed below
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Lookback is how far back a verdict at now needs the user's trades.
func (p Policy) Lookback(now time.Time) time.Time {
	window := max(p.Cooldown.Std(), p.AntiFlip.Std(), time.Hour)
	since := now.Add(-window)
	if day := p.TimeZone.DayStart(now); day.Before(since) {
		return day
	}
	return since
}

// Allows reports whether m is on the allowlist.
func (p Policy) Allows(m Market) bool { return slices.Contains(p.Allowlist, m) }

// MaxBase is the base cap for an asset: its amount, or that there is none, or
// (ok false) that the asset is not listed and may not trade.
func (p Policy) MaxBase(asset string) (limit AmountLimit, ok bool) {
	if p.MaxOrderBase.Unlimited {
		return AmountLimit{Unlimited: true}, true
	}
	amount, ok := p.MaxOrderBase.ByAsset[strings.ToUpper(asset)]
	return AmountLimit{Value: amount}, ok
}

// within reports whether value respects l.
func (l AmountLimit) within(value decimal.Decimal) bool {
	return l.Unlimited || value.LessThanOrEqual(l.Value)
}

func (l CountLimit) admitsOneMore(count int) bool { return l.Unlimited || count < l.Value }
