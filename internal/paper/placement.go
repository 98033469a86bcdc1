package paper

import (
	"math"

	"github.com/shopspring/decimal"
)

// placement is a request for a new order, read and checked by itself.
type placement struct {
	market, side, kind, clientOrderID string
	operatorID                        int64
	amount, quote, price              decimal.Decimal
	timeInForce, selfTrade            string
	postOnly, brief                   bool
	fate                              fate
}

var placementFields = []string{
	"market", "side", "orderType", "operatorId", "clientOrderId", "amount", "amountQuote", "price",
	"triggerAmount", "triggerType", "triggerReference", "timeInForce", "postOnly", "selfTradePrevention",
	"disableMarketProtection", "responseRequired", "codGroupId",
}

// onlyOtherTypes are the parameters that an order type does not take.
var onlyOtherTypes = map[string][]string{
	typeMarket: {"price", "timeInForce", "postOnly", "triggerAmount", "triggerType", "triggerReference"},
	typeLimit:  {"amountQuote", "triggerAmount", "triggerType", "triggerReference"},
}

var selfTrades = []string{"decrementAndCancel", "cancelOldest", "cancelNewest", "cancelBoth"}

// parsePlacement reads the body of a new order, or says what is wrong with it
// whatever the market and the account are.
func parsePlacement(body []byte, loose bool) (placement, error) {
	p, err := bodyParams(body, placementFields, loose)
	if err != nil {
		return placement{}, err
	}
	p.need("market", "side", "orderType", "operatorId")
	o := placement{
		market: p.text("market"), side: p.choice("side", buy, sell), kind: p.choice("orderType", typeMarket, typeLimit),
		clientOrderID: p.clientOrderID(), operatorID: p.integer("operatorId", 0, math.MaxInt64, 0),
		amount: p.amount("amount"), quote: p.amount("amountQuote"), price: p.amount("price"),
		timeInForce: p.choice("timeInForce", untilCancelled, immediateOrCancel, fillOrKill),
		selfTrade:   p.choice("selfTradePrevention", selfTrades...),
		postOnly:    p.flag("postOnly", false), brief: !p.flag("responseRequired", true),
	}
	p.integer("codGroupId", 1, 1000, 1)
	if p.flag("disableMarketProtection", false) {
		p.fail(invalid("disableMarketProtection"))
	}
	if p.err == nil {
		o.fit(p)
	}
	return o, p.err
}

// fit checks that the parameters go together.
func (o placement) fit(p *params) {
	for _, name := range onlyOtherTypes[o.kind] {
		if p.has(name) {
			p.fail(refusef(codeOrderType, "%s parameter is not supported for orderType %s.", name, o.kind))
		}
	}
	switch {
	case p.has("amount") && p.has("amountQuote"):
		p.fail(refusef(codeIncompatible, "amount and amountQuote parameters cannot be combined."))
	case o.kind == typeLimit:
		p.need("amount", "price")
	case !p.has("amountQuote"):
		p.need("amount")
	}
	if o.postOnly && o.timeInForce != untilCancelled {
		p.fail(refusef(codeIncompatible, "postOnly and timeInForce %s cannot be combined.", o.timeInForce))
	}
}

// checkSizes holds amounts and price against the steps and bounds of the market.
func checkSizes(m Market, amount, quote, price decimal.Decimal) error {
	if err := checkPrice(m, price); err != nil {
		return err
	}
	switch {
	case -amount.Exponent() > m.QuantityDecimals:
		return refusef(codeDecimals, "amount has more than %d decimals.", m.QuantityDecimals)
	case -quote.Exponent() > m.NotionalDecimals:
		return refusef(codeDecimals, "amountQuote has more than %d decimals.", m.NotionalDecimals)
	case amount.GreaterThan(number(m.MaxBase)) || quote.GreaterThan(number(m.MaxQuote)):
		return refusef(codeTooLarge, "The amount is above the maximum of %s %s or %s %s.", m.MaxBase, m.Base, m.MaxQuote, m.Quote)
	case amount.IsPositive() && amount.LessThan(number(m.MinBase)):
		return refusef(codeTooSmall, "The amount is below the minimum of %s %s.", m.MinBase, m.Base)
	}
	return nil
}

func checkPrice(m Market, price decimal.Decimal) error {
	if -price.Exponent() > 15 {
		return refusef(codePriceDigits, "The price has more than 15 decimals.")
	}
	if !price.Mod(m.tick()).IsZero() {
		return refusef(codeTick, "The price must be a multiple of the tickSize %s.", m.TickSize)
	}
	return nil
}

// checkNotional refuses orders worth less than the market's minimum in quote.
func checkNotional(m Market, worth decimal.Decimal) error {
	if worth.LessThan(number(m.MinQuote)) {
		return refusef(codeMinQuote, "Minimum order size in quote currency is %s %s or %s %s.",
			number(m.MinQuote), m.Quote, number(m.MinBase), m.Base)
	}
	return nil
}
