package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"interlock/activities/orders"
	"interlock/activities/proposals"
	"interlock/internal/trade"
)

// carryOut brings a claim to its end: the order is placed, or found, or found
// absent; it is followed to its last fill; and the records say so. It ends
// early only to continue as new while an order is unknown.
func (p *proposal) carryOut(ctx workflow.Context) error {
	placing, err := p.placeOrFindOut(ctx)
	if err != nil {
		return err
	}
	if placing.Reply != trade.Accepted {
		return p.fail(ctx, placing)
	}
	return p.followAndRecord(ctx, *placing.Order)
}

// followAndRecord ends when the records have the order's end. What this run was
// told is not believed: if no row says it, the order is followed again.
func (p *proposal) followAndRecord(ctx workflow.Context, o trade.Order) error {
	for {
		order, err := p.followToEnd(ctx, o)
		if err != nil {
			return err
		}
		if recorded, err := p.record(ctx, order); err != nil || recorded {
			return err
		}
		if p.mayRenew(ctx) {
			return errRenew
		}
		if err := workflow.Sleep(ctx, retryPause); err != nil {
			return err
		}
		o = trade.Order{OrderID: order.OrderID}
	}
}

// placeOrFindOut attempts the order. Only a run that won the claim itself may
// send, and only while nothing is in doubt; whoever comes later looks.
func (p *proposal) placeOrFindOut(ctx workflow.Context) (trade.Placing, error) {
	if p.life.AcceptedOrder != "" {
		return trade.Placing{Reply: trade.Accepted, Order: &trade.Order{OrderID: p.life.AcceptedOrder}}, nil
	}
	if !p.mine {
		return p.findOut(ctx, p.lastAttempt())
	}
	for number := p.life.Claim.NextAttempt; ; number++ {
		placing, err := p.place(ctx, number)
		if err != nil || !p.mayTryAgain(ctx, placing) {
			return placing, err
		}
		if err := workflow.Sleep(ctx, retryPause); err != nil {
			return placing, err
		}
	}
}

// lastAttempt is the one that decides a claim which an earlier run began: the
// attempt in doubt, else the last one, else the next one, which concluding
// voids so that nobody can begin it.
func (p *proposal) lastAttempt() int {
	switch {
	case p.life.InDoubt > 0:
		return p.life.InDoubt
	case p.life.Claim.Untried:
		return p.life.Claim.NextAttempt
	}
	return p.life.Claim.NextAttempt - 1
}

// retryPause is between two attempts of which the first surely sent nothing.
const retryPause = 2 * time.Second

// mayTryAgain reports whether a new attempt could still help and begin in time.
func (p *proposal) mayTryAgain(ctx workflow.Context, placing trade.Placing) bool {
	return placing.MayPass() && !p.cancelled && workflow.Now(ctx).Add(retryPause).Sub(p.life.Claim.ClaimedAt) < trade.SendWithin
}

// place makes one attempt. Whatever happened to it that is not a sure answer,
// a lost worker included, is found out by looking.
func (p *proposal) place(ctx workflow.Context, number int) (trade.Placing, error) {
	p.life.Attempts = number
	p.tries(ctx, number, unanswered)
	var placing trade.Placing
	in := orders.AttemptInput{Claim: p.life.Claim.Ref(), Number: number}
	err := workflow.ExecuteActivity(once(ctx, p.life.Claim.AccountID), placeOrder, in).Get(ctx, &placing)
	if err == nil {
		p.tries(ctx, number, placing)
	}
	if err == nil && placing.Reply != trade.Unknown {
		return placing, nil
	}
	return p.findOut(ctx, number)
}

// findOut looks for the order of an attempt until the records allow a verdict.
func (p *proposal) findOut(ctx workflow.Context, number int) (trade.Placing, error) {
	p.life.Attempts = number
	in := proposals.AttemptInput{Claim: p.life.Claim.Ref(), Number: number}
	for {
		var f trade.Finding
		if err := workflow.ExecuteLocalActivity(must(ctx, "conclude if the looks allow"), proposals.Conclude, in).Get(ctx, &f); err != nil {
			return trade.Placing{}, err
		}
		if f.Concluded {
			p.looks, p.nextLook = 0, time.Time{}
			p.tries(ctx, number, f.Placing)
			return f.Placing, p.moveTo(ctx, trade.Executing)
		}
		if err := p.moveTo(ctx, trade.Unresolved); err != nil {
			return trade.Placing{}, err
		}
		if p.mayRenew(ctx) {
			return trade.Placing{}, errRenew
		}
		if err := p.waitAndLook(ctx, number, f.Wait); err != nil {
			return trade.Placing{}, err
		}
	}
}

