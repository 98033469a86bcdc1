package paper

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// of reads one field "x" of a body with the given JSON.
func of(json string, loose bool) *params {
	p, err := bodyParams([]byte(`{"x":`+json+`}`), []string{"x"}, loose)
	if err != nil {
		panic(err)
	}
	return p
}

func TestAmountsArePlainPositiveText(t *testing.T) {
	for json, want := range map[string]string{
		`"1"`: "1", `"0.5"`: "0.5", `"00.10"`: "0.1", `"12345678901234567890"`: "12345678901234567890",
		`1`: "", `"0"`: "", `"-1"`: "", `"+1"`: "", `"1e3"`: "", `".5"`: "", `"1."`: "", `"1,5"`: "", `" 1"`: "", `"NaN"`: "",
		`""`: "", `null`: "", `true`: "", `["1"]`: "", `"123456789012345678901"`: "", `"0.123456789012345678901"`: "",
	} {
		p := of(json, false)
		got := p.amount("x")
		if want == "" {
			require.ErrorContains(t, p.err, "205", json)
			continue
		}
		require.NoError(t, p.err, json)
		require.Equal(t, want, got.String(), json)
	}
}

func TestIntegersAreNumbersUnlessLoose(t *testing.T) {
	for _, c := range []struct {
		json  string
		loose bool
		ok    bool
	}{
		{`7`, false, true}, {`9223372036854775807`, false, true}, {`9223372036854775808`, false, false},
		{`7.0`, false, false}, {`1e3`, false, false}, {`-1`, false, false}, {`"7"`, false, false},
		{`"7"`, true, true}, {`7`, true, true}, {`"seven"`, true, false}, {`null`, true, false},
	} {
		p := of(c.json, c.loose)
		p.integer("x", 0, 9223372036854775807, 0)
		require.Equal(t, c.ok, p.err == nil, "%+v", c)
	}
	require.EqualValues(t, 42, (&params{}).integer("x", 0, 1, 42), "absent")
}

func TestFlagsAreBooleansUnlessLoose(t *testing.T) {
	for _, c := range []struct {
		json      string
		loose     bool
		value, ok bool
	}{
		{`true`, false, true, true}, {`false`, false, false, true}, {`"true"`, false, false, false},
		{`"true"`, true, true, true}, {`"false"`, true, false, true}, {`1`, true, false, false}, {`null`, false, false, false},
	} {
		p := of(c.json, c.loose)
		got := p.flag("x", false)
		require.Equal(t, c.ok, p.err == nil, "%+v", c)
		require.Equal(t, c.ok && c.value, got, "%+v", c)
	}
}

func TestFirstComplaintIsKept(t *testing.T) {
	p := of(`0`, false)
	p.need("market")
	p.amount("x")
	require.Equal(t, missing("market"), p.err)
}

func TestClientOrderIDNeedsTheShapeOfAUUIDOnly(t *testing.T) {
	for id, ok := range map[string]bool{
		uuidA: true, uuidB: true, "00000000-0000-0000-0000-000000000000": true, "ABCDEF00-1111-F111-0111-111111111111": true,
		"1111111122227333844455555555555": false, "11111111-2222-7333-8444-55555555555": false,
		"11111111-2222-7333-8444-55555555555g": false, "{" + uuidA + "}": false, uuidA + "\n": false,
	} {
		p, err := queryParams(url.Values{"clientOrderId": {id}}, []string{"clientOrderId"})
		require.NoError(t, err)
		p.clientOrderID()
		require.Equal(t, ok, p.err == nil, id)
	}
}

func TestAnyQueryTextIsReadAsItWasSent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`[ -~]{1,20}`).Draw(rt, "text")
		p, err := queryParams(url.Values{"x": {text}}, []string{"x"})
		require.NoError(rt, err)
		require.Equal(rt, text, p.text("x"))
		require.NoError(rt, p.err)
	})
}

func TestEndpointsWeighWhatTheDocumentsSay(t *testing.T) {
	for name, want := range map[string][2]int{ // with and without a market
		"GET /time": {1, 1}, "GET /ticker/24h": {1, 25}, "GET /{market}/trades": {5, 5}, "POST /order": {1, 1},
		"DELETE /order": {0, 0}, "GET /orders": {5, 5}, "GET /ordersOpen": {1, 25}, "GET /trades": {5, 5},
		"GET /balance": {5, 5}, "GET /account": {1, 1}, "DELETE /orders": {0, 0}, "GET /depositHistory": {5, 5},
	} {
		end, ok := endpoints[name]
		require.True(t, ok, name)
		require.Equal(t, want, [2]int{end.weightOf(true), end.weightOf(false)}, name)
	}
}

func TestEveryWriteNeedsTheRightToTradeAndEveryAccountReadTheRightToView(t *testing.T) {
	for name, end := range endpoints {
		switch {
		case name == "POST /withdrawal":
			require.Equal(t, Withdraw, end.needs, name)
		case name[:3] != "GET":
			require.Equal(t, Trade, end.needs, name)
		case end.needs == "":
			require.Contains(t, []string{"GET /time", "GET /markets", "GET /assets", "GET /{market}/book", "GET /{market}/trades",
				"GET /{market}/candles", "GET /ticker/price", "GET /ticker/book", "GET /ticker/24h"}, name)
		default:
			require.Equal(t, View, end.needs, name)
		}
	}
}
