package paper

import (
	"time"

	"github.com/shopspring/decimal"
)

// engine does one thing at the matching engine: after its delay, within the
// request's window, at prices of this moment. The caller having hung up changes
// nothing, as an order on its way cannot be called back.
func (e *Exchange) engine(r *request, do func(now time.Time) (any, error)) (any, error) {
	if err := e.cfg.Wait(e.closing, e.pace().engine); err != nil {
		return nil, err
	}
	if r.fate.stall {
		if err := e.outlast(r); err != nil {
			return nil, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	if r.fate.stall || r.late(now) {
		return nil, refuse(codeTooSlow)
	}
	if _, err := e.journal.position(); err != nil {
		return nil, refuse(codeEngineDown)
	}
	e.catchUp(now)
	defer e.publish(now)
	return do(now)
}

func (e *Exchange) pace() tempo {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tempo
}

// look reads at prices of this moment.
func (e *Exchange) look(do func(now time.Time) (any, error)) (any, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	e.catchUp(now)
	return do(now)
}

// catchUp takes every price step that is due, trades at each, and publishes
// what came of it. The caller holds mu.
func (e *Exchange) catchUp(now time.Time) {
	for _, m := range e.cfg.Markets {
		s := e.markets[m.Name()]
		s.advance(e.machine(now), func(at time.Time) { e.cross(s, at.Add(e.offset())) })
	}
	e.publish(now)
}

// market finds a market by the name a client gave.
func (e *Exchange) market(name string) (*marketState, error) {
	s, ok := e.markets[name]
	if !ok {
		return nil, refusef(codeInvalid, "market parameter %s is invalid.", name)
	}
	return s, nil
}

// place takes a new order, trades what it can at once, and writes it down.
func (e *Exchange) place(account string, p placement, now time.Time) (*order, error) {
	s, err := e.market(p.market)
	if err != nil {
		return nil, err
	}
	if err := e.admit(account, p, s); err != nil {
		return nil, err
	}
	o := e.newOrder(account, p, now)
	if err := e.enter(s, o, now); err != nil {
		return nil, err
	}
	e.orders.put(o)
	return o, e.commit(o)
}

// admit refuses an order before its price is looked at.
func (e *Exchange) admit(account string, p placement, s *marketState) error {
	if code, shut := closedToOrders[s.Status]; shut {
		return refusef(code, "Market %s is in status %s.", s.Name(), s.Status)
	}
	if err := checkSizes(s.Market, p.amount, p.quote, p.price); err != nil {
		return err
	}
	if len(e.orders.openOf(account, p.market)) >= s.MaxOpenOrders {
		return refuse(codeTooManyOpen)
	}
	if e.taken(account, p) {
		return refuse(codeDuplicate)
	}
	worth := p.quote
	if worth.IsZero() {
		worth = p.amount.Mul(e.worth(s, p))
	}
	return checkNotional(s.Market, worth)
}

// taken says whether the client order id is in use; that of a closed order is
// free again unless the exchange is told to be stricter.
func (e *Exchange) taken(account string, p placement) bool {
	if p.clientOrderID == "" {
		return false
	}
	o, known := e.orders.find(account, p.market, "", p.clientOrderID)
	return known && (o.open() || e.rules.ClientOrderIDForever)
}

// worth is the price by which the minimum is judged.
func (e *Exchange) worth(s *marketState, p placement) decimal.Decimal {
	if p.kind == typeLimit {
		return p.price
	}
	return s.price()
}

func (e *Exchange) newOrder(account string, p placement, now time.Time) *order {
	o := &order{
		Seq: int64(len(e.orders.all)) + 1, Account: account, ClientOrderID: p.clientOrderID,
		Market: p.market, Side: p.side, Type: p.kind, Status: isNew,
		Created: now.UnixMilli(), Updated: now.UnixMilli(), Skew: e.offset().Milliseconds(),
		Amount: p.amount, Quote: p.quote, Price: p.price, PostOnly: p.postOnly,
		SelfTrade: p.selfTrade, OperatorID: p.operatorID, Fills: []fill{}, fate: p.fate,
	}
	if p.kind == typeLimit {
		o.TimeInForce = p.timeInForce
	}
	e.giveID(o)
	return o
}

// enter holds what the order may cost, trades at once what its kind allows, and
// leaves it open or closed. On a refusal nothing has changed.
func (e *Exchange) enter(s *marketState, o *order, now time.Time) error {
	p := take(s.levels(o.buys()), e.wanted(s, o))
	if o.PostOnly && len(p.matches) > 0 {
		p = plan{}
		o.Status = isCanceledPost
	}
	if o.TimeInForce == fillOrKill && !p.done {
		p = plan{}
		o.Status = isCanceledFOK
	}
	hold := e.holdFor(s, o, p)
	if !e.ledger.hold(o.Account, o.holdAsset(s.Market), hold) {
		return refuse(codeNoBalance)
	}
	o.Hold = o.Hold.Add(hold)
	p = o.left(p, s.QuantityDecimals)
	for _, m := range p.matches {
		s.consume(o.buys(), m)
		e.trade(s, o, m.amount, m.price, true, now)
	}
	e.cutShort(s, o, now)
	if o.open() {
		o.Status = e.statusAfter(o, p)
	}
	if p.protected && o.Status == isCanceledProtect {
		o.Restatement = "cancelOnExecutionPriceProtection"
	}
	e.rehold(s, o)
	return nil
}

// wanted is what an order that enters the book asks of it.
func (e *Exchange) wanted(s *marketState, o *order) want {
	w := want{buy: o.buys(), limit: o.Price, fee: e.cfg.Fees.Taker,
		decimals: s.QuantityDecimals, cents: s.NotionalDecimals}
	if o.Quote.IsPositive() {
		w.quote = o.quoteRemaining()
	} else {
		w.amount = o.remaining()
	}
	return w
}

// statusAfter is what becomes of an order that traded all it could at once.
func (e *Exchange) statusAfter(o *order, p plan) string {
	switch {
	case p.done:
		return isFilled
	case o.Type == typeMarket && p.protected:
		return isCanceledProtect
	case o.Type == typeMarket:
		return isCanceled
	case o.TimeInForce == immediateOrCancel:
		return isCanceledIOC
	case len(o.Fills) > 0:
		return isPartly
	}
	return isNew
}

// holdFor is what an order may cost: a limit order its worst case, a market
// order exactly what it is about to trade.
func (e *Exchange) holdFor(s *marketState, o *order, p plan) decimal.Decimal {
	if !o.open() {
		return decimal.Zero
	}
	if o.Type == typeLimit {
		return e.restingHold(s, o)
	}
	if o.buys() && o.Quote.IsPositive() {
		return o.Quote
	}
	sum := decimal.Zero
	for _, m := range p.matches {
		gross := m.amount.Mul(m.price)
		if o.buys() {
			sum = sum.Add(gross).Add(feeFor(true, gross, e.cfg.Fees.Taker, s.NotionalDecimals))
		} else {
			sum = sum.Add(m.amount)
		}
	}
	return sum
}

// restingHold is what the unfilled rest of a limit order may cost: a buyer's in
// whole cents, rounded up, with the higher fee.
func (e *Exchange) restingHold(s *marketState, o *order) decimal.Decimal {
	if !o.buys() {
		return o.remaining()
	}
	one := decimal.NewFromInt(1)
	return o.remaining().Mul(o.Price).Mul(one.Add(e.cfg.Fees.Taker)).RoundUp(s.NotionalDecimals)
}

// rehold gives back what the order no longer needs: everything once it is closed.
func (e *Exchange) rehold(s *marketState, o *order) {
	need := decimal.Zero
	if o.open() {
		need = decimal.Min(e.restingHold(s, o), o.Hold)
	}
	e.ledger.release(o.Account, o.holdAsset(s.Market), o.Hold.Sub(need))
	o.Hold = need
}

// trade books one fill.
func (e *Exchange) trade(s *marketState, o *order, amount, price decimal.Decimal, taker bool, at time.Time) {
	rate := e.cfg.Fees.Maker
	if taker {
		rate = e.cfg.Fees.Taker
	}
	fee := feeFor(o.buys(), amount.Mul(price), rate, s.NotionalDecimals)
	o.Hold = o.Hold.Sub(e.ledger.settle(o, s.Market, amount, price, fee))
	e.orders.fills++
	o.Fills = append(o.Fills, fill{e.orders.fills, e.identity("fill", "", e.orders.fills), at.UnixMilli(),
		amount, price, taker, fee, e.offset().Milliseconds()})
	o.Updated = at.UnixMilli()
	s.tell(e.machine(at), unitsOf(price), unitsOf(amount), taker == o.buys())
}

// commit writes the order and the balances it moved.
func (e *Exchange) commit(o *order) error {
	r := record{Orders: []*order{o}}
	e.ledger.note(&r, o.Account)
	if e.journal.append(r) != nil {
		// It happened here and perhaps not on disk: exactly what 109 means.
		return refuse(codeTimeout)
	}
	e.tellOrder(o)
	return nil
}
