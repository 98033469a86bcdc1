package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"interlock/internal/trade"
	"interlock/internal/view"
)

// registerOperator puts on the mux what people in control do.
func (s *server) registerOperator(api huma.API) {
	huma.Register(api, operation("getTradingState", http.MethodGet, "/api/trading/state", "Read what your account may do, and all accounts together",
		describe("Of the two the stricter one counts.")), s.tradingState)
	huma.Register(api, operation("haltTrading", http.MethodPost, "/api/trading/halt", "Stop trading at once",
		describe(`When it is answered, no attempt to place an order begins any more; orders at the exchange stay, unless cancelOpen asks the orders
workers to cancel them. It holds with Temporal down. It never lets anything trade more: reducing what is halted is refused.`),
		takes(view.Operator), refuses(http.StatusConflict)), s.halt)
	huma.Register(api, operation("getCancelOpen", http.MethodGet, "/api/trading/cancel-open", "Read what became of your account's open orders since a halt asked to cancel them",
		describe(`Of the last halt that asked. It is complete when every order has ended and nothing that was sent before the halt can still appear;
until then, resuming is refused.`), takes(view.Operator), refuses(http.StatusNotFound)), s.cancelOpen)
	huma.Register(api, operation("resumeTrading", http.MethodPost, "/api/trading/resume", "Let trading go on",
		describe("Nothing is sent by itself. All accounts can be resumed here only by an operator of the only one."),
		takes(view.Operator), refuses(http.StatusConflict)), s.resume)
	huma.Register(api, operation("resolveProposal", http.MethodPost, "/api/trading/proposals/{id}/resolve", "Say what became of an unresolved order",
		describe("It counts only while the proposal is UNRESOLVED and past every deadline; a named order must match market, side and amount."),
		takes(view.Operator), refuses(http.StatusConflict, http.StatusNotFound)), s.resolve)
	huma.Register(api, operation("clearBudget", http.MethodPost, "/api/trading/budgets/{user}/clear", "Let what a user's scans have used no longer count",
		takes(view.Operator), refuses(http.StatusNotFound)), s.clearBudget)
	huma.Register(api, operation("getAudit", http.MethodGet, "/api/trading/proposals/{id}/audit", "Read everything that was recorded of a proposal, oldest first",
		refuses(http.StatusNotFound)), s.audit)
}

// HaltBody stops an account, or all of them.
type HaltBody struct {
	Account    string `json:"account,omitempty" maxLength:"100" doc:"Yours, which is also meant when it is left out"`
	All        bool   `json:"all,omitempty" doc:"Every account"`
	Reducing   bool   `json:"reducing,omitempty" doc:"Still allow sells of what is held"`
	CancelOpen bool   `json:"cancelOpen,omitempty" doc:"Also cancel every open order; of all accounts only if yours is the only one"`
	Reason     string `json:"reason" maxLength:"500" doc:"Why; kept in the audit"`
}

// ResumeBody lets an account, or all of them, trade again.
type ResumeBody struct {
	Account string `json:"account,omitempty" maxLength:"100" doc:"Yours, which is also meant when it is left out"`
	All     bool   `json:"all,omitempty" doc:"Every account that is not halted by itself"`
	Reason  string `json:"reason" maxLength:"500" doc:"Why; kept in the audit"`
}

// ControlView is what a scope may do, and who said so.
type ControlView struct {
	Scope     string    `json:"scope" doc:"An account, or * for all" example:"*"`
	State     string    `json:"state" enum:"ACTIVE,REDUCING,HALTED"`
	Actor     string    `json:"actor"`
	Reason    string    `json:"reason"`
	ChangedAt time.Time `json:"changedAt"`
}

type controlsOutput struct {
	Body struct {
		States []ControlView `json:"states" nullable:"false"`
	}
}

type haltInput struct{ Body HaltBody }

type resumeInput struct{ Body ResumeBody }

func (s *server) tradingState(ctx context.Context, _ *struct{}) (*controlsOutput, error) {
	states, refusal := s.states(ctx)
	if refusal != nil {
		return nil, refusal
	}
	out := &controlsOutput{}
	out.Body.States = []ControlView{}
	for _, c := range states {
		if c.Scope == view.AllAccounts || c.Scope == whoAsks(ctx).AccountID {
			out.Body.States = append(out.Body.States, ControlView{c.Scope, string(c.State), c.Actor, c.Reason, c.ChangedAt.UTC()})
		}
	}
	return out, nil
}

func (s *server) states(ctx context.Context) ([]view.Control, *Problem) {
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	states, err := s.Store.TradingStates(bound)
	if err != nil {
		return nil, s.databaseFault("trading states not read", err)
	}
	return states, nil
}

