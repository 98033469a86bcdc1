package paper

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (b *bench) setOffset(d time.Duration) {
	b.t.Helper()
	b.lever(http.MethodPost, "/clock", map[string]int64{"offsetMs": d.Milliseconds()})
}

// at signs a call with a timestamp so far off the machine's.
func (b *bench) at(off time.Duration, method, path, body string) answer {
	b.t.Helper()
	b.clock.Move(off)
	r := b.signed(b.key, method, path, body)
	b.clock.Move(-off)
	return b.send(r)
}

func TestOffsetIsOnEverythingTheExchangeSaysOfTime(t *testing.T) {
	const off = -90 * time.Minute
	b := newBench(t, func(c *Config) { c.Prices = RandomWalk{StepPPM: 1} })
	b.clock.Move(10 * time.Minute)
	b.setOffset(off)
	told := b.clock.Now().Add(off).UnixMilli()
	require.InDelta(t, told, b.get("/time").object(t)["time"], 0)

	a := b.at(off, http.MethodPost, "/order", orderJSON(nil))
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	o := a.object(t)
	fill := o["fills"].([]any)[0].(map[string]any)
	for _, stamp := range []any{o["created"], o["updated"], fill["timestamp"]} {
		require.InDelta(t, told, stamp, 0)
	}
	var candles [][]any
	b.get("/BTC-EUR/candles?interval=1m&limit=3").into(t, &candles)
	minute := time.UnixMilli(told).Truncate(time.Minute)
	for i, c := range candles {
		require.InDelta(t, minute.Add(-time.Duration(i)*time.Minute).UnixMilli(), c[0], 0)
	}
	var trades []struct{ Timestamp int64 }
	b.get("/BTC-EUR/trades?limit=1").into(t, &trades)
	require.InDelta(t, told, trades[0].Timestamp, 1000)
	require.InDelta(t, told*1e6, b.get("/BTC-EUR/book").object(t)["timestamp"], 1e6)
	daily := b.get("/ticker/24h?market=BTC-EUR").object(t)
	require.InDelta(t, told, daily["timestamp"], 0)
	require.InDelta(t, told-day.Milliseconds(), daily["openTimestamp"], float64(time.Hour.Milliseconds()))
	reset, err := strconv.ParseInt(b.get("/time").header.Get("bitvavo-ratelimit-resetat"), 10, 64)
	require.NoError(t, err)
	require.Equal(t, minute.Add(time.Minute).UnixMilli(), reset)
}

func TestCandlesNeverBeginInTheExchangesFuture(t *testing.T) {
	for _, off := range []time.Duration{3 * time.Second, -3 * time.Second, 59*time.Minute + 59*time.Second, -61 * time.Second, 999} {
		b := newBench(t)
		b.clock.Move(5 * time.Minute)
		b.setOffset(off)
		var candles [][]any
		b.get("/BTC-EUR/candles?interval=1m&limit=5").into(t, &candles)
		require.Len(t, candles, 5)
		told := b.clock.Now().Add(off).UnixMilli()
		for i, c := range candles {
			start := int64(c[0].(float64))
			require.LessOrEqual(t, start, told)
			require.Zero(t, start%time.Minute.Milliseconds())
			require.True(t, i == 0 || start == int64(candles[i-1][0].(float64))-time.Minute.Milliseconds())
		}
	}
}

func TestOffsetMovesTheWindowAndNothingElseDecidesIt(t *testing.T) {
	b := newBench(t)
	b.setOffset(time.Minute)
	require.Equal(t, 304, b.at(0, http.MethodPost, "/order", orderJSON(nil)).code(t), "late by the exchange's clock")
	require.Equal(t, 304, b.at(71*time.Second, http.MethodPost, "/order", orderJSON(nil)).code(t), "early")
	require.Empty(t, b.recorded())
	require.Equal(t, http.StatusOK, b.at(time.Minute, http.MethodPost, "/order", orderJSON(nil)).status)
	b.setOffset(-time.Hour)
	require.Equal(t, http.StatusOK, b.at(-time.Hour, http.MethodPost, "/order", orderJSON(nil)).status)
}

func TestHeldRequestOutlastsItsWindowOnTheExchangesClock(t *testing.T) {
	b := newBench(t)
	b.setOffset(-20 * time.Second)
	b.fault(Fault{Kind: "late-108"})
	sent := b.clock.Now()
	require.Equal(t, 108, b.at(-20*time.Second, http.MethodPost, "/order", orderJSON(nil)).code(t))
	require.Equal(t, 10_001*time.Millisecond, b.clock.Now().Sub(sent))
}

