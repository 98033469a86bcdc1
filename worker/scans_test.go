package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/config"
	"interlock/internal/demoanalyst"
	"interlock/internal/listen/listentest"
	"interlock/internal/scan"
	"interlock/internal/schedules"
	"interlock/internal/trade"
)

// scanStack is a stack whose scans ask a demo analyst of the test's own.
type scanStack struct {
	*stack

	analyst *demoanalyst.Server
	door    *httptest.Server
	crowd   *crowd
}

func newScanStack(t *testing.T, workers int, change ...func(*trade.Policy)) scanStack {
	t.Helper()
	s := scanStack{stack: newStack(t, 1, change...), analyst: demoanalyst.New()}
	s.crowd = &crowd{next: s.analyst.Handler()}
	s.door = httptest.NewServer(s.crowd)
	t.Cleanup(func() { s.door.CloseClientConnections(); s.door.Close() })
	s.model = s.door.URL + "/v1"
	s.kill("scans")
	for i := range workers {
		s.start(fmt.Sprintf("scans-%d", i), "scans")
	}
	return s
}

// job adds a scan job and schedules it.
func (s scanStack) job(id string, every time.Duration) scan.Job {
	s.t.Helper()
	j := scan.Job{ID: id, UserID: "anna", AccountID: account, Revision: 1, Spec: scan.Defaults()}
	j.Markets, j.Every, j.Model = []trade.Market{"BTC-EUR"}, trade.Duration(every), demoanalyst.ModelName
	j.MaxQuote = decimal.NewFromInt(10)
	require.NoError(s.t, s.owner.AddScanJob(ctx, j, "test"))
	_, err := schedules.Put(ctx, s.temporal, j)
	require.NoError(s.t, err)
	return j
}

func (s scanStack) ended(code scan.Code) int {
	s.t.Helper()
	return s.count(`SELECT count(*) FROM interlock.scan_runs WHERE code = $1`, string(code))
}

func (s scanStack) trigger(j scan.Job) {
	s.t.Helper()
	require.NoError(s.t, schedules.Trigger(ctx, s.temporal, j.ID))
}

// counted is how many calls the budget has counted.
func (s scanStack) counted() int {
	s.t.Helper()
	return s.count(`SELECT count(*) FROM interlock.gpt_usage_log WHERE state <> 'released'`)
}

// crowd counts who is at the model's door at once. While it gathers, nobody is
// let in before so many have come, and for a moment longer, in which one too
// many would be seen.
type crowd struct {
	next http.Handler

	mu                  sync.Mutex
	gather, inside, top int
	full                chan struct{}
}

func (c *crowd) gatherAll(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gather, c.full = n, make(chan struct{})
}

// most is how many were ever inside at once.
func (c *crowd) most() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.top
}

func (c *crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.inside++
	c.top = max(c.top, c.inside)
	if c.gather > 0 && c.inside == c.gather {
		time.AfterFunc(2*time.Second, sync.OnceFunc(func() { close(c.full) }))
		c.gather = 0
	}
	full := c.full
	c.mu.Unlock()
	if full != nil {
		<-full
	}
	c.next.ServeHTTP(w, r)
	c.mu.Lock()
	c.inside--
	c.mu.Unlock()
}

func TestAWorkerScansFiveAtOnceAndNoMore(t *testing.T) {
	t.Parallel()
	s := newScanStack(t, 1)
	s.crowd.gatherAll(config.DefaultScansAtOnce)
	const jobs = 8
	for i := range jobs {
		s.trigger(s.job(fmt.Sprintf("job-%d", i), time.Hour))
	}
	s.eventually("every job scanned", func() bool { return s.ended(scan.Scanned) >= jobs })
	require.Equal(t, config.DefaultScansAtOnce, s.crowd.most())
}

// sure lets the rule's least confidence pass.
func sure(p *trade.Policy) { p.MinConfidence = trade.Fraction{Decimal: dec("0.5")} }

func TestAScanTradesThroughTheWholePathByItself(t *testing.T) {
	t.Parallel()
	s := newScanStack(t, 1, sure, func(p *trade.Policy) { p.AutoExecute = true })
	// The rule buys what is above its mean; prices walk, so one of some is.
	s.job("auto", 10*time.Second)
	s.eventually("a trade of a scan", func() bool { return len(s.ordered()) > 0 })
	s.eventually("its proposal is executed", func() bool {
		return s.count(`SELECT count(*) FROM interlock.trade_proposals WHERE status = 'EXECUTED' AND source LIKE 'scan:auto %'`) > 0
	})
	require.Equal(t, s.analyst.Calls(), s.counted())
	require.Equal(t, 0, s.count(`SELECT count(*) FROM interlock.scan_runs r WHERE code = 'SCANNED' AND NOT EXISTS (SELECT FROM interlock.market_snapshots m WHERE m.digest = r.snapshot)`))
}

