package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/orders"
	"interlock/activities/proposals"
	"interlock/internal/trade"
)

// resolution is a person's resolution about the order, until it is decided upon.
type resolution struct {
	ResolveRequest

	view *ResolutionView
}

// onResolve answers a person's resolution once it was decided upon and, if it was taken,
// when its order has ended or ten seconds were over.
func (p *proposal) onResolve(ctx workflow.Context, asked strictly[ResolveRequest]) (ResolveResult, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	if err := p.whenLoaded(ctx); err != nil {
		return ResolveResult{}, err
	}
	w := p.hear(ctx, asked.Value)
	if err := workflow.Await(ctx, func() bool { return w.view.Weighed }); err != nil {
		return ResolveResult{}, err
	}
	if w.view.Accepted {
		if _, err := workflow.AwaitWithTimeout(ctx, trade.ExecuteAnswer, func() bool { return !p.status().Claimed() }); err != nil {
			return ResolveResult{}, err
		}
	}
	s := p.state()
	return ResolveResult{
		Accepted: w.view.Accepted, Problem: w.view.Problem, Status: s.Status, Order: s.Order, Failure: s.Failure,
	}, nil
}

// onResolveSignal is onResolve for a signal, which has nobody to answer: what came of
// the wish is in the state and in the audit.
func (p *proposal) onResolveSignal(ctx workflow.Context, req ResolveRequest) error {
	p.hear(ctx, req)
	return nil
}

// hear leaves a person's resolution to whoever looks for the order, or refuses it at
// once. One that comes just before the doubt is kept for it; one that was taken
// and is said again, because its answer was lost, is answered as before.
func (p *proposal) hear(ctx workflow.Context, req ResolveRequest) *resolution {
	w := &resolution{ResolveRequest: req, view: &ResolutionView{
		OrderID: req.OrderID, Absent: req.Absent, Actor: req.Actor, Reason: req.Reason, At: workflow.Now(ctx),
	}}
	p.view.resolution = w.view
	unfit := checkResolve(req)
	switch {
	case unfit != nil && changed(ctx, strictSignals):
		w.view.OrderID, w.view.Actor, w.view.Reason = trade.Clip(req.OrderID), trade.Clip(req.Actor), trade.Clip(req.Reason)
		p.decide(ctx, w, plain(unfit))
	case (req.OrderID == "") != req.Absent:
		p.decide(ctx, w, "give either orderId or absent")
	case !p.status().Claimed() && p.inbox.taken != nil && w.ResolveRequest == *p.inbox.taken && changed(ctx, wordRepeated):
		p.decide(ctx, w, "")
	case !p.status().Claimed():
		p.decide(ctx, w, "the proposal is "+string(p.status())+", not UNRESOLVED")
	case p.view.order != nil && p.view.order.OrderID == req.OrderID && changed(ctx, unclearResolved):
		p.resolveAccepted(ctx, w)
	case p.view.order != nil:
		p.decide(ctx, w, "its order is known: "+p.view.order.OrderID)
	case p.inbox.resolution != nil:
		p.decide(ctx, w, "another wish is being decided upon")
	default:
		p.inbox.resolution = w
	}
	return w
}

// resolveAccepted puts a resolution of the accepted order to the records while
// the order is followed.
func (p *proposal) resolveAccepted(ctx workflow.Context, w *resolution) {
	p.inbox.deciding++
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { p.inbox.deciding-- }()
		if err := p.takeResolution(ctx, p.life.Attempts, w); err != nil {
			workflow.GetLogger(ctx).Warn("resolution not decided upon", "error", err)
		}
	})
}

// decide notes what came of a wish.
func (p *proposal) decide(ctx workflow.Context, w *resolution, problem string) {
	w.view.Weighed, w.view.Accepted, w.view.Problem = true, problem == "", problem
	if problem != "" {
		workflow.GetLogger(ctx).Warn("resolve refused", "actor", w.Actor, "problem", problem)
		return
	}
	p.inbox.taken = &w.ResolveRequest
}

// dropResolution refuses a wish that no doubt has waited for.
func (p *proposal) dropResolution(ctx workflow.Context) {
	if w := p.inbox.resolution; w != nil {
		p.inbox.resolution = nil
		p.decide(ctx, w, "the proposal is "+string(p.status())+", not UNRESOLVED")
	}
}

// takeResolution checks a person's resolution against the exchange and the records. What
// stands against it is told to the person and kept in the audit.
func (p *proposal) takeResolution(ctx workflow.Context, number int, w *resolution) error {
	ref := p.life.Claim.Ref()
	said := proposals.ResolveInput{Claim: ref, Number: number, OrderID: w.OrderID, Actor: w.Actor, Reason: w.Reason}
	in := orders.OrderInput{Claim: ref, OrderID: w.OrderID}
	if err := workflow.ExecuteActivity(readOnce(ctx, p.life.Claim.AccountID), readOrder, in).Get(ctx, nil); err != nil {
		said.Problem = "it could not be checked at the exchange: " + plain(err)
	}
	var problem string
	err := p.insist(ctx, proposals.Resolve, said, "a person's resolution", &problem)
	if err != nil {
		problem = "the records do not have this doubt: " + plain(err)
	}
	if p.inbox.resolution == w {
		p.inbox.resolution = nil
	}
	p.decide(ctx, w, problem)
	return err
}

// plain is what an activity said, without the wrapping that names it.
func plain(err error) string {
	var failure *temporal.ApplicationError
	if errors.As(err, &failure) {
		return failure.Message()
	}
	return err.Error()
}
