package paper

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// pathOf is the price of a market after each of n seconds.
func pathOf(t require.TestingT, seed uint64, market string, n int) []string {
	ex, clock := direct(t, func(c *Config) { c.Seed = seed })
	var path []string
	for range n {
		clock.Move(time.Second)
		ex.Advance()
		path = append(path, ex.markets[market].price().String())
	}
	return path
}

func TestWalkIsRepeatedByItsSeed(t *testing.T) {
	one := pathOf(t, 1, "ADA-EUR", 50)
	require.Equal(t, one, pathOf(t, 1, "ADA-EUR", 50))
	require.NotEqual(t, one, pathOf(t, 2, "ADA-EUR", 50))
}

func TestWalkDoesNotDependOnHowOftenItIsLookedAt(t *testing.T) {
	path := pathOf(t, 3, "ETH-EUR", 100)
	ex, clock := direct(t, func(c *Config) { c.Seed = 3 })
	clock.Move(100 * time.Second)
	ex.Advance()
	require.Equal(t, path[99], ex.markets["ETH-EUR"].price().String())
}

func TestWalkStaysOnTheTickAndNearItself(t *testing.T) {
	ex, clock := direct(t)
	s := ex.markets["BTC-EUR"]
	last := s.price()
	for range 1000 {
		clock.Move(time.Second)
		ex.Advance()
		require.True(t, s.price().Mod(s.tick()).IsZero())
		move := s.price().Sub(last).Abs()
		require.True(t, move.LessThanOrEqual(last.Mul(decimal.New(1, -4)).Add(s.tick())), "%s after %s", s.price(), last)
		last = s.price()
	}
}

func TestPastEndsWhereThePresentBegins(t *testing.T) {
	ex, _ := direct(t)
	for name, s := range ex.markets {
		bars := s.history.bars
		require.Len(t, bars, 7200+1440+730+1, name)
		born := bars[len(bars)-2]
		require.Equal(t, onTick(unitsOf(s.StartPrice), s.ticks), born.close, name)
		for i, b := range bars {
			require.True(t, i == 0 || bars[i-1].start < b.start)
			require.True(t, b.low > 0 && b.low <= min(b.open, b.close) && b.high >= max(b.open, b.close) && b.volume >= 0)
		}
	}
}

func TestCandlesOfAnyIntervalAddUpToTheHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var h history
		at := time.UnixMilli(1_700_000_000_000)
		total := int64(0)
		for range rapid.IntRange(1, 200).Draw(rt, "ticks") {
			at = at.Add(time.Duration(rapid.IntRange(1, 5000).Draw(rt, "seconds")) * time.Second)
			x := tick{rapid.Int64Range(1, 1000).Draw(rt, "price"), rapid.Int64Range(0, 10).Draw(rt, "volume")}
			h.add(at, x)
			total += x.volume
		}
		start, ok := intervalStart(rapid.SampledFrom([]string{"1m", "15m", "1h", "1d", "1W", "1M"}).Draw(rt, "interval"))
		require.True(rt, ok)
		rows := h.candles(start, 0, at.UnixMilli(), 1_000_000)
		for i, b := range rows {
			total -= b.volume
			require.True(rt, i == 0 || rows[i-1].start > b.start)
		}
		require.Zero(rt, total)
		require.Equal(rt, h.bars[len(h.bars)-1].close, rows[0].close)
		require.Equal(rt, h.bars[0].open, rows[len(rows)-1].open)
		require.LessOrEqual(rt, len(h.candles(start, 0, at.UnixMilli(), 2)), 2)
	})
}

func TestWeeksBeginOnMondayAndMonthsOnTheFirst(t *testing.T) {
	sunday := time.Date(2026, 3, 1, 23, 59, 0, 0, time.UTC)
	require.Equal(t, time.Date(2026, 2, 23, 0, 0, 0, 0, time.UTC).UnixMilli(), weekStart(sunday.UnixMilli()))
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	require.Equal(t, monday.UnixMilli(), weekStart(monday.UnixMilli()))
	require.Equal(t, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli(), monthStart(sunday.UnixMilli()))
}

func recordedCandles(t testing.TB) []Candle {
	t.Helper()
	f, err := os.Open("testdata/candles.csv")
	require.NoError(t, err)
	defer f.Close()
	candles, err := ReadCandles(f)
	require.NoError(t, err)
	return candles
}

