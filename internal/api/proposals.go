package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/shopspring/decimal"

	"interlock/internal/trade"
	"interlock/internal/view"
)

// ProposalBody proposes one order. Amounts and prices are decimals in strings.
type ProposalBody struct {
	ID            string     `json:"id" maxLength:"100" doc:"Unique over all users; the same body under the same ID is stored once" example:"prop-1"`
	Market        string     `json:"market" maxLength:"20" example:"BTC-EUR"`
	Side          string     `json:"side" maxLength:"10" example:"buy"`
	OrderType     string     `json:"orderType,omitempty" maxLength:"10" doc:"market (usual) or limit" example:"market"`
	Amount        string     `json:"amount,omitempty" maxLength:"40" doc:"Base asset; give this or amountQuote" example:"0.001"`
	AmountQuote   string     `json:"amountQuote,omitempty" maxLength:"40" doc:"Quote asset, market orders only" example:"50"`
	Price         string     `json:"price,omitempty" maxLength:"40" doc:"Limit orders only" example:"80000"`
	ExpectedPrice string     `json:"expectedPrice,omitempty" maxLength:"40" doc:"What the proposer saw" example:"80000"`
	Confidence    string     `json:"confidence,omitempty" maxLength:"40" doc:"From 0 to 1" example:"0.8"`
	Rationale     string     `json:"rationale,omitempty" maxLength:"4000"`
	Source        string     `json:"source,omitempty" maxLength:"200"`
	ExpiresAt     *time.Time `json:"expiresAt,omitempty" doc:"An hour from now when it is left out; at most a year"`
}

// proposal reads the body for one user and account, and lists every field that
// cannot be read.
func (b ProposalBody) proposal(who view.Identity, now time.Time) (trade.Proposal, *Problem) {
	var problems []error
	number := func(field, text string) *decimal.Decimal {
		if text == "" {
			return nil
		}
		d, err := trade.ParseDecimal(field, text)
		problems = append(problems, err)
		return &d
	}
	p := trade.Proposal{
		ID: b.ID, UserID: who.UserID, AccountID: who.AccountID,
		Market: trade.Market(b.Market), Side: trade.Side(b.Side), OrderType: trade.OrderType(b.OrderType),
		Amount: number("amount", b.Amount), AmountQuote: number("amountQuote", b.AmountQuote), Price: number("price", b.Price),
		ExpectedPrice: number("expectedPrice", b.ExpectedPrice), Confidence: number("confidence", b.Confidence),
		Rationale: b.Rationale, Source: b.Source,
	}
	if p.OrderType == "" {
		p.OrderType = trade.MarketOrder
	}
	if b.ExpiresAt != nil {
		p.ExpiresAt = b.ExpiresAt.UTC()
		problems = append(problems, checkExpiry(p.ExpiresAt, now))
	}
	p = p.Normal()
	checked := p
	if b.ExpiresAt == nil {
		checked.ExpiresAt = now // the records set it
	}
	if err := errors.Join(append(problems, checked.Check())...); err != nil {
		return p, invalid(err)
	}
	return p, nil
}

// Check says what of b could not be stored, every field at once; nil when b is
// a proposal. Whether its ID is another's only the records know.
func (b ProposalBody) Check(now time.Time) error {
	if _, refusal := b.proposal(view.Identity{UserID: "anybody", AccountID: "any"}, now); refusal != nil {
		return refusal
	}
	return nil
}

