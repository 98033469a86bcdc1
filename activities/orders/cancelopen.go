package orders

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"interlock/internal/trade"
)

// OpenBook is what a cancel-open asks of the exchange.
type OpenBook interface {
	// Time reads the exchange's clock now.
	Time(ctx context.Context) (time.Time, error)
	OpenOrders(ctx context.Context) ([]trade.Order, error)
	Look(ctx context.Context, s trade.Search) trade.Lookup
	Order(ctx context.Context, market trade.Market, orderID string) (trade.Order, error)
	Cancel(ctx context.Context, market trade.Market, orderID string) error
}

// Wishes is where cancel-opens are found and written down.
type Wishes interface {
	TakeCancelOpen(ctx context.Context, account, worker string, lease time.Duration) (*trade.CancelOpen, error)
	SentAttempts(ctx context.Context, c trade.CancelOpen, exchangeNow time.Time) ([]trade.SentAttempt, error)
	ProposalOf(ctx context.Context, account string, o trade.Order) (string, error)
	CancelledOrders(ctx context.Context, id int64) ([]trade.CancelledOrder, error)
	NoteCancelled(ctx context.Context, c trade.CancelOpen, o trade.CancelledOrder) error
	ConcludeCancelOpen(ctx context.Context, c trade.CancelOpen, left []trade.Obstacle) ([]trade.Obstacle, error)
}

// Endings counts orders that ended under a cancel-open. A nil one counts nothing.
type Endings interface {
	CancelledByHalt(result trade.CancelResult)
}

// Canceller watches the trading state of one account and, when a halt asks for
// it, cancels every open order of ours until none is left and none can appear.
// It is no activity: a halt must hold with Temporal down.
type Canceller struct {
	Book     OpenBook
	Wishes   Wishes
	Account  string
	Worker   string
	Operator int64 // orders that bear it are ours, also when the records lack them
	Every    time.Duration
	Counter  Endings
	Log      *slog.Logger
}

// cancelLease is how long a worker that was killed or frozen keeps a
// cancel-open from the others of its account.
const cancelLease = 5 * time.Second

