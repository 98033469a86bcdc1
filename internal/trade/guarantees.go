package trade

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func allowlistFilled(c preflightCase) Check {
	return verdictOn(len(c.policy.Allowlist) > 0, AllowlistEmpty,
		map[string]string{"markets": strconv.Itoa(len(c.policy.Allowlist))},
		"the policy allows no market at all")
}

func marketAllowed(c preflightCase) Check {
	list := make([]string, 0, len(c.policy.Allowlist))
	for _, m := range c.policy.Allowlist {
		list = append(list, string(m))
	}
	return verdictOn(c.policy.Allows(c.proposal.Market), MarketNotAllowed,
		map[string]string{"market": string(c.proposal.Market), "allowlist": strings.Join(list, " ")},
		"%s is not on the allowlist", c.proposal.Market)
}

func largeEnough(c preflightCase) Check {
	if c.plan == nil {
		return block(OrderTooSmall, nil, "the size of the order cannot be computed: %s", c.noPlan)
	}
	rules, quote, base := c.facts.Rules, c.plan.leastQuote(), c.plan.leastBase()
	ok := base.IsPositive() && quote.IsPositive() && quote.GreaterThanOrEqual(rules.MinQuote) && base.GreaterThanOrEqual(rules.MinBase)
	return verdictOn(ok, OrderTooSmall,
		map[string]string{"quote": quote.String(), "minQuote": rules.MinQuote.String(), "base": base.String(), "minBase": rules.MinBase.String()},
		"%s %s (%s %s) is below the exchange's minimum of %s and %s", quote, c.proposal.Market.Quote(), base, c.proposal.Market.Base(), rules.MinQuote, rules.MinBase)
}

func smallEnough(c preflightCase) Check {
	if c.plan == nil {
		return block(OrderTooLarge, nil, "the size of the order cannot be computed: %s", c.noPlan)
	}
	quote, base := c.plan.mostQuote(), c.plan.mostBase()
	maxBase, listed := c.policy.MaxBase(c.proposal.Market.Base())
	inputs := map[string]string{"quote": quote.String(), "maxQuote": c.policy.MaxOrderQuote.String(), "base": base.String(), "maxBase": maxBase.String()}
	if !listed {
		inputs["maxBase"] = "none set"
		return block(OrderTooLarge, inputs, "the policy sets no maxOrderBase for %s", c.proposal.Market.Base())
	}
	return verdictOn(c.policy.MaxOrderQuote.within(quote) && maxBase.within(base), OrderTooLarge, inputs,
		"%s %s (%s %s) is above the policy's cap of %s and %s", quote, c.proposal.Market.Quote(), base, c.proposal.Market.Base(), c.policy.MaxOrderQuote, maxBase)
}

func confident(c preflightCase) Check {
	inputs := map[string]string{"confidence": "absent", "min": c.policy.MinConfidence.String()}
	if c.proposal.Confidence == nil {
		return block(ConfidenceTooLow, inputs, "the proposal states no confidence")
	}
	if err := c.proposal.checkConfidence(); err != nil {
		inputs["confidence"] = "unusable"
		return block(ConfidenceTooLow, inputs, "%s", err)
	}
	inputs["confidence"] = c.proposal.Confidence.String()
	return verdictOn(c.proposal.Confidence.GreaterThanOrEqual(c.policy.MinConfidence.Decimal), ConfidenceTooLow, inputs,
		"confidence %s is below %s", c.proposal.Confidence, c.policy.MinConfidence)
}

func cooledDown(c preflightCase) Check {
	near := c.tradesWithin(c.policy.Cooldown.Std(), func(PastTrade) bool { return true })
	return c.unlessOverridden(CooldownBlocked, "cooldown", c.policy.Cooldown, near, func(o Override) bool { return o.Cooldown })
}

func notFlipping(c preflightCase) Check {
	near := c.tradesWithin(c.policy.AntiFlip.Std(), func(t PastTrade) bool { return t.Side != c.proposal.Side })
	return c.unlessOverridden(AntiFlipBlocked, "antiFlip", c.policy.AntiFlip, near, func(o Override) bool { return o.AntiFlip })
}

// tradesWithin lists the trades in the proposal's asset less than window ago.
// The window is half-open: a trade exactly window ago is outside.
func (c preflightCase) tradesWithin(window time.Duration, which func(PastTrade) bool) []PastTrade {
	var near []PastTrade
	for _, t := range c.facts.Trades {
		if t.Asset == c.proposal.Market.Base() && which(t) && t.age(c.facts.Now) < window {
			near = append(near, t)
		}
	}
	return near
}

// unlessOverridden blocks on any of the trades that no override looks past.
func (c preflightCase) unlessOverridden(code Code, name string, window Duration, near []PastTrade, lifts func(Override) bool) Check {
	inputs := map[string]string{name: window.String(), "now": stamp(c.facts.Now)}
	if len(near) == 0 {
		return pass(code, inputs)
	}
	used := map[string]bool{}
	for _, t := range near {
		id, objection := c.overrideFor(t, lifts)
		if id == "" {
			inputs["trade"], inputs["tradeAt"], inputs["tradeSide"] = t.Ref, stamp(t.At), string(t.Side)
			if objection != "" {
				inputs["override"] = objection
				objection = "; " + objection
			}
			return block(code, inputs, "%s %s traded %s ago (%s); %s is %s%s", t.Asset, t.Side, c.facts.Now.Sub(t.At).Truncate(time.Second), t.Ref, name, window, objection)
		}
		used[id] = true
	}
	check := pass(code, inputs)
	check.OverriddenBy = sortedKeys(used)
	return check
}

