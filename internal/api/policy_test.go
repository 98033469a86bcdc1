package api_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

func policyText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../trade/testdata/policy.json")
	require.NoError(t, err)
	return string(text)
}

func TestPolicyIsVersionedAndReadAsItWasSet(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	r := d.send("GET", "/api/trading/policy", nil)
	require.Equal(t, 404, r.status)
	require.Equal(t, "POLICY_MISSING", r.code())
	changed := strings.Replace(policyText(t), `"tradesPerHour": 3`, `"tradesPerHour": "unlimited"`, 1)
	for _, c := range []struct {
		text    string
		version float64
	}{{policyText(t), 1}, {policyText(t), 1}, {changed, 2}, {policyText(t), 3}} {
		r := d.send("PUT", "/api/trading/policy", c.text)
		require.Equal(t, 200, r.status, r.text)
		require.Equal(t, c.version, r.body["version"])
	}
	r = d.send("GET", "/api/trading/policy", nil)
	require.EqualValues(t, 3, r.body["version"])
	given, err := trade.ParsePolicy([]byte(policyText(t)))
	require.NoError(t, err)
	want, err := json.Marshal(given)
	require.NoError(t, err)
	require.Contains(t, r.text, `"policy":`+string(want))

	require.Equal(t, 404, d.send("GET", "/api/trading/policy", nil, d.as("bert", account)...).status)
}

func TestPolicyThatIsWrongIsRefusedWithEveryReason(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for _, c := range []struct {
		text string
		want []string
	}{
		{`{}`, []string{"body.cooldown", "body.allowlist", "missing"}},
		{`[]`, []string{"JSON object"}},
		{`null`, []string{"JSON object"}},
		{`{"cooldown":`, []string{"body"}},
		{strings.Replace(policyText(t), `"cooldown": "60m"`, `"cooldown": "60m", "cooldown": "0s"`, 1), []string{"cooldown", "twice"}},
		{strings.Replace(policyText(t), `"cooldown": "60m"`, `"cooldown": "60m", "cooldwn": "0s"`, 1), []string{"body.cooldwn", "unknown field"}},
		{strings.Replace(policyText(t), `"250.00"`, `250.00`, 1), []string{"body.maxOrderQuote", "quotes"}},
		{strings.Replace(policyText(t), `"60m"`, `"-1m"`, 1), []string{"body.cooldown"}},
	} {
		r := d.send("PUT", "/api/trading/policy", c.text)
		require.Equal(t, 400, r.status, r.text)
		require.Equal(t, "INVALID_REQUEST", r.code())
		for _, part := range c.want {
			require.Contains(t, r.text, part)
		}
	}
	require.Equal(t, 404, d.send("GET", "/api/trading/policy", nil).status)
}

func TestStoredPolicyThatDoesNotDecodeIsSaid(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	execute(t, d.url, `INSERT INTO interlock.trading_policies VALUES ('anna', 'paper', 4, '{"cooldown":"1h"}', 'another program')`)
	r := d.send("GET", "/api/trading/policy", nil)
	require.Equal(t, 409, r.status)
	require.Contains(t, r.body["message"], "version 4")
	require.EqualValues(t, 5, d.send("PUT", "/api/trading/policy", policyText(t)).body["version"])
}

func TestDescribedPolicyHasThePolicysFields(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	schemas := d.send("GET", "/openapi.json", nil).body["components"].(map[string]any)["schemas"].(map[string]any)
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(policyText(t)), &fields))
	fields["fourEyes"], fields["verifiedOverridesOnly"] = "may be", "left out"
	require.ElementsMatch(t, slices.Collect(maps.Keys(fields)), slices.Collect(maps.Keys(schemas["Policy"].(map[string]any)["properties"].(map[string]any))))
}
