package trade

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestExamplePolicyMeansWhatItSays(t *testing.T) {
	p := examplePolicy(t)
	require.Equal(t, "Europe/Amsterdam", p.TimeZone.String())
	require.Equal(t, Allowlist{"BTC-EUR", "ETH-EUR"}, p.Allowlist)
	require.Equal(t, "0.6 0.02", p.MinConfidence.String()+" "+p.PriceCollar.String())
	require.Equal(t, []time.Duration{time.Hour, 2 * time.Hour, time.Minute, 10 * time.Minute, 15 * time.Minute},
		[]time.Duration{p.Cooldown.Std(), p.AntiFlip.Std(), p.PriceMaxAge.Std(), p.ReconcileMaxAge.Std(), p.LimitOrderTTL.Std()})
	require.Equal(t, []CountLimit{{Value: 10}, {Value: 3}}, []CountLimit{p.TradesPerDay, p.TradesPerHour})
	require.Equal(t, "250 1000 2000", p.MaxOrderQuote.String()+" "+p.ExposureMarket.String()+" "+p.ExposureAccount.String())
	require.Equal(t, Throttle{Executions: 20, Window: Duration(time.Hour)}, p.RepeatThrottle)
	require.False(t, bool(p.AutoExecute))

	limit, listed := p.MaxBase("btc")
	require.True(t, listed)
	require.Equal(t, "0.01", limit.String())
	_, listed = p.MaxBase("XRP")
	require.False(t, listed)
}

// policyWith is the example policy with one field replaced by raw JSON, or
// without it when raw is empty.
func policyWith(t testing.TB, field, raw string) []byte {
	t.Helper()
	body, err := os.ReadFile("testdata/policy.json")
	require.NoError(t, err)
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(body, &fields))
	require.True(t, slices.ContainsFunc(new(Policy).fields(), func(f policyField) bool { return f.name == field }), field)
	delete(fields, field)
	if raw != "" {
		fields[field] = json.RawMessage(raw)
	}
	body, err = json.Marshal(fields)
	require.NoError(t, err)
	return body
}

func TestPolicyRefusesEveryMissingFieldAtOnce(t *testing.T) {
	_, err := ParsePolicy([]byte(`{}`))
	require.Error(t, err)
	fields := new(Policy).fields()
	require.Len(t, fields, 20)
	require.Len(t, strings.Split(err.Error(), "\n"), 18)
	for _, f := range fields {
		_, alone := ParsePolicy(policyWith(t, f.name, ""))
		if f.optional {
			require.NotContains(t, err.Error(), f.name)
			require.NoError(t, alone)
			continue
		}
		require.Contains(t, err.Error(), f.name+": missing")
		require.ErrorContains(t, alone, f.name+": missing")
		_, err := ParsePolicy(policyWith(t, f.name, "null"))
		require.ErrorContains(t, err, f.name+": is null")
	}
}

func TestPolicyFieldsAreExactlyItsJSON(t *testing.T) {
	p := examplePolicy(t)
	p.FourEyes, p.VerifiedOverridesOnly = &AmountLimit{}, true
	body, err := json.Marshal(p)
	require.NoError(t, err)
	var written map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(body, &written))
	var names []string
	for _, f := range new(Policy).fields() {
		names = append(names, f.name)
	}
	require.ElementsMatch(t, names, sortedKeys(written), "a field that is not decoded would read as zero")
}

func TestPolicyReportsAllProblemsTogetherAndReturnsNothing(t *testing.T) {
	p, err := ParsePolicy([]byte(`{"cooldown":60,"cooldown":"1h","Cooldown":"0s","antiFlip":"never","leverage":"10"}`))
	require.Equal(t, Policy{}, p, "half a policy is none")
	for _, says := range []string{"cooldown: given twice", "antiFlip: ", "Cooldown: unknown field", "leverage: unknown field", "timeZone: missing"} {
		require.ErrorContains(t, err, says)
	}
	p, err = ParsePolicy(policyWith(t, "autoExecute", `"yes"`))
	require.Error(t, err)
	require.Equal(t, Policy{}, p)
}

