package trade

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// planCase is a proposal at 50000 with a collar of 2 %: 49000 to 51000.
type planCase struct {
	name  string
	p     Proposal
	wants planned
}

type planned struct {
	orderType   OrderType
	timeInForce string
	amount      string
	amountQuote string
	price       string
	most, least string // quote
	mostBase    string
	leastBase   string
}

func text(d *decimal.Decimal) string {
	if d == nil {
		return ""
	}
	return d.String()
}

func proposalOf(side Side, amount, amountQuote, price string) Proposal {
	p := Proposal{Market: "BTC-EUR", Side: side, OrderType: MarketOrder}
	if amount != "" {
		p.Amount = ref(dec(amount))
	}
	if amountQuote != "" {
		p.AmountQuote = ref(dec(amountQuote))
	}
	if price != "" {
		p.OrderType, p.Price = LimitOrder, ref(dec(price))
	}
	return p
}

func TestPlanOfEveryKindOfOrder(t *testing.T) {
	for _, c := range []planCase{
		{"market buy in base goes out as limit IOC at the collar", proposalOf(Buy, "0.002", "", ""), planned{
			LimitOrder, "IOC", "0.002", "", "51000", "102", "98", "0.002", "0.002"}},
		{"market sell in base likewise", proposalOf(Sell, "0.002", "", ""), planned{
			LimitOrder, "IOC", "0.002", "", "49000", "102", "98", "0.002", "0.002"}},
		{"amounts are cut, not rounded", proposalOf(Buy, "0.001999999999", "", ""), planned{
			LimitOrder, "IOC", "0.00199999", "", "51000", "101.99949", "97.99951", "0.00199999", "0.00199999"}},
		{"market buy in quote stays a market order", proposalOf(Buy, "", "100.009", ""), planned{
			MarketOrder, "", "", "100", "", "100", "100", "0.002040816326530613", "0.00196078431372549"}},
		{"market sell in quote likewise", proposalOf(Sell, "", "98", ""), planned{
			MarketOrder, "", "", "98", "", "98", "98", "0.002", "0.00192156862745098"}},
		{"limit buy rests at its price, rounded down", proposalOf(Buy, "0.002", "", "50000.99"), planned{
			LimitOrder, "GTC", "0.002", "", "50000", "100", "100", "0.002", "0.002"}},
		// A resting sell may be taken at better prices than its own.
		{"limit sell rests at its price, rounded up", proposalOf(Sell, "0.002", "", "50000.01"), planned{
			LimitOrder, "GTC", "0.002", "", "50001", "102", "100.002", "0.002", "0.002"}},
		{"limit sell above the collar is worth its price", proposalOf(Sell, "0.002", "", "60000"), planned{
			LimitOrder, "GTC", "0.002", "", "60000", "120", "120", "0.002", "0.002"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			policy := examplePolicy(t)
			plan := PlanOrder(c.p, policy, dec("50000"), *btcRules())
			require.Equal(t, c.wants, planned{
				plan.OrderType, plan.TimeInForce, text(plan.Amount), text(plan.AmountQuote), text(plan.Price),
				plan.mostQuote().String(), plan.leastQuote().String(), plan.mostBase().String(), plan.leastBase().String(),
			})
			require.Equal(t, c.wants.most, plan.WorstQuote.String())
			require.Equal(t, "49000 50000 51000", plan.LowestPrice.String()+" "+plan.ReferencePrice.String()+" "+plan.HighestPrice.String())
			require.Equal(t, policy.LimitOrderTTL, plan.TimeToLive)
			require.Equal(t, policy.PriceMaxAge, plan.PriceMaxAge)
			require.False(t, plan.Reduces, "only preflight knows what is held")
		})
	}
}

func TestPlanSurvivesJSON(t *testing.T) {
	for _, p := range []Proposal{proposalOf(Buy, "0.002", "", ""), proposalOf(Sell, "", "98", ""), proposalOf(Sell, "0.1", "", "50000.01")} {
		plan := PlanOrder(p, examplePolicy(t), dec("50000"), *btcRules())
		body, err := json.Marshal(plan)
		require.NoError(t, err)
		var back Plan
		require.NoError(t, json.Unmarshal(body, &back))
		again, err := json.Marshal(back)
		require.NoError(t, err)
		require.JSONEq(t, string(body), string(again))
		require.NotContains(t, string(body), ":0.", "amounts are strings")
	}
}

func TestPreflightSaysWhetherThePlanReduces(t *testing.T) {
	s := calm(t)
	s.f.Held = dec("1")
	require.False(t, s.verdict().Plan.Reduces, "a buy never does")
	s.p.Side = Sell
	require.True(t, s.verdict().Plan.Reduces)
	s.f.Held = dec("0.001")
	require.False(t, s.verdict().Plan.Reduces)
}

