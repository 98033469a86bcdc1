package verify

import "github.com/shopspring/decimal"

// withinExposure values what was held and on order when a buy was claimed, and
// never too high: prices of other markets are the lowest that any preflight
// saw, and every price may have moved by Drift.
func (c *inquiry) withinExposure(x claim, p policy) {
	if x.plan.Side != buy || p.perMarket == nil && p.perAll == nil {
		return
	}
	held, ordered := c.heldAt(x)
	market, account := x.plan.WorstQuote, x.plan.WorstQuote
	for _, name := range sortedKeys(ordered) {
		account = account.Add(ordered[name])
	}
	for name, base := range held {
		if base.IsPositive() {
			account = account.Add(base.Mul(c.lowPrice(name, x)))
		}
	}
	market = market.Add(ordered[x.plan.Market])
	if base := held[x.plan.Market]; base.IsPositive() {
		market = market.Add(base.Mul(c.lowPrice(x.plan.Market, x)))
	}
	if exceeds(&market, p.perMarket) || exceeds(&account, p.perAll) {
		c.reportf(LimitExposure, x.proposal, "with it at least %s in %s and %s on the account; the limits are %s and %s",
			market, x.plan.Market, account, show(p.perMarket), show(p.perAll))
	}
}

func (c *inquiry) lowPrice(market string, x claim) decimal.Decimal {
	price := c.lowest[market] // zero where nobody ever asked
	if market == x.plan.Market {
		price = x.plan.ReferencePrice
	}
	return price.Sub(price.Mul(c.o.Drift))
}

// heldAt is the base that trades on the account had left in each market when x
// was claimed, and the quote that open buys could move.
func (c *inquiry) heldAt(x claim) (held, ordered sums) {
	held, ordered = sums{}, sums{}
	for _, y := range c.claims {
		switch {
		case y.account != x.account || !y.at.Before(x.at):
		case !y.openAt(x):
			held.add(y.filled.market, signed(y.filled.side, y.filled.amount))
		case y.plan.Side == buy:
			ordered.add(y.plan.Market, y.plan.WorstQuote)
		}
	}
	for _, t := range c.r.Trades {
		if t.ExecutionID != nil || orEmpty(t.AccountID) != x.account || t.Market == nil || t.Amount == nil {
			continue
		}
		// One that x need not have seen counts only if it makes less.
		if t.RecordedAt.Add(commitSlack).Before(x.at) || t.Side != buy && t.RecordedAt.Before(x.seen) {
			held.add(*t.Market, signed(t.Side, *t.Amount))
		}
	}
	return held, ordered
}

func signed(side string, amount decimal.Decimal) decimal.Decimal {
	if side == buy {
		return amount
	}
	return amount.Neg()
}
