package trade

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// clockFactLife is how long a measured clock difference stands for the present.
const clockFactLife = 2 * time.Minute

// Preflight evaluates every check and lists them all, passed or not. It never
// stops at the first block, so that a person sees everything at once. What is
// missing in f blocks.
func Preflight(p Proposal, req Request, f Facts) Verdict {
	c := newCase(p, req, f)
	v := Verdict{RequestID: req.ID, ProposalID: p.ID, PolicyVersion: f.PolicyVersion, At: f.Now, Plan: c.plan}
	for _, check := range checks {
		v.Checks = append(v.Checks, check(c))
	}
	return v
}

// checks is every rule, in the order in which blocks are reported.
var checks = []func(preflightCase) Check{
	policyExists, proposalOpen, proposalAlive, requestInTime, tradingAllowed, nothingUnresolved, clocksAgree,
	underPolicy(AllowlistEmpty, allowlistFilled), underPolicy(MarketNotAllowed, marketAllowed),
	underPolicy(OrderTooSmall, largeEnough), underPolicy(OrderTooLarge, smallEnough),
	underPolicy(ConfidenceTooLow, confident),
	underPolicy(CooldownBlocked, cooledDown), underPolicy(AntiFlipBlocked, notFlipping),
	underPolicy(DailyLimitReached, withinDay), underPolicy(HourlyLimitReached, withinHour),
	underPolicy(PriceStale, priceFresh), underPolicy(PriceOutsideCollar, priceInCollar),
	underPolicy(ExposureLimitReached, exposureWithin), underPolicy(RepeatThrottle, notRepeating),
	underPolicy(ReconcileStale, reconciled),
}

// underPolicy blocks where there is no policy to judge by: the zero policy
// would read as "no cooldown" and "any confidence".
func underPolicy(code Code, check func(preflightCase) Check) func(preflightCase) Check {
	return func(c preflightCase) Check {
		if c.facts.Policy == nil {
			return block(code, nil, "there is no policy to judge by")
		}
		return check(c)
	}
}

// preflightCase is one proposal before its checks.
type preflightCase struct {
	proposal  Proposal
	request   Request
	facts     Facts
	policy    Policy     // zero without one; underPolicy keeps checks from judging by it
	plan      *Plan      // nil when no order can be computed
	noPlan    error      // why not
	overrides []Override // in force for this proposal and request, now
}

func newCase(p Proposal, req Request, f Facts) preflightCase {
	c := preflightCase{proposal: p, request: req, facts: f, overrides: overridesInForce(p, req, f)}
	if f.Policy != nil {
		c.policy = *f.Policy
	}
	if c.noPlan = planProblem(p, f); c.noPlan == nil {
		plan := PlanOrder(p, c.policy, f.Price.Price, *f.Rules)
		plan.Reduces = plan.Side == Sell && plan.mostBase().LessThanOrEqual(f.Held)
		c.plan = &plan
	}
	return c
}

// planProblem says why no order can be computed for p.
func planProblem(p Proposal, f Facts) error {
	switch {
	case f.Policy == nil:
		return errors.New("there is no policy")
	case f.Price == nil || !f.Price.Price.IsPositive():
		return fmt.Errorf("there is no price for %s", p.Market)
	case f.Rules == nil || !f.Rules.TickSize.IsPositive():
		return fmt.Errorf("the exchange's rules for %s are unknown", p.Market)
	}
	return p.checkOrder()
}

// overridesInForce are the stored ones and the one that the request itself
// brings, as far as they are for p and this request, complete and not expired.
func overridesInForce(p Proposal, req Request, f Facts) []Override {
	own := Override{
		ID: req.ID, ProposalID: req.ProposalID, Cooldown: req.OverrideCooldown, AntiFlip: req.OverrideAntiFlip,
		Actor: req.Actor, Reason: req.Reason, PolicyVersion: f.PolicyVersion, StoredAt: f.Now, ExpiresAt: f.Now.Add(OverrideLife),
		own: true,
	}
	if f.Price != nil {
		own.ReferencePrice = &f.Price.Price
	}
	return slices.DeleteFunc(append(slices.Clone(f.Overrides), own), func(o Override) bool {
		return o.ProposalID != p.ID || o.Problem() != "" || !f.Now.Before(o.ExpiresAt) || o.RequestID != "" && o.RequestID != req.ID
	})
}

// fresh reports whether at is no older than most. A time further ahead than
// clocks may differ is as doubtful as an old one: it would stay fresh too long.
func fresh(now, at time.Time, most time.Duration) bool {
	age := now.Sub(at)
	return age <= most && age >= -MaxClockSkew
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
