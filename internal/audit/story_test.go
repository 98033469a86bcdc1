package audit

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/prompt"
)

func TestEveryKindOfRowThatAProposalHasIsToldInASentence(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../postgres/*.go")
	require.NoError(t, err)
	kinds := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range regexp.MustCompile(`"((?:proposal|preflight|override|attempt|execution|order)\.[a-z]+)"`).FindAllSubmatch(text, -1) {
			kinds[string(match[1])] = true
		}
	}
	require.GreaterOrEqual(t, len(kinds), 16)
	for kind := range kinds {
		require.Contains(t, sentences, kind)
	}
}

func TestSentencesSayWhoWhatAndWhy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, actor, body, want string }{
		{"proposal.stored", "anna", `{"id":"p","userId":"anna","accountId":"main","market":"BTC-EUR","side":"buy","orderType":"market","amountQuote":"25","confidence":"0.9","rationale":"it \"goes\" up","expiresAt":"2026-01-02T03:04:05Z"}`,
			`anna stored the proposal: buy BTC for 25 EUR at the market, for anna on account main, confidence 0.9; it may be executed until 2026-01-02 03:04:05 UTC. Why: "it \"goes\" up".`},
		{"proposal.stored", "", `{"userId":"anna","accountId":"main","market":"ETH-EUR","side":"sell","orderType":"limit","amount":"0.5","price":"2000","expiresAt":"2026-01-02T03:04:05Z"}`,
			`the system stored the proposal: sell 0.5 ETH at 2000 EUR or better, for anna on account main; it may be executed until 2026-01-02 03:04:05 UTC.`},
		{"proposal.expired", "", `{"status":"EXPIRED","reason":""}`, `Its time was over: EXPIRED.`},
		{"proposal.cancel", "anna", `{"status":"CANCELLED","reason":"changed my mind"}`, `anna gave it up, because "changed my mind": CANCELLED.`},
		{"proposal.cancel", "anna", `{"status":"EXECUTING","reason":"fear"}`, `anna gave it up, because "fear". It was EXECUTING already: no further attempt begins, an open order is cancelled.`},
		{"preflight.blocked", "anna", `{"request":{"id":"r1","via":"update","reason":"news"},"verdict":{"checks":[{"code":"COOLDOWN_BLOCKED","passed":false,"message":"a trade 3m ago"},{"code":"PRICE_STALE","passed":true},{"code":"ANTI_FLIP_BLOCKED","message":"sold 3m ago"}]}}`,
			`anna asked to execute it (update, request r1) and gave as reason "news". It was blocked by COOLDOWN_BLOCKED (a trade 3m ago), ANTI_FLIP_BLOCKED (sold 3m ago).`},
		{"preflight.claimed", "bert", `{"request":{"id":"r1","via":"signal"},"verdict":{"policyVersion":3,"checks":[{"code":"COOLDOWN_BLOCKED","passed":true,"overriddenBy":["ov-1"]}]},"claim":{"clientOrderId":"15634304-3393-54d3-a48b-77c190bfaf52","plan":{"market":"BTC-EUR","side":"buy","orderType":"limit","timeInForce":"IOC","amount":"0.001","price":"81600","referencePrice":"80000","lowestPrice":"78400","highestPrice":"81600","worstQuote":"81.6","timeToLive":"15m0s","priceMaxAge":"1m0s"}}}`,
			`bert asked to execute it (signal, request r1). It passed 1 check under policy version 3, COOLDOWN_BLOCKED lifted by override ov-1, and it was claimed: a limit order to buy 0.001 BTC at 81600 EUR or better, at once or not at all (market price 80000, collar 78400 to 81600), client order ID 15634304-3393-54d3-a48b-77c190bfaf52.`},
		{"override.stored", "bert", `{"override":{"cooldown":true,"antiFlip":true,"verified":false,"reason":"news"},"via":"signal"}`,
			`bert (unverified, by signal) permitted one execution in spite of cooldown and anti-flip, because "news".`},
		{"override.refused", "bert", `{"override":{"verified":true},"via":"update","problem":"an override needs a reason"}`,
			`bert (verified, by update) asked to lift nothing, which was refused: an override needs a reason.`},
		{"override.confirmed", "carla", `{"override":{"id":"o1","actor":"bert"},"via":"api","reason":"I agree"}`,
			`carla (verified) stands behind override o1 of bert too, because "I agree".`},
		{"attempt.replied", "", `{"number":1,"placing":{"reply":"accepted","order":{"orderId":"o-1","status":"new"}}}`, `Attempt 1 was accepted as order o-1 (new).`},
		{"attempt.replied", "", `{"number":1,"placing":{"reply":"refused","code":"216","message":"no money"}}`, `The exchange refused attempt 1: 216 no money.`},
		{"attempt.replied", "", `{"number":2,"placing":{"reply":"unknown"}}`, `What became of attempt 2 is unknown: nothing was said.`},
		{"order.looked", "", `{"number":1,"look":{"sighting":"not_there","exchangeTime":"2026-01-02T03:04:05Z"}}`, `A look at 2026-01-02 03:04:05 UTC on the exchange's clock found no order.`},
		{"order.looked", "", `{"number":1,"look":{"sighting":"inconclusive","detail":"502"}}`, `A look at an unknown time of the exchange proved nothing: 502.`},
		{"halt.order", "", `{"cancelOpen":1,"order":{"market":"BTC-EUR","orderId":"o1","result":"cancelled","status":"canceled","filledAmount":"0.0005"}}`, `A halt cancelled order o1, with 0.0005 BTC filled.`},
		{"halt.order", "", `{"cancelOpen":1,"order":{"market":"BTC-EUR","orderId":"o1","result":"over","status":"filled","filledAmount":"0.001"}}`, `A halt found order o1 filled already, with 0.001 BTC filled.`},
		{"halt.order", "", `{"cancelOpen":1,"order":{"market":"BTC-EUR","orderId":"o1","result":"foreign","status":"new","filledAmount":"0"}}`, `A halt left order o1 of another program open.`},
		{"attempt.concluded", "", `{"number":1,"finding":{"concluded":true,"verdict":"void"}}`, `Attempt 1 is concluded: it never began, and never can.`},
		{"execution.resolve", "carla", `{"order":null,"reason":"support says so","problem":""}`, `carla said that there is no order, because "support says so". It was taken.`},
		{"execution.recorded", "", `{"order":{"orderId":"o-1","market":"BTC-EUR","side":"sell","status":"filled","filledAmount":"0.001","filledAmountQuote":"80","feePaid":"0.2","feeCurrency":"EUR","fills":[{},{}]}}`,
			`Order o-1 ended filled: sold 0.001 BTC for 80 EUR in 2 fills, fee 0.2 EUR. EXECUTED.`},
		{"execution.failed", "", `{"failure":{"code":"EXCHANGE_REFUSED","exchangeCode":"216","message":"no money"},"status":"FAILED"}`, `It failed with EXCHANGE_REFUSED (216 no money): FAILED.`},
		{"made.up", "x", `{"a":1}`, `made.up by x: {"a":1}`},
		{"execution.failed", "", `[]`, `execution.failed by the system: []`},
	} {
		require.Equal(t, c.want, Tell(Event{Kind: c.kind, Actor: c.actor, Body: json.RawMessage(c.body)}))
	}
}

func TestTheStoryOfAScansProposalBeginsWithWhatTheModelSaw(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	one := decimal.NewFromInt(1)
	o := Origin{
		Job: "demo", Run: "scan-demo-1", Digest: "0123456789abcdef", Number: 2, Idea: `{"market":"BTC-EUR"}`, StoredAt: at.Add(time.Minute),
		Seen: prompt.Snapshot{At: at, Markets: []prompt.MarketView{{Market: "BTC-EUR", Last: one, Bid: one, Ask: one, Short: prompt.Series{Interval: "5m"}, Long: prompt.Series{Interval: "1h"}}}},
		Calls: []Call{
			{Model: "m", State: "released", Detail: "MODEL_UNREACHABLE", At: at},
			{Model: "m", State: "settled", Tokens: 10, Cost: one, Success: true, At: at},
		},
	}
	lines := Story(&o, []Event{{At: at.Add(time.Hour), Kind: "proposal.expired", Body: json.RawMessage(`{}`)}})
	var texts []string
	for _, l := range lines {
		texts = append(texts, l.Text)
	}
	require.Equal(t, []string{
		"Scan scan-demo-1 of job demo looked at 1 market (snapshot 0123456789ab).",
		"It saw BTC-EUR at 1, bid 1, ask 1, 0 held; 0 candles of 5m and 0 candles of 1h.",
		"Model m was to be asked, and nothing left: MODEL_UNREACHABLE.",
		"Model m answered, for 10 tokens and 1 euro.",
		`Idea 2 of the answer became this proposal. The model wrote: {"market":"BTC-EUR"}`,
		"Its time was over: EXPIRED.",
	}, texts)
}

func FuzzTellNeverPanics(f *testing.F) {
	for kind := range sentences {
		f.Add(kind, "anna", `{"verdict":{"checks":[{}]},"claim":{"plan":{}},"number":1}`)
	}
	f.Fuzz(func(t *testing.T, kind, actor, body string) {
		require.NotEmpty(t, Tell(Event{Kind: kind, Actor: actor, Body: json.RawMessage(body)}))
	})
}
