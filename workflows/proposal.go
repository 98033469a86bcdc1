package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/orders"
	"interlock/activities/proposals"
	"interlock/internal/trade"
)

// Proposal lives one proposal, named by its workflow ID: it waits for somebody
// to execute, override or cancel it, carries a claim out to its end, and
// expires by itself. It begins by reading the database, so a second run, a
// reset or a restore continues from the truth. It fails only when there is no
// such proposal, or when the records contradict themselves.
//
// Two kinds of coroutines share it. Whoever asks has one for each update, and
// one for all signals (requests.go): they run preflight, one at a time, and that
// is where a claim is won. The run's own coroutine waits here, and carries the
// claim out (order.go). What is handed over is the claim in life, and whether it
// is this run's own: only then may an attempt be made for it. Everything else
// that the two tell each other is in the inbox; the query reads the view.
func Proposal(ctx workflow.Context, in ProposalInput) (State, error) {
	p, err := newProposal(ctx, in)
	if err != nil {
		return State{}, err
	}
	if err := p.load(ctx); err != nil {
		return p.state(), p.leave(ctx, err)
	}
	for !p.status().Closed() {
		err := p.step(ctx)
		if errors.Is(err, errRenew) && p.spokenTo(ctx) {
			continue
		}
		if err != nil {
			return p.state(), p.leave(ctx, err)
		}
	}
	return p.state(), p.leave(ctx, nil)
}

// step waits while the proposal rests, and carries its claim out when it has
// one. From the claim on nothing is cancelled: cancellation comes too late.
func (p *proposal) step(ctx workflow.Context) error {
	if !p.status().Claimed() {
		return p.rest(ctx)
	}
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	if p.life.Claim == nil {
		return p.startOver(ctx, "it is claimed, and nobody says by whom")
	}
	err := p.carryOut(ctx)
	if !errors.Is(err, errRenew) {
		p.dropResolution(ctx)
	}
	if why := contradicted(err); why != "" {
		return p.startOver(ctx, why)
	}
	return err
}

// contradicted says how an activity has contradicted what this run believes of
// its claim: the database does not have it, no order was accepted for it, or
// what follows the order was ended by somebody else. Empty for anything else.
func contradicted(err error) string {
	var failure *temporal.ApplicationError
	if errors.As(err, &failure) && failure.Type() == orders.NotFoundType {
		return "the claim is not in the database"
	}
	var call *temporal.ActivityError
	if errors.As(err, &call) && (call.ActivityType().GetName() == followOrder || call.ActivityType().GetName() == cancelOrder) {
		return plain(err)
	}
	return ""
}

// startOver is for a claim that is not as this run believes: the database was
// restored to a time before, the claim was lost to another run, or this run was
// told what is not so. What the records say now is the truth; what was done with
// the claim is found at the exchange.
func (p *proposal) startOver(ctx workflow.Context, why string) error {
	workflow.GetLogger(ctx).Error("reading the truth again", "because", why, "claim", p.life.Claim)
	if err := workflow.Sleep(ctx, retryPause); err != nil {
		return err
	}
	p.carry.lookups, p.carry.nextLookup, p.view.failure = 0, time.Time{}, nil
	return p.load(ctx)
}

// proposal is one run's view of the stored truth.
type proposal struct {
	id     string
	life   trade.Life // the records, as they were last read
	loaded bool
	carry  carrying
	inbox  inbox
	view   view
}

// carrying is what a run knows of the claim that it carries out.
type carrying struct {
	mine       bool // this run won the claim and nothing was attempted for it
	givenUp    bool // somebody asked to give the proposal up
	lookups    int  // for an unknown order, so far
	nextLookup time.Time
}

var errRenew = errors.New("continue as new")

func newProposal(ctx workflow.Context, in ProposalInput) (*proposal, error) {
	p := &proposal{
		id:    workflow.GetInfo(ctx).WorkflowExecution.ID,
		carry: carrying{lookups: max(in.Looks, 0)},
		inbox: inbox{taken: in.Taken, preflight: workflow.NewMutex(ctx)},
	}
	if err := p.listen(ctx); err != nil {
		return nil, fmt.Errorf("proposal %s: %w", p.id, err)
	}
	return p, nil
}

