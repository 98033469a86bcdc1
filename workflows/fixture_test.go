package workflows

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"interlock/activities/orders"
	"interlock/activities/proposals"
	"interlock/internal/trade"
)

// bench is a Proposal workflow in the SDK's test environment, whose clock
// skips, with records and an exchange that can be made to misbehave.
type bench struct {
	t   *testing.T
	env *testsuite.TestWorkflowEnvironment

	life       trade.Life
	block      trade.Code            // preflight blocks with this
	placings   []trade.AttemptResult // of each PlaceOrder; the last one repeats
	placeErr   error
	lost       int // so many PlaceOrders fail, as those of lost workers do
	input      ProposalInput
	short      bool   // the run is to continue as new after a few events
	looking    func() // during every FindOrder
	readErr    error
	findings   []trade.Finding    // of each Conclude; the last one repeats
	orders     []trade.Order      // of FollowOrder after so many cancels; the last one repeats
	won        func(*trade.Claim) // changes the claim that preflight wins
	problem    string             // of StoreOverride and Resolve
	outage     time.Time          // until when Cancel finds no database
	restored   bool               // the records do not have the claim
	followErrs []error            // of FollowOrder, one after another
	unended    int                // so often no row has the order's end
	alive      trade.Status       // what the proposal is while an attempt is in doubt or accepted
	// checksOverrides lets StoreOverride refuse what the real one would.
	checksOverrides bool

	mu       sync.Mutex
	calls    map[string]int
	recorded *trade.Order
	failed   int
	stored   []trade.Override
	resolved []trade.Resolution
	refusals []string
	silent   func() bool // the exchange does not answer a lookup
	requests []trade.Request
}

// timeout bounds what a test waits for; it judges nothing.
const timeout = 5 * time.Minute

// newEnv is an environment that neither gives a machine up that stands still
// for some seconds, nor takes that for a deadlock.
func newEnv(suite *testsuite.WorkflowTestSuite) *testsuite.TestWorkflowEnvironment {
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(timeout)
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: timeout})
	return env
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, calls: map[string]int{}, placings: []trade.AttemptResult{accepted(filled)}, orders: []trade.Order{filled}}
	var suite testsuite.WorkflowTestSuite
	b.env = newEnv(&suite)
	b.env.SetStartTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	now := b.env.Now()
	b.life = trade.Life{Proposal: trade.Proposal{
		ID: "default-test-workflow-id", UserID: "anna", AccountID: "paper", Market: "BTC-EUR", Side: trade.Buy,
		OrderType: trade.MarketOrder, Status: trade.Pending, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}}
	b.env.RegisterWorkflow(Proposal)
	b.env.RegisterActivity(&proposals.Activities{Records: records{b}})
	for name, fn := range map[string]any{
		orders.PlaceOrder: b.place, orders.FindOrder: b.find, orders.ReadOrder: b.read,
		orders.FollowOrder: b.follow, orders.CancelOrder: b.cancel,
	} {
		b.env.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
	return b
}

var (
	amount = decimal.RequireFromString("0.001")
	filled = trade.Order{
		OrderID: "order-1", Market: "BTC-EUR", Side: trade.Buy, Status: "filled", Amount: amount, FilledAmount: amount,
		FilledAmountQuote: decimal.RequireFromString("85"),
		Fills:             []trade.Fill{{ID: "fill-1", Amount: amount, Price: decimal.RequireFromString("85000"), Settled: true}},
	}
	openOrder = trade.Order{OrderID: "order-1", Market: "BTC-EUR", Side: trade.Buy, Status: "new", Amount: amount}
)

func accepted(o trade.Order) trade.AttemptResult {
	return trade.AttemptResult{Reply: trade.Accepted, Order: &o}
}

func (b *bench) claim() *trade.Claim {
	return &trade.Claim{
		ExecutionID: 1, ProposalID: b.life.Proposal.ID, AccountID: "paper", ClientOrderID: uuid.MustParse("2be7d0df-d8dc-4b93-a550-8876f3b393e9"),
		Plan:      trade.Plan{Market: "BTC-EUR", Side: trade.Buy, OrderType: trade.LimitOrder, TimeInForce: "IOC", Amount: &amount},
		ClaimedAt: b.life.Proposal.CreatedAt, NextAttempt: 1, Untried: true,
	}
}

// run runs the workflow to its end and returns its answer.
func (b *bench) run() State {
	b.t.Helper()
	b.env.ExecuteWorkflow(Proposal, ProposalInput{})
	require.True(b.t, b.env.IsWorkflowCompleted())
	require.NoError(b.t, b.env.GetWorkflowError())
	var s State
	require.NoError(b.t, b.env.GetWorkflowResult(&s))
	return s
}

