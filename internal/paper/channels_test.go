package paper

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"interlock/internal/waittest"
)

// subscribed is a socket of a key with channels, past the acknowledgement.
func (b *bench) subscribed(key Key, channels string) *line {
	b.t.Helper()
	l := b.authenticated(key)
	require.Equal(b.t, "subscribed", l.object(l.ask(`{"action":"subscribe","channels":[` + channels + `]}`))["event"])
	return l
}

// event hears the next event of a kind, and of no other.
func (l *line) event(kind string) map[string]any {
	l.b.t.Helper()
	e := l.object(l.hear())
	require.Equal(l.b.t, kind, e["event"], "%v", e)
	return e
}

// silent shows that nothing was on its way before the answer to a request.
func (l *line) silent() {
	l.b.t.Helper()
	require.Equal(l.b.t, "getTime", l.object(l.ask(`{"action":"getTime"}`))["action"])
}

func TestAcknowledgementListsEverythingOnTheSocket(t *testing.T) {
	b := newBench(t)
	l := b.authenticated(b.key)
	require.JSONEq(t, `{"event":"subscribed","requestId":3,"subscriptions":{"ticker":["ADA-EUR","BTC-EUR"],"account":["*"]}}`,
		l.ask(`{"action":"subscribe","requestId":3,"channels":[{"name":"ticker","markets":["BTC-EUR","ADA-EUR"]},{"name":"account","markets":"*"}]}`))
	require.JSONEq(t, `{"event":"subscribed","subscriptions":{"ticker":["ADA-EUR","BTC-EUR"],"account":["*"],
		"candles":{"1h":["BTC-EUR"],"1m":["BTC-EUR"]}}}`,
		l.ask(`{"action":"subscribe","channels":[{"name":"candles","interval":["1m","1h"],"markets":["BTC-EUR"]}]}`))
	require.JSONEq(t, `{"event":"unsubscribed","subscriptions":{"ticker":["BTC-EUR"],"account":["*"],"candles":{"1h":["BTC-EUR"]}}}`,
		l.ask(`{"action":"unsubscribe","channels":[{"name":"ticker","markets":["ADA-EUR"]},{"name":"candles","interval":["1m"],"markets":["BTC-EUR"]}]}`))
	require.JSONEq(t, `{"event":"unsubscribed","subscriptions":{}}`,
		l.ask(`{"action":"unsubscribe","channels":[{"name":"ticker","markets":["BTC-EUR","SOL-EUR"]},{"name":"candles","markets":["BTC-EUR"]},{"name":"account","markets":["*"]}]}`))
}

func TestASubscriptionWithAnythingWrongAddsNothing(t *testing.T) {
	b := newBench(t)
	l := b.dial()
	for channels, code := range map[string]int{
		`[{"name":"ticker","markets":["BTC-EUR"]},{"name":"ticker","markets":["NOPE-EUR"]}]`: 205,
		`[{"name":"ticker","markets":["*"]}]`:                                                205,
		`[{"name":"weather","markets":["BTC-EUR"]}]`:                                         205,
		`[{"name":"candles","markets":["BTC-EUR"]}]`:                                         203,
		`[{"name":"candles","interval":"2m","markets":["BTC-EUR"]}]`:                         205,
		`[{"name":"ticker"}]`:                                                                203,
		`[]`:                                                                                 205,
		`"ticker"`:                                                                           205,
		`[{"name":"account","markets":["BTC-EUR"]}]`:                                         300,
	} {
		answer := l.object(l.ask(`{"action":"subscribe","channels":` + channels + `}`))
		require.InDelta(t, code, answer["errorCode"], 0, channels)
		require.Equal(t, "subscribe", answer["action"])
	}
	require.Equal(t, 203, l.code(l.ask(`{"action":"subscribe"}`)))
	require.Equal(t, 201, l.code(l.ask(`{"action":"subscribe","market":"BTC-EUR","channels":[{"name":"ticker","markets":["BTC-EUR"]}]}`)))
	require.JSONEq(t, `{"event":"unsubscribed","subscriptions":{}}`,
		l.ask(`{"action":"unsubscribe","channels":[{"name":"ticker","markets":["BTC-EUR"]}]}`))
}

