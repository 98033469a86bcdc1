package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"interlock/internal/trade"
	"interlock/internal/view"
	"interlock/workflows"
)

// OverrideBody permits one execution in spite of cooldown or anti-flip.
type OverrideBody struct {
	ID        string     `json:"id,omitempty" maxLength:"100" doc:"Makes it repeatable; derived from the content when it is left out"`
	Cooldown  bool       `json:"cooldown,omitempty"`
	AntiFlip  bool       `json:"antiFlip,omitempty"`
	Reason    string     `json:"reason" maxLength:"500" doc:"Why; kept in the audit"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"15 minutes from now when it is left out; at most a year"`
	Execute   bool       `json:"execute,omitempty" doc:"Execute with it at once"`
}

// OverrideView says that the override is kept, and how its execution stands.
type OverrideView struct {
	OverrideID string     `json:"overrideId"`
	Execute    *TriedView `json:"execute,omitempty" doc:"Present when it was asked to execute"`
}

// TriedView is how an execution stood when it was answered.
type TriedView struct {
	Status  trade.Status         `json:"status"`
	Claimed bool                 `json:"claimed" doc:"This request won the claim"`
	Blocks  []Block              `json:"blocks,omitempty" nullable:"false"`
	Order   *workflows.OrderView `json:"order,omitempty"`
	Failure *FailureView         `json:"failure,omitempty"`
}

type overrideInput struct {
	ID   string `path:"id"`
	Body OverrideBody
}

type overrideOutput struct{ Body OverrideView }

// override keeps a permission for the next execute. The actor is the token's
// user, whatever the body says.
func (s *server) override(ctx context.Context, in *overrideInput) (*overrideOutput, error) {
	p, refusal := s.own(ctx, in.ID)
	if refusal == nil {
		refusal = in.Body.check(s.Now())
	}
	if refusal == nil {
		refusal = notFree(p)
	}
	if refusal != nil {
		return nil, refusal
	}
	req := workflows.OverrideRequest{
		ID: in.Body.ID, Cooldown: in.Body.Cooldown, AntiFlip: in.Body.AntiFlip,
		Actor: whoAsks(ctx).UserID, Reason: in.Body.Reason, Execute: in.Body.Execute,
	}
	if in.Body.ExpiresAt != nil {
		req.ExpiresAt = in.Body.ExpiresAt.UTC()
	}
	bound, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	result, err := s.Temporal.Override(bound, p.ID, req)
	switch {
	case err != nil:
		s.Log.Warn("override was not answered", "proposal", p.ID, "error", err)
		return nil, errWorkflows()
	case !result.Accepted:
		return nil, problem(http.StatusBadRequest, InvalidRequest, "%s", result.Problem)
	}
	return &overrideOutput{Body: OverrideView{OverrideID: result.OverrideID, Execute: triedOf(result.Execute)}}, nil
}

func (b OverrideBody) check(now time.Time) *Problem {
	switch {
	case strings.TrimSpace(b.Reason) == "":
		return problem(http.StatusBadRequest, string(trade.OverrideReasonRequired), "reason: an override needs one; it is kept in the audit")
	case !b.Cooldown && !b.AntiFlip:
		return invalid(errors.New("cooldown: say true here, in antiFlip, or in both"))
	case b.ID != "" && trade.CheckID("id", b.ID) != nil:
		return invalid(trade.CheckID("id", b.ID))
	case b.ExpiresAt != nil:
		if err := checkExpiry(b.ExpiresAt.UTC(), now); err != nil {
			return invalid(err)
		}
	}
	return nil
}

func triedOf(r *workflows.ExecuteResult) *TriedView {
	if r == nil {
		return nil
	}
	tried := &TriedView{Status: r.Status, Claimed: r.Claimed, Blocks: blocksOf(r.Blocks), Order: r.Order}
	if r.Failure != nil {
		failure := FailureView(*r.Failure)
		tried.Failure = &failure
	}
	return tried
}

// CancelBody gives a proposal up.
type CancelBody struct {
	Reason string `json:"reason" maxLength:"500" doc:"Why; kept in the audit"`
}

type cancelInput struct {
	ID   string `path:"id"`
	Body CancelBody
}

// cancel gives a proposal up: 200 when it is CANCELLED, 202 when the wish is
// kept for whoever carries the claim out, or was sent and not seen yet.
func (s *server) cancel(ctx context.Context, in *cancelInput) (*proposalOutput, error) {
	p, refusal := s.own(ctx, in.ID)
	if refusal == nil {
		refusal = cannotCancel(p, in.Body.Reason)
	}
	if refusal != nil {
		return nil, refusal
	}
	if p.Status == trade.Cancelled {
		return &proposalOutput{Status: http.StatusOK, Body: viewOf(p)}, nil
	}
	bound, end := context.WithTimeout(ctx, recordsPatience)
	defer end()
	if err := s.Temporal.Cancel(bound, p.ID, workflows.CancelRequest{Actor: whoAsks(ctx).UserID, Reason: in.Body.Reason}); err != nil {
		s.Log.Warn("cancel was not taken", "proposal", p.ID, "error", err)
		return nil, errWorkflows()
	}
	return s.awaitCancel(ctx, p)
}

func cannotCancel(p view.Proposal, reason string) *Problem {
	if strings.TrimSpace(reason) == "" {
		return invalid(errors.New("reason: say why; it is kept in the audit"))
	}
	if p.Status == trade.Executed || p.Status == trade.Expired {
		return notFree(p)
	}
	return nil
}

// awaitCancel reads the records until they show what the signal did, for a
// moment.
func (s *server) awaitCancel(ctx context.Context, p view.Proposal) (*proposalOutput, error) {
	const patience, pause = 3 * time.Second, 50 * time.Millisecond
	bound, end := context.WithTimeout(ctx, patience)
	defer end()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		now, err := s.Store.Proposal(bound, p.ID)
		if err == nil {
			p = now
		}
		switch {
		case p.Status == trade.Cancelled:
			return &proposalOutput{Status: http.StatusOK, Body: viewOf(p)}, nil
		case p.Status == trade.Executed, p.Status == trade.Expired:
			return nil, notFree(p)
		case p.CancelledBy != "" || bound.Err() != nil:
			return &proposalOutput{Status: http.StatusAccepted, Body: viewOf(p)}, nil
		}
		select {
		case <-tick.C:
		case <-bound.Done():
		}
	}
}
