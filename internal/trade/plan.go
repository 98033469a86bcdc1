package trade

import (
	"github.com/shopspring/decimal"
)

var one = decimal.NewFromInt(1)

// PlanOrder fixes what would be sent for p at a reference price. Amounts are
// cut, and prices rounded, to what the market takes, never to the account's
// disadvantage; what is left may be zero, which the size check refuses.
//
// A market order in base goes out as limit IOC at the collar's bound, so that
// the exchange itself keeps the collar. One in quote cannot: it has no price.
// p must have passed Check.
func PlanOrder(p Proposal, policy Policy, reference decimal.Decimal, rules MarketRules) Plan {
	plan := Plan{
		Market: p.Market, Side: p.Side, OrderType: LimitOrder, TimeInForce: "IOC",
		ReferencePrice: reference,
		LowestPrice:    reference.Mul(one.Sub(policy.PriceCollar.Decimal)),
		HighestPrice:   reference.Mul(one.Add(policy.PriceCollar.Decimal)),
		TimeToLive:     policy.LimitOrderTTL,
		PriceMaxAge:    policy.PriceMaxAge,
	}
	switch {
	case p.AmountQuote != nil:
		amount := floorTo(*p.AmountQuote, rules.NotionalDecimals)
		plan.OrderType, plan.TimeInForce, plan.AmountQuote = MarketOrder, "", &amount
	case p.OrderType == LimitOrder:
		price := rules.RoundPrice(p.Side, *p.Price)
		plan.TimeInForce, plan.Price = "GTC", &price
	default:
		price := rules.RoundPrice(p.Side, plan.bound())
		plan.Price = &price
	}
	if p.Amount != nil {
		amount := floorTo(*p.Amount, rules.QuantityDecimals)
		plan.Amount = &amount
	}
	plan.WorstQuote = plan.mostQuote()
	return plan
}

// bound is the collar's limit on the side that costs money.
func (p Plan) bound() decimal.Decimal {
	if p.Side == Buy {
		return p.HighestPrice
	}
	return p.LowestPrice
}

// resting reports whether the order keeps its own price instead of taking the
// market's, which is what makes that price its only one.
func (p Plan) resting() bool { return p.TimeInForce == "GTC" }

// mostQuote and leastQuote are the order's value at the worst price for a cap
// and for a minimum. The exchange's fee is not in it.
func (p Plan) mostQuote() decimal.Decimal {
	if p.AmountQuote != nil {
		return *p.AmountQuote
	}
	if p.resting() && p.Side == Buy {
		return p.Amount.Mul(*p.Price)
	}
	return p.Amount.Mul(decimal.Max(p.HighestPrice, *p.Price))
}

func (p Plan) leastQuote() decimal.Decimal {
	if p.AmountQuote != nil {
		return *p.AmountQuote
	}
	if p.resting() {
		return p.Amount.Mul(*p.Price)
	}
	return p.Amount.Mul(p.LowestPrice)
}

// mostBase and leastBase are the order's amount at the same worst prices: never
// less than could trade, and never more.
func (p Plan) mostBase() decimal.Decimal {
	base := p.baseAt(p.LowestPrice)
	if p.Amount == nil && base.Mul(p.LowestPrice).LessThan(*p.AmountQuote) {
		return base.Add(baseStep)
	}
	return base
}

func (p Plan) leastBase() decimal.Decimal { return p.baseAt(p.HighestPrice) }

func (p Plan) baseAt(price decimal.Decimal) decimal.Decimal {
	switch {
	case p.Amount != nil:
		return *p.Amount
	case !price.IsPositive():
		return maxUnpriced
	}
	base, _ := p.AmountQuote.QuoRem(price, baseDigits)
	return base
}

// baseDigits is how exactly an amount in quote is turned into base, and one
// step of it is what cutting there can hide.
const baseDigits = 18

var baseStep = decimal.New(1, -baseDigits)

// maxUnpriced stands for an amount that no cap can hold.
var maxUnpriced = decimal.New(1, 18)
