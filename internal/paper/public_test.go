package paper

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bitvavo/go-bitvavo-api"
	"github.com/stretchr/testify/require"
)

func TestMarketLooksAsTheLiveOne(t *testing.T) {
	b := newBench(t)
	require.JSONEq(t, `{"market":"BTC-EUR","status":"trading","base":"BTC","quote":"EUR","pricePrecision":null,
		"tickSize":"1.00","minOrderInBaseAsset":"0.00006100","minOrderInQuoteAsset":"5.00",
		"maxOrderInBaseAsset":"1000000000.00000000","maxOrderInQuoteAsset":"1000000000.00",
		"quantityDecimals":8,"notionalDecimals":2,"maxOpenOrders":100,"feeCategory":"A",
		"orderTypes":["market","limit"]}`, string(b.get("/markets?market=BTC-EUR").body))
	var all []marketView
	b.get("/markets").into(t, &all)
	names := []string{}
	for _, m := range all {
		names = append(names, m.Market)
	}
	require.Equal(t, []string{"BTC-EUR", "ETH-EUR", "SOL-EUR", "ADA-EUR"}, names)
}

func TestTimeIsTheExchangesClock(t *testing.T) {
	b := newBench(t)
	require.JSONEq(t, `{"time":1772625600000,"timeNs":1772625600000000000}`, string(b.get("/time").body))
}

func TestOneIsAnObjectAndAllAreAList(t *testing.T) {
	b := newBench(t)
	for _, path := range []string{"/markets", "/ticker/price", "/ticker/book", "/ticker/24h"} {
		require.Equal(t, "BTC-EUR", b.get(path + "?market=BTC-EUR").object(t)["market"], path)
		var rows []map[string]any
		b.get(path).into(t, &rows)
		require.Len(t, rows, 4, path)
	}
	require.Equal(t, "Bitcoin", b.get("/assets?symbol=BTC").object(t)["name"])
	var assets []assetView
	b.get("/assets").into(t, &assets)
	require.Len(t, assets, 5)
}

func TestTickerAndBookAgree(t *testing.T) {
	b := newBench(t)
	b.lever(http.MethodPost, "/book", map[string]any{"market": "BTC-EUR", "spreadBps": 4})
	var book bookView
	b.get("/BTC-EUR/book?depth=2").into(t, &book)
	require.Equal(t, [][2]string{{"49990", "0.40008001"}, {"49940", "0.40048057"}}, book.Bids)
	require.Equal(t, [][2]string{{"50010", "0.39992001"}, {"50060", "0.39952057"}}, book.Asks)
	require.JSONEq(t, `{"market":"BTC-EUR","bid":"49990","bidSize":"0.40008001","ask":"50010","askSize":"0.39992001"}`,
		string(b.get("/ticker/book?market=BTC-EUR").body))
	require.JSONEq(t, `{"market":"BTC-EUR","price":"50000"}`, string(b.get("/ticker/price?market=BTC-EUR").body))
	require.Equal(t, "50000", b.get("/ticker/24h?market=BTC-EUR").object(t)["last"])
	nonce := book.Nonce
	b.place(orderJSON(nil))
	b.get("/BTC-EUR/book").into(t, &book)
	require.Greater(t, book.Nonce, nonce)
	require.Len(t, book.Asks, 10)
}

func TestEmptySideOfTheBookIsNull(t *testing.T) {
	b := newBench(t)
	b.lever(http.MethodPost, "/book", map[string]any{"levels": 1, "depthQuote": "100"})
	b.place(orderJSON(with("amount", "0.002")))
	ticker := b.get("/ticker/book?market=BTC-EUR").object(t)
	require.Nil(t, ticker["ask"])
	require.Equal(t, "50000", ticker["bid"])
}

func TestCandlesExistFromTheStartInEveryInterval(t *testing.T) {
	b := newBench(t)
	for interval := range fixedIntervals {
		requireCandles(t, b, interval)
	}
	requireCandles(t, b, "1W")
	requireCandles(t, b, "1M")
}

