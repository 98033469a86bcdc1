package paper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// Config says everything that makes one exchange differ from another. The
// zero value of every field but Keys has a working default.
type Config struct {
	// Clock is what the exchange's own clock goes by; nil means the machine's.
	Clock func() time.Time
	// Wait lets a delay pass; nil means a real timer.
	Wait func(context.Context, time.Duration) error
	// Seed makes prices repeatable.
	Seed uint64

	Markets []Market
	Assets  []Asset
	Keys    []Key
	// Balances is what every account holds when it is first seen.
	Balances map[string]decimal.Decimal
	Fees     Fees
	Book     Book
	Prices   Prices
	// Step is how often prices move.
	Step time.Duration
	// StateFile keeps orders and balances over a restart; empty means memory only.
	StateFile string

	// EngineDelay passes between the arrival of an order and the matching
	// engine, ReplyDelay between the engine and the reply. Both concern writes.
	EngineDelay, ReplyDelay time.Duration
	// WeightPerMinute is the budget of a key or address; 0 counts and never refuses.
	WeightPerMinute int
	// Admin serves /admin to loopback clients.
	Admin   bool
	Options Options
}

// Options choose between behaviours that the documents leave open.
type Options struct {
	// Lenient accepts operatorId and booleans as strings, and a cancel without
	// operatorId, as older official clients send them.
	Lenient bool
	// AlwaysLists answers a list also where one market or asset is asked for, as
	// the official Go client reads markets and assets, and tickers on a socket.
	AlwaysLists bool
	// ClosedCode answers an update or cancel of a closed order: 240 (default) or 233.
	ClosedCode int
	// ClientOrderIDForever refuses with 220 an id any earlier order had, not only an open one.
	ClientOrderIDForever bool
	// ExclusivePaging leaves the order named by orderIdFrom, orderIdTo,
	// tradeIdFrom or tradeIdTo out of the page. Default: it is part of it.
	ExclusivePaging bool
	// RepeatOrderIDs hands out the same order ids in every market.
	RepeatOrderIDs bool
	// ReadLag hides an order from reads for so long after it was placed.
	ReadLag time.Duration
	// SettleAfter is how long a fill stays unsettled, without fee.
	SettleAfter time.Duration
}

// Fees are fractions of the quote amount.
type Fees struct{ Taker, Maker decimal.Decimal }

// Book shapes the made-up order book around a price.
type Book struct {
	// SpreadBps is the distance of best bid and ask, LevelGapBps that of two
	// levels, both in hundredths of a percent of the price.
	SpreadBps, LevelGapBps int64
	Levels                 int
	// DepthQuote is what one level trades, in quote, until the price moves.
	DepthQuote decimal.Decimal
	// FillFraction is the part of a resting order that one price step fills.
	FillFraction decimal.Decimal
}

// DefaultBalances is what a new account starts with.
func DefaultBalances() map[string]decimal.Decimal {
	return map[string]decimal.Decimal{
		"EUR": decimal.NewFromInt(100_000), "BTC": decimal.NewFromInt(1), "ETH": decimal.NewFromInt(10),
		"SOL": decimal.NewFromInt(100), "ADA": decimal.NewFromInt(10_000),
	}
}

// DefaultBook trades half a million per side in 25 levels.
func DefaultBook() Book {
	return Book{SpreadBps: 4, LevelGapBps: 2, Levels: 25,
		DepthQuote: decimal.NewFromInt(20_000), FillFraction: decimal.NewFromInt(1)}
}

func (c Config) withDefaults() Config {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Wait == nil {
		c.Wait = wait
	}
	if c.Markets == nil {
		c.Markets = DefaultMarkets()
	}
	if c.Assets == nil {
		c.Assets = DefaultAssets()
	}
	if c.Balances == nil {
		c.Balances = DefaultBalances()
	}
	if c.Fees == (Fees{}) {
		c.Fees = Fees{Taker: decimal.New(25, -4), Maker: decimal.New(15, -4)}
	}
	if c.Book == (Book{}) {
		c.Book = DefaultBook()
	}
	if c.Prices == nil {
		c.Prices = RandomWalk{}
	}
	if c.Step <= 0 {
		c.Step = time.Second
	}
	if c.Options.ClosedCode == 0 {
		c.Options.ClosedCode = codeNoOrder
	}
	return c
}

func (c Config) check() error {
	errs := []error{c.Book.check()}
	if c.Fees.Taker.IsNegative() || c.Fees.Maker.IsNegative() || c.Fees.Taker.LessThan(c.Fees.Maker) {
		errs = append(errs, errors.New("fees: want 0 <= maker <= taker"))
	}
	if c.Options.ClosedCode != codeNoOrder && c.Options.ClosedCode != codeNotActive {
		errs = append(errs, fmt.Errorf("closed code %d: want 233 or 240", c.Options.ClosedCode))
	}
	for asset, amount := range c.Balances {
		if amount.IsNegative() {
			errs = append(errs, fmt.Errorf("balance of %s: negative", asset))
		}
	}
	seen := map[string]bool{}
	for _, m := range c.Markets {
		errs = append(errs, m.check())
	}
	for i, k := range c.Keys {
		if seen[k.Key] {
			errs = append(errs, fmt.Errorf("key %d: given twice", i))
		}
		seen[k.Key] = true
		errs = append(errs, k.check(i))
	}
	return errors.Join(errs...)
}

func (b Book) check() error {
	if b.SpreadBps < 0 || b.LevelGapBps < 0 || b.Levels < 1 || b.Levels > 1000 || !b.DepthQuote.IsPositive() ||
		b.SpreadBps+2*b.LevelGapBps*int64(b.Levels) >= 2*bpsOne {
		return errors.New("book: want 1 to 1000 levels of positive depth that stay above zero")
	}
	if !b.FillFraction.IsPositive() || b.FillFraction.GreaterThan(decimal.NewFromInt(1)) {
		return errors.New("book: want a fill fraction above 0 and up to 1")
	}
	return nil
}

func (k Key) check(i int) error {
	if len(k.Key) != keyLength || k.Secret == "" || k.Account == "" {
		return fmt.Errorf("key %d: want a key of %d characters, a secret and an account", i, keyLength)
	}
	for _, p := range k.Permissions {
		if !slices.Contains([]Permission{View, Trade, Withdraw}, p) {
			return fmt.Errorf("key %d: unknown permission %q", i, p)
		}
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
