// Package notify holds what tells services outside of events. Every try is
// counted in the database before it is made, and its end is written there: the
// database decides what is due, and a worker that dies loses nothing. It never
// waits for an order, nor an order for it.
package notify

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"

	"interlock/activities/heartbeat"
	"interlock/internal/outbox"
	"interlock/internal/trade"
)

// Names under which the activities are registered.
const (
	DueRules = "DueRules"
	Deliver  = "Deliver"
)

// Deliveries is where events wait for whom they are to be told.
type Deliveries interface {
	DueRules(ctx context.Context, busy []string, most int) ([]string, error)
	TakeDelivery(ctx context.Context, rule string, most int, within time.Duration) (outbox.Delivery, error)
	Delivered(ctx context.Context, eventID int64, rule string) error
	NotDelivered(ctx context.Context, eventID int64, rule, why string, pause time.Duration, last bool) error
}

// Sender tells a service once, within a bound. Its errors hold no secret.
type Sender interface {
	Send(ctx context.Context, d outbox.Delivery) error
}

// Counter counts tries.
type Counter interface {
	Delivered(service string)
	NotDelivered(service string, givenUp bool)
}

// Activities deliver.
type Activities struct {
	Deliveries Deliveries
	Sender     Sender
	Counter    Counter // may be nil
}

const (
	// Tries is how often an event is tried to be told before it is given up.
	Tries = 32

	// TryWithin is when a try that nobody ended may be made again. It is well
	// beyond what a sender takes.
	TryWithin = 20 * time.Second

	mostDue   = 50
	mostSent  = 500 // in one activity
	mostInRow = 3   // failures, after which a service is left alone for a moment
	longest   = 20 * time.Second
)

// Pause is how long to wait after a try that failed: 1 s, 3 s, 9 s and so on up
// to an hour, a day in all.
func Pause(attempt int) time.Duration {
	pause := time.Second
	for range attempt - 1 {
		pause = min(3*pause, time.Hour)
	}
	return pause
}

// pollEvery is how soon an event is noticed.
const pollEvery = 500 * time.Millisecond

// DueRules waits until a rule has something to be told, and lists such rules
// but the busy ones. It returns none when nothing was due for a while: a short
// one while others are busy, for they will be free.
func (a *Activities) DueRules(ctx context.Context, busy []string) ([]string, error) {
	defer heartbeat.Keep(ctx)()
	patience := longest
	if len(busy) > 0 {
		patience = time.Second
	}
	ends := time.Now().Add(patience)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		due, err := a.Deliveries.DueRules(ctx, busy, mostDue)
		if err != nil || len(due) > 0 || time.Now().After(ends) {
			return due, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-stopping(ctx):
			return nil, nil
		case <-tick.C:
		}
	}
}

// stopping is closed when this worker is told to stop.
func stopping(ctx context.Context) <-chan struct{} {
	if !activity.IsActivity(ctx) {
		return nil
	}
	return activity.GetWorkerStopChannel(ctx)
}

// Report is what came of telling a rule.
type Report struct {
	Delivered int `json:"delivered"`
	Failed    int `json:"failed"`
}

// Deliver tells a rule what is due, the oldest first, until nothing is, some
// tries in a row fail, or it has told much. A try that was cut off is made
// again: the same event may arrive twice, with the same ID.
func (a *Activities) Deliver(ctx context.Context, rule string) (Report, error) {
	defer heartbeat.Keep(ctx)()
	var r Report
	inRow := 0
	for ends := time.Now().Add(longest); inRow < mostInRow && r.Delivered < mostSent && time.Now().Before(ends); {
		d, err := a.Deliveries.TakeDelivery(ctx, rule, Tries, TryWithin)
		if errors.Is(err, trade.ErrNotFound) {
			return r, nil
		}
		if err != nil {
			return r, err
		}
		before := r.Delivered
		if err := a.tell(ctx, d, &r); err != nil {
			return r, err
		}
		if inRow++; r.Delivered > before {
			inRow = 0
		}
	}
	return r, nil
}

func (a *Activities) tell(ctx context.Context, d outbox.Delivery, r *Report) error {
	failure := a.Sender.Send(ctx, d)
	if failure == nil {
		r.Delivered++
		if a.Counter != nil {
			a.Counter.Delivered(d.Service)
		}
		return a.Deliveries.Delivered(ctx, d.ID, d.RuleID)
	}
	if ctx.Err() != nil {
		return ctx.Err() // stopped in the middle: nobody knows
	}
	r.Failed++
	last := d.Attempt >= Tries
	if a.Counter != nil {
		a.Counter.NotDelivered(d.Service, last)
	}
	return a.Deliveries.NotDelivered(ctx, d.ID, d.RuleID, failure.Error(), Pause(d.Attempt), last)
}
