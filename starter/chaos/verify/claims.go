package verify

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// plan is what a claim was going to send.
type plan struct {
	Market         string
	Side           string
	OrderType      string
	TimeInForce    string
	Amount         *decimal.Decimal
	AmountQuote    *decimal.Decimal
	Price          *decimal.Decimal
	ReferencePrice decimal.Decimal
	LowestPrice    decimal.Decimal
	HighestPrice   decimal.Decimal
	WorstQuote     decimal.Decimal
	Reduces        bool
}

type planWire struct {
	Market         *string          `json:"market"`
	Side           *string          `json:"side"`
	OrderType      *string          `json:"orderType"`
	TimeInForce    *string          `json:"timeInForce,omitempty"`
	Amount         *decimal.Decimal `json:"amount,omitempty"`
	AmountQuote    *decimal.Decimal `json:"amountQuote,omitempty"`
	Price          *decimal.Decimal `json:"price,omitempty"`
	ReferencePrice *decimal.Decimal `json:"referencePrice"`
	LowestPrice    *decimal.Decimal `json:"lowestPrice"`
	HighestPrice   *decimal.Decimal `json:"highestPrice"`
	WorstQuote     *decimal.Decimal `json:"worstQuote"`
	Reduces        *bool            `json:"reduces"`
}

func (w planWire) plan() plan {
	return plan{
		*w.Market, *w.Side, *w.OrderType, orEmpty(w.TimeInForce), w.Amount, w.AmountQuote, w.Price,
		*w.ReferencePrice, *w.LowestPrice, *w.HighestPrice, *w.WorstQuote, *w.Reduces,
	}
}

func readPlan(text string) (plan, error) {
	w, err := decode[planWire](text)
	if err != nil {
		return plan{}, err
	}
	return w.plan(), nil
}

// claim is one claim as the audit tells it. An execution that failed may be
// claimed again, and its row then tells of the last claim only.
type claim struct {
	proposal, user, account, request string
	execution                        int64
	at                               time.Time // when it was decided
	seen                             time.Time // when its audit row was appended, before its commit
	version                          int       // of the policy
	passed                           bool      // every check
	plan                             plan
	planText                         string
	ended                            time.Time // zero: it is open
	outcome                          string    // EXECUTED or FAILED; empty: open
	filled                           deal      // what it traded; of no amount: nothing
}

// openAt reports whether a claim that was decided while y was in force must
// have seen y open. An end that was appended before x's own row may have been
// seen by x, so only a later one is sure not to have been.
func (y claim) openAt(x claim) bool { return y.ended.IsZero() || !y.ended.Before(x.seen) }

// verdictWire is what preflight decided.
type verdictWire struct {
	RequestID     *string      `json:"requestId"`
	ProposalID    *string      `json:"proposalId"`
	PolicyVersion *int         `json:"policyVersion"`
	At            *time.Time   `json:"at"`
	Checks        *[]checkWire `json:"checks"`
	Plan          *planWire    `json:"plan,omitempty"`
}

type checkWire struct {
	Code         *string   `json:"code"`
	Passed       *bool     `json:"passed"`
	OverriddenBy *[]string `json:"overriddenBy,omitempty"`
}

// preflightRow is an audit row of a preflight, decoded once.
type preflightRow struct {
	AuditRow
	preflightWire
	verdict verdictWire
}

// preflightWire keeps the verdict as text too: it was stored as the same text.
type preflightWire struct {
	Request *requestWire     `json:"request"`
	Verdict *json.RawMessage `json:"verdict"`
	Claim   *claimWire       `json:"claim,omitempty"`
}

type requestWire struct {
	ID       *string `json:"id"`
	Cooldown bool    `json:"overrideCooldown,omitempty"`
	AntiFlip bool    `json:"overrideAntiFlip,omitempty"`
}

type claimWire struct {
	ExecutionID   *int64           `json:"executionId"`
	ProposalID    *string          `json:"proposalId"`
	AccountID     *string          `json:"accountId"`
	RequestID     *string          `json:"requestId"`
	ClientOrderID *string          `json:"clientOrderId"`
	ClaimedAt     *time.Time       `json:"claimedAt"`
	Plan          *json.RawMessage `json:"plan"`
}

// executionWire is what every audit row about an execution says.
type executionWire struct {
	Execution *int64 `json:"execution"`
}

// The kinds of audit rows that rules turn on.
const (
	kindClaimed    = "preflight.claimed"
	kindBlocked    = "preflight.blocked"
	kindBegun      = "attempt.begun"
	kindReplied    = "attempt.replied"
	kindConcluded  = "attempt.concluded"
	kindResolve    = "execution.resolve"
	kindUnresolved = "execution.unresolved"
	kindLooked     = "order.looked"
	kindRecorded   = "execution.recorded"
	kindFailed     = "execution.failed"
	kindStored     = "proposal.stored"
	kindExpired    = "proposal.expired"
	kindCancel     = "proposal.cancel"
	kindOverride   = "override.stored"
	kindPolicy     = "policy.stored"
	kindState      = "trading.state"
	kindDiffers    = "reconcile.differs"

	kindContradicts = "order.contradicts"
)

