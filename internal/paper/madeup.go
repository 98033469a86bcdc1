package paper

import (
	"fmt"
	"maps"

	"github.com/shopspring/decimal"
)

// WithMadeUp returns cfg with n euro markets more, of assets named X1 to Xn
// that exist nowhere else, and some of each asset on every account: for those
// who need more markets than there are assets that may be held up.
func (c Config) WithMadeUp(n int) Config {
	c = c.withDefaults()
	c.Balances = maps.Clone(c.Balances)
	for i := range n {
		m := euroMarket(fmt.Sprintf("X%d", i+1), "0.01", "0.50000000", "10")
		c.Markets = append(c.Markets, m)
		c.Assets = append(c.Assets, Asset{Symbol: m.Base, Name: "made up", Decimals: 8, WithdrawalFee: "0", WithdrawalMin: "1", Confirmations: 1, Networks: []string{m.Base}})
		c.Balances[m.Base] = decimal.NewFromInt(1000)
	}
	return c
}