func TestAccountChannelTellsEveryChangeOfAnOrderToItsAccountAlone(t *testing.T) {
	b := newBench(t)
	mine := b.subscribed(b.key, `{"name":"account","markets":["BTC-EUR"]}`)
	every := b.subscribed(b.key, `{"name":"account","markets":["*"]}`)
	theirs := b.subscribed(b.other, `{"name":"account","markets":["BTC-EUR"]}`)
	o := b.place(orderJSON(named(uuidA)))
	for _, l := range []*line{mine, every} {
		require.JSONEq(t, `{"event":"order","orderId":"ID","clientOrderId":"`+uuidA+`","market":"BTC-EUR",
			"created":1772625600000,"updated":1772625600000,"status":"filled","side":"buy","orderType":"market",
			"amount":"0.1","amountRemaining":"0","onHold":"0","onHoldCurrency":"EUR","filledAmount":"0.1",
			"filledAmountQuote":"5000","feePaid":"12.5","feeCurrency":"EUR","selfTradePrevention":"decrementAndCancel",
			"visible":false,"disableMarketProtection":false,"operatorId":7}`, masked([]byte(l.hear())))
		fill := l.hear()
		require.JSONEq(t, `{"event":"fill","timestamp":1772625600000,"market":"BTC-EUR","orderId":"ID",
			"clientOrderId":"`+uuidA+`","fillId":"ID","side":"buy","amount":"0.1","price":"50000","taker":true,
			"fee":"12.5","feeCurrency":"EUR","operatorId":7}`, masked([]byte(fill)))
		require.Equal(t, o["orderId"], l.object(fill)["orderId"])
	}
	id := b.place(limitJSON(nil))["orderId"].(string)
	require.Equal(t, "new", mine.event("order")["status"])
	b.call(b.key, http.MethodPut, "/order", `{"market":"BTC-EUR","operatorId":1,"orderId":"`+id+`","price":"41000"}`)
	require.Equal(t, "41000", mine.event("order")["price"])
	b.pin("41000")
	require.Equal(t, "filled", mine.event("order")["status"])
	require.Equal(t, false, mine.event("fill")["taker"], "it rested")
	b.pin("50000")
	b.place(limitJSON(nil))
	require.Equal(t, "new", mine.event("order")["status"])
	b.call(b.key, http.MethodDelete, "/orders?operatorId=1", "")
	require.Equal(t, "canceled", mine.event("order")["status"])
	require.Equal(t, 216, b.call(b.key, http.MethodPost, "/order", orderJSON(with("amount", "9"))).code(t))
	b.call(b.key, http.MethodPost, "/order", orderJSON(map[string]any{"market": "ADA-EUR", "amount": "10"}))
	mine.silent()
	theirs.silent()
}

func TestAKeyWithoutTheRightToViewIsToldNothingMore(t *testing.T) {
	nobody := NewKey("main")
	b := newBench(t, func(c *Config) { c.Keys = append(c.Keys, nobody) })
	l := b.subscribed(b.key, `{"name":"account","markets":["BTC-EUR"]}`)
	l.ask(b.login(nobody))
	b.place(orderJSON(nil))
	l.silent()
}

func TestEachFillIsToldOnceAlsoAfterARestart(t *testing.T) {
	b := newBench(t, stateFile(t), func(c *Config) { c.Book.FillFraction = number("0.5") })
	o := b.place(limitJSON(nil))
	b.pin("40000")
	require.Equal(t, "partiallyFilled", b.order(o["orderId"])["status"])
	b.reopen()
	l := b.subscribed(b.key, `{"name":"account","markets":["BTC-EUR"]}`)
	b.pin("40000")
	require.Equal(t, "filled", l.event("order")["status"])
	require.Equal(t, "0.05", l.event("fill")["amount"])
	l.silent()
}