func TestWithoutAutoExecuteAProposalOfAScanWaitsForAPerson(t *testing.T) {
	t.Parallel()
	s := newScanStack(t, 1, sure)
	s.job("manual", 10*time.Second)
	var id string
	s.eventually("a proposal of a scan", func() bool {
		return s.query(`SELECT id FROM interlock.trade_proposals WHERE workflow_seen_at IS NOT NULL`, &id) == nil
	})
	require.Empty(t, s.ordered())
	require.Equal(t, trade.Pending, s.status(id))
	s.executes(id)
}

// The earlier system's test 2: however many workers serve a schedule, each due
// time is scanned once.
func TestEachDueTimeIsScannedOnceByTwoWorkersAndByTen(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{2, 10} {
		t.Run(fmt.Sprintf("%d workers", workers), func(t *testing.T) {
			t.Parallel()
			s := newScanStack(t, workers)
			s.job("shared", 10*time.Second)
			s.eventually("three scans", func() bool { return s.ended(scan.Scanned) >= 3 })
			require.Equal(t, s.count(`SELECT count(DISTINCT snapshot) FROM interlock.scan_runs WHERE snapshot IS NOT NULL`),
				s.count(`SELECT count(*) FROM interlock.scan_runs WHERE snapshot IS NOT NULL`))
			s.eventually("one call per due time", func() bool {
				return s.analyst.Calls() == s.count(`SELECT count(*) FROM interlock.gpt_usage_log`) &&
					s.counted() == s.count(`SELECT count(*) FROM interlock.scan_runs WHERE snapshot IS NOT NULL`)
			})
		})
	}
}

func TestAScanWhoseWorkerIsKilledEndsOnAnother(t *testing.T) {
	t.Parallel()
	s := newScanStack(t, 1)
	s.analyst.Misbehave(demoanalyst.Slow, 1)
	j := s.job("killed", time.Hour)
	s.trigger(j)
	s.eventually("the model is asked", func() bool { return s.analyst.Calls() == 1 })
	s.kill("scans-0")
	killed := time.Now()
	s.start("scans-again", "scans")
	s.eventually("the scan's end", func() bool { return s.ended(scan.Scanned) == 1 })
	t.Logf("ended %s after the kill", time.Since(killed).Round(100*time.Millisecond))
	require.Equal(t, 2, s.analyst.Calls())
	require.Equal(t, 2, s.counted(), "no call that the budget did not count")
	require.Equal(t, 1, s.count(`SELECT count(*) FROM interlock.gpt_usage_log WHERE tokens = reserved_tokens AND NOT success`), "the lost one at its worst")
}

func TestADeadEndpointCostsNothingAndIsRecorded(t *testing.T) {
	t.Parallel()
	s := newScanStack(t, 0)
	s.model = "http://" + listentest.Refusing(t) + "/v1"
	s.start("scans-0", "scans")
	s.job("down", 10*time.Second)
	s.eventually("three recorded scans", func() bool { return s.ended(scan.ModelUnreachable) >= 3 })
	require.Zero(t, s.counted())
	require.Equal(t, s.count(`SELECT count(*) FROM interlock.scan_runs WHERE snapshot IS NOT NULL AND code IS NOT NULL`), s.ended(scan.ModelUnreachable))
	b, err := s.owner.Budget(ctx, "anna", account)
	require.NoError(t, err)
	require.Zero(t, b.Used.CallsToday)
	require.Zero(t, b.Used.TokensToday)
}

func TestAReplyThatTriesToChangeTheRulesChangesNothing(t *testing.T) {
	t.Parallel()
	s := newScanStack(t, 1, func(p *trade.Policy) { p.AutoExecute = true })
	for _, mode := range []demoanalyst.Mode{demoanalyst.Injection, demoanalyst.InvalidJSON, demoanalyst.WrongSchema} {
		s.analyst.Misbehave(mode, 1)
		before := s.ended(scan.ReplyInvalid)
		s.trigger(s.job(string(mode), time.Hour)) // a job's next scan is skipped while one runs
		s.eventually(string(mode), func() bool { return s.ended(scan.ReplyInvalid) > before })
	}
	require.Empty(t, s.ordered())
	require.Zero(t, s.count(`SELECT count(*) FROM interlock.trade_proposals`))
	require.Zero(t, s.count(`SELECT count(*) FROM interlock.overrides`))
	require.Equal(t, 1, s.count(`SELECT count(*) FROM interlock.trading_policies`))
}
