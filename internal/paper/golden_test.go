package paper

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

var anyID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)

// masked replaces the ids that the exchange gave.
func masked(body []byte) string { return anyID.ReplaceAllString(string(body), "ID") }

func TestShapeOfAFilledMarketOrder(t *testing.T) {
	b := newBench(t)
	a := b.call(b.key, http.MethodPost, "/order", orderJSON(named(uuidA)))
	require.JSONEq(t, `{
		"orderId":"ID","clientOrderId":"11111111-2222-7333-8444-555555555555","market":"BTC-EUR",
		"created":1772625600000,"updated":1772625600000,"status":"filled","side":"buy","orderType":"market",
		"amount":"0.1","amountRemaining":"0","onHold":"0","onHoldCurrency":"EUR",
		"filledAmount":"0.1","filledAmountQuote":"5000","feePaid":"12.5","feeCurrency":"EUR",
		"fills":[{"id":"ID","timestamp":1772625600000,"amount":"0.1","price":"50000","taker":true,
			"fee":"12.5","feeCurrency":"EUR","settled":true}],
		"selfTradePrevention":"decrementAndCancel","visible":false,"disableMarketProtection":false,"operatorId":7}`,
		masked(a.body))
}

func TestShapeOfANewLimitOrder(t *testing.T) {
	b := newBench(t)
	a := b.call(b.key, http.MethodPost, "/order", limitJSON(map[string]any{"postOnly": true, "selfTradePrevention": "cancelBoth"}))
	require.JSONEq(t, `{
		"orderId":"ID","market":"BTC-EUR","created":1772625600000,"updated":1772625600000,"status":"new",
		"side":"buy","orderType":"limit","amount":"0.1","amountRemaining":"0.1","price":"40000",
		"onHold":"4010","onHoldCurrency":"EUR","filledAmount":"0","filledAmountQuote":"0","feePaid":"0",
		"feeCurrency":"EUR","fills":[],"selfTradePrevention":"cancelBoth","visible":true,
		"timeInForce":"GTC","postOnly":true,"operatorId":7}`, masked(a.body))
}

func TestShapeOfAnOrderInQuote(t *testing.T) {
	b := newBench(t)
	a := b.call(b.key, http.MethodPost, "/order",
		orderJSON(map[string]any{"side": "sell", "amount": nil, "amountQuote": "500"}))
	require.JSONEq(t, `{
		"orderId":"ID","market":"BTC-EUR","created":1772625600000,"updated":1772625600000,"status":"filled",
		"side":"sell","orderType":"market","amountQuote":"500","amountQuoteRemaining":"0",
		"onHold":"0","onHoldCurrency":"BTC","filledAmount":"0.01","filledAmountQuote":"500",
		"feePaid":"1.25","feeCurrency":"EUR",
		"fills":[{"id":"ID","timestamp":1772625600000,"amount":"0.01","price":"50000","taker":true,
			"fee":"1.25","feeCurrency":"EUR","settled":true}],
		"selfTradePrevention":"decrementAndCancel","visible":false,"disableMarketProtection":false,"operatorId":7}`,
		masked(a.body))
}

func TestShapeOfTheLedger(t *testing.T) {
	b := newBench(t)
	b.place(orderJSON(nil))
	b.call(b.other, http.MethodPost, "/order", orderJSON(map[string]any{"side": "sell"}))
	b.place(limitJSON(nil))
	require.JSONEq(t, `{
		"accounts":{
			"main":{"ADA":{"available":"10000","inOrder":"0"},"BTC":{"available":"1.1","inOrder":"0"},
				"ETH":{"available":"10","inOrder":"0"},"EUR":{"available":"90977.5","inOrder":"4010"},
				"SOL":{"available":"100","inOrder":"0"}},
			"other":{"ADA":{"available":"10000","inOrder":"0"},"BTC":{"available":"0.9","inOrder":"0"},
				"ETH":{"available":"10","inOrder":"0"},"EUR":{"available":"104987.5","inOrder":"0"},
				"SOL":{"available":"100","inOrder":"0"}}},
		"house":{"BTC":"0","EUR":"0"},"fees":{"EUR":"25"}}`, string(b.lever(http.MethodGet, "/ledger", nil).body))
}

func TestShapeOfTheDayTicker(t *testing.T) {
	b := newBench(t)
	row := b.get("/ticker/24h?market=BTC-EUR").object(t)
	for _, field := range []string{"market", "open", "high", "low", "last", "bid", "bidSize", "ask", "askSize", "volume", "volumeQuote"} {
		require.IsType(t, "", row[field], field)
	}
	for _, field := range []string{"startTimestamp", "timestamp", "openTimestamp", "closeTimestamp"} {
		require.IsType(t, 0.0, row[field], field)
	}
	require.True(t, number(row["low"].(string)).LessThanOrEqual(number("50000")))
}