func TestReplayFollowsTheRecordAtItsSpeed(t *testing.T) {
	candles := recordedCandles(t)
	ex, clock := direct(t, func(c *Config) {
		c.Prices = Replay{Candles: candles, Market: "BTC-EUR", Speed: 86_400, From: candles[1].Start}
		c.Step = time.Second / 4
	})
	btc, ada := ex.markets["BTC-EUR"], ex.markets["ADA-EUR"]
	require.Equal(t, "7174", btc.price().String(), "the open of the second candle, on the tick")
	require.Equal(t, "0.62", ada.price().String(), "another market starts at its own price")
	past := btc.history.bars[0]
	require.Equal(t, ex.origin.Add(-day).UnixMilli(), past.start, "what was before is the past")
	require.Equal(t, "7174", priceOf(past.close).String())

	clock.Move(time.Second)
	ex.Advance()
	require.Equal(t, "6945", btc.price().String(), "a day later")
	want := number("0.62").Mul(number("6945.02")).Div(number("7174.33"))
	require.True(t, ada.price().Sub(want).Abs().LessThan(number("0.00002")), "in proportion: %s", ada.price())
	clock.Move(time.Hour)
	ex.Advance()
	require.Equal(t, "7346", btc.price().String(), "the record has ended")
}

func TestReplayPassesThroughHighAndLow(t *testing.T) {
	up := bar{open: 100_000, high: 130_000, low: 90_000, close: 120_000}
	require.EqualValues(t, 100_000, up.along(0, 300))
	require.EqualValues(t, 90_000, up.along(100, 300))
	require.EqualValues(t, 130_000, up.along(200, 300))
	require.EqualValues(t, 120_000, up.along(300, 300))
	down := bar{open: 120_000, high: 130_000, low: 90_000, close: 100_000}
	require.EqualValues(t, 130_000, down.along(100, 300))
	require.EqualValues(t, 90_000, down.along(200, 300))
	rapid.Check(t, func(rt *rapid.T) {
		p := up.along(rapid.Int64Range(0, 1000).Draw(rt, "passed"), 300)
		require.True(rt, p >= up.low && p <= up.high)
	})
}

func TestReplayThatCannotBeIsRefused(t *testing.T) {
	for _, r := range []Replay{{}, {Candles: recordedCandles(t), From: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}} {
		_, err := New(Config{Prices: r})
		require.ErrorContains(t, err, "replay")
	}
}

func TestCandleColumnsAreFoundByName(t *testing.T) {
	candles, err := ReadCandles(strings.NewReader("Close, Time ,low,high,open\n3,1577836800,1,4,2\n"))
	require.NoError(t, err)
	require.Equal(t, time.Unix(1577836800, 0), candles[0].Start)
	require.Equal(t, "2 4 1 3 0", strings.Join([]string{candles[0].Open.String(), candles[0].High.String(),
		candles[0].Low.String(), candles[0].Close.String(), candles[0].Volume.String()}, " "))
	recorded := recordedCandles(t)
	require.Len(t, recorded, 4)
	require.Equal(t, "3350.63004888", recorded[0].Volume.String())
}

func TestCandlesThatAreNoneAreRefused(t *testing.T) {
	header := "timestamp_ms,open,high,low,close,volume\n"
	for name, text := range map[string]string{
		"nothing": "", "no close": "timestamp_ms,open,high,low\n",
		"words":       header + "1,a,b,c,d,e\n",
		"exponent":    header + "1,1e9,2,1,1,1\n",
		"negative":    header + "1,-1,2,1,1,1\n",
		"high below":  header + "1,2,1,1,1,1\n",
		"low above":   header + "1,2,3,2.5,3,1\n",
		"zero":        header + "1,1,1,0,1,1\n",
		"too few":     header + "1,1,1\n",
		"not in time": header + "2,1,1,1,1,1\n2,1,1,1,1,1\n",
		"too large":   header + "1,1,999999999,1,1,1\n",
	} {
		_, err := ReadCandles(strings.NewReader(text))
		require.Error(t, err, name)
	}
}

func FuzzReadCandlesGivesOnlyUsableOnes(f *testing.F) {
	f.Add("timestamp_ms,open,high,low,close,volume\n1577836800000,7165.72,7238.14,7136.05,7174.33,3350.6300488800002\n")
	f.Add("time,open,high,low,close\n1,1,1,1,1\n2,1,2,1,2\n")
	f.Add("time,open,high,low,close\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		candles, err := ReadCandles(strings.NewReader(text))
		if err != nil || len(candles) < 2 || candles[0].Start.UnixMilli() < 0 {
			return
		}
		feed, err := Replay{Candles: candles, Speed: 10}.open(DefaultMarkets()[0], 1, time.UnixMilli(0), time.Second)
		require.NoError(t, err)
		for s := range 3 {
			require.Positive(t, feed.next(time.UnixMilli(int64(s)*1_000_000)).price)
		}
	})
}

func TestSmallMoneyDoesNotOverflow(t *testing.T) {
	m := euroMarket("PEPE", "0.00000001", "1000", "0.000005")
	ex, clock := direct(t, func(c *Config) {
		c.Markets, c.Step, c.Prices = []Market{m}, 10*time.Millisecond, RandomWalk{StepPPM: 5000}
	})
	clock.Move(time.Minute)
	ex.Advance()
	require.True(t, ex.markets["PEPE-EUR"].price().IsPositive())
}
