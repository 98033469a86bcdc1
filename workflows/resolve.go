package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/orders"
	"interlock/activities/proposals"
	"interlock/internal/trade"
)

// word is a person's word on the order, until it is weighed.
type word struct {
	ResolveRequest

	view *WordView
}

// onResolve answers a person's word once it was weighed and, if it was taken,
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

// hearWord is onResolve for a signal, which has nobody to answer: what came of
// the word is in the state and in the audit.
func (p *proposal) hearWord(ctx workflow.Context, req ResolveRequest) error {
	p.hear(ctx, req)
	return nil
}

// hear leaves a person's word to whoever looks for the order, or refuses it at
// once. One that comes just before the doubt is kept for it; one that was taken
// and is said again, because its answer was lost, is answered as before.
func (p *proposal) hear(ctx workflow.Context, req ResolveRequest) *word {
	w := &word{ResolveRequest: req, view: &WordView{
		OrderID: req.OrderID, Absent: req.Absent, Actor: req.Actor, Reason: req.Reason, At: workflow.Now(ctx),
	}}
	p.said = w.view
	unfit := checkResolve(req)
	switch {
	case unfit != nil && changed(ctx, strictSignals):
		w.view.OrderID, w.view.Actor, w.view.Reason = trade.Clip(req.OrderID), trade.Clip(req.Actor), trade.Clip(req.Reason)
		p.weighed(ctx, w, plain(unfit))
	case (req.OrderID == "") != req.Absent:
		p.weighed(ctx, w, "give either orderId or absent")
	case !p.status().Claimed() && p.taken != nil && w.ResolveRequest == *p.taken && changed(ctx, wordRepeated):
		p.weighed(ctx, w, "")
	case !p.status().Claimed():
		p.weighed(ctx, w, "the proposal is "+string(p.status())+", not UNRESOLVED")
	case p.order != nil:
		p.weighed(ctx, w, "its order is known: "+p.order.OrderID)
	case p.word != nil:
		p.weighed(ctx, w, "another word is being weighed")
	default:
		p.word = w
	}
	return w
}

// weighed notes what came of a word.
func (p *proposal) weighed(ctx workflow.Context, w *word, problem string) {
	w.view.Weighed, w.view.Accepted, w.view.Problem = true, problem == "", problem
	if problem != "" {
		workflow.GetLogger(ctx).Warn("resolve refused", "actor", w.Actor, "problem", problem)
		return
	}
	p.taken = &w.ResolveRequest
}

// dropWord refuses a word that no doubt has waited for.
func (p *proposal) dropWord(ctx workflow.Context) {
	if w := p.word; w != nil {
		p.word = nil
		p.weighed(ctx, w, "the proposal is "+string(p.status())+", not UNRESOLVED")
	}
}

// takeWord checks a person's word against the exchange and the records. What
// stands against it is told to the person and kept in the audit.
func (p *proposal) takeWord(ctx workflow.Context, number int, w *word) error {
	ref := p.life.Claim.Ref()
	said := proposals.ResolveInput{Claim: ref, Number: number, OrderID: w.OrderID, Actor: w.Actor, Reason: w.Reason}
	in := orders.OrderInput{Claim: ref, OrderID: w.OrderID}
	if err := workflow.ExecuteActivity(look(ctx, p.life.Claim.AccountID), readOrder, in).Get(ctx, nil); err != nil {
		said.Problem = "it could not be checked at the exchange: " + plain(err)
	}
	var problem string
	err := workflow.ExecuteLocalActivity(must(ctx, "a person's word"), proposals.Resolve, said).Get(ctx, &problem)
	if err != nil {
		problem = "the records do not have this doubt: " + plain(err)
	}
	p.word = nil
	p.weighed(ctx, w, problem)
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

// shown is how many attempts, and how many looks, the state shows.
const shown = 20

// unanswered is an attempt under way.
var unanswered = trade.Placing{Reply: trade.Unknown}

// tries notes what is known of an attempt.
func (p *proposal) tries(ctx workflow.Context, number int, placing trade.Placing) {
	at := workflow.Now(ctx)
	for i, a := range p.tried {
		if a.Number == number {
			p.tried[i] = attemptView(number, a.At, placing)
			return
		}
	}
	p.tried = last(append(p.tried, attemptView(number, at, placing)))
}

func (p *proposal) saw(l trade.Looked) { p.looked = last(append(p.looked, lookView(l))) }

func last[T any](list []T) []T { return list[max(0, len(list)-shown):] }

// showTries takes over what the records have.
func (p *proposal) showTries(life trade.Life) {
	p.tried, p.looked = nil, nil
	for _, t := range life.Tried {
		p.tried = append(p.tried, attemptView(t.Number, t.At, t.Placing))
	}
	for _, l := range life.Looked {
		p.saw(l)
	}
}

func attemptView(number int, at time.Time, placing trade.Placing) AttemptView {
	v := AttemptView{Number: number, At: at, Reply: placing.Reply, Code: placing.Code, Message: placing.Message}
	if placing.Order != nil {
		v.OrderID = placing.Order.OrderID
	}
	return v
}

func lookView(l trade.Looked) LookView {
	v := LookView{Attempt: l.Number, At: l.At, Saw: l.Look.Sighting, Detail: l.Look.Detail}
	for _, o := range l.Look.Orders {
		v.Orders = append(v.Orders, o.OrderID)
	}
	return v
}
