package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/waittest"
)

// shown is the part of scan show --json that the tests read.
type shown struct {
	Job struct {
		Paused bool   `json:"paused"`
		Note   string `json:"note"`
	} `json:"job"`
	Runs []struct {
		Code  string `json:"code"`
		Ideas []struct {
			Status string `json:"status"`
		} `json:"ideas"`
	} `json:"runs"`
}

func (s *stack) scan(job string) (r shown) {
	s.t.Helper()
	require.NoError(s.t, json.Unmarshal([]byte(s.must("scan", "show", job, "--runs", "100", "--json")), &r))
	return r
}

// scanned waits for the first scan of a job.
func (s *stack) scanned(job string) {
	s.t.Helper()
	waittest.Until(s.t, "one scan of "+job, func() error {
		runs := s.scan(job).Runs
		return waittest.Is(len(runs) == 1 && runs[0].Code == "SCANNED", "the scans are %+v", runs)
	})
}

func TestScansRunAndTradesFillByThemselvesAfterUp(t *testing.T) {
	t.Parallel()
	s := up(t, stateDir(t), "--demo-scan")
	waittest.Until(t, "a scan's proposal to execute", func() error {
		runs := s.scan("demo").Runs
		for _, run := range runs {
			for _, idea := range run.Ideas {
				if run.Code == "SCANNED" && idea.Status == "EXECUTED" {
					return nil
				}
			}
		}
		return fmt.Errorf("the scans are %+v", runs)
	})
	require.NotEmpty(t, ledger(t, s))

	require.Contains(t, s.must("scan", "pause", "demo", "--note", "enough"), "is paused")
	require.True(t, s.scan("demo").Job.Paused)
	require.Contains(t, s.must("scan", "resume", "demo", "--note", "again"), "goes on")
	require.False(t, s.scan("demo").Job.Paused)

	used := s.must("budget", "show", "--user", "scanner")
	require.Contains(t, used, "calls today")
	code, _, errs := s.run("budget", "clear", "--user", "scanner")
	require.Equal(t, 2, code)
	require.Contains(t, errs, "--reason")
	require.Contains(t, s.must("budget", "clear", "--user", "scanner", "--reason", "test", "--yes"), "begins anew")
	require.Contains(t, s.must("audit", "verify"), "sound")
}

func TestAJobIsAddedTriggeredAndDeleted(t *testing.T) {
	t.Parallel()
	s := up(t, stateDir(t))
	code, _, errs := s.run("scan", "add", "mine", "--user", "demo", "--markets", "BTC-EUR", "--every", "1s", "--model", "m", "--price-in", "1")
	require.Equal(t, 2, code)
	for _, says := range []string{"every: ", "--price-out: "} {
		require.Contains(t, errs, says)
	}
	s.must("scan", "add", "mine", "--user", "demo", "--markets", "BTC/EUR,ETH-EUR", "--every", "1h", "--model", "demo-momentum-rule", "--price-in", "0", "--price-out", "0")
	require.Contains(t, s.must("scan", "list"), "BTC-EUR ETH-EUR")
	require.Contains(t, s.must("scan", "trigger", "mine"), "due now")
	s.scanned("mine")
	require.Empty(t, ledger(t, s), "without autoExecute nothing trades")
	s.must("scan", "backfill", "mine", "--from", time.Now().Add(-2*time.Hour).UTC().Format(time.RFC3339), "--to", time.Now().UTC().Format(time.RFC3339))
	waittest.Until(t, "the scans that were left out", func() error {
		runs := s.scan("mine").Runs
		return waittest.Is(len(runs) >= 3, "the scans are %+v", runs)
	})
	require.Contains(t, s.must("scan", "delete", "mine", "--reason", "test", "--yes"), "is deleted")
	code, _, _ = s.run("scan", "show", "mine")
	require.Equal(t, 7, code)
	require.False(t, strings.Contains(s.must("scan", "list"), "mine"))
}

// A day of the recording passes in a second: prices are the recording's, scans
// see its candles, and orders fill at its prices.
func TestScansAndOrdersFollowRecordedCandles(t *testing.T) {
	t.Parallel()
	s := up(t, stateDir(t), "--candles", candles(t, t.TempDir()), "--speed", "86400", "--candles-from", "2024-01-03")
	s.must("scan", "add", "replay", "--user", "demo", "--markets", "BTC-EUR", "--every", "1h", "--model", "demo-momentum-rule", "--price-in", "0", "--price-out", "0")
	s.must("scan", "trigger", "replay")
	s.scanned("replay")
	s.must("propose", "--id", "first", "--market", "BTC-EUR", "--side", "buy", "--quote", "25", "--confidence", "0.9")
	require.Contains(t, s.must("execute", "first"), "(filled)")
	order := ledger(t, s)[0]
	price := order.FilledAmountQuote.Div(order.FilledAmount)
	require.True(t, price.GreaterThan(decimal.NewFromInt(39_000)) && price.LessThan(decimal.NewFromInt(41_000)), "the recording is at 40000, the order filled at %s", price)
}