func TestPolicyValues(t *testing.T) {
	for _, c := range []struct{ field, raw, refused string }{
		{"timeZone", `"UTC"`, ""},
		{"timeZone", `"Pacific/Apia"`, ""},
		{"timeZone", `"Local"`, "not a time zone"},
		{"timeZone", `""`, "not a time zone"},
		{"timeZone", `"unlimited"`, "not a time zone"},
		{"timeZone", `60`, "must be an IANA zone"},

		{"allowlist", `[]`, ""},
		{"allowlist", `["BTC/EUR"]`, ""},
		{"allowlist", `["btc-eur"]`, "not a market"},
		{"allowlist", `["*"]`, "not a market"},
		{"allowlist", `[null]`, "not a market"},
		{"allowlist", `["BTC-EUR",1]`, "must be a list"},
		{"allowlist", `"BTC-EUR"`, "must be a list"},
		{"allowlist", `"unlimited"`, "must be a list"},
		{"allowlist", `{}`, "must be a list"},

		{"minConfidence", `"0"`, ""},
		{"minConfidence", `"1"`, ""},
		{"minConfidence", `"1.000000000000000001"`, "between 0 and 1"},
		{"minConfidence", `"-0.1"`, "must not be negative"},
		{"minConfidence", `0.6`, "in quotes"},
		{"minConfidence", `"60%"`, "not a decimal"},
		{"minConfidence", `"unlimited"`, "not a decimal"},
		{"priceCollar", `"0"`, ""},
		{"priceCollar", `"2"`, "between 0 and 1"},
		{"priceCollar", `"unlimited"`, "not a decimal"},

		{"cooldown", `"0s"`, ""},
		{"cooldown", `"1h30m"`, ""},
		{"cooldown", `"8784h"`, ""},
		{"cooldown", `"8784h1ns"`, "not a duration"},
		{"cooldown", `"-1s"`, "not a duration"},
		{"cooldown", `"60"`, "not a duration"},
		{"cooldown", `""`, "not a duration"},
		{"cooldown", `60`, "not a duration"},
		{"cooldown", `"unlimited"`, "not a duration"},
		{"cooldown", `"9999999999999h"`, "not a duration"},
		{"antiFlip", `"2 h"`, "not a duration"},
		{"priceMaxAge", `"unlimited"`, "not a duration"},
		{"reconcileMaxAge", `"unlimited"`, "not a duration"},
		{"limitOrderTTL", `"unlimited"`, "not a duration"},

		{"tradesPerDay", `0`, ""},
		{"tradesPerDay", `"unlimited"`, ""},
		{"tradesPerDay", `1000000`, ""},
		{"tradesPerDay", `1000001`, "whole number"},
		{"tradesPerDay", `-1`, "whole number"},
		{"tradesPerDay", `1.5`, "whole number"},
		{"tradesPerDay", `1e3`, "whole number"},
		{"tradesPerDay", `1e400`, "whole number"},
		{"tradesPerDay", `"10"`, "whole number"},
		{"tradesPerDay", `"Unlimited"`, "whole number"},
		{"tradesPerDay", `true`, "whole number"},
		{"tradesPerHour", `99999999999999999999`, "whole number"},

		{"maxOrderQuote", `"unlimited"`, ""},
		{"maxOrderQuote", `"0"`, ""},
		{"maxOrderQuote", `"999999999999999999.999999999999999999"`, ""},
		{"maxOrderQuote", `"1000000000000000000"`, "not a decimal"},
		{"maxOrderQuote", `250`, "in quotes"},
		{"maxOrderQuote", `"-250"`, "must not be negative"},
		{"maxOrderQuote", `"1e400"`, "not a decimal"},
		{"maxOrderQuote", `1e400`, "in quotes"},
		{"maxOrderQuote", `"NaN"`, "not a decimal"},
		{"maxOrderQuote", `"Infinity"`, "not a decimal"},
		{"maxOrderQuote", `"UNLIMITED"`, "not a decimal"},
		{"maxOrderQuote", `"250,00"`, "not a decimal"},
		{"maxOrderQuote", `" 250"`, "not a decimal"},
		{"maxOrderQuote", `"٢٥٠"`, "not a decimal"},
		{"maxOrderQuote", `""`, "not a decimal"},
		{"exposureMarket", `"unlimited"`, ""},
		{"exposureAccount", `"unlimited"`, ""},
		{"exposureAccount", `["1000"]`, "in quotes"},

		{"maxOrderBase", `"unlimited"`, ""},
		{"maxOrderBase", `{}`, ""},
		{"maxOrderBase", `{"btc":"0.01"}`, ""},
		{"maxOrderBase", `{"BTC":"0.01","BTC":"100"}`, "each asset once"},
		{"maxOrderBase", `{"BTC":"0.01","btc":"100"}`, "given twice"},
		{"maxOrderBase", `{"BTC":"unlimited"}`, "not a decimal"},
		{"maxOrderBase", `{"BTC":0.01}`, "in quotes"},
		{"maxOrderBase", `{"BTC":null}`, "not a decimal"},
		{"maxOrderBase", `{"BTC-EUR":"0.01"}`, "not an asset"},
		{"maxOrderBase", `{"":"0.01"}`, "not an asset"},
		{"maxOrderBase", `["BTC"]`, "must be an object"},
		{"maxOrderBase", `"0.01"`, "must be an object"},

		{"repeatThrottle", `"unlimited"`, ""},
		{"repeatThrottle", `{"window":"1h","executions":0}`, ""},
		{"repeatThrottle", `{"executions":20}`, "must have executions and window"},
		{"repeatThrottle", `{"executions":20,"window":"1h","Executions":1000}`, "must have executions and window"},
		{"repeatThrottle", `{"executions":20,"window":"1h","executions":1000}`, "must have executions and window"},
		{"repeatThrottle", `{"Executions":20,"window":"1h"}`, "must have executions and window"},
		{"repeatThrottle", `{"executions":20,"window":"0s"}`, `window: "0s" must be above 0s`},
		{"repeatThrottle", `{"executions":20,"window":null}`, "window: is null"},
		{"repeatThrottle", `{"executions":null,"window":"1h"}`, "executions: "},
		{"repeatThrottle", `{"executions":"unlimited","window":"1h"}`, "executions: "},
		{"repeatThrottle", `{"executions":-1,"window":"1h"}`, "executions: "},
		{"repeatThrottle", `20`, "must have executions and window"},

		{"autoExecute", `true`, ""},
		{"autoExecute", `1`, "not true or false"},
		{"autoExecute", `"true"`, "not true or false"},

		{"modelBudget", `{"callsPerDay":5,"callsPerHour":"unlimited","tokensPerDay":50000000,"costPerDay":"0.50"}`, ""},
		{"modelBudget", `{"callsPerDay":5,"callsPerHour":2,"tokensPerDay":0}`, "each once"},
		{"modelBudget", `{"callsPerDay":5,"callsPerHour":2,"tokensPerDay":0,"costPerDay":"1","callsPerDay":9}`, "each once"},
		{"modelBudget", `{"callsPerDay":5,"callsPerHour":2,"tokensPerDay":0,"costPerday":"1"}`, "costPerDay: missing"},
		{"modelBudget", `{"callsPerDay":5,"callsPerHour":2,"tokensPerDay":0,"costPerDay":1}`, "in quotes"},
		{"modelBudget", `{"callsPerDay":5,"callsPerHour":-2,"tokensPerDay":0,"costPerDay":"1"}`, "callsPerHour: "},
		{"modelBudget", `{"callsPerDay":5,"callsPerHour":2,"tokensPerDay":1e12,"costPerDay":"1"}`, "tokensPerDay: "},
		{"modelBudget", `{"callsPerDay":null,"callsPerHour":2,"tokensPerDay":1,"costPerDay":"1"}`, "callsPerDay: is null"},
		{"modelBudget", `"unlimited"`, "each once"},
		{"fourEyes", `"100.00"`, ""},
		{"fourEyes", `"0"`, ""},
		{"fourEyes", `"unlimited"`, ""},
		{"fourEyes", `100`, "in quotes"},
		{"fourEyes", `null`, "is null"},
		{"verifiedOverridesOnly", `true`, ""},
		{"verifiedOverridesOnly", `"true"`, "not true or false"},
	} {
		p, err := ParsePolicy(policyWith(t, c.field, c.raw))
		if c.refused == "" {
			require.NoError(t, err, "%s %s", c.field, c.raw)
			continue
		}
		require.ErrorContains(t, err, c.refused, "%s %s", c.field, c.raw)
		require.True(t, strings.HasPrefix(err.Error(), c.field+": "), "the error names the field: %s", err)
		require.Equal(t, Policy{}, p)
	}
}