func TestCollarWithoutLowerBoundHoldsNoCap(t *testing.T) {
	s := calm(t)
	s.policy.PriceCollar = Fraction{one}
	s.p.Amount, s.p.AmountQuote = nil, ref(dec("100"))
	require.Equal(t, []Code{OrderTooLarge}, codes(s.verdict()), "any amount of base could be needed")
	s.p.Side, s.f.Held, s.f.Control = Sell, dec("1000"), Reducing
	require.Equal(t, []Code{TradingHalted, OrderTooLarge}, codes(s.verdict()))
}

func TestRoundPriceIsExact(t *testing.T) {
	for _, c := range []struct{ tick, price, buy, sell string }{
		{"1", "50000", "50000", "50000"},
		{"1", "50000.5", "50000", "50001"},
		{"1.00", "0.5", "0", "1"},
		// A quotient that rounds at 16 digits would land on the wrong tick.
		{"1", "2.999999999999999999", "2", "3"},
		{"1", "3.000000000000000001", "3", "4"},
		{"0.3", "100", "99.9", "100.2"},
		{"0.000000000000000003", "1", "0.999999999999999999", "1.000000000000000002"},
		{"5", "12.5", "10", "15"},
		{"0.01", "0.07", "0.07", "0.07"},
	} {
		rules := MarketRules{TickSize: dec(c.tick)}
		require.Equal(t, c.buy, rules.RoundPrice(Buy, dec(c.price)).String(), "buy %s on %s", c.price, c.tick)
		require.Equal(t, c.sell, rules.RoundPrice(Sell, dec(c.price)).String(), "sell %s on %s", c.price, c.tick)
	}
}

func drawNumber(t *rapid.T, label string, decimals int) decimal.Decimal {
	units := rapid.Int64Range(1, 1_000_000_000_000_000_000).Draw(t, label)
	return decimal.New(units, -int32(rapid.IntRange(0, decimals).Draw(t, label+" decimals")))
}

func drawPlan(t *rapid.T) (Proposal, Policy, decimal.Decimal, MarketRules) {
	p := Proposal{Market: "BTC-EUR", Side: pick(t, "side", Buy, Sell), OrderType: pick(t, "type", MarketOrder, LimitOrder)}
	if p.OrderType == MarketOrder && rapid.Bool().Draw(t, "in quote") {
		p.AmountQuote = ref(drawNumber(t, "quote", 18))
	} else {
		p.Amount = ref(drawNumber(t, "amount", 18))
	}
	if p.OrderType == LimitOrder {
		p.Price = ref(drawNumber(t, "price", 18))
	}
	rules := MarketRules{
		TickSize:         pickDec(t, "tick", "1.00", "0.01", "5", "0.00000001", "0.3", "0.000000000000000001"),
		QuantityDecimals: rapid.Int32Range(0, 8).Draw(t, "quantity decimals"), NotionalDecimals: rapid.Int32Range(0, 4).Draw(t, "notional decimals"),
	}
	return p, Policy{PriceCollar: Fraction{decimal.New(rapid.Int64Range(0, 1000).Draw(t, "collar"), -3)}}, drawNumber(t, "reference", 18), rules
}

func TestPlanNeverExceedsTheProposal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, policy, reference, rules := drawPlan(t)
		plan := PlanOrder(p, policy, reference, rules)
		requireCut(t, p.Amount, plan.Amount, rules.QuantityDecimals)
		requireCut(t, p.AmountQuote, plan.AmountQuote, rules.NotionalDecimals)
		if plan.Price == nil {
			require.Equal(t, MarketOrder, plan.OrderType)
			require.NotNil(t, plan.AmountQuote)
			return
		}
		require.True(t, plan.Price.Mod(rules.TickSize).IsZero(), "%s is not on the grid of %s", plan.Price, rules.TickSize)
		asked := plan.bound()
		if p.Price != nil {
			asked = *p.Price
		}
		off := plan.Price.Sub(asked)
		if p.Side == Buy {
			off = off.Neg()
		}
		require.False(t, off.IsNegative(), "%s at %s is worse than %s", p.Side, plan.Price, asked)
		require.True(t, off.LessThan(rules.TickSize), "%s gave away more than a tick of %s", plan.Price, asked)
	})
}

// requireCut checks that planned is proposed without the decimals that the
// market does not take.
func requireCut(t *rapid.T, proposed, planned *decimal.Decimal, decimals int32) {
	if proposed == nil {
		require.Nil(t, planned)
		return
	}
	require.True(t, planned.LessThanOrEqual(*proposed), "%s is more than %s", planned, proposed)
	require.True(t, planned.Truncate(decimals).Equal(*planned), "%s has more than %d decimals", planned, decimals)
	require.True(t, proposed.Sub(*planned).LessThan(decimal.New(1, -decimals)), "%s lost too much of %s", planned, proposed)
}

func TestPlanningAPlanChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, policy, reference, rules := drawPlan(t)
		plan := PlanOrder(p, policy, reference, rules)
		p.Amount, p.AmountQuote = plan.Amount, plan.AmountQuote
		if p.OrderType == LimitOrder {
			p.Price = plan.Price
		}
		again := PlanOrder(p, policy, reference, rules)
		require.Equal(t, text(plan.Amount), text(again.Amount))
		require.Equal(t, text(plan.AmountQuote), text(again.AmountQuote))
		require.Equal(t, text(plan.Price), text(again.Price))
		require.True(t, plan.WorstQuote.Equal(again.WorstQuote))
	})
}

// TestWorstPricesBoundWhatCanHappen: whatever price within the collar the
// order trades at, caps saw at least that much and minimums at most that much.
func TestWorstPricesBoundWhatCanHappen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, policy, reference, rules := drawPlan(t)
		plan := PlanOrder(p, policy, reference, rules)
		part := decimal.New(rapid.Int64Range(0, 1000).Draw(t, "where in the collar"), -3)
		price := plan.LowestPrice.Add(plan.HighestPrice.Sub(plan.LowestPrice).Mul(part))
		if !price.IsPositive() || plan.resting() && p.Side == Buy && price.GreaterThan(*plan.Price) {
			return
		}
		if plan.Amount != nil {
			require.True(t, plan.Amount.Mul(price).LessThanOrEqual(plan.WorstQuote), "%s at %s moves more than %s", plan.Amount, price, plan.WorstQuote)
			require.True(t, plan.mostBase().Equal(*plan.Amount) && plan.leastBase().Equal(*plan.Amount))
			return
		}
		require.True(t, plan.WorstQuote.Equal(*plan.AmountQuote))
		require.True(t, plan.mostBase().Mul(price).GreaterThanOrEqual(*plan.AmountQuote), "%s needs more than %s at %s", plan.AmountQuote, plan.mostBase(), price)
		require.True(t, plan.leastBase().Mul(price).LessThanOrEqual(*plan.AmountQuote), "%s gives less than %s at %s", plan.AmountQuote, plan.leastBase(), price)
	})
}

func TestWithinCollar(t *testing.T) {
	buy := Plan{Side: Buy, LowestPrice: dec("49000"), HighestPrice: dec("51000")}
	sell := buy
	sell.Side = Sell
	for _, c := range []struct {
		price     string
		buy, sell bool
	}{
		{"51000", true, true}, {"51000.01", false, true},
		{"49000", true, true}, {"48999.99", true, false},
		{"0", false, false}, {"-1", false, false},
	} {
		require.Equal(t, c.buy, buy.WithinCollar(dec(c.price)), "buy at %s", c.price)
		require.Equal(t, c.sell, sell.WithinCollar(dec(c.price)), "sell at %s", c.price)
	}
	require.False(t, Plan{}.WithinCollar(dec("50000")), "no plan, no collar")
}

func TestPlanMatchesItsOrderOnly(t *testing.T) {
	base := PlanOrder(proposalOf(Buy, "0.002", "", ""), examplePolicy(t), dec("50000"), *btcRules())
	quote := PlanOrder(proposalOf(Buy, "", "100", ""), examplePolicy(t), dec("50000"), *btcRules())
	order := Order{OrderID: "o-1", Market: "BTC-EUR", Side: Buy, Amount: dec("0.00200000"), FilledAmount: dec("0.001"), UpdatedAt: time.Now()}
	require.True(t, base.Matches(order), "what it filled does not matter")
	require.False(t, quote.Matches(order))

	for name, change := range map[string]func(*Order){
		"market": func(o *Order) { o.Market = "BTC-USDC" },
		"side":   func(o *Order) { o.Side = Sell },
		"more":   func(o *Order) { o.Amount = dec("0.00200001") },
		"less":   func(o *Order) { o.Amount = dec("0.00199999") },
		"quote":  func(o *Order) { o.Amount, o.AmountQuote = decimal.Zero, dec("100") },
	} {
		other := order
		change(&other)
		require.False(t, base.Matches(other), name)
	}
	require.True(t, quote.Matches(Order{Market: "BTC-EUR", Side: Buy, AmountQuote: dec("100.00")}))
	require.False(t, quote.Matches(Order{Market: "BTC-EUR", Side: Buy, AmountQuote: dec("100.01")}))
	require.False(t, Plan{}.Matches(Order{}), "nothing planned matches nothing")
}
