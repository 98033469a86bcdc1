package paper

import (
	"time"

	"github.com/shopspring/decimal"
)

// fate is what a fault has in store for a request past the door, and for the
// order that it places. It is not written down: a restart forgets it.
type fate struct {
	// stall keeps the request from the engine until its window is over.
	stall bool
	// trades is what the exchange lets the order trade before it ends it.
	trades share
	// hide keeps the order from reads, and settle its fills from settling.
	hide, settle time.Duration
}

// share is how much of an order trades.
type share int

const (
	wholly share = iota
	inPart
	notAtAll
)

func stalled(Fault) fate       { return fate{stall: true} }
func endedInPart(Fault) fate   { return fate{trades: inPart} }
func endedUnfilled(Fault) fate { return fate{trades: notAtAll} }
func hidden(f Fault) fate      { return fate{hide: ms(f.ForMs)} }
func settledLate(f Fault) fate { return fate{settle: ms(f.ForMs)} }

// outlast waits until the window of a request is over. It fails when the
// exchange closes.
func (e *Exchange) outlast(r *request) error {
	for {
		now := e.now()
		if r.deadline.IsZero() || r.late(now) {
			return nil
		}
		if err := e.cfg.Wait(e.closing, r.deadline.Sub(now)+time.Millisecond); err != nil {
			return err
		}
	}
}

// left is what an order's fate leaves of its plan. A fill-or-kill order trades
// wholly or not at all, also here.
func (o *order) left(p plan, decimals int32) plan {
	if o.fate.trades == wholly {
		return p
	}
	rest := decimal.Zero
	for _, m := range p.matches {
		rest = rest.Add(m.amount)
	}
	if rest = half(rest, decimals); o.fate.trades == notAtAll || o.TimeInForce == fillOrKill {
		rest = decimal.Zero
	}
	var cut plan
	for _, m := range p.matches {
		if m.amount = decimal.Min(m.amount, rest); m.amount.IsPositive() {
			cut.matches = append(cut.matches, m)
			rest = rest.Sub(m.amount)
		}
	}
	return cut
}

func half(d decimal.Decimal, decimals int32) decimal.Decimal {
	return d.Div(decimal.NewFromInt(2)).Truncate(decimals)
}

// cutShort ends an order whose fate is not to trade wholly. One that would rest
// first trades its part as a maker.
func (e *Exchange) cutShort(s *marketState, o *order, now time.Time) {
	if o.fate.trades == wholly || !o.open() {
		return
	}
	rests := o.Type == typeLimit && o.TimeInForce == untilCancelled
	if o.fate.trades == inPart && rests && len(o.Fills) == 0 {
		e.trade(s, o, half(o.Amount, s.QuantityDecimals), o.Price, false, now)
	}
	o.Status = o.endedAs()
}

// endedAs is the status of an order that the exchange ended.
func (o *order) endedAs() string {
	switch {
	case o.TimeInForce == fillOrKill:
		return isCanceledFOK
	case o.TimeInForce == immediateOrCancel:
		return isCanceledIOC
	case o.PostOnly && len(o.Fills) == 0:
		return isCanceledPost
	}
	return isCanceled
}
