package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"interlock/activities/orders"
	"interlock/internal/trade"
)

// restore makes the records forget the claim, as a restore to a time before it
// does.
func (b *bench) restore() {
	b.restored = true
	b.life.Claim, b.life.InDoubt, b.life.AcceptedOrder, b.life.Order = nil, 0, "", nil
	b.life.Proposal.Status = trade.Pending
}

func TestARunWhoseClaimWasRestoredAwayContinuesFromTheTruth(t *testing.T) {
	for name, placing := range map[string]trade.AttemptResult{
		"unknown": unknownReply, "accepted and open": accepted(openOrder), "accepted and filled": accepted(filled),
		"refused": {Reply: trade.Refused, Code: "217"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.placings = []trade.AttemptResult{placing}
			b.won = func(*trade.Claim) { b.restore() }
			var a *answer
			b.at(time.Second, func() { a = b.execute("u1", ExecuteRequest{}) })
			b.at(time.Minute, func() {
				require.Equal(t, trade.Pending, a.result.Status)
				require.Nil(t, a.result.Order, "an order that the records do not have is not shown as ours")
				require.Nil(t, a.result.Failure)
				b.block = trade.OrderUnresolved
				b.execute("u2", ExecuteRequest{})
			})
			require.Equal(t, trade.Expired, b.run().Status)
			require.Equal(t, 2, b.calls["Preflight"], "it is a proposal like any other again")
			require.Equal(t, 1, b.calls[orders.PlaceOrder])
			require.Nil(t, b.recorded)
			require.Zero(t, b.failed)
		})
	}
}

func TestARunWhoseProposalWasRestoredAwayFails(t *testing.T) {
	b := newBench(t)
	b.placings = []trade.AttemptResult{unknownReply}
	b.won = func(*trade.Claim) { b.restore(); b.life.Proposal.Status = "" }
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	b.env.ExecuteWorkflow(Proposal, ProposalInput{})
	require.ErrorContains(t, b.env.GetWorkflowError(), "not found")
}

func TestReconcileComparesAgainAsSoonAsItCounts(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := newEnv(&suite)
	env.RegisterWorkflow(Reconcile)
	var at []time.Time
	waits := []time.Duration{35 * time.Second, 2 * time.Second, 0}
	began := time.Now()
	env.RegisterActivityWithOptions(func(context.Context) (orders.ReconcileResult, error) {
		at = append(at, env.Now())
		return orders.ReconcileResult{Orders: len(at), Again: waits[len(at)-1]}, nil
	}, activity.RegisterOptions{Name: orders.Reconcile})
	env.ExecuteWorkflow(Reconcile, "paper")
	require.NoError(t, env.GetWorkflowError())
	require.Len(t, at, 3)
	require.GreaterOrEqual(t, at[2].Sub(at[0]), 37*time.Second)
	require.Less(t, at[2].Sub(at[0]), 38*time.Second+time.Since(began), "the environment's clock goes on while this machine works")
}
