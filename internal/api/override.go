package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"interlock/internal/trade"
	"interlock/internal/view"
	"interlock/workflows"
)

// OverrideBody permits one execution in spite of cooldown or anti-flip.
type OverrideBody struct {
	ID        string     `json:"id,omitempty" maxLength:"100" doc:"Makes it repeatable; derived from the content when it is left out"`
	Cooldown  bool       `json:"cooldown,omitempty"`
	AntiFlip  bool       `json:"antiFlip,omitempty"`
	Checks    []string   `json:"checks,omitempty" maxItems:"10" nullable:"false" doc:"The same by name: COOLDOWN_BLOCKED, ANTI_FLIP_BLOCKED; nothing else can be overridden"`
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

// override keeps a permission for the next execute, in the name of whom the
// token speaks for, whatever the body says. It needs no workflow: preflight
// reads it from the records.
func (s *server) override(ctx context.Context, in *overrideInput) (*overrideOutput, error) {
	p, refusal := s.own(ctx, in.ID)
	if refusal == nil {
		refusal = in.Body.check(s.Now())
	}
	if refusal == nil {
		refusal = notFree(p)
	}
	o := in.Body.override(p.ID, whoAsks(ctx))
	if refusal == nil {
		refusal = s.keep(ctx, o)
	}
	if refusal != nil {
		return nil, refusal
	}
	out := &overrideOutput{Body: OverrideView{OverrideID: o.ID}}
	if !in.Body.Execute {
		return out, nil
	}
	req := workflows.ExecuteRequest{Actor: o.Actor, NotAfter: s.Now().Add(requestLife).UTC()}
	result, err := s.ask(ctx, p, uuid.NewString(), req)
	var closed *Problem
	switch {
	case errors.As(err, &closed):
		return nil, closed
	case err != nil, !result.Claimed && len(result.Blocks) == 0 && result.Status.Executable():
		return nil, unanswered(req.NotAfter)
	}
	out.Body.Execute = triedOf(&result)
	return out, nil
}

func (b OverrideBody) override(proposalID string, who view.Identity) trade.Override {
	o := trade.Override{
		ID: b.ID, ProposalID: proposalID, Cooldown: b.Cooldown, AntiFlip: b.AntiFlip, Reason: b.Reason,
		Actor: who.UserID, Verified: true, Identity: who.UserID,
	}
	for _, check := range b.Checks {
		o.Checks = append(o.Checks, trade.Code(check))
	}
	if b.ExpiresAt != nil {
		o.ExpiresAt = b.ExpiresAt.UTC()
	}
	o = o.Named()
	if o.ID == "" {
		o.ID = o.DerivedID()
	}
	return o
}

// keep stores an override, and says why when it is refused.
func (s *server) keep(ctx context.Context, o trade.Override) *Problem {
	ctx, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	refused, err := s.Store.StoreOverride(ctx, o, viaAPI)
	switch {
	case err != nil:
		return s.databaseFault("override not stored", err)
	case refused != "":
		return problem(http.StatusBadRequest, string(trade.OverrideRefused), "%s", refused)
	}
	return nil
}

func (b OverrideBody) check(now time.Time) *Problem {
	switch {
	case strings.TrimSpace(b.Reason) == "":
		return problem(http.StatusBadRequest, string(trade.OverrideReasonRequired), "reason: an override needs one; it is kept in the audit")
	case !b.Cooldown && !b.AntiFlip && len(b.Checks) == 0:
		return invalid(errors.New("cooldown: say true here, in antiFlip, or in both"))
	case b.ID != "" && trade.CheckID("id", b.ID) != nil:
		return invalid(trade.CheckID("id", b.ID))
	case b.ExpiresAt != nil:
		if err := trade.CheckOverrideExpiry(b.ExpiresAt.UTC(), now); err != nil {
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

// ConfirmBody stands behind another person's override.
type ConfirmBody struct {
	Reason string `json:"reason" maxLength:"500" doc:"Why; kept in the audit"`
}

type confirmInput struct {
	ID         string `path:"id"`
	OverrideID string `path:"overrideId"`
	Body       ConfirmBody
}

// confirm is the second pair of eyes that a policy may ask for. It is refused
// to whoever gave the override.
func (s *server) confirm(ctx context.Context, in *confirmInput) (*overridesOutput, error) {
	p, refusal := s.own(ctx, in.ID)
	if refusal == nil && strings.TrimSpace(in.Body.Reason) == "" {
		refusal = invalid(errors.New("reason: say why; it is kept in the audit"))
	}
	if refusal != nil {
		return nil, refusal
	}
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	if trade.CheckID("overrideId", in.OverrideID) != nil {
		return nil, errNoOverride(p.ID, in.OverrideID)
	}
	refused, err := s.Store.ConfirmOverride(bound, p.ID, in.OverrideID, whoAsks(ctx).UserID, in.Body.Reason)
	switch {
	case errors.Is(err, trade.ErrNotFound):
		return nil, errNoOverride(p.ID, in.OverrideID)
	case err != nil:
		return nil, s.databaseFault("override not confirmed", err)
	case refused != "":
		return nil, problem(http.StatusConflict, string(trade.OverrideRefused), "%s", refused)
	}
	return s.listOverrides(ctx, &overridesInput{ID: p.ID})
}

// KeptView is an override with what has become of it.
type KeptView struct {
	ID             string    `json:"id"`
	Cooldown       bool      `json:"cooldown"`
	AntiFlip       bool      `json:"antiFlip"`
	Actor          string    `json:"actor"`
	Verified       bool      `json:"verified" doc:"The actor proved who they are; by plain Temporal tools nobody does"`
	ConfirmedBy    []string  `json:"confirmedBy" nullable:"false" doc:"Verified people who stand behind it too"`
	Reason         string    `json:"reason"`
	Via            string    `json:"via" doc:"The door it came through" example:"api"`
	PolicyVersion  int       `json:"policyVersion" doc:"It holds under this version only"`
	ReferencePrice string    `json:"referencePrice,omitempty" doc:"It holds while the price is in the collar around this one"`
	StoredAt       time.Time `json:"storedAt"`
	ExpiresAt      time.Time `json:"expiresAt"`
	UsedBy         string    `json:"usedBy,omitempty" doc:"The request that used it up"`
}

type overridesInput struct {
	ID string `path:"id"`
}

type overridesOutput struct {
	Body struct {
		Overrides []KeptView `json:"overrides" nullable:"false"`
	}
}

func (s *server) listOverrides(ctx context.Context, in *overridesInput) (*overridesOutput, error) {
	p, refusal := s.own(ctx, in.ID)
	if refusal != nil {
		return nil, refusal
	}
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	list, err := s.Store.Overrides(bound, p.ID)
	if err != nil {
		return nil, s.databaseFault("overrides not read", err)
	}
	out := &overridesOutput{}
	out.Body.Overrides = make([]KeptView, len(list))
	for i, o := range list {
		out.Body.Overrides[i] = keptView(o)
	}
	return out, nil
}

func keptView(o view.Override) KeptView {
	v := KeptView{
		ID: o.ID, Cooldown: o.Cooldown, AntiFlip: o.AntiFlip, Actor: o.Actor, Verified: o.Verified, ConfirmedBy: o.ConfirmedBy,
		Reason: o.Reason, Via: o.Via, PolicyVersion: o.PolicyVersion, StoredAt: o.StoredAt, ExpiresAt: o.ExpiresAt, UsedBy: o.ConsumedBy,
	}
	if o.ReferencePrice != nil {
		v.ReferencePrice = o.ReferencePrice.String()
	}
	return v
}
