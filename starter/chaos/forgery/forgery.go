// Package forgery is an attacker who reaches the Temporal of a campaign and
// nothing else: no database, no key, no token. It calls every activity on every
// queue with changed copies of what it finds in histories; completes and fails
// what others are doing; carries proposals on with local activities that lie;
// starts workflows with made-up input, and sends what nobody would send. It
// decides what is forged, and refuses to know what may come of it: the checker
// of the campaign says that.
//
// It leaves out what anybody who reaches Temporal may do, since that is no
// forgery and only changes what the campaign expects to be executed: a
// well-written execute or cancel of an open proposal. It also leaves out what
// only denies service, which nobody but Temporal can refuse: keeping our queues
// busy or the IDs of our workflows taken, terminating them without end, and
// removing schedules.
package forgery

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/notify"
	"interlock/activities/orders"
	"interlock/activities/proposals"
	"interlock/activities/scans"
	"interlock/workflows"
)

// Actor is the name under which it asks for things.
const Actor = "mallory"

// Activities lists every activity that a worker has registered.
func Activities() []string {
	return []string{
		proposals.ReadState, proposals.Preflight, proposals.Conclude, proposals.RecordOrder, proposals.FailExecution,
		proposals.Expire, proposals.Cancel, proposals.StoreOverride, proposals.Resolve, proposals.NoteRefusal, proposals.StartProposal, proposals.Sweep,
		orders.PlaceOrder, orders.FindOrder, orders.ReadOrder, orders.FollowOrder, orders.CancelOrder, orders.Reconcile,
		scans.ReadMarket, scans.ReserveCall, scans.Propose, scans.SettleCall, scans.StoreIdeas, scans.EndScan,
		notify.DueRules, notify.Deliver,
	}
}

// Workflows lists every workflow that a worker has registered.
func Workflows() []string {
	return []string{workflows.ProposalType, workflows.ReconcileType, workflows.SweepType, workflows.ScanType, workflows.NotifyType}
}

// Queues lists every queue of the contract that serves an account.
func Queues(account string) []string {
	return []string{
		workflows.ProposalsQueue, workflows.OrdersQueue(account), workflows.FollowQueue(account),
		workflows.ScansQueueOf(account), workflows.ScansQueue, workflows.NotifyQueue, workflows.UpkeepQueue,
	}
}

// Forger is the attacker, with a worker that hosts workflows of its own.
type Forger struct {
	temporal  client.Client
	namespace string
	account   string
	queue     string
	worker    worker.Worker

	mu    sync.Mutex
	found loot
}

// New uses a client of the forger's own, and closes it in the end.
func New(temporal client.Client, namespace, account string) *Forger {
	f := &Forger{temporal: temporal, namespace: namespace, account: account, queue: "forger-" + uuid.NewString()}
	f.worker = worker.New(temporal, f.queue, worker.Options{})
	f.worker.RegisterWorkflowWithOptions(forgedCalls, workflow.RegisterOptions{Name: forgedCallsType})
	f.worker.RegisterWorkflowWithOptions(forgedExecution, workflow.RegisterOptions{Name: forgedExecutionType})
	return f
}

// Start begins to host the forger's own workflows.
func (f *Forger) Start() error { return f.worker.Start() }

// Close ends the worker and the connection.
func (f *Forger) Close() {
	f.worker.Stop()
	f.temporal.Close()
}

var errNothingToForge = errors.New("there is nothing to forge yet")

// patience bounds one act of the forger.
const patience = 15 * time.Second

// Call has an activity called on every queue: on each with one forged input,
// and with all of them where it is at home. It returns what was answered, by
// answer.
func (f *Forger) Call(ctx context.Context, r *rand.Rand, activity string) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l, err := f.loot(ctx)
	if err != nil {
		return nil, err
	}
	if len(l.open)+len(l.over) == 0 {
		return nil, errNothingToForge
	}
	var calls []call
	forged := inputsOf(r, l, activity)
	for _, queue := range Queues(f.account) {
		for i, input := range forged {
			if i == 0 || queue == home(activity, f.account) {
				calls = append(calls, call{queue, activity, input})
			}
		}
	}
	var answers map[string]int
	return answers, f.run(ctx, forgedCallsType, calls, &answers)
}

// Execute has a workflow of the forger's own win a claim and place another
// order for it; of a proposal in doubt, after having it said that there is no
// order.
func (f *Forger) Execute(ctx context.Context, r *rand.Rand) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l, err := f.loot(ctx)
	if err != nil {
		return nil, err
	}
	in := execution{Account: f.account, Proposals: l.free, Seed: r.Uint64()}
	in.Doubt, _ = some(r, l.doubts)
	if len(in.Proposals) == 0 && in.Doubt == nil {
		return nil, errNothingToForge
	}
	var answers map[string]int
	return answers, f.run(ctx, forgedExecutionType, in, &answers)
}

func (f *Forger) run(ctx context.Context, kind string, in, out any) error {
	run, err := f.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: f.queue, WorkflowExecutionTimeout: patience}, kind, in)
	if err != nil {
		return err
	}
	return run.Get(ctx, out)
}

// home is the queue whose workers have an activity.
func home(activity, account string) string {
	switch activity {
	case orders.PlaceOrder:
		return workflows.OrdersQueue(account)
	case orders.FindOrder, orders.ReadOrder, orders.FollowOrder, orders.CancelOrder, orders.Reconcile:
		return workflows.FollowQueue(account)
	case scans.ReadMarket, scans.ReserveCall, scans.Propose, scans.SettleCall, scans.StoreIdeas, scans.EndScan:
		return workflows.ScansQueueOf(account)
	case notify.DueRules, notify.Deliver:
		return workflows.NotifyQueue
	case proposals.StartProposal, proposals.Sweep:
		return workflows.UpkeepQueue
	}
	return workflows.ProposalsQueue
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// some is one of a list that may be empty.
func some[T any](r *rand.Rand, from []T) (one T, is bool) {
	if len(from) == 0 {
		return one, false
	}
	return pick(r, from), true
}

// object is JSON of which little is known.
type object = map[string]any

func text(o object, name string) string {
	s, _ := o[name].(string)
	return s
}

// number reads a whole number, or what stands for none.
func number(o object, name string, none int) int {
	switch n := o[name].(type) {
	case json.Number:
		if v, err := n.Int64(); err == nil {
			return int(v)
		}
	case float64:
		return int(n)
	}
	return none
}
