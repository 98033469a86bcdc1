package trade

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCodesAreUniqueAndInCapitals(t *testing.T) {
	all := append(PreflightCodes(), OverrideReasonRequired, SideMismatch, ExchangeRefused, ExchangeUnavailable, OrderAbsent, CancelRequested)
	seen := map[Code]bool{}
	for _, code := range all {
		require.False(t, seen[code], code)
		require.Regexp(t, regexp.MustCompile(`^[A-Z]+(_[A-Z]+)*$`), string(code))
		seen[code] = true
	}
	require.Len(t, PreflightCodes(), 21)
}

func TestBlocksAreTheFailedChecks(t *testing.T) {
	v := Verdict{Checks: []Check{pass(PolicyMissing, nil), block(ClockSkew, nil, "apart by %s", time.Minute), pass(PriceStale, nil)}}
	require.Equal(t, []Block{{ClockSkew, "apart by 1m0s"}}, v.Blocks())
	require.True(t, v.Blocked())
	v.Checks[1].Passed = true
	require.Empty(t, v.Blocks())
	require.False(t, v.Blocked())
}

// TestStoredVerdictIsReadAsItWasWritten pins the JSON that lies in databases:
// a renamed field would turn a stored block into a pass, or lose a plan.
func TestStoredVerdictIsReadAsItWasWritten(t *testing.T) {
	amount, price := dec("0.002"), dec("51000")
	v := Verdict{
		RequestID: "req-1", ProposalID: "prop-1", PolicyVersion: 3, At: noon,
		Checks: []Check{
			{Code: CooldownBlocked, Passed: true, Inputs: map[string]string{"cooldown": "1h0m0s"}, OverriddenBy: []string{"ov-1"}},
			{Code: TradingHalted, Message: "trading is halted"},
		},
		Plan: &Plan{
			Market: "BTC-EUR", Side: Buy, OrderType: LimitOrder, TimeInForce: "IOC", Amount: &amount, Price: &price, ReferencePrice: dec("50000"),
			LowestPrice: dec("49000"), HighestPrice: dec("51000"), WorstQuote: dec("102"),
			TimeToLive: Duration(15 * time.Minute), PriceMaxAge: Duration(time.Minute), Reduces: true,
		},
	}
	const stored = `{
		"requestId":"req-1","proposalId":"prop-1","policyVersion":3,"at":"2026-01-15T12:00:00Z",
		"checks":[
			{"code":"COOLDOWN_BLOCKED","passed":true,"inputs":{"cooldown":"1h0m0s"},"overriddenBy":["ov-1"]},
			{"code":"TRADING_HALTED","passed":false,"message":"trading is halted"}],
		"plan":{"market":"BTC-EUR","side":"buy","orderType":"limit","timeInForce":"IOC","amount":"0.002","price":"51000","referencePrice":"50000",
			"lowestPrice":"49000","highestPrice":"51000","worstQuote":"102","timeToLive":"15m0s","priceMaxAge":"1m0s","reduces":true}}`
	body, err := json.Marshal(v)
	require.NoError(t, err)
	require.JSONEq(t, stored, string(body))
	var back Verdict
	require.NoError(t, json.Unmarshal([]byte(stored), &back))
	require.Equal(t, v, back)
	require.True(t, back.Blocked())
}
