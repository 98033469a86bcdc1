package main

import (
	"net/http"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"interlock/internal/trade"
	"interlock/workflows"
)

// scene brings a trial's proposal to a step of the protocol.
type scene struct {
	ready  func(trial)                  // the exchange
	change func(trial, *trade.Proposal) // the proposal
	act    func(trial)                  // instead of asking to execute
	again  func(trial)                  // what has to be asked again after the crash
}

// play stores the proposal and does what the scene is about.
func (tr trial) play() {
	tr.t.Helper()
	sc := tr.arrow.scene
	if sc.ready != nil {
		sc.ready(tr)
	}
	tr.propose(tr.id, func(p *trade.Proposal) {
		if sc.change != nil {
			sc.change(tr, p)
		}
	})
	if sc.act != nil {
		sc.act(tr)
		return
	}
	tr.executing(tr.id)
}

// calm takes back what scenes do to the exchange.
func (tr trial) calm() {
	tr.t.Helper()
	tr.heal()
	tr.settleAfter(0)
	tr.marketIs("trading")
}

var (
	plain   = scene{}
	alive   = scene{act: askTheLiving}
	rowless = scene{act: beginNothing}
	refused = scene{ready: func(tr trial) { tr.marketIs("cancelOnly") }}

	doubtful          = scene{ready: func(tr trial) { tr.strikeOrder("accept-then-drop") }}
	unsettled         = scene{ready: func(tr trial) { tr.settleAfter(10 * time.Second) }}
	openThenCancelled = scene{change: belowTheMarket, act: cancelOpenOrder}

	cancelled = scene{act: func(tr trial) {
		tr.live()
		tr.tell(workflows.CancelSignal, workflows.CancelRequest{Actor: "anna", Reason: "changed my mind"})
	}}
	overdue = scene{
		change: func(_ trial, p *trade.Proposal) { p.ExpiresAt = time.Now().Add(3 * time.Second) },
		act:    trial.live,
	}
	overridden = scene{act: func(tr trial) {
		tr.live()
		tr.tell(workflows.OverrideName, workflows.OverrideRequest{Cooldown: true, Actor: "anna", Reason: "news", Execute: true})
	}}
	resolved      = scene{ready: func(tr trial) { tr.strikeOrder("drop-before") }, act: decideAbsent}
	resolvedTwice = scene{ready: resolved.ready, act: decideAbsent, again: sayAbsentAgain}
)

// strikeOrder lets the next order go wrong.
func (tr trial) strikeOrder(kind string) {
	tr.fault(map[string]any{"kind": kind, "method": http.MethodPost, "path": "/order", "count": 1})
}

func (tr trial) settleAfter(d time.Duration) {
	tr.admin(http.MethodPost, "/admin/delay", map[string]any{"settleAfterMs": d.Milliseconds()}, nil)
}

func (tr trial) marketIs(status string) {
	tr.admin(http.MethodPost, "/admin/market", map[string]any{"market": "BTC-EUR", "status": status}, nil)
}

// live starts the proposal's workflow and asks it nothing.
func (tr trial) live() {
	tr.t.Helper()
	_, err := tr.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: tr.id, TaskQueue: workflows.ProposalsQueue},
		workflows.ProposalType, workflows.ProposalInput{})
	require.NoError(tr.t, err)
}

// askTheLiving executes a proposal whose workflow has read the records before.
func askTheLiving(tr trial) {
	tr.live()
	_, err := tr.temporal.QueryWorkflow(ctx, tr.id, "", workflows.StateQuery)
	require.NoError(tr.t, err)
	tr.executing(tr.id)
}

// tell sends the proposal a signal.
func (tr trial) tell(signal string, request any) {
	tr.t.Helper()
	require.NoError(tr.t, tr.temporal.SignalWorkflow(ctx, tr.id, "", signal, request))
}

// beginNothing kills the orders worker before it has begun the attempt.
func beginNothing(tr trial) {
	tr.kill("orders")
	dir := tr.t.TempDir()
	tr.startStruck("orders", strike{Role: "orders", Proposal: tr.id, At: "PlaceOrder/row", Nth: 1, Dir: dir})
	tr.executing(tr.id)
	tr.awaitStruck(tr.id, dir, "PlaceOrder/row")
	tr.reap("orders")
	tr.start("orders", "orders")
}

// belowTheMarket makes a buy rest in the book.
func belowTheMarket(tr trial, p *trade.Proposal) {
	var last decimal.Decimal
	require.NoError(tr.t, tr.query(`SELECT price FROM interlock.market_facts WHERE market = 'BTC-EUR'`, &last))
	price := last.Mul(dec("0.985")).Floor()
	p.OrderType, p.Price = trade.LimitOrder, &price
}

func cancelOpenOrder(tr trial) {
	tr.executing(tr.id)
	tr.eventually("an open order", func() bool {
		tr.again(tr.id)
		return tr.ordersOf(tr.id) == 1
	})
	tr.tell(workflows.CancelSignal, workflows.CancelRequest{Actor: "anna", Reason: "changed my mind"})
}

// decideAbsent has a person decide while looking shows nothing clear.
func decideAbsent(tr trial) {
	tr.executing(tr.id)
	tr.becomes(tr.id, trade.Unresolved)
	tr.fault(map[string]any{"kind": "html", "method": http.MethodGet, "path": "/trades", "count": 0})
	tr.eventually("an order would be seen by now", func() bool {
		return tr.count(`SELECT count(*) FROM interlock.order_attempts a JOIN interlock.trade_executions e ON e.id = a.execution_id
			WHERE e.proposal_id = $1 AND a.deadline < clock_timestamp() - interval '2500 ms'`, tr.id) == 1
	})
	sayAbsent(tr)
}

// sayAbsentAgain waits until the lost word was weighed: while it is, another
// one is refused.
func sayAbsentAgain(tr trial) {
	tr.eventually("the first word was weighed", func() bool {
		reply, err := tr.temporal.QueryWorkflow(ctx, tr.id, "", workflows.StateQuery)
		var state workflows.State
		return err == nil && reply.Get(&state) == nil && state.Word != nil && state.Word.Weighed
	})
	sayAbsent(tr)
}

func sayAbsent(tr trial) {
	tr.tell(workflows.ResolveName, workflows.ResolveRequest{Absent: true, Actor: "anna", Reason: "not on the web page"})
}
