package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// exchange is one account at an exchange with a clock of its own. It refuses
// what arrives, or reaches its engine, after the signed window; it keeps a
// client order ID unique over open orders only; and it shows an order to its
// owner within lag, not at once.
type exchange struct {
	w      *world
	offset time.Duration // its clock, ahead of the database's
	lag    time.Duration // L
	slow   bool          // a replica that may be almost twice as late; one look cannot know
	orders []*order
	posts  int
}

// order is an order and all that became of it.
type order struct {
	client   uuid.UUID
	deadline time.Time
	versions []version
}

type version struct {
	at    time.Time // database clock
	order trade.Order
}

func (o *order) now() trade.Order { return o.versions[len(o.versions)-1].order }

// asOf is the order as a reader sees it whose replica stands at an instant;
// nil before it was there.
func (o *order) asOf(at time.Time) *trade.Order {
	for _, v := range slices.Backward(o.versions) {
		if !v.at.After(at) {
			copied := v.order
			return &copied
		}
	}
	return nil
}

// market is what the asset costs.
var market = decimal.NewFromInt(50000)

func newExchange(w *world) *exchange {
	x := &exchange{w: w, offset: w.between(-1900*time.Millisecond, 1900*time.Millisecond), lag: trade.DefaultReadLag}
	if w.chance(0.4) {
		x.lag = w.between(3*time.Second, 20*time.Second)
	}
	x.slow = w.chance(0.2) || w.focus == lateReplica
	if w.focus == placedAfterReply {
		x.lag = 3 * time.Second // so that looks that are L apart come before the deadline
	}
	return x
}

func (x *exchange) now() time.Time { return x.w.time().Add(x.offset) }

func (x *exchange) down() bool { return within(x.w.plan.exchangeDown, x.w.time()) }

func (x *exchange) under(client uuid.UUID) []*order {
	var list []*order
	for _, o := range x.orders {
		if o.client == client {
			list = append(list, o)
		}
	}
	return list
}

func (x *exchange) has(client uuid.UUID) bool { return len(x.under(client)) > 0 }

// staleness is how far behind a reader's replica stands.
func (x *exchange) staleness() time.Duration {
	if x.w.focus == lateReplica {
		return x.w.between(x.lag*15/10, x.lag*19/10)
	}
	if x.slow && x.w.chance(0.4) {
		x.w.strike("exchange: a replica later than L")
		return x.w.between(x.lag, x.lag*19/10)
	}
	switch n := x.w.rng.IntN(10); {
	case n < 6:
		return x.w.between(0, 200*time.Millisecond)
	case n < 8:
		return x.w.between(0, x.lag/2)
	}
	return x.w.between(x.lag*8/10, x.lag)
}

// reply is what came back for a request; nil when nothing did.
type reply struct {
	status int
	body   string
}

func refusal(status, code int, text string) *reply {
	return &reply{status, `{"errorCode":` + strconv.Itoa(code) + `,"error":"` + text + `"}`}
}

// post is a request to place an order on its way.
type post struct {
	plan     trade.Plan
	client   uuid.UUID
	deadline time.Time
	fault    string
	answer   *reply
}

// send puts a request on its way. It acts on its own from here, whatever
// becomes of the worker; the answer, if any, is there after the time returned.
func (x *exchange) send(p *post) time.Duration {
	w := x.w
	x.posts++
	p.fault = w.drawPostFault()
	w.sayf("POST, deadline %s, fault %q", p.deadline.Format(time.StampMicro), p.fault)
	if p.fault != "" {
		w.strike("exchange: " + p.fault)
	}
	way, queue, back := w.between(5*time.Millisecond, 80*time.Millisecond), w.between(time.Millisecond, 5*time.Millisecond), w.between(5*time.Millisecond, 50*time.Millisecond)
	switch p.fault {
	case "never arrived":
		return forEver
	case "delayed on the way":
		way = w.between(time.Second, 12*time.Second)
	case "delayed beyond everything":
		way = w.between(5*time.Second, 4*time.Minute)
	case "delayed in the engine":
		queue = w.between(time.Second, 8*time.Second)
	case "reply delayed":
		back = w.between(time.Second, 15*time.Second)
	}
	w.after(way, func() {
		answer, over := x.arrive(p)
		if p.answer = answer; !over {
			w.after(queue, func() { p.answer = x.garble(p, x.process(p)) })
		}
	})
	if p.fault == placedAfterReply {
		w.after(way+w.between(time.Second, 4900*time.Millisecond), func() { x.process(p) })
	}
	if p.fault == "delivered twice" {
		w.after(way+w.between(20*time.Millisecond, 8*time.Second), func() { x.again(p) })
		back += 9 * time.Second
	}
	return way + queue + back
}

