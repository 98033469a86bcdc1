// Package orders holds the activities of role orders: the only ones that hold
// the trade key. PlaceOrder spends money and never tries twice; the others
// only find out, follow, cancel and compare.
package orders

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"

	"interlock/activities/heartbeat"
	"interlock/internal/rate"
	"interlock/internal/trade"
)

// Names under which the activities are registered.
const (
	PlaceOrder  = "PlaceOrder"
	FindOrder   = "FindOrder"
	ReadOrder   = "ReadOrder"
	FollowOrder = "FollowOrder"
	CancelOrder = "CancelOrder"
	Reconcile   = "Reconcile"
)

// Exchange is one account at the exchange, with the right to trade.
type Exchange interface {
	// Now estimates the exchange's clock, never ahead of it.
	Now(ctx context.Context) (time.Time, error)
	// Place sends one order once, and says what surely became of it.
	Place(ctx context.Context, plan trade.Plan, clientOrderID uuid.UUID, deadline time.Time) trade.AttemptResult
	// Look searches for an order by its client order ID, everywhere.
	Look(ctx context.Context, s trade.Search) trade.Lookup
	Order(ctx context.Context, market trade.Market, orderID string) (trade.Order, error)
	Cancel(ctx context.Context, market trade.Market, orderID string) error
	OpenOrders(ctx context.Context) ([]trade.Order, error)
}

// Attempts is where attempts, and what is seen of them, are written down. What
// a call names is read from there too: plan, IDs and times of an input would be
// somebody's word.
type Attempts interface {
	BeginAttempt(ctx context.Context, c trade.ClaimRef, number int, deadline time.Time, worker string) (trade.Sending, *trade.AttemptResult, error)
	RecordReply(ctx context.Context, c trade.ClaimRef, number int, p trade.AttemptResult, worker string) error
	// LookupOf returns nil when the attempt is not in doubt.
	LookupOf(ctx context.Context, c trade.ClaimRef, number int) (*trade.Search, error)
	RecordLookup(ctx context.Context, c trade.ClaimRef, number int, look trade.Lookup) error
	AcceptedOrder(ctx context.Context, c trade.ClaimRef) (trade.AcceptedOrder, error)
	// Followed returns the order's end once it has one.
	Followed(ctx context.Context, c trade.ClaimRef, s trade.Sight, worker string) (*trade.Order, error)
	RecordReading(ctx context.Context, c trade.ClaimRef, r trade.Reading) error
}

// Counter counts what happened, for the metrics. A nil one counts nothing.
type Counter interface{ Placed(reply trade.Reply) }

// Activities carry out claims at one account.
type Activities struct {
	Exchange Exchange
	Attempts Attempts
	Account  string // the only account whose claims are taken
	Worker   string // who is acting, for the records
	Counter  Counter
	Log      *slog.Logger
}

// AttemptInput names one attempt of a claim.
type AttemptInput struct {
	Claim  trade.ClaimRef `json:"claim"`
	Number int            `json:"number"`
}

// NotFoundType is the type of the error that says that a claim is not in force
// in this database, here as at the activities of the records. Asking again
// cannot cure it.
const NotFoundType = "NotFound"

func final(err error) error {
	if errors.Is(err, trade.ErrNotFound) {
		return temporal.NewNonRetryableApplicationError(err.Error(), NotFoundType, err)
	}
	return err
}

// foreign stops a claim that reached the wrong worker.
func (a *Activities) foreign(c trade.ClaimRef) error {
	if c.AccountID == a.Account {
		return nil
	}
	return temporal.NewNonRetryableApplicationError(
		fmt.Sprintf("claim of account %q at a worker of account %q", c.AccountID, a.Account), "ForeignAccount", nil)
}

// SilentType is the type of the error that says that the exchange, asked for its
// clock, did not answer: no lookup was spent.
const SilentType = "ExchangeSilent"

// FindOrder looks once for the order of an attempt in doubt and writes down
// what it saw. An inconclusive lookup is a result, not an error; an error means
// that none was made, or that it could not be written down.
func (a *Activities) FindOrder(ctx context.Context, in AttemptInput) (trade.Lookup, error) {
	defer heartbeat.Keep(ctx)()
	ctx = rate.As(ctx, rate.Urgent)
	if err := a.foreign(in.Claim); err != nil {
		return trade.Lookup{}, err
	}
	search, err := a.Attempts.LookupOf(ctx, in.Claim, in.Number)
	if err != nil {
		return trade.Lookup{}, final(err)
	}
	if search == nil {
		return trade.Lookup{Result: trade.Inconclusive, Detail: "the attempt is not in doubt"}, nil
	}
	look := a.Exchange.Look(ctx, *search)
	if look.ExchangeTime.IsZero() {
		return look, temporal.NewApplicationError("the exchange does not answer: "+look.Detail, SilentType)
	}
	return look, final(a.Attempts.RecordLookup(ctx, in.Claim, in.Number, look))
}

// OrderInput names the order of a claim, or one that a person has named.
type OrderInput struct {
	Claim   trade.ClaimRef `json:"claim"`
	OrderID string         `json:"orderId"` // only ReadOrder heeds it
}

// OrderReading is an order and the exchange's clock when it was read.
type OrderReading struct {
	Order       *trade.Order `json:"order,omitempty"` // nil: only the clock was asked for
	ExchangeNow time.Time    `json:"exchangeNow"`
}

