package verify

import (
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// auditTells holds every table against the audit rows that report it: what is
// there was told, once, and what was told is there.
func auditTells(c *inquiry) {
	c.claimsTold()
	c.attemptsTold(c.kinds[kindBegun])
	c.verdictsTold()
	c.looksTold(c.kinds[kindLooked])
	c.endsTold()
	c.proposalsTold()
	c.proposalEndsTold()
	c.overridesTold(c.kinds[kindOverride])
	c.policiesTold(c.kinds[kindPolicy])
	c.controlsTold()
	c.comparisonsTold(c.kinds[kindDiffers])
}

// tally compares how often a thing is in a table and in the audit.
type tally map[string]int

func (c *inquiry) settle(rule, what string, t tally) {
	for _, subject := range sortedKeys(t) {
		switch n := t[subject]; {
		case n > 0:
			c.reportf(rule, subject, "%s: %d not in the audit", what, n)
		case n < 0:
			c.reportf(rule, subject, "%s: %d only in the audit", what, -n)
		}
	}
}

// claimsTold matches verdicts with their rows, by request, and checks that an
// execution is what its last claim says.
func (c *inquiry) claimsTold() {
	told, verdicts := tally{}, map[string]string{}
	name := func(kind, proposal, request string) string { return proposal + " " + kind + " " + request }
	for _, v := range c.r.Verdicts {
		kind := kindBlocked
		if v.Claimed {
			kind = kindClaimed
		}
		told[name(kind, v.ProposalID, v.RequestID)]++
		verdicts[name(kind, v.ProposalID, v.RequestID)] = v.Body
	}
	for _, row := range c.preflights {
		subject := name(row.Kind, orEmpty(row.ProposalID), *row.Request.ID)
		told[subject]--
		if text, there := verdicts[subject]; there && text != string(*row.Verdict) {
			c.reportf(AuditClaims, subject, "the audit tells another verdict than was stored")
		}
	}
	c.settle(AuditClaims, "verdict", told)
	last := map[int64]claim{}
	for _, x := range c.claims {
		last[x.execution] = x
		if e := c.executions[x.execution]; e.ProposalID != x.proposal || e.UserID != x.user || e.AccountID != x.account {
			c.reportf(AuditClaims, x.proposal, "its claim is of execution %d, which is of proposal %q", x.execution, e.ProposalID)
		}
	}
	for _, e := range c.r.Executions {
		x, claimed := last[e.ID]
		switch {
		case !claimed:
			c.reportf(AuditClaims, e.ProposalID, "execution %d was never claimed", e.ID)
		case x.request != e.RequestID || !x.at.Equal(e.ClaimedAt) || x.version != e.PolicyVersion ||
			!x.plan.WorstQuote.Equal(e.WorstQuote) || x.planText != e.Plan:
			c.reportf(AuditClaims, e.ProposalID, "claimed by %s at %s under version %d was %s; the execution says %s, %s, %d, %s",
				x.request, x.at, x.version, x.planText, e.RequestID, e.ClaimedAt, e.PolicyVersion, e.Plan)
		case x.outcome == "" && (e.Status == executed || e.Status == failed) || x.outcome != "" && x.outcome != e.Status:
			c.reportf(AuditEnds, e.ProposalID, "its last claim ended %q and it is %s", x.outcome, e.Status)
		}
	}
}

func (c *inquiry) attemptsTold(begun []AuditRow) {
	told := tally{}
	name := func(execution int64, number int, deadline time.Time, client, worker string) string {
		return fmt.Sprintf("%s/%d by %q until %s as %s", c.executions[execution].ProposalID, number, worker, deadline.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano), strings.ToLower(client))
	}
	for _, a := range c.r.Attempts {
		if a.sent() {
			told[name(a.ExecutionID, a.Number, *a.Deadline, c.executions[a.ExecutionID].ClientOrderID, a.BegunBy)]++
		}
	}
	for _, row := range begun {
		if b, err := decode[begunWire](row.Body); err == nil {
			told[name(*b.Execution, *b.Number, *b.Deadline, *b.ClientOrderID, orEmpty(row.Actor))]--
		}
	}
	c.settle(AuditAttempts, "attempt", told)
}

type numberedWire struct {
	Execution *int64 `json:"execution"`
	Number    *int   `json:"number"`
}

type orderIDWire struct {
	OrderID *string `json:"orderId"`
}

type placingWire struct {
	Reply *string      `json:"reply"`
	Order *orderIDWire `json:"order,omitempty"`
}

type repliedWire struct {
	Execution *int64       `json:"execution"`
	Number    *int         `json:"number"`
	Placing   *placingWire `json:"placing"`
}

type concludedWire struct {
	Execution *int64 `json:"execution"`
	Number    *int   `json:"number"`
	Finding   *struct {
		Verdict string       `json:"verdict"`
		Placing *placingWire `json:"placing"`
	} `json:"finding"`
}

