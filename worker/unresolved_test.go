package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"interlock/internal/trade"
	"interlock/workflows"
)

// shortLives makes a run continue as new after a few looks.
var shortLives = map[string]any{"limit.historyCount.suggestContinueAsNew": 30}

func (s *stack) state(id string) workflows.State {
	s.t.Helper()
	value, err := s.temporal.QueryWorkflow(ctx, id, "", workflows.StateQuery)
	require.NoError(s.t, err)
	var state workflows.State
	require.NoError(s.t, value.Get(&state))
	return state
}

func (s *stack) runOf(id string) string {
	s.t.Helper()
	d, err := s.temporal.DescribeWorkflowExecution(ctx, id, "")
	require.NoError(s.t, err)
	return d.GetWorkflowExecutionInfo().GetExecution().GetRunId()
}

// orderID is the exchange's ID of the one order of a proposal.
func (s *stack) orderID(id string) string {
	s.t.Helper()
	client := s.clientOrderID(id)
	for _, o := range s.ordered() {
		if o["clientOrderId"] == client {
			return o["orderId"].(string)
		}
	}
	require.Fail(s.t, "no order of "+id)
	return ""
}

func TestUnresolvedIsShownHoldsItsAssetAndEndsByAPersonsWord(t *testing.T) {
	t.Parallel()
	h := newHouse(t, shortLives)
	for id, market := range map[string]trade.Market{"seen": "ADA-EUR", "other": "ADA-EUR", "denied": "SOL-EUR"} {
		h.proposeIn(id, market, inQuote)
	}
	h.loses("seen", noAnswerNow)
	first := h.runOf("seen")
	require.Equal(t, []trade.Code{trade.OrderUnresolved}, blocked(h.execute("other")))

	h.eventually("a run that continues as new", func() bool { return h.runOf("seen") != first })
	h.eventually("its view", func() bool { return h.state("seen").Status == trade.Unresolved })
	s := h.state("seen")
	require.Equal(t, []any{1, trade.Unknown}, []any{s.Tried[0].Number, s.Tried[0].Reply})
	require.Equal(t, trade.Inconclusive, s.Looked[0].Saw, "looks of the earlier run")
	require.GreaterOrEqual(t, s.Looks, 2, "and their count, which paces the next ones")
	code, out := h.operator("status", "seen")
	require.Zero(t, code, out)
	for _, shown := range []string{"next look", "in doubt", "inconclusive"} {
		require.Contains(t, out, shown)
	}

	code, out = h.operator("resolve", "seen", "--order", "00000000-0000-4000-8000-000000000000", "--actor", "olga", "--reason", "a guess", "--yes")
	require.Equal(t, 3, code, out)
	require.Contains(t, out, "refused: it could not be checked at the exchange")
	require.Contains(t, h.state("seen").Word.Problem, "could not be checked")
	require.Equal(t, 1, h.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'execution.resolve' AND body->>'problem' <> ''`))

	code, out = h.operator("resolve", "seen", "--order", h.orderID("seen"), "--actor", "olga", "--reason", "it is in the web page", "--yes")
	require.Zero(t, code, out)
	require.Contains(t, out, string(trade.Executed))
	h.executes("other")
	require.Equal(t, map[string]int{"seen": 1, "other": 1}, h.orderCounts("seen", "other"))

	h.contradicted("denied")
}

// contradicted lets a person deny an order that the exchange then shows.
func (h *house) contradicted(id string) {
	h.t.Helper()
	h.loses(id, noAnswerNow)
	deny := func() bool {
		code, _ := h.operator("resolve", id, "--absent", "--actor", "olga", "--reason", "support says so", "--yes")
		return code == 0
	}
	h.eventually("the word counts once no request can act any more", deny)
	h.becomes(id, trade.Failed)
	require.True(h.t, deny(), "said again it is answered the same")
	require.Equal(h.t, 1, h.count(`
		SELECT count(*) FROM interlock.audit_events WHERE kind = 'execution.resolve' AND proposal_id = $1 AND body->>'problem' = ''`, id))
	require.Empty(h.t, h.differs())

	h.veil.lift()
	require.NoError(h.t, h.temporal.ScheduleClient().GetHandle(ctx, workflows.ReconcileID(account)).Trigger(ctx, client.ScheduleTriggerOptions{}))
	h.isHalted()
	require.Equal(h.t, map[string]string{id: "contradiction"}, h.differs())
	_, out := h.operator("status")
	require.Contains(h.t, out, "is HALTED")
	require.Contains(h.t, out, "contradiction")
	require.Equal(h.t, []trade.Code{trade.TradingHalted, trade.OrderUnresolved}, blocked(h.execute(id)))
	require.Equal(h.t, 1, h.orderCounts(id)[id])
}