func TestPolicyNormalisesNames(t *testing.T) {
	p, err := ParsePolicy(policyWith(t, "allowlist", `["BTC/EUR"]`))
	require.NoError(t, err)
	require.True(t, p.Allows("BTC-EUR"))
	require.False(t, p.Allows("BTC/EUR"))
	p, err = ParsePolicy(policyWith(t, "maxOrderBase", `{"btc":"0.5"}`))
	require.NoError(t, err)
	limit, listed := p.MaxBase("BTC")
	require.True(t, listed)
	require.Equal(t, "0.5", limit.String())
}

func TestOnlyOneJSONObjectIsAPolicy(t *testing.T) {
	good, err := os.ReadFile("testdata/policy.json")
	require.NoError(t, err)
	_, err = ParsePolicy(append([]byte(" \n\t"), good...))
	require.NoError(t, err, "space around it does no harm")

	cut := good[:len(good)/2]
	deep := strings.Repeat("[", 100_000)
	for name, body := range map[string]string{
		"nothing": "", "null": "null", "list": "[]", "text": `"unlimited"`, "number": "1e400", "not JSON": "cooldown: 60m",
		"cut off": string(cut), "more follows": string(good) + "{}", "a brace follows": string(good) + "}",
		"deep": deep, "deep inside": `{"timeZone":` + deep, "deep objects": strings.Repeat(`{"a":`, 100_000),
		"comma too many": `{"cooldown":"1h",}`, "byte order mark": "\ufeff" + string(good), "NaN": `{"cooldown":NaN}`,
	} {
		p, err := ParsePolicy([]byte(body))
		require.ErrorContains(t, err, "policy: ", name)
		require.Equal(t, 1, len(strings.Split(err.Error(), "\n")), "%s: nothing else can be said of it", name)
		require.Equal(t, Policy{}, p, name)
	}
}