func requireCandles(t *testing.T, b *bench, interval string) {
	t.Helper()
	var rows [][6]any
	b.get("/SOL-EUR/candles?interval="+interval+"&limit=20").into(t, &rows)
	require.Len(t, rows, 20, interval)
	start, _ := intervalStart(interval)
	for i, row := range rows {
		at := int64(row[0].(float64))
		require.Equal(t, start(at), at)
		if i > 0 {
			require.Greater(t, int64(rows[i-1][0].(float64)), at, "newest first")
		}
		open, high, low, last := number(row[1].(string)), number(row[2].(string)), number(row[3].(string)), number(row[4].(string))
		require.True(t, low.LessThanOrEqual(open) && low.LessThanOrEqual(last) && high.GreaterThanOrEqual(open) && high.GreaterThanOrEqual(last))
		require.False(t, number(row[5].(string)).IsNegative())
	}
}

func TestCandlesHoldWhatHappened(t *testing.T) {
	b := newBench(t)
	from := b.clock.Now().Add(time.Minute)
	b.clock.Move(time.Minute)
	for _, price := range []string{"50000", "51000", "48000", "49000"} {
		b.pin(price)
		b.clock.Move(time.Second)
	}
	b.clock.Move(time.Minute)
	var rows [][6]any
	b.get("/BTC-EUR/candles?interval=1m&start="+unitMillis(from)+"&end="+unitMillis(from)).into(t, &rows)
	require.Len(t, rows, 1)
	require.Equal(t, []any{"50000", "51000", "48000", "49000"}, rows[0][1:5])
}

func unitMillis(t time.Time) string {
	text, _ := json.Marshal(t.UnixMilli())
	return string(text)
}

func TestPublicTradesShowOrdersOfThisExchange(t *testing.T) {
	b := newBench(t)
	b.clock.Move(10 * time.Second)
	b.place(orderJSON(map[string]any{"side": "sell", "amount": "0.123"}))
	var rows []publicTradeView
	b.get("/BTC-EUR/trades?limit=5").into(t, &rows)
	require.Len(t, rows, 5)
	require.Equal(t, "0.123", rows[0].Amount.String())
	require.Equal(t, sell, rows[0].Side)
	require.GreaterOrEqual(t, rows[1].Timestamp, rows[2].Timestamp)
	b.clock.Move(time.Hour)
	b.get("/BTC-EUR/trades?limit=1000").into(t, &rows)
	require.Len(t, rows, tapeLength)
}

// TestOfficialClientUnderstandsEveryAnswer drives the exchange with the client
// that the scans use.
func TestOfficialClientUnderstandsEveryAnswer(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Clock, c.Wait, c.Options.Lenient = time.Now, wait, true })
	client := bitvavo.Bitvavo{ApiKey: b.key.Key, ApiSecret: b.key.Secret, RestUrl: b.server.URL + "/v2", AccessWindow: 10_000}
	now, err := client.Time()
	require.NoError(t, err)
	require.InDelta(t, time.Now().UnixMilli(), now.Time, 60_000)
	markets, err := client.Markets(nil)
	require.NoError(t, err)
	require.Equal(t, "BTC-EUR", markets[0].Market)
	assets, err := client.Assets(nil)
	require.NoError(t, err)
	require.Len(t, assets, 5)
	prices, err := client.TickerPrice(map[string]string{"market": "BTC-EUR"})
	require.NoError(t, err)
	require.Equal(t, "50000", prices[0].Price)
	days, err := client.Ticker24h(map[string]string{})
	require.NoError(t, err)
	require.Len(t, days, 4)
	candles, err := client.Candles("BTC-EUR", "1h", map[string]string{"limit": "10"})
	require.NoError(t, err)
	require.Len(t, candles, 10)
	book, err := client.Book("BTC-EUR", map[string]string{"depth": "3"})
	require.NoError(t, err)
	require.Len(t, book.Bids, 3)
	balance, err := client.Balance(map[string]string{})
	require.NoError(t, err)
	require.Len(t, balance, 5)
	account, err := client.Account()
	require.NoError(t, err)
	require.Equal(t, "0.0025", account.Fees.Taker)
	requireOfficialClientTrades(t, &client)
}

