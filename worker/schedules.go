package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"interlock/workflows"
)

// Both are cheap, and how soon they notice is how long people wait after a
// database restart (reconcile) or a lost workflow (sweep).
const (
	reconcileEvery = 30 * time.Second
	sweepEvery     = 15 * time.Second
)

// notifyEvery is how soon the notifier is there again after it ended against
// its will; one that runs is left alone.
const notifyEvery = 15 * time.Second

// catchUp is how late a scheduled run may still start. What was missed longer
// ago is covered by the next run.
const catchUp = time.Minute

// rescheduleEvery is how soon a schedule that Temporal has lost, restored to a
// copy from before it, is made again.
const rescheduleEvery = 15 * time.Second

// scheduleWithin is how long a worker that serves already may take to make its
// schedules exist: a Temporal that is slow for a moment must not end it.
const scheduleWithin = 2 * time.Minute

// insist tries do until it succeeds, ctx ends, or within is over; then it
// returns the last error. An end of ctx is no error.
func insist(ctx context.Context, within, pause time.Duration, do func(context.Context) error) error {
	last := time.Now().Add(within)
	for ctx.Err() == nil {
		err := do(ctx)
		if err == nil || ctx.Err() == nil && time.Now().After(last) {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// ensureSchedule makes a schedule exist and runs it now. Every worker of a
// role calls it: whoever comes second finds it there.
func ensureSchedule(ctx context.Context, c client.Client, id string, every time.Duration, workflow string, args ...any) error {
	made, err := makeSchedule(ctx, c, id, every, workflow, args...)
	if err != nil || made {
		return err
	}
	return c.ScheduleClient().GetHandle(ctx, id).Trigger(ctx, client.ScheduleTriggerOptions{Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP})
}

// makeSchedule makes a schedule that runs at once, unless it is there.
func makeSchedule(ctx context.Context, c client.Client, id string, every time.Duration, workflow string, args ...any) (made bool, err error) {
	_, err = c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:                 id,
		Spec:               client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}},
		Overlap:            enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow:      catchUp,
		TriggerImmediately: true,
		Action: &client.ScheduleWorkflowAction{
			ID: id, Workflow: workflow, Args: args, TaskQueue: workflows.ProposalsQueue, WorkflowRunTimeout: 5 * time.Minute,
		},
	})
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("schedule %s: %w", id, err)
	}
	return true, nil
}

// ensureSearchAttributes registers what Proposal workflows set; a workflow
// that sets an unregistered one would stand still.
func ensureSearchAttributes(ctx context.Context, c client.Client, namespace string) error {
	listed, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("search attributes: %w", err)
	}
	missing := map[string]enums.IndexedValueType{}
	for name, kind := range workflows.SearchAttributes() {
		if _, there := listed.GetCustomAttributes()[name]; !there {
			missing[name] = indexedType(kind)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: missing,
	})
	var there *serviceerror.AlreadyExists
	if err != nil && !errors.As(err, &there) {
		return fmt.Errorf("search attributes: %w", err)
	}
	return nil
}

func indexedType(kind string) enums.IndexedValueType {
	if kind == "KeywordList" {
		return enums.INDEXED_VALUE_TYPE_KEYWORD_LIST
	}
	return enums.INDEXED_VALUE_TYPE_KEYWORD
}
