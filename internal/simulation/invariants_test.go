package simulation

import (
	"interlock/internal/trade"
	"interlock/workflows"
)

// noteAccepted is asked before an order comes into being.
func (x *exchange) noteAccepted(p *post) {
	w := x.w
	if x.has(p.client) {
		w.wrongf("a second order under one client order ID")
	}
	if x.now().After(p.deadline) {
		w.wrongf("an order %s after its deadline", x.now().Sub(p.deadline))
	}
	if w.records.attemptOf(p.deadline) == nil {
		w.wrongf("an order without an attempt")
	}
}

func (r *records) attemptOf(deadline interface{ UnixNano() int64 }) *trade.Attempt {
	for _, e := range r.executions {
		for _, a := range e.Attempts {
			if !a.Deadline.IsZero() && a.Deadline.UnixNano() == deadline.UnixNano() {
				return &a
			}
		}
	}
	return nil
}

// answer hears what an execute request was answered.
type answer struct {
	life    *life
	request *request
}

// Accept implements the environment's update callbacks.
func (a *answer) Accept() {}

// Reject implements them.
func (a *answer) Reject(err error) { a.request.over, a.request.err = true, err }

// Complete implements them. An answer to a repetition was given before.
func (a *answer) Complete(result any, err error) {
	if !a.life.live || a.request.over {
		return
	}
	a.request.over, a.request.err = true, err
	w := a.life.w
	if r, ok := result.(workflows.ExecuteResult); ok && err == nil {
		a.request.answer = &r
		w.sayf("ANSWER %s: %s", a.request.id, brief{r})
		w.checkAnswer(a.request, r, a.life.repeats != nil)
		return
	}
	w.strike("request answered with an error")
	w.sayf("ANSWER %s: %v", a.request.id, err)
}

// checkAnswer holds an answer against the records at that moment. An end must
// be one that the proposal had while the request was open; of what goes on the
// workflow hears a little later than the records. A run that was reset may not
// have heard of a claim that came after the moment it was reset to.
func (w *world) checkAnswer(q *request, r workflows.ExecuteResult, reset bool) {
	held := false
	for i, s := range w.records.statuses {
		gone := i+1 < len(w.records.statuses) && w.records.statuses[i+1].at.Before(q.asked)
		goesOn := r.Status.Claimed() || r.Status == trade.Pending
		held = held || s.status == r.Status && (goesOn || !gone)
	}
	if !held {
		w.wrongf("%s was answered %s, which the proposal was not", q.id, r.Status)
	}
	v, decided := w.records.verdicts[q.id]
	switch {
	case r.Claimed && !(decided && v.claimed):
		w.wrongf("%s was told that it won the claim, and it did not", q.id)
	case !r.Claimed && !reset && decided && v.claimed && w.records.current().RequestID == q.id:
		w.wrongf("%s was told that it did not win the claim, and it did", q.id)
	case !r.Claimed && r.Status == trade.Pending && len(r.Blocks) == 0:
		w.wrongf("%s was refused without a reason", q.id)
	}
	if r.Status != trade.Executed {
		return
	}
	if len(w.exchange.orders) == 0 || r.Order == nil || r.Order.OrderID != w.exchange.orders[0].now().OrderID {
		w.wrongf("%s was told EXECUTED with order %s", q.id, brief{r.Order})
		return
	}
	if filled := w.exchange.orders[0].now().FilledAmount.String(); r.Order.FilledAmount != filled {
		w.wrongf("%s was told that %s is filled, and %s is", q.id, r.Order.FilledAmount, filled)
	}
}

// checkClosed holds a finished run against the records.
func (w *world) checkClosed(l *life) {
	var s workflows.State
	if err := l.env.GetWorkflowResult(&s); err != nil {
		w.wrongf("a finished run has no result: %v", err)
	}
	if s.Status != w.records.proposal.Status || !s.Status.Closed() {
		w.wrongf("the workflow ended as %s, the proposal is %s", s.Status, w.records.proposal.Status)
	}
	if s.Status == trade.Executed && (s.Order == nil || s.Order.FilledAmount != w.records.current().order.FilledAmount.String()) {
		w.wrongf("the workflow ended with order %s", brief{s.Order})
	}
}

// checkEnd holds the records against the exchange, after everything that could
// still happen has happened.
func (w *world) checkEnd() {
	r, made := w.records, w.exchange.orders
	if len(made) > 1 {
		w.wrongf("%d orders", len(made))
	}
	for _, o := range made {
		a := r.attemptOf(o.deadline)
		if a != nil && a.Outcome != trade.OutcomeAccepted && !r.lied {
			w.wrongf("the order of attempt %d exists, and the attempt is %q", a.Number, a.Outcome)
		}
	}
	if status := r.proposal.Status; !status.Closed() {
		w.wrongf("the proposal is %s in the end", status)
	}
	if r.proposal.Status != trade.Executed {
		if len(made) > 0 && !r.lied {
			w.wrongf("the proposal is %s and there is an order", r.proposal.Status)
		}
		return
	}
	if len(made) == 0 {
		w.wrongf("the proposal is EXECUTED without an order")
		return
	}
	w.checkRecorded(r.current(), made[0].now())
}

// checkRecorded wants an order recorded to the last fill and fee.
func (w *world) checkRecorded(e *execution, o trade.Order) {
	switch {
	case e.order == nil || e.order.OrderID != o.OrderID:
		w.wrongf("another order is recorded than there is")
		return
	case !o.Status.Final():
		w.wrongf("an order is recorded that is still %s", o.Status)
	case e.order.Status != o.Status, !e.order.FilledAmount.Equal(o.FilledAmount), !e.order.FilledAmountQuote.Equal(o.FilledAmountQuote), !e.order.FeePaid.Equal(o.FeePaid):
		w.wrongf("recorded %s, the exchange has %s", brief{e.order}, brief{o})
	case e.traded != o.FilledAmount.IsPositive():
		w.wrongf("the trade history does not fit the order")
	}
	if len(w.records.fills) != len(o.Fills) {
		w.wrongf("%d fills are recorded, the order has %d", len(w.records.fills), len(o.Fills))
	}
	for _, f := range o.Fills {
		recorded := w.records.fills[f.ID]
		if !recorded.Amount.Equal(f.Amount) || !recorded.Fee.Equal(f.Fee) || !recorded.Settled {
			w.wrongf("fill %s is recorded as %s", brief{f}, brief{recorded})
		}
	}
}
