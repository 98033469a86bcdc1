package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/orders"
	"interlock/activities/proposals"
	"interlock/internal/trade"
)

// answered suits a transaction that a waiting person's answer depends on: it
// is tried again over a cut connection, and given up when the request would be
// too late anyway.
func answered(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout:    10 * time.Second,
		ScheduleToCloseTimeout: 30 * time.Second,
		RetryPolicy:            recordsRetry(),
		Summary:                summary,
	})
}

// must suits a transaction that has to happen before anything else may: it is
// tried until the database is back.
func must(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		// Left out, it would be the ten seconds of one try.
		ScheduleToCloseTimeout: outlast,
		RetryPolicy:            recordsRetry(),
		Summary:                summary,
	})
}

// outlast is longer than any outage.
const outlast = 10 * 365 * 24 * time.Hour

func recordsRetry() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 15 * time.Second,
		NonRetryableErrorTypes: []string{proposals.NotFoundType, proposals.BugType},
	}
}

// missedBeat is how soon a worker that died or froze is noticed.
const missedBeat = 5 * time.Second

// once suits the one call that spends money: it may wait for a worker as long
// as the claim may be sent, and is never repeated.
func once(ctx workflow.Context, account string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              OrdersQueue(account),
		ScheduleToStartTimeout: trade.SendWithin,
		StartToCloseTimeout:    30 * time.Second,
		HeartbeatTimeout:       missedBeat,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:                "one attempt, never repeated",
	})
}

// lookUp suits one lookup of an order. While the exchange does not answer it is
// tried again, often enough that one follows soon after the first answer.
func lookUp(ctx workflow.Context, account string, untilAnswered bool) workflow.Context {
	retry := &temporal.RetryPolicy{MaximumAttempts: 1}
	if untilAnswered {
		retry = &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second}
	}
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              FollowQueue(account),
		ScheduleToStartTimeout: time.Minute,
		StartToCloseTimeout:    time.Minute,
		HeartbeatTimeout:       missedBeat,
		RetryPolicy:            retry,
	})
}

// readOnce suits one reading at the exchange for a person who waits: a failed
// one is told, not repeated.
func readOnce(ctx workflow.Context, account string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              FollowQueue(account),
		ScheduleToStartTimeout: time.Minute,
		StartToCloseTimeout:    time.Minute,
		HeartbeatTimeout:       missedBeat,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
	})
}

// follow suits waiting for an order's end: the activity fails until the order
// is final, and the retry policy is the poll interval.
func follow(ctx workflow.Context, account string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           FollowQueue(account),
		StartToCloseTimeout: 30 * time.Second,
		HeartbeatTimeout:    missedBeat,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 250 * time.Millisecond, BackoffCoefficient: 1.5, MaximumInterval: 5 * time.Second,
		},
	})
}

// reading suits one comparison of a whole account: the next scheduled one is
// soon, so it is repeated only a little.
func reading(ctx workflow.Context, account string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              FollowQueue(account),
		ScheduleToCloseTimeout: 2 * time.Minute,
		StartToCloseTimeout:    time.Minute,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumAttempts: 5},
	})
}

// The activities are called by these names.
const (
	placeOrder  = orders.PlaceOrder
	findOrder   = orders.FindOrder
	readOrder   = orders.ReadOrder
	followOrder = orders.FollowOrder
	cancelOrder = orders.CancelOrder
)
