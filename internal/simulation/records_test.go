package simulation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

const (
	account  = "paper"
	user     = "anna"
	proposed = "default-test-workflow-id" // the environment's workflow ID
)

// records is what package postgres keeps: each method below is one of its
// transactions, an atomic step, with the same constraints.
type records struct {
	w        *world
	proposal trade.Proposal
	policy   trade.Policy
	rules    trade.MarketRules

	cancelActor string
	control     trade.TradingState
	executions  []*execution // one; more only when the unique claim is off
	verdicts    map[string]verdict
	overrides   []*override
	history     []trade.PastTrade
	fills       map[string]trade.Fill
	alarmed     bool

	statuses []statusAt // every status the proposal had
	lied     bool       // a person's wrong word was taken
}

type statusAt struct {
	at     time.Time
	status trade.Status
}

type verdict struct {
	verdict trade.Verdict
	claimed bool
}

type override struct {
	trade.Override
	consumedBy string
}

// execution is the rows of one: what trade.Execution decides from.
type execution struct {
	trade.Execution

	followedAt time.Time
	knownTo    []string // overrides stored since the claim
	looks      map[int][]trade.Lookup
	readings   []trade.Reading
	order      *trade.Order // recorded
	traded     bool
}

func alive(a trade.Attempt) bool { return a.Outcome == "" || a.Outcome == trade.OutcomeAccepted }

// clock is clock_timestamp().
func (r *records) clock() time.Time { return r.w.time().Truncate(time.Microsecond) }

// setStatus moves the proposal, as far as its trigger lets it.
func (r *records) setStatus(next trade.Status) error {
	before := r.proposal.Status
	if before == next {
		return nil
	}
	if before.Closed() {
		return fmt.Errorf("%w: the proposal is %s for ever", trade.ErrInvalid, before)
	}
	if !before.May(next) {
		r.w.wrongf("the proposal went from %s to %s", before, next)
	}
	r.proposal.Status = next
	r.statuses = append(r.statuses, statusAt{r.w.time(), next})
	r.w.sayf("STATUS %s", next)
	return nil
}

func (r *records) execution(id int64) (*execution, error) {
	for _, e := range r.executions {
		if e.ID == id {
			return e, nil
		}
	}
	return nil, trade.ErrNotFound
}

// claimed is the execution of c while c is the claim in force.
func (r *records) claimed(c trade.ClaimRef) (*execution, error) {
	e, err := r.execution(c.ExecutionID)
	if err == nil && e.RequestID != c.RequestID {
		err = trade.ErrNotFound
	}
	return e, err
}

// current is the proposal's execution; nil when it was never claimed.
func (r *records) current() *execution {
	if len(r.executions) == 0 {
		return nil
	}
	return r.executions[len(r.executions)-1]
}

func (e *execution) attempt(number int) *trade.Attempt {
	for i := range e.Attempts {
		if e.Attempts[i].Number == number {
			return &e.Attempts[i]
		}
	}
	return nil
}

func (e *execution) open() bool { return e.Status.Claimed() }

// add keeps the unique rows of order_attempts.
func (e *execution) add(a trade.Attempt, overlap bool) error {
	if e.attempt(a.Number) != nil {
		return fmt.Errorf("%w: attempt %d exists", trade.ErrConflict, a.Number)
	}
	if alive(a) && !overlap && slices.ContainsFunc(e.Attempts, alive) {
		return fmt.Errorf("%w: another attempt is alive", trade.ErrConflict)
	}
	e.Attempts = append(slices.Clone(e.Attempts), a)
	slices.SortFunc(e.Attempts, func(a, b trade.Attempt) int { return a.Number - b.Number })
	return nil
}

func (e *execution) claim() *trade.Claim {
	return &trade.Claim{
		ExecutionID: e.ID, ProposalID: proposed, AccountID: account, RequestID: e.RequestID, ClientOrderID: e.ClientOrderID,
		Plan: e.Plan, ClaimedAt: e.ClaimedAt, NextAttempt: e.NextAttempt(), Untried: e.Untried(),
	}
}

// ReadState is postgres.Store.ReadState.
func (r *records) ReadState(context.Context, string) (trade.Life, error) {
	l := trade.Life{Proposal: r.proposal, CancelledBy: r.cancelActor}
	e := r.current()
	if e == nil {
		return l, nil
	}
	l.Claim, l.Attempts, l.Order, l.AcceptedOrder = e.claim(), len(e.Attempts), e.order, e.Accepted()
	for _, a := range e.Attempts {
		if a.Outcome == "" {
			l.InDoubt = a.Number
		}
	}
	return l, nil
}

// Preflight is postgres.Store.Preflight.
func (r *records) Preflight(_ context.Context, req trade.Request) (trade.Decision, error) {
	if v, met := r.verdicts[req.ID]; met {
		d := trade.Decision{Verdict: v.verdict}
		if v.claimed {
			d.Claim = r.current().claim()
		}
		return d, nil
	}
	d := trade.Decision{Verdict: trade.Preflight(r.proposal, req, r.facts())}
	if !d.Verdict.Blocked() {
		if err := r.claim(d.Verdict); err != nil {
			return trade.Decision{}, err
		}
		r.consume(req, d.Verdict)
		d.Claim = r.current().claim()
	}
	r.verdicts[req.ID] = verdict{d.Verdict, d.Claim != nil}
	return d, nil
}

