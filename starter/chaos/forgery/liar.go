package forgery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/proposals"
	"interlock/workflows"
)

// liar hosts our own Proposal workflow, with local activities that say what no
// row says. Its lies stay in histories as markers, and whoever carries a run on
// begins with them.
type liar struct {
	loot

	mu   sync.Mutex
	r    *rand.Rand
	told map[string]int
}

// lieFor is how long a liar takes part in carrying proposals on.
const lieFor = 2 * time.Second

// Lie lets a liar host queue proposals for a moment, beside our own workers. It
// returns how often each activity lied.
func (f *Forger) Lie(ctx context.Context, r *rand.Rand) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l, err := f.loot(ctx)
	if err != nil {
		return nil, err
	}
	if len(l.claims) == 0 {
		return nil, errNothingToForge
	}
	liar := &liar{loot: l, r: r, told: map[string]int{}}
	w := worker.New(f.temporal, workflows.ProposalsQueue, worker.Options{LocalActivityWorkerOnly: true})
	w.RegisterWorkflowWithOptions(workflows.Proposal, workflow.RegisterOptions{Name: workflows.ProposalType})
	for _, name := range localActivities {
		says := func(_ context.Context, in any) (any, error) { return liar.says(name, in) }
		w.RegisterActivityWithOptions(says, activity.RegisterOptions{Name: name})
	}
	if err := w.Start(); err != nil {
		return nil, err
	}
	select {
	case <-time.After(lieFor):
	case <-ctx.Done():
	}
	w.Stop()
	liar.mu.Lock()
	defer liar.mu.Unlock()
	if len(liar.told) == 0 {
		return nil, errors.New("nobody was lied to")
	}
	return liar.told, nil
}

var localActivities = []string{
	proposals.ReadState, proposals.Preflight, proposals.Conclude, proposals.RecordOrder, proposals.FailExecution,
	proposals.Expire, proposals.Cancel, proposals.StoreOverride, proposals.Resolve, proposals.NoteRefusal,
}

func (l *liar) says(activity string, in any) (any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told[activity]++
	if l.r.IntN(10) == 0 {
		return nil, temporal.NewNonRetryableApplicationError("it is not there", pick(l.r, []string{proposals.NotFoundType, proposals.BugType}), nil)
	}
	switch activity {
	case proposals.ReadState:
		return l.life(fmt.Sprint(in)), nil
	case proposals.Preflight:
		return object{"verdict": object{"policyVersion": 1}, "claim": l.anotherClaim()}, nil
	case proposals.Conclude:
		order := l.order(l.r)
		return pick(l.r, []any{
			object{"concluded": true, "verdict": "accepted", "placing": object{"reply": "accepted", "order": order}},
			object{"concluded": true, "verdict": "absent", "placing": object{"reply": "not_sent", "code": "ORDER_ABSENT"}},
			object{"concluded": true, "verdict": "not_sent", "placing": object{"reply": "not_sent", "code": "EXCHANGE_UNAVAILABLE"}},
			object{"placing": object{"reply": "unknown"}, "wait": time.Hour},
		}), nil
	case proposals.RecordOrder:
		return object{"status": "EXECUTED", "order": l.order(l.r)}, nil
	case proposals.FailExecution, proposals.Expire, proposals.Cancel:
		return pick(l.r, []string{"FAILED", "EXPIRED", "CANCELLED", "PENDING", "EXECUTING"}), nil
	}
	return pick(l.r, []string{"", "it may not be"}), nil // what stands against an override, or a person's word
}

// life is what is stored of a proposal, of a status that it may not have.
func (l *liar) life(id string) object {
	claim := l.anotherClaim()
	return object{
		"proposal": object{
			"id": id, "userId": "anna", "accountId": text(claim, "accountId"), "market": "BTC-EUR", "side": "buy",
			"status":    pick(l.r, []string{"PENDING", "EXECUTING", "UNRESOLVED", "EXECUTED", "FAILED", "CANCELLED", "EXPIRED"}),
			"expiresAt": time.Now().Add(pick(l.r, []time.Duration{-time.Hour, time.Hour})),
		},
		"claim": claim, "attempts": 3, "inDoubt": l.r.IntN(4), "acceptedOrder": pick(l.r, []string{"", text(l.order(l.r), "orderId")}),
	}
}

func (l *liar) anotherClaim() object {
	c, _ := l.claim(l.r)
	return tampered(l.r, c, time.Now())
}
