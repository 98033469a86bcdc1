package verify

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

type closedWire struct {
	Status *string `json:"status"`
}

func (c *inquiry) proposalEndsTold() {
	told := tally{}
	for _, p := range c.r.Proposals {
		if p.Status == "EXPIRED" {
			told[p.ID+" expired"]++
		}
		if p.CancelActor != nil {
			told[p.ID+" cancel by "+*p.CancelActor]++
		}
		if p.Status == "CANCELLED" {
			told[p.ID+" closed by it"]++
		}
	}
	for _, row := range c.kinds[kindExpired] {
		told[orEmpty(row.ProposalID)+" expired"]--
	}
	for _, row := range c.kinds[kindCancel] {
		told[orEmpty(row.ProposalID)+" cancel by "+orEmpty(row.Actor)]--
		if b, ok := body[closedWire](c, row); ok && *b.Status == "CANCELLED" {
			told[orEmpty(row.ProposalID)+" closed by it"]--
		}
	}
	// A claim that failed after a cancel ended the proposal by itself.
	for _, row := range c.kinds[kindFailed] {
		if b, ok := body[closedWire](c, row); ok && b.Status != nil && *b.Status == "CANCELLED" {
			told[orEmpty(row.ProposalID)+" closed by it"]--
		}
	}
	c.settle(AuditProposals, "end", told)
}

func (c *inquiry) proposalsTold() {
	stored := tally{}
	for _, row := range c.kinds[kindStored] {
		id := orEmpty(row.ProposalID)
		stored[id]++
		p, there := c.proposals[id]
		if !there || stored[id] > 1 {
			c.reportf(AuditProposals, id, "stored %d times; it is there: %t", stored[id], there)
		}
		if b, ok := body[proposalWire](c, row); ok && there && !b.is(p) {
			c.reportf(AuditProposals, id, "the audit stored another: %s", row.Body)
		}
	}
	for _, p := range c.r.Proposals {
		if stored[p.ID] == 0 {
			c.reportf(AuditProposals, p.ID, "the audit has no beginning of it")
		}
	}
}

type proposalWire struct {
	UserID      *string          `json:"userId"`
	AccountID   *string          `json:"accountId"`
	Market      *string          `json:"market"`
	Side        *string          `json:"side"`
	OrderType   *string          `json:"orderType"`
	Amount      *decimal.Decimal `json:"amount,omitempty"`
	AmountQuote *decimal.Decimal `json:"amountQuote,omitempty"`
	Price       *decimal.Decimal `json:"price,omitempty"`
	Confidence  *decimal.Decimal `json:"confidence,omitempty"`
	ExpiresAt   *time.Time       `json:"expiresAt"`
}

func (w proposalWire) is(p ProposalRow) bool {
	return *w.UserID == p.UserID && *w.AccountID == p.AccountID && *w.Market == p.Market && *w.Side == p.Side &&
		*w.OrderType == p.OrderType && same(w.Amount, p.Amount) && same(w.AmountQuote, p.AmountQuote) &&
		same(w.Price, p.Price) && same(w.Confidence, p.Confidence) && w.ExpiresAt.Equal(p.ExpiresAt)
}

func (c *inquiry) overridesTold(stored []AuditRow) {
	told := tally{}
	name := func(proposal, id string, cooldown, antiFlip bool) string {
		return fmt.Sprintf("%s override %s of cooldown %t, anti-flip %t", proposal, id, cooldown, antiFlip)
	}
	for _, o := range c.r.Overrides {
		told[name(o.ProposalID, o.ID, o.Cooldown, o.AntiFlip)]++
		if o.ConsumedBy != nil && !c.claimedBy(o.ProposalID, *o.ConsumedBy) {
			c.reportf(AuditOverrides, o.ProposalID+" override "+o.ID, "it was consumed by %s, which claimed nothing", *o.ConsumedBy)
		}
	}
	for _, row := range stored {
		type overrideWire struct {
			Override *struct {
				ID       string `json:"id"`
				Cooldown bool   `json:"cooldown"`
				AntiFlip bool   `json:"antiFlip"`
			} `json:"override"`
		}
		if b, ok := body[overrideWire](c, row); ok {
			told[name(orEmpty(row.ProposalID), b.Override.ID, b.Override.Cooldown, b.Override.AntiFlip)]--
		}
	}
	for _, row := range c.preflights {
		if row.Kind == kindClaimed && row.broughtOverride() {
			told[name(orEmpty(row.ProposalID), *row.Request.ID, row.Request.Cooldown, row.Request.AntiFlip)]--
		}
	}
	c.settle(AuditOverrides, "override", told)
}