// arrive is the front of the exchange; over says that nothing goes on to the
// engine from here.
func (x *exchange) arrive(p *post) (answer *reply, over bool) {
	switch {
	case x.late(p):
		x.w.strike("exchange: 304")
		return refusal(http.StatusBadRequest, 304, "too late"), true
	case p.fault == "turned away: 105":
		return refusal(http.StatusTooManyRequests, 105, "banned until 2026"), true
	case p.fault == "unclear and not placed", p.fault == placedAfterReply:
		return x.w.drawUnclear(), true
	case p.fault == "refused by validation":
		return refusal(http.StatusBadRequest, 203, "invalid"), true
	case p.fault == "no balance: 216":
		return refusal(http.StatusBadRequest, 216, "insufficient balance"), true
	}
	return nil, false
}

func (x *exchange) late(p *post) bool { return x.now().After(p.deadline) && !x.w.locks.noWindow }

// process is the engine.
func (x *exchange) process(p *post) *reply {
	open := func(o *order) bool { return o.client == p.client && !o.now().Status.Final() }
	switch {
	case x.late(p):
		x.w.strike("exchange: 108")
		return refusal(http.StatusServiceUnavailable, 108, "not in time")
	case slices.ContainsFunc(x.orders, open):
		x.w.strike("exchange: 220")
		return refusal(http.StatusConflict, 220, "an order with this ID is open")
	}
	o := x.accept(p)
	return &reply{http.StatusOK, written(o.now())}
}

// again is a second copy of the same request: an open order or the money it
// took turns it away, and its refusal is what the caller hears.
func (x *exchange) again(p *post) {
	if !x.has(p.client) {
		return
	}
	switch {
	case x.late(p):
		p.answer = refusal(http.StatusBadRequest, 304, "too late")
	case slices.ContainsFunc(x.under(p.client), func(o *order) bool { return !o.now().Status.Final() }):
		p.answer = refusal(http.StatusConflict, 220, "an order with this ID is open")
	default:
		p.answer = refusal(http.StatusBadRequest, 216, "insufficient balance")
	}
}

// garble loses or spoils the answer to what was done.
func (x *exchange) garble(p *post, honest *reply) *reply {
	switch p.fault {
	case "placed, no reply":
		return nil
	case "placed, unclear reply":
		return x.w.drawUnclear()
	case "placed, truncated reply":
		return &reply{honest.status, honest.body[:len(honest.body)/2]}
	}
	return honest
}

// accept makes an order, and plans its life.
func (x *exchange) accept(p *post) *order {
	x.noteAccepted(p)
	o := &order{client: p.client, deadline: p.deadline}
	x.orders = append(x.orders, o)
	made := trade.Order{
		OrderID: fmt.Sprintf("order-%d", len(x.orders)), ClientOrderID: p.client.String(), Market: p.plan.Market, Side: p.plan.Side,
		OrderType: string(p.plan.OrderType), Status: "new", CreatedAt: millis(x.now()), UpdatedAt: millis(x.now()),
	}
	if p.plan.Amount != nil {
		made.Amount = *p.plan.Amount
	}
	if p.plan.AmountQuote != nil {
		made.AmountQuote = *p.plan.AmountQuote
	}
	if p.plan.Price != nil {
		made.Price = *p.plan.Price
	}
	o.versions = append(o.versions, version{x.w.time(), made})
	x.w.sayf("ACCEPTED %s, attempt with deadline %s", made.OrderID, p.deadline.Format(time.StampMicro))
	x.trade(o, p.plan)
	return o
}

