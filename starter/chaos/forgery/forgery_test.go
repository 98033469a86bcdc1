package forgery

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"pgregory.net/rapid"

	"interlock/activities/orders"
	"interlock/workflows"
)

const claimText = `{"executionId":7,"proposalId":"p","accountId":"paper","requestId":"r","clientOrderId":"6f1c2a0e-52c4-5d0b-9a1f-8a4be6f3c7d1",
	"plan":{"market":"BTC-EUR","side":"buy","orderType":"limit","timeInForce":"IOC","amount":"0.001","price":"80000"},
	"claimedAt":"2026-01-31T18:00:00Z","nextAttempt":2,"untried":true}`

const orderText = `{"orderId":"o","market":"BTC-EUR","side":"buy","status":"filled","filledAmount":"0.001","fills":[{"id":"f","amount":"0.001"}]}`

func payloads(t *testing.T, values ...string) *common.Payloads {
	t.Helper()
	var list []any
	for _, v := range values {
		list = append(list, json.RawMessage(v))
	}
	p, err := converter.GetDefaultDataConverter().ToPayloads(list...)
	require.NoError(t, err)
	return p
}

// found is loot of one history: a claim in a marker, an attempt, and an order.
func found(t *testing.T) loot {
	t.Helper()
	l := loot{inputs: map[string][]any{}, open: []string{"p"}, free: []string{"q"}, over: []string{"z"}}
	l.take(&history.HistoryEvent{Attributes: &history.HistoryEvent_MarkerRecordedEventAttributes{
		MarkerRecordedEventAttributes: &history.MarkerRecordedEventAttributes{
			Details: map[string]*common.Payloads{"result": payloads(t, `{"verdict":{"requestId":"r"},"claim":`+claimText+`}`)},
		},
	}})
	l.take(&history.HistoryEvent{Attributes: &history.HistoryEvent_ActivityTaskScheduledEventAttributes{
		ActivityTaskScheduledEventAttributes: &history.ActivityTaskScheduledEventAttributes{
			ActivityType: &common.ActivityType{Name: orders.PlaceOrder}, Input: payloads(t, `{"claim":`+claimText+`,"number":1}`),
		},
	}})
	l.take(&history.HistoryEvent{Attributes: &history.HistoryEvent_ActivityTaskCompletedEventAttributes{
		ActivityTaskCompletedEventAttributes: &history.ActivityTaskCompletedEventAttributes{Result: payloads(t, orderText)},
	}})
	return l
}

func TestHistoriesGiveClaimsOrdersAndInputsAway(t *testing.T) {
	t.Parallel()
	l := found(t)
	require.Len(t, l.claims, 2)
	require.Equal(t, "p", text(l.claims[0], "proposalId"))
	require.Equal(t, 2, number(l.claims[0], "nextAttempt", 0))
	require.Len(t, l.orders, 1)
	require.Len(t, l.inputs[orders.PlaceOrder], 1)
}

func TestEveryActivityIsToldSomethingForged(t *testing.T) {
	t.Parallel()
	l := found(t)
	for _, activity := range Activities() {
		r := rand.New(rand.NewPCG(1, 1))
		require.Greater(t, len(inputsOf(r, l, activity)), 1, activity)
		require.Contains(t, Queues("paper"), home(activity, "paper"))
		_, err := json.Marshal(inputsOf(r, l, activity))
		require.NoError(t, err, activity)
	}
}

func TestAClaimIsForgedIntoOneOfSomethingBiggerElsewhere(t *testing.T) {
	t.Parallel()
	l := found(t)
	c := l.claims[0]
	forged := tampered(rand.New(rand.NewPCG(1, 1)), c, time.Now())
	plan, _ := forged["plan"].(object)
	require.Equal(t, "ETH-EUR", plan["market"])
	require.Equal(t, "2.5", plan["amount"])
	require.NotContains(t, plan, "price")
	require.Equal(t, c["executionId"], forged["executionId"])
	require.Equal(t, "BTC-EUR", text(c["plan"].(object), "market"), "the copy was changed, not what was found")
}

func TestMutatedCopiesAreOthersAndLeaveWhatTheyCopy(t *testing.T) {
	t.Parallel()
	l := found(t)
	in := l.inputs[orders.PlaceOrder][0]
	before, err := json.Marshal(in)
	require.NoError(t, err)
	differ := 0
	rapid.Check(t, func(t *rapid.T) {
		forged, err := json.Marshal(mutated(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), l, in))
		require.NoError(t, err)
		after, err := json.Marshal(in)
		require.NoError(t, err)
		require.Equal(t, string(before), string(after))
		if string(forged) != string(before) {
			differ++
		}
	})
	require.Greater(t, differ, 80)
}

// Whoever reaches Temporal may give up or execute a proposal: that is no
// forgery, and would only end what a campaign wants to see executed.
func TestWhatAnybodyMayAskForIsNotForged(t *testing.T) {
	t.Parallel()
	l := found(t)
	for seed := range uint64(20) {
		for _, m := range l.messages(rand.New(rand.NewPCG(seed, 0))) {
			content, _ := m.content.(object)
			written := content["actor"] == Actor && content["reason"] != nil && len(content) == 2
			require.False(t, m.name == workflows.CancelSignal && written, m)
			require.False(t, m.name == workflows.ExecuteUpdate && content["actor"] == Actor && len(content) == 1, m)
		}
	}
}

func TestEveryQueueOfTheContractIsCalled(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../../../workflows/contract.go", nil, 0)
	require.NoError(t, err)
	queues := 0
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			for _, name := range n.Names {
				if strings.HasSuffix(name.Name, "Queue") {
					queues++
				}
			}
		case *ast.FuncDecl:
			if strings.Contains(n.Name.Name, "Queue") {
				queues++
			}
			return false
		}
		return true
	})
	require.Len(t, Queues("paper"), queues)
}
