package workflows

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"interlock/activities/scans"
	"interlock/internal/analyst"
	"interlock/internal/budget"
	"interlock/internal/listen/listentest"
	"interlock/internal/prompt"
	"interlock/internal/scan"
	"interlock/internal/trade"
)

// hour is an hour of one job's due times on a moved clock. Workflow, activities
// and the model's client are the real ones; records and books are in memory.
type hour struct {
	scans.Records // what an outage must not reach

	job    scan.Job
	limits trade.ModelBudget
	at     time.Time
	env    *testsuite.TestWorkflowEnvironment
	used   []*use // the last one is the open one
	asked  int
	model  *analyst.Analyst
	ends   map[string]string // detail of the last run, by code
	runs   int
}

// use is a row of the books.
type use struct {
	at     time.Time
	begun  bool
	left   bool
	tokens int64
}

func newHour(t *testing.T, url string) *hour {
	t.Helper()
	unlimited := trade.CountLimit{Unlimited: true}
	h := &hour{
		job: newScene().seen.Job, at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), ends: map[string]string{},
		limits: trade.ModelBudget{CallsPerDay: unlimited, CallsPerHour: unlimited, TokensPerDay: unlimited, CostPerDay: trade.AmountLimit{Unlimited: true}},
		model:  analyst.New(analyst.Config{BaseURL: url + "/v1"}),
	}
	t.Cleanup(h.model.Close)
	return h
}

const dueEvery = 15 * time.Second

// pass lets the hour pass. A due time that comes while a scan runs is dropped,
// as the schedule does.
func (h *hour) pass(t *testing.T) {
	t.Helper()
	free := h.at
	for end := h.at.Add(time.Hour); h.at.Before(end); h.at = h.at.Add(dueEvery) {
		if h.at.Before(free) {
			continue
		}
		var suite testsuite.WorkflowTestSuite
		suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
		h.env = newEnv(&suite)
		h.env.SetStartTime(h.at)
		h.env.RegisterActivity(&scans.Activities{Exchange: calm{h}, Records: h, Books: h, Model: h})
		h.env.ExecuteWorkflow(Scan, ScanInput{JobID: h.job.ID, Account: h.job.AccountID, Revision: 1})
		require.True(t, h.env.IsWorkflowCompleted())
		require.NoError(t, h.env.GetWorkflowError(), "no outage is a failure of the workflow")
		free = h.env.Now()
		h.runs++
	}
}

func (h *hour) now() time.Time { return h.env.Now().UTC() }

// counted is what the books hold against the user.
func (h *hour) counted() (calls int, tokens int64) {
	for _, u := range h.used {
		if u.left {
			calls, tokens = calls+1, tokens+u.tokens
		}
	}
	return calls, tokens
}

func (h *hour) ScanJob(context.Context, string) (scan.Job, error) { return h.job, nil }
func (h *hour) BeginScan(context.Context, string, scan.Job) (string, scan.Code, error) {
	return "", "", nil
}

func (h *hour) PutSnapshot(_ context.Context, _ string, seen prompt.Snapshot) (string, error) {
	_, digest, err := seen.Text()
	return digest, err
}

func (h *hour) Snapshot(context.Context, string) (prompt.Snapshot, error) {
	return prompt.Snapshot{At: h.now()}, nil
}

func (h *hour) EndScan(_ context.Context, _, _, code, detail string) error {
	h.ends[code] = detail
	return nil
}

func (h *hour) ReserveCall(_ context.Context, c scan.Call) ([]budget.Exhausted, error) {
	var used budget.Usage
	for _, u := range h.used {
		if u.left && u.at.After(budget.Hour(h.now())) {
			used.CallsLastHour++
		}
	}
	no := budget.Check(h.limits, used, c.Ask)
	if len(no) == 0 {
		h.used = append(h.used, &use{at: h.now(), left: true, tokens: c.Ask.Tokens})
	}
	return no, nil
}

