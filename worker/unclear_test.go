package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
	"interlock/workflows"
)

// The exchange ends an order with a word that nobody has written down. It is
// not cancelled for ever, nor taken for open for ever.
func TestAnOrderThatEndsWithAnUnknownStatusIsRecordedOnceItIsGone(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1, func(p *trade.Policy) { p.MaxOrderBase = trade.AssetLimits{Unlimited: true} })
	s.veil.callsCancelled("canceledByMoonlight")
	s.admin("POST", "/admin/price", map[string]any{"market": "ETH-EUR", "price": "2800"}, nil)
	s.eventually("the price is seen", func() bool {
		return s.count(`SELECT count(*) FROM interlock.market_facts WHERE market = 'ETH-EUR' AND price BETWEEN 2799 AND 2801`) == 1
	})
	s.proposeIn("p", "ETH-EUR", belowMarket)
	s.executing("p")
	s.isOrdered("p")
	require.NoError(t, s.temporal.SignalWorkflow(ctx, "p", "", workflows.CancelSignal, workflows.CancelRequest{Actor: "anna", Reason: "news"}))
	s.becomes("p", trade.Executed)
	require.Equal(t, "canceledByMoonlight", s.orderStatus("p"))
	require.Len(t, s.ordered(), 1)
	require.Equal(t, "canceled", s.ordered()[0]["status"])
	require.Zero(t, s.count(`SELECT count(*) FROM interlock.trade_history`), "nothing was filled")
	require.Zero(t, s.count(`SELECT count(*) FROM interlock.trading_controls WHERE state <> 'ACTIVE'`))
}
