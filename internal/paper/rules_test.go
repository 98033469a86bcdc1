package paper

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

func (b *bench) options(text string) string {
	b.t.Helper()
	return string(b.lever(http.MethodPost, "/options", json.RawMessage(text)).body)
}

func TestOrderIDsThatBeginAndCeaseToRepeatStayFindable(t *testing.T) {
	b := newBench(t, stateFile(t), func(c *Config) {
		c.Balances = map[string]decimal.Decimal{"EUR": decimal.NewFromInt(1_000_000)}
	})
	ids := map[string][]string{}
	place := func(market string) string {
		id := b.place(orderJSON(map[string]any{"market": market, "amount": nil, "amountQuote": "100"}))["orderId"].(string)
		ids[market] = append(ids[market], id)
		return id
	}
	for range 3 {
		place("BTC-EUR")
	}
	require.JSONEq(t, `{"repeatOrderIds":true,"clientOrderIdForever":false}`, b.options(`{"repeatOrderIds":true}`))
	require.Equal(t, place("BTC-EUR"), place("ETH-EUR"), "whatever each market had before")
	b.options(`{"repeatOrderIds":false}`)
	require.NotEqual(t, place("BTC-EUR"), place("ETH-EUR"))
	b.reopen()
	b.options(`{"repeatOrderIds":true}`)
	require.Equal(t, place("ETH-EUR"), place("BTC-EUR"), "after a restart too")

	all := map[string]int{}
	for market, of := range ids {
		for _, id := range of {
			all[id]++
			a := b.call(b.key, http.MethodGet, "/order?market="+market+"&orderId="+id, "")
			require.Equal(t, id, a.object(t)["orderId"])
			require.Equal(t, market, a.object(t)["market"])
		}
	}
	require.Len(t, all, len(ids["BTC-EUR"])+len(ids["ETH-EUR"])-2, "two ids are of two markets, none twice of one")
}

func TestClientOrderIDsAreForEverWhileChosen(t *testing.T) {
	b := newBench(t)
	b.place(orderJSON(named(uuidA)))
	require.JSONEq(t, `{"repeatOrderIds":false,"clientOrderIdForever":true}`, b.options(`{"clientOrderIdForever":true}`))
	require.Equal(t, 220, b.call(b.key, http.MethodPost, "/order", orderJSON(named(uuidA))).code(t))
	b.options(`{"clientOrderIdForever":false}`)
	b.place(orderJSON(named(uuidA)))
	require.Len(t, b.recorded(), 2)
}
