package scans

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/prompt"
	"interlock/internal/scan"
	"interlock/internal/trade"
)

// venue is an exchange with one good market, until a test spoils it.
type venue struct {
	at      time.Time
	prices  map[trade.Market]decimal.Decimal
	book    Book
	newest  map[string]time.Time
	failing string
}

func newVenue() *venue {
	at := time.Date(2026, 3, 1, 12, 0, 30, 0, time.UTC)
	return &venue{
		at: at, prices: map[trade.Market]decimal.Decimal{"BTC-EUR": decimal.NewFromInt(80000)},
		book:   Book{Bid: decimal.NewFromInt(79990), Ask: decimal.NewFromInt(80010), BidDepth: decimal.NewFromInt(5000)},
		newest: map[string]time.Time{"1m": at.Add(-30 * time.Second), "1h": at.Add(-30 * time.Second)},
	}
}

func (v *venue) fails(what string) error {
	if v.failing == what {
		return errors.New(what + " is down")
	}
	return nil
}

func (v *venue) Time(context.Context) (time.Time, error) { return v.at, v.fails("time") }

func (v *venue) Prices(context.Context) (map[trade.Market]decimal.Decimal, error) {
	return v.prices, v.fails("prices")
}

func (v *venue) Book(context.Context, trade.Market, int) (Book, error) {
	return v.book, v.fails("book")
}

func (v *venue) Series(_ context.Context, _ trade.Market, interval string, _ int) (prompt.Series, error) {
	s := prompt.Series{Interval: interval}
	if at, there := v.newest[interval]; there {
		s.Candles = []prompt.Candle{{At: at.Add(-time.Hour)}, {At: at}}
	}
	return s, v.fails(interval)
}

func (v *venue) Holdings(context.Context) ([]trade.Holding, error) {
	one := decimal.NewFromInt(1)
	return []trade.Holding{{Symbol: "BTC", Available: one, InOrder: one}, {Symbol: "EUR", Available: one}, {Symbol: "DOGE", Available: one}}, v.fails("holdings")
}

func lookedAt() scan.Job {
	j := scan.Job{ID: "job", Spec: scan.Defaults()}
	j.Markets = []trade.Market{"BTC-EUR"}
	return j
}

func TestASnapshotHasPricesBookCandlesAndWhatIsHeldThere(t *testing.T) {
	seen, end := (&Activities{Exchange: newVenue()}).look(t.Context(), lookedAt())
	require.Empty(t, end.Code)
	require.Len(t, seen.Holdings, 2, "what the job has nothing to do with stays out")
	m := seen.Markets[0]
	require.Equal(t, "2", m.Position.String())
	require.Equal(t, "0.00025", m.Spread.String())
	require.Equal(t, []string{"1m", "1h"}, []string{m.Short.Interval, m.Long.Interval})
}

func TestStaleOrMissingDataStopsTheScanWithACode(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*venue)
		code  scan.Code
	}{
		"clock":         {func(v *venue) { v.failing = "time" }, scan.MarketUnavailable},
		"prices":        {func(v *venue) { v.failing = "prices" }, scan.MarketUnavailable},
		"book":          {func(v *venue) { v.failing = "book" }, scan.MarketUnavailable},
		"candles":       {func(v *venue) { v.failing = "1h" }, scan.MarketUnavailable},
		"holdings":      {func(v *venue) { v.failing = "holdings" }, scan.MarketUnavailable},
		"no price":      {func(v *venue) { v.prices = nil }, scan.MarketMissing},
		"empty book":    {func(v *venue) { v.book = Book{} }, scan.MarketMissing},
		"crossed book":  {func(v *venue) { v.book.Ask = v.book.Bid }, scan.MarketMissing},
		"no candles":    {func(v *venue) { delete(v.newest, "1m") }, scan.MarketMissing},
		"old candles":   {func(v *venue) { v.newest["1m"] = v.at.Add(-181 * time.Second) }, scan.MarketStale},
		"old long ones": {func(v *venue) { v.newest["1h"] = v.at.Add(-4 * time.Hour) }, scan.MarketStale},
	} {
		v := newVenue()
		c.spoil(v)
		_, end := (&Activities{Exchange: v}).look(t.Context(), lookedAt())
		require.Equal(t, string(c.code), end.Code, name)
		require.NotEmpty(t, end.Detail, name)
	}
	v := newVenue()
	v.newest["1m"] = v.at.Add(-180 * time.Second)
	_, end := (&Activities{Exchange: v}).look(t.Context(), lookedAt())
	require.Empty(t, end.Code, "exactly three candle lengths are still good")
}
