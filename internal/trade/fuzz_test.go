package trade

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzParsePolicy: whatever the bytes, ParsePolicy answers with a policy that
// survives being written and read, or with an error and nothing.
func FuzzParsePolicy(f *testing.F) {
	example, err := os.ReadFile("testdata/policy.json")
	require.NoError(f, err)
	f.Add(example)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePolicy(data)
		if err != nil {
			require.Equal(t, Policy{}, p)
			return
		}
		require.True(t, json.Valid(data))
		written, err := json.Marshal(p)
		require.NoError(t, err)
		back, err := ParsePolicy(written)
		require.NoError(t, err, "%s", written)
		requireSamePolicy(t, p, back)
	})
}

// FuzzParseDecimal: what is accepted is exact, short and written back as read.
func FuzzParseDecimal(f *testing.F) {
	for _, text := range []string{"0", "-0.10", "1e5", "NaN", "999999999999999999.999999999999999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDecimal("n", text)
		if err != nil {
			require.True(t, d.IsZero())
			return
		}
		require.LessOrEqual(t, len(text), 38)
		require.True(t, plain(d))
		back, err := ParseDecimal("n", d.String())
		require.NoError(t, err)
		require.True(t, d.Equal(back))
		_, err = ParsePositive("n", text)
		require.Equal(t, d.IsPositive(), err == nil)
	})
}

// FuzzParseMarket: what is accepted has a base and a quote, and one spelling.
func FuzzParseMarket(f *testing.F) {
	for _, text := range []string{"BTC-EUR", "BTC/EUR", "btc-eur", "BTC--EUR", "BTC/EUR/X"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMarket("market", text)
		if err != nil {
			require.Empty(t, m)
			return
		}
		require.Equal(t, string(m), m.Base()+"-"+m.Quote())
		require.Regexp(t, assetText, m.Base())
		again, err := ParseMarket("market", string(m))
		require.NoError(t, err)
		require.Equal(t, m, again)
	})
}

// FuzzDecodeStrict: what is taken says the same when it is written and read
// again, and encoding/json reads nothing else from it.
func FuzzDecodeStrict(f *testing.F) {
	for _, text := range []string{`{"actor":"anna","checks":["A"],"at":"2026-01-31T18:00:00Z","execute":true}`, `{"actor":"a","actor":"b"}`, `{"ACTOR":"a"}`, `{"actor":null}`, `{"x":1}`, `[]`} {
		f.Add([]byte(text))
	}
	type request struct {
		Actor   string    `json:"actor,omitempty"`
		Checks  []Code    `json:"checks,omitempty"`
		At      time.Time `json:"at,omitzero"`
		Execute bool      `json:"execute,omitempty"`
		Looks   int       `json:"looks,omitempty"`
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var strict, lenient request
		if DecodeStrict(data, &strict) != nil {
			return
		}
		require.NoError(t, json.Unmarshal(data, &lenient))
		require.Equal(t, lenient, strict)
		written, err := json.Marshal(strict)
		require.NoError(t, err)
		var again request
		require.NoError(t, DecodeStrict(written, &again), "%s", written)
	})
}