func (s *server) halt(ctx context.Context, in *haltInput) (*controlsOutput, error) {
	scope, refusal := s.scope(ctx, in.Body.Account, in.Body.All, in.Body.Reason)
	switch {
	case refusal != nil:
	case in.Body.CancelOpen && in.Body.Reducing:
		refusal = invalid(errors.New("cancelOpen: would cancel the sells that reducing allows; use one of them"))
	case in.Body.CancelOpen && scope == view.AllAccounts:
		refusal = s.onlyAccount(ctx, "it would cancel orders of accounts that you do not operate; starter halt does that")
	}
	if refusal != nil {
		return nil, refusal
	}
	set := s.Store.Reduce
	switch {
	case in.Body.CancelOpen:
		set = s.Store.HaltAndCancel
	case !in.Body.Reducing:
		set = s.haltOnly
	}
	return s.setState(ctx, func(ctx context.Context) error { return set(ctx, scope, whoAsks(ctx).UserID, in.Body.Reason) })
}

func (s *server) haltOnly(ctx context.Context, scope, actor, reason string) error {
	return s.Store.SetTradingState(ctx, scope, trade.Halted, actor, reason)
}

// resume takes care that an operator of one account lets no other trade.
func (s *server) resume(ctx context.Context, in *resumeInput) (*controlsOutput, error) {
	scope, refusal := s.scope(ctx, in.Body.Account, in.Body.All, in.Body.Reason)
	if refusal == nil && scope == view.AllAccounts {
		refusal = s.onlyAccount(ctx, "it would let accounts trade that you do not operate; starter resume does that")
	}
	if refusal != nil {
		return nil, refusal
	}
	return s.setState(ctx, func(ctx context.Context) error {
		return s.Store.SetTradingState(ctx, scope, trade.Active, whoAsks(ctx).UserID, in.Body.Reason)
	})
}

// scope is what a change of the trading state is for.
func (s *server) scope(ctx context.Context, account string, all bool, reason string) (string, *Problem) {
	who := whoAsks(ctx)
	switch {
	case strings.TrimSpace(reason) == "":
		return "", invalid(errors.New("reason: say why; it is kept in the audit"))
	case all && account != "":
		return "", invalid(errors.New("account: give it, or all, not both"))
	case all:
		return view.AllAccounts, nil
	case account != "" && account != who.AccountID:
		return "", s.forbid(ctx, forbidden("you operate account %s, and no other", who.AccountID))
	}
	return who.AccountID, nil
}

// onlyAccount refuses, for a reason, where there are other accounts.
func (s *server) onlyAccount(ctx context.Context, why string) *Problem {
	states, refusal := s.states(ctx)
	own := whoAsks(ctx).AccountID
	if refusal == nil && slices.ContainsFunc(states, func(c view.Control) bool { return c.Scope != view.AllAccounts && c.Scope != own }) {
		refusal = s.forbid(ctx, forbidden("%s", why))
	}
	return refusal
}

// forbid logs a refusal that only the operation itself could tell.
func (s *server) forbid(ctx context.Context, p *Problem) *Problem {
	s.noteRefusal(ctx, "", "", whoAsks(ctx), p)
	return p
}

func (s *server) setState(ctx context.Context, set func(context.Context) error) (*controlsOutput, error) {
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	err := set(bound)
	switch {
	case errors.Is(err, trade.ErrConflict):
		return nil, problem(http.StatusConflict, TradingStateConflict, "it is halted, or its open orders are still being cancelled; nothing was changed")
	case errors.Is(err, trade.ErrInvalid):
		return nil, invalid(errors.New("reason: the records cannot keep it"))
	case err != nil:
		return nil, s.databaseFault("trading state not set", err)
	}
	return s.tradingState(ctx, nil)
}

// ClearBody lets what was used no longer count.
type ClearBody struct {
	Reason string `json:"reason" maxLength:"500" doc:"Why; kept in the audit"`
}

type clearInput struct {
	User string `path:"user"`
	Body ClearBody
}

type clearOutput struct {
	Body struct {
		User    string `json:"user"`
		Cleared bool   `json:"cleared"`
	}
}

// clearBudget clears the budget of a user who has a policy on the operator's
// account; whoever else there is, it does not tell.
func (s *server) clearBudget(ctx context.Context, in *clearInput) (*clearOutput, error) {
	if strings.TrimSpace(in.Body.Reason) == "" {
		return nil, invalid(errors.New("reason: say why; it is kept in the audit"))
	}
	nobody := problem(http.StatusNotFound, NotFound, "there is no user %s with a policy on your account", clipped(in.User))
	if trade.CheckID("user", in.User) != nil {
		return nil, nobody
	}
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	who := whoAsks(ctx)
	_, _, err := s.Store.Policy(bound, in.User, who.AccountID)
	if errors.Is(err, trade.ErrNotFound) {
		return nil, nobody
	}
	if err == nil || errors.Is(err, trade.ErrInvalid) {
		err = s.Store.ClearBudget(bound, in.User, who.UserID, in.Body.Reason)
	}
	if err != nil {
		return nil, s.databaseFault("budget not cleared", err)
	}
	out := &clearOutput{}
	out.Body.User, out.Body.Cleared = in.User, true
	return out, nil
}
