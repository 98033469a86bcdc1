package market

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/bitvavo/go-bitvavo-api"
	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// BookTop is the best bid and the best ask of a market.
type BookTop struct {
	Bid decimal.Decimal
	Ask decimal.Decimal
}

// Candle is what a market did from At on, for one interval.
type Candle struct {
	At     time.Time
	Open   decimal.Decimal
	High   decimal.Decimal
	Low    decimal.Decimal
	Close  decimal.Decimal
	Volume decimal.Decimal
}

// Balance is what the account holds of one asset.
type Balance struct {
	Symbol    string
	Available decimal.Decimal
	InOrder   decimal.Decimal
}

// Time asks the exchange for its clock.
func (r *Reader) Time(ctx context.Context) (time.Time, error) {
	reply, err := ask(ctx, r, "read the exchange's clock", object, (*bitvavo.Bitvavo).Time)
	if err != nil {
		return time.Time{}, err
	}
	return instant("time", int64(reply.Time))
}

// instant refuses what cannot be milliseconds of this century.
func instant(field string, ms int64) (time.Time, error) {
	const year2001, year2100 = 1e12, 4.1e12
	if ms < year2001 || ms > year2100 {
		return time.Time{}, fmt.Errorf("%s: %d is not a time in milliseconds: %w", field, ms, ErrUnavailable)
	}
	return time.UnixMilli(ms).UTC(), nil
}

// Prices reads the last price of every market. A market without a usable price
// is absent; no usable price at all is an error.
func (r *Reader) Prices(ctx context.Context) (map[trade.Market]decimal.Decimal, error) {
	const what = "read prices"
	reply, err := ask(ctx, r, what, list, func(b *bitvavo.Bitvavo) ([]bitvavo.TickerPrice, error) {
		return b.TickerPrice(map[string]string{})
	})
	if err != nil {
		return nil, err
	}
	prices := make(map[trade.Market]decimal.Decimal, len(reply))
	for _, row := range reply {
		market, badMarket := trade.ParseMarket("market", row.Market)
		price, badPrice := trade.ParsePositive("price", row.Price)
		if badMarket == nil && badPrice == nil {
			prices[market] = price
		}
	}
	return prices, someOf(what, len(prices))
}

// BookTops reads the best bid and ask of every market. A market without both
// is absent; none at all is an error.
func (r *Reader) BookTops(ctx context.Context) (map[trade.Market]BookTop, error) {
	const what = "read best bids and asks"
	reply, err := ask(ctx, r, what, list, func(b *bitvavo.Bitvavo) ([]bitvavo.TickerBook, error) {
		return b.TickerBook(map[string]string{})
	})
	if err != nil {
		return nil, err
	}
	tops := make(map[trade.Market]BookTop, len(reply))
	for _, row := range reply {
		market, badMarket := trade.ParseMarket("market", row.Market)
		bid, badBid := trade.ParsePositive("bid", row.Bid)
		ask, badAsk := trade.ParsePositive("ask", row.Ask)
		if badMarket == nil && badBid == nil && badAsk == nil {
			tops[market] = BookTop{Bid: bid, Ask: ask}
		}
	}
	return tops, someOf(what, len(tops))
}

// intervals are the candle lengths the exchange knows.
var intervals = []string{"1m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "1W", "1M"}

// mostCandles is what the exchange gives at once.
const mostCandles = 1440

// Candles reads the last limit candles of market, oldest first. Intervals
// without a trade are absent. An unreadable candle is an error: what is
// computed over a series with a hole would be wrong.
func (r *Reader) Candles(ctx context.Context, market trade.Market, interval string, limit int) ([]Candle, error) {
	what := fmt.Sprintf("read %s candles of %s", clip(interval), clip(string(market)))
	// The official client puts these into the URL as they are.
	if _, err := trade.ParseMarket("market", string(market)); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if !slices.Contains(intervals, interval) || limit < 1 || limit > mostCandles {
		return nil, fmt.Errorf("%s: interval must be one of %v, limit (%d) between 1 and %d", what, intervals, limit, mostCandles)
	}
	reply, err := ask(ctx, r, what, list, func(b *bitvavo.Bitvavo) ([]bitvavo.Candle, error) {
		return b.Candles(string(market), interval, map[string]string{"limit": strconv.Itoa(limit)})
	})
	if err != nil {
		return nil, err
	}
	return candles(what, reply)
}

func candles(what string, rows []bitvavo.Candle) ([]Candle, error) {
	series := make([]Candle, 0, len(rows))
	for _, row := range rows {
		at, err := instant("timestamp", int64(row.Timestamp))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		c := Candle{At: at}
		for _, field := range []struct {
			name, text string
			into       *decimal.Decimal
		}{{"open", row.Open, &c.Open}, {"high", row.High, &c.High}, {"low", row.Low, &c.Low}, {"close", row.Close, &c.Close}, {"volume", row.Volume, &c.Volume}} {
			d, err := trade.ParseDecimal(field.name, field.text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w: %w", what, ErrUnavailable, err)
			}
			*field.into = d
		}
		series = append(series, c)
	}
	slices.SortFunc(series, func(a, b Candle) int { return a.At.Compare(b.At) })
	return series, nil
}

// Balance reads what the account of the read-only key holds; ErrNoKey without
// one. It may be empty.
func (r *Reader) Balance(ctx context.Context) ([]Balance, error) {
	const what = "read balances"
	if r.keys.key == "" {
		return nil, fmt.Errorf("%s: %w", what, ErrNoKey)
	}
	reply, err := ask(ctx, r, what, list, func(b *bitvavo.Bitvavo) ([]bitvavo.Balance, error) {
		return b.Balance(map[string]string{})
	})
	if err != nil {
		return nil, err
	}
	balances := make([]Balance, 0, len(reply))
	for _, row := range reply {
		available, badAvailable := trade.ParseDecimal("available", row.Available)
		inOrder, badInOrder := trade.ParseDecimal("inOrder", row.InOrder)
		if row.Symbol == "" || badAvailable != nil || badInOrder != nil {
			return nil, fmt.Errorf("%s: %w: unreadable balance of %q", what, ErrUnavailable, clip(row.Symbol))
		}
		balances = append(balances, Balance{Symbol: row.Symbol, Available: available, InOrder: inOrder})
	}
	return balances, nil
}

// someOf makes an error of a reply in which nothing was usable.
func someOf(what string, usable int) error {
	if usable == 0 {
		return fmt.Errorf("%s: %w: the reply has no usable row", what, ErrUnavailable)
	}
	return nil
}
