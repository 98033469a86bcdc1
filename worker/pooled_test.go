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
	"interlock/workflows"
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
			r, err := s.ask(fmt.Sprintf("p%d", i%12), workflows.ExecuteRequest{})
			claimed[i] = err == nil && r.Claimed
			blocked[i] = err == nil && len(r.Blocks) == 1 && r.Blocks[0].Code == trade.HourlyLimitReached
		})
	}
	all.Wait()
	require.Equal(t, 3, trues(claimed))
	require.GreaterOrEqual(t, trues(blocked), 9)
	require.Len(t, s.ordered(), 3)

	_, err := s.owner.PutPolicy(ctx, "anna", account, widePolicy(t, nil), "test")
	require.NoError(t, err)
	s.delayReplies(2 * time.Second)
	s.propose("last")
	s.executing("last")
	s.eventually(20*time.Second, "the order at the exchange", func() bool { return len(s.ordered()) == 4 })
	s.kill("orders")
	s.delayReplies(0)
	s.start("orders-again", "orders")
	s.becomes("last", trade.Executed, 2*time.Minute)
	require.Len(t, s.ordered(), 4)
}
