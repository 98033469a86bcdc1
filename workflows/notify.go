package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/notify"
)

// notifyFor is how long one run tells before it continues as new: its history
// stays small, and its end is well within the run timeout of a schedule.
const notifyFor = 2 * time.Minute

// Notify tells rules what happened, each in its own time: one whose service
// hangs holds up no other. What is due is in the database; histories hold IDs
// of rules and nothing of their addresses. A schedule keeps one running.
func Notify(ctx workflow.Context) error {
	var busy []string
	ends := workflow.Now(ctx).Add(notifyFor)
	for workflow.Now(ctx).Before(ends) && !workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
		var due []string
		if err := workflow.ExecuteActivity(watching(ctx), notify.DueRules, busy).Get(ctx, &due); err != nil {
			return err
		}
		for _, rule := range due {
			busy = append(busy, rule)
			workflow.Go(ctx, func(ctx workflow.Context) {
				// An error is a run that could not be; the rule is due again.
				_ = workflow.ExecuteActivity(telling(ctx), notify.Deliver, rule).Get(ctx, nil)
				busy = slices.DeleteFunc(slices.Clone(busy), func(r string) bool { return r == rule })
			})
		}
	}
	if err := workflow.Await(ctx, func() bool { return len(busy) == 0 }); err != nil {
		return err
	}
	return workflow.NewContinueAsNewError(ctx, Notify)
}

// watching suits waiting for events: it is tried until the database is back.
func watching(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           NotifyQueue,
		StartToCloseTimeout: time.Minute,
		HeartbeatTimeout:    missedBeat,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 15 * time.Second},
	})
}

// telling suits delivering to one rule. What a service refuses is written in
// the database; what is retried here is a worker that died, or a database that
// was away.
func telling(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              NotifyQueue,
		ScheduleToCloseTimeout: notifyFor,
		StartToCloseTimeout:    time.Minute,
		HeartbeatTimeout:       missedBeat,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 15 * time.Second},
	})
}
