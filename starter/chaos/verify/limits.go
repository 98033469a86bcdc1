package verify

import (
	"fmt"
	"time"

	"github.com/shopspring/decimal"
)

// commitSlack is how long a row that another program wrote, or a policy, may
// have taken from its time to its commit: until then nobody could see it. The
// server ends what takes longer.
const commitSlack = beginSlack

// deal is what counts against the limits of a claim: an execution from its
// claim to its end, then its last fill, and rows that other programs recorded.
type deal struct {
	ref, market, asset, side string
	at                       time.Time // last fill; the claim while it is open
	known                    time.Time // since when the records hold it
	open                     bool
	amount, quote            decimal.Decimal
}

func (t deal) age(now time.Time) time.Duration {
	if t.open || t.at.After(now) {
		return 0
	}
	return now.Sub(t.at)
}

// limitsHold judges every claim again by what was so at its time. Where two
// transactions overlapped so that the records cannot tell who saw whom, the
// reading that favours the claim is taken: what is reported is sure.
func limitsHold(c *inquiry) {
	for _, x := range c.claims {
		key := policyKey{x.user, x.account, x.version}
		p, known := c.policies[key]
		if !known {
			c.reportf(LimitPolicy, x.proposal, "it was claimed under a policy that is not stored: %s", key)
			continue
		}
		c.underPolicy(x, p)
		c.withinSize(x, p)
		trades := c.tradesBefore(x)
		c.withinCounts(x, p, trades)
		c.cooledDown(x, p, trades)
		c.withinExposure(x, p)
		c.notRepeating(x, p)
	}
}

func (c *inquiry) underPolicy(x claim, p policy) {
	if !x.passed {
		c.reportf(LimitPolicy, x.proposal, "it was claimed although a check had not passed")
	}
	for _, row := range c.kinds[kindPolicy] {
		if row.Chain != x.account || orEmpty(row.UserID) != x.user || !row.At.Add(commitSlack).Before(x.at) {
			continue
		}
		if b, err := decode[policyStoredWire](row.Body); err == nil && *b.Version > x.version {
			c.reportf(LimitPolicy, x.proposal, "it was claimed under version %d after version %d was stored", x.version, *b.Version)
		}
	}
	if !p.allowed[x.plan.Market] {
		c.reportf(LimitAllowlist, x.proposal, "%s is not on the allowlist of version %d", x.plan.Market, x.version)
	}
	if had := c.proposals[x.proposal].Confidence; had == nil || had.LessThan(p.minConfidence) {
		c.reportf(LimitConfidence, x.proposal, "its confidence is %s, asked for is %s", show(had), p.minConfidence)
	}
}

// withinSize holds the plan, and what came of it, against the caps.
func (c *inquiry) withinSize(x claim, p policy) {
	most := x.plan.mostQuote()
	if !most.Equal(x.plan.WorstQuote) {
		c.reportf(LimitSize, x.proposal, "its plan can move %s and counts %s", most, x.plan.WorstQuote)
	}
	if exceeds(&most, p.maxQuote) || exceeds(&x.filled.quote, p.maxQuote) {
		c.reportf(LimitSize, x.proposal, "planned %s, filled %s in quote; the cap is %s", most, x.filled.quote, p.maxQuote)
	}
	limit, listed := p.maxBase[baseOf(x.plan.Market)]
	switch {
	case p.maxBase == nil:
	case !listed:
		c.reportf(LimitSize, x.proposal, "the policy sets no cap in %s", baseOf(x.plan.Market))
	case x.plan.takesMoreThan(limit), exceeds(&x.filled.amount, &limit):
		c.reportf(LimitSize, x.proposal, "planned %s or %s in quote, filled %s in base; the cap is %s",
			show(x.plan.Amount), show(x.plan.AmountQuote), x.filled.amount, limit)
	}
}

// exceeds reports whether a value is above a limit; without one nothing is.
func exceeds(value, limit *decimal.Decimal) bool {
	return limit != nil && value != nil && value.GreaterThan(*limit)
}

// takesMoreThan judges an amount in quote by the base it could trade at the
// plan's lowest price.
func (p plan) takesMoreThan(limit decimal.Decimal) bool {
	return exceeds(p.Amount, &limit) || p.AmountQuote != nil && p.AmountQuote.GreaterThan(limit.Mul(p.LowestPrice))
}

