package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"interlock/internal/trade"
	"interlock/internal/view"
	"interlock/workflows"
)

// ExecuteBody asks for a proposal to be executed.
type ExecuteBody struct {
	ProposalID       string `json:"proposalId" minLength:"1" maxLength:"100" example:"prop-1"`
	OverrideCooldown bool   `json:"overrideCooldown,omitempty" doc:"Execute in spite of the cooldown; needs a reason"`
	OverrideAntiFlip bool   `json:"overrideAntiFlip,omitempty" doc:"Execute in spite of anti-flip; needs a reason"`
	Reason           string `json:"reason,omitempty" maxLength:"500" doc:"Why; kept in the audit"`
	Side             string `json:"side,omitempty" maxLength:"10" doc:"An assertion: refused with SIDE_MISMATCH unless the proposal is on this side" example:"buy"`
}

// Executed answers a request that won the claim: 200 when the execution has
// ended, 202 while it is open.
type Executed struct {
	ProposalID    string               `json:"proposalId"`
	RequestID     string               `json:"requestId" doc:"As the audit names this request"`
	Status        trade.Status         `json:"status" example:"EXECUTED"`
	PolicyVersion int                  `json:"policyVersion,omitempty" doc:"The version it was judged by"`
	Order         *workflows.OrderView `json:"order,omitempty" doc:"Absent until the order is known; it may have filled nothing"`
}

type executeInput struct{ Body ExecuteBody }

type executeOutput struct {
	Status int
	Body   Executed
}

// execute answers from the records when the proposal is not free, and asks its
// workflow otherwise.
func (s *server) execute(ctx context.Context, in *executeInput) (*executeOutput, error) {
	asked := s.Now()
	p, refusal := s.own(ctx, in.Body.ProposalID)
	if refusal == nil {
		refusal = in.Body.check(p)
	}
	if refusal == nil {
		refusal = notFree(p)
	}
	if refusal != nil {
		return nil, refusal
	}
	requestID := uuid.NewString()
	if o, asked := in.Body.override(requestID, whoAsks(ctx)); asked {
		if refusal := s.keep(ctx, o); refusal != nil {
			return nil, refusal
		}
	}
	req := workflows.ExecuteRequest{Actor: whoAsks(ctx).UserID, Reason: in.Body.Reason, NotAfter: asked.Add(requestLife).UTC()}
	result, err := s.ask(ctx, p, requestID, req)
	out, refusal := s.answer(p.ID, requestID, req.NotAfter, result, err)
	if refusal != nil {
		return nil, refusal
	}
	return out, nil
}

// override is what the request itself permits, for itself only. The records
// keep whom this door has verified; what Temporal is sent proves nothing.
func (b ExecuteBody) override(requestID string, who view.Identity) (o trade.Override, asked bool) {
	return trade.Override{
		ID: "request:" + requestID, RequestID: requestID, ProposalID: b.ProposalID, Cooldown: b.OverrideCooldown, AntiFlip: b.OverrideAntiFlip,
		Reason: b.Reason, Actor: who.UserID, Verified: true, Identity: who.UserID,
	}, b.OverrideCooldown || b.OverrideAntiFlip
}

// check compares the request with its proposal.
func (b ExecuteBody) check(p view.Proposal) *Problem {
	if (b.OverrideCooldown || b.OverrideAntiFlip) && strings.TrimSpace(b.Reason) == "" {
		return problem(http.StatusBadRequest, string(trade.OverrideReasonRequired), "reason: an override needs one; it is kept in the audit")
	}
	if b.Side == "" {
		return nil
	}
	side, err := trade.ParseSide("side", b.Side)
	switch {
	case err != nil:
		return invalid(err)
	case side != p.Side:
		return problem(http.StatusBadRequest, string(trade.SideMismatch), "side: the proposal is a %s and the request says %s", p.Side, side)
	}
	return nil
}

// ask puts the request to the workflow of a proposal that was free when it was
// read, and finds its answer in the records when it is lost. A request that
// waited for its turn reads the proposal again.
func (s *server) ask(ctx context.Context, p view.Proposal, requestID string, req workflows.ExecuteRequest) (workflows.ExecuteResult, error) {
	bound, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	waited, err := s.turns.take(bound, p.ID)
	if err != nil {
		return workflows.ExecuteResult{}, err
	}
	defer s.turns.give(p.ID)
	if waited {
		p, refusal := s.own(ctx, p.ID)
		if refusal == nil {
			refusal = notFree(p)
		}
		if refusal != nil {
			return workflows.ExecuteResult{}, refusal
		}
	}
	if refusal := s.note(bound, p, view.Act{Act: "execute", Request: requestID, Reason: req.Reason}); refusal != nil {
		return workflows.ExecuteResult{}, refusal
	}
	result, err := s.Temporal.Execute(bound, p.ID, requestID, req)
	if err != nil {
		result, err = s.lookUp(ctx, p.ID, requestID, err)
	}
	return result, err
}

// lookUp finds in the records what became of a request whose answer was lost.
// A block of another request is no answer to this one.
func (s *server) lookUp(ctx context.Context, id, requestID string, cause error) (workflows.ExecuteResult, error) {
	var rejected *Rejection
	if errors.As(cause, &rejected) {
		return workflows.ExecuteResult{}, cause
	}
	s.Log.Warn("execute was not answered", "proposal", id, "request", requestID, "error", cause)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordsPatience)
	defer cancel()
	p, err := s.Store.Proposal(ctx, id)
	if err != nil {
		return workflows.ExecuteResult{}, fmt.Errorf("%w: %w", cause, err)
	}
	result := workflows.ExecuteResult{Status: p.Status, PolicyVersion: p.PolicyVersion, Order: orderOf(p.Execution)}
	if p.Execution != nil && p.Execution.RequestID == requestID {
		result.Claimed, result.Failure = true, failureOf(p.Failure)
	}
	return result, nil
}

func (s *server) answer(id, requestID string, notAfter time.Time, r workflows.ExecuteResult, err error) (*executeOutput, *Problem) {
	var rejected *Rejection
	var refused *Problem
	switch {
	case errors.As(err, &refused):
		return nil, refused
	case errors.As(err, &rejected):
		return nil, problem(http.StatusBadRequest, rejected.Code, "%s", rejected.Message)
	case err != nil:
		return nil, unanswered(notAfter)
	case !r.Claimed:
		return nil, s.counted(declined(r, notAfter))
	}
	out := &executeOutput{Status: http.StatusOK, Body: Executed{
		ProposalID: id, RequestID: requestID, Status: r.Status, PolicyVersion: r.PolicyVersion, Order: r.Order,
	}}
	switch {
	case r.Status == trade.Executed:
		return out, nil
	case r.Status.Claimed():
		out.Status = http.StatusAccepted
		return out, nil
	}
	return nil, s.counted(failed(r))
}

func (s *server) counted(p *Problem) *Problem {
	for _, b := range p.Blocks {
		s.Metrics.Blocked(b.Code)
	}
	return p
}
