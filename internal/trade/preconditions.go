package trade

import (
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

func policyExists(c preflightCase) Check {
	return verdictOn(c.facts.Policy != nil, PolicyMissing,
		map[string]string{"user": c.proposal.UserID, "account": c.proposal.AccountID, "version": strconv.Itoa(c.facts.PolicyVersion)},
		"user %s has no policy for account %s; set one first", c.proposal.UserID, c.proposal.AccountID)
}

func proposalOpen(c preflightCase) Check {
	return verdictOn(c.proposal.Status.Executable(), ProposalClosed,
		map[string]string{"status": string(c.proposal.Status)},
		"the proposal is %s", c.proposal.Status)
}

func proposalAlive(c preflightCase) Check {
	return verdictOn(c.facts.Now.Before(c.proposal.ExpiresAt), ProposalExpired,
		map[string]string{"now": stamp(c.facts.Now), "expiresAt": stamp(c.proposal.ExpiresAt)},
		"the proposal expired at %s", stamp(c.proposal.ExpiresAt))
}

func requestInTime(c preflightCase) Check {
	bound := c.request.NotAfter
	if bound.IsZero() {
		return pass(RequestTooLate, map[string]string{"now": stamp(c.facts.Now), "notAfter": "none"})
	}
	return verdictOn(!c.facts.Now.After(bound), RequestTooLate,
		map[string]string{"now": stamp(c.facts.Now), "notAfter": stamp(bound)},
		"the request was good until %s and arrived too late; ask again", stamp(bound))
}

func tradingAllowed(c preflightCase) Check {
	inputs := map[string]string{"state": string(c.facts.Control), "held": c.facts.Held.String()}
	switch c.facts.Control {
	case Active:
		return pass(TradingHalted, inputs)
	case Reducing:
		return verdictOn(c.plan != nil && c.plan.Reduces, TradingHalted, inputs,
			"the account is REDUCING: only sells of what is held (%s %s)", c.facts.Held, c.proposal.Market.Base())
	}
	return block(TradingHalted, inputs, "trading is halted; an operator must resume it")
}

func nothingUnresolved(c preflightCase) Check {
	inputs := map[string]string{"unresolved": strings.Join(c.facts.UnresolvedOrders, " "), "unknownOrder": c.facts.UnknownOrder}
	switch {
	case c.facts.UnknownOrder != "":
		return block(OrderUnresolved, inputs, "the exchange has order %s under this proposal's ID and our records do not", c.facts.UnknownOrder)
	case len(c.facts.UnresolvedOrders) > 0:
		return block(OrderUnresolved, inputs, "an order in %s is unresolved: %s", c.proposal.Market.Base(), inputs["unresolved"])
	}
	return pass(OrderUnresolved, inputs)
}

func clocksAgree(c preflightCase) Check {
	clock := c.facts.Clock
	if clock == nil {
		return block(ClockSkew, nil, "the exchange's clock was never compared with the database's")
	}
	inputs := map[string]string{"ahead": clock.Ahead.String(), "measuredAt": stamp(clock.MeasuredAt)}
	if !fresh(c.facts.Now, clock.MeasuredAt, clockFactLife) {
		return block(ClockSkew, inputs, "the clocks were last compared at %s", stamp(clock.MeasuredAt))
	}
	return verdictOn(clock.Ahead.Abs() <= MaxClockSkew, ClockSkew, inputs,
		"the exchange's clock is %s ahead of the database's; at most %s is safe", clock.Ahead, MaxClockSkew)
}

func priceFresh(c preflightCase) Check {
	price := c.facts.Price
	if price == nil || c.facts.Rules == nil || !price.Price.IsPositive() {
		return block(PriceStale, nil, "there is no price, or no rule of the exchange, for %s", c.proposal.Market)
	}
	age := c.facts.Now.Sub(price.ObservedAt)
	return verdictOn(fresh(c.facts.Now, price.ObservedAt, c.policy.PriceMaxAge.Std()), PriceStale,
		map[string]string{"price": price.Price.String(), "age": age.String(), "maxAge": c.policy.PriceMaxAge.String()},
		"the price of %s is %s old; at most %s is allowed", c.proposal.Market, age, c.policy.PriceMaxAge)
}

// priceInCollar judges the price the proposer had in mind; a proposal without
// one is bound by the collar only when it is sent.
func priceInCollar(c preflightCase) Check {
	if c.plan == nil {
		return block(PriceOutsideCollar, nil, "the collar cannot be computed: %s", c.noPlan)
	}
	inputs := map[string]string{"lowest": c.plan.LowestPrice.String(), "highest": c.plan.HighestPrice.String()}
	for _, price := range []struct {
		name  string
		value *decimal.Decimal
	}{{"price", c.proposal.Price}, {"expectedPrice", c.proposal.ExpectedPrice}} {
		if price.value == nil {
			continue
		}
		inputs[price.name] = price.value.String()
		if price.value.LessThan(c.plan.LowestPrice) || price.value.GreaterThan(c.plan.HighestPrice) {
			return block(PriceOutsideCollar, inputs, "%s %s is outside %s to %s", price.name, price.value, c.plan.LowestPrice, c.plan.HighestPrice)
		}
	}
	return pass(PriceOutsideCollar, inputs)
}

func reconciled(c preflightCase) Check {
	at, from := c.facts.ReconciledAt, c.facts.ComparableFrom
	switch {
	case at == nil || from == nil:
		return block(ReconcileStale, nil, "this database was not yet compared with the exchange account")
	case at.Before(*from):
		return block(ReconcileStale, map[string]string{"comparedAt": stamp(*at), "countsFrom": stamp(*from)},
			"this database was started anew, perhaps from a backup: only a comparison that begins after %s shows all that may have been sent before", stamp(*from))
	}
	age := c.facts.Now.Sub(*at)
	return verdictOn(fresh(c.facts.Now, *at, c.policy.ReconcileMaxAge.Std()), ReconcileStale,
		map[string]string{"age": age.String(), "maxAge": c.policy.ReconcileMaxAge.String()},
		"our records were compared with the exchange %s ago; at most %s is allowed", age, c.policy.ReconcileMaxAge)
}
