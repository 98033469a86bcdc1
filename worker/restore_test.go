package main

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/postgres"
	"interlock/internal/trade"
	"interlock/starter/cli"
	"interlock/workflows"
)

// everything names every proposal of these tests, most of them by what they
// are when the copies are taken.
var everything = []string{
	"pending", "failed", "resting", "flying", "done", "open", "unresolved", "inflight", "claimed", "cancelled", "later",
}

// live brings proposals into every state there is.
func (h *house) live() {
	h.t.Helper()
	h.admin("POST", "/admin/price", map[string]any{"market": "ETH-EUR", "price": "2800"}, nil)
	for _, id := range []string{"pending", "flying", "done", "failed", "cancelled"} {
		h.propose(id)
	}
	for id, market := range map[string]trade.Market{"unresolved": "ADA-EUR", "inflight": "SOL-EUR", "claimed": "ETH-EUR"} {
		h.proposeIn(id, market, inQuote)
	}
	for _, id := range []string{"open", "resting"} {
		h.proposeIn(id, "ETH-EUR", belowMarket)
	}
	h.executes("done")
	h.rests("open")
	h.fails("failed")
	_, err := h.owner.Cancel(ctx, "cancelled", "anna", "news")
	require.NoError(h.t, err)
	h.loses("unresolved", noAnswerNow)
	h.delayReplies(4 * time.Second)
	h.executing("inflight")
	h.isOrdered("inflight")
	h.kill("orders")
	h.delayReplies(0)
	h.executing("claimed")
	h.becomes("claimed", trade.Executing)
}

func inQuote(p *trade.Proposal) {
	quote := dec("25")
	p.Amount, p.AmountQuote = nil, &quote
}

func belowMarket(p *trade.Proposal) {
	limit, amount := dec("2750"), dec("0.01")
	p.OrderType, p.Price, p.Amount = trade.LimitOrder, &limit, &amount
}

func (s *stack) isOrdered(id string) {
	s.t.Helper()
	s.eventually("the order of "+id, func() bool {
		s.again(id)
		return s.orderCounts(id)[id] == 1
	})
}

// rests places an order that stays open.
func (h *house) rests(id string) {
	h.t.Helper()
	h.executing(id)
	h.isOrdered(id)
	h.eventually("it is accepted", func() bool {
		return h.count(`SELECT count(*) FROM interlock.order_attempts a JOIN interlock.trade_executions e ON e.id = a.execution_id
			WHERE e.proposal_id = $1 AND a.verdict = 'accepted'`, id) == 1
	})
}

// loses places an order whose answer is lost, and that the exchange does not
// show when it is looked for.
func (s *stack) loses(id string, code int) {
	s.t.Helper()
	s.veil.swallow(s.clientOrderID(id), code)()
	s.executing(id)
	s.isOrdered(id)
	s.becomes(id, trade.Unresolved)
}

// fails lets the exchange refuse an order.
func (h *house) fails(id string) {
	h.t.Helper()
	h.admin("POST", "/admin/market", map[string]any{"market": "BTC-EUR", "status": "halted"}, nil)
	h.execute(id)
	h.becomes(id, trade.Failed)
	h.admin("POST", "/admin/market", map[string]any{"market": "BTC-EUR", "status": "trading"}, nil)
}

// future is what happens after the copies were taken, and is lost with them.
// It ends with a request that is still on its way to the exchange.
func (h *house) future() {
	h.t.Helper()
	h.veil.lift()
	h.start("orders-2", "orders")
	for _, id := range []string{"unresolved", "inflight", "claimed"} {
		h.becomes(id, trade.Executed)
	}
	h.rests("resting") // now that nothing in its asset is in doubt
	h.propose("later")
	for _, id := range []string{"pending", "failed", "later"} {
		h.executes(id)
	}
	require.NoError(h.t, h.temporal.SignalWorkflow(ctx, "open", "", workflows.CancelSignal, workflows.CancelRequest{Actor: "anna", Reason: "news"}))
	h.becomes("open", trade.Executed)
	h.fault(map[string]any{"kind": "delay", "method": "POST", "path": "/order", "count": 1, "delayMs": 3000})
	h.executing("flying")
	h.eventually("a request under way", func() bool {
		h.again("flying")
		return h.strikes("delay") == 1
	})
}