func (r *records) facts() trade.Facts {
	now := r.clock()
	f := trade.Facts{
		Now: now, Policy: &r.policy, PolicyVersion: 1, Control: r.control, Rules: &r.rules, Price: r.price(now),
		Clock:        &trade.ClockFact{Ahead: r.w.exchange.offset, MeasuredAt: now.Add(-20 * time.Second)},
		Trades:       slices.Clone(r.history),
		ReconciledAt: &now, ComparableFrom: &now, // its account was made in this life of the database
	}
	if r.alarmed {
		f.UnknownOrder = "a second order"
	}
	for _, e := range r.executions {
		if e.open() && !r.w.locks.claimNotUnique {
			f.Trades = append(f.Trades, trade.PastTrade{Ref: proposed, Asset: "BTC", Side: r.proposal.Side, At: e.ClaimedAt, KnownTo: e.knownTo, Open: true})
		}
		if e.Status == trade.Unresolved && !r.w.locks.claimNotUnique {
			f.UnresolvedOrders = append(f.UnresolvedOrders, proposed)
		}
	}
	for _, o := range r.overrides {
		if o.consumedBy == "" {
			f.Overrides = append(f.Overrides, o.Override)
		}
	}
	return f
}

// price is the market fact that role scans last wrote.
func (r *records) price(now time.Time) *trade.PriceFact {
	switch {
	case within(r.w.plan.stale, now):
		return &trade.PriceFact{Price: market, ObservedAt: now.Add(-2 * time.Minute)}
	case within(r.w.plan.moved, now):
		return &trade.PriceFact{Price: market.Mul(decimal.RequireFromString("1.5")), ObservedAt: now.Add(-time.Second)}
	}
	return &trade.PriceFact{Price: market, ObservedAt: now.Add(-3 * time.Second)}
}

// claim keeps the unique execution: a rival's, or one that is not FAILED, is a
// conflict.
func (r *records) claim(v trade.Verdict) error {
	e := r.current()
	switch {
	case r.w.locks.claimNotUnique, e == nil:
		e = &execution{looks: map[int][]trade.Lookup{}, Execution: trade.Execution{
			ID: int64(len(r.executions) + 1), ProposalID: proposed, AccountID: account,
			ClientOrderID: trade.ClientOrderID(uuid.UUID{1}, account, user, proposed),
		}}
		r.executions = append(r.executions, e)
	case e.Status != trade.Failed:
		return fmt.Errorf("%w: the proposal has an execution", trade.ErrConflict)
	}
	e.Status, e.Plan, e.RequestID, e.ClaimedAt, e.followedAt, e.knownTo = trade.Executing, *v.Plan, v.RequestID, v.At, v.At, nil
	if r.w.locks.claimNotUnique {
		return nil
	}
	if !r.proposal.Status.Executable() {
		return fmt.Errorf("%w: the proposal is not open", trade.ErrConflict)
	}
	return r.setStatus(trade.Executing)
}

func (r *records) consume(req trade.Request, v trade.Verdict) {
	for _, id := range v.UsedOverrides() {
		for _, o := range r.overrides {
			if o.ID == id {
				o.consumedBy = req.ID
			}
		}
	}
}

// Expire is postgres.Store.Expire.
func (r *records) Expire(context.Context, string) (trade.Status, error) {
	if r.proposal.Status.Executable() && !r.clock().Before(r.proposal.ExpiresAt) {
		return trade.Expired, r.setStatus(trade.Expired)
	}
	return r.proposal.Status, nil
}

// Cancel is postgres.Store.Cancel.
func (r *records) Cancel(_ context.Context, _, actor, reason string) (trade.Status, error) {
	if actor == "" || reason == "" {
		return "", trade.ErrInvalid
	}
	if r.proposal.Status.Closed() || r.proposal.Status.Claimed() && r.cancelActor != "" {
		return r.proposal.Status, nil
	}
	r.cancelActor = actor
	if r.proposal.Status.Executable() {
		return trade.Cancelled, r.setStatus(trade.Cancelled)
	}
	return r.proposal.Status, nil
}

// StoreOverride is postgres.Store.StoreOverride.
func (r *records) StoreOverride(_ context.Context, o trade.Override, _ string) (string, error) {
	if problem := o.Problem(); problem != "" {
		return problem, nil
	}
	for _, other := range r.overrides {
		if other.ID == o.ID {
			return "", nil
		}
	}
	o.StoredAt = r.clock()
	if o.ExpiresAt.IsZero() {
		o.ExpiresAt = o.StoredAt.Add(trade.OverrideLife)
	}
	r.overrides = append(r.overrides, &override{Override: o})
	for i := range r.history {
		r.history[i].KnownTo = append(slices.Clip(r.history[i].KnownTo), o.ID)
	}
	for _, e := range r.executions {
		e.knownTo = append(e.knownTo, o.ID)
	}
	return "", nil
}