// trade fills an order: at once when it takes the market's price, perhaps only
// in part; a resting one later, or never.
func (x *exchange) trade(o *order, plan trade.Plan) {
	whole := o.now().Amount
	if plan.AmountQuote != nil {
		whole = plan.AmountQuote.DivRound(market, 8)
	}
	half := whole.DivRound(decimal.NewFromInt(2), 8)
	n := x.w.rng.IntN(10)
	resting := plan.TimeInForce == "GTC"
	switch {
	case n < 6 && !resting, n < 3:
		x.fill(o, whole, "filled")
	case resting && n < 6:
		x.w.after(x.w.between(time.Second, time.Minute), func() { x.fill(o, half, "partiallyFilled") })
		x.w.after(x.w.between(time.Minute, 150*time.Second), func() { x.fill(o, whole.Sub(half), "filled") })
	case resting:
	case n < 8:
		x.w.strike("exchange: partly filled, canceledIOC")
		x.fill(o, half, "partiallyFilled")
		x.change(o, func(t *trade.Order) { t.Status = "canceledIOC" })
	default:
		x.w.strike("exchange: canceledIOC unfilled")
		x.change(o, func(t *trade.Order) { t.Status = "canceledIOC" })
	}
}

// fill adds a fill, whose fee may come later.
func (x *exchange) fill(o *order, amount decimal.Decimal, status trade.OrderStatus) {
	if o.now().Status.Final() {
		return
	}
	settled := x.w.chance(0.7)
	id := fmt.Sprintf("%s-%d", o.now().OrderID, len(o.now().Fills))
	x.change(o, func(t *trade.Order) {
		t.Status = status
		t.FilledAmount = t.FilledAmount.Add(amount)
		t.FilledAmountQuote = t.FilledAmountQuote.Add(amount.Mul(market))
		t.Fills = append(slices.Clone(t.Fills), trade.Fill{ID: id, At: millis(x.now()), Amount: amount, Price: market, Taker: true})
		t.UpdatedAt = millis(x.now())
	})
	if settled {
		x.settle(o, id)
		return
	}
	x.w.strike("exchange: a fill settled late")
	x.w.after(x.w.between(100*time.Millisecond, 50*time.Second), func() { x.settle(o, id) })
}

func (x *exchange) settle(o *order, id string) {
	x.change(o, func(t *trade.Order) {
		t.Fills = slices.Clone(t.Fills)
		t.FeePaid, t.FeeCurrency = decimal.Zero, "EUR"
		for i := range t.Fills {
			f := &t.Fills[i]
			if f.ID == id {
				f.Settled, f.FeeCurrency = true, "EUR"
				f.Fee = f.Amount.Mul(f.Price).Mul(decimal.RequireFromString("0.0025"))
			}
			t.FeePaid = t.FeePaid.Add(f.Fee)
		}
	})
}

func (x *exchange) change(o *order, how func(*trade.Order)) {
	next := o.now()
	how(&next)
	o.versions = append(o.versions, version{x.w.time(), next})
}

func millis(t time.Time) time.Time { return t.Truncate(time.Millisecond) }

// written is an order as the exchange writes it.
func written(o trade.Order) string {
	fills := []map[string]any{}
	for _, f := range o.Fills {
		fill := map[string]any{"id": f.ID, "timestamp": f.At.UnixMilli(), "amount": f.Amount, "price": f.Price, "taker": f.Taker, "settled": f.Settled}
		if f.Settled {
			fill["fee"], fill["feeCurrency"] = f.Fee, f.FeeCurrency
		}
		fills = append(fills, fill)
	}
	text, err := json.Marshal(map[string]any{
		"orderId": o.OrderID, "clientOrderId": o.ClientOrderID, "market": o.Market, "side": o.Side, "orderType": o.OrderType,
		"status": o.Status, "created": o.CreatedAt.UnixMilli(), "updated": o.UpdatedAt.UnixMilli(),
		"amount": o.Amount, "amountQuote": o.AmountQuote, "price": o.Price, "filledAmount": o.FilledAmount,
		"filledAmountQuote": o.FilledAmountQuote, "feePaid": o.FeePaid, "feeCurrency": o.FeeCurrency, "fills": fills,
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}
