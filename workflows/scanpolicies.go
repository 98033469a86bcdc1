package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/scans"
)

// looking suits one look at the market: what was seen grows old, so it is tried
// again only a little.
func looking(ctx workflow.Context, account string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              ScansQueueOf(account),
		ScheduleToCloseTimeout: 90 * time.Second,
		StartToCloseTimeout:    time.Minute,
		HeartbeatTimeout:       missedBeat,
		RetryPolicy:            scansRetry(),
	})
}

// reserving suits a reservation, which a repetition finds again.
func reserving(ctx workflow.Context, account string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              ScansQueueOf(account),
		ScheduleToCloseTimeout: time.Minute,
		StartToCloseTimeout:    10 * time.Second,
		RetryPolicy:            scansRetry(),
	})
}

// asking suits the one call that costs money: it is never repeated.
func asking(ctx workflow.Context, account string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              ScansQueueOf(account),
		ScheduleToStartTimeout: time.Minute,
		StartToCloseTimeout:    90 * time.Second,
		HeartbeatTimeout:       missedBeat,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:                "one call, never repeated",
	})
}

// booking suits what has to be written down before the run may end: it is tried
// until worker and database are back.
func booking(ctx workflow.Context, account string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           ScansQueueOf(account),
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy:         scansRetry(),
	})
}

// starting suits letting a stored proposal live; the sweep does it otherwise.
func starting(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              UpkeepQueue,
		ScheduleToCloseTimeout: time.Minute,
		StartToCloseTimeout:    15 * time.Second,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 2},
	})
}

func scansRetry() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 15 * time.Second,
		NonRetryableErrorTypes: []string{scans.NotFoundType, scans.BugType},
	}
}
