package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"interlock/internal/trade"
)

// BeginAttempt is postgres.Store.BeginAttempt.
func (r *records) BeginAttempt(c trade.Claim, number int, deadline time.Time, control trade.TradingState) (*trade.Placing, error) {
	e, err := r.execution(c.ExecutionID)
	if err != nil {
		return nil, err
	}
	f := trade.AttemptFacts{
		Now: r.clock(), Control: control, Status: e.status, SameClaim: e.requestID == c.RequestID, ClaimedAt: e.claimedAt,
		ExpiresAt: r.proposal.ExpiresAt, CancelRequested: r.cancelActor != "", Plan: e.plan, Price: r.price(r.clock()),
	}
	for _, a := range e.attempts {
		switch {
		case r.w.locks.noRow:
		case a.number == number:
			p := a.placing()
			return &p, nil
		case r.w.locks.attemptsOverlap:
		case a.number > number:
			f.LaterExists = true
		case a.alive():
			f.EarlierInDoubt = true
		}
	}
	if code, ok := trade.MayAttempt(f); !ok && !r.w.locks.noRow && !r.w.locks.alwaysAllowed {
		return &trade.Placing{Reply: trade.NotSent, Code: string(code), Message: "the attempt was not allowed to begin"}, nil
	}
	return nil, r.insertAttempt(e, &attempt{number: number, requestID: e.requestID, deadline: deadline, begunAt: r.clock()})
}

func (r *records) insertAttempt(e *execution, a *attempt) error {
	if r.w.locks.noRow && e.attempt(a.number) != nil {
		return nil
	}
	if err := e.add(a, r.w.locks.attemptsOverlap || r.w.locks.noRow); err != nil {
		return err
	}
	r.w.sayf("attempt %d begun, deadline %s", a.number, a.deadline.Format(time.StampMicro))
	if r.control != trade.Active && (r.control != trade.Reducing || !e.plan.Reduces) {
		r.w.wrongf("attempt %d began although trading was %s", a.number, r.control)
	}
	if late := a.begunAt.Sub(e.claimedAt); late > trade.SendWithin {
		r.w.wrongf("attempt %d began %s after its claim", a.number, late)
	}
	return nil
}

// RecordReply is postgres.Store.RecordReply.
func (r *records) RecordReply(_ context.Context, c trade.Claim, number int, p trade.Placing) error {
	e, err := r.claimed(c)
	if err != nil {
		return err
	}
	if p.Reply == trade.Accepted && (p.Order == nil || p.Order.OrderID == "") {
		return errors.New("an accepted order without an ID")
	}
	a := e.attempt(number)
	if a == nil || a.verdict != "" {
		return fmt.Errorf("%w: the attempt has a verdict", trade.ErrConflict)
	}
	a.code, a.detail, a.verdict = p.Code, p.Message, p.Conclusive()
	if p.Reply == trade.Accepted {
		a.orderID = p.Order.OrderID
	}
	r.w.sayf("attempt %d replied %s %s", number, p.Reply, p.Code)
	return nil
}

// RecordLook is postgres.Store.RecordLook.
func (r *records) RecordLook(_ context.Context, c trade.Claim, number int, look trade.Look) error {
	e, err := r.claimed(c)
	if err != nil {
		return err
	}
	look.ExchangeTime = look.ExchangeTime.Truncate(time.Microsecond)
	e.looks[number] = append(e.looks[number], look)
	e.followedAt = r.clock()
	r.w.sayf("attempt %d looked: %s at %s", number, look.Sighting, look.ExchangeTime.Format(time.StampMicro))
	return nil
}

// Followed is postgres.Store.Followed.
func (r *records) Followed(_ context.Context, c trade.Claim) error {
	e, err := r.claimed(c)
	if err == nil {
		e.followedAt = r.clock()
	}
	return err
}

// Conclude is postgres.Store.Conclude.
func (r *records) Conclude(_ context.Context, c trade.Claim, number int) (trade.Finding, error) {
	e, err := r.claimed(c)
	if err != nil {
		return trade.Finding{}, err
	}
	a := e.attempt(number)
	switch {
	case a == nil:
		return r.void(e, number)
	case a.verdict != "":
		return trade.Finding{Concluded: true, Placing: a.placing(), Verdict: a.verdict}, nil
	case r.w.locks.timeoutFails && a.code == "":
		a.verdict = trade.ConcludedNotSent
		return trade.Finding{Concluded: true, Verdict: a.verdict, Placing: neverBegan}, nil
	}
	return r.judge(e, a)
}

func (r *records) void(e *execution, number int) (trade.Finding, error) {
	f := trade.Finding{Concluded: true, Verdict: trade.ConcludedVoid, Placing: neverBegan}
	if r.w.locks.noVoid || r.w.locks.noRow || !e.open() {
		return f, nil
	}
	r.w.sayf("attempt %d void", number)
	r.w.strike("attempt voided")
	return f, e.add(&attempt{number: number, requestID: e.requestID, verdict: trade.ConcludedVoid}, false)
}

func (r *records) judge(e *execution, a *attempt) (trade.Finding, error) {
	looks := slices.Clone(e.looks[a.number])
	slices.SortStableFunc(looks, func(a, b trade.Look) int { return a.ExchangeTime.Compare(b.ExchangeTime) })
	verdict, next := r.judgement(r.doubt(a), looks)
	if verdict == "" {
		f := trade.Finding{Placing: a.placing(), Wait: max(next.Sub(r.clock()), 0)}
		return f, r.setOpen(e, trade.Unresolved)
	}
	f := trade.Finding{Concluded: true, Verdict: verdict, Placing: trade.Placing{Code: a.code, Message: a.detail}}
	found := seen(looks)
	a.verdict = verdict
	switch verdict {
	case trade.ConcludedAccepted:
		a.orderID = found[0].OrderID
		f.Placing = trade.Placing{Reply: trade.Accepted, Order: &found[0]}
	case trade.ConcludedRefused:
		f.Placing.Reply = trade.Refused
	default:
		f.Placing = a.placing()
	}
	if len(found) > 1 {
		r.alarmed = true
		r.setControl(trade.Halted)
	}
	r.w.sayf("attempt %d concluded %s", a.number, verdict)
	return f, r.setOpen(e, trade.Executing)
}

