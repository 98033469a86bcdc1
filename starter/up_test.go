package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/devstack"
)

// programs are starter and worker, built side by side once: the way they are
// installed.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "interlock-programs-")
	if err != nil {
		return "", err
	}
	for name, pkg := range map[string]string{"starter": ".", "interlock-worker": "../worker"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w: %s", name, err, out)
		}
	}
	return filepath.Join(dir, "starter"), nil
})

// house is a state folder and whoever runs a stack on it.
type house struct {
	t       *testing.T
	starter string
	state   string
	up      *exec.Cmd
	out     *lines
}

func newHouse(t *testing.T) *house {
	t.Helper()
	starter, err := programs()
	require.NoError(t, err)
	state, err := devstack.TempStateDir()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(state)) })
	return &house{t: t, starter: starter, state: state}
}

// lines collects output that is read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// bringUp starts the stack and returns when it says that it is ready.
func (h *house) bringUp(args ...string) {
	h.t.Helper()
	h.out = &lines{}
	h.up = exec.Command(h.starter, append([]string{"up", "--state", h.state, "--api-port", "0", "--temporal-port", "0", "--ui-port", "0", "--exchange-port", "0"}, args...)...)
	h.up.Stdout, h.up.Stderr = h.out, h.out
	h.up.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(h.t, h.up.Start())
	h.t.Cleanup(func() { _ = h.up.Process.Signal(syscall.SIGINT); _, _ = h.up.Process.Wait() })
	require.Eventually(h.t, func() bool { return strings.Contains(h.out.String(), "Ctrl-C stops everything") }, 3*time.Minute, 100*time.Millisecond,
		"the stack becomes ready")
}

// end stops the stack with a signal, and returns when its process is gone.
func (h *house) end(sig syscall.Signal) *os.ProcessState {
	h.t.Helper()
	require.NoError(h.t, h.up.Process.Signal(sig))
	state, err := h.up.Process.Wait()
	require.NoError(h.t, err)
	return state
}

// living lists the processes whose command line names the state folder.
func (h *house) living() []string {
	h.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(h.t, err)
	require.NotEmpty(h.t, files, "no /proc to look at")
	var rest []string
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte(h.state)) {
			rest = append(rest, string(bytes.ReplaceAll(text, []byte{0}, []byte{' '})))
		}
	}
	return rest
}

