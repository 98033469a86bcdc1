package simulation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"interlock/internal/trade"
)

// What follows is rows and locks. Every decision is trade.Execution's; where a
// lock of the protocol is taken off, it is shown other rows than there are, or
// what it says is not written.

// facts is what a step is decided by besides the execution.
func (r *records) executionFacts(control trade.TradingState) trade.ExecutionFacts {
	return trade.ExecutionFacts{
		Now: r.clock(), ReadLag: r.w.exchange.lag, Life: trade.DatabaseLife{Here: true}, ExpiresAt: r.proposal.ExpiresAt,
		CancelRequested: r.cancelActor != "", Control: control, Price: r.price(r.clock()),
	}
}

// BeginAttempt is postgres.Store.BeginAttempt.
func (r *records) BeginAttempt(c trade.ClaimRef, number int, deadline time.Time, control trade.TradingState) (trade.Sending, *trade.AttemptResult, error) {
	e, err := r.execution(c.ExecutionID)
	if err != nil {
		return trade.Sending{}, nil, err
	}
	seen := e.Execution
	switch {
	case r.w.locks.noRow:
		seen.Attempts = nil
	case r.w.locks.attemptsOverlap:
		seen.Attempts = slices.DeleteFunc(slices.Clone(seen.Attempts), func(a trade.Attempt) bool { return a.Number != number })
	}
	changes, answer := seen.Begin(c.RequestID, number, deadline, "", r.executionFacts(control))
	forbidden := answer != nil && answer.Reply == trade.NotSent && len(seen.Attempts) == 0
	if answer != nil && !(forbidden && (r.w.locks.noRow || r.w.locks.alwaysAllowed)) {
		return trade.Sending{}, answer, nil
	}
	begun := trade.Attempt{Number: number, RequestID: e.RequestID, Deadline: deadline, BegunAt: r.clock()}
	if changes.Begun != nil {
		begun = *changes.Begun
	}
	return trade.Sending{Plan: e.Plan, Search: e.Search()}, nil, r.insertAttempt(e, begun)
}

func (r *records) insertAttempt(e *execution, a trade.Attempt) error {
	if r.w.locks.noRow && e.attempt(a.Number) != nil {
		return nil
	}
	if err := e.add(a, r.w.locks.attemptsOverlap || r.w.locks.noRow); err != nil {
		return err
	}
	r.w.sayf("attempt %d begun, deadline %s", a.Number, a.Deadline.Format(time.StampMicro))
	if r.control != trade.Active && (r.control != trade.Reducing || !e.Plan.Reduces) {
		r.w.wrongf("attempt %d began although trading was %s", a.Number, r.control)
	}
	if late := a.BegunAt.Sub(e.ClaimedAt); late > trade.SendWithin {
		r.w.wrongf("attempt %d began %s after its claim", a.Number, late)
	}
	return nil
}

// RecordReply is postgres.Store.RecordReply.
func (r *records) RecordReply(_ context.Context, c trade.ClaimRef, number int, p trade.AttemptResult) error {
	e, err := r.claimed(c)
	if err != nil {
		return err
	}
	changes, err := e.Reply(number, p)
	if err == nil {
		err = r.writeFinal(e, changes.Final)
	}
	if err != nil {
		return err
	}
	*e.attempt(number) = *changes.Concluded
	r.w.sayf("attempt %d replied %s %s", number, p.Reply, p.Code)
	return nil
}

// writeFinal keeps the unique rows of order_fills.
func (r *records) writeFinal(e *execution, o *trade.Order) error {
	if o == nil {
		return nil
	}
	for _, f := range o.Fills {
		if _, there := r.fills[f.ID]; there {
			return fmt.Errorf("%w: fill %s is there", trade.ErrConflict, f.ID)
		}
	}
	for _, f := range o.Fills {
		r.fills[f.ID] = f
	}
	e.Final = o
	return nil
}

