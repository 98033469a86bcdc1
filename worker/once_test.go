package main

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"interlock/internal/devstack/devtest"
	"interlock/internal/listen/listentest"
	"interlock/internal/trade"
	"interlock/migrations"
	"interlock/workflows"
)

func dec(text string) decimal.Decimal { return decimal.RequireFromString(text) }

func TestExecutedTwiceIsOneOrder(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	s.propose("p")
	require.True(t, s.executes("p").Claimed)
	second := s.execute("p")
	require.Equal(t, trade.Executed, second.Status)
	require.False(t, second.Claimed)
	require.Equal(t, "0.001", second.Order.FilledAmount)
	require.Len(t, s.ordered(), 1)
	require.Equal(t, second.Order.OrderID, s.ordered()[0]["orderId"])
}

func TestFiftyExecutesAtOnceAreOneOrder(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	s.delayReplies(2 * time.Second)
	s.propose("p")
	claimed := make([]bool, 50)
	var all sync.WaitGroup
	for i := range claimed {
		all.Go(func() { claimed[i] = s.decided("p").Claimed })
	}
	all.Wait()
	s.claimedOnce("p", trues(claimed))
	s.becomes("p", trade.Executed)
	require.Len(t, s.ordered(), 1)
}

// claimedOnce requires that no claim was answered beside another: each but the
// first came after one that had failed, because the machine was too late.
func (s *stack) claimedOnce(id string, claims int) {
	s.t.Helper()
	require.Positive(s.t, claims)
	require.LessOrEqual(s.t, claims-1, s.count(`SELECT count(*) FROM interlock.audit_events WHERE proposal_id = $1 AND kind = 'execution.failed'`, id))
}

func trues(list []bool) int {
	n := 0
	for _, b := range list {
		if b {
			n++
		}
	}
	return n
}

func TestHourlyLimitHoldsOverFourWorkerProcesses(t *testing.T) {
	t.Parallel()
	s := newStack(t, 4, func(p *trade.Policy) { p.TradesPerHour = trade.CountLimit{Value: 3} })
	claimed, blocked := make([]bool, 40), make([]bool, 40)
	var all sync.WaitGroup
	for i := range 40 {
		s.propose(fmt.Sprintf("p%d", i))
	}
	for i := range 40 {
		all.Go(func() {
			r := s.decided(fmt.Sprintf("p%d", i))
			claimed[i] = r.Claimed
			blocked[i] = len(r.Blocks) == 1 && r.Blocks[0].Code == trade.HourlyLimitReached
		})
	}
	all.Wait()
	require.Equal(t, 40, trues(claimed)+trues(blocked))
	late := 0 // a claim that comes to nothing leaves its place to another
	for i := range claimed {
		if id := fmt.Sprintf("p%d", i); claimed[i] {
			s.ends(id, id)
			late += trues([]bool{s.tooLate(id)})
		}
	}
	t.Logf("%d claims, of which this machine was too late for %d", trues(claimed), late)
	require.GreaterOrEqual(t, trues(claimed), 3)
	require.LessOrEqual(t, trues(claimed)-late, 3)
	require.Len(t, s.ordered(), trues(claimed)-late)
}

func TestTerminatedExecutingProposalIsFinishedByLooking(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	s.propose("p")
	answer := s.veil.swallow(s.clientOrderID("p"), noAnswerNow)
	s.executing("p")
	s.isOrdered("p")
	require.NoError(t, s.temporal.TerminateWorkflow(ctx, "p", "", "by hand"))
	answer()
	s.veil.lift()
	s.becomes("p", trade.Executed)
	require.Len(t, s.ordered(), 1)
}

func TestClosedDeletedResetAndWipedWorkflowsNeverOrderAgain(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	s.propose("p")
	require.True(t, s.executes("p").Claimed)

	run, err := s.temporal.DescribeWorkflowExecution(ctx, "p", "")
	require.NoError(t, err)
	_, err = s.temporal.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: s.server.Namespace, Reason: "by hand", RequestId: "reset-1", WorkflowTaskFinishEventId: firstTask(t, s),
		WorkflowExecution: &common.WorkflowExecution{WorkflowId: "p", RunId: run.GetWorkflowExecutionInfo().GetExecution().GetRunId()},
	})
	require.NoError(t, err)
	require.False(t, s.execute("p").Claimed, "after a reset")

	_, err = s.temporal.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: s.server.Namespace, WorkflowExecution: &common.WorkflowExecution{WorkflowId: "p"},
	})
	require.NoError(t, err)
	require.False(t, s.execute("p").Claimed, "after a deletion")

	s.server = devtest.Namespace(t, workflows.SearchAttributes())
	s.temporal = s.server.Client(t)
	s.start("proposals-elsewhere", "proposals")
	s.start("orders-elsewhere", "orders")
	r := s.execute("p")
	require.False(t, r.Claimed, "after all of Temporal was lost")
	require.Equal(t, trade.Executed, r.Status)
	require.Len(t, s.ordered(), 1)
}

