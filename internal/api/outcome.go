package api

import (
	"net/http"
	"slices"
	"time"

	"interlock/internal/trade"
	"interlock/internal/view"
	"interlock/workflows"
)

// notFree says why a proposal cannot be claimed now; nil when it may be tried.
func notFree(p view.Proposal) *Problem { return taken(p.Status, orderOf(p.Execution)) }

// taken is the answer for a proposal that somebody has, or that is over.
func taken(status trade.Status, order *workflows.OrderView) *Problem {
	var p *Problem
	switch status {
	case trade.Executing, trade.Unresolved, trade.Executed:
		p = problem(http.StatusConflict, string(trade.ProposalClosed), "the proposal is %s; it is executed once", status)
	case trade.Expired:
		p = problem(http.StatusGone, string(trade.ProposalExpired), "the proposal has expired; make a new one")
	case trade.Cancelled:
		p = problem(http.StatusGone, ProposalCancelled, "the proposal was cancelled; make a new one")
	default:
		return nil
	}
	p.ProposalStatus, p.Order = status, order
	return p
}

// declined answers a request that did not win the claim.
func declined(r workflows.ExecuteResult, notAfter time.Time) *Problem {
	if p := taken(r.Status, r.Order); p != nil {
		return p
	}
	if len(r.Blocks) == 0 {
		return unanswered(notAfter)
	}
	p := problem(http.StatusBadRequest, string(r.Blocks[0].Code), "%s", r.Blocks[0].Message)
	p.ProposalStatus, p.Blocks = r.Status, blocksOf(r.Blocks)
	switch {
	case blockedBy(r.Blocks, trade.ProposalClosed):
		p.Status, p.Code = http.StatusConflict, string(trade.ProposalClosed)
	case blockedBy(r.Blocks, trade.ProposalExpired):
		p.Status, p.Code = http.StatusGone, string(trade.ProposalExpired)
	case blockedBy(r.Blocks, trade.RequestTooLate):
		p.Status, p.Code = http.StatusServiceUnavailable, string(trade.RequestTooLate)
	}
	return p
}

func blockedBy(blocks []trade.Block, code trade.Code) bool {
	return slices.ContainsFunc(blocks, func(b trade.Block) bool { return b.Code == code })
}

// failed answers a request that won the claim and placed nothing. What an
// attempt met after the claim is a block like any other.
func failed(r workflows.ExecuteResult) *Problem {
	if r.Failure == nil {
		if p := taken(r.Status, r.Order); p != nil {
			return p
		}
		return errInternal()
	}
	p := problem(http.StatusBadRequest, string(r.Failure.Code), "%s", r.Failure.Message)
	p.ProposalStatus, p.ExchangeCode = r.Status, r.Failure.ExchangeCode
	switch r.Failure.Code {
	case trade.ExchangeRefused:
		p.Status = http.StatusUnprocessableEntity
	case trade.ExchangeUnavailable, trade.OrderAbsent:
		p.Status = http.StatusServiceUnavailable
	case trade.CancelRequested, trade.ProposalExpired:
		p.Status = http.StatusGone
	default:
		p.Blocks = []Block{{r.Failure.Code, r.Failure.Message}}
	}
	if p.Message == "" {
		p.Message = "the execution placed no order: " + p.Code
	}
	return p
}

// unanswered is all that can be said when the workflow's answer is not known
// and the records show no claim of this request.
func unanswered(notAfter time.Time) *Problem {
	p := problem(http.StatusServiceUnavailable, WorkflowsUnavailable,
		"there is no answer yet: unless it is claimed before %s, this request never trades; read the proposal, or execute it again",
		notAfter.Format(time.RFC3339))
	p.NotAfter = &notAfter
	return p
}

func blocksOf(list []trade.Block) []Block {
	blocks := make([]Block, len(list))
	for i, b := range list {
		blocks[i] = Block(b)
	}
	return blocks
}

// orderOf is nil while no order is known to be accepted.
func orderOf(e *view.Execution) *workflows.OrderView {
	if e == nil || e.OrderID == "" {
		return nil
	}
	return &workflows.OrderView{
		OrderID: e.OrderID, ClientOrderID: e.ClientOrderID.String(), Status: e.OrderStatus,
		FilledAmount: e.FilledAmount.String(), FilledAmountQuote: e.FilledAmountQuote.String(),
		FeePaid: e.FeePaid.String(), FeeCurrency: e.FeeCurrency,
	}
}

func failureOf(f *trade.Failure) *workflows.FailureView {
	if f == nil {
		return nil
	}
	return &workflows.FailureView{Code: f.Code, ExchangeCode: f.ExchangeCode, Message: f.Message}
}
