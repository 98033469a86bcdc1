package trade

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

func TestNothingStandsAgainstACalmProposal(t *testing.T) {
	v := calm(t).verdict()
	require.False(t, v.Blocked(), "%v", v.Blocks())
	require.Empty(t, v.Blocks())
	require.Empty(t, v.UsedOverrides())
	require.Equal(t, "req-1", v.RequestID)
	require.Equal(t, "prop-1", v.ProposalID)
	require.Equal(t, 3, v.PolicyVersion)
	require.Equal(t, noon, v.At)
	require.Equal(t, "102", v.Plan.WorstQuote.String())
}

func TestNothingKnownIsBlocked(t *testing.T) {
	require.True(t, Verdict{}.Blocked(), "nothing was checked")
	require.True(t, Preflight(Proposal{}, Request{}, Facts{}).Blocked())
	require.True(t, Preflight(Proposal{}, Request{}, Facts{Policy: &Policy{}}).Blocked())

	s := calm(t)
	s.f = Facts{}
	require.True(t, s.verdict().Blocked())
	s = calm(t)
	s.policy = Policy{}
	require.Subset(t, codes(s.verdict()), []Code{
		AllowlistEmpty, MarketNotAllowed, OrderTooLarge, DailyLimitReached, HourlyLimitReached,
		PriceStale, ExposureLimitReached, RepeatThrottle, ReconcileStale,
	}, "the zero policy allows nothing")
}

func TestWithoutPolicyEveryRuleOfItBlocks(t *testing.T) {
	s := calm(t)
	s.f.Policy = nil
	require.Equal(t, []Code{
		PolicyMissing, AllowlistEmpty, MarketNotAllowed, OrderTooSmall, OrderTooLarge, ConfidenceTooLow,
		CooldownBlocked, AntiFlipBlocked, DailyLimitReached, HourlyLimitReached,
		PriceStale, PriceOutsideCollar, ExposureLimitReached, RepeatThrottle, ReconcileStale,
	}, codes(s.verdict()))

	s.allow()
	s.p.Side = Sell
	require.Len(t, codes(s.verdict()), 15, "neither an override nor a sell changes that")
}

// rule is one line of the preflight table: what is changed in a calm scene,
// and exactly which codes block then.
type rule struct {
	name   string
	change func(*scene)
	want   []Code
}

func checkRules(t *testing.T, rules []rule) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			s := calm(t)
			r.change(s)
			v := s.verdict()
			require.Equal(t, r.want, codes(v), "%v", v.Blocks())
			require.Equal(t, len(r.want) > 0, v.Blocked())
			for _, b := range v.Blocks() {
				require.NotEmpty(t, b.Message, b.Code)
			}
		})
	}
}

func TestPreconditions(t *testing.T) {
	status := func(status Status) func(*scene) { return func(s *scene) { s.p.Status = status } }
	checkRules(t, []rule{
		{"a failed proposal may be executed again", status(Failed), nil},
		{"executing", status(Executing), []Code{ProposalClosed}},
		{"unresolved", status(Unresolved), []Code{ProposalClosed}},
		{"executed", status(Executed), []Code{ProposalClosed}},
		{"expired", status(Expired), []Code{ProposalClosed}},
		{"cancelled", status(Cancelled), []Code{ProposalClosed}},
		{"no status", status(""), []Code{ProposalClosed}},
		{"a status of another program", status("pending"), []Code{ProposalClosed}},

		{"a nanosecond before expiry", func(s *scene) { s.p.ExpiresAt = noon.Add(1) }, nil},
		{"exactly at expiry", func(s *scene) { s.p.ExpiresAt = noon }, []Code{ProposalExpired}},
		{"no expiry", func(s *scene) { s.p.ExpiresAt = time.Time{} }, []Code{ProposalExpired}},

		{"exactly at notAfter", func(s *scene) { s.req.NotAfter = noon }, nil},
		{"past notAfter", func(s *scene) { s.req.NotAfter = noon.Add(-1) }, []Code{RequestTooLate}},

		{"one order in doubt", func(s *scene) { s.f.UnresolvedOrders = []string{"prop-0"} }, []Code{OrderUnresolved}},
		{"an order of ours that we lack", func(s *scene) { s.f.UnknownOrder = "BTC-EUR o-1" }, []Code{OrderUnresolved}},

		{"clocks exactly 2s apart", func(s *scene) { s.f.Clock.Ahead = 2 * time.Second }, nil},
		{"exchange too far ahead", func(s *scene) { s.f.Clock.Ahead = 2*time.Second + 1 }, []Code{ClockSkew}},
		{"exchange exactly 2s behind", func(s *scene) { s.f.Clock.Ahead = -2 * time.Second }, nil},
		{"exchange too far behind", func(s *scene) { s.f.Clock.Ahead = -2*time.Second - 1 }, []Code{ClockSkew}},
		{"a clock difference without bounds", func(s *scene) { s.f.Clock.Ahead = -1 << 63 }, []Code{ClockSkew}},
		{"clocks never compared", func(s *scene) { s.f.Clock = nil }, []Code{ClockSkew}},
		{"clocks compared exactly long enough ago", func(s *scene) { s.f.Clock.MeasuredAt = noon.Add(-clockFactLife) }, nil},
		{"clocks compared too long ago", func(s *scene) { s.f.Clock.MeasuredAt = noon.Add(-clockFactLife - 1) }, []Code{ClockSkew}},
		{"clocks compared in the future", func(s *scene) { s.f.Clock.MeasuredAt = noon.Add(time.Hour) }, []Code{ClockSkew}},
		{"clocks compared at no time", func(s *scene) { s.f.Clock.MeasuredAt = time.Time{} }, []Code{ClockSkew}},
	})
}

