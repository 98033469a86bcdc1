package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProposalsAreReadFromLinesAndCSVAlike(t *testing.T) {
	t.Parallel()
	lines, err := parseProposals([]byte("{\"id\":\"a\",\"market\":\"BTC-EUR\"}\n\n {\"id\":\"b\"}\n"))
	require.NoError(t, err)
	require.Len(t, lines, 2)
	rows, err := parseProposals([]byte("\xef\xbb\xbfid,market,side,amount\na,BTC-EUR,buy,0.1\nb,ETH-EUR,sell,\n"))
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"a","market":"BTC-EUR","side":"buy","amount":"0.1"}`, string(rows[0].body))
	require.JSONEq(t, `{"id":"b","market":"ETH-EUR","side":"sell"}`, string(rows[1].body))
	require.Equal(t, []int{1, 3, 2, 3}, []int{lines[0].line, lines[1].line, rows[0].line, rows[1].line})
}

func TestUnreadableFileOfProposalsIsRefusedWhole(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"":                                      "holds no proposal",
		"market,side\n":                         "holds no proposal",
		"a,b\n1,2\n":                            "names no market and side",
		"market,side,market\nBTC-EUR,buy,x\n":   `header: "market" is named twice`,
		"{\"id\":\"a\"}\n{broken\n":             "line 2: \"{broken\" is no JSON object",
		"market,side\nBTC-EUR,buy,x\n":          "line 2: has 3 cells",
		"market,side\nBTC-EUR,buy\n\"x":         "line 3: ",
		"market,side\nBTC-EUR,\xff\n":           "line 2: side: is not UTF-8",
		"{}\n{\"market\":\"a\",\"market\":1}\n": "line 2: market: is given twice",
		"{\"MARKET\":\"a\"}\n[]\n{\"a\":null}":  "line 1: MARKET: is unknown; remove it | line 2: \"[]\" is no JSON object; write each proposal on a line of its own | line 3: a: is unknown",
	} {
		entries, err := parseProposals([]byte(text))
		if err == nil {
			err = checkAll(entries, time.Now())
		}
		require.ErrorContains(t, err, says, text)
	}
}

func FuzzParseProposals(f *testing.F) {
	for _, seed := range []string{"{}", "market,side\na,b\n", "{\"a\":1}\n{\"b\":", "\xef\xbb\xbf", "market,side,\"x\ny\"\n1,2,3"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		bodies, err := parseProposals(text)
		if err != nil {
			return
		}
		require.NotEmpty(t, bodies)
		for _, e := range bodies {
			if e.wrong != nil {
				continue
			}
			var object map[string]any
			require.NoError(t, json.Unmarshal(e.body, &object))
		}
	})
}

// fakeAPI answers the n-th execute with the n-th reply.
func fakeAPI(t *testing.T, replies ...string) (env map[string]string, executes *atomic.Int32) {
	t.Helper()
	executes = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path == executePath {
			status, body, _ := strings.Cut(replies[int(executes.Add(1)-1)%len(replies)], " ")
			var code int
			_, err := fmt.Sscan(status, &code)
			if err != nil {
				code = http.StatusInternalServerError
			}
			w.WriteHeader(code)
			fmt.Fprint(w, body)
			return
		}
		var p struct{ ID, Market string }
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil || p.ID == "taken" {
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, `{"status":409,"code":"PROPOSAL_CONFLICT","message":"the ID is another proposal's"}`)
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"id":%q,"market":%q,"side":"buy","amountQuote":"25","status":"PENDING","expiresAt":"2026-01-01T00:00:00Z"}`, p.ID, p.Market)
	}))
	t.Cleanup(server.Close)
	return map[string]string{"INTERLOCK_API_URL": server.URL, "INTERLOCK_TOKEN": "secret"}, executes
}

const (
	executedReply = `200 {"status":"EXECUTED","order":{"orderId":"o1","status":"filled","filledAmount":"0.1","filledAmountQuote":"25","feePaid":"0.05","feeCurrency":"EUR"}}`
	blockedReply  = `400 {"status":400,"proposalStatus":"PENDING","message":"too soon","code":"COOLDOWN_BLOCKED","blocks":[{"code":"COOLDOWN_BLOCKED","message":"too soon"},{"code":"PRICE_STALE","message":"old"}]}`
)

func TestExitCodeTellsWhatBecameOfAnExecute(t *testing.T) {
	t.Parallel()
	for reply, code := range map[string]int{
		executedReply: 0, blockedReply: exitBlocked,
		`202 {"status":"EXECUTING"}`:                     0,
		`409 {"status":409,"proposalStatus":"EXECUTED"}`: exitClosed,
		`410 {"status":410,"code":"PROPOSAL_EXPIRED"}`:   exitClosed,
		`422 {"status":422,"code":"EXCHANGE_REFUSED"}`:   exitRefused,
		`404 {"message":"no proposal"}`:                  exitUnknown,
		`503 {"message":"Temporal"}`:                     exitUnavailable,
		`500 <html>`:                                     exitFailed,
	} {
		env, _ := fakeAPI(t, reply)
		got, out, _ := run(t, env, "execute", "p1")
		require.Equal(t, code, got, reply)
		require.Contains(t, out, "outcome", reply)
	}
}

