package trade

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Execution is a proposal's way to its one order, as the rows tell it. Each
// method takes facts that were read under the row's lock and returns the rows
// to write, and the result. It trusts nobody's account of what happened: what
// the exchange answered is in the attempts, the lookups, the readings and the
// final order, which role orders alone writes.
//
//	Begin ── Reply ─────────────────────────────── accepted ── Follow ── Record
//	            └─ in doubt ── Conclude or Resolve ──┘ │
//	                               └───────────────────┴── nothing placed ── Fail
type Execution struct {
	ID            int64
	ProposalID    string
	AccountID     string
	Status        Status // of the execution
	RequestID     string // the claim in force
	ClientOrderID uuid.UUID
	Plan          Plan
	ClaimedAt     time.Time
	Attempts      []Attempt // by number
	Final         *Order    // the accepted order once it could not change any more
	SaidOver      string    // the order that a person says is over; empty: none
}

// Step is one of the methods by which an attempt comes to its outcome.
type Step string

// The steps.
const (
	StepReply    Step = "Reply"
	StepConclude Step = "Conclude"
	StepResolve  Step = "Resolve"
)

// outcomes is what became of an attempt by which step. Void is the outcome of
// one that never began; every other attempt has a row before its first byte.
var outcomes = map[Step][]Outcome{
	StepReply:    {OutcomeAccepted, OutcomeRefused, OutcomeNotSent},
	StepConclude: {OutcomeAccepted, OutcomeRefused, OutcomeAbsent, OutcomeVoid},
	StepResolve:  {OutcomeAccepted, OutcomeAbsent},
}

// ExecutionFacts are what a step is decided by besides the execution itself,
// read after its lock.
type ExecutionFacts struct {
	Now             time.Time // database clock
	ReadLag         time.Duration
	Life            DatabaseLife
	ExpiresAt       time.Time
	CancelRequested bool
	Control         TradingState // only for Begin and Fail
	Price           *PriceFact   // only for Begin and Fail
}

// Changes are the rows that a step writes.
type Changes struct {
	Begun     *Attempt // a new attempt
	Concluded *Attempt // an attempt that has its outcome, or a reply without one
	Status    Status   // of execution and proposal; empty: it stays
	Final     *Order   // cannot change any more
	Recorded  *Order   // with EXECUTED: fills, trade, end
	Failure   *Failure // with FAILED
	Others    []Order  // more orders than one under the one ID: an alarm
	Unclear   *Order   // its status is not known, and it does not end: an alarm
	SaidOver  string   // the order that a person says is over
}

// Begin opens an attempt, or says what the caller must answer instead and send
// nothing: what is known of an attempt that exists, why none may begin, or that
// this database may have lost one.
func (e Execution) Begin(requestID string, number int, deadline time.Time, worker string, f ExecutionFacts) (Changes, *AttemptResult) {
	if a := e.attempt(number); a != nil {
		p := a.Result()
		return Changes{}, &p
	}
	if f.Life.MayHaveLost(e.ClaimedAt) {
		return Changes{}, &AttemptResult{Reply: Unknown, Code: string(ReconcileStale), Message: "this database may be a copy that lacks an attempt of the claim"}
	}
	if code, may := e.mayBegin(requestID, number, f); !may {
		return Changes{}, &AttemptResult{Reply: NotSent, Code: string(code), Message: "the attempt was not allowed to begin"}
	}
	return Changes{Begun: &Attempt{Number: number, RequestID: e.RequestID, Deadline: deadline, BegunAt: f.Now, BegunBy: worker}}, nil
}

func (e Execution) mayBegin(requestID string, number int, f ExecutionFacts) (Code, bool) {
	facts := AttemptFacts{
		Now: f.Now, Control: f.Control, Status: e.Status, SameClaim: requestID == e.RequestID, ClaimedAt: e.ClaimedAt,
		ExpiresAt: f.ExpiresAt, CancelRequested: f.CancelRequested, Plan: e.Plan, Price: f.Price,
		EarlierInDoubt: e.alive() != nil, OutOfTurn: number != e.NextAttempt(),
	}
	return MayAttempt(facts)
}