func TestWithoutTimeNothingIsFresh(t *testing.T) {
	s := calm(t)
	s.f.Now = time.Time{}
	require.Equal(t, []Code{ClockSkew, PriceStale, ReconcileStale}, codes(s.verdict()))
}

func TestTradingStates(t *testing.T) {
	reducing := func(held string, change func(*scene)) func(*scene) {
		return func(s *scene) {
			s.f.Control, s.f.Held, s.p.Side = Reducing, dec(held), Sell
			change(s)
		}
	}
	as := func(*scene) {}
	checkRules(t, []rule{
		{"halted", func(s *scene) { s.f.Control = Halted }, []Code{TradingHalted}},
		{"state not read", func(s *scene) { s.f.Control = "" }, []Code{TradingHalted}},
		{"a state we do not know", func(s *scene) { s.f.Control = "active" }, []Code{TradingHalted}},
		{"halted, sell of what is held", func(s *scene) { s.f.Control, s.p.Side, s.f.Held = Halted, Sell, dec("1") }, []Code{TradingHalted}},
		{"reducing, sell of exactly what is held", reducing("0.002", as), nil},
		{"reducing, sell of a grain more", reducing("0.00199999", as), []Code{TradingHalted}},
		{"reducing, nothing held", reducing("0", as), []Code{TradingHalted}},
		{"reducing, less than nothing left after open sells", reducing("-0.001", as), []Code{TradingHalted}},
		{"reducing, buy", reducing("1", func(s *scene) { s.p.Side = Buy }), []Code{TradingHalted}},
		{"reducing, limit sell", reducing("0.002", func(s *scene) { s.p.OrderType, s.p.Price = LimitOrder, ref(dec("50500")) }), nil},
		// 98 EUR at the collar's lowest price of 49000 is 0.002 BTC.
		{"reducing, sell in quote that needs exactly what is held", reducing("0.002", func(s *scene) { s.p.Amount, s.p.AmountQuote = nil, ref(dec("98")) }), nil},
		{"reducing, sell in quote that might need more", reducing("0.002", func(s *scene) { s.p.Amount, s.p.AmountQuote = nil, ref(dec("98.01")) }), []Code{TradingHalted}},
		{"reducing, no price", reducing("1", func(s *scene) { s.f.Price = nil }), []Code{TradingHalted, OrderTooSmall, OrderTooLarge, PriceStale, PriceOutsideCollar}},
	})
}