func (p *proposal) status() trade.Status { return p.life.Proposal.Status }

// load reads the truth. It is tried until the database answers.
func (p *proposal) load(ctx workflow.Context) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	var life trade.Life
	if err := p.insist(ctx, proposals.ReadState, p.id, "read the stored truth", &life); err != nil {
		return err
	}
	p.life, p.loaded = life, true
	p.carry.mine = false
	p.carry.givenUp = life.CancelledBy != ""
	p.view.order = life.Order
	p.showTries(life)
	if life.Proposal.Status == trade.Failed {
		p.view.failure = &FailureView{Code: trade.Code(life.Proposal.FailureCode)}
	}
	return p.show(ctx)
}

// insist runs a transaction that has to happen before anything else may, until
// the database is back. While it is tried the state says so: the Web UI shows no
// local activity.
func (p *proposal) insist(ctx workflow.Context, activity string, in any, summary string, result any) error {
	p.view.recording = &RecordingView{Activity: activity, Since: workflow.Now(ctx)}
	defer func() { p.view.recording = nil }()
	return workflow.ExecuteLocalActivity(must(ctx, summary), activity, in).Get(ctx, result)
}

// rest waits for a claim, a cancel, or the end of the proposal's time.
func (p *proposal) rest(ctx workflow.Context) error {
	due := p.life.Proposal.ExpiresAt.Sub(workflow.Now(ctx))
	moved, err := workflow.AwaitWithTimeout(ctx, max(due, time.Second), func() bool {
		return p.status().Closed() || p.status().Claimed() || p.mayRenew(ctx)
	})
	switch {
	case temporal.IsCanceledError(err):
		return p.giveUp(ctx, CancelRequest{Actor: "temporal", Reason: "the workflow was cancelled"})
	case err != nil:
		return err
	case !moved:
		return p.expire(ctx)
	case !p.status().Claimed() && !p.status().Closed():
		return errRenew
	}
	return nil
}

// expire closes the proposal unless a claim was faster or the database's clock
// says that it is not due.
func (p *proposal) expire(ctx workflow.Context) error {
	var now trade.Status
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	if err := p.insist(ctx, proposals.Expire, p.id, "expire", &now); err != nil {
		return err
	}
	return p.moveTo(ctx, now)
}

// moveTo takes over a status that the records have given. A claim that this
// run did not win, or the order it ended with, is read anew.
func (p *proposal) moveTo(ctx workflow.Context, now trade.Status) error {
	if (now.Claimed() || now == trade.Executed) && !p.status().Claimed() {
		return p.load(ctx)
	}
	p.life.Proposal.Status = now
	return p.show(ctx)
}

// mayRenew reports whether to continue as new: history has grown long, and
// nobody is being answered, so that no claim is won by a run that ends.
func (p *proposal) mayRenew(ctx workflow.Context) bool {
	return workflow.GetInfo(ctx).GetContinueAsNewSuggested() && p.idle(ctx)
}

// idle reports whether everybody who asked has an answer.
func (p *proposal) idle(ctx workflow.Context) bool {
	return p.inbox.resolution == nil && p.inbox.deciding == 0 && workflow.AllHandlersFinished(ctx) && !p.inbox.handling && !p.inbox.signals.HasPending()
}

// spokenTo reports whether a person spoke up while the run was about to
// continue as new: their word is weighed first, by this run.
func (p *proposal) spokenTo(ctx workflow.Context) bool {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	_ = workflow.Await(ctx, func() bool { return p.inbox.resolution != nil || p.idle(ctx) }) // a disconnected wait has no error
	return p.inbox.resolution != nil
}

// leave ends the run once everybody who asked has an answer.
func (p *proposal) leave(ctx workflow.Context, err error) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	p.loaded = true // whoever waits for it must hear that there is nothing
	answered := workflow.Await(ctx, func() bool { return p.idle(ctx) })
	switch {
	case errors.Is(err, errRenew) && answered == nil:
		return workflow.NewContinueAsNewError(ctx, ProposalType, ProposalInput{Looks: p.carry.lookups, Taken: p.inbox.taken})
	case err != nil:
		return err
	}
	return answered
}