func (h *hour) BeginCall(context.Context, string) (bool, error) {
	u := h.used[len(h.used)-1]
	first := !u.begun
	u.begun = true
	return first, nil
}

func (h *hour) SettleCall(_ context.Context, _ scan.Call, a scan.Answer, _ decimal.Decimal) error {
	u := h.used[len(h.used)-1]
	if u.left = a.Left(); a.UsageKnown {
		u.tokens = a.InputTokens + a.OutputTokens
	}
	return nil
}

func (h *hour) Ask(ctx context.Context, q scan.Question) scan.Answer {
	h.asked++
	return h.model.Ask(ctx, q)
}

// calm is an exchange where all is well, on the moved clock.
type calm struct{ *hour }

func (c calm) Time(context.Context) (time.Time, error) { return c.now(), nil }

func (c calm) Prices(context.Context) (map[trade.Market]decimal.Decimal, error) {
	return map[trade.Market]decimal.Decimal{"BTC-EUR": decimal.NewFromInt(80_000)}, nil
}

func (c calm) Book(context.Context, trade.Market, int) (scans.Book, error) {
	one := decimal.NewFromInt(1)
	return scans.Book{Bid: one, Ask: one.Add(one), BidDepth: one, AskDepth: one}, nil
}

func (c calm) Series(_ context.Context, _ trade.Market, interval string, _ int) (prompt.Series, error) {
	return prompt.Series{Interval: interval, Candles: []prompt.Candle{{At: c.now()}}}, nil
}

func (c calm) Holdings(context.Context) ([]trade.Holding, error) { return nil, nil }

// down is a model server that answers nothing useful, and counts.
func down(t *testing.T, status int, header ...string) (url string, requests *int) {
	t.Helper()
	requests = new(int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		*requests++
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"error":{"message":"come back later"}}`)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

const dueTimes = int(time.Hour / dueEvery) // 240

func TestAnHourWithoutTheModelIsOneAttemptPerDueTimeAndCostsNothing(t *testing.T) {
	h := newHour(t, "http://"+listentest.Refusing(t))
	h.limits.CallsPerHour = trade.CountLimit{Value: 1} // it would be gone after the first
	h.pass(t)
	require.Equal(t, dueTimes, h.runs)
	require.Equal(t, dueTimes, h.asked)
	calls, tokens := h.counted()
	require.Zero(t, calls)
	require.Zero(t, tokens)
	require.Len(t, h.ends, 1)
	require.Contains(t, h.ends[string(scan.ModelUnreachable)], "connection refused", "the record says why")
}

func TestAnHourOfErrorsIsAtMostTwoRequestsPerDueTimeAllOfThemCounted(t *testing.T) {
	url, requests := down(t, http.StatusServiceUnavailable)
	h := newHour(t, url)
	h.pass(t)
	require.Equal(t, dueTimes, h.runs)
	require.Equal(t, 2*dueTimes, *requests)
	calls, _ := h.counted()
	require.Equal(t, *requests, calls)
	require.Contains(t, h.ends[string(scan.ModelFailed)], "come back later")
}

func TestABudgetEndsAnHourOfErrors(t *testing.T) {
	url, requests := down(t, http.StatusServiceUnavailable)
	h := newHour(t, url)
	h.limits.CallsPerHour = trade.CountLimit{Value: 5}
	h.pass(t)
	require.Equal(t, 5, *requests)
	require.Contains(t, h.ends, string(budget.HourlyExhausted))
}

func TestAServerThatAsksForTenMinutesIsAskedSixTimesInAnHour(t *testing.T) {
	url, requests := down(t, http.StatusTooManyRequests, "Retry-After", "600")
	h := newHour(t, url)
	h.pass(t)
	require.Equal(t, 6, *requests)
	require.Contains(t, h.ends[string(scan.ModelBusy)], "come back later")
}
