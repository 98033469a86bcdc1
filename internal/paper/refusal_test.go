package paper

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// refusalCase is one request that must be refused with a code and leave no trace.
type refusalCase struct {
	code         int
	name         string
	before       func(*bench)
	method, path string
	body         string
}

func halt(status string) func(*bench) {
	return func(b *bench) {
		b.lever(http.MethodPost, "/market", map[string]string{"market": "BTC-EUR", "status": status})
	}
}

func resting(fields map[string]any) func(*bench) {
	return func(b *bench) { b.place(limitJSON(fields)) }
}

func named(id string) map[string]any { return map[string]any{"clientOrderId": id} }

func with(name string, value any) map[string]any { return map[string]any{name: value} }

func placing(code int, name string, body string) refusalCase {
	return refusalCase{code: code, name: name, method: "POST", path: "/order", body: body}
}

// updating changes the order that bears uuidA, placed before.
func updating(code int, name string, fields string) refusalCase {
	body := `{"market":"BTC-EUR","operatorId":1,"clientOrderId":"` + uuidA + `"` + fields + `}`
	return refusalCase{code, name, resting(named(uuidA)), "PUT", "/order", body}
}

func reading(code int, path string) refusalCase {
	return refusalCase{code: code, name: path, method: "GET", path: path}
}

func deleting(code int, path string) refusalCase {
	return refusalCase{code: code, name: path, method: "DELETE", path: path}
}

func placementRefusals() []refusalCase {
	return []refusalCase{
		placing(102, "not JSON", `{"market":`),
		placing(102, "no object", `[]`),
		placing(201, "unknown field", orderJSON(with("colour", "red"))),
		placing(202, "price on a market order", orderJSON(with("price", "50000"))),
		placing(202, "time in force on a market order", orderJSON(with("timeInForce", "IOC"))),
		placing(202, "quote on a limit order", limitJSON(map[string]any{"amount": nil, "amountQuote": "50"})),
		placing(202, "trigger on a limit order", limitJSON(with("triggerAmount", "50000"))),
		placing(203, "no market", orderJSON(with("market", nil))),
		placing(203, "no side", orderJSON(with("side", nil))),
		placing(203, "no type", orderJSON(with("orderType", nil))),
		placing(203, "no operator", orderJSON(with("operatorId", nil))),
		placing(203, "no amount", orderJSON(with("amount", nil))),
		placing(203, "no price", limitJSON(with("price", nil))),
		placing(205, "operator as text", orderJSON(with("operatorId", "7"))),
		placing(205, "operator as fraction", orderJSON(with("operatorId", 7.5))),
		placing(205, "lower-case market", orderJSON(with("market", "btc-eur"))),
		placing(205, "no such market", orderJSON(with("market", "NOPE-EUR"))),
		placing(205, "no such side", orderJSON(with("side", "hold"))),
		placing(205, "type not offered", orderJSON(with("orderType", "stopLoss"))),
		placing(205, "id is no UUID", orderJSON(named("prop-1"))),
		placing(205, "amount as number", orderJSON(with("amount", 0.1))),
		placing(205, "amount of zero", orderJSON(with("amount", "0"))),
		placing(205, "negative amount", orderJSON(with("amount", "-1"))),
		placing(205, "amount with exponent", orderJSON(with("amount", "1e-1"))),
		placing(205, "postOnly as text", limitJSON(with("postOnly", "true"))),
		placing(205, "time in force unknown", limitJSON(with("timeInForce", "DAY"))),
		placing(205, "protection off", orderJSON(with("disableMarketProtection", true))),
		placing(205, "group out of range", orderJSON(with("codGroupId", 1001))),
		placing(205, "null", orderJSON(nil)[:len(orderJSON(nil))-1]+`,"selfTradePrevention":null}`),
		placing(206, "amount and quote", orderJSON(with("amountQuote", "50"))),
		placing(206, "post only and fill or kill", limitJSON(map[string]any{"postOnly": true, "timeInForce": "FOK"})),
		placing(210, "above the maximum", orderJSON(with("amount", "1000000001"))),
		placing(212, "below the minimum", orderJSON(with("amount", "0.000001"))),
		placing(215, "price of 16 decimals", limitJSON(with("price", "40000.0000000000000001"))),
		placing(216, "no money", orderJSON(with("amount", "3"))),
		placing(216, "no money for the hold", limitJSON(with("amount", "2.5"))),
		placing(216, "no coins", orderJSON(map[string]any{"side": "sell", "amount": "1.1"})),
		placing(217, "below the minimum in quote", orderJSON(map[string]any{"amount": nil, "amountQuote": "4.99"})),
		placing(217, "worth too little", limitJSON(map[string]any{"amount": "0.0001", "price": "49999"})),
		placing(422, "off the tick", limitJSON(with("price", "40000.5"))),
		placing(429, "amount of 9 decimals", orderJSON(with("amount", "0.100000001"))),
		placing(429, "quote of 3 decimals", orderJSON(map[string]any{"amount": nil, "amountQuote": "50.001"})),
		{220, "id of an open order", resting(named(uuidA)), "POST", "/order", orderJSON(named(uuidA))},
		{235, "too many open orders", func(b *bench) {
			for range 100 {
				b.place(limitJSON(with("amount", "0.001")))
			}
		}, "POST", "/order", limitJSON(nil)},
		{423, "halted", halt("halted"), "POST", "/order", orderJSON(nil)},
		{424, "cancel only", halt("cancelOnly"), "POST", "/order", orderJSON(nil)},
		{425, "auction", halt("auction"), "POST", "/order", orderJSON(nil)},
		{426, "auction matching", halt("auctionMatching"), "POST", "/order", orderJSON(nil)},
	}
}