// checkExpiry keeps times within what every program can write. One that is
// past is no mistake: the same request may come again.
func checkExpiry(at, now time.Time) error {
	const most = 366 * 24 * time.Hour
	if at.Year() < 2000 || at.After(now.Add(most)) {
		return fmt.Errorf("expiresAt: %s must be after the year 2000 and at most a year from now, which is %s", at.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

type createInput struct{ Body ProposalBody }

// Resolve judges the body while it is decoded.
func (in *createInput) Resolve(ctx huma.Context) []error {
	a := askedIn(ctx.Context())
	_, refusal := in.Body.proposal(a.who, a.at)
	return judgement(refusal)
}

type proposalOutput struct {
	Status int
	Body   ProposalView
}

// create stores a proposal: 201 when it is new, 200 when it was there.
func (s *server) create(ctx context.Context, in *createInput) (*proposalOutput, error) {
	who := whoAsks(ctx)
	p, refusal := in.Body.proposal(who, s.Now())
	if refusal != nil {
		return nil, refusal
	}
	if refusal := s.fresh(ctx, p); refusal != nil {
		return nil, refusal
	}
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	_, created, err := s.Store.InsertProposal(bound, p, who.UserID)
	switch {
	case errors.Is(err, trade.ErrConflict):
		return nil, problem(http.StatusConflict, ProposalConflict, "id: %s belongs to another proposal; use another ID", p.ID)
	case errors.Is(err, trade.ErrInvalid):
		return nil, problem(http.StatusBadRequest, InvalidRequest, "the records refuse this proposal: check its account and fields")
	case err != nil:
		return nil, s.databaseFault("proposal not stored", err)
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
		s.begin(ctx, p.ID)
	}
	stored, refusal := s.own(ctx, p.ID)
	if refusal != nil {
		return nil, refusal
	}
	return &proposalOutput{Status: status, Body: viewOf(stored)}, nil
}

// fresh refuses a new proposal whose time is over already. One that is there
// may be asked for again at any time.
func (s *server) fresh(ctx context.Context, p trade.Proposal) *Problem {
	now := s.Now()
	if p.ExpiresAt.IsZero() || p.ExpiresAt.After(now) {
		return nil
	}
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	_, err := s.Store.Proposal(bound, p.ID)
	switch {
	case errors.Is(err, trade.ErrNotFound):
		return invalid(fmt.Errorf("expiresAt: %s is over, now is %s; give a later time, or none for an hour from now",
			p.ExpiresAt.Format(time.RFC3339), now.UTC().Format(time.RFC3339)))
	case err != nil:
		return s.databaseFault("proposal not read", err)
	}
	return nil
}

// begin starts the proposal's workflow if that is quickly done; the sweep
// starts it otherwise.
func (s *server) begin(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startPatience)
	defer cancel()
	err := s.Temporal.Start(ctx, id)
	if err == nil {
		err = s.Store.SeenWorkflow(ctx, id)
	}
	if err != nil {
		s.Log.Warn("the workflow is left to the sweep", "proposal", id, "error", err)
	}
}

type getInput struct {
	ID string `path:"id"`
}

func (s *server) get(ctx context.Context, in *getInput) (*proposalOutput, error) {
	p, refusal := s.own(ctx, in.ID)
	if refusal != nil {
		return nil, refusal
	}
	return &proposalOutput{Status: http.StatusOK, Body: viewOf(p)}, nil
}

// own reads a proposal that is theirs who ask: their own, or of any user of the
// account they operate. Another's is answered as if it did not exist.
func (s *server) own(ctx context.Context, id string) (view.Proposal, *Problem) {
	if trade.CheckID("id", id) != nil {
		return view.Proposal{}, errNoProposal(id)
	}
	ctx, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	p, err := s.Store.Proposal(ctx, id)
	who := whoAsks(ctx)
	switch {
	case errors.Is(err, trade.ErrNotFound), err == nil && !who.MaySee(p.UserID, p.AccountID):
		return view.Proposal{}, errNoProposal(id)
	case err != nil:
		return p, s.databaseFault("proposal not read", err)
	}
	return p, nil
}

func (s *server) databaseFault(what string, err error) *Problem {
	s.Log.Warn(what, "error", err)
	return errDatabase()
}

type listInput struct {
	UserID string `query:"userId" maxLength:"100" doc:"Of whom; operators of the account only, and everybody's when they leave it out"`
	Status string `query:"status" enum:"PENDING,EXECUTING,UNRESOLVED,EXECUTED,FAILED,EXPIRED,CANCELLED"`
	Before string `query:"before" maxLength:"100" doc:"next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

type listOutput struct {
	Body struct {
		Proposals []ProposalView `json:"proposals" nullable:"false"`
		Next      string         `json:"next,omitempty" doc:"Ask with before=next for more; absent on the last page"`
	}
}

func (s *server) list(ctx context.Context, in *listInput) (*listOutput, error) {
	if in.Before != "" && trade.CheckID("before", in.Before) != nil {
		return nil, problem(http.StatusBadRequest, InvalidRequest, "before: give the next of the page before")
	}
	user, refusal := s.whose(ctx, in.UserID)
	if refusal != nil {
		return nil, refusal
	}
	if in.UserID == "" && whoAsks(ctx).Role.Covers(view.Operator) {
		user = "" // everybody's
	}
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	views, err := s.Store.Proposals(bound, view.Filter{
		UserID: user, AccountID: whoAsks(ctx).AccountID, Status: trade.Status(in.Status), Before: in.Before, Limit: in.Limit,
	})
	if err != nil {
		return nil, s.databaseFault("proposals not read", err)
	}
	out := &listOutput{}
	out.Body.Proposals = make([]ProposalView, len(views))
	for i, v := range views {
		out.Body.Proposals[i] = viewOf(v)
	}
	if len(views) == in.Limit {
		out.Body.Next = views[len(views)-1].ID
	}
	return out, nil
}
