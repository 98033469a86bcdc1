package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"interlock/internal/trade"
	"interlock/workflows"
)

// forger reaches Temporal and nothing else: it runs workflows of its own, which
// call whatever activity it likes with whatever it likes.
type forger struct {
	*stack
	queue string
}

// call is an activity that a forger calls by name.
type call struct {
	Queue, Activity string
	Input           json.RawMessage
}

func forgedCall(ctx workflow.Context, c call) (json.RawMessage, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: c.Queue, ScheduleToStartTimeout: 5 * time.Second, StartToCloseTimeout: 20 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	var result json.RawMessage
	err := workflow.ExecuteActivity(ctx, c.Activity, c.Input).Get(ctx, &result)
	return result, err
}

func newForger(s *stack) forger {
	s.t.Helper()
	f := forger{s, "forger-" + uuid.NewString()}
	w := worker.New(s.temporal, f.queue, worker.Options{})
	w.RegisterWorkflowWithOptions(forgedCall, workflow.RegisterOptions{Name: "ForgedCall"})
	require.NoError(s.t, w.Start())
	s.t.Cleanup(w.Stop)
	return f
}

// call returns what the activity answered, or why it did not.
func (f forger) call(queue, activity string, input any) (json.RawMessage, error) {
	f.t.Helper()
	text, err := json.Marshal(input)
	require.NoError(f.t, err)
	run, err := f.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: f.queue}, "ForgedCall", call{queue, activity, text})
	require.NoError(f.t, err)
	var result json.RawMessage
	return result, run.Get(ctx, &result)
}

// tampered is a claim with another plan, another ID and another time.
func tampered(c trade.Claim) trade.Claim {
	amount := dec("2.5")
	c.Plan.Market, c.Plan.Amount, c.Plan.AmountQuote = "ETH-EUR", &amount, nil
	c.Plan.OrderType, c.Plan.TimeInForce, c.Plan.Price = trade.MarketOrder, "", nil
	c.ClientOrderID, c.ClaimedAt = uuid.New(), time.Now()
	return c
}

// Whoever reaches Temporal can have the planned order placed, which the rows
// allow anyway, and no other.
func TestWhatIsSentIsTheRowsPlanWhateverAnInputSays(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	f := newForger(s)
	s.propose("p")
	request := trade.Request{ID: uuid.NewString(), ProposalID: "p", Actor: "mallory", Via: "update"}
	_, err := f.call(workflows.ProposalsQueue, "Preflight", request)
	require.Error(t, err, "no worker takes a claim from whoever asks")
	require.Equal(t, trade.Pending, s.status("p"))

	s.kill("proposals-0")
	d, err := s.owner.Preflight(ctx, request)
	require.NoError(t, err)
	claim := tampered(*d.Claim)
	stale := claim
	stale.RequestID = "of nobody"
	for _, input := range []map[string]any{{"claim": stale, "number": 1}, {"claim": claim, "number": 7}, {"claim": claim, "number": 1}, {"claim": claim, "number": 2}} {
		_, _ = f.call(workflows.OrdersQueue(account), "PlaceOrder", input)
	}
	list := s.ordered()
	require.Len(t, list, 1)
	require.Equal(t, "BTC-EUR", list[0]["market"])
	require.Equal(t, "0.001", list[0]["amount"])
	require.Equal(t, s.clientOrderID("p"), list[0]["clientOrderId"])
}

// The order is there and hidden: only what role orders has read itself says
// that there is none.
func TestAPersonsWishIsJudgedByWhatRoleOrdersReadAndNotByWhatItSays(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	f := newForger(s)
	s.propose("p")
	s.loses("p", noAnswerNow)
	life, err := s.owner.ReadState(ctx, "p")
	require.NoError(t, err)
	invented := map[string]any{
		"claim": life.Claim, "number": 1, "exchangeNow": time.Now().Add(time.Hour), "actor": "mallory", "reason": "because",
	}
	_, err = f.call(workflows.ProposalsQueue, "Resolve", invented)
	require.Error(t, err)
	_, err = f.call(workflows.ProposalsQueue, "FailExecution", map[string]any{"claim": life.Claim, "failure": map[string]any{"code": "ORDER_ABSENT"}})
	require.Error(t, err)
	require.Equal(t, trade.Unresolved, s.status("p"))
	s.veil.lift()
	s.becomes("p", trade.Executed)
	require.Equal(t, 1, s.ordersOf("p"))
	require.Len(t, s.ordered(), 1)
}

// A forged end of an order is not its end.
func TestAnOrderIsRecordedFromWhatRoleOrdersSaw(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1, func(p *trade.Policy) { p.MaxOrderBase = trade.AssetLimits{Unlimited: true} })
	s.admin("POST", "/admin/price", map[string]any{"market": "ETH-EUR", "price": "2800"}, nil)
	s.eventually("the price is seen", func() bool {
		return s.count(`SELECT count(*) FROM interlock.market_facts WHERE market = 'ETH-EUR' AND price BETWEEN 2799 AND 2801`) == 1
	})
	s.proposeIn("p", "ETH-EUR", belowMarket)
	s.executing("p")
	s.isOrdered("p")
	var following string
	s.eventually("it is followed", func() bool {
		d, err := s.temporal.DescribeWorkflowExecution(ctx, "p", "")
		if err != nil || len(d.GetPendingActivities()) != 1 || d.GetPendingActivities()[0].GetActivityType().GetName() != "FollowOrder" {
			return false
		}
		following = d.GetPendingActivities()[0].GetActivityId()
		return true
	})
	invented := map[string]any{"orderId": s.ordered()[0]["orderId"], "market": "ETH-EUR", "side": "buy", "status": "filled", "filledAmount": "0"}
	require.NoError(t, s.temporal.CompleteActivityByID(ctx, s.server.Namespace, "p", "", following, invented, nil))
	s.admin("POST", "/admin/price", map[string]any{"market": "ETH-EUR", "price": "2700"}, nil)
	s.becomes("p", trade.Executed)
	require.Equal(t, "0.01", s.ordered()[0]["filledAmount"])
	require.Equal(t, 1, s.count(`SELECT count(*) FROM interlock.trade_history WHERE proposal_id = 'p' AND amount = 0.01`), "the trade counts")
	require.Equal(t, 1, s.count(`SELECT count(*) FROM interlock.order_fills`))
}
