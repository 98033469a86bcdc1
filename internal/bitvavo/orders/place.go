package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// Codes of our own in a Placing. Together with NotSent they say why nothing
// left; together with Unknown, why nothing is known.
const (
	CodeInvalidPlan  = "INVALID_PLAN"     // not sent: the plan is no order
	CodeClockUnknown = "CLOCK_UNKNOWN"    // not sent: the exchange's clock could not be read
	CodeTooLate      = "DEADLINE_PASSED"  // not sent: the exchange's clock is past the deadline
	CodeNoTurn       = "NO_TURN"          // not sent: the request budget left no turn before the deadline
	CodeCancelled    = "CANCELLED"        // not sent: the caller gave up first
	CodeUnreachable  = "UNREACHABLE"      // not sent: no connection came about
	CodeNoReply      = "NO_REPLY"         // unknown: bytes may have left, no whole reply came back
	CodeOtherOrder   = "MISMATCHED_REPLY" // unknown: the reply is about something else
	CodePanic        = "PANIC"            // unknown: a bug, after which nothing is sure
)

// Place sends plan at most once and says what is known of it; it returns no
// error that somebody might retry. The signature ends at deadline, an instant
// on the exchange's clock; past it nothing is sent.
func (c *Client) Place(ctx context.Context, plan trade.Plan, clientOrderID uuid.UUID, deadline time.Time) (placed trade.AttemptResult) {
	defer func() {
		if p := recover(); p != nil {
			placed = unknown(CodePanic, fmt.Sprintf("panic while placing: %v", p))
		}
		placed.Message = c.keys.scrub(placed.Message)
	}()
	body, err := orderBody(plan, clientOrderID, c.operator)
	if err != nil {
		return notSent(CodeInvalidPlan, err.Error())
	}
	if err := c.turnBefore(ctx, deadline); err != nil {
		return notSent(codeOf(err), err.Error())
	}
	now, err := c.Now(ctx)
	if err != nil {
		return notSent(CodeClockUnknown, err.Error())
	}
	left := deadline.Sub(now)
	switch {
	case left <= 0:
		return notSent(CodeTooLate, fmt.Sprintf("the deadline passed %s ago", -left))
	case ctx.Err() != nil:
		return notSent(CodeCancelled, ctx.Err().Error())
	}
	return confirm(c.post(ctx, body, deadline, left), plan, clientOrderID)
}

// post is the one place where money can move. left is the time until deadline.
func (c *Client) post(ctx context.Context, body []byte, deadline time.Time, left time.Duration) trade.AttemptResult {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var line connection
	ctx = httptrace.WithClientTrace(ctx, line.trace())
	req, err := c.request(ctx, http.MethodPost, "/order", nil, body)
	if err != nil {
		return notSent(CodeInvalidPlan, err.Error())
	}
	// Without GetBody net/http has no second copy of the body to send.
	req.GetBody = nil
	c.keys.sign(req, body, deadline.Add(-trade.AccessWindow), trade.AccessWindow)
	// A connection that takes until the deadline is not worth having.
	late := time.AfterFunc(left, func() {
		if line.untouched() {
			cancel()
		}
	})
	defer late.Stop()
	status, reply, err := c.send(c.places, req, maxReply)
	switch {
	case err != nil && line.untouched():
		return notSent(CodeUnreachable, err.Error())
	case err != nil:
		return unknown(CodeNoReply, err.Error())
	}
	return Classify(status, reply)
}

// connection watches how far a request came.
type connection struct{ wanted, got atomic.Bool }

func (l *connection) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { l.wanted.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { l.got.Store(true) },
	}
}

// untouched proves that no byte of the request left: a connection was asked
// for and never came. A transport that reports nothing proves nothing.
func (l *connection) untouched() bool { return l.wanted.Load() && !l.got.Load() }

// confirm demotes an acceptance of something that was not asked for.
func confirm(placed trade.AttemptResult, plan trade.Plan, id uuid.UUID) trade.AttemptResult {
	if placed.Reply != trade.Accepted {
		return placed
	}
	o := placed.Order
	if o.Market == plan.Market && o.Side == plan.Side && (o.ClientOrderID == "" || bears(o.ClientOrderID, id)) {
		return placed
	}
	return unknown(CodeOtherOrder, fmt.Sprintf("asked for %s %s as %s, the reply is order %q: %s %q as %q",
		plan.Side, plan.Market, id, o.OrderID, o.Side, o.Market, o.ClientOrderID))
}

// newOrder is the body of POST /order. responseRequired stays at its default,
// true: without the order in the reply an acceptance could not be told.
type newOrder struct {
	Market        string `json:"market"`
	Side          string `json:"side"`
	OrderType     string `json:"orderType"`
	OperatorID    int64  `json:"operatorId"`
	ClientOrderID string `json:"clientOrderId"`
	Amount        string `json:"amount,omitempty"`
	AmountQuote   string `json:"amountQuote,omitempty"`
	Price         string `json:"price,omitempty"`
	TimeInForce   string `json:"timeInForce,omitempty"`
}

func orderBody(plan trade.Plan, id uuid.UUID, operator int64) ([]byte, error) {
	if err := checkPlan(plan, id); err != nil {
		return nil, err
	}
	return json.Marshal(newOrder{
		Market: string(plan.Market), Side: string(plan.Side), OrderType: string(plan.OrderType),
		OperatorID: operator, ClientOrderID: id.String(),
		Amount: plain(plan.Amount), AmountQuote: plain(plan.AmountQuote), Price: plain(plan.Price),
		TimeInForce: plan.TimeInForce,
	})
}

// checkPlan refuses what could mean two things to the exchange.
func checkPlan(plan trade.Plan, id uuid.UUID) error {
	_, market := trade.ParseMarket("market", string(plan.Market))
	limit := plan.OrderType == trade.LimitOrder
	switch {
	case market != nil:
		return market
	case id == uuid.Nil:
		return errors.New("clientOrderId: missing")
	case plan.Side != trade.Buy && plan.Side != trade.Sell:
		return fmt.Errorf("side: %q is neither buy nor sell", plan.Side)
	case !limit && plan.OrderType != trade.MarketOrder:
		return fmt.Errorf("orderType: %q is neither market nor limit", plan.OrderType)
	case limit != (plan.Price != nil):
		return errors.New("price: limit orders have one, market orders none")
	case (plan.Amount == nil) == (plan.AmountQuote == nil) || limit && plan.Amount == nil:
		return errors.New("amount: either amount or amountQuote; a limit order has amount")
	case plan.TimeInForce != "" && (!limit || plan.TimeInForce != "GTC" && plan.TimeInForce != "IOC"):
		return fmt.Errorf("timeInForce: %q is not GTC or IOC of a limit order", plan.TimeInForce)
	}
	return errors.Join(checkAmount("amount", plan.Amount), checkAmount("amountQuote", plan.AmountQuote), checkAmount("price", plan.Price))
}

func checkAmount(field string, d *decimal.Decimal) error {
	if d == nil {
		return nil
	}
	_, err := trade.ParsePositive(field, d.String())
	return err
}

func plain(d *decimal.Decimal) string {
	if d == nil {
		return ""
	}
	return d.String()
}