// strikes is how often faults of a kind have struck.
func (s *stack) strikes(kind string) (n int) {
	s.t.Helper()
	var faults []struct {
		Kind   string
		Struck int
	}
	s.admin(http.MethodGet, "/admin/faults", nil, &faults)
	for _, f := range faults {
		if f.Kind == kind {
			n += f.Struck
		}
	}
	return n
}

// stop ends every worker as a power cut would.
func (h *house) stop() {
	h.t.Helper()
	for _, name := range []string{"proposals-0", "orders-2", "scans"} {
		h.kill(name)
	}
}

func (h *house) startAgain() {
	h.t.Helper()
	for _, role := range []string{"scans", "proposals", "orders"} {
		h.start(role+"-again", role)
	}
}

// askAll asks for everything to be executed once more, and returns the answers
// there were.
func (h *house) askAll() map[string]workflows.ExecuteResult {
	h.t.Helper()
	answers := map[string]workflows.ExecuteResult{}
	for _, id := range everything {
		if r, err := h.ask(id, workflows.ExecuteRequest{}); err == nil {
			require.False(h.t, r.Claimed, "%s was executed again: %+v", id, r)
			answers[id] = r
		}
	}
	return answers
}

// trades asks for a new proposal until it is executed.
func (h *house) trades(id string) {
	h.t.Helper()
	h.propose(id)
	h.eventually("trading goes on", func() bool {
		r, err := h.ask(id, workflows.ExecuteRequest{})
		return err == nil && r.Status == trade.Executed
	})
}

// onceEach is one order for whatever was ever sent.
func (h *house) onceEach(fresh ...string) {
	h.t.Helper()
	want := map[string]int{}
	for _, id := range append(fresh, everything...) {
		if id != "cancelled" {
			want[id] = 1
		}
	}
	require.Equal(h.t, want, h.orderCounts(append(fresh, everything...)...))
	chains, err := h.owner.VerifyAudit(ctx)
	require.NoError(h.t, err)
	for _, c := range chains {
		require.True(h.t, c.Holds(), "%+v", c)
	}
}

// differs lists what the exchange has and the records deny, by proposal.
func (h *house) differs() map[string]string {
	h.t.Helper()
	list, err := h.owner.Differences(ctx, account)
	require.NoError(h.t, err)
	found := map[string]string{}
	for _, d := range list {
		if d.ClientOrderID == h.clientOrderID("later") {
			require.Empty(h.t, d.ProposalID, "the proposal itself was lost")
			d.ProposalID = "later"
		}
		found[d.ProposalID] = d.Kind
	}
	return found
}

// operator runs a command of the command line and returns what it prints.
func (h *house) operator(args ...string) (code int, out string) {
	h.t.Helper()
	address, err := postgres.LoginURL(h.ownerURL, h.login("operator"), "secret")
	require.NoError(h.t, err)
	env := map[string]string{
		"DATABASE_URL": address, "TEMPORAL_ADDRESS": h.stack.server.Address, "TEMPORAL_NAMESPACE": h.stack.server.Namespace,
	}
	const unavailable = 4
	h.eventually("an answer in the time that a command has", func() bool {
		var printed bytes.Buffer
		code = cli.Run(ctx, append(args, "--state", ""), func(name string) string { return env[name] }, nil, &printed, &printed)
		out = printed.String()
		return code != unavailable
	})
	return code, out
}

