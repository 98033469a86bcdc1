package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"interlock/internal/trade"
	"interlock/internal/view"
	"interlock/workflows"
)

// ResolveBody is a person's word on an unresolved order.
type ResolveBody struct {
	OrderID string `json:"orderId,omitempty" maxLength:"100" doc:"The order it is at the exchange; give this or absent"`
	Absent  bool   `json:"absent,omitempty" doc:"The exchange has no such order"`
	Reason  string `json:"reason" maxLength:"500" doc:"Why; kept in the audit"`
}

// ResolvedView says how things stood once the word was taken.
type ResolvedView struct {
	ProposalID string               `json:"proposalId"`
	RequestID  string               `json:"requestId" doc:"As the audit names this request"`
	Status     trade.Status         `json:"status"`
	Order      *workflows.OrderView `json:"order,omitempty"`
	Failure    *FailureView         `json:"failure,omitempty"`
}

type resolveInput struct {
	ID   string `path:"id"`
	Body ResolveBody
}

type resolveOutput struct{ Body ResolvedView }

// resolve passes a person's word on to the proposal's workflow, which weighs it
// against the exchange and the records. Who gave it is recorded first: a
// workflow believes whatever actor it is told.
func (s *server) resolve(ctx context.Context, in *resolveInput) (*resolveOutput, error) {
	p, refusal := s.own(ctx, in.ID)
	if refusal == nil {
		refusal = in.Body.check()
	}
	requestID := uuid.NewString()
	if refusal == nil {
		refusal = s.note(ctx, p, view.Act{Act: "resolve", Request: requestID, OrderID: in.Body.OrderID, Absent: in.Body.Absent, Reason: in.Body.Reason})
	}
	if refusal != nil {
		return nil, refusal
	}
	bound, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	r, err := s.Temporal.Resolve(bound, p.ID, requestID, workflows.ResolveRequest{
		OrderID: in.Body.OrderID, Absent: in.Body.Absent, Actor: whoAsks(ctx).UserID, Reason: in.Body.Reason,
	})
	var rejected *Rejection
	switch {
	case errors.As(err, &rejected):
		return nil, problem(http.StatusBadRequest, rejected.Code, "%s", rejected.Message)
	case err != nil:
		s.Log.Warn("resolve was not answered", "proposal", p.ID, "request", requestID, "error", err)
		return nil, errWorkflows()
	case !r.Accepted:
		refused := problem(http.StatusConflict, ResolveRefused, "%s", r.Problem)
		refused.ProposalStatus, refused.Order = r.Status, r.Order
		return nil, refused
	}
	tried := triedOf(&workflows.ExecuteResult{Status: r.Status, Order: r.Order, Failure: r.Failure})
	return &resolveOutput{Body: ResolvedView{ProposalID: p.ID, RequestID: requestID, Status: r.Status, Order: r.Order, Failure: tried.Failure}}, nil
}

func (b ResolveBody) check() *Problem {
	switch {
	case strings.TrimSpace(b.Reason) == "":
		return invalid(errors.New("reason: say why; it is kept in the audit"))
	case b.Absent == (b.OrderID != ""):
		return invalid(errors.New("orderId: give it, or absent"))
	}
	return nil
}

// note records who asks before a workflow is asked, so that it can be proved
// afterwards which requests came from a verified person.
func (s *server) note(ctx context.Context, p view.Proposal, a view.Act) *Problem {
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	if err := s.Store.NoteAct(bound, p.Proposal, a); err != nil {
		return s.databaseFault("request not noted", err)
	}
	return nil
}
