package trade

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/shopspring/decimal"
)

// Market is a pair as the exchange writes it, such as "BTC-EUR".
type Market string

var marketText = regexp.MustCompile(`^[A-Z0-9]{1,12}-[A-Z0-9]{2,6}$`)

// ParseMarket accepts "BTC-EUR" and "BTC/EUR" and returns the first form. The
// error names the field, the value and the fix.
func ParseMarket(field, text string) (Market, error) {
	normal := strings.Replace(text, "/", "-", 1)
	if !marketText.MatchString(normal) {
		return "", fmt.Errorf("%s: %q is not a market; write base and quote in capitals, like \"BTC-EUR\"", field, clip(text))
	}
	return Market(normal), nil
}

// Base is the asset that is bought or sold: BTC in BTC-EUR.
func (m Market) Base() string {
	base, _, _ := strings.Cut(string(m), "-")
	return base
}

// Quote is the asset it is paid with: EUR in BTC-EUR.
func (m Market) Quote() string {
	_, quote, _ := strings.Cut(string(m), "-")
	return quote
}

// MarketRules are the exchange's own limits on the orders of a market.
type MarketRules struct {
	TickSize         decimal.Decimal `json:"tickSize"`
	QuantityDecimals int32           `json:"quantityDecimals"`
	NotionalDecimals int32           `json:"notionalDecimals"`
	MinBase          decimal.Decimal `json:"minBase"`
	MinQuote         decimal.Decimal `json:"minQuote"`
	Status           string          `json:"status"`
}

// RoundPrice brings price onto the tick grid in the direction that is never
// worse for the account: down for a buy, up for a sell.
func (r MarketRules) RoundPrice(side Side, price decimal.Decimal) decimal.Decimal {
	if !r.TickSize.IsPositive() {
		return price
	}
	ticks := price.Div(r.TickSize)
	if side == Buy {
		return ticks.Floor().Mul(r.TickSize)
	}
	return ticks.Ceil().Mul(r.TickSize)
}