// overrideFor finds the override that looks past t; without one it says why
// the last that would have does not hold.
func (c preflightCase) overrideFor(t PastTrade, lifts func(Override) bool) (id, objection string) {
	for _, o := range c.overrides {
		if !lifts(o) || !o.knows(t) {
			continue
		}
		problem := c.objection(o)
		if problem == "" {
			return o.ID, ""
		}
		objection = fmt.Sprintf("override %s does not hold: %s", o.ID, problem)
	}
	return "", objection
}

func withinDay(c preflightCase) Check {
	start := c.policy.TimeZone.DayStart(c.facts.Now)
	count := c.count(func(t PastTrade) bool { return !t.At.Before(start) })
	return verdictOn(c.policy.TradesPerDay.admitsOneMore(count), DailyLimitReached,
		map[string]string{"trades": strconv.Itoa(count), "limit": c.policy.TradesPerDay.String(), "since": stamp(start)},
		"%d trades since %s; the limit is %s a day", count, stamp(start), c.policy.TradesPerDay)
}

func withinHour(c preflightCase) Check {
	count := c.count(func(t PastTrade) bool { return t.age(c.facts.Now) < time.Hour })
	return verdictOn(c.policy.TradesPerHour.admitsOneMore(count), HourlyLimitReached,
		map[string]string{"trades": strconv.Itoa(count), "limit": c.policy.TradesPerHour.String(), "window": "1h0m0s"},
		"%d trades in the last 60 minutes; the limit is %s", count, c.policy.TradesPerHour)
}

// count counts the user's trades of a period in every asset. What is open
// counts in every period: it may still trade.
func (c preflightCase) count(inPeriod func(PastTrade) bool) int {
	n := 0
	for _, t := range c.facts.Trades {
		if t.Open || inPeriod(t) {
			n++
		}
	}
	return n
}

// exposureWithin lets every sell pass: it can only shrink what is held.
func exposureWithin(c preflightCase) Check {
	if c.proposal.Side == Sell {
		return pass(ExposureLimitReached, map[string]string{"side": string(Sell)})
	}
	if c.plan == nil {
		return block(ExposureLimitReached, nil, "the exposure cannot be computed: %s", c.noPlan)
	}
	market, account := c.facts.ExposureMarket.Add(c.plan.WorstQuote), c.facts.ExposureAccount.Add(c.plan.WorstQuote)
	return verdictOn(c.policy.ExposureMarket.within(market) && c.policy.ExposureAccount.within(account), ExposureLimitReached,
		map[string]string{"market": market.String(), "marketLimit": c.policy.ExposureMarket.String(), "account": account.String(), "accountLimit": c.policy.ExposureAccount.String()},
		"with this order %s %s would be held in the market and %s on the account; the limits are %s and %s",
		market, c.proposal.Market.Quote(), account, c.policy.ExposureMarket, c.policy.ExposureAccount)
}

func notRepeating(c preflightCase) Check {
	throttle := c.policy.RepeatThrottle
	if throttle.Unlimited {
		return pass(RepeatThrottle, map[string]string{"limit": unlimited})
	}
	count := throttle.count(c.facts)
	return verdictOn(count < throttle.Executions, RepeatThrottle,
		map[string]string{"executions": strconv.Itoa(count), "limit": strconv.Itoa(throttle.Executions), "window": throttle.Window.String()},
		"%d executions on the account in %s; the throttle is %d", count, throttle.Window, throttle.Executions)
}

// count counts the claims within the window and since trading was last allowed
// by a person: what they have seen and resumed after does not halt again.
func (t Throttle) count(f Facts) int {
	n := 0
	for _, at := range f.Executions {
		if f.Now.Sub(at) < t.Window.Std() && !at.Before(f.ResumedAt) {
			n++
		}
	}
	return n
}

// Runaway says why the account must be halted: as many executions as the
// throttle has room for happened, and one more is asked for. It is empty when
// nothing does. A throttle of nothing has no executions to be alarmed by, and
// asking again for a proposal that is closed, or during a halt, is no further
// one.
func Runaway(p Proposal, f Facts) (reason string) {
	if f.Policy == nil || f.Policy.RepeatThrottle.Unlimited || !p.Status.Executable() || f.Control == Halted {
		return ""
	}
	throttle := f.Policy.RepeatThrottle
	count := throttle.count(f)
	if count == 0 || count < throttle.Executions {
		return ""
	}
	return fmt.Sprintf("%s: %d executions in %s, and proposal %s asked for one more; the throttle is %d",
		RunawayReason, count, throttle.Window, p.ID, throttle.Executions)
}

// RunawayReason begins the reason of every halt by the throttle.
const RunawayReason = "repeat throttle"
