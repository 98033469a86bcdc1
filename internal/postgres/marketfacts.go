package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

// Now reads the database's clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	var now time.Time
	err := s.pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now)
	return now, classify(err)
}

const putMarketFactSQL = `
	INSERT INTO interlock.market_facts
		(account_id, market, price, tick_size, quantity_decimals, notional_decimals, min_base, min_quote, market_status, observed_at)
	VALUES (@account, @market, @price, @tick, @quantity, @notional, @minBase, @minQuote, @status, @at)
	ON CONFLICT (account_id, market) DO UPDATE SET
		price = excluded.price, tick_size = excluded.tick_size, quantity_decimals = excluded.quantity_decimals,
		notional_decimals = excluded.notional_decimals, min_base = excluded.min_base, min_quote = excluded.min_quote,
		market_status = excluded.market_status, observed_at = excluded.observed_at
	WHERE market_facts.observed_at < excluded.observed_at`

// PutMarketFacts stores what was seen. observedAt is the database's clock read
// before the exchange was asked, so a fact is never younger than it claims;
// an older observation never replaces a newer one.
func (s *Store) PutMarketFacts(ctx context.Context, account string, observedAt time.Time, facts []trade.MarketFact) error {
	batch := &pgx.Batch{}
	for _, f := range facts {
		batch.Queue(putMarketFactSQL, pgx.StrictNamedArgs{
			"account": account, "market": string(f.Market), "price": f.Price, "tick": f.Rules.TickSize,
			"quantity": f.Rules.QuantityDecimals, "notional": f.Rules.NotionalDecimals,
			"minBase": f.Rules.MinBase, "minQuote": f.Rules.MinQuote, "status": f.Rules.Status, "at": observedAt,
		})
	}
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("put market facts %s: %w", account, classify(err))
	}
	return nil
}

const putClockSQL = `
	INSERT INTO interlock.exchange_clocks (account_id, ahead_ms, measured_at) VALUES (@account, @ahead, @at)
	ON CONFLICT (account_id) DO UPDATE SET ahead_ms = excluded.ahead_ms, measured_at = excluded.measured_at`

// PutClock stores how far the exchange's clock is ahead of the database's,
// which read before and after while the exchange was asked in between. It is
// what a worker writes first and most often, so it also dates the life of a
// database that was just restored or restarted.
func (s *Store) PutClock(ctx context.Context, account string, before, exchange, after time.Time) error {
	if err := beginLife(ctx, s.pool); err != nil {
		return classify(err)
	}
	middle := before.Add(after.Sub(before) / 2)
	_, err := s.pool.Exec(ctx, putClockSQL, pgx.StrictNamedArgs{
		"account": account, "ahead": exchange.Sub(middle).Milliseconds(), "at": before,
	})
	return classify(err)
}
