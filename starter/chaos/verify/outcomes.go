package verify

import (
	"fmt"
	"slices"
	"time"
)

const (
	absent   = "absent"
	refused  = "refused"
	notThere = "not_there"

	orderAbsent     = "ORDER_ABSENT"
	exchangeRefused = "EXCHANGE_REFUSED"
	invalidPlan     = "INVALID_PLAN"
)

// outcomesTrue holds what was concluded against what it may be concluded from.
func outcomesTrue(c *inquiry) {
	c.ordersOfOne()
	c.attemptsPlanned()
	c.absencesSeen()
	c.failuresTrue()
	c.expiredInTime()
	c.nobodyVerified()
}

// ordersOfOne finds orders that were accepted for more than one execution.
func (c *inquiry) ordersOfOne() {
	type place struct{ account, market, order string }
	of := map[place]string{}
	for _, a := range c.r.Attempts {
		if orEmpty(a.Verdict) != accepted {
			continue
		}
		e := c.executions[a.ExecutionID]
		at := place{e.AccountID, e.Market, orEmpty(a.OrderID)}
		if other, taken := of[at]; taken && other != e.ProposalID {
			c.reportf(OrderOfOne, at.order, "it was accepted for %s and for %s", other, e.ProposalID)
		}
		of[at] = e.ProposalID
	}
}

// attemptsPlanned compares the plan that an attempt began with and the one that
// its claim was granted. An execution's own row tells of the last claim only.
func (c *inquiry) attemptsPlanned() {
	for _, row := range c.kinds[kindBegun] {
		b, err := decode[begunWire](row.Body)
		if err != nil {
			continue // reported where it is read for halts
		}
		i := slices.IndexFunc(c.attempts[*b.Execution], func(a AttemptRow) bool { return a.Number == *b.Number })
		if i < 0 {
			continue // another rule's
		}
		request := c.attempts[*b.Execution][i].RequestID
		for _, x := range c.claims {
			if x.execution == *b.Execution && x.request == request && b.Plan.plan().text() != x.plan.text() {
				c.reportf(AttemptPlanned, fmt.Sprintf("%s/%d", x.proposal, *b.Number), "it began with %s; claimed was %s", b.Plan.plan().text(), x.plan.text())
			}
		}
	}
}

// text is all that is sent of a plan.
func (p plan) text() string {
	return fmt.Sprintf("%s %s %s %s amount %s amountQuote %s price %s", p.Market, p.Side, p.OrderType, p.TimeInForce, show(p.Amount), show(p.AmountQuote), show(p.Price))
}

// absencesSeen asks of every order that was concluded to be absent whether it
// could be known: by lookups that were late enough, or by a person at a time
// that was.
func (c *inquiry) absencesSeen() {
	for _, row := range c.kinds[kindConcluded] {
		b, ok := body[concludedWire](c, row)
		if !ok || b.Finding.Verdict != absent {
			continue
		}
		if a, e, there := c.attemptOf(*b.Execution, *b.Number); there && !c.twiceUnseen(a, e) {
			c.reportf(AbsenceSeen, attemptName(e, a), "it was concluded absent without two lookups after its deadline and L, L apart, that did not find it")
		}
	}
	for _, row := range c.kinds[kindResolve] {
		b, ok := body[resolveWire](c, row)
		if !ok || *b.Problem != "" || b.Order != nil {
			continue
		}
		a, e, there := c.attemptOf(*b.Execution, *b.Number)
		if there && (a.Deadline == nil || row.At.Add(clockSkew).Before(a.Deadline.Add(c.lagOf(e)))) {
			c.reportf(AbsenceSeen, attemptName(e, a), "%s said at %s that there is none, before it would be shown", orEmpty(row.Actor), row.At)
		}
	}
}

func (c *inquiry) attemptOf(execution int64, number int) (AttemptRow, ExecutionRow, bool) {
	for _, a := range c.attempts[execution] {
		if a.Number == number {
			return a, c.executions[execution], true
		}
	}
	return AttemptRow{}, ExecutionRow{}, false
}

func (c *inquiry) twiceUnseen(a AttemptRow, e ExecutionRow) bool {
	if a.Deadline == nil {
		return false
	}
	lag := c.lagOf(e)
	var first time.Time
	for _, l := range c.r.Looks {
		if l.ExecutionID != a.ExecutionID || l.Number != a.Number || l.Sighting != notThere || l.ExchangeTime == nil || !l.ExchangeTime.After(a.Deadline.Add(lag)) {
			continue
		}
		if first.IsZero() {
			first = *l.ExchangeTime
		} else if l.ExchangeTime.Sub(first).Abs() >= lag {
			return true
		}
	}
	return false
}

func (c *inquiry) lagOf(e ExecutionRow) time.Duration {
	for _, account := range c.r.Accounts {
		if account.ID == e.AccountID {
			return account.ReadLag
		}
	}
	return 0
}

type failedWire struct {
	Execution *int64 `json:"execution"`
	Failure   *struct {
		Code         string `json:"code"`
		ExchangeCode string `json:"exchangeCode"`
	} `json:"failure"`
}

// failuresTrue holds why a claim failed against its last attempt: that there is
// no order, and that the exchange refused it, are said of nothing else.
func (c *inquiry) failuresTrue() {
	for _, row := range c.kinds[kindFailed] {
		b, ok := body[failedWire](c, row)
		if !ok {
			continue
		}
		last := c.lastAttemptBefore(*b.Execution, row.At)
		code := b.Failure.Code
		want := map[string]string{absent: orderAbsent, refused: exchangeRefused}[last]
		said := code == orderAbsent || code == exchangeRefused && b.Failure.ExchangeCode != invalidPlan
		if want != "" && code != want || want == "" && said {
			c.reportf(FailureTrue, orEmpty(row.ProposalID), "it failed with %s %s; its last attempt was %q", code, b.Failure.ExchangeCode, last)
		}
	}
}

// lastAttemptBefore is the verdict of the last attempt of the claim that ended
// at a time.
func (c *inquiry) lastAttemptBefore(execution int64, at time.Time) string {
	verdict := ""
	for _, x := range c.claims {
		if x.execution != execution || !x.ended.Equal(at) {
			continue
		}
		for _, a := range c.attempts[execution] {
			if a.RequestID == x.request {
				verdict = orEmpty(a.Verdict)
			}
		}
	}
	return verdict
}

func (c *inquiry) expiredInTime() {
	for _, row := range c.kinds[kindExpired] {
		if p, there := c.proposals[orEmpty(row.ProposalID)]; there && row.At.Before(p.ExpiresAt) {
			c.reportf(ExpiredInTime, p.ID, "it expired at %s and was good until %s", row.At, p.ExpiresAt)
		}
	}
}

// nobodyVerified finds overrides that count as given by somebody who proved who
// they are, in a run in which nobody did.
func (c *inquiry) nobodyVerified() {
	for _, o := range c.r.Overrides {
		if c.o.NoneVerified && o.Verified {
			c.reportf(NoneVerified, o.ProposalID, "override %s counts as given by a verified person", o.ID)
		}
	}
}