// afterRestore is what must hold of a database that was restored.
func (h *house) afterRestore() {
	h.t.Helper()
	lost := map[string]string{
		"pending": "unknown_order", "resting": "unknown_order", "flying": "unknown_order", "later": "unknown_order", "failed": "contradiction",
	}
	for id, r := range h.askAll() {
		if r.Status == trade.Pending {
			require.Contains(h.t, blocked(r), trade.ReconcileStale, id)
		}
	}
	h.isHalted()
	h.askAll()
	require.NoError(h.t, h.owner.SetTradingState(ctx, account, trade.Active, "olga", "it was restored"))
	h.trades("fresh")

	require.Equal(h.t, lost, h.differs())
	for _, id := range []string{"unresolved", "inflight", "claimed", "open"} {
		h.becomes(id, trade.Executed)
	}
	var answers map[string]workflows.ExecuteResult
	h.eventually("everything but what was lost answers", func() bool {
		answers = h.askAll()
		return len(answers) == len(everything)-1
	})
	for _, id := range []string{"pending", "resting", "flying", "failed"} {
		require.Equal(h.t, []trade.Code{trade.OrderUnresolved}, blocked(answers[id]), id)
	}
	for _, id := range []string{"done", "unresolved", "inflight", "claimed", "open"} {
		require.Equal(h.t, trade.Executed, answers[id].Status, id)
	}
	require.NotContains(h.t, answers, "later")
	h.onceEach("fresh")
	h.isShown(lost)
}

// isHalted waits for the alarm. A connection that was cut says nothing.
func (s *stack) isHalted() {
	s.t.Helper()
	s.eventually("the alarm", func() bool {
		var state trade.TradingState
		err := s.query(`SELECT state FROM interlock.trading_controls WHERE scope = 'paper'`, &state)
		return err == nil && state == trade.Halted
	})
}

func blocked(r workflows.ExecuteResult) []trade.Code {
	var codes []trade.Code
	for _, b := range r.Blocks {
		if !slices.Contains(measured, b.Code) {
			codes = append(codes, b.Code)
		}
	}
	return codes
}

// isShown looks where a person looks.
func (h *house) isShown(lost map[string]string) {
	h.t.Helper()
	code, all := h.operator("status")
	require.Zero(h.t, code, all)
	for id, kind := range lost {
		if id == "later" {
			continue
		}
		require.Contains(h.t, all, kind)
		_, one := h.operator("status", id)
		require.Contains(h.t, one, kind, id)
		require.Contains(h.t, strings.Join(strings.Fields(one), " "), "ORDER_UNRESOLVED BLOCKS", id)
	}
}

func TestDatabaseRestoredToAMinuteAgoUnderRunningWorkflowsOrdersNothingTwice(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.live()
	backup := h.copyDatabase()
	h.future()
	lastID := h.count(`SELECT max(id) FROM interlock.trade_executions`)
	h.restoreDatabase(backup, time.Minute)
	h.afterRestore()
	require.LessOrEqual(t, h.count(`SELECT id FROM interlock.trade_executions WHERE proposal_id = 'fresh'`), lastID,
		"the number of a lost execution was given out again")
}

func TestDatabaseAndTemporalRestoredToAnHourAgoOrderNothingTwice(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.live()
	backup, workflowsThen := h.copyDatabase(), h.copyTemporal()
	h.future()
	h.stop()
	h.restoreDatabase(backup, time.Hour)
	h.restoreTemporal(workflowsThen)
	h.startAgain()
	h.afterRestore()
}

func TestTemporalRestoredAndThenLostOrdersNothingTwice(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.live()
	workflowsThen := h.copyTemporal()
	h.future()
	h.restoreTemporal(workflowsThen)
	h.askAll()
	h.trades("fresh")
	h.becomes("flying", trade.Executed)
	h.askAll()
	h.onceEach("fresh")

	h.restoreTemporal(t.TempDir())
	h.eventually("a workflow for the open order", func() bool {
		_, err := h.temporal.DescribeWorkflowExecution(ctx, "resting", "")
		return err == nil
	})
	h.askAll()
	h.trades("again")
	require.NoError(t, h.temporal.SignalWorkflow(ctx, "resting", "", workflows.CancelSignal, workflows.CancelRequest{Actor: "anna", Reason: "news"}))
	h.becomes("resting", trade.Executed)
	h.onceEach("fresh", "again")
	require.Empty(t, h.differs())
	require.Zero(t, h.count(`SELECT count(*) FROM interlock.trading_controls WHERE state <> 'ACTIVE'`))
}