// run runs a command against the stack and returns its exit code.
func (h *house) run(args ...string) (code int, stdout, stderr string) {
	h.t.Helper()
	var out, errs bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.starter, append([]string{"--state", h.state}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

var exchangeURL = regexp.MustCompile(`exchange\s+(http://\S+)/v2`)

// ledger is the exchange's own list of every order there ever was.
func (h *house) ledger() []ledgerOrder {
	h.t.Helper()
	found := exchangeURL.FindStringSubmatch(h.out.String())
	require.NotNil(h.t, found)
	reply, err := http.Get(found[1] + "/admin/orders")
	require.NoError(h.t, err)
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	require.NoError(h.t, err)
	var bare []ledgerOrder
	if json.Unmarshal(text, &bare) == nil {
		return bare
	}
	var wrapped struct{ Orders []ledgerOrder }
	require.NoError(h.t, json.Unmarshal(text, &wrapped))
	return wrapped.Orders
}

type ledgerOrder struct {
	FilledAmount, FilledAmountQuote, FeePaid decimal.Decimal
}

func TestStackSurvivesRestartsAndLeavesNoOrphan(t *testing.T) {
	h := newHouse(t)
	h.bringUp()
	code, out, _ := h.run("propose", "--id", "first", "--market", "BTC-EUR", "--side", "buy", "--quote", "25", "--confidence", "0.9", "--execute")
	require.Zero(t, code, out)
	require.Len(t, h.ledger(), 1)

	code, _, says := h.run("up")
	require.Equal(t, 1, code)
	require.Contains(t, says, "already running")
	require.Equal(t, 1, strings.Count(strings.TrimSpace(says), "\n")+1, "one line, not a stack trace")

	require.Zero(t, h.end(syscall.SIGINT).ExitCode())
	require.Empty(t, h.living(), "Ctrl-C leaves no orphan")

	h.bringUp()
	code, _, _ = h.run("execute", "first")
	require.Equal(t, 5, code, "executed before the restart, and for ever")
	require.Len(t, h.ledger(), 1)

	h.end(syscall.SIGKILL)
	require.Eventually(t, func() bool { return len(h.living()) == 0 }, 30*time.Second, 50*time.Millisecond, "a killed stack leaves no orphan")
	h.bringUp()
	code, out, _ = h.run("propose", "--id", "second", "--market", "ETH-EUR", "--side", "buy", "--quote", "25", "--confidence", "0.9", "--execute")
	require.Zero(t, code, out)
	require.Len(t, h.ledger(), 2)
	code, out, _ = h.run("audit", "verify")
	require.Zero(t, code, out)
}

// recording is a year of candles around the given price, as the recorded ones
// are written; those are used when they are there.
func recording(t *testing.T) string {
	t.Helper()
	if path, err := filepath.Abs("../../shared/data/btc-1d-2020-2025.csv"); err == nil {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	var text strings.Builder
	text.WriteString("timestamp_ms,open,high,low,close,volume\n")
	for day, price := 0, 42000; day < 365; day++ {
		next := price + (day*7919)%900 - 440
		at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, day).UnixMilli()
		fmt.Fprintf(&text, "%d,%d,%d,%d,%d,100\n", at, price, max(price, next)+200, min(price, next)-200, next)
		price = next
	}
	path := filepath.Join(t.TempDir(), "candles.csv")
	require.NoError(t, os.WriteFile(path, []byte(text.String()), 0o644))
	return path
}

// fileReport is what propose --file --json prints.
type fileReport struct {
	Outcomes map[string]int `json:"outcomes"`
	Filled   map[string]struct {
		Orders int             `json:"orders"`
		Amount decimal.Decimal `json:"amount"`
		Fee    decimal.Decimal `json:"fee"`
	} `json:"filled"` // by market
}

func TestFiveHundredProposalsAgainstReplayedCandlesEqualTheExchangesLedger(t *testing.T) {
	h := newHouse(t)
	h.bringUp("--exchange-csv", recording(t), "--exchange-csv-from", "2024-01-10", "--speed", "3600")
	code, _, says := h.run("policy", "set", "testdata/wide-policy.json")
	require.Zero(t, code, says)

	file := filepath.Join(t.TempDir(), "proposals.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(fiveHundred()), 0o644))
	code, out, says := h.run("propose", "--file", file, "--execute", "--json")
	require.Contains(t, []int{0, 3}, code, says)
	var report fileReport
	require.NoError(t, json.Unmarshal([]byte(out), &report), out)

	total := 0
	for _, n := range report.Outcomes {
		total += n
	}
	require.Equal(t, 500, total, out)
	for _, code := range []string{"EXECUTED", "CONFIDENCE_TOO_LOW", "MARKET_NOT_ALLOWED", "ORDER_TOO_LARGE", "ORDER_TOO_SMALL"} {
		require.Positive(t, report.Outcomes[code], code)
	}
	requireSameSums(t, report, h.ledger())
}

// fiveHundred is a mix of which most may trade and every kind of block occurs.
func fiveHundred() string {
	var text strings.Builder
	for i := range 500 {
		market, side, amount := "BTC/EUR", "buy", decimal.New(int64(1000+(i*613)%3000), -6)
		switch {
		case i%10 == 9:
			market = "ETH-EUR"
		case i%17 == 16:
			amount = decimal.RequireFromString("0.02")
		case i%23 == 22:
			amount = decimal.RequireFromString("0.00001")
		}
		if i%2 == 1 {
			side = "sell"
		}
		confidence := decimal.New(int64(40+(i*37)%60), -2)
		fmt.Fprintf(&text, `{"id":"r%d","market":%q,"side":%q,"amount":%q,"confidence":%q}`+"\n", i, market, side, amount, confidence)
	}
	return text.String()
}

func requireSameSums(t *testing.T, report fileReport, ledger []ledgerOrder) {
	t.Helper()
	var amount, fee, oursAmount, oursFee decimal.Decimal
	for _, o := range ledger {
		amount, fee = amount.Add(o.FilledAmount), fee.Add(o.FeePaid)
	}
	orders := 0
	for _, m := range report.Filled {
		orders += m.Orders
		oursAmount, oursFee = oursAmount.Add(m.Amount), oursFee.Add(m.Fee)
	}
	require.Equal(t, len(ledger), orders)
	require.Equal(t, len(ledger), report.Outcomes["EXECUTED"])
	require.True(t, amount.Equal(oursAmount), "%s filled at the exchange, %s by our records", amount, oursAmount)
	require.True(t, fee.Equal(oursFee), "%s paid at the exchange, %s by our records", fee, oursFee)
}