func TestExecuteShowsEveryBlock(t *testing.T) {
	t.Parallel()
	env, _ := fakeAPI(t, blockedReply)
	_, out, errs := run(t, env, "execute", "p1")
	require.Contains(t, out, "COOLDOWN_BLOCKED: too soon")
	require.Contains(t, out, "PRICE_STALE: old")
	require.Empty(t, errs)
	_, out, _ = run(t, env, "execute", "p1", "--json")
	require.JSONEq(t, strings.TrimPrefix(blockedReply, "400 "), out)
}

func TestFileOfProposalsIsCountedByOutcome(t *testing.T) {
	t.Parallel()
	env, executes := fakeAPI(t, executedReply, blockedReply, executedReply)
	file := filepath.Join(t.TempDir(), "p.jsonl")
	const rest = `"side":"buy","amountQuote":"25"}`
	require.NoError(t, os.WriteFile(file, []byte(`{"id":"a","market":"BTC-EUR",`+rest+`
{"id":"b","market":"BTC-EUR",`+rest+`

{"id":"taken","market":"BTC-EUR",`+rest+`
{"id":"d","market":"ETH-EUR",`+rest), 0o600))
	code, out, _ := run(t, env, "propose", "--file", file, "--execute", "--json")
	require.Equal(t, exitFailed, code, "one was not stored")
	require.EqualValues(t, 3, executes.Load())
	var sum tally
	require.NoError(t, json.Unmarshal([]byte(out), &sum))
	require.Equal(t, map[string]int{"EXECUTED": 2, "COOLDOWN_BLOCKED": 1, "NOT STORED": 1}, sum.Outcomes)
	require.Equal(t, 2, sum.Orders)
	require.Equal(t, "25", sum.Filled["ETH-EUR"].Quote.String())
	require.Contains(t, sum.Problems[0], "line 4: PROPOSAL_CONFLICT")

	_, out, _ = run(t, env, "propose", "--file", file, "--execute")
	require.Contains(t, out, "COOLDOWN_BLOCKED  1")
	require.Regexp(t, `BTC-EUR +1 +0.1 +25 +0.05`, out)
}

func TestEveryLineThatHoldsNoProposalIsNamedBeforeOneIsSent(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "p.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(`{"id":"a","market":"BTC-EUR","side":"buy","amount":"1"}
{"id":"b","market":"BTC-EUR","side":"buy","amount":"-1"}
{"id":"c c","market":"btc","side":"hold","amount":"NaN"}
{"id":"d","market":"BTC-EUR","side":"buy","amount":"1","leverage":"10"}
{"id":"e","market":"BTC-EUR","side":"buy","amount":1}
`), 0o600))
	code, out, errs := run(t, map[string]string{"INTERLOCK_API_URL": "http://127.0.0.1:1", "INTERLOCK_TOKEN": "secret"}, "propose", "--file", file)
	require.Equal(t, exitUsage, code)
	require.Empty(t, out)
	require.Equal(t, 1, strings.Count(errs, "\n"), "one line")
	for _, says := range []string{"nothing was stored", "line 2: ", "-1", "line 3: ", "line 4: ", "leverage", "line 5: ", "amount"} {
		require.Contains(t, errs, says)
	}
	require.NotContains(t, errs, "line 1:")
}

func TestDeadAPIEndsAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "p.csv")
	require.NoError(t, os.WriteFile(file, []byte("id,market,side,amount\na,BTC-EUR,buy,1\nb,BTC-EUR,buy,1\n"), 0o600))
	env := map[string]string{"INTERLOCK_API_URL": "http://127.0.0.1:1", "INTERLOCK_TOKEN": "secret"}
	code, _, errs := run(t, env, "propose", "--file", file)
	require.Equal(t, exitUnavailable, code)
	require.Contains(t, errs, "does not answer")
}

func TestWrongTokenIsNotAnEmptyAnswer(t *testing.T) {
	t.Parallel()
	env, _ := fakeAPI(t, executedReply)
	env["INTERLOCK_TOKEN"] = "wrong"
	code, _, errs := run(t, env, "propose", "--market", "BTC-EUR", "--side", "buy", "--quote", "25")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "401")
}

func TestOneProposalIsStoredAndExecuted(t *testing.T) {
	t.Parallel()
	env, executes := fakeAPI(t, executedReply)
	code, out, _ := run(t, env, "propose", "--id", "p1", "--market", "BTC-EUR", "--side", "buy", "--quote", "25")
	require.Zero(t, code)
	require.Contains(t, out, "buy 25 EUR of BTC-EUR")
	require.Zero(t, executes.Load())
	code, out, _ = run(t, env, "propose", "--id", "p1", "--market", "BTC-EUR", "--side", "buy", "--quote", "25", "--execute")
	require.Zero(t, code)
	require.Contains(t, out, "0.1 for 25, fee 0.05 EUR (filled)")
}
