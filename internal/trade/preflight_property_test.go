package trade

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// pick draws one of the values; most scenes are built from few, close values,
// so that limits are met, missed and hit exactly.
func pick[T any](t *rapid.T, label string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, label)
}

func pickDec(t *rapid.T, label string, values ...string) decimal.Decimal {
	return dec(pick(t, label, values...))
}

func drawScene(t *rapid.T) *scene {
	s := &scene{p: drawProposal(t), policy: drawPolicy(t)}
	s.req = Request{
		ID: "req-1", ProposalID: pick(t, "request for", "prop-1", "prop-1", "prop-2"), Actor: pick(t, "actor", "anna", ""),
		OverrideCooldown: rapid.Bool().Draw(t, "cooldown"), OverrideAntiFlip: rapid.Bool().Draw(t, "antiFlip"),
		Reason: pick(t, "reason", "news", ""), NotAfter: pick(t, "notAfter", time.Time{}, noon.Add(-1), noon),
	}
	s.f = Facts{
		Now: noon, Policy: &s.policy, Control: pick(t, "control", Active, Active, Reducing, Halted, ""),
		Clock:  &ClockFact{Ahead: pick(t, "ahead", 0, -2*time.Second, 3*time.Second), MeasuredAt: noon},
		Price:  &PriceFact{Price: pickDec(t, "market price", "50000", "49999.99", "0.5"), ObservedAt: drawPast(t, "observed")},
		Rules:  btcRules(),
		Trades: rapid.SliceOfN(rapid.Custom(drawTrade), 0, 5).Draw(t, "trades"),
		Held:   pickDec(t, "held", "0", "0.002", "1"), ExposureMarket: pickDec(t, "exposure", "0", "900"),
		Executions:   rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Time { return drawPast(t, "claim") }), 0, 5).Draw(t, "claims"),
		ResumedAt:    pick(t, "resumed", time.Time{}, noon.Add(-time.Hour), noon.Add(-time.Minute)),
		ReconciledAt: ref(drawPast(t, "reconciled")), ComparableFrom: ref(pick(t, "comparable", noon.Add(-48*time.Hour), noon.Add(-48*time.Hour), noon.Add(-time.Minute))),
		Overrides: rapid.SliceOfN(rapid.Custom(drawOverride), 0, 3).Draw(t, "overrides"),
	}
	if rapid.IntRange(0, 9).Draw(t, "unresolved") == 0 {
		s.f.UnresolvedOrders = []string{"prop-0"}
	}
	return s
}

func drawPast(t *rapid.T, label string) time.Time {
	ago := pick(t, label, 0, time.Second, time.Minute, 30*time.Minute, time.Hour-1, time.Hour, 2*time.Hour, 13*time.Hour, 26*time.Hour, -time.Hour)
	return noon.Add(-ago)
}

func drawTrade(t *rapid.T) PastTrade {
	return PastTrade{
		Ref: "earlier", Asset: pick(t, "asset", "BTC", "BTC", "ETH"), Side: pick(t, "side", Buy, Sell),
		At: drawPast(t, "at"), KnownTo: pick(t, "known", nil, []string{"ov-1"}, []string{"ov-1", "ov-2"}), Open: rapid.Bool().Draw(t, "open"),
	}
}

func drawOverride(t *rapid.T) Override {
	return Override{
		ID: pick(t, "id", "ov-1", "ov-2"), ProposalID: pick(t, "for", "prop-1", "prop-2"),
		Cooldown: rapid.Bool().Draw(t, "cooldown"), AntiFlip: rapid.Bool().Draw(t, "antiFlip"),
		Actor: pick(t, "actor", "anna", ""), Reason: pick(t, "reason", "news", ""),
		StoredAt: drawPast(t, "stored"), ExpiresAt: noon.Add(pick(t, "expires", -1, 0, time.Minute)),
	}
}

func drawProposal(t *rapid.T) Proposal {
	p := Proposal{
		ID: "prop-1", UserID: "anna", AccountID: "paper", Market: pick[Market](t, "market", "BTC-EUR", "BTC-USDC"),
		Side: pick(t, "side", Buy, Sell), OrderType: pick(t, "type", MarketOrder, LimitOrder),
		Status: pick(t, "status", Pending, Pending, Failed, Executed), ExpiresAt: noon.Add(pick(t, "life", time.Hour, 0)),
	}
	if rapid.Bool().Draw(t, "sure") {
		p.Confidence = ref(pickDec(t, "confidence", "0.6", "0.59", "1"))
	}
	if p.OrderType == MarketOrder && rapid.Bool().Draw(t, "in quote") {
		p.AmountQuote = ref(pickDec(t, "quote", "4.99", "100", "250.01"))
		return p
	}
	p.Amount = ref(pickDec(t, "amount", "0.0000001", "0.002", "0.01"))
	if p.OrderType == LimitOrder {
		p.Price = ref(pickDec(t, "price", "50000.5", "51000", "40000"))
	}
	return p
}

