package verify

import (
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The checker must not share the bugs it looks for: it may import the driver
// of the database, exact decimals, and the standard library.
func TestCheckerImportsNothingOfThisModule(t *testing.T) {
	allowed := map[string]bool{"github.com/jackc/pgx/v5": true, "github.com/shopspring/decimal": true}
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	parsed := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed++
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			first, _, _ := strings.Cut(path, "/")
			standard := !strings.Contains(first, ".") && first != "interlock"
			require.True(t, standard || allowed[path], "%s imports %s", name, path)
		}
	}
	require.Greater(t, parsed, 5)
}

func TestRestoredRunIsHeldToWhatItLists(t *testing.T) {
	unlisted := honest(t)
	unlisted.Options.Restored = true
	key := unlisted.ghost("p-buy", "0d6a3f6e-0000-4000-8000-000000000001", "canceled").Key()
	require.Equal(t, []string{OrderKnown}, rulesOf(unlisted.check()), "nobody told of it")

	listed := unlisted
	listed.Records.Differences = append(listed.Records.Differences, DifferenceRow{"paper", key.Market, key.OrderID, "unknown_order"})
	require.Empty(t, listed.check())
	listed.Options.Restored = false
	require.Equal(t, []string{OrderKnown}, rulesOf(listed.check()), "without a restore a list excuses nothing")
}

func TestRestoredRunIsStillHeldToOneOrder(t *testing.T) {
	p := honest(t)
	p.Options.Restored = true
	o := p.ghost("p-buy", p.order("p-buy").ClientOrderID, "canceled")
	p.Records.Differences = append(p.Records.Differences, DifferenceRow{"paper", o.Market, o.OrderID, "amounts_differ"})
	require.Equal(t, []string{OneOrder}, rulesOf(p.check()))
}

// After a restart the database may be a copy that lacks an attempt. What then
// stands for it was begun by no worker, and late.
func TestAttemptOfALostFutureNeedsNoWorker(t *testing.T) {
	p := honest(t)
	p.forget(kindBegun, "p-doubt")
	p.forget(kindReplied, "p-doubt")
	require.Equal(t, []string{AuditAttempts}, rulesOf(p.check()))
	a := p.attempt("p-doubt", 1)
	a.BegunBy, a.BegunAt = lostBy, a.BegunAt.Add(time.Hour)
	require.Empty(t, p.check())
}

func TestEarlierLifeOfTheDatabaseMayHaveSentUntilThisOneBegan(t *testing.T) {
	p := honest(t)
	p.Records.Now = p.Records.Now.Add(10 * time.Minute)
	p.Records.Life = p.Records.Now
	require.Empty(t, p.check())
	p.Records.Now = p.Records.Now.Add(accessWindow + clockSkew + 5*time.Second)
	require.Equal(t, []string{AnswerTaken}, rulesOf(p.check()))
}

func TestGraceExtendsWhatTheExchangeMayBeSilentFor(t *testing.T) {
	p := honest(t)
	p.Records.Now = p.Records.Now.Add(10 * time.Minute)
	require.Equal(t, []string{AnswerTaken}, rulesOf(p.check()))
	p.Options.Grace = time.Hour
	require.Empty(t, p.check())
}

// ETH: 0.0432 held and 30.6 on order, which is 160 at the price of the claim.
func TestExposureAllowsForThePriceToHaveDrifted(t *testing.T) {
	p := honest(t)
	p.policy("exposureMarket", `"150"`)
	require.Equal(t, []string{LimitExposure}, rulesOf(p.check()))
	p.Options.Drift = dec("0.2")
	require.Empty(t, p.check())
}

func TestOneExecutionOfTheLimitIsAllowed(t *testing.T) {
	for field, most := range map[string]int{"tradesPerHour": 0, "tradesPerDay": 0} {
		for n := 1; n < 20 && most == 0; n++ {
			p := honest(t)
			p.policy(field, strconv.Itoa(n))
			if len(p.check()) == 0 {
				most = n
			}
		}
		// anna: p-buy, p-sell, p-quote, p-allowed, p-twice, p-rest, and before
		// them all nothing of others that counted within the hour.
		require.Equal(t, 6, most, field)
	}
}

func TestMissingFieldOfTheLedgerIsAnError(t *testing.T) {
	order := `{"account":"a","orderId":"1","market":"BTC-EUR","side":"buy","orderType":"market","status":"filled","created":1,"updated":1,
		"amount":"1","onHold":"0","onHoldCurrency":"EUR","filledAmount":"1","filledAmountQuote":"1","feePaid":"0","feeCurrency":"EUR",
		"fills":[{"id":"f","timestamp":1,"amount":"1","price":"1","taker":true,"fee":"0","feeCurrency":"EUR","settled":true}]}`
	sums := `{"accounts":{"a":{"EUR":{"available":"1","inOrder":"0"}}},"house":{},"fees":{}}`
	_, err := readLedger([]byte("["+order+"]"), []byte(sums))
	require.NoError(t, err)
	optional := map[string]bool{}
	for _, field := range []string{"account", "orderId", "market", "side", "orderType", "status", "created", "updated", "amount", "onHold",
		"onHoldCurrency", "filledAmount", "filledAmountQuote", "feePaid", "feeCurrency", "fills", "id", "timestamp", "price", "taker", "fee", "settled"} {
		require.False(t, optional[field])
		spoilt := strings.ReplaceAll(order, `"`+field+`":`, `"not`+field+`":`)
		require.NotEqual(t, order, spoilt, field)
		_, err := readLedger([]byte("["+spoilt+"]"), []byte(sums))
		require.Error(t, err, field)
	}
	for _, field := range []string{"accounts", "house", "fees", "available", "inOrder"} {
		_, err := readLedger([]byte("["+order+"]"), []byte(strings.Replace(sums, field, "not"+field, 1)))
		require.ErrorContains(t, err, "missing", field)
	}
	for _, broken := range []string{`{`, `[{}]`, `{"orders":[]}`, `[1]`} {
		_, err := readLedger([]byte(broken), []byte(sums))
		require.Error(t, err, broken)
		_, err = readLedger([]byte("[]"), []byte(broken[:1]))
		require.Error(t, err, broken)
	}
}

func TestLedgerThatCannotBeReadIsAnError(t *testing.T) {
	n := 0
	for name, serve := range map[string]http.HandlerFunc{
		"no such page": http.NotFound,
		"moves on":     func(w http.ResponseWriter, _ *http.Request) { n++; _, _ = w.Write([]byte(`[` + strconv.Itoa(n) + `]`)) },
	} {
		server := httptest.NewServer(serve)
		_, err := ReadLedger(ctx, server.URL)
		require.Error(t, err, name)
		server.Close()
	}
	_, err := ReadLedger(ctx, "http://127.0.0.1:1/admin")
	require.Error(t, err)
	_, err = ReadRecords(ctx, "postgres://nobody@127.0.0.1:1/none")
	require.Error(t, err)
}
