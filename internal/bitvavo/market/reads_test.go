package market

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

func TestTimeIsTheExchanges(t *testing.T) {
	v := newVenue(t)
	v.on("/v2/time", says(200, `{"time":1548172481125,"timeNs":1548172481125000000}`))
	now, err := v.reader.Time(t.Context())
	require.NoError(t, err)
	require.Equal(t, time.UnixMilli(1548172481125).UTC(), now)
}

func TestPricesLeaveOutWhatIsNotAPrice(t *testing.T) {
	v := newVenue(t)
	v.on("/v2/ticker/price", says(200, `[{"market":"BTC-EUR","price":"75521"},{"market":"ETH-EUR","price":"2500.10"},
		{"market":"OLD-EUR"},{"market":"NIL-EUR","price":null},{"market":"ZERO-EUR","price":"0"},{"market":"NEG-EUR","price":"-1"},
		{"market":"NAN-EUR","price":"NaN"},{"market":"BIG-EUR","price":"1e99"},{"market":"../odd","price":"1"}]`))
	prices, err := v.reader.Prices(t.Context())
	require.NoError(t, err)
	require.Len(t, prices, 2)
	require.Equal(t, "75521", prices["BTC-EUR"].String())
	require.Equal(t, "2500.1", prices["ETH-EUR"].String())
	require.Empty(t, v.last().URL.RawQuery, "filters break the official client")
}

func TestBookTopsNeedBothSides(t *testing.T) {
	v := newVenue(t)
	v.on("/v2/ticker/book", says(200, `[{"market":"BTC-EUR","bid":"75000","bidSize":"1","ask":"75001.5","askSize":"2"},
		{"market":"ETH-EUR","bid":"2500","bidSize":"1","ask":null,"askSize":null}]`))
	tops, err := v.reader.BookTops(t.Context())
	require.NoError(t, err)
	require.Len(t, tops, 1)
	require.Equal(t, "75000", tops["BTC-EUR"].Bid.String())
	require.Equal(t, "75001.5", tops["BTC-EUR"].Ask.String())
}

func TestCandlesComeOldestFirst(t *testing.T) {
	v := newVenue(t)
	v.on("/v2/BTC-EUR/candles", says(200, `[[1548172560000,"3","4","2","3.5","10"],[1548172500000,"1","2","0.5","1.5","0.00000001"]]`))
	list, err := v.reader.Candles(t.Context(), "BTC-EUR", "1m", 2)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, time.UnixMilli(1548172500000).UTC(), list[0].At)
	require.Equal(t, "0.5", list[0].Low.String())
	require.Equal(t, "0.00000001", list[0].Volume.String())
	require.Equal(t, "3.5", list[1].Close.String())
	query := v.last().URL.Query()
	require.Equal(t, "1m", query.Get("interval"))
	require.Equal(t, "2", query.Get("limit"))
}

func TestCandleArgumentsCannotSmuggleParameters(t *testing.T) {
	v := newVenue(t)
	for _, bad := range []struct {
		market, interval string
		limit            int
	}{{"BTC-EUR/../x", "1m", 1}, {"BTC-EUR", "1m&start=1", 1}, {"BTC-EUR", "", 1}, {"BTC-EUR", "1m", 0}, {"BTC-EUR", "1m", 1441}} {
		_, err := v.reader.Candles(t.Context(), trade.Market(bad.market), bad.interval, bad.limit)
		require.Error(t, err)
	}
	require.Empty(t, v.seen)
}

// The official client asserts types without looking; each of these makes it
// panic.
func TestOddCandlesAreAnError(t *testing.T) {
	for _, body := range []string{`[["1548172560000","3","4","2","3.5","10"]]`, `[[1548172560000,3,4,2,3.5,10]]`, `[[1548172560000]]`, `[null]`, `[5]`, `[{}]`,
		`[[1548172560000,"3","4","2","NaN","10"]]`, `[[1548172560000000,"3","4","2","3.5","10"]]`, `[[1548172560,"3","4","2","3.5","10"]]`} {
		v := newVenue(t)
		v.on("/v2/BTC-EUR/candles", says(200, body))
		_, err := v.reader.Candles(t.Context(), "BTC-EUR", "1m", 1)
		require.ErrorIs(t, err, ErrUnavailable, body)
	}
}

