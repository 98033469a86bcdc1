package orders

import (
	"context"
	"fmt"
	"time"

	"interlock/activities/heartbeat"
	"interlock/internal/rate"
	"interlock/internal/trade"
)

// replyTimeout bounds writing down what the exchange answered. It is counted
// apart from the activity's context: the answer must survive a cancelled call.
const replyTimeout = 5 * time.Second

// PlaceOrder makes one attempt to place the order of a claim, and never more:
// a timeout may hide an accepted order, so anything but a sure answer is
// Unknown and left to looking. It returns no error that a retry could follow.
func (a *Activities) PlaceOrder(ctx context.Context, in AttemptInput) (placing trade.AttemptResult, err error) {
	defer heartbeat.Keep(ctx)()
	ctx = rate.As(ctx, rate.Placement)
	defer func() {
		if r := recover(); r != nil {
			placing, err = unknown("the worker panicked: %v", r), nil
		}
		if a.Counter != nil {
			a.Counter.Placed(placing.Reply)
		}
	}()
	if err := a.foreign(in.Claim); err != nil {
		return trade.AttemptResult{Reply: trade.Unknown}, err
	}
	return a.attempt(ctx, in), nil
}

// attempt opens the attempt's row, looks, sends, and writes the answer down.
// From the row on, every path leaves the attempt concluded or in doubt.
func (a *Activities) attempt(ctx context.Context, in AttemptInput) trade.AttemptResult {
	now, err := a.Exchange.Now(ctx)
	if err != nil {
		return a.withoutRow(ctx, in, err)
	}
	deadline := now.Add(trade.AccessWindow)
	sending, answer, err := a.Attempts.BeginAttempt(ctx, in.Claim, in.Number, deadline, a.Worker)
	if err != nil {
		return unknown("the attempt may have begun: %v", err)
	}
	if answer != nil {
		return *answer
	}
	return a.writeDown(ctx, in, a.send(ctx, sending, deadline))
}

// withoutRow is an exchange that cannot tell the time: nothing was sent, and
// the row is left to Conclude, which voids it.
func (a *Activities) withoutRow(_ context.Context, in AttemptInput, err error) trade.AttemptResult {
	a.Log.Warn("exchange clock", "proposal", in.Claim.ProposalID, "error", err)
	return unknown("the exchange's clock could not be read: %v", err)
}

// send looks first: what is there already is adopted, and where looking fails
// nothing is sent.
func (a *Activities) send(ctx context.Context, s trade.Sending, deadline time.Time) trade.AttemptResult {
	// A look that waits for its turns until nothing may be sent is in vain.
	looking, done := context.WithTimeout(ctx, trade.AccessWindow)
	defer done()
	if instead := s.Instead(a.Exchange.Look(looking, s.Search)); instead != nil {
		return *instead
	}
	return a.Exchange.Place(ctx, s.Plan, s.Search.ClientOrderID, deadline)
}

// writeDown makes the answer a fact. An answer that is not written down is
// unknown, whatever it was: looking will find it again.
func (a *Activities) writeDown(ctx context.Context, in AttemptInput, placing trade.AttemptResult) trade.AttemptResult {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), replyTimeout)
	defer cancel()
	if err := a.Attempts.RecordReply(ctx, in.Claim, in.Number, placing, a.Worker); err != nil {
		a.Log.Warn("reply not written down", "proposal", in.Claim.ProposalID, "reply", placing.Reply, "error", err)
		return unknown("the answer %q could not be written down: %v", placing.Reply, err)
	}
	return placing
}

func unknown(format string, args ...any) trade.AttemptResult {
	return trade.AttemptResult{Reply: trade.Unknown, Message: fmt.Sprintf(format, args...)}
}
