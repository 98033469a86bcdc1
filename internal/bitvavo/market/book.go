package market

import (
	"context"
	"fmt"
	"strconv"

	"github.com/bitvavo/go-bitvavo-api"
	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// Depth is the best of an order book, and how much quote asset stands on the
// levels that were read.
type Depth struct {
	BookTop

	BidQuote decimal.Decimal
	AskQuote decimal.Decimal
}

const mostLevels = 1000

// Book reads the best levels of one market's order book. An empty side is
// zero; an unreadable level is an error.
func (r *Reader) Book(ctx context.Context, market trade.Market, levels int) (Depth, error) {
	what := "read the book of " + clip(string(market))
	if _, err := trade.ParseMarket("market", string(market)); err != nil {
		return Depth{}, fmt.Errorf("%s: %w", what, err)
	}
	if levels < 1 || levels > mostLevels {
		return Depth{}, fmt.Errorf("%s: levels (%d) must be between 1 and %d", what, levels, mostLevels)
	}
	reply, err := ask(ctx, r, what, object, func(b *bitvavo.Bitvavo) (bitvavo.Book, error) {
		return b.Book(string(market), map[string]string{"depth": strconv.Itoa(levels)})
	})
	if err != nil {
		return Depth{}, err
	}
	if reply.Market != string(market) {
		return Depth{}, fmt.Errorf("%s: %w: the reply is about %q", what, ErrUnavailable, clip(reply.Market))
	}
	var d Depth
	if d.Bid, d.BidQuote, err = side(reply.Bids); err == nil {
		d.Ask, d.AskQuote, err = side(reply.Asks)
	}
	if err != nil {
		return Depth{}, fmt.Errorf("%s: %w: %w", what, ErrUnavailable, err)
	}
	return d, nil
}

// side returns the best price, which comes first, and what all levels add up to.
func side(levels [][]string) (best, quote decimal.Decimal, err error) {
	for i, level := range levels {
		if len(level) < 2 {
			return best, quote, fmt.Errorf("level %d has no price and size", i)
		}
		price, err := trade.ParsePositive("price", level[0])
		if err != nil {
			return best, quote, err
		}
		size, err := trade.ParsePositive("size", level[1])
		if err != nil {
			return best, quote, err
		}
		if i == 0 {
			best = price
		}
		quote = quote.Add(price.Mul(size))
	}
	return best, quote, nil
}
