package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/waittest"
)

func TestFirstCommandsWorkAndSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	s := up(t, dir)

	code, _, errs := s.run("up")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "already running")
	require.Contains(t, errs, s.urls()["api"])

	s.must("propose", "--id", "first", "--market", "BTC-EUR", "--side", "buy", "--quote", "25", "--confidence", "0.9")
	require.Contains(t, s.must("execute", "first"), "(filled)")
	code, out, _ := s.run("execute", "first")
	require.Equal(t, 5, code, out)
	require.Contains(t, s.must("status", "first"), "accepted")
	require.Contains(t, s.must("audit", "verify"), "sound")

	exchange := s.urls()["exchange"]
	require.NoError(t, s.stop(syscall.SIGINT))
	require.Empty(t, left(t, dir), "no process outlives its stack")
	code, _, errs = s.run("status")
	require.Equal(t, 4, code)
	require.Contains(t, errs, "no stack is running")

	again := up(t, dir)
	require.Equal(t, exchange, again.urls()["exchange"], "the account's row names it")
	code, out, _ = again.run("execute", "first")
	require.Equal(t, 5, code, out)
	require.Len(t, ledger(t, again), 1)
	require.NoError(t, again.stop(syscall.SIGTERM))
	require.Empty(t, left(t, dir))
}

func TestHaltNeedsNeitherTemporalNorAPI(t *testing.T) {
	t.Parallel()
	s := up(t, stateDir(t))
	s.must("propose", "--id", "p", "--market", "ETH-EUR", "--side", "buy", "--quote", "25", "--confidence", "0.9")
	require.Contains(t, s.must("halt", "--reason", "test"), "HALTED")
	code, out, _ := s.run("execute", "p")
	require.Equal(t, 3, code)
	require.Contains(t, out, "TRADING_HALTED")
	require.Contains(t, s.must("status"), "is HALTED")

	// What is frozen answers nobody, and a halt does not ask it.
	pid, err := strconv.Atoi(s.urls()["pid-api"])
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	require.Contains(t, s.must("resume", "--reason", "test", "--yes"), "ACTIVE")
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	require.Contains(t, s.must("execute", "p"), "(filled)")
	require.Empty(t, ledgerOf(t, s, "BTC-EUR"))
	require.Len(t, ledgerOf(t, s, "ETH-EUR"), 1)
}

func TestKilledChildrenComeBack(t *testing.T) {
	t.Parallel()
	s := up(t, stateDir(t))
	for _, name := range []string{"exchange", "api", "worker-proposals"} {
		before := s.urls()["pid-"+name]
		pid, err := strconv.Atoi(before)
		require.NoError(t, err)
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		waittest.Until(t, "another process of "+name, func() error {
			return waittest.Is(s.urls()["pid-"+name] != before, "it is still %s", before)
		})
	}
	s.becomes("p executed", func(code int) bool { return code == 0 || code == 5 },
		"propose", "--id", "p", "--market", "BTC-EUR", "--side", "buy", "--quote", "25", "--confidence", "0.9", "--execute")
	require.Len(t, ledger(t, s), 1)
}

func TestFiguresOfFiveHundredProposalsEqualTheExchangesLedger(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	s := up(t, stateDir(t), "--candles", candles(t, work), "--speed", "3600", "--candles-from", "2024-01-03")
	s.must("policy", "set", write(t, work, "policy.json", manyTradesPolicy))
	s.must("policy", "set", write(t, work, "shown.json", s.must("policy", "show")))
	var proposals strings.Builder
	for i := range 500 {
		market, confidence := []string{"BTC-EUR", "ETH-EUR", "SOL-EUR"}[i%3], "0.9"
		if i%10 == 0 {
			confidence = "0.1"
		}
		fmt.Fprintf(&proposals, `{"id":"p%d","market":"%s","side":"%s","amountQuote":"20","confidence":"%s"}`+"\n",
			i, market, []string{"buy", "sell"}[i%2], confidence)
	}
	out := s.must("propose", "--json", "--execute", "--parallel", "4", "--file", write(t, work, "p.jsonl", proposals.String()))
	sum := decode[struct {
		Total    int
		Outcomes map[string]int
		Orders   int
		Filled   map[string]struct {
			Orders      int
			Amount      decimal.Decimal
			AmountQuote decimal.Decimal
			Fee         decimal.Decimal
		}
	}](t, out)
	require.Equal(t, 500, sum.Total)
	// Every tenth is too unsure, and the markets that are not allowed stay out.
	require.Equal(t, map[string]int{"EXECUTED": 300, "CONFIDENCE_TOO_LOW": 34, "MARKET_NOT_ALLOWED": 166}, sum.Outcomes)
	require.Equal(t, 300, sum.Orders)
	for _, market := range []string{"BTC-EUR", "ETH-EUR"} {
		orders := ledgerOf(t, s, market)
		require.Len(t, orders, sum.Filled[market].Orders)
		var base, quote, fee decimal.Decimal
		for _, o := range orders {
			base, quote, fee = base.Add(o.FilledAmount), quote.Add(o.FilledAmountQuote), fee.Add(o.FeePaid)
		}
		require.Equal(t, base.String(), sum.Filled[market].Amount.String(), market)
		require.Equal(t, quote.String(), sum.Filled[market].AmountQuote.String(), market)
		require.Equal(t, fee.String(), sum.Filled[market].Fee.String(), market)
	}
	require.Len(t, ledger(t, s), 300)
}

const manyTradesPolicy = `{
	"timeZone": "UTC", "allowlist": ["BTC-EUR", "ETH-EUR"], "minConfidence": "0.5", "cooldown": "0s", "antiFlip": "0s",
	"tradesPerDay": "unlimited", "tradesPerHour": "unlimited", "maxOrderQuote": "100.00", "maxOrderBase": "unlimited",
	"exposureMarket": "unlimited", "exposureAccount": "unlimited", "priceCollar": "0.2", "priceMaxAge": "1m",
	"reconcileMaxAge": "10m", "limitOrderTTL": "10m", "repeatThrottle": "unlimited", "autoExecute": false,
	"modelBudget": {"callsPerDay": "unlimited", "callsPerHour": "unlimited", "tokensPerDay": "unlimited", "costPerDay": "unlimited"}}`

// candles are a quiet month, a row each hour.
func candles(t *testing.T, dir string) string {
	t.Helper()
	rows := strings.Builder{}
	rows.WriteString("timestamp_ms,open,high,low,close,volume\n")
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 24 * 30 {
		price := 40_000 + 10*(i%7)
		fmt.Fprintf(&rows, "%d,%d,%d,%d,%d,12.5\n", at.Add(time.Duration(i)*time.Hour).UnixMilli(), price, price+40, price-40, price+10)
	}
	return write(t, dir, "candles.csv", rows.String())
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

type ledgerOrder struct {
	Market            string
	FilledAmount      decimal.Decimal
	FilledAmountQuote decimal.Decimal
	FeePaid           decimal.Decimal
}

// ledger lists every order that the exchange took.
func ledger(t *testing.T, s *stack) []ledgerOrder {
	t.Helper()
	reply, err := http.Get(s.urls()["exchange-admin"] + "/orders")
	require.NoError(t, err)
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	var orders []ledgerOrder
	require.NoError(t, json.Unmarshal(text, &orders))
	return orders
}

func ledgerOf(t *testing.T, s *stack, market string) []ledgerOrder {
	t.Helper()
	var of []ledgerOrder
	for _, o := range ledger(t, s) {
		if o.Market == market {
			of = append(of, o)
		}
	}
	return of
}
