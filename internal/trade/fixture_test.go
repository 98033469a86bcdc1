package trade

import (
	"os"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

// noon is when the scenes play: 12:00 in UTC, 13:00 in the policy's zone.
var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

func dec(text string) decimal.Decimal { return decimal.RequireFromString(text) }

func ref[T any](v T) *T { return &v }

// scene is everything one preflight sees.
type scene struct {
	p      Proposal
	req    Request
	policy Policy
	f      Facts
}

// calm is a scene in which nothing stands against a buy of 0.002 BTC, worth
// 100 EUR at the price and 102 EUR at the collar's bound.
func calm(t testing.TB) *scene {
	t.Helper()
	s := &scene{
		p: Proposal{
			ID: "prop-1", UserID: "anna", AccountID: "paper", Market: "BTC-EUR", Side: Buy, OrderType: MarketOrder,
			Amount: ref(dec("0.002")), Confidence: ref(dec("0.8")), Status: Pending,
			CreatedAt: noon.Add(-time.Minute), ExpiresAt: noon.Add(time.Hour),
		},
		req:    Request{ID: "req-1", ProposalID: "prop-1", Actor: "anna", Via: "update"},
		policy: examplePolicy(t),
	}
	s.f = Facts{
		Now: noon, Policy: &s.policy, PolicyVersion: 3, Control: Active,
		Clock: &ClockFact{Ahead: 50 * time.Millisecond, MeasuredAt: noon.Add(-30 * time.Second)},
		Price: &PriceFact{Price: dec("50000"), ObservedAt: noon.Add(-5 * time.Second)},
		Rules: btcRules(), ReconciledAt: ref(noon.Add(-2 * time.Minute)), ComparableFrom: ref(noon.Add(-24 * time.Hour)),
	}
	return s
}

func examplePolicy(t testing.TB) Policy {
	t.Helper()
	body, err := os.ReadFile("testdata/policy.json")
	require.NoError(t, err)
	policy, err := ParsePolicy(body)
	require.NoError(t, err)
	return policy
}

func btcRules() *MarketRules {
	return &MarketRules{
		TickSize: dec("1.00"), QuantityDecimals: 8, NotionalDecimals: 2,
		MinBase: dec("0.00006100"), MinQuote: dec("5.00"), Status: "trading",
	}
}

func (s *scene) verdict() Verdict { return Preflight(s.p, s.req, s.f) }

// traded adds a trade in BTC that no override which is there already knows of.
func (s *scene) traded(side Side, ago time.Duration) {
	at := s.f.Now.Add(-ago)
	s.f.Trades = append(s.f.Trades, PastTrade{Ref: "earlier", Asset: "BTC", Side: side, At: at})
}

// tradedElsewhere adds n trades in another asset, which only the counts see.
func (s *scene) tradedElsewhere(n int, ago time.Duration) {
	for range n {
		at := s.f.Now.Add(-ago)
		s.f.Trades = append(s.f.Trades, PastTrade{Ref: "other", Asset: "XRP", Side: Buy, At: at})
	}
}

// allow stores an override of both checks, a minute ago, which knows of every
// trade that is there already.
func (s *scene) allow() *Override {
	for i := range s.f.Trades {
		s.f.Trades[i].KnownTo = append(s.f.Trades[i].KnownTo, "ov-1", "ov-2")
	}
	s.f.Overrides = append(s.f.Overrides, Override{
		ID: "ov-1", ProposalID: s.p.ID, Cooldown: true, AntiFlip: true, Actor: "anna", Reason: "news",
		PolicyVersion: s.f.PolicyVersion, ReferencePrice: ref(dec("50000")),
		StoredAt: s.f.Now.Add(-time.Minute), ExpiresAt: s.f.Now.Add(14 * time.Minute),
	})
	return &s.f.Overrides[len(s.f.Overrides)-1]
}

func codes(v Verdict) []Code {
	var list []Code
	for _, b := range v.Blocks() {
		list = append(list, b.Code)
	}
	return list
}

func checkOf(t testing.TB, v Verdict, code Code) Check {
	t.Helper()
	for _, c := range v.Checks {
		if c.Code == code {
			return c
		}
	}
	t.Fatalf("the verdict has no check %s", code)
	return Check{}
}
