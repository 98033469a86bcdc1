package handover

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

var now = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func row(change ...string) Row {
	r := Row{"id": "1", "user_id": "anna", "asset": "BTC", "side": "buy", "executed_at": "2026-01-31T11:30:00.123456Z"}
	for i := 0; i < len(change); i += 2 {
		r[change[i]] = change[i+1]
		if change[i+1] == "" {
			delete(r, change[i])
		}
	}
	return r
}

func TestTradesAreReadPlainlyOrRefusedByName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		row  Row
		says string // empty: it counts, for BTC
	}{
		{"asset", row(), ""},
		{"pair as asset", row("asset", "BTC/EUR"), ""},
		{"small letters", row("asset", "btc", "side", "BUY"), ""},
		{"market alone", row("asset", "", "market", "BTC-EUR"), ""},
		{"both", row("market", "BTC/EUR"), ""},
		{"contradiction", row("market", "ETH/EUR"), "asset: \"BTC\" is not what market ETH-EUR trades"},
		{"nothing traded", row("asset", ""), "asset: \"\" is not an asset"},
		{"three parts", row("asset", "BTC/EUR/X"), "market: "},
		{"side", row("side", "short"), "side: \"short\" is neither"},
		{"no side", row("side", ""), "side: \"\" is neither"},
		{"no time", row("executed_at", ""), "executed_at: is empty"},
		{"infinity", row("executed_at", "infinity"), "executed_at: \"infinity\" is not an instant"},
		{"ahead", row("executed_at", "2026-01-31T12:01:01Z"), "lies in the future"},
		{"clock a little ahead", row("executed_at", "2026-01-31T12:00:59Z"), ""},
		{"user", row("user_id", "a b"), "user_id: \"a b\" is not an ID here; map it with --user-map"},
		{"no user", row("user_id", ""), "user_id: \"\""},
		{"amount", row("amount", "NaN"), "amount: \"NaN\" is not a decimal"},
		{"negative", row("amount_quote", "-1"), "amount_quote: -1 is negative"},
		{"float", row("amount", "1e400"), "amount: "},
	} {
		got, err := ReadTrade(c.row, nil, now)
		if c.says != "" {
			require.ErrorContains(t, err, c.says, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		require.Equal(t, "BTC", got.Asset, c.name)
		require.Equal(t, trade.Buy, got.Side, c.name)
	}
}

func TestKeyTellsRowsApartThatAreNumberedAlike(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for _, r := range []Row{row(), row("id", "2"), row("user_id", "berta"), row("executed_at", "2026-01-31T11:30:00.123457Z")} {
		got, err := ReadTrade(r, Users{"berta": "anna"}, now)
		require.NoError(t, err)
		require.Equal(t, "anna", got.UserID)
		keys[got.Key] = true
	}
	require.Len(t, keys, 4)
}

func TestCallsAreReadPlainlyOrRefusedByName(t *testing.T) {
	t.Parallel()
	call := func(tokens string) Row {
		return Row{"id": "1", "user_id": "anna", "created_at": "2026-01-31T11:30:00Z", "tokens": tokens, "success": "true"}
	}
	u, err := ReadUsage(call("1200"), nil, now)
	require.NoError(t, err)
	require.EqualValues(t, 1200, u.Tokens)
	require.True(t, u.Success)
	for _, wrong := range []string{"-1", "1.5", "many", "1000000001"} {
		_, err := ReadUsage(call(wrong), nil, now)
		require.ErrorContains(t, err, "tokens: ", wrong)
	}
	unknown := call("")
	delete(unknown, "tokens")
	_, err = ReadUsage(unknown, nil, now)
	require.ErrorContains(t, err, "tokens: ", "none is not zero: the budget would be wider than it is")
}

func TestOnlyWhatWasNeverBegunStaysOpen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		table, status       string
		untouched, inFlight bool
	}{
		{TradeProposals, "PENDING", true, false},
		{TradeProposals, "pending ", true, false},
		{TradeProposals, "EXPIRED", false, false},
		{TradeProposals, "EXECUTING", false, true},
		{TradeProposals, "APPROVED", false, false},
		{TradeExecutions, "EXECUTED", false, false},
		{TradeExecutions, "FAILED", false, false},
		{TradeExecutions, "EXECUTING", false, true},
		{TradeExecutions, "PENDING", false, true},
		{TradeExecutions, "SOMETHING", false, true},
		{TradeExecutions, "", false, true},
		{TradeHistory, "EXECUTED", false, false},
	} {
		p, err := ReadProposal(c.table, Row{"proposal_id": "p", "user_id": "anna", "status": c.status})
		require.NoError(t, err)
		require.Equal(t, c.untouched, p.Untouched(), "%s %s", c.table, c.status)
		require.Equal(t, c.inFlight, p.InFlight(), "%s %s", c.table, c.status)
	}
	_, err := ReadProposal(TradeExecutions, Row{"proposal_id": "a b"})
	require.ErrorContains(t, err, "can be no ID here")
}

