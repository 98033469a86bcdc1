package main

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/devstack/devtest"
	"interlock/internal/trade"
	"interlock/migrations"
)

// TestEveryProcessWorksBehindAPooler: workers of every role and the API share
// sessions that change with each transaction, and nothing is lost of it: one
// order per proposal, limits that hold, and a claim that outlives its worker.
func TestEveryProcessWorksBehindAPooler(t *testing.T) {
	t.Parallel()
	pooled := devtest.Pooled(t, devtest.Database(t, migrations.Up))
	s := newStackOn(t, pooled, 2, func(p *trade.Policy) { p.TradesPerHour = trade.CountLimit{Value: 3} })
	d := s.openDoor("anna")
	for i := range 12 {
		d.propose(fmt.Sprintf("p%d", i), "buy", nil)
	}
	claimed, blocked := make([]bool, 36), make([]bool, 36)
	var all sync.WaitGroup
	for i := range claimed {
		all.Go(func() {
			r := s.decided(fmt.Sprintf("p%d", i%12))
			claimed[i] = r.Claimed
			blocked[i] = len(r.Blocks) == 1 && r.Blocks[0].Code == trade.HourlyLimitReached
		})
	}
	all.Wait()
	s.eventually("every claim has an end", func() bool {
		return s.count(`SELECT count(*) FROM interlock.trade_executions WHERE ended_at IS NULL`) == 0
	})
	executed := s.count(`SELECT count(*) FROM interlock.trade_executions WHERE status = 'EXECUTED'`)
	require.GreaterOrEqual(t, trues(claimed), 3) // one that the machine is too late for leaves its place to another
	require.LessOrEqual(t, executed, 3)
	require.GreaterOrEqual(t, trues(blocked), 9)
	require.Len(t, s.ordered(), executed)

	_, err := s.owner.PutPolicy(ctx, "anna", account, widePolicy(t, nil), "test")
	require.NoError(t, err)
	s.delayReplies(2 * time.Second)
	s.propose("last")
	s.executing("last")
	s.eventually("the order at the exchange", func() bool {
		s.again("last")
		return len(s.ordered()) == executed+1
	})
	s.kill("orders")
	s.delayReplies(0)
	s.start("orders-again", "orders")
	s.becomes("last", trade.Executed)
	require.Len(t, s.ordered(), executed+1)
}