// firstTask is the first completed workflow task of p's last run: a reset to
// it lives everything again.
func firstTask(t *testing.T, s *stack) int64 {
	t.Helper()
	for events := s.temporal.GetWorkflowHistory(ctx, "p", "", false, 0); events.HasNext(); {
		e, err := events.Next()
		require.NoError(t, err)
		if e.GetWorkflowTaskCompletedEventAttributes() != nil {
			return e.GetEventId()
		}
	}
	require.Fail(t, "no workflow task")
	return 0
}

// Every fault of the exchange: at most one order, and our belief agrees.
func TestFaultsOfTheExchangeNeverDouble(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	post := func(kind string, more map[string]any) map[string]any {
		f := map[string]any{"kind": kind, "method": "POST", "path": "/order", "count": 1}
		for k, v := range more {
			f[k] = v
		}
		return f
	}
	for i, c := range []struct {
		fault map[string]any
		want  []trade.Status
	}{
		{post("accept-then-drop", nil), []trade.Status{trade.Executed}},
		{post("empty", nil), []trade.Status{trade.Executed}},
		{post("truncated", nil), []trade.Status{trade.Executed}},
		{post("html", map[string]any{"placed": true}), []trade.Status{trade.Executed}},
		{post("503", map[string]any{"code": 109, "placed": true}), []trade.Status{trade.Executed}},
		{post("503", map[string]any{"code": 109}), []trade.Status{trade.Failed}},
		{post("drop-before", nil), []trade.Status{trade.Failed}},
		{post("105", nil), []trade.Status{trade.Executed, trade.Failed}},
		{post("redirect", nil), []trade.Status{trade.Failed}},
	} {
		id := fmt.Sprintf("p%d", i)
		before := len(s.ordered())
		s.fault(c.fault)
		s.propose(id)
		s.executing(id)
		s.eventually(fmt.Sprint("an end after ", c.fault), func() bool {
			st := s.status(id)
			return st == trade.Executed || st == trade.Failed
		})
		status := s.status(id)
		require.Contains(t, c.want, status, c.fault)
		want := before
		if status == trade.Executed {
			want++
		}
		require.Len(t, s.ordered(), want, c.fault)
		s.heal()
	}
}