func TestAllowlistAndSize(t *testing.T) {
	quote := func(text string) func(*scene) {
		return func(s *scene) { s.p.Amount, s.p.AmountQuote = nil, ref(dec(text)) }
	}
	amount := func(text string) func(*scene) { return func(s *scene) { s.p.Amount = ref(dec(text)) } }
	none := []Code{OrderTooSmall, OrderTooLarge, PriceStale, PriceOutsideCollar, ExposureLimitReached}
	unplannable := []Code{OrderTooSmall, OrderTooLarge, PriceOutsideCollar, ExposureLimitReached}
	checkRules(t, []rule{
		{"empty allowlist", func(s *scene) { s.policy.Allowlist = Allowlist{} }, []Code{AllowlistEmpty, MarketNotAllowed}},
		{"another market", func(s *scene) { s.policy.Allowlist = Allowlist{"ETH-EUR"} }, []Code{MarketNotAllowed}},
		{"same asset, another quote", func(s *scene) { s.policy.Allowlist = Allowlist{"BTC-USDC"} }, []Code{MarketNotAllowed}},
		{"a longer name", func(s *scene) { s.policy.Allowlist = Allowlist{"BTC-EURC", "WBTC-EUR"} }, []Code{MarketNotAllowed}},

		{"exactly the exchange's minimum in quote", quote("5.00"), nil},
		{"a cent under it", quote("4.99"), []Code{OrderTooSmall}},
		{"cut down to under it", quote("4.999"), []Code{OrderTooSmall}},
		{"nothing left after cutting", amount("0.000000009"), []Code{OrderTooSmall}},
		// At the collar's lowest price, 49000, 0.00010204 BTC is 4.99996 EUR.
		{"under the minimum at the worst price only", amount("0.00010204"), []Code{OrderTooSmall}},
		{"just over the minimum at the worst price", amount("0.00010205"), nil},
		{"under the minimum in base", func(s *scene) { s.f.Rules.MinBase = dec("0.00200001") }, []Code{OrderTooSmall}},
		{"exactly the minimum in base", func(s *scene) { s.f.Rules.MinBase = dec("0.002") }, nil},
		{"in quote, under the minimum in base at the worst price only", func(s *scene) { quote("100")(s); s.f.Rules.MinBase = dec("0.002") }, []Code{OrderTooSmall}},

		{"exactly the cap in quote", quote("250.00"), nil},
		{"a cent above it", quote("250.01"), []Code{OrderTooLarge}},
		// At the collar's highest price, 51000, 0.00490197 BTC is 250.0005 EUR.
		{"above the cap at the worst price only", amount("0.00490197"), []Code{OrderTooLarge}},
		{"just under the cap at the worst price", amount("0.00490196"), nil},
		{"a sell above the cap", func(s *scene) { amount("0.00490197")(s); s.p.Side = Sell }, []Code{OrderTooLarge}},
		{"exactly the cap in base", func(s *scene) { s.policy.MaxOrderBase.ByAsset["BTC"] = dec("0.002") }, nil},
		{"above the cap in base", func(s *scene) { s.policy.MaxOrderBase.ByAsset["BTC"] = dec("0.00199999") }, []Code{OrderTooLarge}},
		{"in quote, above the cap in base at the worst price only", func(s *scene) { quote("100")(s); s.policy.MaxOrderBase.ByAsset["BTC"] = dec("0.002") }, []Code{OrderTooLarge}},
		{"no cap for the asset", func(s *scene) { delete(s.policy.MaxOrderBase.ByAsset, "BTC") }, []Code{OrderTooLarge}},
		{"cap of zero", func(s *scene) { s.policy.MaxOrderQuote = AmountLimit{} }, []Code{OrderTooLarge}},
		{"knowingly no caps", func(s *scene) {
			amount("1000")(s)
			s.policy.MaxOrderQuote, s.policy.MaxOrderBase = AmountLimit{Unlimited: true}, AssetLimits{Unlimited: true}
			s.policy.ExposureMarket, s.policy.ExposureAccount = AmountLimit{Unlimited: true}, AmountLimit{Unlimited: true}
		}, nil},

		{"no price", func(s *scene) { s.f.Price = nil }, none},
		{"a price of zero", func(s *scene) { s.f.Price.Price = decimal.Zero }, none},
		{"a negative price", func(s *scene) { s.f.Price.Price = dec("-1") }, none},
		{"no rules", func(s *scene) { s.f.Rules = nil }, none},
		{"rules of nothing", func(s *scene) { s.f.Rules = &MarketRules{} }, unplannable},
		{"no amount", func(s *scene) { s.p.Amount = nil }, unplannable},
		{"two amounts", func(s *scene) { s.p.AmountQuote = ref(dec("100")) }, unplannable},
		{"a negative amount", amount("-0.002"), unplannable},
		{"a limit order without price", func(s *scene) { s.p.OrderType = LimitOrder }, unplannable},
		{"a limit order in quote", func(s *scene) { quote("100")(s); s.p.OrderType, s.p.Price = LimitOrder, ref(dec("50000")) }, unplannable},
		{"neither buy nor sell", func(s *scene) { s.p.Side = "BUY" }, unplannable},
	})
}

