package scans

import (
	"context"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"interlock/internal/prompt"
	"interlock/internal/scan"
	"interlock/internal/trade"
)

// Book is the best of an order book and how much stands on it.
type Book struct {
	Bid, Ask           decimal.Decimal
	BidDepth, AskDepth decimal.Decimal // quote asset
}

// Exchange is what a scan reads, with the read-only key at most.
type Exchange interface {
	Time(ctx context.Context) (time.Time, error)
	Prices(ctx context.Context) (map[trade.Market]decimal.Decimal, error)
	Book(ctx context.Context, m trade.Market, levels int) (Book, error)
	Series(ctx context.Context, m trade.Market, interval string, candles int) (prompt.Series, error)
	Holdings(ctx context.Context) ([]trade.Holding, error)
}

const (
	shortCandles = 30
	longCandles  = 24
	bookLevels   = 10
	staleAfter   = 3 // candle lengths without a candle
)

// look reads everything that the model is shown. What is missing or old ends
// the scan: a model that is shown half a market answers about another one.
func (a *Activities) look(ctx context.Context, j scan.Job) (prompt.Snapshot, End) {
	seen, err := a.gather(ctx, j)
	if err != nil {
		return seen, ends(scan.MarketUnavailable, err.Error())
	}
	for _, v := range seen.Markets {
		if end := usable(v, seen.At); end.Code != "" {
			return seen, end
		}
	}
	return seen, End{}
}

func (a *Activities) gather(ctx context.Context, j scan.Job) (prompt.Snapshot, error) {
	at, err := a.Exchange.Time(ctx)
	if err != nil {
		return prompt.Snapshot{}, err
	}
	seen := prompt.Snapshot{At: at.UTC(), Holdings: []trade.Holding{}}
	prices, err := a.Exchange.Prices(ctx)
	if err != nil {
		return seen, err
	}
	holdings, err := a.Exchange.Holdings(ctx)
	if err != nil {
		return seen, err
	}
	for _, h := range holdings {
		if concerns(j.Markets, h.Symbol) {
			seen.Holdings = append(seen.Holdings, h)
		}
	}
	for _, m := range j.Markets {
		view, err := a.view(ctx, m, j.Intervals)
		if err != nil {
			return seen, err
		}
		view.Last, view.Position = prices[m], position(seen.Holdings, m.Base())
		seen.Markets = append(seen.Markets, view)
	}
	return seen, nil
}

func (a *Activities) view(ctx context.Context, m trade.Market, intervals []string) (prompt.MarketView, error) {
	v := prompt.MarketView{Market: m}
	book, err := a.Exchange.Book(ctx, m, bookLevels)
	if err != nil {
		return v, err
	}
	v.Bid, v.Ask, v.BidDepth, v.AskDepth = book.Bid, book.Ask, book.BidDepth, book.AskDepth
	if v.Bid.IsPositive() {
		v.Spread = v.Ask.Sub(v.Bid).DivRound(v.Bid, 6)
	}
	if v.Short, err = a.Exchange.Series(ctx, m, intervals[0], shortCandles); err != nil {
		return v, err
	}
	v.Long, err = a.Exchange.Series(ctx, m, intervals[1], longCandles)
	return v, err
}

// concerns leaves out what the job has nothing to do with.
func concerns(markets []trade.Market, symbol string) bool {
	for _, m := range markets {
		if m.Base() == symbol || m.Quote() == symbol {
			return true
		}
	}
	return false
}

func position(holdings []trade.Holding, asset string) decimal.Decimal {
	for _, h := range holdings {
		if h.Symbol == asset {
			return h.Available.Add(h.InOrder)
		}
	}
	return decimal.Decimal{}
}

func usable(v prompt.MarketView, at time.Time) End {
	switch {
	case !v.Last.IsPositive():
		return ends(scan.MarketMissing, fmt.Sprintf("%s has no price", v.Market))
	case !v.Bid.IsPositive() || v.Ask.LessThanOrEqual(v.Bid):
		return ends(scan.MarketMissing, fmt.Sprintf("%s has no book: bid %s, ask %s", v.Market, v.Bid, v.Ask))
	}
	for _, s := range []prompt.Series{v.Short, v.Long} {
		if len(s.Candles) == 0 {
			return ends(scan.MarketMissing, fmt.Sprintf("%s has no %s candles", v.Market, s.Interval))
		}
		newest := s.Candles[len(s.Candles)-1].At
		if at.Sub(newest) > staleAfter*scan.Intervals[s.Interval] {
			return ends(scan.MarketStale, fmt.Sprintf("the newest %s candle of %s is of %s", s.Interval, v.Market, newest.Format(time.RFC3339)))
		}
	}
	return End{}
}
