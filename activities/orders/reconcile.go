package orders

import (
	"context"
	"errors"
	"fmt"
	"time"

	"interlock/internal/rate"
	"interlock/internal/trade"
)

// Ledger is the exchange's own record of an account.
type Ledger interface {
	OpenOrders(ctx context.Context) ([]trade.Order, error)
	Orders(ctx context.Context, market trade.Market, since time.Time) ([]trade.Order, error)
	// TradedOrders lists the order ID of every trade of the account.
	TradedOrders(ctx context.Context, market trade.Market, since time.Time) ([]string, error)
	Order(ctx context.Context, market trade.Market, orderID string) (trade.Order, error)
	Holdings(ctx context.Context) ([]trade.Holding, error)
}

// Comparisons is where the exchange's record is held against ours.
type Comparisons interface {
	StartComparison(ctx context.Context, account string, overlap time.Duration) (now, since time.Time, err error)
	Markets(ctx context.Context, account string) ([]string, error)
	Compare(ctx context.Context, c trade.Comparison) (trade.Compared, error)
	// Tracked lists orders known to differ that had not ended.
	Tracked(ctx context.Context, account string) ([]trade.Order, error)
}

// Reconciler compares an exchange account with our records.
type Reconciler struct {
	Ledger      Ledger
	Comparisons Comparisons
	Account     string
	Counter     Alarms
}

// Alarms counts contradictions, for the metrics. A nil one counts nothing.
type Alarms interface{ Contradicted(n int) }

// overlap is how far each comparison reaches back before the last one, so that
// what the exchange shows late is still compared.
const overlap = 10 * time.Minute

// ReconcileResult is what one comparison saw.
type ReconcileResult struct {
	Orders      int `json:"orders"`
	Trades      int `json:"trades"`
	Differences int `json:"differences"`
	// Again says that the comparison came too early to count, and after how
	// long the next one will not.
	Again time.Duration `json:"again,omitempty"`
}

// Reconcile reads open orders, orders, trades and balances of the account and
// compares them with our records. What we do not know is noted and shown,
// never adopted. An error means that nothing was compared.
func (r *Reconciler) Reconcile(ctx context.Context) (ReconcileResult, error) {
	ctx = rate.As(ctx, rate.Bulk)
	now, since, err := r.Comparisons.StartComparison(ctx, r.Account, overlap)
	if err != nil {
		return ReconcileResult{}, err
	}
	c := trade.Comparison{AccountID: r.Account, StartedAt: now}
	if err := r.gather(ctx, &c, since); err != nil {
		return ReconcileResult{}, fmt.Errorf("reconcile %s: %w", r.Account, err)
	}
	found, err := r.Comparisons.Compare(ctx, c)
	if err == nil && r.Counter != nil {
		r.Counter.Contradicted(found.Contradictions)
	}
	return ReconcileResult{Orders: len(c.Orders), Trades: c.TradesSeen, Differences: found.Differences, Again: found.Wait}, err
}

func (r *Reconciler) gather(ctx context.Context, c *trade.Comparison, since time.Time) error {
	seen := orderSet{comparison: c, known: map[string]bool{}}
	open, err := r.Ledger.OpenOrders(ctx)
	if err != nil {
		return err
	}
	seen.add(open...)
	markets, err := r.Comparisons.Markets(ctx, r.Account)
	if err != nil {
		return err
	}
	for _, market := range markets {
		if err := r.gatherMarket(ctx, seen, trade.Market(market), since); err != nil {
			return err
		}
	}
	if err := r.gatherTracked(ctx, seen); err != nil {
		return err
	}
	c.Holdings, err = r.Ledger.Holdings(ctx)
	return err
}

// gatherTracked reads again what was known to differ and may have ended since,
// out of sight of the lists. One that the exchange no longer shows is left.
func (r *Reconciler) gatherTracked(ctx context.Context, seen orderSet) error {
	tracked, err := r.Comparisons.Tracked(ctx, r.Account)
	if err != nil {
		return err
	}
	for _, t := range tracked {
		if seen.has(t.Market, t.OrderID) {
			continue
		}
		order, err := r.Ledger.Order(ctx, t.Market, t.OrderID)
		if errors.Is(err, trade.ErrNotActive) {
			continue
		}
		if err != nil {
			return err
		}
		seen.add(order)
	}
	return nil
}

func (r *Reconciler) gatherMarket(ctx context.Context, seen orderSet, market trade.Market, since time.Time) error {
	orders, err := r.Ledger.Orders(ctx, market, since)
	if err != nil {
		return err
	}
	seen.add(orders...)
	traded, err := r.Ledger.TradedOrders(ctx, market, since)
	if err != nil {
		return err
	}
	seen.comparison.TradesSeen += len(traded)
	for _, id := range traded {
		if seen.has(market, id) {
			continue
		}
		// An order older than the window whose trade is new.
		order, err := r.Ledger.Order(ctx, market, id)
		if err != nil {
			return err
		}
		seen.add(order)
	}
	return nil
}

// orderSet collects each order once. IDs are unique per market only. A later
// reading of an order replaces nothing: open orders are read first, and one
// that has closed since denies nothing that a comparison would not see next.
type orderSet struct {
	comparison *trade.Comparison
	known      map[string]bool
}

func (s orderSet) has(market trade.Market, id string) bool { return s.known[string(market)+" "+id] }

func (s orderSet) add(orders ...trade.Order) {
	for _, o := range orders {
		if s.has(o.Market, o.OrderID) {
			continue
		}
		s.known[string(o.Market)+" "+o.OrderID] = true
		s.comparison.Orders = append(s.comparison.Orders, o)
	}
}