func TestConfidence(t *testing.T) {
	is := func(text string) func(*scene) { return func(s *scene) { s.p.Confidence = ref(dec(text)) } }
	checkRules(t, []rule{
		{"equal passes", is("0.6"), nil},
		{"equal in another spelling", is("0.600"), nil},
		{"a grain below", is("0.599999999999999999"), []Code{ConfidenceTooLow}},
		{"certain", is("1"), nil},
		{"more than certain", is("1.01"), []Code{ConfidenceTooLow}},
		{"percent by mistake", is("80"), []Code{ConfidenceTooLow}},
		{"negative", is("-0.8"), []Code{ConfidenceTooLow}},
		{"absent", func(s *scene) { s.p.Confidence = nil }, []Code{ConfidenceTooLow}},
		{"absent where any would do", func(s *scene) { s.p.Confidence, s.policy.MinConfidence = nil, Fraction{} }, []Code{ConfidenceTooLow}},
		{"too long to compare", func(s *scene) { s.p.Confidence = ref(decimal.New(1, -1_000_000_000)) }, []Code{ConfidenceTooLow}},
	})
}

func TestCooldownAndAntiFlip(t *testing.T) {
	traded := func(side Side, ago time.Duration) func(*scene) { return func(s *scene) { s.traded(side, ago) } }
	open := func(side Side, ago time.Duration) func(*scene) {
		return func(s *scene) { s.traded(side, ago); s.f.Trades[0].Open = true }
	}
	both := []Code{CooldownBlocked, AntiFlipBlocked}
	checkRules(t, []rule{
		{"same side, within the cooldown", traded(Buy, time.Hour-1), []Code{CooldownBlocked}},
		{"same side, exactly the cooldown ago", traded(Buy, time.Hour), nil},
		{"same side, just now", traded(Buy, 0), []Code{CooldownBlocked}},
		{"opposite side, within both", traded(Sell, time.Hour-1), both},
		{"opposite side, after the cooldown", traded(Sell, time.Hour), []Code{AntiFlipBlocked}},
		{"opposite side, just within antiFlip", traded(Sell, 2*time.Hour-1), []Code{AntiFlipBlocked}},
		{"opposite side, exactly antiFlip ago", traded(Sell, 2*time.Hour), nil},
		{"a trade from the future", traded(Buy, -time.Minute), []Code{CooldownBlocked}},
		{"an opposite trade from the future", traded(Sell, -time.Minute), both},
		{"a trade of no known side", traded("", time.Minute), both},
		{"another asset", func(s *scene) { s.traded(Sell, time.Minute); s.f.Trades[0].Asset = "ETH" }, nil},
		{"the same asset on another market", func(s *scene) {
			s.p.Market = "BTC-USDC"
			s.policy.Allowlist = Allowlist{"BTC-USDC"}
			s.traded(Buy, time.Minute)
		}, []Code{CooldownBlocked}},
		{"open since longer than the cooldown", open(Buy, 3*time.Hour), []Code{CooldownBlocked}},
		{"opposite and open since longer than antiFlip", open(Sell, 5*time.Hour), both},
		{"open, but there is no cooldown", func(s *scene) { open(Buy, time.Minute)(s); s.policy.Cooldown = 0 }, nil},
		{"from the future, but there is no cooldown", func(s *scene) { s.traded(Buy, -time.Second); s.policy.Cooldown = 0 }, nil},
		{"the last of many", func(s *scene) { s.traded(Buy, 3*time.Hour); s.traded(Buy, time.Minute) }, []Code{CooldownBlocked}},
	})
}

