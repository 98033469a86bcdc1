package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/proposals"
	"interlock/internal/trade"
	"interlock/workflows"
)

// lies hosts our own workflow, in place of the worker that is killed, with
// local activities that say what they are given. It returns what ends it.
func (s *stack) lies(says map[string]any) (stop func()) {
	s.t.Helper()
	s.kill("proposals-0")
	w := worker.New(s.temporal, workflows.ProposalsQueue, worker.Options{LocalActivityWorkerOnly: true})
	w.RegisterWorkflowWithOptions(workflows.Proposal, workflow.RegisterOptions{Name: workflows.ProposalType})
	for _, name := range []string{
		proposals.ReadState, proposals.Preflight, proposals.Conclude, proposals.RecordOrder, proposals.FailExecution,
		proposals.Expire, proposals.Cancel, proposals.StoreOverride, proposals.Resolve,
	} {
		lie := func(context.Context, any) (any, error) {
			if said, known := says[name]; known {
				return said, nil
			}
			return nil, errors.New("the liar has nothing to say")
		}
		w.RegisterActivityWithOptions(lie, activity.RegisterOptions{Name: name})
	}
	require.NoError(s.t, w.Start())
	return w.Stop
}

func unpack(p *common.Payload, into any) bool {
	return converter.GetDefaultDataConverter().FromPayload(p, into) == nil
}

// A run that was told that its order is recorded ends, and shows an end that
// did not happen; the rows do not have it, and the next run begins with them.
func TestARunThatWasLiedToEndsAsTheRowsSay(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1, func(p *trade.Policy) { p.MaxOrderBase = trade.AssetLimits{Unlimited: true} })
	s.admin("POST", "/admin/price", map[string]any{"market": "ETH-EUR", "price": "2800"}, nil)
	s.eventually("the price is seen", func() bool {
		return s.count(`SELECT count(*) FROM interlock.market_facts WHERE market = 'ETH-EUR' AND price BETWEEN 2799 AND 2801`) == 1
	})
	s.proposeIn("p", "ETH-EUR", belowMarket)
	s.executing("p")
	s.isOrdered("p")
	stop := s.lies(map[string]any{proposals.RecordOrder: map[string]any{
		"status": trade.Executed, "order": map[string]any{"orderId": "another", "status": "filled", "filledAmount": "0"},
	}})
	s.admin("POST", "/admin/price", map[string]any{"market": "ETH-EUR", "price": "2700"}, nil)
	s.eventually("the run ends", func() bool {
		d, err := s.temporal.DescribeWorkflowExecution(ctx, "p", "")
		return err == nil && d.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	})
	stop()
	require.Equal(t, trade.Executing, s.status("p"))
	s.start("proposals-1", "proposals")
	s.becomes("p", trade.Executed)
	require.Equal(t, "0.01", s.ordered()[0]["filledAmount"])
	require.Equal(t, 1, s.count(`SELECT count(*) FROM interlock.trade_history WHERE proposal_id = 'p' AND amount = 0.01`))
}

// A run that was told that its order is absent tries again, and shows it as
// failed: neither places anything.
func TestAForgedConclusionPlacesNothing(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	s.propose("p")
	s.loses("p", noAnswerNow)
	stop := s.lies(map[string]any{
		proposals.Conclude:      map[string]any{"concluded": true, "verdict": "absent", "placing": map[string]any{"reply": "not_sent", "code": "ORDER_ABSENT"}},
		proposals.FailExecution: trade.Failed,
	})
	s.eventually("the run takes it for failed", func() bool {
		d, err := s.temporal.DescribeWorkflowExecution(ctx, "p", "")
		if err != nil {
			return false
		}
		var shown string
		field := d.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields()[workflows.StatusAttribute.GetName()]
		return unpack(field, &shown) && shown == string(trade.Failed)
	})
	stop()
	require.Equal(t, trade.Unresolved, s.status("p"))
	s.start("proposals-1", "proposals")
	_, err := s.ask("p", workflows.ExecuteRequest{Actor: "anna"})
	require.NoError(t, err)
	require.Len(t, s.ordered(), 1)
	s.veil.lift()
	s.becomes("p", trade.Executed)
	require.Len(t, s.ordered(), 1)
}