func TestDraftFillsWhatIsPlainAndNothingElse(t *testing.T) {
	t.Parallel()
	d, err := DraftPolicy([]byte(`{"execution": {"allowlist": ["btc/eur"], "cooldownMinutes": 90, "min_confidence": 0.7, "max_order_eur": 250, "cooldown": 5}, "gpt": {}}`))
	require.NoError(t, err)
	require.Equal(t, []string{"allowlist", "minConfidence", "cooldown"}, d.Filled)
	require.ElementsMatch(t, []string{"execution.max_order_eur", "execution.cooldown", "gpt"}, d.Unread)
	require.Contains(t, d.Open, "maxOrderQuote")
	_, err = trade.ParsePolicy(d.Text)
	for _, field := range d.Open {
		require.ErrorContains(t, err, field+":", "what nobody decided must be refused")
	}
	for _, field := range d.Filled {
		require.NotContains(t, err.Error(), "\n"+field+":")
	}
}

func TestUnclearPoliciesAreRefused(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		`[]`: "not a JSON object", `{"execution": 1}`: "execution is not",
		`{"execution": {"allowlist": "BTC"}}`:                            "execution.allowlist: is not a list",
		`{"execution": {"allowlist": ["everything"]}}`:                   "execution.allowlist: market",
		`{"execution": {"cooldown_minutes": -1}}`:                        "execution.cooldown_minutes: -1",
		`{"execution": {"cooldown_minutes": 1.5}}`:                       "execution.cooldown_minutes: 1.5",
		`{"execution": {"min_confidence": 60}}`:                          "execution.min_confidence: 60",
		`{"execution": {"cooldown_minutes": 60, "cooldownMinutes": 30}}`: "cooldown is said twice",
		`{"execution": {"max_trades_per_day": null}}`:                    "execution.max_trades_per_day: null",
	} {
		_, err := DraftPolicy([]byte(text))
		require.ErrorContains(t, err, says, text)
	}
}

func TestNamesOfUsersCannotBecomeStatements(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	at := now
	require.NoError(t, WriteSQL(&out, `pub"lic`, []Done{{UserID: `a'; DROP TABLE x; --`, ProposalID: "p'q", Market: "BTC-EUR", Side: trade.Buy, Amount: decimal.NewFromInt(1), ExecutedAt: &at}}))
	require.Contains(t, out.String(), `"pub""lic".trade_history`)
	require.Contains(t, out.String(), `'a''; DROP TABLE x; --'`)
	require.Contains(t, out.String(), `'p''q'`)
	out.Reset()
	require.NoError(t, WriteSQL(&out, "public", []Done{{UserID: "anna", ProposalID: "p", Market: "BTC-EUR", Side: trade.Buy}}))
	require.NotContains(t, out.String(), "trade_history", "nothing was filled")
}

func FuzzReadTrade(f *testing.F) {
	f.Add("BTC", "BTC/EUR", "buy", "2026-01-31T11:30:00Z", "1", "anna")
	f.Fuzz(func(t *testing.T, asset, market, side, at, amount, user string) {
		got, err := ReadTrade(Row{"id": "1", "asset": asset, "market": market, "side": side, "executed_at": at, "amount": amount, "user_id": user}, nil, now)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.Regexp(t, `^[A-Z0-9]{1,12}$`, got.Asset)
		require.False(t, got.Amount.IsNegative())
		require.False(t, got.ExecutedAt.After(now.Add(farthest)))
	})
}

func FuzzDraftPolicy(f *testing.F) {
	f.Add(`{"execution": {"allowlist": ["BTC/EUR"], "cooldown_minutes": 60}}`)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := DraftPolicy([]byte(text))
		if err != nil {
			return
		}
		_, err = trade.ParsePolicy(d.Text)
		require.Error(t, err, "a draft is never a policy")
		require.True(t, strings.HasPrefix(string(d.Text), "{"))
	})
}
