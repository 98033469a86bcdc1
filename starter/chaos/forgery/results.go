package forgery

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.temporal.io/sdk/temporal"

	"interlock/activities/notify"
	"interlock/activities/orders"
)

// pending is what somebody else's workflow waits for.
type pending struct{ workflow, id, activity string }

// pendings lists activities that proposals and others wait for.
func (f *Forger) pendings(ctx context.Context) (loot, []pending, error) {
	l, err := f.loot(ctx)
	if err != nil {
		return l, nil, err
	}
	var list []pending
	for _, workflow := range append(append([]string{}, l.open...), l.system...) {
		described, err := f.temporal.DescribeWorkflowExecution(ctx, workflow, "")
		if err != nil {
			continue // it is gone by now
		}
		for _, a := range described.GetPendingActivities() {
			list = append(list, pending{workflow, a.GetActivityId(), a.GetActivityType().GetName()})
		}
	}
	if len(list) == 0 {
		return l, nil, errNothingToForge
	}
	return l, list, nil
}

// Complete gives somebody else's activity a result that it does not have, and
// returns which activity it was.
func (f *Forger) Complete(ctx context.Context, r *rand.Rand) (string, error) {
	return f.answer(ctx, r, func(ctx context.Context, l loot, p pending) error {
		return f.temporal.CompleteActivityByID(ctx, f.namespace, p.workflow, "", p.id, l.result(r, p.activity), nil)
	})
}

// Fail says of somebody else's activity that it failed, for good or not, or
// that it was cancelled.
func (f *Forger) Fail(ctx context.Context, r *rand.Rand) (string, error) {
	return f.answer(ctx, r, func(ctx context.Context, _ loot, p pending) error {
		return f.temporal.CompleteActivityByID(ctx, f.namespace, p.workflow, "", p.id, nil, pick(r, failures))
	})
}

// Beat keeps somebody else's activity alive that may be dead.
func (f *Forger) Beat(ctx context.Context, r *rand.Rand) (string, error) {
	return f.answer(ctx, r, func(ctx context.Context, _ loot, p pending) error {
		return f.temporal.RecordActivityHeartbeatByID(ctx, f.namespace, p.workflow, "", p.id, "alive")
	})
}

var failures = []error{
	temporal.NewNonRetryableApplicationError("the claim is not there", orders.NotFoundType, nil),
	temporal.NewNonRetryableApplicationError("nothing was placed", "Bug", nil),
	temporal.NewApplicationError("the order is open", orders.StillOpenType),
	temporal.NewCanceledError(),
	errors.New("connection reset"),
}

// answer tries what is pending until Temporal takes one answer: most activities
// have ended by the time that they are answered for.
func (f *Forger) answer(ctx context.Context, r *rand.Rand, give func(context.Context, loot, pending) error) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l, list, err := f.pendings(ctx)
	if err != nil {
		return "", err
	}
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for _, p := range list {
		if err = give(ctx, l, p); err == nil {
			return p.activity, nil
		}
	}
	return "", err
}

// result is what an activity would answer if things were as an attacker wants.
func (l loot) result(r *rand.Rand, activity string) any {
	order := l.order(r)
	switch activity {
	case orders.PlaceOrder:
		return pick(r, []any{
			object{"reply": "accepted", "order": order}, object{"reply": "not_sent", "code": "EXCHANGE_UNAVAILABLE"},
			object{"reply": "refused", "code": "216"}, object{"reply": "accepted"}, object{"reply": "unknown"},
		})
	case orders.FindOrder:
		return pick(r, []any{
			object{"sighting": "not_there", "exchangeTime": time.Now().Add(time.Hour)}, object{"sighting": "found", "orders": []any{order}},
		})
	case orders.FollowOrder:
		return pick(r, []any{
			without(order, "fills", "status", "filled", "filledAmount", "0", "filledAmountQuote", "0"), without(order, "fills", "status", "canceled"),
			mutated(r, l, order), object{},
		})
	case orders.ReadOrder:
		return pick(r, []any{object{"exchangeNow": time.Now().Add(time.Hour)}, object{"order": order, "exchangeNow": time.Now().Add(time.Hour)}})
	case notify.DueRules:
		return []string{"nobody"}
	}
	return pick(r, []any{nil, object{}, "x"})
}
