package paper

import (
	"math"
	"time"
)

// postOrder places an order. It is read before the engine's delay and judged
// after it, at the prices and balances of that moment.
func (e *Exchange) postOrder(r *request) (any, error) {
	p, err := parsePlacement(r.body, e.cfg.Options.Lenient)
	if err != nil {
		return nil, err
	}
	p.fate = r.fate
	return e.engine(r, func(now time.Time) (any, error) {
		o, err := e.place(r.key.Account, p, now)
		if err != nil {
			return nil, err
		}
		return e.confirm(o, p.brief, now), nil
	})
}

func (e *Exchange) confirm(o *order, brief bool, now time.Time) any {
	if brief {
		return briefView{o.Market, o.ID, o.ClientOrderID, o.Created, o.Updated}
	}
	return e.view(o, now)
}

var changeFields = []string{
	"market", "operatorId", "orderId", "clientOrderId", "amount", "amountQuote", "amountRemaining", "price",
	"triggerAmount", "timeInForce", "selfTradePrevention", "postOnly", "responseRequired",
}

// putOrder updates an open limit order.
func (e *Exchange) putOrder(r *request) (any, error) {
	p, err := bodyParams(r.body, changeFields, e.cfg.Options.Lenient)
	if err != nil {
		return nil, err
	}
	p.need("market", "operatorId")
	id := readIdentity(p)
	c, brief := readChange(p), !p.flag("responseRequired", true)
	if p.err != nil {
		return nil, p.err
	}
	return e.engine(r, func(now time.Time) (any, error) {
		s, o, err := e.named(r, id, now)
		if err != nil {
			return nil, err
		}
		if err := e.update(s, o, c, now); err != nil {
			return nil, err
		}
		return e.confirm(o, brief, now), nil
	})
}

func readChange(p *params) change {
	c := change{amount: p.amount("amount"), remaining: p.amount("amountRemaining"), quote: p.amount("amountQuote"),
		price: p.amount("price"), operatorID: p.integer("operatorId", 0, math.MaxInt64, 0), trigger: p.has("triggerAmount")}
	if p.has("timeInForce") {
		c.timeInForce = p.choice("timeInForce", untilCancelled, immediateOrCancel, fillOrKill)
	}
	if p.has("selfTradePrevention") {
		c.selfTrade = p.choice("selfTradePrevention", selfTrades...)
	}
	if p.has("postOnly") {
		c.postOnly = ref(p.flag("postOnly", false))
	}
	return c
}

// identity names one order of the asking account.
type identity struct{ market, order, client string }

func readIdentity(p *params) identity {
	p.need("market")
	id := identity{p.text("market"), p.text("orderId"), p.clientOrderID()}
	if id.client == "" {
		p.need("orderId")
	}
	return id
}

// named finds the order; one too young to be seen is not there yet.
func (e *Exchange) named(r *request, id identity, now time.Time) (*marketState, *order, error) {
	s, err := e.market(id.market)
	if err != nil {
		return nil, nil, err
	}
	o, ok := e.orders.find(r.key.Account, id.market, id.order, id.client)
	if !ok || !e.visible(o, now) {
		return nil, nil, refuse(codeNoOrder)
	}
	return s, o, nil
}

func (e *Exchange) visible(o *order, now time.Time) bool {
	return e.since(o.Created, o.Skew, now) >= max(e.tempo.readLag, o.fate.hide)
}

// operator reads the operatorId of a cancel, which older clients cannot send.
func (e *Exchange) operator(p *params) int64 {
	if !e.cfg.Options.Lenient {
		p.need("operatorId")
	}
	return p.integer("operatorId", 0, math.MaxInt64, 0)
}

// deleteOrder cancels one order.
func (e *Exchange) deleteOrder(r *request) (any, error) {
	id, operator := readIdentity(r.query), e.operator(r.query)
	if r.query.err != nil {
		return nil, r.query.err
	}
	return e.engine(r, func(now time.Time) (any, error) {
		s, o, err := e.named(r, id, now)
		if err != nil {
			return nil, err
		}
		if err := e.cancel(s, o, now); err != nil {
			return nil, err
		}
		return cancelView{o.ID, id.client, operator}, nil
	})
}

// deleteOrders cancels every open order of the account, or of one market.
func (e *Exchange) deleteOrders(r *request) (any, error) {
	market, operator := r.query.text("market"), e.operator(r.query)
	if r.query.err != nil {
		return nil, r.query.err
	}
	return e.engine(r, func(now time.Time) (any, error) {
		states, err := e.selected(market)
		if err != nil {
			return nil, err
		}
		gone := []cancelView{}
		for _, s := range states {
			for _, o := range e.orders.openOf(r.key.Account, s.Name()) {
				if err := e.cancel(s, o, now); err != nil {
					return nil, err
				}
				gone = append(gone, cancelView{o.ID, "", operator})
			}
		}
		return gone, nil
	})
}

// selected is one market, or all in their order when none is named.
func (e *Exchange) selected(market string) ([]*marketState, error) {
	if market != "" {
		s, err := e.market(market)
		return []*marketState{s}, err
	}
	states := make([]*marketState, 0, len(e.cfg.Markets))
	for _, m := range e.cfg.Markets {
		states = append(states, e.markets[m.Name()])
	}
	return states, nil
}
