// Package orders holds the activities of role orders: the only ones that hold
// the trade key. PlaceOrder spends money and never tries twice; the others
// only find out, follow, cancel and compare.
package orders

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	Place(ctx context.Context, plan trade.Plan, clientOrderID uuid.UUID, deadline time.Time) trade.Placing
	// Look searches for an order by its client order ID, everywhere.
	Look(ctx context.Context, market trade.Market, clientOrderID uuid.UUID, since time.Time) trade.Look
	Order(ctx context.Context, market trade.Market, orderID string) (trade.Order, error)
	Cancel(ctx context.Context, market trade.Market, orderID string) error
}

// Attempts is where attempts and looks are written down.
type Attempts interface {
	BeginAttempt(ctx context.Context, c trade.Claim, number int, deadline time.Time, worker string) (*trade.Placing, error)
	RecordReply(ctx context.Context, c trade.Claim, number int, p trade.Placing) error
	RecordLook(ctx context.Context, c trade.Claim, number int, look trade.Look) error
	Followed(ctx context.Context, c trade.Claim) error
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
	Claim  trade.Claim `json:"claim"`
	Number int         `json:"number"`
}

// lookBack is how far before the claim the exchange's history is searched. It
// covers clocks that disagree.
const lookBack = 10 * time.Minute

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
func (a *Activities) foreign(c trade.Claim) error {
	if c.AccountID == a.Account {
		return nil
	}
	return temporal.NewNonRetryableApplicationError(
		fmt.Sprintf("claim of account %q at a worker of account %q", c.AccountID, a.Account), "ForeignAccount", nil)
}

// FindOrder looks once for the order of an attempt and writes down what it
// saw. An inconclusive look is a result, not an error; an error means that the
// look could not be written down.
func (a *Activities) FindOrder(ctx context.Context, in AttemptInput) (trade.Look, error) {
	defer heartbeat.Keep(ctx)()
	ctx = rate.As(ctx, rate.Urgent)
	if err := a.foreign(in.Claim); err != nil {
		return trade.Look{}, err
	}
	look := a.Exchange.Look(ctx, in.Claim.Plan.Market, in.Claim.ClientOrderID, in.Claim.ClaimedAt.Add(-lookBack))
	return look, final(a.Attempts.RecordLook(ctx, in.Claim, in.Number, look))
}

// OrderInput names an order of a claim at the exchange.
type OrderInput struct {
	Claim   trade.Claim `json:"claim"`
	OrderID string      `json:"orderId"`
}

// OrderReading is an order and the exchange's clock when it was read.
type OrderReading struct {
	Order       *trade.Order `json:"order,omitempty"` // nil: only the clock was asked for
	ExchangeNow time.Time    `json:"exchangeNow"`
}

// ReadOrder reads an order once, for a person's word on it. Without an order
// ID it reads only the exchange's clock.
func (a *Activities) ReadOrder(ctx context.Context, in OrderInput) (OrderReading, error) {
	defer heartbeat.Keep(ctx)()
	ctx = rate.As(ctx, rate.Urgent)
	if err := a.foreign(in.Claim); err != nil {
		return OrderReading{}, err
	}
	now, err := a.Exchange.Now(ctx)
	if err != nil || in.OrderID == "" {
		return OrderReading{ExchangeNow: now}, err
	}
	order, err := a.Exchange.Order(ctx, in.Claim.Plan.Market, in.OrderID)
	return OrderReading{Order: &order, ExchangeNow: now}, err
}

// StillOpenType is the type of the error with which FollowOrder asks to be
// called again.
const StillOpenType = "StillOpen"

// settlePatience is how long after an order's last change its fills may stay
// unsettled before it is recorded without their fees.
const settlePatience = 2 * time.Minute

// FollowOrder returns an accepted order once it can no longer change. Until
// then it fails with StillOpenType, and its retry policy is the poll interval.
func (a *Activities) FollowOrder(ctx context.Context, in OrderInput) (trade.Order, error) {
	defer heartbeat.Keep(ctx)()
	ctx = rate.As(ctx, rate.Urgent)
	if err := a.foreign(in.Claim); err != nil {
		return trade.Order{}, err
	}
	order, err := a.Exchange.Order(ctx, in.Claim.Plan.Market, in.OrderID)
	if err != nil {
		return order, err
	}
	if err := a.Attempts.Followed(ctx, in.Claim); err != nil {
		return order, final(err)
	}
	if order.Status.Final() && (order.Settled() || a.lost(ctx, order)) {
		return order, nil
	}
	return order, temporal.NewApplicationError(fmt.Sprintf("order %s is %s", order.OrderID, order.Status), StillOpenType)
}

// lost reports whether waiting for the fills of a final order has become
// pointless.
func (a *Activities) lost(ctx context.Context, o trade.Order) bool {
	now, err := a.Exchange.Now(ctx)
	return err == nil && now.Sub(o.UpdatedAt) > settlePatience
}

// CancelOrder asks the exchange to cancel an order. A success is a wish, not a
// fact: only following the order tells how it ended.
func (a *Activities) CancelOrder(ctx context.Context, in OrderInput) error {
	defer heartbeat.Keep(ctx)()
	ctx = rate.As(ctx, rate.Urgent)
	if err := a.foreign(in.Claim); err != nil {
		return err
	}
	err := a.Exchange.Cancel(ctx, in.Claim.Plan.Market, in.OrderID)
	if errors.Is(err, trade.ErrNotActive) {
		return nil
	}
	return err
}
