package paper

import (
	"fmt"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// direct is an exchange without HTTP, for tests that place thousands of orders.
func direct(t require.TestingT, change ...func(*Config)) (*Exchange, *handClock) {
	clock := newClock()
	cfg := Config{Clock: clock.Now, Wait: clock.Wait, Book: flatBook(),
		Keys: []Key{NewKey("main", View, Trade), NewKey("other", View, Trade)}}
	for _, c := range change {
		c(&cfg)
	}
	ex, err := New(cfg)
	require.NoError(t, err)
	return ex, clock
}

// sums is what there is of each asset, wherever it is.
func (l *ledger) sums() map[string]string {
	total := amounts{}
	for _, holdings := range l.accounts {
		for asset, h := range holdings {
			total[asset] = total[asset].Add(h.Available).Add(h.InOrder)
		}
	}
	for _, part := range []amounts{l.house, l.fees} {
		for asset, d := range part {
			total[asset] = total[asset].Add(d)
		}
	}
	text := map[string]string{}
	for asset, d := range total {
		text[asset] = d.String()
	}
	return text
}

// TestNothingIsMadeOrLost trades at random and checks after each step that
// every asset adds up, that holds are those of the open orders, and that each
// account has what its fills say.
func TestNothingIsMadeOrLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ex, clock := direct(rt, func(c *Config) {
			c.Seed = rapid.Uint64().Draw(rt, "seed")
			c.Prices = RandomWalk{StepPPM: 5000}
			c.Markets = []Market{DefaultMarkets()[0], DefaultMarkets()[3]}
			c.Book.FillFraction = decimal.New(int64(rapid.IntRange(1, 10).Draw(rt, "fraction")), -1)
			c.Book.SpreadBps = int64(rapid.IntRange(0, 50).Draw(rt, "spread"))
			c.Book.DepthQuote = decimal.NewFromInt(int64(rapid.IntRange(5, 20_000).Draw(rt, "depth")))
		})
		defer func() { require.NoError(rt, ex.Close()) }()
		before := ex.ledger.sums()
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			act(rt, ex, clock)
			require.Equal(rt, before, ex.ledger.sums())
			requireHoldsMatch(rt, ex)
			requireFillsExplainBalances(rt, ex)
		}
	})
}

// act does one random thing; being refused is as good as any answer.
func act(t *rapid.T, ex *Exchange, clock *handClock) {
	account := rapid.SampledFrom([]string{"main", "other"}).Draw(t, "account")
	market := rapid.SampledFrom([]string{"BTC-EUR", "ADA-EUR"}).Draw(t, "market")
	r := &request{key: &Key{Account: account}}
	s := ex.markets[market]
	switch rapid.IntRange(0, 5).Draw(t, "act") {
	case 0:
		clock.Move(time.Duration(rapid.IntRange(1, 5).Draw(t, "seconds")) * time.Second)
		ex.Advance()
	case 1:
		for _, o := range ex.orders.openOf(account, market) {
			require.NoError(t, ex.cancel(s, o, clock.Now()))
			return
		}
	case 2:
		for _, o := range ex.orders.openOf(account, market) {
			c := change{price: nearby(t, s), remaining: size(t, s)}
			_ = ex.update(s, o, c, clock.Now())
			return
		}
	default:
		_, err := ex.engine(r, func(now time.Time) (any, error) { return ex.place(account, anyPlacement(t, s), now) })
		if err != nil {
			require.IsType(t, refusal{}, err)
		}
	}
}

func nearby(t *rapid.T, s *marketState) decimal.Decimal {
	percent := int64(rapid.IntRange(95, 105).Draw(t, "percent"))
	return priceOf(onTick(s.mid*percent/100, s.ticks))
}

func size(t *rapid.T, s *marketState) decimal.Decimal {
	quote := decimal.New(int64(rapid.IntRange(400, 5_000_000).Draw(t, "cents")), -2)
	return quote.DivRound(s.price(), 9).Truncate(int32(rapid.IntRange(2, 8).Draw(t, "decimals")))
}

func anyPlacement(t *rapid.T, s *marketState) placement {
	p := placement{market: s.Name(), operatorID: 1,
		fate: fate{trades: rapid.SampledFrom([]share{wholly, wholly, wholly, inPart, notAtAll}).Draw(t, "fate")},
		side: rapid.SampledFrom([]string{buy, sell}).Draw(t, "side"),
		kind: rapid.SampledFrom([]string{typeMarket, typeLimit}).Draw(t, "kind"),
	}
	switch {
	case p.kind == typeLimit:
		p.amount, p.price = size(t, s), nearby(t, s)
		p.timeInForce = rapid.SampledFrom([]string{untilCancelled, immediateOrCancel, fillOrKill}).Draw(t, "tif")
		p.postOnly = p.timeInForce == untilCancelled && rapid.Bool().Draw(t, "post")
	case rapid.Bool().Draw(t, "quote"):
		p.quote = decimal.New(int64(rapid.IntRange(500, 5_000_000).Draw(t, "cents")), -2)
	default:
		p.amount = size(t, s)
	}
	if !p.amount.IsPositive() && !p.quote.IsPositive() {
		p.quote = decimal.NewFromInt(5)
		p.kind, p.amount, p.price, p.timeInForce, p.postOnly = typeMarket, decimal.Zero, decimal.Zero, "", false
	}
	return p
}