func TestAnOrderHiddenByAFaultIsNotToldEither(t *testing.T) {
	b := newBench(t)
	l := b.subscribed(b.key, `{"name":"account","markets":["BTC-EUR"]}`)
	b.fault(Fault{Kind: "hide", ForMs: 20_000, Count: 1})
	b.place(limitJSON(nil))
	l.silent()
	b.clock.Move(20 * time.Second)
	b.pin("40000")
	require.Equal(t, "filled", l.event("order")["status"])
	require.Equal(t, "0.1", l.event("fill")["amount"])
}

func TestUnsettledFillHasNoFeeYet(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Options.SettleAfter = time.Second })
	l := b.subscribed(b.key, `{"name":"account","markets":["BTC-EUR"]}`)
	b.place(orderJSON(nil))
	l.event("order")
	require.NotContains(t, l.event("fill"), "fee")
}

func TestTickerTellsOnlyWhatChanged(t *testing.T) {
	b := newBench(t)
	l := b.subscribed(b.key, `{"name":"ticker","markets":["BTC-EUR"]}`)
	b.place(orderJSON(nil))
	require.JSONEq(t, `{"event":"ticker","market":"BTC-EUR","bestAskSize":"0.3"}`, l.hear())
	b.pin("51000")
	require.JSONEq(t, `{"event":"ticker","market":"BTC-EUR","bestBid":"51000","bestBidSize":"0.39215686",
		"bestAsk":"51000","bestAskSize":"0.39215686","lastPrice":"51000"}`, l.hear())
	require.NoError(t, b.ex.Pin("ADA-EUR", "1"))
	l.silent()
}

func TestTradesAndCandlesAreToldAsTheyHappen(t *testing.T) {
	b := newBench(t)
	l := b.subscribed(b.key, `{"name":"trades","markets":["BTC-EUR"]}`)
	b.place(orderJSON(nil))
	var rows []map[string]any
	b.get("/BTC-EUR/trades?limit=1").into(t, &rows)
	rows[0]["event"], rows[0]["market"] = "trade", "BTC-EUR"
	require.Equal(t, rows[0], l.event("trade"))

	l = b.subscribed(b.key, `{"name":"candles","interval":["1m"],"markets":["BTC-EUR"]}`)
	b.clock.Move(time.Minute)
	b.ex.Advance()
	var candles [][]any
	b.get("/BTC-EUR/candles?interval=1m&limit=1").into(t, &candles)
	e := l.event("candle")
	require.Equal(t, "1m", e["interval"])
	require.Equal(t, candles[0], e["candle"].([]any)[0])
}

func TestDayTickerComesOnceASecondWrapped(t *testing.T) {
	b := newBench(t)
	l := b.subscribed(b.key, `{"name":"ticker24h","markets":["BTC-EUR","ADA-EUR"]}`)
	for range 3 {
		b.clock.Move(time.Second)
		b.ex.Advance()
		b.ex.Advance()
		var days []any
		for _, market := range []string{"ADA-EUR", "BTC-EUR"} {
			days = append(days, b.get("/ticker/24h?market="+market).object(t))
		}
		require.Equal(t, days, l.event("ticker24h")["data"])
	}
	l.silent()
}

// TestABookKeptFromEventsIsTheBook applies every event to a first snapshot, as
// clients do, and compares with what the exchange says.
func TestABookKeptFromEventsIsTheBook(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.ex.Pin("BTC-EUR", ""))
	l := b.subscribed(b.key, `{"name":"book","markets":["BTC-EUR"]}`)
	var book bookView
	b.get("/BTC-EUR/book").into(t, &book)
	kept, nonce := sides(book), book.Nonce
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		if rng.IntN(2) == 0 {
			b.place(orderJSON(map[string]any{"amount": "0.01", "side": []string{buy, sell}[rng.IntN(2)]}))
		} else {
			b.clock.Move(time.Duration(rng.IntN(3)) * time.Second)
		}
		b.get("/BTC-EUR/book").into(t, &book)
		for nonce < book.Nonce {
			var e bookView
			require.NoError(t, json.Unmarshal([]byte(l.hear()), &e))
			require.Equal(t, nonce+1, e.Nonce, "no event is left out")
			nonce = e.Nonce
			for side, rows := range sides(e) {
				for price, size := range rows {
					kept[side][price] = size
				}
				maps.DeleteFunc(kept[side], func(_, size string) bool { return size == "0" })
			}
		}
		require.Equal(t, sides(book), kept)
	}
	require.Greater(t, nonce, int64(100))
	l.silent()
}

