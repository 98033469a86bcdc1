package forgery

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"interlock/workflows"
)

// StartWorkflow starts one of our workflows under IDs of others and under
// invented ones, with input that nobody wrote.
func (f *Forger) StartWorkflow(ctx context.Context, r *rand.Rand, kind string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l, err := f.loot(ctx)
	if err != nil {
		return err
	}
	invented := "forged-" + strings.ToLower(kind) + "-" + strconv.FormatUint(r.Uint64(), 36)
	ids := []string{invented}
	if kind == workflows.ProposalType {
		ids = append(ids, l.anyProposal(r), l.anyProposal(r))
	}
	for _, id := range ids {
		o := client.StartWorkflowOptions{
			ID: id, TaskQueue: workflows.ProposalsQueue,
			WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL, WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		}
		if id == invented {
			o.WorkflowExecutionTimeout = patience // nobody ends what is nobody's
		}
		if _, err := f.temporal.ExecuteWorkflow(ctx, o, kind, f.madeUp(r, l, kind)); err != nil && !refused(err) {
			return err
		}
	}
	return nil
}

// madeUp is input of a workflow.
func (f *Forger) madeUp(r *rand.Rand, l loot, kind string) any {
	switch kind {
	case workflows.ProposalType:
		return pick(r, []any{
			object{"looks": 99, "taken": object{"absent": true, "actor": Actor, "reason": "because"}},
			object{"looks": -1, "taken": object{"orderId": text(l.order(r), "orderId"), "actor": Actor, "reason": "because"}},
			object{"looks": "many"}, object{"status": "EXECUTED"}, "x",
		})
	case workflows.ScanType:
		return pick(r, []any{object{"jobId": "nobody", "account": f.account, "revision": 1}, object{}, "x"})
	case workflows.ReconcileType:
		return pick(r, []any{f.account, "nobody", 7})
	}
	return pick(r, rubbish)
}

// refused reports whether the server or a workflow has answered, only not as
// the sender wished.
func refused(err error) bool {
	var notFound *serviceerror.NotFound
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	var invalid *serviceerror.InvalidArgument
	return errors.As(err, &notFound) || errors.As(err, &started) || errors.As(err, &invalid)
}

// message is what a workflow is sent.
type message struct {
	name    string
	content any
}

// messages are odd ones. Those on unknown orders are well written: what people
// say there counts only as far as it is true.
func (l loot) messages(r *rand.Rand) []message {
	order := text(l.order(r), "orderId")
	return []message{
		{workflows.CancelSignal, object{}},
		{workflows.CancelSignal, object{"actor": Actor, "reason": "because", "at": "once"}},
		{workflows.CancelSignal, object{"reason": "because"}},
		{workflows.CancelSignal, []any{}},
		{workflows.OverrideName, object{}},
		{workflows.OverrideName, object{"cooldown": "yes", "actor": Actor}},
		{workflows.OverrideName, object{"cooldown": true, "execute": true}},
		{workflows.OverrideName, object{"cooldown": true, "verified": true, "identity": "olga", "actor": "olga", "reason": "because"}},
		{workflows.ExecuteUpdate, object{}},
		{workflows.ExecuteUpdate, object{"actor": 7}},
		{workflows.ExecuteUpdate, object{"actor": Actor, "plan": object{"market": "BTC-EUR", "amount": "2.5"}}},
		{workflows.ExecuteUpdate, object{"actor": Actor, "overrideCooldown": true}},
		{workflows.ExecuteUpdate, object{"actor": Actor, "notAfter": time.Now().Add(-time.Hour)}},
		{workflows.ResolveName, object{}},
		{workflows.ResolveName, object{"absent": true}},
		{workflows.ResolveName, object{"absent": true, "orderId": order, "actor": Actor, "reason": "because"}},
		{workflows.ResolveName, object{"absent": true, "actor": Actor, "reason": "because"}},
		{workflows.ResolveName, object{"orderId": order, "actor": Actor, "reason": "because"}},
		{workflows.ResolveName, object{"orderId": strings.Repeat("9", 4000), "actor": Actor, "reason": "because"}},
		{workflows.RefreshSignal, "x"},
		{"nothing", object{"actor": Actor}},
	}
}

// Signal sends odd messages as signals, each to a workflow of its own.
func (f *Forger) Signal(ctx context.Context, r *rand.Rand) error {
	return f.send(ctx, r, func(ctx context.Context, to string, m message) error {
		return f.temporal.SignalWorkflow(ctx, to, "", m.name, m.content)
	})
}

// Update sends odd messages as updates, each to a workflow of its own.
func (f *Forger) Update(ctx context.Context, r *rand.Rand) error {
	return f.send(ctx, r, func(ctx context.Context, to string, m message) error {
		_, err := f.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
			WorkflowID: to, UpdateName: m.name, Args: []any{m.content}, WaitForStage: client.WorkflowUpdateStageAccepted,
		})
		return err
	})
}

// floodOf is how many refreshes a workflow is sent at once.
const floodOf = 100

// Flood tells one proposal a hundred times to read the database again.
func (f *Forger) Flood(ctx context.Context, r *rand.Rand) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l, err := f.loot(ctx)
	if err != nil {
		return err
	}
	to, is := some(r, append(append([]string{}, l.open...), l.free...))
	if !is {
		return errNothingToForge
	}
	for range floodOf {
		if err := f.temporal.SignalWorkflow(ctx, to, "", workflows.RefreshSignal, object{}); err != nil {
			return err
		}
	}
	return nil
}

// answerWithin bounds one message: a proposal that is just read anew answers
// later than its sender waits.
const answerWithin = 2 * time.Second

const sentAtOnce = 8

// send is done once some messages were sent and at least one was taken.
func (f *Forger) send(ctx context.Context, r *rand.Rand, one func(context.Context, string, message) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l, err := f.loot(ctx)
	if err != nil {
		return err
	}
	to := append(append(append(append([]string{}, l.open...), l.open...), l.free...), l.system...)
	if len(l.open)+len(l.free) == 0 {
		return errNothingToForge
	}
	list, taken := l.messages(r), 0
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for _, m := range list[:sentAtOnce] {
		bound, cancel := context.WithTimeout(ctx, answerWithin)
		last := one(bound, pick(r, to), m)
		cancel()
		if last == nil {
			taken++
		} else {
			err = last
		}
	}
	if taken > 0 {
		return nil
	}
	return err
}