// Run watches until ctx ends. Whatever fails is tried again: the wish stays.
func (c *Canceller) Run(ctx context.Context) {
	ticker := time.NewTicker(c.Every)
	defer ticker.Stop()
	failing := false
	for {
		err := c.Pass(ctx)
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != failing {
			failing = err != nil
			c.Log.Warn("cancel-open", "failing", failing, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Pass looks once for a cancel-open and carries it as far as it goes now. An
// error is written down as what stands in the way, if the database can be
// reached.
func (c *Canceller) Pass(ctx context.Context) error {
	wish, err := c.Wishes.TakeCancelOpen(ctx, c.Account, c.Worker, cancelLease)
	if err != nil || wish == nil {
		return err
	}
	left, err := c.cancelAll(ctx, *wish)
	if err != nil {
		left = append(left, trade.Obstacle{Why: "it could not be looked: " + err.Error()})
	}
	left, noted := c.Wishes.ConcludeCancelOpen(ctx, *wish, left)
	switch {
	case errors.Is(noted, trade.ErrConflict): // another worker, or a person, was faster
	case noted == nil && len(left) == 0:
		c.Log.Info("cancel-open complete", "account", c.Account, "id", wish.ID)
	default:
		err = errors.Join(err, noted)
	}
	return err
}

// cancelAll reads the clock first, so that whatever it finds missing was
// missing after that instant.
func (c *Canceller) cancelAll(ctx context.Context, wish trade.CancelOpen) ([]trade.Obstacle, error) {
	now, err := c.Book.Time(ctx)
	if err != nil {
		return nil, err
	}
	sent, err := c.Wishes.SentAttempts(ctx, wish, now)
	if err != nil {
		return nil, err
	}
	found := targets{known: map[string]bool{}}
	doubts, unseen := c.find(ctx, &found, wish, sent, now)
	if err := errors.Join(c.end(ctx, wish, found.list), unseen); err != nil {
		return nil, err
	}
	dealtWith, err := c.Wishes.CancelledOrders(ctx, wish.ID)
	sight := trade.CancelSight{ExchangeNow: now, ReadLag: wish.ReadLag, Sent: sent, Orders: dealtWith, Doubts: doubts}
	return sight.Obstacles(), err
}

// find gathers the orders to end: what the exchange lists as open, what was
// accepted and is not recorded as ended, what earlier passes left open, and
// what a look under the ID of an attempt in doubt shows. What it found counts
// also when it could not see everything, which is the error.
func (c *Canceller) find(ctx context.Context, found *targets, wish trade.CancelOpen, sent []trade.SentAttempt, now time.Time) (doubts []string, err error) {
	open, err := c.Book.OpenOrders(ctx)
	for _, o := range open {
		err = errors.Join(err, c.sort(ctx, found, o))
	}
	before, missing := c.Wishes.CancelledOrders(ctx, wish.ID)
	err = errors.Join(err, missing)
	found.unlessEnded(before, sent)
	for _, a := range sent {
		if a.OrderID != "" || !now.After(a.Visible(wish.ReadLag)) {
			continue
		}
		look := c.Book.Look(ctx, a.Search())
		if look.Result == trade.Inconclusive {
			doubts = append(doubts, a.ProposalID)
		}
		for _, o := range look.Orders {
			found.add(target(o, a.ProposalID))
		}
	}
	return doubts, err
}

// sort tells our orders from others. An order that our records do not know but
// that bears our operator ID is what a restored database has forgotten.
func (c *Canceller) sort(ctx context.Context, found *targets, o trade.Order) error {
	proposal, err := c.Wishes.ProposalOf(ctx, c.Account, o)
	if err != nil {
		return err
	}
	t := target(o, proposal)
	if proposal == "" && (c.Operator == 0 || o.OperatorID != c.Operator) {
		t.Result, t.Detail = trade.CancelOpenForeign, fmt.Sprintf("not placed by Interlock (operator %d); left as it is", o.OperatorID)
	}
	found.add(t)
	return nil
}

// end asks every order to end before it reads any: what is open costs money,
// what is written down does not.
func (c *Canceller) end(ctx context.Context, wish trade.CancelOpen, list []trade.CancelledOrder) error {
	answers := make([]error, len(list))
	for i, t := range list {
		if t.Result != trade.CancelOpenForeign {
			answers[i] = c.Book.Cancel(ctx, t.Market, t.OrderID)
		}
	}
	for i, t := range list {
		if t.Result != trade.CancelOpenForeign {
			t = c.read(ctx, t, answers[i])
		}
		if err := c.Wishes.NoteCancelled(ctx, wish, t); err != nil {
			return err
		}
		if c.Counter != nil {
			c.Counter.CancelledByHalt(t.Result)
		}
	}
	return nil
}

// read says how an order stands after it was asked to end. Only the exchange's
// word on the order counts, not its answer to the cancel.
func (c *Canceller) read(ctx context.Context, t trade.CancelledOrder, answer error) trade.CancelledOrder {
	o, err := c.Book.Order(ctx, t.Market, t.OrderID)
	if err != nil {
		t.Result, t.Detail = trade.CancelOpenStill, errors.Join(answer, err).Error()
		return t
	}
	t.Result, t.Status, t.FilledAmount, t.Detail = trade.Ending(o), o.Status, o.FilledAmount, ""
	if t.Result == trade.CancelOpenStill {
		t.Detail = "it is " + string(o.Status)
		if answer != nil {
			t.Detail += ": " + answer.Error()
		}
	}
	return t
}

// targets collects each order once. IDs are unique per market only.
type targets struct {
	list  []trade.CancelledOrder
	known map[string]bool
}

func target(o trade.Order, proposal string) trade.CancelledOrder {
	return trade.CancelledOrder{
		Market: o.Market, OrderID: o.OrderID, ClientOrderID: o.ClientOrderID, ProposalID: proposal,
		Result: trade.CancelOpenStill, Status: o.Status, FilledAmount: o.FilledAmount,
	}
}

func (s *targets) add(t trade.CancelledOrder) {
	key := string(t.Market) + " " + t.OrderID
	if !s.known[key] {
		s.known[key] = true
		s.list = append(s.list, t)
	}
}

// unlessEnded adds what the records know and no list needs to show: orders may
// be accepted and not listed yet, or listed once and not any more.
func (s *targets) unlessEnded(before []trade.CancelledOrder, sent []trade.SentAttempt) {
	over := map[string]bool{}
	for _, t := range before {
		if t.Result == trade.CancelOpenStill {
			s.add(t)
			continue
		}
		over[string(t.Market)+" "+t.OrderID] = true
	}
	for _, a := range sent {
		if a.OrderID != "" && !a.Ended && !over[string(a.Market)+" "+a.OrderID] {
			s.add(trade.CancelledOrder{
				Market: a.Market, OrderID: a.OrderID, ClientOrderID: a.ClientOrderID.String(), ProposalID: a.ProposalID, Result: trade.CancelOpenStill,
			})
		}
	}
}