func (r *records) doubt(a *attempt) trade.Doubt {
	return trade.Doubt{Deadline: a.deadline, ReplyCode: a.code, ReadLag: r.w.exchange.lag}
}

// judgement is trade.Judge, unless it is to be shown what it is for.
func (r *records) judgement(d trade.Doubt, looks []trade.Look) (trade.Conclusion, time.Time) {
	if r.w.locks.lookEarly {
		d.Deadline = d.Deadline.Add(-time.Hour)
	}
	verdict, next := trade.Judge(d, looks)
	enough := func(l trade.Look) bool {
		return l.Sighting == trade.NotThere && l.ExchangeTime.After(d.Deadline.Add(d.ReadLag))
	}
	if r.w.locks.oneLook && verdict == "" && slices.ContainsFunc(looks, enough) {
		return trade.ConcludedAbsent, time.Time{}
	}
	return verdict, next
}

func seen(looks []trade.Look) []trade.Order {
	var found []trade.Order
	for _, look := range looks {
		for _, o := range look.Orders {
			if !slices.ContainsFunc(found, func(f trade.Order) bool { return f.OrderID == o.OrderID }) {
				found = append(found, o)
			}
		}
	}
	return found
}

func (r *records) setOpen(e *execution, status trade.Status) error {
	if !e.open() {
		return nil
	}
	e.status, e.followedAt = status, r.clock()
	return r.setStatus(status)
}

func (r *records) setControl(s trade.TradingState) {
	if r.control != s {
		r.control = s
		r.w.sayf("CONTROL %s", s)
	}
}

// RecordOrder is postgres.Store.RecordOrder.
func (r *records) RecordOrder(_ context.Context, c trade.Claim, o trade.Order) error {
	e, err := r.claimed(c)
	if err != nil {
		return err
	}
	if e.status == trade.Executed && e.order != nil && e.order.OrderID == o.OrderID {
		return nil
	}
	accepted := func(a *attempt) bool { return a.verdict == trade.ConcludedAccepted && a.orderID == o.OrderID }
	if !slices.ContainsFunc(e.attempts, accepted) && !r.w.locks.noRow {
		return fmt.Errorf("%w: order %s was not accepted", trade.ErrInvalid, o.OrderID)
	}
	for _, f := range o.Fills {
		if _, there := r.fills[f.ID]; there {
			return fmt.Errorf("%w: fill %s is there", trade.ErrConflict, f.ID)
		}
	}
	if !e.open() {
		return fmt.Errorf("%w: the execution is %s", trade.ErrConflict, e.status)
	}
	if err := r.setStatus(trade.Executed); err != nil {
		return err
	}
	for _, f := range o.Fills {
		r.fills[f.ID] = f
	}
	if o.FilledAmount.IsPositive() {
		e.traded = true
		r.history = append(r.history, trade.PastTrade{Ref: proposed, Asset: "BTC", Side: o.Side, At: o.LastFill(), KnownTo: e.knownTo})
	}
	e.status, e.order = trade.Executed, &o
	return nil
}

// FailExecution is postgres.Store.FailExecution.
func (r *records) FailExecution(_ context.Context, c trade.Claim, f trade.Failure) error {
	e, err := r.claimed(c)
	if err != nil || e.status == trade.Failed {
		return err
	}
	if slices.ContainsFunc(e.attempts, (*attempt).alive) && !r.w.locks.noRow {
		return fmt.Errorf("%w: an attempt is in doubt or accepted", trade.ErrConflict)
	}
	if !e.open() {
		return fmt.Errorf("%w: the execution is %s", trade.ErrConflict, e.status)
	}
	end := trade.Failed
	if r.cancelActor != "" {
		end = trade.Cancelled
	}
	if err := r.setStatus(end); err != nil {
		return err
	}
	e.status, r.proposal.FailureCode = trade.Failed, string(f.Code)
	r.w.sayf("failed: %s %s", f.Code, f.ExchangeCode)
	return nil
}

// Resolve is postgres.Store.Resolve.
func (r *records) Resolve(_ context.Context, c trade.Claim, number int, w trade.Word) (string, error) {
	e, err := r.claimed(c)
	if err != nil {
		return "", err
	}
	a := e.attempt(number)
	switch {
	case a == nil:
		return "", trade.ErrNotFound
	case w.Problem != "":
		return w.Problem, nil
	case w.Actor == "" || w.Reason == "":
		return "actor and reason are required", nil
	case e.status != trade.Unresolved || a.verdict != "":
		return "the proposal is not UNRESOLVED", nil
	}
	doubt := r.doubt(a)
	if r.w.locks.earlyWord {
		doubt.ReadLag = time.Nanosecond
	}
	if problem := doubt.Objection(c.Plan, w.Order, w.ExchangeNow); problem != "" {
		return problem, nil
	}
	a.verdict = trade.ConcludedAbsent
	if w.Order != nil {
		a.verdict, a.orderID = trade.ConcludedAccepted, w.Order.OrderID
	}
	r.lied = r.lied || (w.Order == nil) == r.w.exchange.has(e.client)
	r.w.strike("a person's word taken")
	r.w.sayf("a person says: %v (lie: %v)", a.verdict, r.lied)
	return "", r.setOpen(e, trade.Executing)
}