func TestBalanceIsSignedAndExact(t *testing.T) {
	v := newVenue(t)
	v.on("/v2/balance", says(200, `[{"symbol":"EUR","available":"1000.10","inOrder":"0.00"},{"symbol":"BTC","available":"0.00000001","inOrder":"1"}]`))
	list, err := v.reader.Balance(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "EUR", list[0].Symbol)
	require.Equal(t, "1000.1", list[0].Available.String())
	require.Equal(t, "1", list[1].InOrder.String())
	require.Equal(t, testKey, v.last().Header.Get("Bitvavo-Access-Key"))
	require.Len(t, v.last().Header.Get("Bitvavo-Access-Signature"), 64)

	v.on("/v2/balance", says(200, `[]`))
	list, err = v.reader.Balance(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestBalanceWithoutAKeyAsksNothing(t *testing.T) {
	v := newVenue(t)
	r, err := New(Config{URL: v.server.URL + "/v2"})
	require.NoError(t, err)
	t.Cleanup(r.Close)
	_, err = r.Balance(t.Context())
	require.ErrorIs(t, err, ErrNoKey)
	require.Empty(t, v.seen)

	v.on("/v2/time", says(200, `{"time":1548172481125}`))
	_, err = r.Time(t.Context())
	require.NoError(t, err)
	require.Empty(t, v.last().Header.Get("Bitvavo-Access-Key"))
}

const recordedMarkets = `[
	{"market":"BTC-EUR","status":"trading","base":"BTC","quote":"EUR","pricePrecision":null,"tickSize":"1.00","minOrderInBaseAsset":"0.00006100","minOrderInQuoteAsset":"5.00","maxOrderInBaseAsset":"1000000000.00000000","maxOrderInQuoteAsset":"1000000000.00","quantityDecimals":8,"notionalDecimals":2,"maxOpenOrders":100,"feeCategory":"A","orderTypes":["market","limit"]},
	{"market":"ETH-EUR","status":"halted","pricePrecision":"5","tickSize":"0.10","minOrderInBaseAsset":"0.001","minOrderInQuoteAsset":"5","quantityDecimals":"6","notionalDecimals":"2"},
	{"market":"A-EUR","status":"trading","minOrderInBaseAsset":"1","minOrderInQuoteAsset":"5","quantityDecimals":8,"notionalDecimals":2},
	{"market":"B-EUR","status":"trading","tickSize":"0","minOrderInBaseAsset":"1","minOrderInQuoteAsset":"5","quantityDecimals":8,"notionalDecimals":2},
	{"market":"C-EUR","status":"trading","tickSize":"1","minOrderInBaseAsset":"1","minOrderInQuoteAsset":"5","notionalDecimals":2},
	{"market":"D-EUR","status":"trading","tickSize":"1","minOrderInBaseAsset":"1","minOrderInQuoteAsset":"5","quantityDecimals":-1,"notionalDecimals":2},
	{"market":"E-EUR","status":"trading","tickSize":"1","minOrderInBaseAsset":"-1","minOrderInQuoteAsset":"5","quantityDecimals":1,"notionalDecimals":2},
	{"market":"F-EUR","status":"trading","tickSize":1,"quantityDecimals":1,"notionalDecimals":2},
	{"market":"G-EUR","tickSize":"1","minOrderInBaseAsset":"1","minOrderInQuoteAsset":"5","quantityDecimals":1,"notionalDecimals":2},
	null, 5, "x"]`

func TestMarketWithADoubtfulRuleHasNone(t *testing.T) {
	v := newVenue(t)
	v.on("/v2/markets", says(200, recordedMarkets))
	rules, err := v.reader.Rules(t.Context())
	require.NoError(t, err)
	require.Len(t, rules, 2)
	btc := rules["BTC-EUR"]
	require.Equal(t, "1", btc.TickSize.String())
	require.Equal(t, int32(8), btc.QuantityDecimals)
	require.Equal(t, int32(2), btc.NotionalDecimals)
	require.Equal(t, "0.000061", btc.MinBase.String())
	require.Equal(t, "5", btc.MinQuote.String())
	require.Equal(t, "trading", btc.Status)
	require.Equal(t, "halted", rules["ETH-EUR"].Status)
	require.Equal(t, int32(6), rules["ETH-EUR"].QuantityDecimals)
	require.Empty(t, v.last().Header.Get("Bitvavo-Access-Key"), "public, without a key")
}

func FuzzDecodeRules(f *testing.F) {
	f.Add([]byte(recordedMarkets))
	f.Add([]byte(`[{"market":"BTC-EUR","tickSize":"1e9","quantityDecimals":1e3}]`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, reply []byte) {
		rules, err := decodeRules(reply)
		if err != nil {
			return
		}
		for market, r := range rules {
			_, bad := trade.ParseMarket("market", string(market))
			require.NoError(t, bad)
			require.True(t, r.TickSize.IsPositive())
			require.False(t, r.MinBase.IsNegative() || r.MinQuote.IsNegative())
			require.True(t, r.QuantityDecimals >= 0 && r.QuantityDecimals <= 18)
			require.True(t, r.NotionalDecimals >= 0 && r.NotionalDecimals <= 18)
		}
	})
}