// broughtOverride reports whether the request itself brought an override that
// a check needed: nothing else tells of it.
func (row preflightRow) broughtOverride() bool {
	return slices.ContainsFunc(*row.verdict.Checks, func(check checkWire) bool {
		return check.OverriddenBy != nil && slices.Contains(*check.OverriddenBy, *row.Request.ID)
	})
}

func (c *inquiry) claimedBy(proposal, request string) bool {
	for _, x := range c.claims {
		if x.proposal == proposal && x.request == request {
			return true
		}
	}
	return false
}

type policyStoredWire struct {
	Version *int             `json:"version"`
	Policy  *json.RawMessage `json:"policy"`
}

// policiesTold finds a stored policy that is not the one that was told, and
// one that was told and is gone. Other programs may write versions untold.
func (c *inquiry) policiesTold(stored []AuditRow) {
	bodies := map[policyKey]string{}
	for _, p := range c.r.Policies {
		bodies[policyKey{p.UserID, p.AccountID, p.Version}] = p.Body
	}
	for _, row := range stored {
		b, ok := body[policyStoredWire](c, row)
		if !ok {
			continue
		}
		key := policyKey{orEmpty(row.UserID), row.Chain, *b.Version}
		if bodies[key] != string(*b.Policy) {
			c.reportf(AuditPolicies, key.String(), "told was %s; stored is %s", *b.Policy, bodies[key])
		}
	}
}

func (c *inquiry) controlsTold() {
	last := map[string]string{}
	for _, row := range c.states {
		last[row.Chain] = row.state
	}
	for _, account := range append([]AccountRow{{ID: "*"}}, c.r.Accounts...) {
		if !slices.ContainsFunc(c.r.Controls, func(r ControlRow) bool { return r.Scope == account.ID }) {
			c.reportf(AuditControls, account.ID, "it has no trading state")
		}
	}
	for _, control := range c.r.Controls {
		told, ever := last[control.Scope]
		if !ever {
			told = "ACTIVE"
		}
		if told != control.State {
			c.reportf(AuditControls, control.Scope, "it is %s by %s; the audit says %s", control.State, control.Actor, told)
		}
	}
}

func (c *inquiry) comparisonsTold(differs []AuditRow) {
	told := tally{}
	for _, r := range c.r.Reconciliations {
		if r.Differences > 0 {
			told[fmt.Sprintf("%s, %d differences", r.AccountID, r.Differences)]++
		}
	}
	for _, row := range differs {
		type differsWire struct {
			Differences *int `json:"differences"`
		}
		if b, ok := body[differsWire](c, row); ok {
			told[fmt.Sprintf("%s, %d differences", row.Chain, *b.Differences)]--
		}
	}
	c.settle(AuditCompares, "comparison", told)
	alarms := map[OrderKey]bool{}
	for _, row := range c.kinds[kindContradicts] {
		type contradictsWire struct {
			Order *struct {
				OrderID string `json:"orderId"`
				Market  string `json:"market"`
			} `json:"order"`
		}
		if b, ok := body[contradictsWire](c, row); ok {
			alarms[OrderKey{b.Order.Market, b.Order.OrderID}] = true
		}
	}
	for _, d := range c.r.Differences {
		if key := (OrderKey{d.Market, d.OrderID}); d.Kind == "contradiction" && !alarms[key] {
			c.reportf(AuditCompares, key.String(), "it contradicts our records and no alarm was raised")
		}
	}
}
