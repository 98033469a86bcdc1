package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/proposals"
	"interlock/internal/trade"
)

// inbox is what those who ask and the run's own coroutine tell each other.
type inbox struct {
	preflight  workflow.Mutex    // one preflight at a time
	signals    workflow.Selector // handled one after another
	handling   bool              // a signal is being handled
	resolution *resolution       // of a person, not decided upon yet
	taken      *ResolveRequest   // the last wish that was taken
	refusals   int               // signals refused by this run
	deciding   int               // resolutions of the accepted order that are put to the records
}

// listen registers everything a proposal can be asked. It comes before the
// first wait, so that nothing sent with the start is lost.
func (p *proposal) listen(ctx workflow.Context) error {
	p.receive(ctx)
	return errors.Join(
		workflow.SetQueryHandler(ctx, StateQuery, func() (State, error) { return p.state(), nil }),
		workflow.SetUpdateHandlerWithOptions(ctx, ExecuteUpdate, p.onExecute, workflow.UpdateHandlerOptions{
			Validator: wellWritten(checkExecute), Description: "execute the proposal, once or not at all",
		}),
		workflow.SetUpdateHandlerWithOptions(ctx, OverrideName, p.onOverride, workflow.UpdateHandlerOptions{
			Validator: wellWritten(checkOverride), Description: "permit one execution in spite of cooldown or anti-flip",
		}),
		workflow.SetUpdateHandlerWithOptions(ctx, ResolveName, p.onResolve, workflow.UpdateHandlerOptions{
			Validator: wellWritten(checkResolve), Description: "take a person's resolution on an order of unknown fate",
		}),
	)
}

// receive handles signals one after another in a coroutine of their own.
func (p *proposal) receive(ctx workflow.Context) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		ctx, _ = workflow.NewDisconnectedContext(ctx)
		p.inbox.signals = workflow.NewSelector(ctx)
		addSignal(ctx, p, OverrideName, p.bySignal)
		addSignal(ctx, p, CancelSignal, p.giveUp)
		addSignal(ctx, p, ResolveName, p.onResolveSignal)
		addSignal(ctx, p, RefreshSignal, p.refresh)
		for {
			p.inbox.signals.Select(ctx)
		}
	})
}

// addSignal decodes a signal and handles it once the proposal is loaded. One
// that is wrongly written, or fails, is refused where people see it: a signal has
// nobody to answer.
func addSignal[T any](ctx workflow.Context, p *proposal, name string, handle func(workflow.Context, T) error) {
	p.inbox.signals.AddReceive(workflow.GetSignalChannel(ctx, name), func(c workflow.ReceiveChannel, _ bool) {
		var request strictly[T]
		if !c.ReceiveAsync(&request) {
			return // no JSON at all
		}
		p.inbox.handling = true
		defer func() { p.inbox.handling = false }()
		if err := request.problem(); err != nil && (request.broken || changed(ctx, strictSignals)) {
			p.refuse(ctx, name, err)
			return
		}
		err := p.whenLoaded(ctx)
		if err == nil {
			err = handle(ctx, request.Value)
		}
		if err != nil {
			p.refuse(ctx, name, err)
		}
	})
}

// maxRefusals is how many refused signals of one run are in the audit: whoever
// sends them without end shall not fill it.
const maxRefusals = 20

// refuse notes that a signal was refused, in the state and in the audit.
func (p *proposal) refuse(ctx workflow.Context, signal string, why error) {
	workflow.GetLogger(ctx).Warn("signal refused", "signal", signal, "problem", why)
	r := RefusalView{Signal: signal, Problem: trade.Clip(plain(why)), At: workflow.Now(ctx)}
	p.view.refused = last(append(p.view.refused, r))
	p.inbox.refusals++
	if p.inbox.refusals > maxRefusals || !changed(ctx, refusalsKept) {
		return
	}
	in := proposals.RefusalInput{ProposalID: p.id, Signal: r.Signal, Problem: r.Problem}
	if err := p.insist(ctx, proposals.NoteRefusal, in, "a signal was refused", nil); err != nil {
		workflow.GetLogger(ctx).Warn("refusal not kept", "error", err)
	}
}

