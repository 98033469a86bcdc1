package paper

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

func TestMarketOrderFillsAtTheBestPricesFirst(t *testing.T) {
	b := newBench(t)
	o := b.place(orderJSON(with("amount", "0.5")))
	require.Equal(t, "filled", o["status"])
	require.Equal(t, "0.5", o["filledAmount"])
	require.Equal(t, "0", o["amountRemaining"])
	fills := o["fills"].([]any)
	require.Len(t, fills, 2, "the best level holds 0.4")
	first, second := fills[0].(map[string]any), fills[1].(map[string]any)
	require.Equal(t, "50000", first["price"])
	require.Equal(t, "0.4", first["amount"])
	require.Equal(t, "50050", second["price"])
	require.Equal(t, "0.1", second["amount"])
	require.Equal(t, "50", first["fee"], "0.25 % of 20000")
	require.Equal(t, true, first["taker"])
	require.Equal(t, true, first["settled"])
	require.Equal(t, "EUR", first["feeCurrency"])
	require.Equal(t, "25005", o["filledAmountQuote"])
	require.Equal(t, "62.51", o["feePaid"], "12.5125 is cut to whole cents")
	for _, absent := range []string{"price", "timeInForce", "postOnly", "amountQuote", "clientOrderId", "restatementReason"} {
		require.NotContains(t, o, absent)
	}
	require.Equal(t, false, o["visible"])
}

func TestLevelsRefillWhenThePriceMoves(t *testing.T) {
	b := newBench(t)
	b.place(orderJSON(with("amount", "0.4")))
	var book bookView
	b.get("/BTC-EUR/book").into(t, &book)
	require.Equal(t, "50050", book.Asks[0][0], "the best level is taken")
	b.clock.Move(time.Second)
	b.get("/BTC-EUR/book").into(t, &book)
	require.Equal(t, "50000", book.Asks[0][0])
}

func TestQuoteIsSpentFeesIncluded(t *testing.T) {
	b := newBench(t)
	o := b.place(orderJSON(map[string]any{"amount": nil, "amountQuote": "1000"}))
	require.Equal(t, "filled", o["status"])
	require.Equal(t, "1000", o["amountQuote"])
	require.NotContains(t, o, "amount")
	spent := number(o["filledAmountQuote"].(string)).Add(number(o["feePaid"].(string)))
	require.True(t, spent.LessThanOrEqual(decimal.NewFromInt(1000)))
	require.True(t, spent.GreaterThan(number("999.98")), "%s", spent)
	available, inOrder := b.balance("EUR")
	require.Equal(t, decimal.NewFromInt(100_000).Sub(spent).String(), available)
	require.Equal(t, "0", inOrder)
}

func TestSellForQuoteReceivesItBeforeFees(t *testing.T) {
	b := newBench(t)
	o := b.place(orderJSON(map[string]any{"side": "sell", "amount": nil, "amountQuote": "1000"}))
	require.Equal(t, "filled", o["status"])
	require.Equal(t, "1000", o["filledAmountQuote"])
	require.Equal(t, "2.5", o["feePaid"])
	require.Equal(t, "0.02", o["filledAmount"])
}

func TestWhatTheBookCannotGiveIsCanceled(t *testing.T) {
	b := newBench(t)
	b.lever(http.MethodPost, "/book", map[string]any{"levels": 1, "depthQuote": "100"})
	o := b.place(orderJSON(with("amount", "0.01")))
	require.Equal(t, "canceled", o["status"])
	require.Equal(t, "0.002", o["filledAmount"])
	require.Equal(t, "0.008", o["amountRemaining"])
}

func TestMarketOrderStopsWhereThePriceRunsAway(t *testing.T) {
	b := newBench(t)
	b.lever(http.MethodPost, "/book", map[string]any{"levelGapBps": 600, "depthQuote": "100"})
	o := b.place(orderJSON(with("amount", "0.1")))
	require.Equal(t, "canceledMarketProtection", o["status"])
	require.Equal(t, "cancelOnExecutionPriceProtection", o["restatementReason"])
	require.Len(t, o["fills"], 2, "the third level is 12 % away")
}

