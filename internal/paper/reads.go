package paper

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// getOrder shows one order, open or closed.
func (e *Exchange) getOrder(r *request) (any, error) {
	id := readIdentity(r.query)
	if r.query.err != nil {
		return nil, r.query.err
	}
	return e.look(func(now time.Time) (any, error) {
		_, o, err := e.named(r, id, now)
		if err != nil {
			return nil, err
		}
		return e.view(o, now), nil
	})
}

// span is which part of a list is asked for: ids first and last bound it by
// place, start and end by time.
type span struct {
	market      string
	limit       int64
	start, end  int64
	first, last string
}

func readSpan(p *params, id string) span {
	return span{
		market: p.text("market"), limit: p.integer("limit", 1, 1000, 500),
		start: p.integer("start", 0, math.MaxInt64, 0), end: p.integer("end", 0, math.MaxInt64, math.MaxInt64),
		first: p.text(id + "From"), last: p.text(id + "To"),
	}
}

// cut takes the part of rows (newest first) that the span asks for. An id that
// is not in the list leaves nothing, as no row is known to be on its side of it.
func cut[T any](s span, rows []T, at func(T) int64, id func(T) string, exclusive bool) []T {
	first, last := len(rows), 0
	step := 0
	if exclusive {
		step = 1
	}
	if s.first != "" {
		first = slices.IndexFunc(rows, func(r T) bool { return id(r) == s.first }) + 1 - step
	}
	if s.last != "" {
		last = slices.IndexFunc(rows, func(r T) bool { return id(r) == s.last })
		if last < 0 {
			return []T{}
		}
		last += step
	}
	if first <= last {
		return []T{}
	}
	part := slices.DeleteFunc(slices.Clone(rows[last:first]), func(r T) bool { return at(r) < s.start || at(r) > s.end })
	return part[:min(int64(len(part)), s.limit)]
}

// getOrders lists the orders of a market, newest first.
func (e *Exchange) getOrders(r *request) (any, error) {
	r.query.need("market")
	s := readSpan(r.query, "orderId")
	if r.query.err != nil {
		return nil, r.query.err
	}
	return e.look(func(now time.Time) (any, error) {
		if _, err := e.market(s.market); err != nil {
			return nil, err
		}
		rows := cut(s, e.seen(r.key.Account, s.market, now), func(o *order) int64 { return o.Created },
			func(o *order) string { return o.ID }, e.cfg.Options.ExclusivePaging)
		return e.views(rows, now), nil
	})
}

// seen lists what an account may see of its orders, newest first.
func (e *Exchange) seen(account, market string, now time.Time) []*order {
	orders := slices.Clone(e.orders.lists[joined(account, market)])
	slices.Reverse(orders)
	return slices.DeleteFunc(orders, func(o *order) bool { return !e.visible(o, now) })
}

func (e *Exchange) views(orders []*order, now time.Time) []orderView {
	views := make([]orderView, 0, len(orders))
	for _, o := range orders {
		views = append(views, e.view(o, now))
	}
	return views
}

// getOrdersOpen lists open orders, newest first, of a market, of a base, or all.
func (e *Exchange) getOrdersOpen(r *request) (any, error) {
	market, base := r.query.text("market"), r.query.text("base")
	if r.query.err != nil {
		return nil, r.query.err
	}
	if market != "" && base != "" {
		return nil, refusef(codeIncompatible, "market and base parameters cannot be combined.")
	}
	return e.look(func(now time.Time) (any, error) {
		states, err := e.selected(market)
		if err != nil {
			return nil, err
		}
		var open []*order
		for _, s := range states {
			if base == "" || s.Base == base {
				open = append(open, e.orders.openOf(r.key.Account, s.Name())...)
			}
		}
		open = slices.DeleteFunc(open, func(o *order) bool { return !e.visible(o, now) })
		slices.SortFunc(open, func(a, b *order) int { return cmp.Compare(b.Seq, a.Seq) })
		return e.views(open, now), nil
	})
}

// getTrades lists the fills of a market, newest first.
func (e *Exchange) getTrades(r *request) (any, error) {
	r.query.need("market")
	s := readSpan(r.query, "tradeId")
	if r.query.err != nil {
		return nil, r.query.err
	}
	return e.look(func(now time.Time) (any, error) {
		if _, err := e.market(s.market); err != nil {
			return nil, err
		}
		type row struct {
			o *order
			f fill
		}
		var rows []row
		for _, o := range e.seen(r.key.Account, s.market, now) {
			for _, f := range o.Fills {
				rows = append(rows, row{o, f})
			}
		}
		slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(b.f.Seq, a.f.Seq) })
		rows = cut(s, rows, func(r row) int64 { return r.f.At }, func(r row) string { return r.f.ID }, e.cfg.Options.ExclusivePaging)
		views := make([]tradeView, 0, len(rows))
		for _, r := range rows {
			views = append(views, e.viewTrade(r.o, r.f, now))
		}
		return views, nil
	})
}

// balanceView is one asset of an account.
type balanceView struct {
	Symbol string `json:"symbol"`
	holding
}

func (e *Exchange) knows(symbol string) bool {
	return slices.ContainsFunc(e.cfg.Assets, func(a Asset) bool { return a.Symbol == symbol })
}

// getBalance lists what is not zero, by symbol.
func (e *Exchange) getBalance(r *request) (any, error) {
	symbol := r.query.text("symbol")
	if err := e.assetNamed(r.query); err != nil {
		return nil, err
	}
	return e.look(func(time.Time) (any, error) {
		rows := []balanceView{}
		for asset, h := range e.ledger.accounts[r.key.Account] {
			if (symbol == "" || asset == symbol) && !(h.Available.IsZero() && h.InOrder.IsZero()) {
				rows = append(rows, balanceView{asset, h})
			}
		}
		slices.SortFunc(rows, func(a, b balanceView) int { return cmp.Compare(a.Symbol, b.Symbol) })
		return rows, nil
	})
}

// feesView is what trading costs an account.
type feesView struct {
	Tier   *int            `json:"tier,omitempty"`
	Volume decimal.Decimal `json:"volume"`
	Taker  decimal.Decimal `json:"taker"`
	Maker  decimal.Decimal `json:"maker"`
}

func (e *Exchange) getAccount(r *request) (any, error) {
	return e.look(func(now time.Time) (any, error) {
		return map[string]feesView{"fees": e.feesOf(r.key.Account, now)}, nil
	})
}

func (e *Exchange) getFees(r *request) (any, error) {
	market, quote := r.query.text("market"), r.query.text("quote")
	if market != "" && quote != "" {
		return nil, refusef(codeIncompatible, "market and quote parameters cannot be combined.")
	}
	if quote != "" && quote != "EUR" && quote != "USDC" {
		return nil, invalid("quote")
	}
	return e.look(func(now time.Time) (any, error) {
		if _, err := e.selected(market); err != nil {
			return nil, err
		}
		fees := e.feesOf(r.key.Account, now)
		fees.Tier = ref(0)
		return fees, nil
	})
}

// feesOf counts the quote traded in the last thirty days; the rates never change.
func (e *Exchange) feesOf(account string, now time.Time) feesView {
	v := feesView{Volume: decimal.Zero, Taker: e.cfg.Fees.Taker, Maker: e.cfg.Fees.Maker}
	since := now.Add(-30 * day).UnixMilli()
	for _, o := range e.orders.all {
		if o.Account != account {
			continue
		}
		for _, f := range o.Fills {
			if f.At >= since {
				v.Volume = v.Volume.Add(f.Amount.Mul(f.Price))
			}
		}
	}
	return v
}