func TestPolicyErrorsStayShortAndPrintable(t *testing.T) {
	hostile := strings.Repeat("a", 10_000) + "\x1b[2J\nINFO all is well"
	body, err := json.Marshal(map[string]string{hostile: "1", "\x1b[2J\n": "1", "cooldown": hostile})
	require.NoError(t, err)
	_, err = ParsePolicy(body)
	require.Error(t, err)
	require.Less(t, len(err.Error()), 4000)
	require.NotContains(t, err.Error(), "\x1b")
	require.NotContains(t, err.Error(), "all is well")
}

func TestNoPathDecodesAPolicyLeniently(t *testing.T) {
	var p Policy
	require.Error(t, json.Unmarshal([]byte(`{"cooldown":"1h"}`), &p))
	require.Error(t, json.Unmarshal([]byte(`null`), &p))
	require.Equal(t, Policy{}, p)
	body, err := os.ReadFile("testdata/policy.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(body, &p))
	require.Equal(t, examplePolicy(t).Allowlist, p.Allowlist)
	var wrapped struct{ Policy Policy }
	require.Error(t, json.Unmarshal([]byte(`{"Policy":{}}`), &wrapped))
}

func TestZeroLimitsAllowNothing(t *testing.T) {
	require.False(t, AmountLimit{}.within(dec("0.000000000000000001")))
	require.False(t, CountLimit{}.admitsOneMore(0))
	_, listed := Policy{}.MaxBase("BTC")
	require.False(t, listed)
	require.False(t, Policy{}.Allows("BTC-EUR"))
	require.False(t, Policy{}.Allows(""))
}

func TestLimitsAreMetExactly(t *testing.T) {
	limit := AmountLimit{Value: dec("250.00")}
	require.True(t, limit.within(dec("250")))
	require.False(t, limit.within(dec("250.000000000000000001")))
	require.True(t, AmountLimit{Unlimited: true}.within(dec("1e30")))
	require.True(t, CountLimit{Value: 3}.admitsOneMore(2))
	require.False(t, CountLimit{Value: 3}.admitsOneMore(3))
	require.True(t, CountLimit{Unlimited: true}.admitsOneMore(1<<40))
}

func TestLookbackCoversEveryWindow(t *testing.T) {
	p := Policy{TimeZone: TimeZone{time.UTC}}
	require.Equal(t, noon.Add(-12*time.Hour), p.Lookback(noon), "the day")
	early := noon.Add(-11*time.Hour - 30*time.Minute)
	require.Equal(t, early.Add(-time.Hour), p.Lookback(early), "the hour, just after midnight")
	p.AntiFlip = Duration(48 * time.Hour)
	require.Equal(t, noon.Add(-48*time.Hour), p.Lookback(noon))
	p.Cooldown = Duration(72 * time.Hour)
	require.Equal(t, noon.Add(-72*time.Hour), p.Lookback(noon))
}

func drawWritablePolicy(t *rapid.T) Policy {
	amount := func(label string) AmountLimit {
		if rapid.Bool().Draw(t, label+" unlimited") {
			return AmountLimit{Unlimited: true}
		}
		return AmountLimit{Value: decimal.New(rapid.Int64Range(0, 1_000_000_000_000_000).Draw(t, label), -int32(rapid.IntRange(0, 18).Draw(t, "decimals")))}
	}
	count := func(label string) CountLimit {
		if rapid.Bool().Draw(t, label+" unlimited") {
			return CountLimit{Unlimited: true}
		}
		return CountLimit{Value: rapid.IntRange(0, 1_000_000).Draw(t, label)}
	}
	length := func(label string) Duration {
		return Duration(rapid.Int64Range(0, int64(366*24*time.Hour)).Draw(t, label))
	}
	fraction := func(label string) Fraction {
		return Fraction{decimal.New(rapid.Int64Range(0, 1_000_000).Draw(t, label), -6)}
	}
	loc, err := time.LoadLocation(pick(t, "zone", "UTC", "Europe/Amsterdam", "Pacific/Apia"))
	require.NoError(t, err)
	p := Policy{
		TimeZone: TimeZone{loc}, Allowlist: Allowlist{}, MinConfidence: fraction("confidence"),
		Cooldown: length("cooldown"), AntiFlip: length("antiFlip"), TradesPerDay: count("day"), TradesPerHour: count("hour"),
		MaxOrderQuote: amount("quote"), ExposureMarket: amount("market"), ExposureAccount: amount("account"), PriceCollar: fraction("collar"),
		PriceMaxAge: length("price age"), ReconcileMaxAge: length("reconcile age"), LimitOrderTTL: length("ttl"),
		MaxOrderBase: AssetLimits{Unlimited: true}, RepeatThrottle: Throttle{Unlimited: true}, AutoExecute: Switch(rapid.Bool().Draw(t, "auto")),
		ModelBudget: ModelBudget{
			CallsPerDay: CountLimit{Unlimited: true}, CallsPerHour: CountLimit{Value: rapid.IntRange(0, 1_000_000).Draw(t, "calls")},
			TokensPerDay: CountLimit{Value: rapid.IntRange(0, mostTokens).Draw(t, "tokens")}, CostPerDay: amount("cost"),
		},
	}
	if rapid.Bool().Draw(t, "limited") {
		p.RepeatThrottle = Throttle{Executions: rapid.IntRange(0, 1_000_000).Draw(t, "executions"), Window: length("window") + 1}
		p.MaxOrderBase = AssetLimits{ByAsset: map[string]decimal.Decimal{}}
		for _, asset := range rapid.SliceOfN(rapid.StringMatching(`[A-Z0-9]{1,12}`), 0, 3).Draw(t, "assets") {
			p.MaxOrderBase.ByAsset[asset] = amount("base").Value
			p.Allowlist = append(p.Allowlist, Market(asset+"-EUR"))
		}
	}
	p.RepeatThrottle.Window = min(p.RepeatThrottle.Window, Duration(366*24*time.Hour))
	return p
}

func TestPolicySurvivesJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawWritablePolicy(t)
		body, err := json.Marshal(p)
		require.NoError(t, err)
		back, err := ParsePolicy(body)
		require.NoError(t, err, "%s", body)
		requireSamePolicy(t, p, back)
	})
}

