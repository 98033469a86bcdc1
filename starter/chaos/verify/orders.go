package verify

import (
	"crypto/sha1" //nolint:gosec // UUIDv5 is defined over it; it guards nothing
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// ordersKnown asks of every order at the exchange which execution it is of.
func ordersKnown(c *inquiry) {
	for id, orders := range c.byClient {
		if len(orders) > 1 {
			var keys []string
			for _, o := range orders {
				keys = append(keys, o.Key().String())
			}
			c.reportf(OneOrder, id, "%d orders: %s", len(orders), strings.Join(keys, ", "))
		}
	}
	for _, o := range c.own {
		e, known := c.ofClient[strings.ToLower(o.ClientOrderID)]
		switch {
		case c.excused[o.Key()]:
		case !known:
			c.reportf(OrderKnown, o.Key().String(), "no execution has its client order ID %q", o.ClientOrderID)
		case e.Market != o.Market || e.Side != o.Side:
			c.reportf(OrderKnown, o.Key().String(), "it is a %s; proposal %s is a %s in %s", o.Side, e.ProposalID, e.Side, e.Market)
		default:
			c.knownAs(o, e)
			c.asPlanned(o, e)
		}
	}
}

// knownAs compares an order with the one that was accepted. Where none was,
// the rules on statuses speak; where two bear one ID, that rule does.
func (c *inquiry) knownAs(o Order, e ExecutionRow) {
	if len(c.byClient[strings.ToLower(o.ClientOrderID)]) > 1 {
		return
	}
	for _, id := range c.accepted(e.ID) {
		if id != o.OrderID {
			c.reportf(OrderKnown, o.Key().String(), "proposal %s has order %s", e.ProposalID, id)
		}
	}
}

func (c *inquiry) asPlanned(o Order, e ExecutionRow) {
	p, err := readPlan(e.Plan)
	if err != nil {
		c.reportf(OrderPlanned, e.ProposalID, "its plan: %v", err)
		return
	}
	sent := fmt.Sprintf("%s %s %s %s amount %s amountQuote %s price %s", o.Market, o.Side, o.Type, o.TimeInForce, show(o.Amount), show(o.AmountQuote), show(o.Price))
	if o.Market != p.Market || o.Side != p.Side || o.Type != p.OrderType || o.TimeInForce != p.TimeInForce ||
		!same(o.Amount, p.Amount) || !same(o.AmountQuote, p.AmountQuote) || !same(o.Price, p.Price) {
		c.reportf(OrderPlanned, o.Key().String(), "sent was %s; planned was %s", sent, e.Plan)
	}
	for _, f := range o.Fills {
		if o.Price != nil && (o.Side == buy && f.Price.GreaterThan(*o.Price) || o.Side != buy && f.Price.LessThan(*o.Price)) {
			c.reportf(OrderPlanned, o.Key().String(), "fill %s at %s is worse than %s", f.ID, f.Price, o.Price)
		}
	}
}

// ordersExist asks the exchange for every order that our records name.
func ordersExist(c *inquiry) {
	c.clientIDs()
	for _, e := range c.accountExecutions() {
		c.withinProposal(e)
		ids := c.accepted(e.ID)
		switch {
		case e.Status == executed && (len(ids) != 1 || ids[0] != orEmpty(e.OrderID)):
			c.reportf(OneAccepted, e.ProposalID, "order %q; accepted attempts: %q", orEmpty(e.OrderID), ids)
		case e.Status == failed && len(ids) > 0:
			c.reportf(OneAccepted, e.ProposalID, "it is FAILED; accepted attempts: %q", ids)
		case e.Status != executed && e.OrderID != nil:
			c.reportf(OneAccepted, e.ProposalID, "it is %s and has order %s", e.Status, *e.OrderID)
		}
		if e.OrderID != nil {
			c.exists(e, *e.OrderID)
		}
		for _, id := range ids {
			if id != orEmpty(e.OrderID) {
				c.exists(e, id)
			}
		}
	}
}

func (c *inquiry) exists(e ExecutionRow, orderID string) {
	key := OrderKey{e.Market, orderID}
	o, there := c.orders[key]
	switch {
	case !there:
		c.reportf(OrderExists, e.ProposalID, "the exchange has no order %s", key)
	case o.Side != e.Side:
		c.reportf(OrderExists, e.ProposalID, "order %s is a %s, recorded is a %s", key, o.Side, e.Side)
	case !strings.EqualFold(o.ClientOrderID, e.ClientOrderID):
		c.reportf(OrderExists, e.ProposalID, "order %s has client order ID %q, recorded is %s", key, o.ClientOrderID, e.ClientOrderID)
	}
}

// differencesTrue asks the exchange for every order that is listed as
// different: a list of what is not there would excuse nothing and hide much.
func differencesTrue(c *inquiry) {
	for _, d := range c.r.Differences {
		key := OrderKey{d.Market, d.OrderID}
		if _, there := c.orders[key]; !there && d.AccountID == c.o.Account {
			c.reportf(DifferentTrue, key.String(), "it is listed as %s and the exchange does not have it", d.Kind)
		}
	}
}

// withinProposal holds the plan against what was proposed.
func (c *inquiry) withinProposal(e ExecutionRow) {
	p, known := c.proposals[e.ProposalID]
	plan, err := readPlan(e.Plan)
	switch {
	case !known:
		c.reportf(StatusAgrees, e.ProposalID, "execution %d has no proposal", e.ID)
	case err != nil: // reported with its order, if it has one
	case plan.Market != p.Market || plan.Side != p.Side || e.Market != p.Market || e.Side != p.Side || e.UserID != p.UserID || e.AccountID != p.AccountID:
		c.reportf(OrderPlanned, e.ProposalID, "it is a %s in %s of %s; planned was %s", p.Side, p.Market, p.UserID, e.Plan)
	case exceeds(plan.Amount, p.Amount) || exceeds(plan.AmountQuote, p.AmountQuote):
		c.reportf(OrderPlanned, e.ProposalID, "proposed was amount %s, amountQuote %s; planned was %s", show(p.Amount), show(p.AmountQuote), e.Plan)
	case p.Price != nil && plan.Price != nil && (p.Side == buy && exceeds(plan.Price, p.Price) || p.Side != buy && exceeds(p.Price, plan.Price)):
		c.reportf(OrderPlanned, e.ProposalID, "proposed was price %s; planned was %s", show(p.Price), e.Plan)
	}
}

// clientIDs derives every client order ID again.
func (c *inquiry) clientIDs() {
	seen := map[string]string{}
	for _, e := range c.r.Executions {
		if want := clientOrderID(c.r.Installation, e.AccountID, e.UserID, e.ProposalID); !strings.EqualFold(want, e.ClientOrderID) {
			c.reportf(ClientID, e.ProposalID, "it is %s and should be %s", e.ClientOrderID, want)
		}
		if other, twice := seen[e.ClientOrderID]; twice {
			c.reportf(ClientID, e.ProposalID, "it shares %s with %s", e.ClientOrderID, other)
		}
		seen[e.ClientOrderID] = e.ProposalID
	}
}

// clientOrderID is UUIDv5 over the parts, each behind its length.
func clientOrderID(parts ...string) string {
	space, _ := hex.DecodeString("6f1c2a0e52c45d0b9a1f8a4be6f3c7d1")
	text := space
	for _, part := range parts {
		text = binary.BigEndian.AppendUint32(text, uint32(len(part)))
		text = append(text, part...)
	}
	sum := sha1.Sum(text) //nolint:gosec // see the import
	id := sum[:16]
	id[6], id[8] = id[6]&0x0f|0x50, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
