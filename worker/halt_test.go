package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	bitvavo "interlock/internal/bitvavo/orders"
	"interlock/internal/devstack"
	"interlock/internal/devstack/devtest"
	"interlock/internal/postgres"
	"interlock/internal/trade"
	"interlock/migrations"
	"interlock/workflows"
)

// begunSQL leaves out attempts that were closed before they began.
const begunSQL = `SELECT count(*) FROM interlock.order_attempts WHERE deadline IS NOT NULL`

// A halt is the last word on attempts: what it found begun is all there is.
func TestNoAttemptBeginsAfterAHaltUnderLoad(t *testing.T) {
	t.Parallel()
	const tries, load = 100, 6
	s := newStack(t, 2)
	s.start("orders-too", "orders")
	var late []time.Duration
	inFlight := 0
	for i := range tries {
		before := s.count(begunSQL)
		var asking sync.WaitGroup
		for k := range load {
			id := fmt.Sprintf("p%d-%d", i, k)
			s.propose(id)
			asking.Go(func() { _, _ = s.ask(id, workflows.ExecuteRequest{}) })
		}
		answered := make(chan struct{})
		go func() { asking.Wait(); close(answered) }()
		s.promptly("some attempts", func() bool { return s.count(begunSQL) >= before+i%load || over(answered) })
		require.NoError(t, s.owner.SetTradingState(ctx, account, trade.Halted, "olga", "a test"))
		committed := time.Now()
		begun := s.count(begunSQL)
		<-answered
		s.eventually("every claim has an end", func() bool {
			return s.count(`SELECT count(*) FROM interlock.trade_executions WHERE ended_at IS NULL`) == 0
		})
		require.Equal(t, begun, s.count(begunSQL), "try %d: an attempt began after the halt", i)
		late = append(late, max(s.veil.lastPlaced().Sub(committed), 0))
		if begun < before+load {
			inFlight++
		}
		require.NoError(t, s.owner.SetTradingState(ctx, account, trade.Active, "olga", "a test"))
	}
	require.Positive(t, inFlight, "no halt came in time to stop anything")
	slices.Sort(late)
	onWire := slices.DeleteFunc(slices.Clone(late), func(d time.Duration) bool { return d == 0 })
	t.Logf("%d halts, %d of them stopped attempts; after the halt's commit the last order reached the wire p50 %s, max %s (%d halts with one, of those p50 %s)",
		tries, inFlight, late[len(late)/2], late[len(late)-1], len(onWire), middle(onWire))
	s.noneAfterItsDeadline()
}

