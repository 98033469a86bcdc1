package orders

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

// ledger is an exchange account and the place where it is compared.
type ledger struct {
	open, orders []trade.Order
	traded       []string
	fail         string
	compared     *trade.Comparison
	asked        []string
	tracked      []trade.Order
	found        trade.Compared
	alarms       int
	gone         string // an order that the exchange no longer shows
}

var errDown = errors.New("503")

func (l *ledger) failing(what string) error {
	if l.fail == what {
		return errDown
	}
	return nil
}

func (l *ledger) OpenOrders(context.Context) ([]trade.Order, error) { return l.open, l.failing("open") }

func (l *ledger) Orders(context.Context, trade.Market, time.Time) ([]trade.Order, error) {
	return l.orders, l.failing("orders")
}

func (l *ledger) TradedOrders(context.Context, trade.Market, time.Time) ([]string, error) {
	return l.traded, l.failing("trades")
}

func (l *ledger) Order(_ context.Context, m trade.Market, id string) (trade.Order, error) {
	l.asked = append(l.asked, id)
	if id == l.gone {
		return trade.Order{}, trade.ErrNotActive
	}
	return trade.Order{OrderID: id, Market: m}, l.failing("order")
}

func (l *ledger) Holdings(context.Context) ([]trade.Holding, error) { return nil, l.failing("balance") }

func (l *ledger) StartComparison(context.Context, string, time.Duration) (now, since time.Time, err error) {
	return now, since, l.failing("start")
}

func (l *ledger) Markets(context.Context, string) ([]string, error) {
	return []string{"BTC-EUR"}, l.failing("markets")
}

func (l *ledger) Compare(_ context.Context, c trade.Comparison) (trade.Compared, error) {
	l.compared = &c
	return l.found, l.failing("compare")
}

func (l *ledger) Tracked(context.Context, string) ([]trade.Order, error) {
	return l.tracked, l.failing("tracked")
}

func (l *ledger) Contradicted(n int) { l.alarms += n }

func reconcile(l *ledger) (ReconcileResult, error) {
	return (&Reconciler{Ledger: l, Comparisons: l, Account: "paper", Counter: l}).Reconcile(context.Background())
}

func TestReconcileComparesEachOrderOnceAndFetchesTheOldOnesThatTraded(t *testing.T) {
	l := &ledger{
		open:   []trade.Order{{OrderID: "a", Market: "BTC-EUR"}},
		orders: []trade.Order{{OrderID: "a", Market: "BTC-EUR"}, {OrderID: "b", Market: "BTC-EUR"}},
		traded: []string{"b", "old", "old"},
	}
	r, err := reconcile(l)
	require.NoError(t, err)
	require.Equal(t, ReconcileResult{Orders: 3, Trades: 3}, r)
	require.Equal(t, []string{"old"}, l.asked)
	require.Equal(t, "paper", l.compared.AccountID)
}

func TestReconcileFollowsWhatDiffersToItsEnd(t *testing.T) {
	l := &ledger{
		open:    []trade.Order{{OrderID: "a", Market: "BTC-EUR"}},
		tracked: []trade.Order{{OrderID: "a", Market: "BTC-EUR"}, {OrderID: "ended", Market: "ETH-EUR"}, {OrderID: "forgotten", Market: "ETH-EUR"}},
		gone:    "forgotten", found: trade.Compared{Differences: 2, Contradictions: 1, Wait: 7 * time.Second},
	}
	r, err := reconcile(l)
	require.NoError(t, err)
	require.Equal(t, ReconcileResult{Orders: 2, Differences: 2, Again: 7 * time.Second}, r)
	require.Equal(t, []string{"ended", "forgotten"}, l.asked)
	require.Equal(t, 1, l.alarms)
}

func TestAComparisonThatIsNotCompleteIsNone(t *testing.T) {
	for _, what := range []string{"start", "open", "markets", "orders", "trades", "order", "balance", "tracked"} {
		l := &ledger{fail: what, traded: []string{"x"}}
		_, err := reconcile(l)
		require.ErrorIs(t, err, errDown, what)
		require.Nil(t, l.compared, what)
	}
}