func requireHoldsMatch(t require.TestingT, ex *Exchange) {
	held := map[string]decimal.Decimal{}
	for _, o := range ex.orders.all {
		require.False(t, o.Hold.IsNegative())
		require.True(t, o.open() || o.Hold.IsZero(), "a closed order holds nothing")
		if o.Type == typeMarket {
			require.False(t, o.open(), "market orders never rest")
		}
		key := o.Account + o.holdAsset(ex.markets[o.Market].Market)
		held[key] = held[key].Add(o.Hold)
	}
	for account, holdings := range ex.ledger.accounts {
		for asset, h := range holdings {
			require.False(t, h.Available.IsNegative(), "%s %s", account, asset)
			require.True(t, h.InOrder.Equal(held[account+asset]), "%s %s: %s held, orders say %s", account, asset, h.InOrder, held[account+asset])
		}
	}
}

// requireFillsExplainBalances reckons every balance again from the fills alone.
func requireFillsExplainBalances(t require.TestingT, ex *Exchange) {
	want := map[string]decimal.Decimal{}
	for account := range ex.ledger.accounts {
		for asset, d := range ex.cfg.Balances {
			want[account+asset] = d
		}
	}
	for _, o := range ex.orders.all {
		m := ex.markets[o.Market].Market
		base, quote, fees := o.filled()
		require.True(t, base.LessThanOrEqual(o.Amount) || o.Quote.IsPositive())
		require.Equal(t, o.Status == isFilled && o.Quote.IsZero(), o.Amount.IsPositive() && base.Equal(o.Amount), "%s: %s of %s", o.Status, base, o.Amount)
		if o.buys() {
			base, quote = base.Neg(), quote.Neg()
		}
		want[o.Account+m.Base] = want[o.Account+m.Base].Sub(base)
		want[o.Account+m.Quote] = want[o.Account+m.Quote].Add(quote).Sub(fees)
	}
	for account, holdings := range ex.ledger.accounts {
		for asset, h := range holdings {
			got := h.Available.Add(h.InOrder)
			require.True(t, got.Equal(want[account+asset]), "%s %s: %s, fills say %s", account, asset, got, want[account+asset])
		}
	}
}

// TestTakeNeverGivesMoreThanIsWantedOrThere holds the planner against its promise.
func TestTakeNeverGivesMoreThanIsWantedOrThere(t *testing.T) {
	m := DefaultMarkets()[0]
	rapid.Check(t, func(rt *rapid.T) {
		b := Book{SpreadBps: int64(rapid.IntRange(0, 100).Draw(rt, "spread")), LevelGapBps: int64(rapid.IntRange(0, 50).Draw(rt, "gap")),
			Levels: rapid.IntRange(1, 30).Draw(rt, "levels"), DepthQuote: decimal.NewFromInt(int64(rapid.IntRange(1, 9999).Draw(rt, "depth")))}
		w := want{buy: rapid.Bool().Draw(rt, "buy"), fee: number("0.0025"), decimals: 8, cents: 2}
		worth := decimal.New(int64(rapid.IntRange(500, 10_000_000).Draw(rt, "cents")), -2)
		if w.quote = worth; rapid.Bool().Draw(rt, "amount") {
			w.amount, w.quote = worth.Div(decimal.NewFromInt(50_000)).Truncate(8), decimal.Zero
		}
		if rapid.Bool().Draw(rt, "limit") {
			w.limit = decimal.NewFromInt(int64(rapid.IntRange(49_000, 51_000).Draw(rt, "at")))
		}
		levels := b.levels(m, unitsOf(number("50000")), w.buy, nil)
		asked := w
		p := take(levels, w)
		spent, got := decimal.Zero, decimal.Zero
		for i, x := range p.matches {
			require.True(rt, x.amount.IsPositive() && x.amount.LessThanOrEqual(levels[i].size))
			require.True(rt, x.price.Mod(m.tick()).IsZero())
			require.True(rt, i == 0 || p.matches[i-1].price.Equal(x.price) || p.matches[i-1].price.LessThan(x.price) == w.buy, "best first")
			require.True(rt, w.limit.IsZero() || x.price.Equal(w.limit) || x.price.LessThan(w.limit) == w.buy)
			gross := x.amount.Mul(x.price)
			got, spent = got.Add(x.amount), spent.Add(gross)
			if w.buy {
				spent = spent.Add(feeFor(true, gross, w.fee, w.cents))
			}
		}
		if asked.quote.IsPositive() {
			require.True(rt, spent.LessThanOrEqual(asked.quote), "%s of %s", spent, asked.quote)
		} else {
			require.True(rt, got.LessThanOrEqual(asked.amount))
			require.Equal(rt, p.done, got.Equal(asked.amount))
		}
	})
}

func BenchmarkPlaceWithThousandsInTheLedger(b *testing.B) {
	ex, clock := direct(b, func(c *Config) {
		c.StateFile = b.TempDir() + "/state"
		c.Balances = map[string]decimal.Decimal{"EUR": decimal.New(1, 12)}
	})
	p := placement{market: "BTC-EUR", side: buy, kind: typeMarket, amount: number("0.001"), operatorID: 1}
	place := func(i int) {
		p.clientOrderID = fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		clock.Move(time.Second)
		_, err := ex.engine(&request{}, func(now time.Time) (any, error) { return ex.place("main", p, now) })
		require.NoError(b, err)
		require.NoError(b, ex.journal.sync())
	}
	for i := range 5000 {
		place(i)
	}
	for i := 5000; b.Loop(); i++ {
		place(i)
	}
}