// ReadOrder reads an order once, for a person's resolution about it, and writes down
// what it saw. Without an order ID it reads only the exchange's clock.
func (a *Activities) ReadOrder(ctx context.Context, in OrderInput) (OrderReading, error) {
	defer heartbeat.Keep(ctx)()
	ctx = rate.As(ctx, rate.Urgent)
	if err := a.foreign(in.Claim); err != nil {
		return OrderReading{}, err
	}
	accepted, err := a.Attempts.AcceptedOrder(ctx, in.Claim)
	if err != nil {
		return OrderReading{}, final(err)
	}
	reading, err := a.read(ctx, accepted.Market, in.OrderID)
	if err != nil {
		reading.Problem = err.Error()
	}
	if err := a.Attempts.RecordReading(ctx, in.Claim, reading); err != nil {
		return OrderReading{}, final(err)
	}
	return OrderReading{Order: reading.Order, ExchangeNow: reading.ExchangeTime}, err
}

func (a *Activities) read(ctx context.Context, market trade.Market, orderID string) (trade.Reading, error) {
	reading := trade.Reading{OrderID: orderID}
	now, err := a.Exchange.Now(ctx)
	if err != nil || orderID == "" {
		reading.ExchangeTime = now
		return reading, err
	}
	reading.ExchangeTime = now
	order, err := a.Exchange.Order(ctx, market, orderID)
	if err == nil {
		reading.Order = &order
	}
	return reading, err
}

// StillOpenType is the type of the error with which FollowOrder asks to be
// called again.
const StillOpenType = "StillOpen"

// NotAcceptedType is the type of the error that says that no order was accepted
// for the claim: whoever asks must read the truth again.
const NotAcceptedType = "NotAccepted"

// FollowOrder returns the accepted order of a claim once it can no longer
// change, and has written down its end then. Until then it fails with
// StillOpenType, and its retry policy is the poll interval.
func (a *Activities) FollowOrder(ctx context.Context, in OrderInput) (trade.Order, error) {
	defer heartbeat.Keep(ctx)()
	ctx = rate.As(ctx, rate.Urgent)
	accepted, err := a.accepted(ctx, in.Claim)
	if err != nil {
		return trade.Order{}, err
	}
	order, err := a.Exchange.Order(ctx, accepted.Market, accepted.OrderID)
	if err != nil {
		return order, err
	}
	end, err := a.Attempts.Followed(ctx, in.Claim, trade.Sight{Order: order, ExchangeTime: a.clockFor(ctx, order)}, a.Worker)
	switch {
	case err != nil:
		return order, final(err)
	case end != nil:
		return *end, nil
	}
	return order, temporal.NewApplicationError(fmt.Sprintf("order %s is %s", order.OrderID, order.Status), StillOpenType)
}

// accepted reads which order was accepted for a claim.
func (a *Activities) accepted(ctx context.Context, c trade.ClaimRef) (trade.AcceptedOrder, error) {
	if err := a.foreign(c); err != nil {
		return trade.AcceptedOrder{}, err
	}
	accepted, err := a.Attempts.AcceptedOrder(ctx, c)
	switch {
	case err != nil:
		return accepted, final(err)
	case accepted.OrderID == "":
		return accepted, temporal.NewNonRetryableApplicationError("no order was accepted for "+c.ProposalID, NotAcceptedType, nil)
	}
	return accepted, nil
}

// clockFor reads the exchange's clock where it decides: how long the fills of a
// final order have been unsettled. A clock that cannot be read decides nothing.
func (a *Activities) clockFor(ctx context.Context, o trade.Order) time.Time {
	if !o.Status.Final() || o.Settled() {
		return time.Time{}
	}
	now, err := a.Exchange.Now(ctx)
	if err != nil {
		return time.Time{}
	}
	return now
}

// CancelOrder asks the exchange to cancel the accepted order of a claim, once
// its time is over or somebody asked for it. A success is a wish, not a fact:
// only following the order tells how it ended.
func (a *Activities) CancelOrder(ctx context.Context, in OrderInput) error {
	defer heartbeat.Keep(ctx)()
	ctx = rate.As(ctx, rate.Urgent)
	accepted, err := a.accepted(ctx, in.Claim)
	if err != nil {
		return err
	}
	if accepted.MayCancel == "" {
		return errors.New("nobody asked to cancel the order, and its time is not over by the database's clock")
	}
	err = a.Exchange.Cancel(ctx, accepted.Market, accepted.OrderID)
	if errors.Is(err, trade.ErrNotActive) {
		return a.seeGone(ctx, in.Claim, accepted)
	}
	return err
}

// seeGone reads an order that the exchange cancels no more. What ends with a
// status that nobody knows is over if it is not listed as open either; any other
// is left to following.
func (a *Activities) seeGone(ctx context.Context, c trade.ClaimRef, accepted trade.AcceptedOrder) error {
	order, err := a.Exchange.Order(ctx, accepted.Market, accepted.OrderID)
	if err != nil || order.Status.Known() {
		return nil //nolint:nilerr // following reads it again
	}
	open, err := a.Exchange.OpenOrders(ctx)
	if err != nil || slices.ContainsFunc(open, func(o trade.Order) bool { return o.Market == order.Market && o.OrderID == order.OrderID }) {
		return nil //nolint:nilerr // the same
	}
	_, err = a.Attempts.Followed(ctx, c, trade.Sight{Order: order, Gone: true}, a.Worker)
	return final(err)
}