// NextAttempt is the number of the attempt that could begin next.
func (e Execution) NextAttempt() int {
	if len(e.Attempts) == 0 {
		return 1
	}
	return e.Attempts[len(e.Attempts)-1].Number + 1
}

// Untried reports whether no attempt was made for the claim in force.
func (e Execution) Untried() bool {
	return !slices.ContainsFunc(e.Attempts, func(a Attempt) bool { return a.RequestID == e.RequestID })
}

// Search is what a lookup for the order searches. Its lists reach back to the
// first attempt of all, whichever claim it belonged to.
func (e Execution) Search() Search {
	since := e.ClaimedAt
	for _, a := range e.Attempts {
		if a.BegunAt.Before(since) {
			since = a.BegunAt
		}
	}
	return Search{Market: e.Plan.Market, Side: e.Plan.Side, ClientOrderID: e.ClientOrderID, Since: since.Add(-lookBack)}
}

// lookBack is how far before the first attempt the exchange's lists are read.
// It covers clocks that disagree.
const lookBack = 10 * time.Minute

// Reply is what the exchange answered to an attempt. A sure answer is its
// outcome, any other leaves it in doubt. ErrConflict when it has an outcome:
// that one stands.
func (e Execution) Reply(number int, p AttemptResult) (Changes, error) {
	a := e.attempt(number)
	switch {
	case a == nil || a.Outcome != "":
		return Changes{}, fmt.Errorf("%w: the attempt has an outcome, or never began", ErrConflict)
	case p.Reply == Accepted && p.Outcome() == "":
		return Changes{}, errors.New("an accepted order without an ID")
	}
	a.Code, a.Message, a.Outcome = p.Code, p.Message, p.Outcome()
	changes := Changes{Concluded: a}
	if a.Outcome == OutcomeAccepted {
		a.OrderID = p.Order.OrderID
		if p.Order.Over() {
			changes.Final = p.Order
		}
	}
	return changes, nil
}

// Conclude gives an attempt its outcome if the lookups allow one. One without a
// row is closed as void, so that a worker who wakes up late cannot use it, and
// where the database may have lost its row it is in doubt like any other.
// Otherwise the execution is UNRESOLVED, and the result says how long it takes
// before a lookup can help.
func (e Execution) Conclude(number int, lookups []Lookup, f ExecutionFacts) (Changes, Finding) {
	a := e.attempt(number)
	switch {
	case a == nil:
		return e.concludeMissing(number, f)
	case a.Outcome != "":
		return Changes{}, Finding{Concluded: true, Outcome: a.Outcome, Result: a.Result()}
	}
	return e.judge(*a, lookups, f)
}

// concludeMissing closes an attempt without a row. An execution that is over
// needs no row for it: nothing can begin there any more.
func (e Execution) concludeMissing(number int, f ExecutionFacts) (Changes, Finding) {
	void := Attempt{Number: number, RequestID: e.RequestID, BegunAt: f.Now, Outcome: OutcomeVoid}
	found := Finding{Concluded: true, Outcome: OutcomeVoid, Result: void.Result()}
	switch {
	case !e.Status.Claimed():
		return Changes{}, found
	case !f.Life.MayHaveLost(e.ClaimedAt):
		return Changes{Begun: &void}, found
	}
	// It stands for whatever attempts a lost future made: they are looked for
	// under the one client order ID, and none can begin any more.
	lost := Attempt{Number: number, RequestID: e.RequestID, Deadline: f.Now.Add(LostWindow), BegunAt: f.Now, BegunBy: "a lost future, perhaps"}
	changes, found := e.judge(lost, nil, f)
	changes.Begun = &lost
	return changes, found
}

// Foreign reports whether attempt number is none of the execution's, nor the one
// that could begin next: whoever asks for its outcome was told of attempts that
// no row has, and must read the truth again.
func (e Execution) Foreign(number int) bool {
	return e.attempt(number) == nil && e.Status.Claimed() && (number != e.NextAttempt() || e.alive() != nil)
}