func TestLimitOrdersEndAsTheirKindSays(t *testing.T) {
	for _, c := range []struct {
		name   string
		fields map[string]any
		status string
		filled string
	}{
		{"rests", map[string]any{}, "new", "0"},
		{"fills at once", map[string]any{"price": "50000"}, "filled", "0.1"},
		{"fills in part and rests", map[string]any{"price": "50000", "amount": "0.5"}, "partiallyFilled", "0.4"},
		{"IOC fills", map[string]any{"price": "50000", "timeInForce": "IOC"}, "filled", "0.1"},
		{"IOC fills in part", map[string]any{"price": "50000", "amount": "0.5", "timeInForce": "IOC"}, "canceledIOC", "0.4"},
		{"IOC fills nothing", map[string]any{"timeInForce": "IOC"}, "canceledIOC", "0"},
		{"FOK fills", map[string]any{"price": "50050", "amount": "0.5", "timeInForce": "FOK"}, "filled", "0.5"},
		{"FOK fills all or nothing", map[string]any{"price": "50000", "amount": "0.5", "timeInForce": "FOK"}, "canceledFOK", "0"},
		{"post only rests", map[string]any{"postOnly": true}, "new", "0"},
		{"post only never takes", map[string]any{"postOnly": true, "price": "50000"}, "canceledPostOnly", "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			o := b.place(limitJSON(c.fields))
			require.Equal(t, c.status, o["status"])
			require.Equal(t, c.filled, o["filledAmount"])
			require.Equal(t, o, b.order(o["orderId"]), "a look shows what the reply showed")
			_, inOrder := b.balance("EUR")
			require.Equal(t, o["onHold"], inOrder)
		})
	}
}

func TestHoldIsTheWorstCaseInWholeCents(t *testing.T) {
	for _, c := range [][3]string{{"0.3", "2910", "875.19"}, {"1", "3000", "3007.5"}, {"0.5", "3000", "1503.75"}} {
		b := newBench(t)
		b.pin("9000")
		o := b.place(limitJSON(map[string]any{"amount": c[0], "price": c[1]}))
		require.Equal(t, c[2], o["onHold"])
		require.Equal(t, "EUR", o["onHoldCurrency"])
	}
	b := newBench(t)
	o := b.place(limitJSON(map[string]any{"side": "sell", "price": "60000"}))
	require.Equal(t, "0.1", o["onHold"])
	require.Equal(t, "BTC", o["onHoldCurrency"])
}

func TestFeeLandsOnWholeCents(t *testing.T) {
	rate := number("0.0025")
	require.Equal(t, "0.02440018", feeFor(true, number("10.49559982"), rate, 2).String())
	require.Equal(t, "0.12038925", feeFor(false, number("45.84038925"), rate, 2).String())
	require.Equal(t, "0.056", feeFor(false, number("21.146"), rate, 2).String())
	require.Equal(t, "0", feeFor(true, number("0.009"), rate, 2).String(), "never negative")
}

func TestRestingOrderFillsAtItsOwnPriceWhenReached(t *testing.T) {
	b := newBench(t)
	o := b.place(limitJSON(nil))
	b.pin("40001")
	require.Equal(t, "new", b.order(o["orderId"])["status"])
	b.pin("39000")
	o = b.order(o["orderId"])
	require.Equal(t, "filled", o["status"])
	fill := o["fills"].([]any)[0].(map[string]any)
	require.Equal(t, "40000", fill["price"])
	require.Equal(t, false, fill["taker"])
	require.Equal(t, "6", fill["fee"], "0.15 % of 4000")
	require.Equal(t, "0", o["onHold"])
}

