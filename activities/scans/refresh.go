// Package scans holds what role scans does: it reads the market with the
// read-only key and keeps the facts that preflight decides on fresh. It cannot
// place, cancel or see an order.
package scans

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// Market is what can be read without the right to trade.
type Market interface {
	Time(ctx context.Context) (time.Time, error)
	Prices(ctx context.Context) (map[trade.Market]decimal.Decimal, error)
	Rules(ctx context.Context) (map[trade.Market]trade.MarketRules, error)
}

// Facts is where market facts are kept.
type Facts interface {
	Now(ctx context.Context) (time.Time, error)
	PutMarketFacts(ctx context.Context, account string, observedAt time.Time, facts []trade.MarketFact) error
	PutClock(ctx context.Context, account string, before, exchange, after time.Time) error
}

// Refresher keeps the market facts of one account fresh. Facts that it cannot
// refresh grow old, and old facts block: there is nothing else to do on failure.
type Refresher struct {
	Market  Market
	Facts   Facts
	Account string
	Every   time.Duration
	Log     *slog.Logger

	rules   map[trade.Market]trade.MarketRules
	rulesAt time.Time
}

// rulesLife is how long an exchange's market rules are used before they are
// read again.
const rulesLife = time.Minute

// Run refreshes until ctx ends.
func (r *Refresher) Run(ctx context.Context) {
	ticker := time.NewTicker(r.Every)
	defer ticker.Stop()
	failing := false
	for {
		err := r.Refresh(ctx)
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != failing {
			failing = err != nil
			r.Log.Warn("market facts", "fresh", !failing, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Refresh reads clock, rules and prices once. What it stores is dated by the
// database's clock before the exchange was asked.
func (r *Refresher) Refresh(ctx context.Context) error {
	if err := r.refreshClock(ctx); err != nil {
		return fmt.Errorf("clock of %s: %w", r.Account, err)
	}
	now, err := r.Facts.Now(ctx)
	if err != nil {
		return err
	}
	if err := r.refreshRules(ctx, now); err != nil {
		return fmt.Errorf("rules of %s: %w", r.Account, err)
	}
	prices, err := r.Market.Prices(ctx)
	if err != nil {
		return fmt.Errorf("prices of %s: %w", r.Account, err)
	}
	return r.Facts.PutMarketFacts(ctx, r.Account, now, r.join(prices))
}

func (r *Refresher) refreshClock(ctx context.Context) error {
	before, err := r.Facts.Now(ctx)
	if err != nil {
		return err
	}
	exchange, err := r.Market.Time(ctx)
	if err != nil {
		return err
	}
	after, err := r.Facts.Now(ctx)
	if err != nil {
		return err
	}
	return r.Facts.PutClock(ctx, r.Account, before, exchange, after)
}

func (r *Refresher) refreshRules(ctx context.Context, now time.Time) error {
	if r.rules != nil && now.Sub(r.rulesAt) < rulesLife {
		return nil
	}
	rules, err := r.Market.Rules(ctx)
	if err != nil {
		return err
	}
	r.rules, r.rulesAt = rules, now
	return nil
}

// join keeps the markets of which both price and rules are known.
func (r *Refresher) join(prices map[trade.Market]decimal.Decimal) []trade.MarketFact {
	facts := make([]trade.MarketFact, 0, len(prices))
	for market, price := range prices {
		if rules, known := r.rules[market]; known && price.IsPositive() {
			facts = append(facts, trade.MarketFact{Market: market, Price: price, Rules: rules})
		}
	}
	return facts
}