func (e Execution) judge(a Attempt, lookups []Lookup, f ExecutionFacts) (Changes, Finding) {
	outcome, next := Judge(a.doubt(f), lookups)
	if outcome == "" {
		return Changes{Status: Unresolved}, Finding{Result: a.Result(), Wait: max(next.Sub(f.Now), 0)}
	}
	orders := ordersIn(lookups)
	a.Outcome = outcome
	result := a.Result()
	changes := Changes{Concluded: &a, Status: Executing}
	if outcome == OutcomeAccepted {
		a.OrderID, changes.Others = orders[0].OrderID, orders[1:]
		result = AttemptResult{Reply: Accepted, Order: &orders[0]}
	}
	return changes, Finding{Concluded: true, Outcome: outcome, Result: result}
}

// Resolve takes a person's resolution, or says what stands against it. It counts only
// for an attempt in doubt, and as far as what role orders has just read at the
// exchange for this very wish allows.
func (e Execution) Resolve(number int, w Resolution, r *Reading, f ExecutionFacts) (Changes, string) {
	if w.Problem == "" && e.unclear(w, r, f) {
		return e.resolveUnclear(w, r)
	}
	a := e.attempt(number)
	if w.Problem == "" && a != nil && a.says(w) {
		return Changes{}, "" // taken before, and its answer was lost
	}
	if problem := e.objection(a, w, r, f); problem != "" {
		return Changes{}, problem
	}
	a.Outcome = OutcomeAbsent
	if w.OrderID != "" {
		a.Outcome, a.OrderID = OutcomeAccepted, r.Order.OrderID
	}
	return Changes{Concluded: a, Status: Executing}, ""
}

// unclear reports whether a person speaks of the accepted order, and the
// exchange has just shown it with a status that nobody knows.
func (e Execution) unclear(w Resolution, r *Reading, f ExecutionFacts) bool {
	return w.OrderID != "" && w.OrderID == e.Accepted() && e.Final == nil && e.Status.Claimed() && w.Actor != "" && w.Reason != "" &&
		r.fits(w, f.Now) && r.Order != nil && !r.Order.Status.Known()
}

// resolveUnclear lets the order end as it was last seen.
func (e Execution) resolveUnclear(w Resolution, r *Reading) (Changes, string) {
	switch {
	case e.SaidOver == w.OrderID:
		return Changes{}, "" // taken before, and its answer was lost
	case !r.Order.Settled():
		return Changes{}, "not every fill of order " + w.OrderID + " is settled; say it again when they are"
	}
	return Changes{SaidOver: w.OrderID}, ""
}

func (e Execution) objection(a *Attempt, w Resolution, r *Reading, f ExecutionFacts) string {
	switch {
	case w.Problem != "":
		return w.Problem
	case w.Actor == "" || w.Reason == "":
		return "actor and reason are required"
	case a == nil || e.Status != Unresolved || a.Outcome != "":
		return "the proposal is not UNRESOLVED"
	case !r.fits(w, f.Now):
		return "it was not checked at the exchange just now; say it again"
	case r.Problem != "":
		return "it could not be checked at the exchange: " + r.Problem
	case r.TakenBy != "":
		return "order " + r.OrderID + " is the order of proposal " + r.TakenBy
	case r.Order != nil && r.Order.ClientOrderID != "" && r.Order.ClientOrderID != e.ClientOrderID.String():
		return "order " + r.OrderID + " bears another client order ID than this proposal's"
	}
	return a.doubt(f).Objection(e.Plan, r.Order, r.ExchangeTime)
}

// Accepted is the ID of the accepted order; empty while there is none.
func (e Execution) Accepted() string {
	if a := e.alive(); a != nil {
		return a.OrderID
	}
	return ""
}