func drawPolicy(t *rapid.T) Policy {
	minutes := func(label string) Duration {
		return Duration(pick(t, label, 0, 1, 60, 120)) * Duration(time.Minute)
	}
	count := func(label string) CountLimit {
		return CountLimit{Value: pick(t, label, 0, 1, 3, 10), Unlimited: rapid.Bool().Draw(t, label+" unlimited")}
	}
	amount := func(label string) AmountLimit {
		return AmountLimit{Value: pickDec(t, label, "0", "102", "1000"), Unlimited: rapid.Bool().Draw(t, label+" unlimited")}
	}
	return Policy{
		TimeZone:  TimeZone{pick(t, "zone", time.UTC, time.FixedZone("east", 3*3600))},
		Allowlist: pick(t, "allowlist", Allowlist{}, Allowlist{"BTC-EUR"}, Allowlist{"BTC-EUR", "BTC-USDC"}), MinConfidence: Fraction{dec("0.6")},
		Cooldown: minutes("cooldown"), AntiFlip: minutes("antiFlip"), TradesPerDay: count("per day"), TradesPerHour: count("per hour"),
		MaxOrderQuote: amount("max quote"), MaxOrderBase: AssetLimits{Unlimited: rapid.Bool().Draw(t, "any base"), ByAsset: map[string]decimal.Decimal{"BTC": dec("0.01")}},
		ExposureMarket: amount("market"), ExposureAccount: amount("account"), PriceCollar: Fraction{pickDec(t, "collar", "0", "0.02", "1")},
		PriceMaxAge: minutes("price age"), ReconcileMaxAge: minutes("reconcile age"), LimitOrderTTL: minutes("ttl"),
		RepeatThrottle: Throttle{Executions: pick(t, "throttle", 0, 1, 20), Window: Duration(time.Hour), Unlimited: rapid.Bool().Draw(t, "unthrottled")},
	}
}

func TestVerdictIsBlockedExactlyWhenACheckFails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawScene(t).verdict()
		failed := slices.ContainsFunc(v.Checks, func(c Check) bool { return !c.Passed })
		require.Equal(t, failed, v.Blocked())
		require.Equal(t, failed, len(v.Blocks()) > 0)
		require.True(t, v.Plan != nil || v.Blocked(), "what passed has a plan")
	})
}

func TestVerdictCarriesEveryCodeOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		if rapid.Bool().Draw(t, "no policy") {
			s.f.Policy = nil
		}
		var got []Code
		for _, c := range s.verdict().Checks {
			got = append(got, c.Code)
		}
		require.Equal(t, PreflightCodes(), got)
	})
}

func TestVerdictCanBeDerivedAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		facts, err := json.Marshal(s.f)
		require.NoError(t, err)
		first := s.verdict()
		require.Equal(t, first, s.verdict())
		after, err := json.Marshal(s.f)
		require.NoError(t, err)
		require.Equal(t, string(facts), string(after), "a verdict changes none of its inputs")
	})
}

// neverUnblocks checks that every check that failed before still fails.
func neverUnblocks(t *rapid.T, before, after Verdict, what string) {
	require.Subset(t, codes(after), codes(before), what)
}

func TestAddingATradeNeverUnblocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		before := s.verdict()
		at := rapid.IntRange(0, len(s.f.Trades)).Draw(t, "where")
		s.f.Trades = slices.Insert(slices.Clone(s.f.Trades), at, drawTrade(t))
		neverUnblocks(t, before, s.verdict(), "a trade")
		s.f.Executions = append(s.f.Executions, drawPast(t, "another claim"))
		neverUnblocks(t, before, s.verdict(), "a claim")
	})
}

func TestOpeningATradeNeverUnblocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		before := s.verdict()
		for i := range s.f.Trades {
			s.f.Trades[i].Open = true
		}
		neverUnblocks(t, before, s.verdict(), "open counts in full")
	})
}