func TestTradeCounts(t *testing.T) {
	elsewhere := func(n int, ago time.Duration) func(*scene) {
		return func(s *scene) { s.tradedElsewhere(n, ago) }
	}
	hour, day := []Code{HourlyLimitReached}, []Code{DailyLimitReached}
	checkRules(t, []rule{
		{"one less than the hour's limit", elsewhere(2, time.Minute), nil},
		{"the hour's limit", elsewhere(3, time.Minute), hour},
		{"the hour is half-open: exactly 60 minutes ago is out", elsewhere(3, time.Hour), nil},
		{"the hour is half-open: a nanosecond less is in", elsewhere(3, time.Hour-1), hour},
		{"trades from the future are in", elsewhere(3, -time.Minute), hour},
		{"open ones count whatever their age", func(s *scene) {
			s.tradedElsewhere(3, 30*time.Hour)
			for i := range s.f.Trades {
				s.f.Trades[i].Open = true
			}
		}, hour},
		{"an hour's limit of zero", func(s *scene) { s.policy.TradesPerHour = CountLimit{} }, hour},
		{"knowingly no hour's limit", func(s *scene) { s.tradedElsewhere(9, 0); s.policy.TradesPerHour.Unlimited = true }, nil},

		{"one less than the day's limit", elsewhere(9, 2*time.Hour), nil},
		{"the day's limit", elsewhere(10, 2*time.Hour), day},
		// Noon in UTC is 13:00 in Amsterdam.
		{"the day's first instant is in", elsewhere(10, 13*time.Hour), day},
		{"the instant before it is out", elsewhere(10, 13*time.Hour+1), nil},
		{"the day is the policy's, not UTC's", func(s *scene) {
			s.tradedElsewhere(10, 13*time.Hour)
			s.policy.TimeZone = TimeZone{time.UTC}
		}, nil},
		{"open ones of yesterday count today", func(s *scene) {
			s.tradedElsewhere(10, 30*time.Hour)
			for i := range s.f.Trades {
				s.f.Trades[i].Open = true
			}
			s.policy.TradesPerHour.Unlimited = true
		}, day},
		{"a day's limit of zero", func(s *scene) { s.policy.TradesPerDay = CountLimit{} }, day},
		{"knowingly no day's limit", func(s *scene) { s.tradedElsewhere(99, 2*time.Hour); s.policy.TradesPerDay.Unlimited = true }, nil},
	})
}