func TestCutDatabaseIsTriedAgainAndNothingIsLost(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	stop := make(chan struct{})
	var cutter sync.WaitGroup
	cutter.Go(func() {
		// Ever rarer, so that a slow machine gets a transaction through as well.
		for pause := 30 * time.Millisecond; ; pause += pause / 20 {
			select {
			case <-stop:
				return
			case <-time.After(pause):
				var n int
				_ = s.query(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename LIKE 'test_proposals_%' AND datname = current_database()`, &n)
			}
		}
	})
	var asking sync.WaitGroup
	for i := range 10 {
		s.propose(fmt.Sprintf("p%d", i))
		asking.Go(func() { s.decided(fmt.Sprintf("p%d", i)) })
	}
	s.eventually("claims under cuts", func() bool { return s.count(`SELECT count(*) FROM interlock.trade_executions`) > 0 })
	close(stop)
	cutter.Wait()
	asking.Wait()
	s.eventually("every claim has an end", func() bool {
		return s.count(`SELECT count(*) FROM interlock.trade_executions WHERE ended_at IS NULL`) == 0
	})
	require.Len(t, s.ordered(), s.count(`SELECT count(*) FROM interlock.trade_executions WHERE status = 'EXECUTED'`))
}

// The server is killed under load and comes back: what was claimed is carried
// to its end, and nothing trades before the account was compared again.
func TestKilledDatabaseServerRecoversWithoutAPerson(t *testing.T) {
	t.Parallel()
	server := devtest.PrivatePostgres(t)
	require.NoError(t, migrations.Up(ctx, server.URL()))
	s := newStackOn(t, server.URL(), 1)
	s.delayReplies(time.Second)
	s.propose("p")
	s.propose("q")
	s.executing("p")
	s.eventually("the order at the exchange", func() bool {
		s.again("p")
		return len(s.ordered()) == 1
	})
	require.NoError(t, server.Kill())
	require.NoError(t, server.Restart(ctx))
	s.becomes("p", trade.Executed)
	s.eventually("trading goes on", func() bool {
		r, err := s.ask("q", workflows.ExecuteRequest{})
		if err == nil && !r.Claimed && r.Status == trade.Pending && !busy(r.Blocks) {
			require.Equal(t, trade.ReconcileStale, r.Blocks[len(r.Blocks)-1].Code)
		}
		return err == nil && r.Status == trade.Executed
	})
	require.Len(t, s.ordered(), 2)
}

func TestProposalOfAnotherProgramGetsAWorkflow(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	s.propose("foreign")
	s.eventually("a workflow for it", func() bool {
		_, err := s.temporal.DescribeWorkflowExecution(ctx, "foreign", "")
		return err == nil
	})
	require.NoError(t, s.temporal.SignalWorkflow(ctx, "foreign", "", workflows.CancelSignal, workflows.CancelRequest{Actor: "anna", Reason: "news"}))
	s.becomes("foreign", trade.Cancelled)
}

func TestStoppingWorkerWritesDownTheOrderOnTheWire(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	s.delayReplies(2 * time.Second)
	s.propose("p")
	s.executing("p")
	s.eventually("the order at the exchange", func() bool {
		s.again("p")
		return len(s.ordered()) == 1
	})
	s.signal("orders", syscall.SIGTERM)
	state := s.endOf("orders")
	require.Zero(t, state.ExitCode(), "orders ended (%s)", state)
	require.Equal(t, 1, s.count(`SELECT count(*) FROM interlock.order_attempts WHERE verdict = 'accepted'`))
	s.start("orders-again", "orders")
	s.becomes("p", trade.Executed)
}

func TestAWorkerRefusesForeignKeysAndForeignVenues(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	path, err := binary()
	require.NoError(t, err)
	for name, c := range map[string]struct {
		role string
		more []string
		says string
	}{
		"scans with the trade key":       {"scans", []string{"BITVAVO_TRADE_KEY=x"}, "BITVAVO_TRADE_KEY"},
		"orders with the read-only key":  {"orders", []string{"BITVAVO_READONLY_KEY=x"}, "BITVAVO_READONLY_KEY"},
		"proposals with a key at all":    {"proposals", []string{"BITVAVO_TRADE_SECRET=x"}, "BITVAVO_TRADE_SECRET"},
		"another venue than the account": {"orders", []string{"BITVAVO_REST_URL=http://" + listentest.Refusing(t) + "/v2"}, "not the exchange of account"},
		"a live exchange nobody allowed": {"orders", []string{"BITVAVO_REST_URL=https://api.bitvavo.com/v2"}, "INTERLOCK_LIVE"},
	} {
		bound, cancel := context.WithTimeout(ctx, endTimeout)
		cmd := exec.CommandContext(bound, path, "--role", c.role)
		cmd.Env = append(s.environment(c.role), c.more...)
		out, err := cmd.CombinedOutput()
		cancel()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, "%s: %s", name, out)
		require.Equal(t, 1, exit.ExitCode(), "%s ended (%s): %s", name, exit.ProcessState, out)
		require.Contains(t, string(out), c.says, name)
	}
}

func TestReadOnlyKeyCannotOrder(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	s.kill("orders")
	s.trade = s.read
	s.start("orders-without-right", "orders")
	s.propose("p")
	var r workflows.ExecuteResult
	s.eventually("the exchange's refusal", func() bool {
		r = s.execute("p")
		return r.Status == trade.Failed && !s.tooLate("p") // else it was not asked in time
	})
	require.Equal(t, "310", r.Failure.ExchangeCode)
	require.Empty(t, s.ordered())
}

func TestExchangeThatIsDownFailsInTimeAndMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	s.fault(map[string]any{"kind": "down", "method": http.MethodPost, "count": 0})
	s.fault(map[string]any{"kind": "down", "method": http.MethodGet, "path": "/order", "count": 0})
	s.propose("p")
	s.executing("p")
	s.becomes("p", trade.Failed)
	require.Empty(t, s.ordered())
	s.heal()
	s.executes("p")
	require.Len(t, s.ordered(), 1)
}