// LookupOf is postgres.Store.LookupOf.
func (r *records) LookupOf(c trade.ClaimRef, number int) (*trade.Search, error) {
	e, err := r.claimed(c)
	if err != nil || !e.InDoubt(number) {
		return nil, err
	}
	search := e.Search()
	return &search, nil
}

// RecordLookup is postgres.Store.RecordLookup.
func (r *records) RecordLookup(_ context.Context, c trade.ClaimRef, number int, look trade.Lookup) error {
	e, err := r.claimed(c)
	if err != nil {
		return err
	}
	look.ExchangeTime = look.ExchangeTime.Truncate(time.Microsecond)
	e.looks[number] = append(e.looks[number], look)
	e.followedAt = r.clock()
	r.w.sayf("attempt %d looked: %s at %s", number, look.Result, look.ExchangeTime.Format(time.StampMicro))
	return nil
}

// AcceptedOrder is postgres.Store.AcceptedOrder.
func (r *records) AcceptedOrder(c trade.ClaimRef) (trade.AcceptedOrder, error) {
	e, err := r.claimed(c)
	if err != nil {
		return trade.AcceptedOrder{}, err
	}
	return trade.AcceptedOrder{Market: e.Plan.Market, OrderID: e.Accepted(), MayCancel: e.MayCancel(r.executionFacts(r.control))}, nil
}

// Followed is postgres.Store.Followed.
func (r *records) Followed(c trade.ClaimRef, s trade.Sight) (*trade.Order, error) {
	e, err := r.claimed(c)
	if err != nil {
		return nil, err
	}
	e.followedAt = r.clock()
	changes, over := e.Follow(s, r.clock())
	if err := r.writeFinal(e, changes.Final); err != nil || !over {
		return nil, err
	}
	return e.Final, nil
}

// RecordReading is postgres.Store.RecordReading.
func (r *records) RecordReading(c trade.ClaimRef, reading trade.Reading) error {
	e, err := r.claimed(c)
	if err == nil {
		reading.ReadAt = r.clock()
		e.readings = append(e.readings, reading)
	}
	return err
}

// Conclude is postgres.Store.Conclude.
func (r *records) Conclude(_ context.Context, c trade.ClaimRef, number int) (trade.Finding, error) {
	e, err := r.claimed(c)
	if err != nil {
		return trade.Finding{}, err
	}
	if a := e.attempt(number); r.w.locks.timeoutFails && a != nil && a.Outcome == "" && a.Code == "" {
		a.Outcome = trade.OutcomeNotSent
		return trade.Finding{Concluded: true, Outcome: a.Outcome, Result: a.Result()}, nil
	}
	seen, lookups := r.shown(e, number)
	if seen.Foreign(number) {
		return trade.Finding{}, trade.ErrNotFound
	}
	changes, f := seen.Conclude(number, lookups, r.executionFacts(r.control))
	if changes.Begun != nil {
		r.w.strike("attempt voided")
		if r.w.locks.noVoid || r.w.locks.noRow {
			changes.Begun = nil
		}
	}
	return f, r.conclude(e, changes)
}

// shown is what an attempt is concluded from.
func (r *records) shown(e *execution, number int) (trade.Execution, []trade.Lookup) {
	seen, lookups := e.Execution, slices.Clone(e.looks[number])
	slices.SortStableFunc(lookups, func(a, b trade.Lookup) int { return a.ExchangeTime.Compare(b.ExchangeTime) })
	if r.w.locks.lookEarly {
		seen.Attempts = slices.Clone(seen.Attempts)
		for i := range seen.Attempts {
			seen.Attempts[i].Deadline = seen.Attempts[i].Deadline.Add(-time.Hour)
		}
	}
	if r.w.locks.oneLook {
		for _, l := range lookups {
			l.ExchangeTime = l.ExchangeTime.Add(r.w.exchange.lag)
			if a := e.attempt(number); a != nil && l.ExchangeTime.After(a.Deadline.Add(2*r.w.exchange.lag)) {
				lookups = append(lookups, l)
			}
		}
	}
	return seen, lookups
}