// Follow says whether an order is the accepted one's end, which is then written
// down. A status whose meaning nobody knows is final once the order is gone, or a
// person says so, and its fills are settled; while it is not, a person is called.
func (e Execution) Follow(s Sight, now time.Time) (Changes, bool) {
	o := s.Order
	switch {
	case e.Final != nil:
		return Changes{}, true
	case o.OrderID == "" || o.OrderID != e.Accepted():
		return Changes{}, false
	case !o.Status.Known() && (s.Gone || e.SaidOver == o.OrderID) && o.Settled():
		return Changes{Final: &o}, true
	case !o.Status.Known() && now.Sub(e.openUntil()) > maxUnknown:
		return Changes{Unclear: &o}, false
	case !o.Status.Final(), !o.Settled() && s.ExchangeTime.Sub(o.UpdatedAt) <= maxSettling:
		return Changes{}, false
	}
	return Changes{Final: &o}, true
}

// maxUnknown is how long after its time an order may have a status that nobody
// knows before a person is called.
const maxUnknown = 5 * time.Minute

// maxSettling is how long after an order's last change its fills may stay
// unsettled before it is recorded without their fees.
const maxSettling = 2 * time.Minute

// MayCancel says why the accepted order may be cancelled now; empty when
// nobody asked for it and its time is not over.
func (e Execution) MayCancel(f ExecutionFacts) string {
	switch {
	case f.CancelRequested:
		return "it was asked for"
	case !f.Now.Before(e.openUntil()):
		return "its time is over"
	}
	return ""
}

func (e Execution) openUntil() time.Time {
	return Claim{Plan: e.Plan, ClaimedAt: e.ClaimedAt}.OpenUntil(e.ClaimedAt)
}

// Record ends the execution with its final order. Without one it goes on.
func (e Execution) Record() (Changes, error) {
	switch {
	case !e.Status.Claimed() || e.Final == nil:
		return Changes{}, nil
	case e.Final.OrderID != e.Accepted():
		return Changes{}, fmt.Errorf("%w: order %s was not accepted for execution %d", ErrInvalid, e.Final.OrderID, e.ID)
	}
	return Changes{Status: Executed, Recorded: e.Final}, nil
}

// Fail ends an execution that placed nothing, for what its attempt says; for
// why that may not begin when it has no row. While an attempt is in doubt or
// accepted the execution goes on. number 0 is the last attempt.
func (e Execution) Fail(number int, f ExecutionFacts) Changes {
	if !e.Status.Claimed() || e.alive() != nil {
		return Changes{}
	}
	failure := e.failure(number, f)
	end := Failed
	if f.CancelRequested {
		end = Cancelled // somebody gave it up while the claim was carried out
	}
	return Changes{Status: end, Failure: &failure}
}

func (e Execution) failure(number int, f ExecutionFacts) Failure {
	if number == 0 {
		number = e.NextAttempt() - 1
	}
	if a := e.attempt(number); a != nil && a.RequestID == e.RequestID {
		return a.Result().Failure()
	}
	if code, may := e.mayBegin(e.RequestID, e.NextAttempt(), f); !may {
		return Failure{Code: code, Message: "the attempt was not allowed to begin"}
	}
	return (&Attempt{Outcome: OutcomeVoid}).Result().Failure()
}

// InDoubt reports whether attempt number has a row and no outcome.
func (e Execution) InDoubt(number int) bool {
	a := e.attempt(number)
	return a != nil && a.Outcome == ""
}

// Deadline is that of attempt number, which may be among the changes.
func (e Execution) Deadline(number int, c Changes) time.Time {
	if c.Begun != nil && c.Begun.Number == number {
		return c.Begun.Deadline
	}
	if a := e.attempt(number); a != nil {
		return a.Deadline
	}
	return time.Time{}
}

// attempt is a copy of attempt number; nil when it has no row.
func (e Execution) attempt(number int) *Attempt {
	for _, a := range e.Attempts {
		if a.Number == number {
			return &a
		}
	}
	return nil
}

// alive is the attempt that is in doubt or accepted; nil when there is none.
func (e Execution) alive() *Attempt {
	for _, a := range e.Attempts {
		if a.Outcome == "" || a.Outcome == OutcomeAccepted {
			return &a
		}
	}
	return nil
}
