// Package proposals holds the activities of role proposals: short transactions
// on the records, run as local activities. It decides nothing, and it cannot
// reach an exchange.
package proposals

import (
	"context"
	"errors"

	"go.temporal.io/sdk/temporal"

	"interlock/internal/trade"
)

// Names under which the activities are registered. A local activity must be
// called by name: a method value would carry the caller's nil receiver.
const (
	ReadState     = "ReadState"
	Preflight     = "Preflight"
	Conclude      = "Conclude"
	RecordOrder   = "RecordOrder"
	FailExecution = "FailExecution"
	Expire        = "Expire"
	Cancel        = "Cancel"
	StoreOverride = "StoreOverride"
	Resolve       = "Resolve"
	NoteRefusal   = "NoteRefusal"
)

// Records is where proposals, executions and attempts are kept.
type Records interface {
	ReadState(ctx context.Context, proposalID string) (trade.Life, error)
	Preflight(ctx context.Context, req trade.Request) (trade.Decision, error)
	Conclude(ctx context.Context, c trade.ClaimRef, number int) (trade.Finding, error)
	RecordOrder(ctx context.Context, c trade.ClaimRef) (trade.Recorded, error)
	FailExecution(ctx context.Context, c trade.ClaimRef, number int) (trade.Status, error)
	Expire(ctx context.Context, proposalID string) (trade.Status, error)
	Cancel(ctx context.Context, proposalID, actor, reason string) (trade.Status, error)
	StoreOverride(ctx context.Context, o trade.Override, via string) (string, error)
	Resolve(ctx context.Context, c trade.ClaimRef, number int, w trade.Resolution) (string, error)
	NoteRefusal(ctx context.Context, proposalID, signal, problem string) error
}

// Counter counts what happened, for the metrics. A nil one counts nothing.
type Counter interface {
	Blocked(code trade.Code)
	Unresolved(proposalID string)
}

// Activities are the transactions of a proposal's life. Each converges when it
// is run again.
type Activities struct {
	Records Records
	Counter Counter
}

// ReadState reads what is stored of a proposal.
func (a *Activities) ReadState(ctx context.Context, proposalID string) (trade.Life, error) {
	life, err := a.Records.ReadState(ctx, proposalID)
	return life, final(err)
}

// Preflight decides and claims. The same request gets the same decision.
func (a *Activities) Preflight(ctx context.Context, req trade.Request) (trade.Decision, error) {
	d, err := a.Records.Preflight(ctx, req)
	if err == nil && a.Counter != nil {
		for _, b := range d.Verdict.Blocks() {
			a.Counter.Blocked(b.Code)
		}
	}
	return d, final(err)
}

// AttemptInput names one attempt of a claim.
type AttemptInput struct {
	Claim  trade.ClaimRef `json:"claim"`
	Number int            `json:"number"`
}

// Conclude gives an attempt its verdict, if the looks so far allow one.
func (a *Activities) Conclude(ctx context.Context, in AttemptInput) (trade.Finding, error) {
	f, err := a.Records.Conclude(ctx, in.Claim, in.Number)
	if err == nil && !f.Concluded && a.Counter != nil {
		a.Counter.Unresolved(in.Claim.ProposalID)
	}
	return f, final(err)
}

// RecordInput names a claim whose order has ended.
type RecordInput struct {
	Claim trade.ClaimRef `json:"claim"`
}

// RecordOrder writes trade, execution, proposal and audit of an order that role
// orders has seen end. An execution that is not EXECUTED after it has no end
// yet.
func (a *Activities) RecordOrder(ctx context.Context, in RecordInput) (trade.Recorded, error) {
	r, err := a.Records.RecordOrder(ctx, in.Claim)
	return r, final(err)
}

// FailInput names a claim that placed nothing, and its last attempt.
type FailInput struct {
	Claim  trade.ClaimRef `json:"claim"`
	Number int            `json:"number"`
}

// FailExecution ends an execution that placed nothing, and returns what that
// made of its proposal: somebody may have given it up unheard by the caller, or
// an attempt be in doubt that the caller does not know of.
func (a *Activities) FailExecution(ctx context.Context, in FailInput) (trade.Status, error) {
	status, err := a.Records.FailExecution(ctx, in.Claim, in.Number)
	return status, final(err)
}

// Expire closes a proposal whose time is over, and returns its status.
func (a *Activities) Expire(ctx context.Context, proposalID string) (trade.Status, error) {
	s, err := a.Records.Expire(ctx, proposalID)
	return s, final(err)
}

// CancelInput is somebody's wish to give a proposal up.
type CancelInput struct {
	ProposalID string `json:"proposalId"`
	Actor      string `json:"actor"`
	Reason     string `json:"reason"`
}

// Cancel gives a proposal up, and returns its status.
func (a *Activities) Cancel(ctx context.Context, in CancelInput) (trade.Status, error) {
	s, err := a.Records.Cancel(ctx, in.ProposalID, in.Actor, in.Reason)
	return s, final(err)
}

// OverrideInput is an override and the door it came through.
type OverrideInput struct {
	Override trade.Override `json:"override"`
	Via      string         `json:"via"`
}

// StoreOverride keeps an override, or says why it is not usable.
func (a *Activities) StoreOverride(ctx context.Context, in OverrideInput) (string, error) {
	problem, err := a.Records.StoreOverride(ctx, in.Override, in.Via)
	return problem, final(err)
}

// ResolveInput is a person's resolution about an unresolved order. What is so at the
// exchange is not in it: role orders has written that down.
type ResolveInput struct {
	Claim   trade.ClaimRef `json:"claim"`
	Number  int            `json:"number"`
	OrderID string         `json:"orderId,omitempty"` // the order that it is; empty: there is none
	Actor   string         `json:"actor"`
	Reason  string         `json:"reason"`
	Problem string         `json:"problem,omitempty"` // what stood against it before
}

// Resolve takes a person's resolution, or says what stands against it.
func (a *Activities) Resolve(ctx context.Context, in ResolveInput) (string, error) {
	problem, err := a.Records.Resolve(ctx, in.Claim, in.Number, trade.Resolution{
		OrderID: in.OrderID, Actor: in.Actor, Reason: in.Reason, Problem: in.Problem,
	})
	return problem, final(err)
}

// RefusalInput is a signal to a proposal that was refused.
type RefusalInput struct {
	ProposalID string `json:"proposalId"`
	Signal     string `json:"signal"`
	Problem    string `json:"problem"`
}

// NoteRefusal keeps a refused signal in the audit.
func (a *Activities) NoteRefusal(ctx context.Context, in RefusalInput) error {
	return final(a.Records.NoteRefusal(ctx, in.ProposalID, in.Signal, in.Problem))
}

// Types of the errors that asking again cannot cure.
const (
	NotFoundType = "NotFound"
	BugType      = "Bug" // an invariant of the records said no
)

// final marks the answers of a healthy store, so that only a broken one is
// asked again.
func final(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, trade.ErrNotFound):
		return temporal.NewNonRetryableApplicationError(err.Error(), NotFoundType, err)
	case errors.Is(err, trade.ErrConflict), errors.Is(err, trade.ErrInvalid):
		return temporal.NewNonRetryableApplicationError(err.Error(), BugType, err)
	}
	return err
}
