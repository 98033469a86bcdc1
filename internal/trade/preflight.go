package trade

import (
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
	allowlistFilled, marketAllowed, largeEnough, smallEnough, confident,
	cooledDown, notFlipping, withinDay, withinHour,
	priceFresh, priceInCollar, exposureWithin, notRepeating, reconciled,
}

// preflightCase is one proposal before its checks. Without a policy every
// check that needs one sees the zero policy, which allows nothing.
type preflightCase struct {
	proposal  Proposal
	request   Request
	facts     Facts
	policy    Policy
	plan      *Plan
	overrides []Override
}

func newCase(p Proposal, req Request, f Facts) preflightCase {
	c := preflightCase{proposal: p, request: req, facts: f, overrides: usableOverrides(req, f)}
	if f.Policy != nil {
		c.policy = *f.Policy
	}
	if f.Policy != nil && f.Price != nil && f.Rules != nil && f.Price.Price.IsPositive() {
		plan := PlanOrder(p, c.policy, f.Price.Price, *f.Rules)
		plan.Reduces = plan.Side == Sell && plan.mostBase().LessThanOrEqual(f.Held)
		c.plan = &plan
	}
	return c
}

// usableOverrides are the stored ones that are alive, and the one that the
// request itself brings.
func usableOverrides(req Request, f Facts) []Override {
	var usable []Override
	for _, o := range f.Overrides {
		if o.ProposalID == req.ProposalID && o.Actor != "" && o.Reason != "" && f.Now.Before(o.ExpiresAt) {
			usable = append(usable, o)
		}
	}
	if (req.OverrideCooldown || req.OverrideAntiFlip) && req.Reason != "" && req.Actor != "" {
		usable = append(usable, Override{
			ID: req.ID, ProposalID: req.ProposalID, Cooldown: req.OverrideCooldown, AntiFlip: req.OverrideAntiFlip,
			Actor: req.Actor, Reason: req.Reason, StoredAt: f.Now, ExpiresAt: f.Now.Add(OverrideLife),
		})
	}
	return usable
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