// readClaims lists every claim of every account, in the order of their time,
// with their ends.
func (c *inquiry) readClaims() {
	open := map[int64]int{} // execution to the claim in force
	for _, row := range c.r.Audit {
		switch row.Kind {
		case kindBlocked:
			c.readPreflight(row)
		case kindClaimed:
			x, ok := c.readClaim(row)
			if !ok {
				continue
			}
			if _, twice := open[x.execution]; twice {
				c.reportf(AuditEnds, x.proposal, "it was claimed again by %s before its claim had ended", x.request)
			}
			open[x.execution] = len(c.claims)
			c.claims = append(c.claims, x)
		case kindRecorded, kindFailed:
			body, ok := body[executionWire](c, row)
			if !ok {
				continue
			}
			i, found := open[*body.Execution]
			if !found {
				c.reportf(AuditEnds, orEmpty(row.ProposalID), "%s %d is %s and ends no claim", row.Chain, row.Seq, row.Kind)
				continue
			}
			delete(open, *body.Execution)
			c.end(&c.claims[i], row)
		}
	}
	slices.SortStableFunc(c.claims, func(a, b claim) int { return a.at.Compare(b.at) })
	c.readPrices()
}

func (c *inquiry) readPreflight(row AuditRow) (preflightRow, bool) {
	b, ok := body[preflightWire](c, row)
	if !ok {
		return preflightRow{}, false
	}
	verdict, err := decode[verdictWire](string(*b.Verdict))
	if err != nil {
		c.reportf(AuditBody, rowName(row), "verdict: %v", err)
		return preflightRow{}, false
	}
	p := preflightRow{row, b, verdict}
	c.preflights = append(c.preflights, p)
	return p, true
}

func (c *inquiry) readClaim(row AuditRow) (claim, bool) {
	b, ok := c.readPreflight(row)
	if !ok {
		return claim{}, false
	}
	if b.Claim == nil || b.verdict.Plan == nil {
		c.reportf(AuditBody, rowName(row), "it is a claim without a claim or a plan")
		return claim{}, false
	}
	x := claim{
		proposal: orEmpty(row.ProposalID), user: orEmpty(row.UserID), account: row.Chain, request: *b.Request.ID,
		execution: *b.Claim.ExecutionID, at: *b.verdict.At, seen: row.At, version: *b.verdict.PolicyVersion,
		passed: len(*b.verdict.Checks) > 0, plan: b.verdict.Plan.plan(), planText: string(*b.Claim.Plan),
	}
	for _, check := range *b.verdict.Checks {
		x.passed = x.passed && *check.Passed
	}
	return x, true
}

// end closes a claim. What it traded is what the exchange says; where the
// ledger does not reach, it is what was recorded.
func (c *inquiry) end(x *claim, row AuditRow) {
	x.ended, x.outcome = row.At, failed
	if row.Kind == kindFailed {
		return
	}
	x.outcome = executed
	e := c.executions[x.execution]
	x.filled = deal{ref: x.proposal, market: e.Market, asset: baseOf(e.Market), side: e.Side, known: x.at}
	recorded := x.ended
	for _, t := range c.r.Trades {
		if t.ExecutionID != nil && *t.ExecutionID == x.execution && t.Amount != nil && t.AmountQuote != nil {
			x.filled.amount, x.filled.quote, x.filled.at = *t.Amount, *t.AmountQuote, t.ExecutedAt
			recorded = t.RecordedAt
		}
	}
	if o, there := c.orderOf(e); there {
		x.filled.amount, x.filled.quote, x.filled.at = o.FilledAmount, o.FilledQuote, o.lastFill()
	}
	x.filled.at = within(x.filled.at, x.at, recorded)
}

// within is the instant nearest to at that is not before first and not after
// last: an exchange's stamp may be wrong, and what it stamps happened between
// its claim and its record.
func within(at, first, last time.Time) time.Time {
	if at.Before(first) {
		at = first
	}
	if at.After(last) {
		at = last
	}
	return at
}

// readPrices notes the lowest price that any preflight saw in each market.
func (c *inquiry) readPrices() {
	c.lowest = map[string]decimal.Decimal{}
	for _, b := range c.preflights {
		if b.verdict.Plan == nil {
			continue
		}
		p := b.verdict.Plan.plan()
		if low, seen := c.lowest[p.Market]; !seen || p.ReferencePrice.LessThan(low) {
			c.lowest[p.Market] = p.ReferencePrice
		}
	}
}

// body decodes what an audit row says; one that does not say what its kind
// promises is a violation.
func body[T any](c *inquiry, row AuditRow) (T, bool) {
	v, err := decode[T](row.Body)
	if err != nil {
		c.reportf(AuditBody, rowName(row), "%s: %v", row.Kind, err)
	}
	return v, err == nil
}