func (p plan) mostQuote() decimal.Decimal {
	switch {
	case p.AmountQuote != nil:
		return *p.AmountQuote
	case p.Amount == nil || p.Price == nil:
		return decimal.Zero
	case p.TimeInForce == "GTC" && p.Side == buy:
		return p.Amount.Mul(*p.Price)
	}
	return p.Amount.Mul(decimal.Max(p.HighestPrice, *p.Price))
}

// tradesBefore lists what of the user counts against x, on every account.
func (c *inquiry) tradesBefore(x claim) []deal {
	var list []deal
	for _, y := range c.claims {
		switch {
		case y.user != x.user || !y.at.Before(x.at):
		case y.openAt(x):
			list = append(list, deal{ref: y.proposal, asset: baseOf(y.plan.Market), side: y.plan.Side, at: y.at, known: y.at, open: true})
		case y.filled.amount.IsPositive():
			list = append(list, y.filled)
		}
	}
	for _, t := range c.r.Trades {
		if t.ExecutionID == nil && t.UserID == x.user && t.RecordedAt.Add(commitSlack).Before(x.at) {
			list = append(list, deal{ref: fmt.Sprint("trade_history ", t.ID), asset: t.Asset, side: t.Side, at: within(t.ExecutedAt, t.ExecutedAt, t.RecordedAt), known: t.RecordedAt})
		}
	}
	return list
}

func (c *inquiry) withinCounts(x claim, p policy, trades []deal) {
	today, hour := 0, 0
	for _, t := range trades {
		if t.open || date(t.at, p.zone) >= date(x.at, p.zone) {
			today++
		}
		if t.age(x.at) < time.Hour {
			hour++
		}
	}
	if p.perDay != nil && today >= *p.perDay {
		c.reportf(LimitDay, x.proposal, "%d trades that day before it; the limit is %d", today, *p.perDay)
	}
	if p.perHour != nil && hour >= *p.perHour {
		c.reportf(LimitHour, x.proposal, "%d trades in the 60 minutes before it; the limit is %d", hour, *p.perHour)
	}
}

// date is a calendar day as text that sorts like it.
func date(at time.Time, zone *time.Location) string { return at.In(zone).Format(time.DateOnly) }

func (c *inquiry) cooledDown(x claim, p policy, trades []deal) {
	for _, t := range trades {
		age := t.age(x.at)
		if t.asset != baseOf(x.plan.Market) {
			continue
		}
		if age < p.cooldown && !c.overridden(x, t, func(o OverrideRow) bool { return o.Cooldown }) {
			c.reportf(LimitCooldown, x.proposal, "%s traded %s before it (%s); the cooldown is %s", t.asset, age, t.ref, p.cooldown)
		}
		if age < p.antiFlip && t.side != x.plan.Side && !c.overridden(x, t, func(o OverrideRow) bool { return o.AntiFlip }) {
			c.reportf(LimitAntiFlip, x.proposal, "a %s of %s traded %s before it (%s); the anti-flip time is %s", t.side, t.asset, age, t.ref, p.antiFlip)
		}
	}
}

// overridden reports whether x consumed an override that looks past t: one
// that was alive and that was stored when t was known.
func (c *inquiry) overridden(x claim, t deal, lifts func(OverrideRow) bool) bool {
	for _, o := range c.r.Overrides {
		alive := x.at.Before(o.ExpiresAt) || o.ID == x.request
		if o.ProposalID == x.proposal && o.ConsumedBy != nil && *o.ConsumedBy == x.request && lifts(o) && alive && !t.known.After(o.StoredAt) {
			return true
		}
	}
	return false
}

func (c *inquiry) notRepeating(x claim, p policy) {
	if p.throttle == nil {
		return
	}
	resumed, count := c.resumedBefore(x), 0
	for _, y := range c.claims {
		if y.account == x.account && y.at.Before(x.at) && !y.at.Before(resumed) && x.at.Sub(y.at) < p.throttle.window && (y.openAt(x) || y.outcome == executed) {
			count++
		}
	}
	if count >= p.throttle.executions {
		c.reportf(LimitThrottle, x.proposal, "%d claims on the account in the %s before it; the limit is %d", count, p.throttle.window, p.throttle.executions)
	}
}

// resumedBefore is when a person last let the account trade before a claim: the
// throttle counts from there.
func (c *inquiry) resumedBefore(x claim) (at time.Time) {
	for _, s := range c.states {
		if s.Chain == x.account && s.state != "HALTED" && s.At.Before(x.at) {
			at = s.At
		}
	}
	return at
}