// whenLoaded waits until the truth is read, and fails when there is none.
func (p *proposal) whenLoaded(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return p.loaded }); err != nil {
		return err
	}
	if p.status() == "" {
		return temporal.NewNonRetryableApplicationError("there is no proposal "+p.id, proposals.NotFoundType, nil)
	}
	return nil
}

// Types of the errors that a rejected update carries.
const (
	ReasonRequiredType = string(trade.OverrideReasonRequired)
	ActorRequiredType  = "ACTOR_REQUIRED"
)

// checkExecute refuses a request before it enters history.
func checkExecute(req ExecuteRequest) error {
	switch {
	case req.Actor == "":
		return temporal.NewNonRetryableApplicationError("actor: say who asks", ActorRequiredType, nil)
	case (req.OverrideCooldown || req.OverrideAntiFlip) && req.Reason == "":
		return temporal.NewNonRetryableApplicationError("reason: an override needs one", ReasonRequiredType, nil)
	}
	return checkTexts(req.Actor, req.Reason)
}

// checkOverride leaves everything else to the records, which keep refusals too.
func checkOverride(req OverrideRequest) error { return checkTexts(req.Actor, req.Reason) }

func checkCancel(req CancelRequest) error {
	if req.Actor == "" || req.Reason == "" {
		return temporal.NewNonRetryableApplicationError("actor and reason: say who gives the proposal up, and why", InvalidRequestType, nil)
	}
	return checkTexts(req.Actor, req.Reason)
}

func checkResolve(req ResolveRequest) error {
	if err := trade.CheckText("orderId", req.OrderID, maxActor); err != nil {
		return temporal.NewNonRetryableApplicationError(err.Error(), InvalidRequestType, nil)
	}
	return checkTexts(req.Actor, req.Reason)
}

// onExecute answers an execute request: at once when the proposal is not free,
// else with how things stand when the order ended or ten seconds were over.
func (p *proposal) onExecute(ctx workflow.Context, asked strictly[ExecuteRequest]) (ExecuteResult, error) {
	req := asked.Value
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	began := workflow.Now(ctx)
	won, err := p.tryExecute(ctx, trade.Request{
		ID: workflow.GetCurrentUpdateInfo(ctx).ID, ProposalID: p.id, Actor: req.Actor, Via: "update",
		OverrideCooldown: req.OverrideCooldown, OverrideAntiFlip: req.OverrideAntiFlip, Reason: req.Reason, NotAfter: req.NotAfter,
	})
	if err != nil || !won {
		return p.result(false), err
	}
	timeout := trade.ExecuteAnswer - workflow.Now(ctx).Sub(began)
	_, err = workflow.AwaitWithTimeout(ctx, max(timeout, time.Millisecond), func() bool { return !p.status().Claimed() })
	return p.result(true), err
}

func (p *proposal) result(claimed bool) ExecuteResult {
	s := p.state()
	if claimed || s.Status != trade.Pending && s.Status != trade.Failed {
		s.Blocks = []trade.Block{}
	}
	return ExecuteResult{
		Status: s.Status, Claimed: claimed, Blocks: s.Blocks, PolicyVersion: p.view.policyVersion, Order: s.Order, Failure: s.Failure,
	}
}

// tryExecute runs preflight, one request at a time, and reports whether this
// request won the claim.
func (p *proposal) tryExecute(ctx workflow.Context, req trade.Request) (bool, error) {
	if err := p.whenLoaded(ctx); err != nil {
		return false, err
	}
	if err := p.inbox.preflight.Lock(ctx); err != nil {
		return false, err
	}
	defer p.inbox.preflight.Unlock()
	if !p.status().Executable() {
		return p.wonBy(req), nil
	}
	var d trade.Decision
	err := workflow.ExecuteLocalActivity(answered(ctx, "all checks, and the claim"), proposals.Preflight, req).Get(ctx, &d)
	if err != nil {
		// The claim may have been won and its answer lost.
		return false, errors.Join(err, p.load(ctx))
	}
	return d.Claim != nil, p.decided(ctx, d)
}

