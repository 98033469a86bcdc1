package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/postgres"
	"interlock/internal/trade"
)

func printedCancelOpens(views ...postgres.CancelOpenView) string {
	var out strings.Builder
	(&app{out: &out}).printCancelOpens(views)
	return out.String()
}

func TestACancelOpenHasALinePerOrderAndSaysWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	v := postgres.CancelOpenView{
		AccountID: "main", Worker: "orders/host/1", LookedAt: &now,
		Orders: []trade.CancelledOrder{
			{ProposalID: "first", Market: "BTC-EUR", OrderID: "o1", Result: trade.CancelOpenCancelled},
			{ProposalID: "second", Market: "ETH-EUR", OrderID: "o2", Result: trade.CancelOpenStill, Detail: "503"},
			{Market: "BTC-EUR", OrderID: "o3", Result: trade.CancelOpenForeign, Detail: "left as it is"},
		},
		Obstacles: []trade.Obstacle{
			{ProposalID: "second", OrderID: "o2", Why: "the order has not ended"},
			{ProposalID: "third", Until: now, Why: "what was sent for it may still appear"},
		},
	}
	require.Equal(t, `PROPOSAL  MARKET   RESULT     FILLED  ORDER
first     BTC-EUR  cancelled  0       o1
second    ETH-EUR  open       0       o2 503
-         BTC-EUR  foreign    0       o3 left as it is
account main: 1 cancelled, 1 open, 1 foreign, 2 in the way
  in the way: proposal second: order o2: the order has not ended
  in the way: proposal third: what was sent for it may still appear, until 03:04:05
`, printedCancelOpens(v))

	v.CompletedAt, v.Orders, v.Obstacles = &now, v.Orders[:1], nil
	require.True(t, strings.HasSuffix(printedCancelOpens(v), "account main: 1 cancelled, complete\ncomplete\n"))
}

func TestACancelOpenThatNobodyCarriesOutSaysSo(t *testing.T) {
	t.Parallel()
	waiting := postgres.CancelOpenView{AccountID: "main"}
	require.Contains(t, printedCancelOpens(waiting), "no orders worker of account main runs")
	require.Equal(t, "account main: waiting for an orders worker", progressOf(waiting))
	given := postgres.CancelOpenView{AccountID: "main", GivenUpAt: &time.Time{}, GivenUpBy: "olga"}
	require.Equal(t, "account main: given up by olga", progressOf(given))
	require.NotContains(t, printedCancelOpens(waiting, given), "\ncomplete\n", "what was given up is not complete")
	require.False(t, complete([]postgres.CancelOpenView{given}))
	require.True(t, complete(nil), "without an account there is nothing to cancel")
}
