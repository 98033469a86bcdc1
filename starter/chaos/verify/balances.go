package verify

import (
	"slices"

	"github.com/shopspring/decimal"
)

// sums is how much of each asset.
type sums map[string]decimal.Decimal

func (s sums) add(asset string, amount decimal.Decimal) { s[asset] = s[asset].Add(amount) }

// balancesAgree follows the money: what every fill moved, from what there was
// to what there is.
func balancesAgree(c *inquiry) {
	house, fees, has, held := sums{}, sums{}, sums{}, sums{}
	for asset, amount := range c.o.Start {
		has.add(asset, amount)
	}
	for _, o := range c.l.Orders {
		base, quote, fee, _ := o.sums()
		if o.Side != buy {
			base, quote = base.Neg(), quote.Neg()
		}
		house.add(baseOf(o.Market), base.Neg())
		house.add(quoteOf(o.Market), quote)
		fees.add(quoteOf(o.Market), fee)
		if o.Holder == c.o.Holder {
			has.add(baseOf(o.Market), base)
			has.add(quoteOf(o.Market), quote.Neg().Sub(fee))
			held.add(o.OnHoldAsset, o.OnHold)
		}
		if finalStatus[o.Status] && !o.OnHold.IsZero() {
			c.reportf(BalancesAddUp, o.Key().String(), "it is %s and holds %s %s", o.Status, o.OnHold, o.OnHoldAsset)
		}
	}
	c.compareBalances(has, held)
	c.compareSums(HouseAddsUp, "house", house, c.l.House)
	c.compareSums(HouseAddsUp, "fees", fees, c.l.Fees)
}

func (c *inquiry) compareBalances(has, held sums) {
	holdings, known := c.l.Accounts[c.o.Holder]
	if !known {
		c.reportf(BalancesAddUp, c.o.Holder, "the exchange has no such account")
		return
	}
	is, inOrder := sums{}, sums{}
	for asset, h := range holdings {
		is[asset], inOrder[asset] = h.Available.Add(h.InOrder), h.InOrder
		if h.Available.IsNegative() || h.InOrder.IsNegative() {
			c.reportf(BalancesAddUp, c.o.Holder+" "+asset, "available %s, in order %s", h.Available, h.InOrder)
		}
	}
	c.compareSums(BalancesAddUp, c.o.Holder, has, is)
	c.compareSums(BalancesAddUp, c.o.Holder+" on hold", held, inOrder)
}

func (c *inquiry) compareSums(rule, of string, want sums, is map[string]decimal.Decimal) {
	assets := map[string]bool{}
	for asset := range want {
		assets[asset] = true
	}
	for asset := range is {
		assets[asset] = true
	}
	for _, asset := range sortedKeys(assets) {
		if !want[asset].Equal(is[asset]) {
			c.reportf(rule, of+" "+asset, "it is %s and should be %s", is[asset], want[asset])
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