// conclude writes what role proposals concludes.
func (r *records) conclude(e *execution, c trade.Changes) error {
	if c.Begun != nil {
		if err := e.add(*c.Begun, false); err != nil {
			return err
		}
		r.w.sayf("attempt %d void", c.Begun.Number)
	}
	if c.Concluded != nil {
		a := e.attempt(c.Concluded.Number)
		a.Outcome, a.OrderID = c.Concluded.Outcome, c.Concluded.OrderID
		r.w.sayf("attempt %d concluded %s", a.Number, a.Outcome)
	}
	if len(c.Others) > 0 {
		r.alarmed = true
		r.setControl(trade.Halted)
	}
	if c.Status == "" || !e.open() {
		return nil
	}
	e.Status, e.followedAt = c.Status, r.clock()
	return r.setStatus(c.Status)
}

func (r *records) setControl(s trade.TradingState) {
	if r.control != s {
		r.control = s
		r.w.sayf("CONTROL %s", s)
	}
}

// RecordOrder is postgres.Store.RecordOrder.
func (r *records) RecordOrder(_ context.Context, c trade.ClaimRef) (trade.Recorded, error) {
	e, err := r.claimed(c)
	if err != nil {
		return trade.Recorded{}, err
	}
	changes, err := e.Record()
	if err != nil {
		return trade.Recorded{}, err
	}
	if o := changes.Recorded; o != nil {
		if err := r.setStatus(trade.Executed); err != nil {
			return trade.Recorded{}, err
		}
		e.Status, e.order = trade.Executed, o
		if o.FilledAmount.IsPositive() {
			e.traded = true
			r.history = append(r.history, trade.PastTrade{Ref: proposed, Asset: "BTC", Side: o.Side, At: o.LastFill(), KnownTo: e.knownTo})
		}
	}
	recorded := trade.Recorded{Status: e.Status}
	if e.Status == trade.Executed {
		recorded.Order = e.Final
	}
	return recorded, nil
}

// FailExecution is postgres.Store.FailExecution.
func (r *records) FailExecution(_ context.Context, c trade.ClaimRef, number int) (trade.Status, error) {
	e, err := r.claimed(c)
	if err != nil {
		return "", err
	}
	seen := e.Execution
	if r.w.locks.noRow {
		seen.Attempts = nil
	}
	changes := seen.Fail(number, r.executionFacts(r.control))
	if changes.Failure == nil {
		return r.proposal.Status, nil
	}
	if err := r.setStatus(changes.Status); err != nil {
		return "", err
	}
	e.Status, r.proposal.FailureCode = trade.Failed, string(changes.Failure.Code)
	r.w.sayf("failed: %s %s", changes.Failure.Code, changes.Failure.ExchangeCode)
	return changes.Status, nil
}

// Resolve is postgres.Store.Resolve.
func (r *records) Resolve(_ context.Context, c trade.ClaimRef, number int, w trade.Resolution) (string, error) {
	e, err := r.claimed(c)
	if err != nil {
		return "", err
	}
	facts := r.executionFacts(r.control)
	if r.w.locks.earlyWord {
		facts.ReadLag = time.Nanosecond
	}
	var reading *trade.Reading
	for _, made := range e.readings {
		if made.OrderID == w.OrderID {
			reading = &made
		}
	}
	changes, problem := e.Resolve(number, w, reading, facts)
	if problem != "" || changes.Concluded == nil {
		return problem, nil
	}
	r.lied = r.lied || (w.OrderID == "") == r.w.exchange.has(e.ClientOrderID)
	r.w.strike("a person's word taken")
	r.w.sayf("a person says: %v (lie: %v)", changes.Concluded.Outcome, r.lied)
	return "", r.conclude(e, changes)
}