type resolveWire struct {
	Execution *int64       `json:"execution"`
	Number    *int         `json:"number"`
	Order     *orderIDWire `json:"order,omitempty"`
	Problem   *string      `json:"problem"`
}

// verdictsTold matches every attempt's verdict with the one row that gave it:
// a sure reply, a conclusion, or a person's word that nothing stood against.
func (c *inquiry) verdictsTold() {
	told := tally{}
	name := func(execution int64, number int, verdict string, order *orderIDWire) string {
		id := ""
		if order != nil && verdict == accepted {
			id = orEmpty(order.OrderID)
		}
		return fmt.Sprintf("%s/%d %s %s", c.executions[execution].ProposalID, number, verdict, id)
	}
	for _, a := range c.r.Attempts {
		if a.Verdict != nil {
			told[name(a.ExecutionID, a.Number, *a.Verdict, &orderIDWire{a.OrderID})]++
		}
	}
	for _, row := range c.kinds[kindReplied] {
		if b, ok := body[repliedWire](c, row); ok && *b.Placing.Reply != "unknown" {
			told[name(*b.Execution, *b.Number, *b.Placing.Reply, b.Placing.Order)]--
		}
	}
	for _, row := range c.kinds[kindConcluded] {
		if b, ok := body[concludedWire](c, row); ok {
			told[name(*b.Execution, *b.Number, b.Finding.Verdict, b.Finding.Placing.Order)]--
		}
	}
	for _, row := range c.kinds[kindResolve] {
		b, ok := body[resolveWire](c, row)
		if !ok || *b.Problem != "" {
			continue
		}
		verdict := "absent"
		if b.Order != nil {
			verdict = accepted
		}
		told[name(*b.Execution, *b.Number, verdict, b.Order)]--
	}
	c.settle(AuditVerdicts, "verdict", told)
}

func (c *inquiry) looksTold(looked []AuditRow) {
	told := tally{}
	name := func(execution int64, number int, sighting string) string {
		return fmt.Sprintf("%s/%d %s", c.executions[execution].ProposalID, number, sighting)
	}
	for _, l := range c.r.Looks {
		told[name(l.ExecutionID, l.Number, l.Sighting)]++
	}
	for _, row := range looked {
		type lookedWire struct {
			Execution *int64 `json:"execution"`
			Number    *int   `json:"number"`
			Look      *struct {
				Sighting string `json:"sighting"`
			} `json:"look"`
		}
		if b, ok := body[lookedWire](c, row); ok {
			told[name(*b.Execution, *b.Number, b.Look.Sighting)]--
		}
	}
	c.settle(AuditLooks, "look", told)
}

type recordedWire struct {
	Execution *int64 `json:"execution"`
	Order     *struct {
		OrderID           string          `json:"orderId"`
		Status            string          `json:"status"`
		FilledAmount      decimal.Decimal `json:"filledAmount"`
		FilledAmountQuote decimal.Decimal `json:"filledAmountQuote"`
		FeePaid           decimal.Decimal `json:"feePaid"`
		Fills             []struct {
			ID string `json:"id"`
		} `json:"fills"`
	} `json:"order"`
}

// endsTold compares what was recorded with what the audit says was; that each
// claim ends once is seen when the claims are read.
func (c *inquiry) endsTold() {
	for _, row := range c.kinds[kindRecorded] {
		b, ok := body[recordedWire](c, row)
		if !ok {
			continue
		}
		e, o := c.executions[*b.Execution], b.Order
		if e.ProposalID != orEmpty(row.ProposalID) || orEmpty(e.OrderID) != o.OrderID || orEmpty(e.OrderStatus) != o.Status ||
			!e.FilledAmount.Equal(o.FilledAmount) || !e.FilledQuote.Equal(o.FilledAmountQuote) || !e.FeePaid.Equal(o.FeePaid) {
			c.reportf(AuditEnds, orEmpty(row.ProposalID), "the audit recorded order %s, %s: %s for %s, fee %s; the execution says %s, %s: %s for %s, fee %s",
				o.OrderID, o.Status, o.FilledAmount, o.FilledAmountQuote, o.FeePaid,
				orEmpty(e.OrderID), orEmpty(e.OrderStatus), e.FilledAmount, e.FilledQuote, e.FeePaid)
		}
		told := tally{}
		for _, f := range c.r.Fills {
			if f.ExecutionID == e.ID {
				told[e.ProposalID+" fill "+f.FillID]++
			}
		}
		for _, f := range o.Fills {
			told[e.ProposalID+" fill "+f.ID]--
		}
		c.settle(AuditEnds, "fill", told)
	}
	unresolvedOnce := map[int64]bool{}
	for _, row := range c.kinds[kindUnresolved] {
		if b, ok := body[numberedWire](c, row); ok {
			unresolvedOnce[*b.Execution] = true
		}
	}
	for _, e := range c.r.Executions {
		if e.Status == unresolved && !unresolvedOnce[e.ID] {
			c.reportf(AuditEnds, e.ProposalID, "it is UNRESOLVED and the audit does not say so")
		}
	}
}