// at does something once the workflow's clock has reached an offset.
func (b *bench) at(offset time.Duration, do func()) { b.env.RegisterDelayedCallback(do, offset) }

// execute sends an execute update and keeps its answer.
func (b *bench) execute(id string, req ExecuteRequest) *answer {
	a := &answer{}
	if req.Actor == "" {
		req.Actor = "anna"
	}
	b.env.UpdateWorkflow(ExecuteUpdate, id, a, req)
	return a
}

// resolve sends a person's resolution as an update and keeps its answer.
func (b *bench) resolve(id string, req ResolveRequest) *answer {
	a := &answer{}
	req.Actor, req.Reason = "olga", "seen in the web page"
	b.env.UpdateWorkflow(ResolveName, id, a, req)
	return a
}

// state asks the workflow how things stand.
func (b *bench) state() State {
	b.t.Helper()
	value, err := b.env.QueryWorkflow(StateQuery)
	require.NoError(b.t, err)
	var s State
	require.NoError(b.t, value.Get(&s))
	return s
}

// answer collects what became of an update.
type answer struct {
	rejected error
	result   *ExecuteResult
	resolved *ResolveResult
	err      error
}

func (a *answer) Accept()          {}
func (a *answer) Reject(err error) { a.rejected = err }
func (a *answer) Complete(success any, err error) {
	switch r := success.(type) {
	case ExecuteResult:
		a.result = &r
	case ResolveResult:
		a.resolved = &r
	}
	a.err = err
}

// nth returns the n-th of a list, and the last one for ever after.
func nth[T any](list []T, n int) T { return list[min(n, len(list))-1] }

func (b *bench) place(_ context.Context, in orders.AttemptInput) (trade.AttemptResult, error) {
	b.calls[orders.PlaceOrder]++
	require.Equal(b.t, b.calls[orders.PlaceOrder], in.Number, "each attempt has its own number")
	if b.calls[orders.PlaceOrder] <= b.lost {
		return trade.AttemptResult{}, errors.New("the worker was lost")
	}
	return nth(b.placings, b.calls[orders.PlaceOrder]), b.placeErr
}

func (b *bench) find(context.Context, orders.AttemptInput) (trade.Lookup, error) {
	b.note(orders.FindOrder)
	if b.looking != nil {
		b.looking()
	}
	if b.silent != nil && b.silent() {
		return trade.Lookup{}, temporal.NewApplicationErrorWithOptions("silent", orders.SilentType, temporal.ApplicationErrorOptions{NextRetryDelay: time.Minute})
	}
	return trade.Lookup{Result: trade.NotThere}, nil
}

func (b *bench) read(_ context.Context, in orders.OrderInput) (orders.OrderReading, error) {
	b.calls[orders.ReadOrder]++
	if b.readErr != nil {
		return orders.OrderReading{}, b.readErr
	}
	if in.OrderID == "" {
		return orders.OrderReading{ExchangeNow: b.env.Now()}, nil
	}
	return orders.OrderReading{Order: &filled, ExchangeNow: b.env.Now()}, nil
}

func (b *bench) follow(context.Context, orders.OrderInput) (trade.Order, error) {
	b.note(orders.FollowOrder)
	if b.restored {
		return trade.Order{}, temporal.NewNonRetryableApplicationError("not found", orders.NotFoundType, nil)
	}
	if len(b.followErrs) > 0 {
		err := b.followErrs[0]
		b.followErrs = b.followErrs[1:]
		return trade.Order{}, err
	}
	o := nth(b.orders, b.calls[orders.CancelOrder]+1)
	if !o.Status.Final() {
		// The test environment tries an activity ten times at most, so it is asked rarely.
		return o, temporal.NewApplicationErrorWithOptions("open", orders.StillOpenType, temporal.ApplicationErrorOptions{NextRetryDelay: time.Minute})
	}
	return o, nil
}

func (b *bench) cancel(context.Context, orders.OrderInput) error {
	b.calls[orders.CancelOrder]++
	return nil
}

// note and count are for calls that a test waits for while others are made.
func (b *bench) note(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls[name]++
}

func (b *bench) count(name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls[name]
}

// records is the port of the proposals' activities, kept in memory.
type records struct{ *bench }

func (r records) ReadState(context.Context, string) (trade.Life, error) {
	r.calls["ReadState"]++
	if r.life.Proposal.Status == "" {
		return trade.Life{}, trade.ErrNotFound
	}
	return r.life, nil
}