func TestRestingSellFillsWhenThePriceRises(t *testing.T) {
	b := newBench(t)
	o := b.place(limitJSON(map[string]any{"side": "sell", "price": "60000"}))
	b.pin("60000")
	require.Equal(t, "filled", b.order(o["orderId"])["status"])
}

func TestRestingOrderFillsInPartsStepByStep(t *testing.T) {
	b := newBench(t)
	b.lever(http.MethodPost, "/book", map[string]any{"fillFraction": "0.4"})
	id := b.place(limitJSON(nil))["orderId"]
	b.pin("39000")
	for _, want := range []struct{ status, filled string }{
		{"partiallyFilled", "0.04"}, {"partiallyFilled", "0.08"}, {"filled", "0.1"}, {"filled", "0.1"},
	} {
		o := b.order(id)
		require.Equal(t, want.status, o["status"])
		require.Equal(t, want.filled, o["filledAmount"])
		b.clock.Move(time.Second)
	}
}

func TestCancelGivesTheHoldBack(t *testing.T) {
	b := newBench(t)
	o := b.place(limitJSON(named(uuidA)))
	a := b.call(b.key, http.MethodDelete, "/order?market=BTC-EUR&operatorId=9&clientOrderId="+uuidA, "")
	require.JSONEq(t, fmt.Sprintf(`{"orderId":%q,"clientOrderId":%q,"operatorId":9}`, o["orderId"], uuidA), string(a.body))
	available, inOrder := b.balance("EUR")
	require.Equal(t, "100000", available)
	require.Equal(t, "0", inOrder)
	require.Equal(t, "canceled", b.order(o["orderId"])["status"])
}

func TestCancelOfAFilledOrderSays233WhereChosen(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Options.ClosedCode = 233 })
	o := b.place(orderJSON(nil))
	a := b.call(b.key, http.MethodDelete, "/order?market=BTC-EUR&operatorId=9&orderId="+o["orderId"].(string), "")
	require.Equal(t, 233, a.code(t))
}

func TestCancelAllTouchesOnlyTheAskedMarketAndAccount(t *testing.T) {
	b := newBench(t)
	mine := b.place(limitJSON(nil))
	b.place(limitJSON(map[string]any{"market": "ETH-EUR", "price": "1000"}))
	theirs := b.call(b.other, http.MethodPost, "/order", limitJSON(nil)).object(t)
	a := b.call(b.key, http.MethodDelete, "/orders?operatorId=9&market=BTC-EUR", "")
	require.JSONEq(t, fmt.Sprintf(`[{"orderId":%q,"operatorId":9}]`, mine["orderId"]), string(a.body))
	var open []orderView
	b.call(b.key, http.MethodGet, "/ordersOpen", "").into(t, &open)
	require.Len(t, open, 1)
	b.call(b.other, http.MethodGet, "/ordersOpen?base=BTC", "").into(t, &open)
	require.Len(t, open, 1)
	require.Equal(t, theirs["orderId"], open[0].OrderID)
	b.call(b.key, http.MethodDelete, "/orders?operatorId=9", "").into(t, &[]cancelView{})
	b.call(b.key, http.MethodGet, "/ordersOpen", "").into(t, &open)
	require.Empty(t, open)
}

func TestUpdateReplacesThePriceAndMayTrade(t *testing.T) {
	b := newBench(t)
	b.place(limitJSON(named(uuidA)))
	put := func(fields string) map[string]any {
		a := b.call(b.key, http.MethodPut, "/order", `{"market":"BTC-EUR","operatorId":3,"clientOrderId":"`+uuidA+`",`+fields+`}`)
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		return a.object(t)
	}
	o := put(`"amount":"0.2","price":"41000"`)
	require.Equal(t, "new", o["status"])
	require.Equal(t, "8220.5", o["onHold"])
	require.EqualValues(t, 3, o["operatorId"])
	o = put(`"amountRemaining":"0.5","price":"50000"`)
	require.Equal(t, "partiallyFilled", o["status"])
	require.Equal(t, "0.4", o["filledAmount"])
	_, inOrder := b.balance("EUR")
	require.Equal(t, o["onHold"], inOrder)
	require.Equal(t, 205, b.call(b.key, http.MethodPut, "/order",
		`{"market":"BTC-EUR","operatorId":3,"clientOrderId":"`+uuidA+`","amount":"0.4"}`).code(t), "nothing would be left")
	require.Equal(t, "canceledIOC", put(`"timeInForce":"IOC","price":"45000","selfTradePrevention":"cancelBoth","postOnly":false`)["status"])
}