func otherRefusals() []refusalCase {
	return []refusalCase{
		updating(201, "unknown field", `,"side":"sell"`),
		updating(204, "trigger of a limit order", `,"triggerAmount":"1"`),
		updating(205, "less than filled", `,"amount":"0"`),
		updating(216, "more than there is", `,"amount":"9"`),
		updating(217, "worth too little", `,"amount":"0.0001"`),
		updating(232, "nothing new", ``),
		updating(232, "the same again", `,"price":"40000"`),
		updating(236, "two amounts", `,"amount":"0.2","amountRemaining":"0.2"`),
		updating(239, "amount by quote", `,"amountQuote":"100"`),
		updating(422, "off the tick", `,"price":"40000.5"`),
		updating(429, "too many decimals", `,"amount":"0.123456789"`),
		{203, "update without order", nil, "PUT", "/order", `{"market":"BTC-EUR","operatorId":1,"price":"1"}`},
		{203, "update without operator", nil, "PUT", "/order", `{"market":"BTC-EUR","orderId":"x","price":"1"}`},
		{234, "update of a market order", func(b *bench) { b.place(orderJSON(named(uuidA))) }, "PUT", "/order",
			`{"market":"BTC-EUR","operatorId":1,"clientOrderId":"` + uuidA + `","amount":"0.2"}`},
		{423, "update while halted", func(b *bench) { resting(named(uuidA))(b); halt("halted")(b) }, "PUT", "/order",
			`{"market":"BTC-EUR","operatorId":1,"clientOrderId":"` + uuidA + `","price":"39000"}`},
		{240, "cancel of a filled order", func(b *bench) { b.place(orderJSON(named(uuidA))) }, "DELETE",
			"/order?market=BTC-EUR&operatorId=1&clientOrderId=" + uuidA, ""},
		{240, "update of a cancelled order", func(b *bench) {
			resting(named(uuidA))(b)
			b.call(b.key, "DELETE", "/orders?operatorId=1", "")
		}, "PUT", "/order", `{"market":"BTC-EUR","operatorId":1,"clientOrderId":"` + uuidA + `","price":"39000"}`},
		deleting(203, "/order?market=BTC-EUR&orderId=x"),
		deleting(203, "/order?market=BTC-EUR&operatorId=1"),
		deleting(203, "/orders"),
		deleting(205, "/order?market=BTC-EUR&orderId=x&operatorId=seven"),
		deleting(205, "/orders?operatorId=1&market=NOPE-EUR"),
		deleting(240, "/order?market=BTC-EUR&orderId=x&operatorId=1"),
		reading(200, "/time?zone=utc"),
		reading(200, "/order?market=BTC-EUR&orderId=x&id=1"),
		reading(203, "/order?market=BTC-EUR"),
		reading(203, "/orders"),
		reading(203, "/trades"),
		reading(203, "/BTC-EUR/candles"),
		reading(205, "/orders?market=BTC-EUR&market=ETH-EUR"),
		reading(205, "/orders?market=BTC-EUR&limit=1001"),
		reading(205, "/orders?market=NOPE-EUR"),
		reading(205, "/trades?market=BTC-EUR&limit=0"),
		reading(205, "/trades?market=NOPE-EUR"),
		reading(205, "/ordersOpen?market=NOPE-EUR"),
		reading(206, "/ordersOpen?market=BTC-EUR&base=BTC"),
		reading(206, "/account/fees?market=BTC-EUR&quote=EUR"),
		reading(205, "/account/fees?quote=GBP"),
		reading(205, "/account/fees?market=NOPE-EUR"),
		reading(205, "/balance?symbol=NOPE"),
		reading(205, "/assets?symbol=NOPE"),
		reading(205, "/depositHistory?symbol=NOPE"),
		reading(205, "/withdrawalHistory?limit=1001"),
		reading(203, "/deposit"),
		reading(205, "/deposit?symbol=NOPE"),
		reading(401, "/deposit?symbol=BTC"),
		{312, "withdrawal without the right", nil, "POST", "/withdrawal", `{"symbol":"BTC","amount":"1","address":"x"}`},
		withdrawing(201, `{"symbol":"BTC","amount":"1","address":"x","to":"y"}`),
		withdrawing(203, `{"symbol":"BTC","amount":"1"}`),
		withdrawing(205, `{"symbol":"BTC","amount":"all","address":"x"}`),
		withdrawing(410, `{"symbol":"BTC","amount":"1","address":"x"}`),
		reading(205, "/markets?market=NOPE-EUR"),
		reading(205, "/ticker/price?market=btc-eur"),
		reading(205, "/NOPE-EUR/book"),
		reading(205, "/BTC-EUR/book?depth=0"),
		reading(205, "/BTC-EUR/book?depth=1001"),
		reading(205, "/BTC-EUR/candles?interval=2m"),
		reading(205, "/NOPE-EUR/candles?interval=1m"),
		reading(205, "/BTC-EUR/candles?interval=1m&limit=1441"),
		reading(205, "/NOPE-EUR/trades"),
		reading(205, "/BTC-EUR/trades?start=0&end=86400001"),
		reading(240, "/order?market=BTC-EUR&orderId=x"),
		reading(240, "/order?market=BTC-EUR&clientOrderId="+uuidA),
		{431, "book of a halted market", halt("halted"), "GET", "/BTC-EUR/book", ""},
	}
}