func (r records) Preflight(_ context.Context, req trade.Request) (trade.Decision, error) {
	r.calls["Preflight"]++
	r.requests = append(r.requests, req)
	d := trade.Decision{Verdict: trade.Verdict{RequestID: req.ID, Checks: []trade.Check{{Code: trade.CooldownBlocked, Passed: true}}}}
	if r.block != "" {
		d.Verdict.Checks = []trade.Check{{Code: r.block, Message: "no"}}
		return d, nil
	}
	d.Claim = r.claim()
	r.life.Claim, r.life.Proposal.Status = d.Claim, trade.Executing
	if r.won != nil {
		r.won(d.Claim)
	}
	return d, nil
}

func (r records) Conclude(context.Context, trade.ClaimRef, int) (trade.Finding, error) {
	r.calls["Conclude"]++
	if r.restored {
		return trade.Finding{}, trade.ErrNotFound
	}
	if len(r.findings) == 0 {
		return trade.Finding{Concluded: true, Outcome: trade.OutcomeVoid, Result: trade.AttemptResult{Reply: trade.NotSent, Code: string(trade.ExchangeUnavailable)}}, nil
	}
	return nth(r.findings, r.calls["Conclude"]), nil
}

// RecordOrder finds the end that role orders has seen: the last order that it
// was asked for.
func (r records) RecordOrder(context.Context, trade.ClaimRef) (trade.Recorded, error) {
	r.calls["RecordOrder"]++
	if r.restored {
		return trade.Recorded{}, trade.ErrNotFound
	}
	if r.unended > 0 {
		r.unended--
		return trade.Recorded{Status: trade.Executing}, nil
	}
	r.recorded, r.life.Proposal.Status = r.end(), trade.Executed
	return trade.Recorded{Status: trade.Executed, Order: r.recorded}, nil
}

// end is the accepted order as it was last seen.
func (b *bench) end() *trade.Order {
	if b.calls[orders.FollowOrder] > 0 {
		o := nth(b.orders, b.calls[orders.CancelOrder]+1)
		return &o
	}
	for _, p := range slices.Backward(b.placings) {
		if p.Reply == trade.Accepted {
			return p.Order
		}
	}
	for _, f := range slices.Backward(b.findings) {
		if f.Result.Reply == trade.Accepted {
			return f.Result.Order
		}
	}
	return nil
}

func (r records) FailExecution(context.Context, trade.ClaimRef, int) (trade.Status, error) {
	r.calls["FailExecution"]++
	if r.restored {
		return "", trade.ErrNotFound
	}
	if r.alive != "" {
		return r.alive, nil
	}
	r.failed++
	r.life.Proposal.Status = trade.Failed
	if r.life.CancelledBy != "" {
		r.life.Proposal.Status = trade.Cancelled
	}
	return r.life.Proposal.Status, nil
}

func (r records) NoteRefusal(_ context.Context, _, signal, _ string) error {
	r.refusals = append(r.refusals, signal)
	return nil
}

func (r records) Expire(context.Context, string) (trade.Status, error) {
	r.calls["Expire"]++
	r.life.Proposal.Status = trade.Expired
	return trade.Expired, nil
}

func (r records) Cancel(_ context.Context, _, actor, reason string) (trade.Status, error) {
	r.calls["Cancel"]++
	if r.env.Now().Before(r.outage) {
		return "", errors.New("connection refused")
	}
	if actor == "" || reason == "" {
		return "", trade.ErrInvalid
	}
	r.life.CancelledBy = actor
	if r.life.Proposal.Status.Executable() {
		r.life.Proposal.Status = trade.Cancelled
	}
	return r.life.Proposal.Status, nil
}

func (r records) StoreOverride(_ context.Context, o trade.Override, _ string) (string, error) {
	r.stored = append(r.stored, o)
	if r.checksOverrides {
		return o.Problem(), nil
	}
	return r.problem, nil
}

func (r records) Resolve(_ context.Context, _ trade.ClaimRef, _ int, w trade.Resolution) (string, error) {
	r.resolved = append(r.resolved, w)
	if w.Problem != "" {
		return w.Problem, nil
	}
	switch {
	case r.problem != "":
	case w.OrderID == "":
		r.findings = []trade.Finding{{Concluded: true, Outcome: trade.OutcomeAbsent, Result: trade.AttemptResult{Reply: trade.NotSent, Code: string(trade.OrderAbsent)}}}
	default:
		r.findings = []trade.Finding{{Concluded: true, Result: accepted(filled)}}
	}
	return r.problem, nil
}
