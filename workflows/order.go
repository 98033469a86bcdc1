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
	switch {
	case placing.Reply != trade.Accepted:
		return p.fail(ctx, placing)
	case placing.Outcome() == "":
		return p.startOver(ctx, "an order was accepted, and nobody says which")
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
func (p *proposal) placeOrFindOut(ctx workflow.Context) (trade.AttemptResult, error) {
	if p.life.AcceptedOrder != "" {
		return trade.AttemptResult{Reply: trade.Accepted, Order: &trade.Order{OrderID: p.life.AcceptedOrder}}, nil
	}
	if !p.carry.mine {
		return p.findOut(ctx, p.life.DecidingAttempt())
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

// retryPause is between two attempts of which the first surely sent nothing.
const retryPause = 2 * time.Second

// mayTryAgain reports whether a new attempt could still help and begin in time.
func (p *proposal) mayTryAgain(ctx workflow.Context, placing trade.AttemptResult) bool {
	return !p.carry.givenUp && p.life.Claim.MayTryAgain(placing, workflow.Now(ctx).Add(retryPause))
}

// place makes one attempt. Whatever happened to it that is not a sure answer,
// a lost worker included, is found out by looking.
func (p *proposal) place(ctx workflow.Context, number int) (trade.AttemptResult, error) {
	p.life.Attempts = number
	p.tries(ctx, number, unanswered)
	var placing trade.AttemptResult
	in := orders.AttemptInput{Claim: p.life.Claim.Ref(), Number: number}
	err := workflow.ExecuteActivity(once(ctx, p.life.Claim.AccountID), placeOrder, in).Get(ctx, &placing)
	if err == nil {
		p.tries(ctx, number, placing)
	}
	if err == nil && placing.Outcome() != "" {
		return placing, nil
	}
	return p.findOut(ctx, number)
}

// findOut looks for the order of an attempt until the records allow a verdict.
func (p *proposal) findOut(ctx workflow.Context, number int) (trade.AttemptResult, error) {
	p.life.Attempts = number
	in := proposals.AttemptInput{Claim: p.life.Claim.Ref(), Number: number}
	for {
		var f trade.Finding
		if err := p.insist(ctx, proposals.Conclude, in, "conclude if the lookups allow", &f); err != nil {
			return trade.AttemptResult{}, err
		}
		if f.Concluded {
			p.carry.lookups, p.carry.nextLookup = 0, time.Time{}
			p.tries(ctx, number, f.Result)
			return f.Result, p.moveTo(ctx, trade.Executing)
		}
		if err := p.moveTo(ctx, trade.Unresolved); err != nil {
			return trade.AttemptResult{}, err
		}
		if p.mayRenew(ctx) {
			return trade.AttemptResult{}, errRenew
		}
		if err := p.waitAndLook(ctx, number, f.Wait); err != nil {
			return trade.AttemptResult{}, err
		}
	}
}

// waitAndLook pauses, durably, and then looks the order up once; a person's resolution
// ends either.
func (p *proposal) waitAndLook(ctx workflow.Context, number int, wait time.Duration) error {
	pause := trade.LookupPause(p.carry.lookups, wait)
	p.carry.nextLookup = workflow.Now(ctx).Add(pause)
	if _, err := workflow.AwaitWithTimeout(ctx, pause, func() bool { return p.inbox.resolution != nil }); err != nil {
		return err
	}
	if p.inbox.resolution != nil {
		return p.takeResolution(ctx, number, p.inbox.resolution)
	}
	return p.lookUp(ctx, number)
}

// lookUp looks the order up once. What the lookup saw is in the records, also
// when this run is not told.
func (p *proposal) lookUp(ctx workflow.Context, number int) error {
	p.carry.lookups++
	untilAnswered := changed(ctx, lookedUntilAnswered)
	looking, stop := workflow.WithCancel(ctx)
	in := orders.AttemptInput{Claim: p.life.Claim.Ref(), Number: number}
	future := workflow.ExecuteActivity(lookUp(looking, p.life.Claim.AccountID, untilAnswered), findOrder, in)
	if untilAnswered {
		if err := workflow.Await(ctx, func() bool { return future.IsReady() || p.inbox.resolution != nil }); err != nil {
			return err
		}
		if !future.IsReady() {
			stop()
			return nil
		}
	}
	var seen trade.Lookup
	if err := future.Get(ctx, &seen); err != nil {
		workflow.GetLogger(ctx).Warn("lookup failed", "error", err)
		seen = trade.Lookup{Result: trade.Inconclusive, Detail: "the lookup was not finished: " + plain(err)}
	}
	p.saw(trade.PastLookup{Number: number, At: workflow.Now(ctx), Lookup: seen})
	return nil
}

// followToEnd returns the order once it is final and its fills are settled.
func (p *proposal) followToEnd(ctx workflow.Context, o trade.Order) (trade.Order, error) {
	p.view.order = &o
	for timeout := p.openFor(ctx); !o.Over(); timeout = cancelTimeout {
		ended, err := p.watch(ctx, o.OrderID, timeout)
		if err != nil {
			return o, err
		}
		if ended != nil {
			return *ended, nil
		}
		if p.mayRenew(ctx) && changed(ctx, renewedWhileFollowing) {
			return o, errRenew
		}
		if err := p.cancelOrder(ctx, o.OrderID); err != nil {
			return o, err
		}
	}
	return o, nil
}

// cancelTimeout is how long a cancelled order may take to end before it is
// cancelled again.
const cancelTimeout = 15 * time.Second

// openFor is how long the order may stay open from now on.
func (p *proposal) openFor(ctx workflow.Context) time.Duration {
	if p.carry.givenUp {
		return time.Millisecond
	}
	return max(p.life.Claim.OpenUntil(workflow.Now(ctx)).Sub(workflow.Now(ctx)), time.Millisecond)
}

// watch follows an order until the timeout, or until somebody asks to give it
// up; nil means that it is still open.
func (p *proposal) watch(ctx workflow.Context, orderID string, timeout time.Duration) (*trade.Order, error) {
	watching, stop := workflow.WithCancel(ctx)
	in := orders.OrderInput{Claim: p.life.Claim.Ref(), OrderID: orderID}
	future := workflow.ExecuteActivity(follow(watching, p.life.Claim.AccountID), followOrder, in)
	before := p.carry.givenUp
	ended, err := workflow.AwaitWithTimeout(ctx, timeout, func() bool { return future.IsReady() || p.carry.givenUp && !before })
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
	if err := p.insist(ctx, proposals.RecordOrder, in, "trade, execution, audit", &r); err != nil {
		return false, err
	}
	if r.Status.Claimed() {
		workflow.GetLogger(ctx).Error("no row has the order's end; following it again", "order", o.OrderID)
		return false, nil
	}
	if p.view.order = &o; r.Order != nil {
		p.view.order = r.Order
	}
	return true, p.moveTo(ctx, trade.Executed)
}

// fail writes the end of a claim that placed nothing. When the records say that
// it may have placed something, they are read again.
func (p *proposal) fail(ctx workflow.Context, placing trade.AttemptResult) error {
	in := proposals.FailInput{Claim: p.life.Claim.Ref(), Number: p.life.Attempts}
	var now trade.Status // empty in histories from before it was returned
	if err := p.insist(ctx, proposals.FailExecution, in, "nothing was placed", &now); err != nil {
		return err
	}
	p.carry.mine = false
	if now.Claimed() || now == trade.Executed {
		return p.startOver(ctx, "an attempt is in doubt or accepted")
	}
	if err := p.afterFailure(ctx, now); err != nil {
		return err
	}
	failure := placing.Failure()
	p.view.failure = &FailureView{Code: failure.Code, ExchangeCode: failure.ExchangeCode, Message: failure.Message}
	return nil
}

// afterFailure is free again, or the end of a proposal that was given up while
// its claim was carried out: the records know which, also when this run has not
// heard of the cancel.
func (p *proposal) afterFailure(ctx workflow.Context, now trade.Status) error {
	if (p.carry.givenUp || now == trade.Cancelled) && changed(ctx, givenUpWhileClaimed) {
		return p.load(ctx)
	}
	return p.moveTo(ctx, trade.Failed)
}
