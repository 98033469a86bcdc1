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

// MarketRules are the exchange's own limits on the orders of a market. Without
// a tick size they are unknown, and no order can be computed.
type MarketRules struct {
	TickSize         decimal.Decimal `json:"tickSize"`         // a price is a multiple of it
	QuantityDecimals int32           `json:"quantityDecimals"` // of an amount in base
	NotionalDecimals int32           `json:"notionalDecimals"` // of an amount in quote
	MinBase          decimal.Decimal `json:"minBase"`
	MinQuote         decimal.Decimal `json:"minQuote"`
	Status           string          `json:"status"` // for people; the exchange itself refuses what it forbids
}

// RoundPrice brings a positive price onto the tick grid in the direction that
// is never worse for the account: down for a buy, up for a sell.
func (r MarketRules) RoundPrice(side Side, price decimal.Decimal) decimal.Decimal {
	if !r.TickSize.IsPositive() {
		return price
	}
	// Not Div: it rounds, and a price just under a tick would become the tick.
	ticks, rest := price.QuoRem(r.TickSize, 0)
	if side != Buy && rest.IsPositive() {
		ticks = ticks.Add(one)
	}
	return ticks.Mul(r.TickSize)
}