func over(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// noneAfterItsDeadline holds the birth of every order, on the exchange's own
// clock, against the end of its attempt: however late it reached the wire, the
// exchange takes none after that.
func (s *stack) noneAfterItsDeadline() {
	s.t.Helper()
	for _, o := range s.ordered() {
		var deadline time.Time
		require.NoError(s.t, s.query(`SELECT max(a.deadline) FROM interlock.order_attempts a JOIN interlock.trade_executions e ON e.id = a.execution_id
			WHERE e.client_order_id::text = $1`, &deadline, o["clientOrderId"]))
		born := time.UnixMilli(int64(o["created"].(float64)))
		require.False(s.t, born.After(deadline), "%v was born after %s", o, deadline)
	}
}

func middle(list []time.Duration) time.Duration {
	if len(list) == 0 {
		return 0
	}
	return list[len(list)/2]
}

// still is where the market stands, and an order below it that rests.
var still = map[trade.Market]struct{ price, limit, amount string }{
	"BTC-EUR": {"50000", "49500", "0.001"}, "ETH-EUR": {"3000", "2970", "0.01"}, "SOL-EUR": {"100", "99", "0.2"}, "ADA-EUR": {"0.5", "0.495", "40"},
}

func everyMarket(p *trade.Policy) {
	p.Allowlist = trade.Allowlist{"BTC-EUR", "ETH-EUR", "SOL-EUR", "ADA-EUR"}
	p.MaxOrderBase = trade.AssetLimits{Unlimited: true}
}

// standStill pins every market, so that a limit order below its price rests.
func (s *stack) standStill() {
	s.t.Helper()
	for market, at := range still {
		s.admin(http.MethodPost, "/admin/price", map[string]any{"market": market, "price": at.price}, nil)
		s.eventually("the price is known", func() bool {
			return s.count(`SELECT count(*) FROM interlock.market_facts WHERE market = $1 AND abs(price / $2::numeric - 1) < 0.001`, string(market), at.price) == 1
		})
	}
}

func (s *stack) proposeResting(id string, market trade.Market) {
	s.t.Helper()
	s.proposeIn(id, market, func(p *trade.Proposal) {
		price, amount := dec(still[market].limit), dec(still[market].amount)
		p.OrderType, p.Price, p.Amount = trade.LimitOrder, &price, &amount
	})
}

// resting executes a limit order and waits until the exchange has it.
func (s *stack) resting(id string, market trade.Market) {
	s.t.Helper()
	s.proposeResting(id, market)
	s.executing(id)
	s.isOrdered(id)
}

// openAtExchange lists the exchange's own view of what is open.
func (s *stack) openAtExchange() (ids []string) {
	s.t.Helper()
	for _, o := range s.ordered() {
		if status, _ := o["status"].(string); !trade.OrderStatus(status).Final() {
			id, _ := o["orderId"].(string)
			ids = append(ids, id)
		}
	}
	return ids
}

// byHand places an order as another program with the same key would.
func (s *stack) byHand() (orderID string) {
	s.t.Helper()
	const another = 99
	c, err := bitvavo.New(bitvavo.Config{URL: s.exchange.URL + "/v2", Key: s.trade.Key, Secret: s.trade.Secret, OperatorID: another})
	require.NoError(s.t, err)
	defer c.Close()
	now, err := c.Time(ctx)
	require.NoError(s.t, err)
	amount, price := dec("0.001"), dec("49000")
	placing := c.Place(ctx, trade.Plan{
		Market: "BTC-EUR", Side: trade.Buy, OrderType: trade.LimitOrder, TimeInForce: "GTC", Amount: &amount, Price: &price,
	}, uuid.New(), now.Add(trade.AccessWindow))
	require.Equal(s.t, trade.Accepted, placing.Reply, placing.Message)
	return placing.Order.OrderID
}

func (s *stack) cancelOpen() postgres.CancelOpenView {
	s.t.Helper()
	views, err := s.owner.CancelOpens(ctx, account)
	require.NoError(s.t, err)
	require.Len(s.t, views, 1)
	return views[0]
}

func (s *stack) completes() postgres.CancelOpenView {
	s.t.Helper()
	s.eventually("the cancel-open is complete", func() bool {
		views, err := s.owner.CancelOpens(ctx, account) // a connection may have been cut
		return err == nil && len(views) == 1 && views[0].CompletedAt != nil
	})
	return s.cancelOpen()
}

func TestCancelOpenLeavesNoOpenOrderWithTemporalDown(t *testing.T) {
	t.Parallel()
	temporal := devtest.PrivateTemporal(t, devstack.TemporalConfig{SearchAttributes: workflows.SearchAttributes()})
	server := devtest.Server{Address: temporal.Address(), Namespace: temporal.Namespace()}
	s := newStackAt(t, devtest.Database(t, migrations.Up), server, 1, everyMarket)
	s.standStill()
	manual := s.byHand()
	for i := range 3 {
		s.resting(fmt.Sprint("rests-", i), "BTC-EUR")
	}
	strike := func(kind string, more map[string]any) {
		fault := map[string]any{"kind": kind, "method": "POST", "path": "/order", "count": 1}
		maps.Copy(fault, more)
		s.fault(fault)
	}
	strike("hide", map[string]any{"forMs": 1500})
	s.resting("hidden", "BTC-EUR")
	strike("accept-then-drop", nil)
	s.resting("lost", "ETH-EUR")
	strike("hide", map[string]any{"forMs": 1500, "placed": true})
	s.resting("lost-and-hidden", "SOL-EUR")
	strike("delay", map[string]any{"delayMs": 3000})
	s.proposeResting("delayed", "ADA-EUR")
	s.executing("delayed")
	s.promptly("its attempt has begun", func() bool {
		s.again("delayed")
		return s.count(begunSQL+` AND execution_id IN (SELECT id FROM interlock.trade_executions WHERE proposal_id = 'delayed')`) > 0
	})
	require.NoError(t, temporal.Kill())
	s.kill("orders")
	s.start("orders-again", "orders") // it finds no Temporal when it starts

	asked := time.Now()
	require.NoError(t, s.owner.HaltAndCancel(ctx, account, "olga", "a test"))
	view := s.completes()
	t.Logf("complete %s after the halt", time.Since(asked).Round(time.Millisecond))
	require.Equal(t, []string{manual}, s.openAtExchange(), "only what is not ours is open")
	results := map[string]trade.CancelResult{}
	for _, o := range view.Orders {
		results[o.ProposalID] = o.Result
	}
	require.Equal(t, trade.CancelOpenForeign, results[""])
	for _, id := range []string{"rests-0", "rests-1", "rests-2", "lost", "hidden", "lost-and-hidden"} {
		require.Equal(t, trade.CancelOpenCancelled, results[id], id)
	}
	require.Equal(t, s.orderCounts("delayed")["delayed"] == 1, results["delayed"] == trade.CancelOpenCancelled)

	require.NoError(t, temporal.Restart(ctx))
	for _, id := range []string{"rests-0", "lost", "hidden", "lost-and-hidden"} {
		s.becomes(id, trade.Executed)
	}
	require.Equal(t, []string{manual}, s.openAtExchange())
	require.Equal(t, 7, len(s.ordered())-s.orderCounts("delayed")["delayed"])
}

// The wish outlives the worker that had it, however that ended, and the database.
func TestCancelOpenIsTakenOverAndSurvivesARestartOfTheDatabase(t *testing.T) {
	t.Parallel()
	server := devtest.PrivatePostgres(t)
	require.NoError(t, migrations.Up(ctx, server.URL()))
	s := newStackOn(t, server.URL(), 1, everyMarket)
	s.start("orders-1", "orders")
	s.standStill()
	s.resting("a", "BTC-EUR")
	s.resting("b", "ETH-EUR")
	s.fault(map[string]any{"kind": "503", "method": http.MethodDelete, "path": "/order", "count": 0})
	require.NoError(t, s.owner.HaltAndCancel(ctx, account, "olga", "a test"))
	s.eventually("a worker fails to cancel", func() bool {
		v := s.cancelOpen()
		return v.Worker != "" && len(v.Obstacles) > 0 && v.Obstacles[0].OrderID != ""
	})
	require.ErrorIs(t, s.owner.SetTradingState(ctx, account, trade.Active, "olga", "too early"), trade.ErrConflict)
	first := s.cancelOpen().Worker
	frozen := s.named(first)
	s.signal(frozen, syscall.SIGSTOP)
	s.eventually("the other takes over from the frozen one", func() bool { return s.cancelOpen().Worker != first })
	second := s.cancelOpen().Worker
	s.signal(frozen, syscall.SIGCONT)
	s.kill(s.named(second))
	require.NoError(t, server.Kill())
	require.NoError(t, server.Restart(ctx))
	s.heal()
	view := s.completes()
	require.Equal(t, first, view.Worker)
	require.Len(t, view.Orders, 2)
	require.Empty(t, s.openAtExchange())
	require.NoError(t, s.owner.SetTradingState(ctx, account, trade.Active, "olga", "it is over"))
}

// named is the process of a worker's identity, which ends in its process ID.
func (s *stack) named(identity string) string {
	s.t.Helper()
	pid, err := strconv.Atoi(identity[strings.LastIndex(identity, "/")+1:])
	require.NoError(s.t, err)
	for name, cmd := range s.processes {
		if cmd.Process.Pid == pid {
			return name
		}
	}
	require.Fail(s.t, "no process of ours", identity)
	return ""
}
