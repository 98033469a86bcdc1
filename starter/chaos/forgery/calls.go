package forgery

import (
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/orders"
	"interlock/activities/proposals"
	"interlock/workflows"
)

const (
	forgedCallsType     = "ForgedCalls"
	forgedExecutionType = "ForgedExecution"
)

// call is an activity on a queue, with what it is told; nil is no input.
type call struct {
	Queue    string `json:"queue"`
	Activity string `json:"activity"`
	Input    any    `json:"input,omitempty"`
}

// briefly suits a call that nobody may answer.
func briefly(ctx workflow.Context, queue string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              queue,
		ScheduleToStartTimeout: 3 * time.Second,
		StartToCloseTimeout:    8 * time.Second,
		ScheduleToCloseTimeout: 9 * time.Second,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
	})
}

func begin(ctx workflow.Context, c call) workflow.Future {
	ctx = briefly(ctx, c.Queue)
	if c.Input == nil {
		return workflow.ExecuteActivity(ctx, c.Activity)
	}
	return workflow.ExecuteActivity(ctx, c.Activity, c.Input)
}

// forgedCalls makes all calls at once and counts how they were answered.
func forgedCalls(ctx workflow.Context, calls []call) (map[string]int, error) {
	var begun []workflow.Future
	for _, c := range calls {
		begun = append(begun, begin(ctx, c))
	}
	answers := map[string]int{}
	for _, f := range begun {
		answers[answer(f.Get(ctx, nil))]++
	}
	return answers, nil
}

// answer names what became of a call.
func answer(err error) string {
	var failure *temporal.ApplicationError
	var timeout *temporal.TimeoutError
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &timeout):
		return "nobody answered"
	case !errors.As(err, &failure):
		return "failed"
	case failure.Type() == "ActivityNotRegisteredError" || strings.Contains(failure.Error(), "unable to find activityType"):
		return "not hosted here"
	case failure.Type() == "":
		return "an error"
	}
	return "an error of type " + failure.Type()
}

// execution is what a workflow of the forger's own is to bring about.
type execution struct {
	Account   string   `json:"account"`
	Proposals []string `json:"proposals"`       // that nobody has executed
	Doubt     object   `json:"doubt,omitempty"` // an attempt of which nobody knows what became
	Seed      uint64   `json:"seed"`
}

// forgedExecution does what our own workflow does, with plans of its own. It
// counts how each step was answered.
func forgedExecution(ctx workflow.Context, in execution) (map[string]int, error) {
	answers := map[string]int{}
	note := func(activity string, err error) bool {
		answers[activity+": "+answer(err)]++
		return err == nil
	}
	r := rand.New(rand.NewPCG(in.Seed, uint64(workflow.Now(ctx).UnixNano())))
	if claim, is := in.Doubt["claim"].(object); is {
		for _, c := range []call{
			{workflows.ProposalsQueue, proposals.Resolve, denied(in.Doubt, workflow.Now(ctx))},
			{workflows.ProposalsQueue, proposals.FailExecution, object{"claim": claim, "failure": object{"code": "ORDER_ABSENT"}}},
		} {
			note(c.Activity, begin(ctx, c).Get(ctx, nil))
		}
		in.Proposals = append(in.Proposals, text(claim, "proposalId"))
	}
	var asked, placed []workflow.Future
	for _, proposal := range in.Proposals {
		asked = append(asked, begin(ctx, call{workflows.ProposalsQueue, proposals.Preflight, request(id(r), proposal)}))
	}
	for _, f := range asked {
		var decided struct {
			Claim object `json:"claim"`
		}
		if note(proposals.Preflight, f.Get(ctx, &decided)) && decided.Claim != nil {
			other := attempt(tampered(r, decided.Claim, workflow.Now(ctx)), number(decided.Claim, "nextAttempt", 1))
			placed = append(placed, begin(ctx, call{workflows.OrdersQueue(in.Account), orders.PlaceOrder, other}))
		}
	}
	for _, f := range placed {
		note(orders.PlaceOrder, f.Get(ctx, nil))
	}
	return answers, nil
}