// withdrawing is by a key that may, as nothing else shows what becomes of it.
func withdrawing(code int, body string) refusalCase {
	may := func(b *bench) {
		b.key = NewKey("main", Withdraw)
		b.ex.keys[b.key.Key] = b.key
	}
	return refusalCase{code, "withdrawal of " + body, may, "POST", "/withdrawal", body}
}

func TestRefusalsHaveTheirCodeAndLeaveNoTrace(t *testing.T) {
	for _, c := range append(placementRefusals(), otherRefusals()...) {
		t.Run(c.method+" "+c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if c.before != nil {
				c.before(b)
			}
			before := b.lever(http.MethodGet, "/ledger", nil).body
			orders := b.lever(http.MethodGet, "/orders", nil).body
			a := b.call(b.key, c.method, c.path, c.body)
			require.Equal(t, c.code, a.code(t), "%s", a.body)
			require.Equal(t, refusal{Code: c.code}.status(), a.status)
			require.NotEmpty(t, a.object(t)["error"])
			require.JSONEq(t, string(before), string(b.lever(http.MethodGet, "/ledger", nil).body))
			require.JSONEq(t, string(orders), string(b.lever(http.MethodGet, "/orders", nil).body))
		})
	}
}

// TestEveryTextBelongsToATestedCode fails when a code gets a text and no row.
func TestEveryTextBelongsToATestedCode(t *testing.T) {
	elsewhere := []int{ // authentication, faults, budgets, the journal, closed orders, unknown actions
		101, 105, 107, 108, 109, 111, 112, 233, 415, 300, 301, 302, 303, 304, 305, 308, 309, 310, 311}
	tested := map[int]bool{}
	for _, c := range append(placementRefusals(), otherRefusals()...) {
		tested[c.code] = true
	}
	for _, code := range elsewhere {
		tested[code] = true
	}
	for _, code := range append(slices.Collect(maps.Keys(textOf)), slices.Collect(maps.Keys(statusOf))...) {
		require.True(t, tested[code], "code %d", code)
	}
}

