package paper

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// cross fills resting orders that the price has reached, at their own price
// and, if the book says so, only in part.
func (e *Exchange) cross(s *marketState, at time.Time) {
	if len(e.orders.open[s.Name()]) == 0 || s.Status != statusTrading {
		return
	}
	for _, o := range slices.Clone(e.orders.open[s.Name()]) {
		if !s.reached(o) {
			continue
		}
		part := o.Amount.Mul(s.book.FillFraction).RoundUp(s.QuantityDecimals)
		e.trade(s, o, decimal.Min(part, o.remaining()), o.Price, false, at)
		o.Status = isPartly
		if o.remaining().IsZero() {
			o.Status = isFilled
		}
		e.rehold(s, o)
		e.orders.put(o)
		// An error stays in the journal and shuts the engine for the next request.
		_ = e.commit(o)
	}
}

// reached says whether the house would now trade at the order's price.
func (s *marketState) reached(o *order) bool {
	edge := s.book.levelPrice(s.mid, s.ticks, 0, o.buys())
	if o.buys() {
		return edge <= unitsOf(o.Price)
	}
	return edge >= unitsOf(o.Price)
}

// cancel closes an open order and gives back what it held.
func (e *Exchange) cancel(s *marketState, o *order, now time.Time) error {
	if !o.open() {
		return refuse(e.cfg.Options.ClosedCode)
	}
	o.Status, o.Updated = isCanceled, now.UnixMilli()
	e.rehold(s, o)
	e.orders.put(o)
	return e.commit(o)
}

// change is a request to update an order; a zero amount or empty text leaves as is.
type change struct {
	amount, remaining, quote, price decimal.Decimal
	timeInForce, selfTrade          string
	postOnly                        *bool
	operatorID                      int64
	trigger                         bool
}

// update takes the order off the book and enters it anew as changed. If it is
// refused, the order stands as it was.
func (e *Exchange) update(s *marketState, o *order, c change, now time.Time) error {
	next, err := e.changed(s, o, c)
	if err != nil {
		return err
	}
	next.Updated, next.OperatorID = now.UnixMilli(), c.operatorID
	asset := o.holdAsset(s.Market)
	e.ledger.release(o.Account, asset, o.Hold)
	next.Hold = decimal.Zero
	if err := e.enter(s, &next, now); err != nil {
		e.ledger.hold(o.Account, asset, o.Hold) // released a moment ago, so it is there
		return err
	}
	*o = next
	e.orders.put(o)
	return e.commit(o)
}

// changed is the order as the update wants it, or why that cannot be.
func (e *Exchange) changed(s *marketState, o *order, c change) (order, error) {
	if err := e.updatable(s, o, c); err != nil {
		return order{}, err
	}
	next := *o
	next.Fills = slices.Clone(o.Fills)
	base, _, _ := o.filled()
	if c.remaining.IsPositive() {
		c.amount = base.Add(c.remaining)
	}
	set(&next.Amount, c.amount, c.amount.IsPositive())
	set(&next.Price, c.price, c.price.IsPositive())
	set(&next.TimeInForce, c.timeInForce, c.timeInForce != "")
	set(&next.SelfTrade, c.selfTrade, c.selfTrade != "")
	if c.postOnly != nil {
		next.PostOnly = *c.postOnly
	}
	if next.Amount.Equal(o.Amount) && next.Price.Equal(o.Price) && next.TimeInForce == o.TimeInForce &&
		next.SelfTrade == o.SelfTrade && next.PostOnly == o.PostOnly {
		return order{}, refuse(codeNothingNew)
	}
	if next.Amount.LessThanOrEqual(base) {
		return order{}, invalid("amount")
	}
	if err := checkSizes(s.Market, next.Amount, decimal.Zero, next.Price); err != nil {
		return order{}, err
	}
	return next, checkNotional(s.Market, next.Amount.Mul(next.Price))
}

func set[T any](field *T, to T, wanted bool) {
	if wanted {
		*field = to
	}
}

func (e *Exchange) updatable(s *marketState, o *order, c change) error {
	amounts := 0
	for _, d := range []decimal.Decimal{c.amount, c.remaining, c.quote} {
		if d.IsPositive() {
			amounts++
		}
	}
	code, shut := closedToOrders[s.Status]
	switch {
	case o.Type == typeMarket:
		return refuse(codeMarketUpdate)
	case !o.open():
		return refuse(e.cfg.Options.ClosedCode)
	case shut:
		return refusef(code, "Market %s is in status %s.", s.Name(), s.Status)
	case c.trigger:
		return refusef(codeMisplaced, "triggerAmount parameter is not valid for this order.")
	case amounts > 1:
		return refuse(codeTwoAmounts)
	case c.quote.IsPositive():
		return refuse(codeAmountKind)
	}
	return nil
}
