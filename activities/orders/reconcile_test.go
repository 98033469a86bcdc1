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
	return trade.Order{OrderID: id, Market: m}, l.failing("order")
}

func (l *ledger) Holdings(context.Context) ([]trade.Holding, error) { return nil, l.failing("balance") }

func (l *ledger) StartComparison(context.Context, string, time.Duration) (now, since time.Time, err error) {
	return now, since, l.failing("start")
}

func (l *ledger) Markets(context.Context, string) ([]string, error) {
	return []string{"BTC-EUR"}, l.failing("markets")
}

func (l *ledger) Compare(_ context.Context, c trade.Comparison) (int, error) {
	l.compared = &c
	return 0, l.failing("compare")
}

func reconcile(l *ledger) (ReconcileResult, error) {
	return (&Reconciler{Ledger: l, Comparisons: l, Account: "paper"}).Reconcile(context.Background())
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

func TestAComparisonThatIsNotCompleteIsNone(t *testing.T) {
	for _, what := range []string{"start", "open", "markets", "orders", "trades", "order", "balance"} {
		l := &ledger{fail: what, traded: []string{"x"}}
		_, err := reconcile(l)
		require.ErrorIs(t, err, errDown, what)
		require.Nil(t, l.compared, what)
	}
}