func TestBanEndsOnTheExchangesClock(t *testing.T) {
	b := newBench(t)
	b.setOffset(time.Hour)
	b.fault(Fault{Kind: "105", Count: 1, ForMs: 3000})
	a := b.get("/time")
	require.Contains(t, a.object(t)["error"], " at "+strconv.FormatInt(b.clock.Now().Add(time.Hour+3*time.Second).UnixMilli(), 10)+".")
	require.Equal(t, 105, b.get("/time").code(t))
	b.clock.Move(3 * time.Second)
	require.Equal(t, http.StatusOK, b.get("/time").status)
}

func TestPricesDoNotFollowTheOffset(t *testing.T) {
	steady, moved := newBench(t), newBench(t)
	for i, off := range []time.Duration{time.Hour, -time.Hour, 24 * time.Hour, 0, 17 * time.Second} {
		moved.setOffset(off)
		for _, b := range []*bench{steady, moved} {
			b.clock.Move(time.Duration(i) * 7 * time.Second)
		}
		require.JSONEq(t, string(steady.get("/ticker/price").body), string(moved.get("/ticker/price").body), "%s", off)
	}
	require.Equal(t, steady.ex.markets["ETH-EUR"].history.bars, moved.ex.markets["ETH-EUR"].history.bars)
}

func TestOffsetNeitherHidesNorUnsettlesWhatWas(t *testing.T) {
	b := newBench(t, stateFile(t))
	b.setOffset(time.Hour)
	o := b.at(time.Hour, http.MethodPost, "/order", orderJSON(named(uuidA))).object(t)
	b.setOffset(-time.Hour)
	path := "/order?market=BTC-EUR&clientOrderId=" + uuidA
	require.Equal(t, o, b.at(-time.Hour, http.MethodGet, path, "").object(t))
	b.lever(http.MethodPost, "/delay", map[string]int{"readLagMs": 3000, "settleAfterMs": 5000})
	require.Equal(t, 240, b.at(-time.Hour, http.MethodGet, path, "").code(t), "three seconds are not over")
	b.clock.Move(3 * time.Second)
	require.NotContains(t, string(b.at(-time.Hour, http.MethodGet, path, "").body), `"fee":`)
	b.clock.Move(2 * time.Second)
	require.Equal(t, o, b.at(-time.Hour, http.MethodGet, path, "").object(t), "what was told stays")

	rows := b.recorded()
	b.reopen()
	require.Equal(t, rows, b.recorded())
	require.Equal(t, o, b.call(b.key, http.MethodGet, path, "").object(t), "and the clock is the machine's again")
}

func TestRestingOrderFillsAtTheTimeTheExchangeTells(t *testing.T) {
	b := newBench(t)
	b.setOffset(time.Hour)
	require.Equal(t, http.StatusOK, b.at(time.Hour, http.MethodPost, "/order", limitJSON(nil)).status)
	b.clock.Move(90 * time.Second)
	b.pin("39000")
	filled := b.recorded()[0]
	require.Equal(t, "filled", filled["status"])
	require.InDelta(t, b.clock.Now().Add(time.Hour).UnixMilli(), filled["fills"].([]any)[0].(map[string]any)["timestamp"], 0)
}

func TestOffsetThatMakesNoSenseIsRefused(t *testing.T) {
	b := newBench(t)
	for _, body := range []string{`{"offsetMs":31536000001}`, `{"offsetMs":-31536000001}`, `{"offset":1}`, `{"offsetMs":"1"}`} {
		r, err := http.NewRequest(http.MethodPost, b.server.URL+"/admin/clock", strings.NewReader(body))
		require.NoError(t, err)
		require.Equal(t, http.StatusBadRequest, b.send(r).status, body)
	}
	require.Zero(t, b.ex.offset())
}

// TestRivalsTradeWhileTheClockIsSet looks for races and for money lost to them.
func TestRivalsTradeWhileTheClockIsSet(t *testing.T) {
	b := newBench(t)
	before := b.ex.ledger.sums()
	together(60, func(i int) answer {
		switch i % 3 {
		case 0:
			return b.lever(http.MethodPost, "/clock", map[string]int{"offsetMs": i * 10})
		case 1:
			return b.lever(http.MethodPost, "/options", map[string]bool{"repeatOrderIds": i%2 == 0})
		}
		return b.call(b.key, http.MethodPost, "/order", orderJSON(with("amount", "0.01")))
	})
	require.Len(t, b.recorded(), 20)
	require.Equal(t, before, b.ex.ledger.sums())
}