// requireSamePolicy compares decimals by value, and everything else as it is.
func requireSamePolicy(t require.TestingT, a, b Policy) {
	for i, f := range a.fields() {
		require.True(t, sameValue(f.into, b.fields()[i].into), "%s: %v became %v", f.name, f.into, b.fields()[i].into)
	}
}

func sameValue(a, b any) bool {
	switch a := a.(type) {
	case *AmountLimit:
		b := b.(*AmountLimit)
		return a.Unlimited == b.Unlimited && a.Value.Equal(b.Value)
	case *Fraction:
		return a.Equal(b.(*Fraction).Decimal)
	case *AssetLimits:
		b := b.(*AssetLimits)
		for asset := range a.ByAsset {
			if !a.ByAsset[asset].Equal(b.ByAsset[asset]) {
				return false
			}
		}
		return a.Unlimited == b.Unlimited && len(a.ByAsset) == len(b.ByAsset)
	case *ModelBudget:
		b := b.(*ModelBudget)
		return sameValue(&a.CostPerDay, &b.CostPerDay) && a.CallsPerDay == b.CallsPerDay &&
			a.CallsPerHour == b.CallsPerHour && a.TokensPerDay == b.TokensPerDay
	case *TimeZone:
		return a.String() == b.(*TimeZone).String()
	}
	return reflect.DeepEqual(a, b)
}

