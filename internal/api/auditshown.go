package api

import (
	"context"
	"time"

	"interlock/internal/audit"
)

// AuditRow is one thing that was recorded of a proposal.
type AuditRow struct {
	Chain string    `json:"chain" doc:"The account whose chain it is in"`
	Seq   int64     `json:"seq"`
	At    time.Time `json:"at"`
	Kind  string    `json:"kind" example:"preflight.claimed"`
	Actor string    `json:"actor,omitempty"`
	Says  string    `json:"says" doc:"In plain words"`
	Body  any       `json:"body" doc:"Everything it was made from; verified names whom this API had verified, and without it nobody was"`
}

type auditInput struct {
	ID string `path:"id"`
}

type auditOutput struct {
	Body struct {
		Events []AuditRow `json:"events" nullable:"false"`
	}
}

// audit tells the story of a proposal to whoever may read the proposal.
func (s *server) audit(ctx context.Context, in *auditInput) (*auditOutput, error) {
	p, refusal := s.own(ctx, in.ID)
	if refusal != nil {
		return nil, refusal
	}
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	events, err := s.Store.AuditOf(bound, p.ID)
	if err != nil {
		return nil, s.databaseFault("audit not read", err)
	}
	out := &auditOutput{}
	out.Body.Events = make([]AuditRow, len(events))
	for i, e := range events {
		out.Body.Events[i] = AuditRow{e.Chain, e.Seq, e.At.UTC(), e.Kind, e.Actor, audit.Tell(e), e.Body}
	}
	return out, nil
}
