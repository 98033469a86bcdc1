package forgery

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"interlock/activities/orders"
	"interlock/workflows"
)

// loot is what histories give away.
type loot struct {
	at     time.Time
	inputs map[string][]any // of activities, by name
	claims []object         // those of open executions first
	orders []object
	doubts []object // what was said to those who look for an order: claim and number
	open   []string // proposals whose order is being placed, looked for or followed
	free   []string // proposals that nobody has executed yet
	over   []string
	system []string // workflows that are no proposals
}

// staleAfter is how long loot is worth forging from: most claims last seconds.
const staleAfter = 1500 * time.Millisecond

// The proposals and other workflows that are read, and how many of each.
const (
	mostRead = 6

	ofDoubt  = "WorkflowType = '" + workflows.ProposalType + "' AND ProposalStatus = 'UNRESOLVED' AND ExecutionStatus = 'Running'"
	ofOpen   = "WorkflowType = '" + workflows.ProposalType + "' AND ProposalStatus = 'EXECUTING' AND ExecutionStatus = 'Running'"
	ofFree   = "WorkflowType = '" + workflows.ProposalType + "' AND ProposalStatus IN ('PENDING', 'FAILED') AND ExecutionStatus = 'Running'"
	ofOver   = "WorkflowType = '" + workflows.ProposalType + "' AND ExecutionStatus = 'Completed'"
	ofSystem = "WorkflowType IN ('" + workflows.ReconcileType + "', '" + workflows.SweepType + "', '" + workflows.NotifyType + "', '" + workflows.ScanType + "')"
)

// loot reads histories again when what was read is old.
func (f *Forger) loot(ctx context.Context) (loot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.found.at) < staleAfter {
		return f.found, nil
	}
	l := loot{at: time.Now(), inputs: map[string][]any{}}
	for _, part := range []struct {
		query string
		ids   *[]string
	}{{ofDoubt, &l.open}, {ofOpen, &l.open}, {ofFree, &l.free}, {ofOver, &l.over}, {ofSystem, &l.system}} {
		runs, err := f.list(ctx, part.query)
		if err != nil {
			return l, err
		}
		for _, run := range runs {
			*part.ids = append(*part.ids, run.GetWorkflowId())
			f.read(ctx, run, &l)
		}
		if part.query == ofDoubt {
			l.doubts = objects(l.inputs[orders.FindOrder])
		}
	}
	f.found = l
	return l, nil
}

func (f *Forger) list(ctx context.Context, query string) ([]*common.WorkflowExecution, error) {
	reply, err := f.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: f.namespace, PageSize: mostRead, Query: query})
	if err != nil {
		return nil, err
	}
	var runs []*common.WorkflowExecution
	for _, e := range reply.GetExecutions() {
		runs = append(runs, e.GetExecution())
	}
	return runs, nil
}

// read takes what one history has. One that is gone by now has nothing.
func (f *Forger) read(ctx context.Context, run *common.WorkflowExecution, l *loot) {
	events := f.temporal.GetWorkflowHistory(ctx, run.GetWorkflowId(), run.GetRunId(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return
		}
		l.take(e)
	}
}

// take keeps the inputs of activities, and whatever else looks like a claim or
// an order. A local activity leaves a marker with its result.
func (l *loot) take(e *history.HistoryEvent) {
	if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
		name := a.GetActivityType().GetName()
		for _, v := range decoded(a.GetInput()) {
			l.inputs[name] = append(l.inputs[name], v)
			l.search(v)
		}
	}
	for _, payloads := range e.GetMarkerRecordedEventAttributes().GetDetails() {
		l.search(decoded(payloads))
	}
	l.search(decoded(e.GetActivityTaskCompletedEventAttributes().GetResult()))
}

// search walks through JSON. What was found last is what is most likely in
// force.
func (l *loot) search(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			l.search(e)
		}
	case object:
		if v["executionId"] != nil && v["plan"] != nil {
			l.claims = append(l.claims, v)
		}
		if v["orderId"] != nil && v["filledAmount"] != nil {
			l.orders = append(l.orders, v)
		}
		for _, e := range v {
			l.search(e)
		}
	}
}

func objects(list []any) []object {
	var some []object
	for _, v := range list {
		if o, is := v.(object); is {
			some = append(some, o)
		}
	}
	return some
}

// decoded is what payloads say, as far as they are JSON, with every number as
// it was written.
func decoded(payloads *common.Payloads) []any {
	var list []any
	for _, p := range payloads.GetPayloads() {
		d := json.NewDecoder(bytes.NewReader(p.GetData()))
		d.UseNumber()
		var v any
		if d.Decode(&v) == nil {
			list = append(list, v)
		}
	}
	return list
}
