package trade

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

func TestProposalCheckNamesEveryProblem(t *testing.T) {
	limit := func(p *Proposal) { p.OrderType, p.Price = LimitOrder, ref(dec("50000")) }
	for _, c := range []struct {
		name   string
		change func(*Proposal)
		says   string // the error's beginning; empty: none
	}{
		{"market order in base", func(*Proposal) {}, ""},
		{"market order in quote", func(p *Proposal) { p.Amount, p.AmountQuote = nil, ref(dec("100")) }, ""},
		{"limit order", limit, ""},
		{"without confidence", func(p *Proposal) { p.Confidence = nil }, ""},
		{"already expired", func(p *Proposal) { p.ExpiresAt = noon.Add(-time.Hour) }, ""},

		{"no ID", func(p *Proposal) { p.ID = "" }, "id: "},
		{"no user", func(p *Proposal) { p.UserID = "" }, "userId: "},
		{"no account", func(p *Proposal) { p.AccountID = "" }, "accountId: "},
		{"no market", func(p *Proposal) { p.Market = "" }, "market: "},
		{"market in small letters", func(p *Proposal) { p.Market = "btc-eur" }, "market: "},
		{"market not normalised", func(p *Proposal) { p.Market = "BTC/EUR" }, `market: "BTC/EUR" must be written "BTC-EUR"`},
		{"no side", func(p *Proposal) { p.Side = "" }, "side: "},
		{"side not normalised", func(p *Proposal) { p.Side = "BUY" }, `side: "BUY" must be written "buy"`},
		{"no order type", func(p *Proposal) { p.OrderType = "" }, "orderType: "},
		{"order type not sent here", func(p *Proposal) { p.OrderType = "stopLoss" }, "orderType: "},
		{"order type not normalised", func(p *Proposal) { p.OrderType = "Market" }, "orderType: "},

		{"no amount", func(p *Proposal) { p.Amount = nil }, "amount: "},
		{"two amounts", func(p *Proposal) { p.AmountQuote = ref(dec("100")) }, "amount: "},
		{"amount of zero", func(p *Proposal) { p.Amount = &decimal.Zero }, "amount: "},
		{"negative amount", func(p *Proposal) { p.Amount = ref(dec("-1")) }, "amount: "},
		{"negative amount in quote", func(p *Proposal) { p.Amount, p.AmountQuote = nil, ref(dec("-1")) }, "amountQuote: "},
		{"endless amount", func(p *Proposal) { p.Amount = ref(decimal.New(1, 1_000_000_000)) }, "amount: has too many digits"},
		{"endlessly small amount", func(p *Proposal) { p.Amount = ref(decimal.New(1, -1_000_000_000)) }, "amount: has too many digits"},
		{"limit order in quote", func(p *Proposal) { limit(p); p.Amount, p.AmountQuote = nil, ref(dec("100")) }, "amountQuote: "},

		{"limit order without price", func(p *Proposal) { p.OrderType = LimitOrder }, "price: "},
		{"market order with price", func(p *Proposal) { p.Price = ref(dec("50000")) }, "price: "},
		{"price of zero", func(p *Proposal) { limit(p); p.Price = &decimal.Zero }, "price: "},
		{"negative price", func(p *Proposal) { limit(p); p.Price = ref(dec("-1")) }, "price: "},
		{"expected price of zero", func(p *Proposal) { p.ExpectedPrice = &decimal.Zero }, "expectedPrice: "},
		{"endless expected price", func(p *Proposal) { p.ExpectedPrice = ref(decimal.New(1, 400)) }, "expectedPrice: "},

		{"no confidence at all is 0", func(p *Proposal) { p.Confidence = &decimal.Zero }, ""},
		{"confidence of 1", func(p *Proposal) { p.Confidence = ref(dec("1")) }, ""},
		{"confidence above 1", func(p *Proposal) { p.Confidence = ref(dec("1.000001")) }, "confidence: "},
		{"negative confidence", func(p *Proposal) { p.Confidence = ref(dec("-0.1")) }, "confidence: "},
		{"endless confidence", func(p *Proposal) { p.Confidence = ref(decimal.New(1, -1_000_000_000)) }, "confidence: has too many digits"},
		{"no expiry", func(p *Proposal) { p.ExpiresAt = time.Time{} }, "expiresAt: "},

		{"longest rationale", func(p *Proposal) { p.Rationale = strings.Repeat("ü", 4000) }, ""},
		{"rationale too long", func(p *Proposal) { p.Rationale = strings.Repeat("ü", 4001) }, "rationale: "},
		{"rationale with a zero byte", func(p *Proposal) { p.Rationale = "a\x00" }, "rationale: "},
		{"rationale not in UTF-8", func(p *Proposal) { p.Rationale = "\xff" }, "rationale: "},
		{"source too long", func(p *Proposal) { p.Source = strings.Repeat("a", 201) }, "source: "},
	} {
		p := calm(t).p
		c.change(&p)
		err := p.Check()
		if c.says == "" {
			require.NoError(t, err, c.name)
			continue
		}
		require.Error(t, err, c.name)
		require.True(t, strings.HasPrefix(err.Error(), c.says), "%s: %s", c.name, err)
		require.NotContains(t, err.Error(), "\n", "%s: one problem, one line", c.name)
	}
}