// Tightening the collar is left out: it brings the worst price closer, so an
// order may fit a cap that it did not fit before.
var tightenings = map[string]func(*Policy){
	"no markets":      func(p *Policy) { p.Allowlist = nil },
	"one market less": func(p *Policy) { p.Allowlist = p.Allowlist[:max(0, len(p.Allowlist)-1)] },
	"confidence":      func(p *Policy) { p.MinConfidence = Fraction{p.MinConfidence.Add(dec("0.2"))} },
	"cooldown":        func(p *Policy) { p.Cooldown += Duration(time.Minute) },
	"antiFlip":        func(p *Policy) { p.AntiFlip += Duration(time.Minute) },
	"per day":         func(p *Policy) { p.TradesPerDay = tighterCount(p.TradesPerDay) },
	"per hour":        func(p *Policy) { p.TradesPerHour = tighterCount(p.TradesPerHour) },
	"max quote":       func(p *Policy) { p.MaxOrderQuote = tighterAmount(p.MaxOrderQuote) },
	"max base": func(p *Policy) {
		p.MaxOrderBase = AssetLimits{ByAsset: map[string]decimal.Decimal{"BTC": dec("0.001")}}
	},
	"no base":         func(p *Policy) { p.MaxOrderBase = AssetLimits{} },
	"market exposure": func(p *Policy) { p.ExposureMarket = tighterAmount(p.ExposureMarket) },
	"exposure":        func(p *Policy) { p.ExposureAccount = tighterAmount(p.ExposureAccount) },
	"price age":       func(p *Policy) { p.PriceMaxAge /= 2 },
	"reconcile age":   func(p *Policy) { p.ReconcileMaxAge /= 2 },
	"throttle":        func(p *Policy) { p.RepeatThrottle.Unlimited = false },
	"throttle count":  func(p *Policy) { p.RepeatThrottle.Executions = max(0, p.RepeatThrottle.Executions-1) },
	"throttle window": func(p *Policy) { p.RepeatThrottle.Window *= 2 },
}

func tighterCount(l CountLimit) CountLimit {
	if l.Unlimited {
		return CountLimit{Value: l.Value}
	}
	return CountLimit{Value: max(0, l.Value-1)}
}

func tighterAmount(l AmountLimit) AmountLimit {
	if l.Unlimited {
		return AmountLimit{Value: l.Value}
	}
	return AmountLimit{Value: l.Value.Div(dec("2"))}
}

func TestTighteningALimitNeverUnblocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		before := s.verdict()
		name := rapid.SampledFrom(sortedKeys(tightenings)).Draw(t, "tighten")
		tightenings[name](&s.policy)
		neverUnblocks(t, before, s.verdict(), name)
	})
}

var losses = map[string]func(*scene){
	"policy":       func(s *scene) { s.f.Policy = nil },
	"price":        func(s *scene) { s.f.Price = nil },
	"rules":        func(s *scene) { s.f.Rules = nil },
	"clock":        func(s *scene) { s.f.Clock = nil },
	"comparison":   func(s *scene) { s.f.ReconciledAt = nil },
	"database":     func(s *scene) { s.f.ComparableFrom = nil },
	"control":      func(s *scene) { s.f.Control = "" },
	"overrides":    func(s *scene) { s.f.Overrides = nil },
	"confidence":   func(s *scene) { s.p.Confidence = nil },
	"amount":       func(s *scene) { s.p.Amount, s.p.AmountQuote = nil, nil },
	"status":       func(s *scene) { s.p.Status = "" },
	"expiry":       func(s *scene) { s.p.ExpiresAt = time.Time{} },
	"holdings":     func(s *scene) { s.f.Held = decimal.Zero },
	"who knew":     func(s *scene) { forget(s.f.Trades) },
	"request's ID": func(s *scene) { s.req.ProposalID = "" },
}

func forget(trades []PastTrade) {
	for i := range trades {
		trades[i].KnownTo = nil
	}
}

func TestKnowingLessNeverUnblocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		before := s.verdict()
		name := rapid.SampledFrom(sortedKeys(losses)).Draw(t, "lose")
		losses[name](s)
		neverUnblocks(t, before, s.verdict(), name)
	})
}

func TestOverridesTouchCooldownAndAntiFlipOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		with := s.verdict()
		s.f.Overrides, s.req.OverrideCooldown, s.req.OverrideAntiFlip = nil, false, false
		without := s.verdict()
		for i, c := range without.Checks {
			if c.Code != CooldownBlocked && c.Code != AntiFlipBlocked {
				require.Equal(t, c, with.Checks[i])
			}
		}
	})
}

// TestNothingBeforeLookbackMatters is what lets a store read only that far.
func TestNothingBeforeLookbackMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		all := s.verdict()
		since := s.policy.Lookback(s.f.Now)
		s.f.Trades = slices.DeleteFunc(slices.Clone(s.f.Trades), func(p PastTrade) bool { return !p.Open && p.At.Before(since) })
		require.Equal(t, all, s.verdict())
	})
}