// waitAndLook pauses, durably, and then looks once; a person's word ends the
// pause. What the look saw is in the records, also when this run is not told.
func (p *proposal) waitAndLook(ctx workflow.Context, number int, wait time.Duration) error {
	pause := lookPause(p.looks, wait)
	p.nextLook = workflow.Now(ctx).Add(pause)
	if _, err := workflow.AwaitWithTimeout(ctx, pause, func() bool { return p.word != nil }); err != nil {
		return err
	}
	if p.word != nil {
		return p.takeWord(ctx, number, p.word)
	}
	p.looks++
	in := orders.AttemptInput{Claim: p.life.Claim.Ref(), Number: number}
	var seen trade.Look
	err := workflow.ExecuteActivity(look(ctx, p.life.Claim.AccountID), findOrder, in).Get(ctx, &seen)
	if err != nil {
		workflow.GetLogger(ctx).Warn("look failed", "error", err)
		seen = trade.Look{Sighting: trade.Inconclusive, Detail: "the look was not finished: " + plain(err)}
	}
	p.saw(trade.Looked{Number: number, At: workflow.Now(ctx), Look: seen})
	return nil
}

// followToEnd returns the order once it is final and its fills are settled.
func (p *proposal) followToEnd(ctx workflow.Context, o trade.Order) (trade.Order, error) {
	p.order = &o
	for patience := p.timeToLive(ctx); !o.Status.Final() || !o.Settled(); patience = cancelPatience {
		ended, err := p.watch(ctx, o.OrderID, patience)
		if err != nil {
			return o, err
		}
		if ended != nil {
			return *ended, nil
		}
		if err := p.cancelOrder(ctx, o.OrderID); err != nil {
			return o, err
		}
	}
	return o, nil
}

// cancelPatience is how long a cancelled order may take to end before it is
// cancelled again.
const cancelPatience = 15 * time.Second

// timeToLive is how long an order may stay open. An order that takes the
// market's price ends by itself; if it does not, it is cancelled as well.
func (p *proposal) timeToLive(ctx workflow.Context) time.Duration {
	plan := p.life.Claim.Plan
	switch {
	case p.cancelled:
		return time.Millisecond
	case plan.TimeInForce != "GTC":
		return time.Minute
	}
	return max(p.life.Claim.ClaimedAt.Add(plan.TimeToLive.Std()).Sub(workflow.Now(ctx)), time.Millisecond)
}

// watch follows an order for at most patience, or until somebody asks to give
// it up; nil means that it is still open.
func (p *proposal) watch(ctx workflow.Context, orderID string, patience time.Duration) (*trade.Order, error) {
	watching, stop := workflow.WithCancel(ctx)
	in := orders.OrderInput{Claim: p.life.Claim.Ref(), OrderID: orderID}
	future := workflow.ExecuteActivity(follow(watching, p.life.Claim.AccountID), followOrder, in)
	before := p.cancelled
	ended, err := workflow.AwaitWithTimeout(ctx, patience, func() bool { return future.IsReady() || p.cancelled && !before })
	if err != nil {
		return nil, err
	}
	if !ended || !future.IsReady() {
		stop()
		return nil, nil
	}
	var o trade.Order
	err = future.Get(ctx, &o)
	return &o, err
}

func (p *proposal) cancelOrder(ctx workflow.Context, orderID string) error {
	in := orders.OrderInput{Claim: p.life.Claim.Ref(), OrderID: orderID}
	return workflow.ExecuteActivity(follow(ctx, p.life.Claim.AccountID), cancelOrder, in).Get(ctx, nil)
}

// record writes the end of an accepted order, and reports whether the records
// have one.
func (p *proposal) record(ctx workflow.Context, o trade.Order) (bool, error) {
	in := proposals.RecordInput{Claim: p.life.Claim.Ref()}
	var r trade.Recorded // empty in histories from before it was returned
	if err := workflow.ExecuteLocalActivity(must(ctx, "trade, execution, audit"), proposals.RecordOrder, in).Get(ctx, &r); err != nil {
		return false, err
	}
	if r.Status.Claimed() {
		workflow.GetLogger(ctx).Error("no row has the order's end; following it again", "order", o.OrderID)
		return false, nil
	}
	if p.order = &o; r.Order != nil {
		p.order = r.Order
	}
	return true, p.moveTo(ctx, trade.Executed)
}

// fail writes the end of a claim that placed nothing. When the records say that
// it may have placed something, they are read again.
func (p *proposal) fail(ctx workflow.Context, placing trade.Placing) error {
	in := proposals.FailInput{Claim: p.life.Claim.Ref(), Number: p.life.Attempts}
	var now trade.Status // empty in histories from before it was returned
	if err := workflow.ExecuteLocalActivity(must(ctx, "nothing was placed"), proposals.FailExecution, in).Get(ctx, &now); err != nil {
		return err
	}
	p.mine = false
	if now.Claimed() || now == trade.Executed {
		return p.startOver(ctx, "an attempt is in doubt or accepted")
	}
	if err := p.afterFailure(ctx, now); err != nil {
		return err
	}
	failure := placing.Failure()
	p.failure = &FailureView{Code: failure.Code, ExchangeCode: failure.ExchangeCode, Message: failure.Message}
	return nil
}

// afterFailure is free again, or the end of a proposal that was given up while
// its claim was carried out: the records know which, also when this run has not
// heard of the cancel.
func (p *proposal) afterFailure(ctx workflow.Context, now trade.Status) error {
	if (p.cancelled || now == trade.Cancelled) && changed(ctx, givenUpWhileClaimed) {
		return p.load(ctx)
	}
	return p.moveTo(ctx, trade.Failed)
}