func TestStatusFollowsTheCode(t *testing.T) {
	for code, status := range map[int]int{203: 400, 216: 400, 240: 404, 304: 403, 105: 429, 101: 500, 109: 503, 108: 503, 431: 409, 429: 400} {
		require.Equal(t, status, refusal{Code: code}.status(), "code %d", code)
	}
}

func TestUnknownPathIsAPageWithoutErrorCode(t *testing.T) {
	b := newBench(t)
	for _, c := range [][2]string{{"GET", "/nothing"}, {"PATCH", "/order"}, {"GET", "/BTC-EUR/nothing"}, {"GET", "/"}} {
		a := b.call(b.key, c[0], c[1], "")
		require.Equal(t, http.StatusNotFound, a.status)
		require.Contains(t, a.header.Get("Content-Type"), "text/html")
		require.Empty(t, a.header.Get("bitvavo-ratelimit-limit"))
		require.True(t, strings.HasPrefix(string(a.body), "<!DOCTYPE html>"))
	}
}

func TestMissingOperatorIsNamed(t *testing.T) {
	b := newBench(t)
	a := b.call(b.key, http.MethodPost, "/order", orderJSON(with("operatorId", nil)))
	require.JSONEq(t, `{"errorCode":203,"error":"operatorId parameter is required."}`, string(a.body))
	a = b.get("/markets?market=NOPE-EUR")
	require.JSONEq(t, `{"errorCode":205,"error":"market parameter NOPE-EUR is invalid."}`, string(a.body))
}

func TestLenientExchangeTakesWhatOlderClientsSend(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Options.Lenient = true })
	o := b.place(limitJSON(map[string]any{"operatorId": "7", "postOnly": "true"}))
	require.Equal(t, true, o["postOnly"])
	a := b.call(b.key, http.MethodDelete, "/order?market=BTC-EUR&orderId="+o["orderId"].(string), "")
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
}

func FuzzParsePlacementAcceptsOnlyWholeOrders(f *testing.F) {
	f.Add([]byte(orderJSON(nil)))
	f.Add([]byte(limitJSON(named(uuidA))))
	f.Add([]byte(`{"amount":"1e999999999"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := parsePlacement(body, false)
		if err != nil {
			require.IsType(t, refusal{}, err)
			return
		}
		require.NotEmpty(t, p.market)
		require.Contains(t, []string{buy, sell}, p.side)
		require.NotEqual(t, p.amount.IsPositive(), p.quote.IsPositive())
		require.Equal(t, p.kind == typeLimit, p.price.IsPositive())
	})
}