// TestEveryProblemOfAPolicyIsReportedAtOnce: also those inside of a field.
func TestEveryProblemOfAPolicyIsReportedAtOnce(t *testing.T) {
	text, err := os.ReadFile("testdata/policy.json")
	require.NoError(t, err)
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &fields))
	for name, value := range map[string]string{
		"allowlist": `["BTC-EUR","btc-eur","ETH"]`, "maxOrderBase": `{"B TC":"1","ETH":"-1","SOL":1}`, "repeatThrottle": `{"executions":-1,"window":"0s"}`,
		"modelBudget": `{"callsPerDay":-1,"callsPerHour":1.5,"tokensPerDay":"many","costPerDay":"-1"}`, "cooldown": `"soon"`, "unheard": `1`,
	} {
		fields[name] = json.RawMessage(value)
	}
	delete(fields, "antiFlip")
	whole, err := json.Marshal(fields)
	require.NoError(t, err)
	_, err = ParsePolicy(whole)
	lines := strings.Split(err.Error(), "\n")
	for i, begins := range []string{
		`allowlist: [1]: "btc-eur"`, `allowlist: [2]: "ETH"`, `cooldown: "soon"`, `antiFlip: missing`, `maxOrderBase: "B TC"`, `maxOrderBase: ETH: "-1"`,
		`maxOrderBase: SOL: 1: must be`, `repeatThrottle: executions: -1`, `repeatThrottle: window: "0s"`, `modelBudget: callsPerDay: -1`,
		`modelBudget: callsPerHour: 1.5`, `modelBudget: tokensPerDay: "many"`, `modelBudget: costPerDay: "-1"`, `unheard: unknown field`,
	} {
		require.True(t, strings.HasPrefix(lines[i], begins), "%s\n%s", begins, lines[i])
	}
}
