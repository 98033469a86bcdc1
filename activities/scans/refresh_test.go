package scans

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

// stage is market and facts in one, with a clock that steps at every reading.
type stage struct {
	clock  time.Time
	prices map[trade.Market]decimal.Decimal
	rules  int
	err    error
	at     time.Time
	facts  []trade.MarketFact
	ahead  time.Duration
	puts   chan struct{}
}

func (s *stage) Time(context.Context) (time.Time, error) { return s.clock.Add(3 * time.Second), s.err }

func (s *stage) Prices(context.Context) (map[trade.Market]decimal.Decimal, error) {
	return s.prices, s.err
}

func (s *stage) Rules(context.Context) (map[trade.Market]trade.MarketRules, error) {
	s.rules++
	return map[trade.Market]trade.MarketRules{"BTC-EUR": {Status: "trading"}}, s.err
}

func (s *stage) Now(context.Context) (time.Time, error) {
	s.clock = s.clock.Add(time.Second)
	return s.clock, nil
}

func (s *stage) PutMarketFacts(_ context.Context, _ string, at time.Time, facts []trade.MarketFact) error {
	s.at, s.facts = at, facts
	if s.puts != nil {
		s.puts <- struct{}{}
	}
	return nil
}

func (s *stage) PutClock(_ context.Context, _ string, before, exchange, after time.Time) error {
	s.ahead = exchange.Sub(before.Add(after.Sub(before) / 2))
	return nil
}

func newStage() *stage {
	return &stage{clock: time.Unix(1000, 0), prices: map[trade.Market]decimal.Decimal{
		"BTC-EUR": decimal.NewFromInt(80000), "XXX-EUR": decimal.NewFromInt(1),
	}}
}

func refresher(s *stage) *Refresher {
	return &Refresher{Market: s, Facts: s, Account: "paper", Every: time.Millisecond, Log: slog.New(slog.DiscardHandler)}
}

func TestFactsAreDatedBeforeTheExchangeWasAsked(t *testing.T) {
	s := newStage()
	r := refresher(s)
	require.NoError(t, r.Refresh(context.Background()))
	require.Equal(t, time.Unix(1003, 0), s.at)
	require.Len(t, s.facts, 1, "a market without rules is left out")
	require.Equal(t, 2500*time.Millisecond, s.ahead)

	require.NoError(t, r.Refresh(context.Background()))
	require.Equal(t, 1, s.rules, "rules are read rarely")
}

func TestAFailedRefreshStoresNothing(t *testing.T) {
	s := newStage()
	s.err = errors.New("down")
	require.Error(t, refresher(s).Refresh(context.Background()))
	require.Nil(t, s.facts)
}

func TestRunRefreshesUntilItIsStopped(t *testing.T) {
	s := newStage()
	s.puts = make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { refresher(s).Run(ctx); close(done) }()
	<-s.puts
	<-s.puts
	stop()
	for {
		select {
		case <-s.puts:
		case <-done:
			return
		}
	}
}