// wonBy reports whether the claim is this very request's, asked again because
// the run that it was put to is no more.
func (p *proposal) wonBy(req trade.Request) bool {
	return p.life.Claim != nil && p.life.Claim.RequestID == req.ID
}

// decided takes over what preflight said. A claim for which something was
// attempted before belongs to a run that is no more: its truth is read anew.
func (p *proposal) decided(ctx workflow.Context, d trade.Decision) error {
	p.view.blocks, p.view.policyVersion = d.Verdict.Blocks(), d.Verdict.PolicyVersion
	switch {
	case d.Claim != nil && d.Claim.Untried:
		p.life.Claim, p.life.Proposal.Status, p.carry.mine, p.view.failure = d.Claim, trade.Executing, true, nil
		return p.show(ctx)
	case d.Claim != nil, closedMeanwhile(p.view.blocks):
		return p.load(ctx)
	}
	return p.show(ctx)
}

func closedMeanwhile(blocks []trade.Block) bool {
	for _, b := range blocks {
		if b.Code == trade.ProposalClosed {
			return true
		}
	}
	return false
}

// refresh reads the truth again, for a claim whose answer this run has lost.
// A claim that is being carried out needs none.
func (p *proposal) refresh(ctx workflow.Context, _ struct{}) error {
	if p.status().Claimed() || p.status().Closed() {
		return nil
	}
	return p.load(ctx)
}

// giveUp cancels the proposal, or asks whoever carries its claim out to.
func (p *proposal) giveUp(ctx workflow.Context, req CancelRequest) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	if unfit := checkCancel(req); unfit != nil && changed(ctx, refusalsKept) {
		return unfit
	}
	in := proposals.CancelInput{ProposalID: p.id, Actor: req.Actor, Reason: req.Reason}
	var now trade.Status
	if err := p.insist(ctx, proposals.Cancel, in, "cancel", &now); err != nil {
		return err
	}
	p.carry.givenUp = true
	if p.status().Claimed() {
		return nil // whoever carries the claim out also knows the order with which it ends
	}
	return p.moveTo(ctx, now)
}

func (p *proposal) bySignal(ctx workflow.Context, req OverrideRequest) error {
	r, err := p.override(ctx, req, "signal")
	if err == nil && r.Problem != "" {
		p.view.refused = last(append(p.view.refused, RefusalView{
			Signal: OverrideName, Actor: trade.Clip(req.Actor), Problem: r.Problem, At: workflow.Now(ctx),
		}))
	}
	return err
}

func (p *proposal) onOverride(ctx workflow.Context, asked strictly[OverrideRequest]) (OverrideResult, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	if err := p.whenLoaded(ctx); err != nil {
		return OverrideResult{}, err
	}
	return p.override(ctx, asked.Value, "update")
}

// override stores an override and, when asked to, executes with it at once.
// Its actor is unverified, whichever door it came through.
func (p *proposal) override(ctx workflow.Context, req OverrideRequest, via string) (OverrideResult, error) {
	o := trade.Override{
		ID: req.ID, ProposalID: p.id, Cooldown: req.Cooldown, AntiFlip: req.AntiFlip, Checks: req.Checks,
		Actor: req.Actor, Reason: req.Reason, ExpiresAt: req.ExpiresAt,
	}.Named()
	if o.ID == "" {
		o.ID = o.DerivedID()
	}
	result := OverrideResult{OverrideID: o.ID}
	err := p.insist(ctx, proposals.StoreOverride, proposals.OverrideInput{Override: o, Via: via}, "keep the override", &result.Problem)
	if result.Accepted = err == nil && result.Problem == ""; !result.Accepted || !req.Execute {
		return result, err
	}
	won, err := p.tryExecute(ctx, trade.Request{ID: "override:" + o.ID, ProposalID: p.id, Actor: o.Actor, Via: via})
	execute := p.result(won)
	result.Execute = &execute
	return result, err
}