func TestProposalCheckListsAllProblemsAtOnce(t *testing.T) {
	err := Proposal{Confidence: ref(dec("2")), Rationale: "\xff", Source: "\x00"}.Check()
	for _, field := range []string{"id", "userId", "accountId", "market", "side", "orderType", "amount", "confidence", "expiresAt", "rationale", "source"} {
		require.ErrorContains(t, err, field+": ")
	}
}

func TestNormalProposalIsWrittenOneWay(t *testing.T) {
	p := calm(t).p
	want := p
	p.Market, p.Side, p.OrderType = "BTC/EUR", "BUY", "Market"
	require.Error(t, p.Check())
	require.Equal(t, want, p.Normal())
	require.Equal(t, want, want.Normal())
	require.NoError(t, p.Normal().Check())

	p.Market, p.Side, p.OrderType = "btc", "hold", "stop"
	require.Equal(t, p, p.Normal(), "what cannot be read stays for Check to refuse")
}

func TestIDsAreSafeInURLsLogsAndShells(t *testing.T) {
	for _, id := range []string{"a", "7", "prop-1", "2026-01-15T12:00:00Z", "scan.btc_eur:1", strings.Repeat("a", 100)} {
		require.NoError(t, CheckID("id", id), id)
	}
	for _, id := range []string{
		"", " ", "a b", " a", "a ", "a/b", "../a", ".", "-rf", "_a", ":a", "a\n", "a\x00", "a%2F", "a?b", "a#b", "a'b", `a"b`, "a;b", "$a",
		"pröp", "prop\u200b", "ｐｒｏｐ", "\xff", strings.Repeat("a", 101), strings.Repeat("a", 2000), strings.Repeat("ü", 2000),
	} {
		err := CheckID("userId", id)
		require.ErrorContains(t, err, "userId: ", "%q", id)
		require.Less(t, len(err.Error()), 300, "%q", id)
	}
}

func TestEndlessNumbersDecodeButAreRefused(t *testing.T) {
	var p Proposal
	require.NoError(t, json.Unmarshal([]byte(`{"amount":"1e9999","confidence":1e-9999}`), &p))
	require.ErrorContains(t, p.Check(), "amount: has too many digits")
	require.ErrorContains(t, p.Check(), "confidence: has too many digits")

	s := calm(t)
	s.p.Amount, s.p.Confidence = p.Amount, p.Confidence
	require.True(t, s.verdict().Blocked())
}

func TestSidesAndOrderTypesInAnyCase(t *testing.T) {
	for text, want := range map[string]Side{"buy": Buy, "BUY": Buy, "Sell": Sell, "sell": Sell} {
		side, err := ParseSide("side", text)
		require.NoError(t, err)
		require.Equal(t, want, side)
	}
	for _, text := range []string{"", "b", "buy ", "short", "ſell", "BUYSELL"} {
		side, err := ParseSide("side", text)
		require.ErrorContains(t, err, "side: ", text)
		require.Empty(t, side)
	}
	for text, want := range map[string]OrderType{"market": MarketOrder, "LIMIT": LimitOrder} {
		orderType, err := ParseOrderType("orderType", text)
		require.NoError(t, err)
		require.Equal(t, want, orderType)
	}
	for _, text := range []string{"", "stopLoss", "limıt", "market\n"} {
		_, err := ParseOrderType("orderType", text)
		require.ErrorContains(t, err, "orderType: ", text)
	}
}

func TestMarketNames(t *testing.T) {
	for text, want := range map[string]Market{"BTC-EUR": "BTC-EUR", "BTC/EUR": "BTC-EUR", "1INCH-EUR": "1INCH-EUR", "A-EU": "A-EU"} {
		m, err := ParseMarket("market", text)
		require.NoError(t, err)
		require.Equal(t, want, m)
	}
	for _, text := range []string{
		"", "BTC", "BTC-", "-EUR", "BTC--EUR", "BTC/EUR/X", "BTC-EUR-X", "BTC-EUR/", "btc-eur", "BTC EUR", "BTCEUR", "BTC-EUR\n", "BTC-€UR",
		"BTC-E", "ABCDEFGHIJKLM-EUR", "BTC-EUREURE", "ВТС-EUR",
	} {
		m, err := ParseMarket("market", text)
		require.ErrorContains(t, err, "market: ", text)
		require.Empty(t, m)
	}
	require.Equal(t, "BTC", Market("BTC-EUR").Base())
	require.Equal(t, "EUR", Market("BTC-EUR").Quote())
}
