package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"interlock/internal/trade"
)

// view is what the state query and the search attributes show. Nothing is
// decided from it.
type view struct {
	blocks        []trade.Block
	policyVersion int // of the last verdict
	failure       *FailureView
	order         *trade.Order
	attempts      []AttemptView
	lookups       []LookupView
	resolution    *ResolutionView // the last one, and what came of it
	recording     *RecordingView
	refused       []RefusalView
	status        trade.Status // as the search attributes have it
	blockedBy     []string
}

// state is what the query shows.
func (p *proposal) state() State {
	s := State{
		ProposalID: p.id, Status: p.status(), Blocks: p.view.blocks, Failure: p.view.failure, Order: viewOf(p.view.order),
		Attempts: p.life.Attempts, Looks: p.carry.lookups, NextLook: p.carry.nextLookup, ExpiresAt: p.life.Proposal.ExpiresAt,
		Tried: p.view.attempts, Looked: p.view.lookups, Word: p.view.resolution, Recording: p.view.recording, Refused: p.view.refused,
	}
	if s.Blocks == nil {
		s.Blocks = []trade.Block{}
	}
	return s
}

func viewOf(o *trade.Order) *OrderView {
	if o == nil {
		return nil
	}
	return &OrderView{
		OrderID: o.OrderID, ClientOrderID: o.ClientOrderID, Status: o.Status,
		FilledAmount: o.FilledAmount.String(), FilledAmountQuote: o.FilledAmountQuote.String(),
		FeePaid: o.FeePaid.String(), FeeCurrency: o.FeeCurrency,
	}
}

// show brings the search attributes up to date when they would change.
func (p *proposal) show(ctx workflow.Context) error {
	blocked := []string{}
	if p.status() == trade.Pending {
		for _, b := range p.view.blocks {
			blocked = append(blocked, string(b.Code))
		}
	}
	if p.view.status == p.status() && fmt.Sprint(p.view.blockedBy) == fmt.Sprint(blocked) {
		return nil
	}
	p.view.status, p.view.blockedBy = p.status(), blocked
	return workflow.UpsertTypedSearchAttributes(ctx,
		StatusAttribute.ValueSet(string(p.status())), MarketAttribute.ValueSet(string(p.life.Proposal.Market)),
		SideAttribute.ValueSet(string(p.life.Proposal.Side)), UserAttribute.ValueSet(p.life.Proposal.UserID),
		BlockedByAttribute.ValueSet(blocked))
}

// shown is how many attempts, and how many looks, the state shows.
const shown = 20

// unanswered is an attempt under way.
var unanswered = trade.AttemptResult{Reply: trade.Unknown}

// tries notes what is known of an attempt.
func (p *proposal) tries(ctx workflow.Context, number int, placing trade.AttemptResult) {
	at := workflow.Now(ctx)
	for i, a := range p.view.attempts {
		if a.Number == number {
			p.view.attempts[i] = attemptView(number, a.At, placing)
			return
		}
	}
	p.view.attempts = last(append(p.view.attempts, attemptView(number, at, placing)))
}

func (p *proposal) saw(l trade.PastLookup) {
	p.view.lookups = last(append(p.view.lookups, lookupView(l)))
}

func last[T any](list []T) []T { return list[max(0, len(list)-shown):] }

// showTries takes over what the records have.
func (p *proposal) showTries(life trade.Life) {
	p.view.attempts, p.view.lookups = nil, nil
	for _, t := range life.Tried {
		p.view.attempts = append(p.view.attempts, attemptView(t.Number, t.At, t.Result))
	}
	for _, l := range life.Looked {
		p.saw(l)
	}
}

func attemptView(number int, at time.Time, placing trade.AttemptResult) AttemptView {
	v := AttemptView{Number: number, At: at, Reply: placing.Reply, Code: placing.Code, Message: placing.Message}
	if placing.Order != nil {
		v.OrderID = placing.Order.OrderID
	}
	return v
}

func lookupView(l trade.PastLookup) LookupView {
	v := LookupView{Attempt: l.Number, At: l.At, Saw: l.Lookup.Result, Detail: l.Lookup.Detail}
	for _, o := range l.Lookup.Orders {
		v.Orders = append(v.Orders, o.OrderID)
	}
	return v
}
