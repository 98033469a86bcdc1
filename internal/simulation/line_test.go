package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	venue "interlock/internal/bitvavo/orders"
	"interlock/internal/trade"
)

// line is the exchange as one thread reaches it. It follows the real client
// step by step and leaves the meaning of replies to it.
type line struct{ t *thread }

var errUnavailable = errors.New("exchange unavailable")

// patience is how long the client waits for a reply.
const patience = 10 * time.Second

// reach is one request that changes nothing; its error says nothing.
func (l line) reach(ctx context.Context) error {
	w := l.t.w
	l.t.pause(w.between(2*time.Millisecond, 40*time.Millisecond))
	switch {
	case ctx.Err() != nil:
		w.strike("context over")
		return ctx.Err()
	case w.exchange.down():
		w.strike("exchange: down")
		return errUnavailable
	case w.chance(w.odds.read):
		w.strike("exchange: a read failed")
		return errUnavailable
	}
	return nil
}

// Now is an estimate that is never ahead. A machine that slept has one far
// behind.
func (l line) Now(ctx context.Context) (time.Time, error) {
	w := l.t.w
	if w.chance(0.3) { // no recent reading: ask
		if err := l.reach(ctx); err != nil {
			return time.Time{}, err
		}
		l.t.blind = 0
	}
	return w.exchange.now().Add(-l.t.blind - w.between(0, 100*time.Millisecond)), nil
}

func notSent(code string) trade.AttemptResult {
	return trade.AttemptResult{Reply: trade.NotSent, Code: code}
}

// Place sends at most once, and nothing past the deadline by its own clock.
func (l line) Place(ctx context.Context, plan trade.Plan, id uuid.UUID, deadline time.Time) trade.AttemptResult {
	placing := l.place(ctx, plan, id, deadline)
	for l.t.w.locks.repost && placing.Reply == trade.Unknown {
		now, err := l.Now(ctx)
		if err != nil {
			continue
		}
		placing = l.place(ctx, plan, id, now.Add(trade.AccessWindow))
	}
	return placing
}

func (l line) place(ctx context.Context, plan trade.Plan, id uuid.UUID, deadline time.Time) trade.AttemptResult {
	w := l.t.w
	l.t.pause(w.between(0, 10*time.Millisecond))
	now, err := l.Now(ctx)
	switch {
	case err != nil:
		return notSent(venue.CodeClockUnknown)
	case !now.Before(deadline):
		w.strike("worker: past the deadline")
		return notSent(venue.CodeTooLate)
	case ctx.Err() != nil:
		return notSent(venue.CodeCancelled)
	}
	l.t.pause(w.between(0, 2*time.Millisecond)) // between its clock and its first byte
	if w.exchange.down() && w.chance(0.7) || w.chance(w.odds.post/8) {
		w.strike("exchange: unreachable")
		return notSent(venue.CodeUnreachable)
	}
	p := &post{plan: plan, client: id, deadline: deadline}
	wait := w.exchange.send(p)
	tired := wait == forEver || wait > patience
	if tired {
		wait = patience
	}
	l.t.pause(wait)
	if tired || p.answer == nil {
		return trade.AttemptResult{Reply: trade.Unknown, Code: venue.CodeNoReply}
	}
	return venue.Classify(p.answer.status, []byte(p.answer.body))
}

// Look asks in four places; a find outweighs doubts, a doubt every no.
func (l line) Look(ctx context.Context, s trade.Search) trade.Lookup {
	w, id := l.t.w, s.ClientOrderID
	if w.locks.blindSend && l.t.placing() {
		return trade.Lookup{Result: trade.NotThere, ExchangeTime: w.exchange.now()}
	}
	if err := l.reach(ctx); err != nil {
		return trade.Lookup{Result: trade.Inconclusive, Detail: err.Error()}
	}
	look := trade.Lookup{ExchangeTime: millis(w.exchange.now())}
	doubts := 0
	behind := w.exchange.staleness() // of the replica that answers most of it
	for _, shows := range []func(trade.Order) bool{
		func(trade.Order) bool { return true },                          // by ID
		func(o trade.Order) bool { return !o.Status.Final() },           // open orders
		func(trade.Order) bool { return true },                          // orders
		func(o trade.Order) bool { return o.FilledAmount.IsPositive() }, // trades
	} {
		if err := l.reach(ctx); err != nil {
			doubts++
			continue
		}
		at := w.time().Add(-behind)
		if w.chance(0.3) {
			at = w.time().Add(-w.exchange.staleness())
		}
		for _, o := range w.exchange.under(id) {
			v := o.asOf(at)
			known := v != nil && slices.ContainsFunc(look.Orders, func(k trade.Order) bool { return k.OrderID == v.OrderID })
			if v != nil && shows(*v) && !known {
				look.Orders = append(look.Orders, *v)
			}
		}
	}
	switch {
	case len(look.Orders) > 0:
		look.Result = trade.Found
	case doubts > 0:
		look.Result = trade.Inconclusive
	default:
		look.Result = trade.NotThere
		if w.exchange.has(id) {
			w.strike("exchange: an order not shown yet")
		}
	}
	return look
}

// Order reads one order, from a replica.
func (l line) Order(ctx context.Context, _ trade.Market, orderID string) (trade.Order, error) {
	if err := l.reach(ctx); err != nil {
		return trade.Order{}, err
	}
	x := l.t.w.exchange
	at := l.t.w.time().Add(-x.staleness())
	for _, o := range x.orders {
		if v := o.asOf(at); v != nil && v.OrderID == orderID {
			return *v, nil
		}
	}
	return trade.Order{}, fmt.Errorf("fetch order %s: %w", orderID, trade.ErrNotActive)
}

// Cancel ends an order that is open, and may lose the answer.
func (l line) Cancel(ctx context.Context, _ trade.Market, orderID string) error {
	if err := l.reach(ctx); err != nil {
		return err
	}
	x := l.t.w.exchange
	for _, o := range x.orders {
		if o.now().OrderID == orderID && !o.now().Status.Final() {
			x.change(o, func(t *trade.Order) { t.Status, t.UpdatedAt = "canceled", millis(x.now()) })
			x.w.strike("exchange: cancelled by us")
			return l.reach(ctx)
		}
	}
	return trade.ErrNotActive
}

// OpenOrders lists what a replica shows as open.
func (l line) OpenOrders(ctx context.Context) ([]trade.Order, error) {
	if err := l.reach(ctx); err != nil {
		return nil, err
	}
	x := l.t.w.exchange
	at := l.t.w.time().Add(-x.staleness())
	var open []trade.Order
	for _, o := range x.orders {
		if v := o.asOf(at); v != nil && !v.Status.Final() {
			open = append(open, *v)
		}
	}
	return open, nil
}
