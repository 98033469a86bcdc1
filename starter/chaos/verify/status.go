package verify

import (
	"slices"
	"time"
)

// openStatus are the words of the exchange for an order that may still trade,
// finalStatus those for one that may not. Anything else is neither.
var (
	openStatus  = map[string]bool{"new": true, "awaitingTrigger": true, "partiallyFilled": true}
	finalStatus = map[string]bool{
		"filled": true, "canceled": true, "canceledAuction": true, "canceledSelfTradePrevention": true, "canceledIOC": true,
		"canceledFOK": true, "canceledMarketProtection": true, "canceledPostOnly": true, "expired": true, "rejected": true,
	}
)

// executionOf is what status a proposal's execution must have; empty: none.
var executionOf = map[string][]string{
	pending: {""}, executing: {executing}, unresolved: {unresolved}, executed: {executed}, failed: {failed},
	"EXPIRED": {"", failed}, "CANCELLED": {"", failed},
}

// statusesAgree compares proposal, execution and exchange.
func statusesAgree(c *inquiry) {
	for _, p := range c.r.Proposals {
		e, claimed := c.ofProposal[p.ID]
		if !slices.Contains(executionOf[p.Status], e.Status) {
			c.reportf(StatusAgrees, p.ID, "it is %s and its execution %q", p.Status, e.Status)
		}
		if claimed && (e.EndedAt != nil) != (e.Status == executed || e.Status == failed) {
			c.reportf(StatusAgrees, p.ID, "its execution is %s and ended: %t", e.Status, e.EndedAt != nil)
		}
		if !slices.ContainsFunc(c.r.Accounts, func(a AccountRow) bool { return a.ID == p.AccountID }) {
			c.reportf(StatusAgrees, p.ID, "there is no account %s", p.AccountID)
		}
		if p.AccountID != c.o.Account {
			continue
		}
		orders := c.byClient[clientOrderID(c.r.Installation, p.AccountID, p.UserID, p.ID)]
		switch p.Status {
		case executing, unresolved:
			c.unanswered(p, e, orders)
		case executed:
			c.over(e)
		default:
			for _, o := range orders {
				if !c.excused[o.Key()] {
					c.reportf(NoOrderClosed, p.ID, "it is %s and the exchange has order %s", p.Status, o.Key())
				}
			}
		}
	}
}

// Bounds of the order protocol.
const (
	sendWithin   = 30 * time.Second
	accessWindow = 5 * time.Second
	clockSkew    = 2 * time.Second
)

// unanswered finds what an execution that is under way should have heard.
func (c *inquiry) unanswered(p ProposalRow, e ExecutionRow, orders []Order) {
	for _, o := range orders {
		switch {
		case !openStatus[o.Status]:
			c.reportf(AnswerTaken, p.ID, "it is %s and order %s is %s", p.Status, o.Key(), o.Status)
		case p.Status == unresolved || len(c.accepted(e.ID)) == 0:
			c.reportf(AnswerTaken, p.ID, "it is %s, nothing was accepted, and the exchange has order %s", p.Status, o.Key())
		}
	}
	if sure := c.surelyNone(e); len(orders) == 0 && c.r.Now.After(sure) {
		c.reportf(AnswerTaken, p.ID, "it is %s and the exchange has no order, as was sure since %s", p.Status, sure.UTC().Format(time.RFC3339))
	}
}

// surelyNone is when an order that the exchange does not show cannot exist any
// more: past every deadline there is or could be, plus the time of two looks.
func (c *inquiry) surelyNone(e ExecutionRow) time.Time {
	last := e.ClaimedAt.Add(sendWithin + accessWindow)
	for _, a := range c.attempts[e.ID] {
		if a.Deadline != nil && a.Deadline.After(last) {
			last = *a.Deadline
		}
	}
	// What an earlier life of the database sent and this one does not know of.
	if lost := c.r.Life.Add(accessWindow + clockSkew); lost.After(last) {
		last = lost
	}
	for _, account := range c.r.Accounts {
		if account.ID == e.AccountID {
			last = last.Add(2 * account.ReadLag)
		}
	}
	return last.Add(c.o.Grace)
}

// over compares the end of an execution with the order's.
func (c *inquiry) over(e ExecutionRow) {
	o, there := c.orderOf(e)
	switch {
	case !there: // another rule's
	case !finalStatus[o.Status]:
		c.reportf(OverWhenFinal, e.ProposalID, "it is EXECUTED and order %s is %s", o.Key(), o.Status)
	case o.Status != orEmpty(e.OrderStatus):
		c.reportf(OverWhenFinal, e.ProposalID, "order %s is %s, recorded is %s", o.Key(), o.Status, orEmpty(e.OrderStatus))
	}
}
