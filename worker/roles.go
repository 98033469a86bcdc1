package main

import (
	"context"
	"log/slog"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/notify"
	"interlock/activities/orders"
	"interlock/activities/proposals"
	bitvavo "interlock/internal/bitvavo/orders"
	"interlock/internal/postgres"
	"interlock/internal/rate"
	"interlock/internal/trade"
	"interlock/workflows"
)

// drainWithin is how long a stopping worker waits for running activities: an
// order on the wire should be written down by the one who sent it.
const drainWithin = 15 * time.Second

// standstill is how long a workflow may compute before its worker takes it for
// stuck: a megabyte of JSON on a busy machine is not. A task has ten seconds.
const standstill = 5 * time.Second

// counter is what the metrics of every role count.
type counter interface {
	proposals.Counter
	orders.Counter
	orders.Alarms
	notify.Counter
}

// hostProposals hosts the workflows and the records' activities. Those are local
// ones only: nobody can have this worker claim, conclude or record but the
// workflows that it runs itself.
func hostProposals(c client.Client, store *postgres.Store, count counter) worker.Worker {
	w := worker.New(c, workflows.ProposalsQueue, worker.Options{
		WorkerStopTimeout: drainWithin, DeadlockDetectionTimeout: standstill, LocalActivityWorkerOnly: true,
	})
	registerProposals(w, store, count)
	return w
}

func registerProposals(w worker.Registry, store *postgres.Store, count counter) {
	w.RegisterWorkflowWithOptions(workflows.Proposal, workflow.RegisterOptions{Name: workflows.ProposalType})
	w.RegisterWorkflowWithOptions(workflows.Reconcile, workflow.RegisterOptions{Name: workflows.ReconcileType})
	w.RegisterWorkflowWithOptions(workflows.Sweep, workflow.RegisterOptions{Name: workflows.SweepType})
	w.RegisterWorkflowWithOptions(workflows.Scan, workflow.RegisterOptions{Name: workflows.ScanType})
	w.RegisterWorkflowWithOptions(workflows.Notify, workflow.RegisterOptions{Name: workflows.NotifyType})
	w.RegisterActivity(&proposals.Activities{Records: store, Counter: count})
}

// hostUpkeep hosts what role proposals does at anybody's request.
func hostUpkeep(c client.Client, store *postgres.Store) worker.Worker {
	w := worker.New(c, workflows.UpkeepQueue, worker.Options{WorkerStopTimeout: drainWithin, DisableWorkflowWorker: true})
	registerUpkeep(w, c, store)
	return w
}

func registerUpkeep(w worker.Registry, c client.Client, store *postgres.Store) {
	w.RegisterActivity(&proposals.Births{Open: store, Lives: lives{c}})
	w.RegisterActivity(&proposals.Sweeper{Open: store, Lives: lives{c}})
}

// hostNotify hosts what talks to services outside, apart from the records: one
// that hangs takes no place there.
func hostNotify(c client.Client, act *notify.Activities) worker.Worker {
	w := worker.New(c, workflows.NotifyQueue, worker.Options{WorkerStopTimeout: drainWithin, DisableWorkflowWorker: true})
	registerNotify(w, act)
	return w
}

func registerNotify(w worker.Registry, act *notify.Activities) { w.RegisterActivity(act) }

// venue is all that role orders asks of an exchange.
type venue interface {
	orders.Exchange
	orders.Ledger
	orders.OpenBook
}

// attempts is all that role orders writes down.
type attempts interface {
	orders.Attempts
	orders.Comparisons
	orders.Wishes
}

// ordersHost is what role orders works with.
type ordersHost struct {
	account  string
	identity string
	rps      float64
	exchange venue
	attempts attempts
	count    counter
	log      *slog.Logger
}

// hostOrders hosts placing, and everything else with the trade key on a queue
// of its own, so that no look waits behind a placement. The server keeps the
// queue's rate over all workers: an attempt begins when the request budget can
// carry it, because its deadline runs from then on.
func hostOrders(c client.Client, h ordersHost) []worker.Worker {
	place := worker.New(c, workflows.OrdersQueue(h.account), worker.Options{
		WorkerStopTimeout: drainWithin, TaskQueueActivitiesPerSecond: rate.SharesOf(h.rps).Orders(), DisableWorkflowWorker: true,
	})
	follow := worker.New(c, workflows.FollowQueue(h.account), worker.Options{
		WorkerStopTimeout: drainWithin, DisableWorkflowWorker: true,
	})
	registerOrders(place, follow, h)
	return []worker.Worker{place, follow}
}

func registerOrders(place, follow worker.Registry, h ordersHost) {
	act := &orders.Activities{
		Exchange: h.exchange, Attempts: h.attempts, Account: h.account, Worker: h.identity, Counter: h.count, Log: h.log,
	}
	place.RegisterActivityWithOptions(act.PlaceOrder, activity.RegisterOptions{Name: orders.PlaceOrder})
	follow.RegisterActivityWithOptions(act.FindOrder, activity.RegisterOptions{Name: orders.FindOrder})
	follow.RegisterActivityWithOptions(act.ReadOrder, activity.RegisterOptions{Name: orders.ReadOrder})
	follow.RegisterActivityWithOptions(act.FollowOrder, activity.RegisterOptions{Name: orders.FollowOrder})
	follow.RegisterActivityWithOptions(act.CancelOrder, activity.RegisterOptions{Name: orders.CancelOrder})
	follow.RegisterActivity(&orders.Reconciler{Ledger: h.exchange, Comparisons: h.attempts, Account: h.account, Counter: h.count})
}

// exchange shows the signed client in the terms of the activities.
type exchange struct{ *bitvavo.Client }

// TradedOrders lists the order ID of every trade of the account.
func (e exchange) TradedOrders(ctx context.Context, market trade.Market, since time.Time) ([]string, error) {
	trades, err := e.Trades(ctx, market, since)
	ids := make([]string, len(trades))
	for i, t := range trades {
		ids[i] = t.OrderID
	}
	return ids, err
}

// Holdings lists the account's balances.
func (e exchange) Holdings(ctx context.Context) ([]trade.Holding, error) {
	balances, err := e.Balances(ctx)
	holdings := make([]trade.Holding, len(balances))
	for i, b := range balances {
		holdings[i] = trade.Holding{Symbol: b.Symbol, Available: b.Available, InOrder: b.InOrder}
	}
	return holdings, err
}
