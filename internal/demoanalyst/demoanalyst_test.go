package demoanalyst

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/analyst"
	"interlock/internal/prompt"
	"interlock/internal/scan"
	"interlock/internal/trade"
)

func market(last, position string, closes ...string) string {
	candles := make([]string, len(closes))
	for i, c := range closes {
		candles[i] = fmt.Sprintf(`{"close":%q}`, c)
	}
	return fmt.Sprintf(`{"ask":{"markets":["BTC-EUR"],"maxIdeas":3,"maxQuote":"10"},"snapshot":{"at":"2026-03-01T12:00:00Z","markets":[
		{"market":"BTC-EUR","last":%q,"position":%q,"short":{"interval":"1m","candles":[%s]}}]}}`, last, position, strings.Join(candles, ","))
}

func TestTheRuleBuysAboveTheMeanAndSellsWhatIsHeldBelow(t *testing.T) {
	for _, c := range []struct{ name, request, want string }{
		{"above", market("101", "0", "100", "100"), `"side":"buy","amountQuote":"10","confidence":"0.75"`},
		{"far above", market("150", "0", "100"), `"confidence":"0.95"`},
		{"below, held", market("99", "1", "100"), `"side":"sell"`},
		{"below, not held", market("99", "0.1", "100"), `{"ideas":[]}`},
		{"equal", market("100", "1", "100", "100"), `{"ideas":[]}`},
		{"no candles", market("100", "1"), `{"ideas":[]}`},
	} {
		got, err := Rule(c.request)
		require.NoError(t, err, c.name)
		require.Contains(t, got, c.want, c.name)
	}
	for _, text := range []string{``, `{}`, `hello`, `{"snapshot":{"markets":[]}}`} {
		_, err := Rule(text)
		require.Error(t, err, text)
	}
}

func TestWhatTheRuleSaysFitsTheAskedForm(t *testing.T) {
	ask := prompt.Ask{Profile: prompt.DefaultProfile, Markets: []trade.Market{"BTC-EUR"}, MaxIdeas: 3}
	require.NoError(t, json.Unmarshal([]byte(`"10"`), &ask.MaxQuote))
	got, err := Rule(market("101", "0", "100"))
	require.NoError(t, err)
	ideas, refused, err := prompt.Parse(got, ask)
	require.NoError(t, err)
	require.Empty(t, refused)
	require.Len(t, ideas, 1)
	require.Contains(t, ideas[0].Rationale, "no language model")
}

// Each mode is what it says it is, through the real client.
func TestEachModeMisbehavesAsItIsToldAndThenNoMore(t *testing.T) {
	server := New()
	server.slow = 24 * time.Hour
	door := httptest.NewServer(server.Handler())
	t.Cleanup(door.Close)
	ask := func(within time.Duration) scan.Answer {
		client := analyst.New(analyst.Config{BaseURL: door.URL + "/v1", Timeout: within})
		defer client.Close()
		return client.Ask(context.Background(), scan.Question{Model: ModelName, MaxReply: 500, Request: prompt.Request{
			System: "s", User: market("101", "0", "100"), Schema: json.RawMessage(`{}`),
		}})
	}
	want := map[Mode]scan.Code{
		InvalidJSON: "", WrongSchema: "", Injection: "", Slow: scan.ModelUnknown, Busy: scan.ModelBusy,
		Broken: scan.ModelFailed, Huge: scan.ModelUnknown, Refusing: scan.ModelRefused, CutOff: scan.ReplyCutOff,
	}
	require.Len(t, want, len(Modes()))
	for _, mode := range Modes() {
		server.Misbehave(mode, 1)
		within := 5 * time.Minute
		if mode == Slow {
			within = 100 * time.Millisecond
		}
		answer := ask(within)
		for mode == Slow && answer.Code == scan.ModelUnreachable && within < time.Hour { // the time was over before it was asked
			within *= 2
			answer = ask(within)
		}
		require.Equal(t, want[mode], answer.Code, mode)
		if answer.Code == "" {
			_, _, err := prompt.Parse(answer.Content, prompt.Ask{Markets: []trade.Market{"BTC-EUR"}, MaxIdeas: 3})
			require.Error(t, err, mode)
		}
		require.Empty(t, ask(5*time.Minute).Code, "honest again after %s", mode)
	}
	require.Equal(t, 2*len(Modes()), server.Calls())
	counted, err := http.Get(door.URL + "/admin/calls")
	require.NoError(t, err)
	defer counted.Body.Close()
	text, err := io.ReadAll(counted.Body)
	require.NoError(t, err)
	require.JSONEq(t, fmt.Sprintf(`{"calls":%d,"models":{"%s":%[1]d}}`, 2*len(Modes()), ModelName), string(text))
}
