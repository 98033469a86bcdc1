package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/orders"
	"interlock/activities/proposals"
)

// Reconcile compares one exchange account, named in its input, with our
// records. It runs on a schedule and whenever an orders worker starts. After a
// start of the database it compares again as soon as that counts.
func Reconcile(ctx workflow.Context, account string) (orders.ReconcileResult, error) {
	for {
		var result orders.ReconcileResult
		err := workflow.ExecuteActivity(reading(ctx, account), orders.Reconcile).Get(ctx, &result)
		if err != nil || result.Again == 0 {
			return result, err
		}
		if err := workflow.Sleep(ctx, result.Again); err != nil {
			return result, err
		}
	}
}

// Sweep finds what fell between the chairs: expired rows, claims that nobody
// follows, and proposals without a workflow. It runs on a schedule.
func Sweep(ctx workflow.Context) (proposals.SweepResult, error) {
	var result proposals.SweepResult
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           UpkeepQueue,
		StartToCloseTimeout: time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 2},
	}), proposals.Sweep).Get(ctx, &result)
	return result, err
}