func requireOfficialClientTrades(t *testing.T, client *bitvavo.Bitvavo) {
	t.Helper()
	placed, err := client.PlaceOrder("BTC-EUR", "buy", "market", map[string]string{"amount": "0.01", "operatorId": "1"})
	require.NoError(t, err)
	require.Equal(t, "filled", placed.Status)
	got, err := client.GetOrder("BTC-EUR", placed.OrderId)
	require.NoError(t, err)
	require.Equal(t, placed, got)
	orders, err := client.GetOrders("BTC-EUR", map[string]string{})
	require.NoError(t, err)
	require.Len(t, orders, 1)
	trades, err := client.Trades("BTC-EUR", map[string]string{})
	require.NoError(t, err)
	require.Len(t, trades, 1)
	_, err = client.GetOrder("BTC-EUR", "nobody")
	var refused bitvavo.MyError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 240, refused.CustomError.Code)
}

func TestAdminIsForThisMachineAndOnlyWhereEnabled(t *testing.T) {
	for _, c := range []struct {
		enabled bool
		address string
		status  int
	}{
		{true, "127.0.0.1:5555", 200}, {true, "[::1]:5555", 200}, {true, "10.0.0.7:5555", 404},
		{true, "garbage", 404}, {false, "127.0.0.1:5555", 404},
	} {
		ex, _ := direct(t, func(cfg *Config) { cfg.Admin = c.enabled })
		w, r := recorderFor("/admin/ledger", c.address)
		ex.Handler().ServeHTTP(w, r)
		require.Equal(t, c.status, w.Code, "%+v", c)
	}
}

func TestLeversRefuseNonsense(t *testing.T) {
	b := newBench(t)
	for path, bodies := range map[string][]string{
		"/price":  {`{"market":"BTC-EUR","price":"much"}`, `{"market":"NOPE-EUR","price":"1"}`, `{"market":"BTC-EUR","price":"0"}`, `{"x":1}`},
		"/delay":  {`{"replyDelayMs":"long"}`},
		"/book":   {`{"levels":0}`, `{"market":"NOPE-EUR"}`, `{"fillFraction":"2"}`, `[]`},
		"/market": {`{"market":"BTC-EUR","status":"closed"}`, `{"market":"NOPE-EUR","status":"halted"}`, `x`},
	} {
		for _, body := range bodies {
			r, err := http.NewRequest(http.MethodPost, b.server.URL+"/admin"+path, strings.NewReader(body))
			require.NoError(t, err)
			require.Equal(t, http.StatusBadRequest, b.send(r).status, "%s %s", path, body)
		}
	}
	r, err := http.NewRequest(http.MethodGet, b.server.URL+"/admin/nothing", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, b.send(r).status)
}

func TestPinnedPriceStaysUntilItIsFreed(t *testing.T) {
	b := newBench(t)
	price := func() any { return b.get("/ticker/price?market=BTC-EUR").object(t)["price"] }
	b.lever(http.MethodPost, "/price", map[string]string{"market": "BTC-EUR", "price": "61234"})
	b.clock.Move(time.Hour)
	require.Equal(t, "61234", price())
	b.lever(http.MethodPost, "/price", map[string]string{"market": "BTC-EUR", "price": ""})
	b.clock.Move(time.Hour)
	require.NotEqual(t, "61234", price())
}

func TestLedgerListsOrdersByAccount(t *testing.T) {
	b := newBench(t)
	b.place(orderJSON(nil))
	b.call(b.other, http.MethodPost, "/order", orderJSON(nil))
	var rows []ledgerOrder
	b.lever(http.MethodGet, "/orders?account=other", nil).into(t, &rows)
	require.Len(t, rows, 1)
	require.Equal(t, "other", rows[0].Account)
	require.Len(t, b.recorded(), 2)
}

func recorderFor(path, from string) (*httptest.ResponseRecorder, *http.Request) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr = from
	return httptest.NewRecorder(), r
}