func TestTheBooksNonceGoesOnOverARestart(t *testing.T) {
	b := newBench(t, stateFile(t))
	nonce := func() int64 {
		var book bookView
		b.get("/BTC-EUR/book").into(t, &book)
		return book.Nonce
	}
	for range 5 {
		b.clock.Move(time.Second)
		nonce()
	}
	before := nonce()
	b.reopen()
	require.GreaterOrEqual(t, nonce(), before)
}

func TestNothingIsComparedOnceTheLastSubscriberLeft(t *testing.T) {
	b := newBench(t)
	l := b.subscribed(b.key, `{"name":"book","markets":["BTC-EUR"]}`)
	require.NoError(t, l.conn.Close())
	waittest.Closely(t, "the book to be forgotten", func() error {
		b.ex.mu.Lock()
		defer b.ex.mu.Unlock()
		return waittest.Is(b.ex.markets["BTC-EUR"].shown == nil, "it is kept for %d listeners", len(b.ex.sessions))
	})
}

func TestBookEventsShowTheLevelThatChangedInFull(t *testing.T) {
	b := newBench(t)
	l := b.subscribed(b.key, `{"name":"book","markets":["BTC-EUR"]}`)
	b.place(orderJSON(nil))
	e := l.event("book")
	require.Equal(t, []any{[]any{"50000.00", "0.3"}}, e["asks"])
	require.Empty(t, e["bids"])
	b.place(orderJSON(with("amount", "0.3")))
	require.Equal(t, []any{[]any{"50000.00", "0"}}, l.event("book")["asks"])
}

func sides(b bookView) map[string]map[string]string {
	all := map[string]map[string]string{"bids": {}, "asks": {}}
	for _, row := range b.Bids {
		all["bids"][number(row[0]).String()] = row[1]
	}
	for _, row := range b.Asks {
		all["asks"][number(row[0]).String()] = row[1]
	}
	return all
}

func TestASubscriberWhoDoesNotReadIsCutOffAndHoldsUpNobody(t *testing.T) {
	b := newBench(t)
	b.ex.mu.Lock()
	b.ex.writeWithin = 24 * time.Hour // who waited for it would wait on
	b.ex.mu.Unlock()
	dialer := websocket.Dialer{NetDial: func(network, address string) (net.Conn, error) {
		conn, err := net.Dial(network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(4096)
		}
		return conn, err
	}}
	conn, resp, err := dialer.Dial(b.socketURL(), nil)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	lazy := &line{b, conn}
	defer conn.Close()
	lazy.ask(`{"action":"subscribe","channels":[{"name":"book","markets":["BTC-EUR"]}]}`)
	b.narrow()
	// It reads no more, while more happens than it has room for.
	book := bookView{Market: "BTC-EUR", Bids: [][2]string{{"50000", "1"}}}
	for n := 0; b.listeners() > 0; n++ {
		b.ex.mu.Lock()
		b.ex.tell(subscription{onBook, "", "BTC-EUR"}, func() any { return book })
		b.ex.mu.Unlock()
		require.Less(t, n, 1_000_000, "nobody cut it off")
	}
	require.Error(t, lazy.ended())
	b.dial().silent()
}

// narrow leaves little room between the exchange and its clients.
func (b *bench) narrow() {
	b.ex.mu.Lock()
	defer b.ex.mu.Unlock()
	for s := range b.ex.sessions {
		require.NoError(b.t, s.conn.NetConn().(*net.TCPConn).SetWriteBuffer(4096))
	}
}

func (b *bench) listeners() int {
	b.ex.mu.Lock()
	defer b.ex.mu.Unlock()
	return len(b.ex.sessions)
}
