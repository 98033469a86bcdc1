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
	if refusal := s.note(ctx, p, view.Act{Act: "cancel", Reason: in.Body.Reason}); refusal != nil {
		return nil, refusal
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
