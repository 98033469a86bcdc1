package main

import (
	"net/http"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"interlock/internal/trade"
	"interlock/workflows"
)

// scene brings proposal p to a step of the protocol.
type scene struct {
	ready  func(*stack)                  // before the workers start
	orders *strike                       // strikes the orders worker on the way
	change func(*stack, *trade.Proposal) // the proposal
	act    func(*stack)                  // instead of asking to execute
	again  func(*stack)                  // what has to be asked again after the crash
}

// play stores the proposal and does what the scene is about.
func (sc scene) play(s *stack) {
	s.t.Helper()
	s.propose("p", func(p *trade.Proposal) {
		if sc.change != nil {
			sc.change(s, p)
		}
	})
	switch {
	case sc.act != nil:
		sc.act(s)
	default:
		s.executing("p")
	}
	if sc.orders != nil {
		s.replace("orders")
	}
}

var (
	plain   = scene{}
	rowless = scene{orders: &strike{At: "PlaceOrder/row"}}
	refused = scene{ready: func(s *stack) { s.trade = s.read }}

	doubtful = scene{ready: func(s *stack) {
		s.fault(map[string]any{"kind": "accept-then-drop", "method": http.MethodPost, "path": "/order", "count": 1})
	}}
	unsettled = scene{ready: func(s *stack) {
		s.admin(http.MethodPost, "/admin/delay", map[string]any{"settleAfterMs": 1500}, nil)
	}}
	openThenCancelled = scene{change: belowTheMarket, act: func(s *stack) {
		s.executing("p")
		s.eventually(20*time.Second, "an open order", func() bool { return len(s.ordered()) == 1 })
		s.tell(workflows.CancelSignal, workflows.CancelRequest{Actor: "anna", Reason: "changed my mind"})
	}}
	cancelled = scene{act: func(s *stack) {
		s.living("p")
		s.tell(workflows.CancelSignal, workflows.CancelRequest{Actor: "anna", Reason: "changed my mind"})
	}}
	overdue = scene{
		change: func(_ *stack, p *trade.Proposal) { p.ExpiresAt = time.Now().Add(3 * time.Second) },
		act:    func(s *stack) { s.living("p") },
	}
	overridden = scene{act: func(s *stack) {
		s.living("p")
		s.tell(workflows.OverrideName, workflows.OverrideRequest{Cooldown: true, Actor: "anna", Reason: "news", Execute: true})
	}}
	resolved      = scene{ready: losingTheOrder, act: saidAbsent}
	resolvedTwice = scene{ready: losingTheOrder, act: saidAbsent, again: sayAbsent}
)

// belowTheMarket makes a buy rest in the book.
func belowTheMarket(s *stack, p *trade.Proposal) {
	var last decimal.Decimal
	require.NoError(s.t, s.query(`SELECT price FROM interlock.market_facts WHERE market = 'BTC-EUR'`, &last))
	price := last.Mul(dec("0.985")).Floor()
	p.OrderType, p.Price = trade.LimitOrder, &price
}

// losingTheOrder drops the order on its way.
func losingTheOrder(s *stack) {
	s.fault(map[string]any{"kind": "drop-before", "method": http.MethodPost, "path": "/order", "count": 1})
}

// saidAbsent has a person decide while looking shows nothing clear.
func saidAbsent(s *stack) {
	s.executing("p")
	s.becomes("p", trade.Unresolved, 30*time.Second)
	s.fault(map[string]any{"kind": "html", "method": http.MethodGet, "path": "/trades", "count": 0})
	s.eventually(20*time.Second, "the deadline has passed", func() bool {
		return s.count(`SELECT count(*) FROM interlock.order_attempts WHERE deadline < clock_timestamp() - interval '100 ms'`) == 1
	})
	sayAbsent(s)
}

func sayAbsent(s *stack) {
	s.tell(workflows.ResolveSignal, workflows.ResolveRequest{Absent: true, Actor: "anna", Reason: "not on the web page"})
}

// living starts a proposal's workflow and asks it nothing.
func (s *stack) living(id string) {
	s.t.Helper()
	_, err := s.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: workflows.ProposalsQueue},
		workflows.ProposalType, workflows.ProposalInput{})
	require.NoError(s.t, err)
}

// tell sends a signal to p.
func (s *stack) tell(signal string, request any) {
	s.t.Helper()
	require.NoError(s.t, s.temporal.SignalWorkflow(ctx, "p", "", signal, request))
}

func lineWith(text, begins string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, begins) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
