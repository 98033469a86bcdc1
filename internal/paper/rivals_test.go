package paper

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// together calls n times at once and returns every answer.
func together(n int, call func(i int) answer) []answer {
	answers := make([]answer, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { answers[i] = call(i) })
	}
	wg.Wait()
	return answers
}

func count(answers []answer, status int) int {
	n := 0
	for _, a := range answers {
		if a.status == status {
			n++
		}
	}
	return n
}

func TestOfRivalsWithOneClientOrderIDOneRests(t *testing.T) {
	b := newBench(t)
	answers := together(30, func(int) answer { return b.call(b.key, http.MethodPost, "/order", limitJSON(named(uuidA))) })
	require.Equal(t, 1, count(answers, http.StatusOK))
	require.Equal(t, 29, count(answers, http.StatusBadRequest))
	require.Len(t, b.recorded(), 1)
}

func TestRivalsCannotSpendTheSameMoney(t *testing.T) {
	b := newBench(t)
	answers := together(20, func(int) answer {
		return b.call(b.key, http.MethodPost, "/order", limitJSON(with("amount", "0.5"))) // 20050 each
	})
	require.Equal(t, 4, count(answers, http.StatusOK))
	_, inOrder := b.balance("EUR")
	require.Equal(t, "80200", inOrder)
}

func TestOfRivalCancelsOneSucceeds(t *testing.T) {
	b := newBench(t)
	b.place(limitJSON(named(uuidA)))
	answers := together(10, func(int) answer {
		return b.call(b.key, http.MethodDelete, "/order?market=BTC-EUR&operatorId=1&clientOrderId="+uuidA, "")
	})
	require.Equal(t, 1, count(answers, http.StatusOK))
	require.Equal(t, 9, count(answers, http.StatusNotFound))
}

func TestFaultWithACountStrikesNoOftenerUnderLoad(t *testing.T) {
	b := newBench(t)
	b.fault(Fault{Kind: "503", Count: 7})
	answers := together(30, func(int) answer { return b.get("/time") })
	require.Equal(t, 7, count(answers, http.StatusServiceUnavailable))
	require.Equal(t, 23, count(answers, http.StatusOK))
}

func TestSumsHoldUnderConcurrentTraffic(t *testing.T) {
	b := newBench(t, stateFile(t))
	before := b.ex.ledger.sums()
	paths := []string{"/orders?market=BTC-EUR", "/trades?market=BTC-EUR", "/ordersOpen", "/balance"}
	together(60, func(i int) answer {
		switch i % 4 {
		case 0:
			return b.call(b.key, http.MethodPost, "/order", orderJSON(with("amount", "0.01")))
		case 1:
			return b.call(b.other, http.MethodPost, "/order", limitJSON(map[string]any{"side": "sell", "price": "50001", "amount": "0.01"}))
		case 2:
			return b.call(b.other, http.MethodDelete, "/orders?operatorId=1", "")
		}
		return b.call(b.key, http.MethodGet, paths[i/4%len(paths)], "")
	})
	require.Equal(t, before, b.ex.ledger.sums())
	require.Len(t, b.recorded(), 30)
	requireHoldsMatch(t, b.ex)
	requireFillsExplainBalances(t, b.ex)
}

// TestStateFileHoldsExactlyWhatMemoryHolds trades at random and compares an
// exchange opened from the state file with the one that wrote it.
func TestStateFileHoldsExactlyWhatMemoryHolds(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(dir, rapid.StringMatching(`[a-z]{24}`).Draw(rt, "file"))
		ex, clock := direct(rt, func(c *Config) {
			c.StateFile, c.Prices = path, RandomWalk{StepPPM: 5000}
			c.Markets = []Market{DefaultMarkets()[0], DefaultMarkets()[3]}
			c.Book.FillFraction = number("0.3")
		})
		for range rapid.IntRange(0, 30).Draw(rt, "steps") {
			act(rt, ex, clock)
		}
		require.NoError(rt, ex.Close())
		again, err := New(ex.cfg)
		require.NoError(rt, err)
		defer func() { require.NoError(rt, again.Close()) }()
		require.Equal(rt, asJSON(rt, ex.orders.all), asJSON(rt, again.orders.all))
		require.Equal(rt, asJSON(rt, ex.ledger.accounts), asJSON(rt, again.ledger.accounts))
		require.Equal(rt, ex.ledger.sums(), again.ledger.sums())
		require.Equal(rt, ex.orders.fills, again.orders.fills)
		for market, open := range ex.orders.open {
			require.Len(rt, again.orders.open[market], len(open))
		}
		require.Equal(rt, ex.markets["BTC-EUR"].mid, again.markets["BTC-EUR"].mid)
	})
}

func asJSON(t require.TestingT, v any) string {
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

func TestNewExchangeNeverGivesTheIDsOfALostOne(t *testing.T) {
	ids := map[string]bool{}
	for i := range 3 {
		ex, _ := direct(t)
		ex.origin = ex.origin.AddDate(0, 0, i)
		for n := range int64(100) {
			for _, kind := range []string{"order", "fill"} {
				ids[ex.identity(kind, "BTC-EUR", n)] = true
			}
		}
	}
	require.Len(t, ids, 600)
}

func TestBookIsOrderedOnTheTickAndNeverCrossed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := rapid.SampledFrom(DefaultMarkets()).Draw(rt, "market")
		b := Book{SpreadBps: int64(rapid.IntRange(0, 200).Draw(rt, "spread")), LevelGapBps: int64(rapid.IntRange(0, 90).Draw(rt, "gap")),
			Levels: rapid.IntRange(1, 100).Draw(rt, "levels"), DepthQuote: number("20000"), FillFraction: number("1")}
		require.NoError(rt, b.check())
		ticks := unitsOf(m.tick())
		mid := onTick(rapid.Int64Range(ticks*200, 100_000_000_000_000).Draw(rt, "mid"), ticks)
		bids, asks := b.levels(m, mid, false, nil), b.levels(m, mid, true, nil)
		require.NotEmpty(rt, bids)
		require.True(rt, bids[0].price.LessThanOrEqual(asks[0].price))
		for _, side := range [][]level{bids, asks} {
			for i, l := range side {
				require.True(rt, l.price.IsPositive() && l.price.Mod(m.tick()).IsZero() && l.size.IsPositive())
				require.True(rt, i == 0 || l.price.LessThan(side[i-1].price) == (&side[0] == &bids[0]), "each level is worse")
			}
		}
	})
}