func TestClientOrderIDIsFreeAgainOnceItsOrderIsClosed(t *testing.T) {
	b := newBench(t)
	first := b.place(orderJSON(named(uuidA)))
	second := b.place(orderJSON(named(uuidA)))
	require.NotEqual(t, first["orderId"], second["orderId"])
	found := b.call(b.key, http.MethodGet, "/order?market=BTC-EUR&clientOrderId="+uuidA, "").object(t)
	require.Equal(t, second["orderId"], found["orderId"], "the newest bearer is found")
	require.Len(t, b.recorded(), 2)
}

func TestClientOrderIDIsTakenForEverWhereChosen(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Options.ClientOrderIDForever = true })
	b.place(orderJSON(named(uuidA)))
	require.Equal(t, 220, b.call(b.key, http.MethodPost, "/order", orderJSON(named(uuidA))).code(t))
	require.Len(t, b.recorded(), 1)
}

func TestClientOrderIDConflictsOnlyWithinMarketAndAccount(t *testing.T) {
	b := newBench(t)
	b.place(limitJSON(named(uuidA)))
	b.place(limitJSON(map[string]any{"clientOrderId": uuidA, "market": "ETH-EUR", "price": "1000"}))
	require.Equal(t, http.StatusOK, b.call(b.other, http.MethodPost, "/order", limitJSON(named(uuidA))).status)
}

func TestClientOrderIDWinsOverOrderID(t *testing.T) {
	b := newBench(t)
	one, two := b.place(orderJSON(named(uuidA))), b.place(orderJSON(named(uuidB)))
	get := func(id string) answer {
		return b.call(b.key, http.MethodGet, "/order?market=BTC-EUR&orderId="+one["orderId"].(string)+"&clientOrderId="+id, "")
	}
	require.Equal(t, two["orderId"], get(uuidB).object(t)["orderId"])
	absent := get("99999999-2222-7333-8444-555555555555")
	require.Equal(t, 240, absent.code(t))
	require.Equal(t, http.StatusNotFound, absent.status)
}

func TestAccountsDoNotSeeEachOther(t *testing.T) {
	b := newBench(t)
	o := b.place(orderJSON(nil))
	a := b.call(b.other, http.MethodGet, "/order?market=BTC-EUR&orderId="+o["orderId"].(string), "")
	require.Equal(t, 240, a.code(t))
	var trades []tradeView
	b.call(b.other, http.MethodGet, "/trades?market=BTC-EUR", "").into(t, &trades)
	require.Empty(t, trades)
}

func TestBriefResponseNamesTheOrderOnly(t *testing.T) {
	b := newBench(t)
	o := b.place(orderJSON(map[string]any{"responseRequired": false, "clientOrderId": uuidA}))
	require.Len(t, o, 5)
	require.Equal(t, uuidA, o["clientOrderId"])
	require.Equal(t, "filled", b.order(o["orderId"])["status"])
}

func TestOrderIDsRepeatAcrossMarketsWhereChosen(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Options.RepeatOrderIDs = true })
	one := b.place(orderJSON(nil))
	two := b.place(orderJSON(with("market", "ETH-EUR")))
	require.Equal(t, one["orderId"], two["orderId"])
	require.Equal(t, "BTC-EUR", b.order(one["orderId"])["market"])
}