func TestPriceExposureThrottleReconcile(t *testing.T) {
	limit := func(price string) func(*scene) {
		return func(s *scene) { s.p.OrderType, s.p.Price = LimitOrder, ref(dec(price)) }
	}
	expected := func(price string) func(*scene) { return func(s *scene) { s.p.ExpectedPrice = ref(dec(price)) } }
	claims := func(n int, ago time.Duration) func(*scene) {
		return func(s *scene) {
			for range n {
				s.f.Executions = append(s.f.Executions, noon.Add(-ago))
			}
		}
	}
	collar, exposure := []Code{PriceOutsideCollar}, []Code{ExposureLimitReached}
	checkRules(t, []rule{
		{"price exactly as old as allowed", func(s *scene) { s.f.Price.ObservedAt = noon.Add(-time.Minute) }, nil},
		{"price older", func(s *scene) { s.f.Price.ObservedAt = noon.Add(-time.Minute - 1) }, []Code{PriceStale}},
		{"price seen at no time", func(s *scene) { s.f.Price.ObservedAt = time.Time{} }, []Code{PriceStale}},
		{"price from the future within clock skew", func(s *scene) { s.f.Price.ObservedAt = noon.Add(MaxClockSkew) }, nil},
		{"price from the future", func(s *scene) { s.f.Price.ObservedAt = noon.Add(MaxClockSkew + 1) }, []Code{PriceStale}},

		{"limit at the collar's upper bound", limit("51000"), nil},
		{"limit above it", limit("51000.01"), collar},
		{"limit at the collar's lower bound", limit("49000"), nil},
		{"limit below it", limit("48999.99"), collar},
		{"expected price at the upper bound", expected("51000"), nil},
		{"expected price above it", expected("51001"), collar},
		{"expected price below the lower bound", expected("48999"), collar},
		{"limit inside, expected outside", func(s *scene) { limit("50000")(s); expected("40000")(s) }, collar},
		{"a collar of nothing takes only the price itself", func(s *scene) { s.policy.PriceCollar = Fraction{}; expected("50000")(s) }, nil},
		{"a collar of nothing", func(s *scene) { s.policy.PriceCollar = Fraction{}; expected("50000.01")(s) }, collar},

		{"exactly the market's exposure", func(s *scene) { s.f.ExposureMarket = dec("898") }, nil},
		{"above the market's exposure", func(s *scene) { s.f.ExposureMarket = dec("898.01") }, exposure},
		{"exactly the account's exposure", func(s *scene) { s.f.ExposureAccount = dec("1898") }, nil},
		{"above the account's exposure", func(s *scene) { s.f.ExposureAccount = dec("1898.01") }, exposure},
		{"sells pass", func(s *scene) { s.f.ExposureMarket, s.f.ExposureAccount, s.p.Side = dec("9999"), dec("9999"), Sell }, nil},
		{"no exposure allowed", func(s *scene) { s.policy.ExposureMarket = AmountLimit{} }, exposure},

		{"one less than the throttle", claims(19, time.Minute), nil},
		{"the throttle", claims(20, time.Minute), []Code{RepeatThrottle}},
		{"exactly its window ago is out", claims(20, time.Hour), nil},
		{"a nanosecond less is in", claims(20, time.Hour-1), []Code{RepeatThrottle}},
		{"claims before a person resumed are out", func(s *scene) { claims(20, time.Minute)(s); s.f.ResumedAt = noon.Add(-time.Minute + 1) }, nil},
		{"claims at the instant of the resume are in", func(s *scene) { claims(20, time.Minute)(s); s.f.ResumedAt = noon.Add(-time.Minute) }, []Code{RepeatThrottle}},
		{"claims from the future are in", claims(20, -time.Minute), []Code{RepeatThrottle}},
		{"a throttle of nothing", func(s *scene) { s.policy.RepeatThrottle = Throttle{} }, []Code{RepeatThrottle}},
		{"knowingly no throttle", func(s *scene) { claims(99, 0)(s); s.policy.RepeatThrottle = Throttle{Unlimited: true} }, nil},

		{"compared exactly as long ago as allowed", func(s *scene) { s.f.ReconciledAt = ref(noon.Add(-10 * time.Minute)) }, nil},
		{"compared too long ago", func(s *scene) { s.f.ReconciledAt = ref(noon.Add(-10*time.Minute - 1)) }, []Code{ReconcileStale}},
		{"never compared", func(s *scene) { s.f.ReconciledAt = nil }, []Code{ReconcileStale}},
		{"compared at no time", func(s *scene) { s.f.ReconciledAt = &time.Time{} }, []Code{ReconcileStale}},
		{"compared before a lost request could be seen", func(s *scene) { s.f.ComparableFrom = ref(s.f.ReconciledAt.Add(1)) }, []Code{ReconcileStale}},
		{"compared as soon as one could be seen", func(s *scene) { s.f.ComparableFrom = s.f.ReconciledAt }, nil},
		{"a life of the database that is not dated", func(s *scene) { s.f.ComparableFrom = nil }, []Code{ReconcileStale}},
		{"compared in the future", func(s *scene) { s.f.ReconciledAt = ref(noon.Add(time.Hour)) }, []Code{ReconcileStale}},
	})
}

func TestEveryBlockIsListedNotOnlyTheFirst(t *testing.T) {
	s := calm(t)
	s.traded(Sell, time.Minute)
	s.tradedElsewhere(10, time.Minute)
	s.f.Control, s.p.Status, s.p.Confidence, s.f.ReconciledAt = Halted, Executed, nil, nil
	s.policy.Allowlist = nil
	require.Equal(t, []Code{
		ProposalClosed, TradingHalted, AllowlistEmpty, MarketNotAllowed, ConfidenceTooLow,
		CooldownBlocked, AntiFlipBlocked, DailyLimitReached, HourlyLimitReached, ReconcileStale,
	}, codes(s.verdict()))
}

func TestChecksShowWhatTheySaw(t *testing.T) {
	s := calm(t)
	s.traded(Sell, 90*time.Minute)
	v := s.verdict()
	flip := checkOf(t, v, AntiFlipBlocked)
	require.Equal(t, map[string]string{
		"antiFlip": "2h0m0s", "now": "2026-01-15T12:00:00Z",
		"trade": "earlier", "tradeAt": "2026-01-15T10:30:00Z", "tradeSide": "sell",
	}, flip.Inputs)
	require.Contains(t, flip.Message, "BTC sell traded 1h30m0s ago")
	require.Equal(t, map[string]string{"quote": "102", "maxQuote": "250", "base": "0.002", "maxBase": "0.01"},
		checkOf(t, v, OrderTooLarge).Inputs)
	require.Equal(t, map[string]string{"trades": "1", "limit": "10", "since": "2026-01-14T23:00:00Z"},
		checkOf(t, v, DailyLimitReached).Inputs)
}
