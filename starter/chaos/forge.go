package chaos

import (
	"context"
	"math/rand/v2"

	"go.temporal.io/sdk/client"

	"interlock/starter/chaos/forgery"
)

// newForger connects an attacker who is given the address of Temporal and
// nothing else.
func newForger(ctx context.Context, s Stack) (*forgery.Forger, error) {
	c, err := client.DialContext(ctx, client.Options{HostPort: s.Temporal, Namespace: s.Namespace, Identity: forgery.Actor, Logger: silent})
	if err != nil {
		return nil, err
	}
	f := forgery.New(c, s.Namespace, s.Account)
	if err := f.Start(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// withForgers adds what a forger does.
func withForgers(list map[Kind]disturber) map[Kind]disturber {
	list[ForgeExecution] = counted(ForgeExecution, (*forgery.Forger).Execute)
	list[ForgeResult] = answered(ForgeResult, (*forgery.Forger).Complete)
	list[ForgeFailure] = answered(ForgeFailure, (*forgery.Forger).Fail)
	list[ForgeHeartbeat] = answered(ForgeHeartbeat, (*forgery.Forger).Beat)
	list[ForgeSignals] = forged((*forgery.Forger).Signal)
	list[ForgeUpdates] = forged((*forgery.Forger).Update)
	list[FloodRefreshes] = forged((*forgery.Forger).Flood)
	list[LieToWorkflows] = counted(LieToWorkflows, (*forgery.Forger).Lie)
	for _, activity := range forgery.Activities() {
		list[forgedCall(activity)] = counted(forgedCall(activity), func(f *forgery.Forger, ctx context.Context, r *rand.Rand) (map[string]int, error) {
			return f.Call(ctx, r, activity)
		})
	}
	for _, workflow := range forgery.Workflows() {
		list[forgedStart(workflow)] = forged(func(f *forgery.Forger, ctx context.Context, r *rand.Rand) error {
			return f.StartWorkflow(ctx, r, workflow)
		})
	}
	return list
}

func (d Disturbance) chances() *rand.Rand { return rand.New(rand.NewPCG(d.Pick, uint64(d.At))) }

func forged(act func(*forgery.Forger, context.Context, *rand.Rand) error) disturber {
	return func(c *campaign, ctx context.Context, d Disturbance) error { return act(c.forger, ctx, d.chances()) }
}

// counted keeps how often a forgery was answered in which way.
func counted(k Kind, act func(*forgery.Forger, context.Context, *rand.Rand) (map[string]int, error)) disturber {
	return func(c *campaign, ctx context.Context, d Disturbance) error {
		answers, err := act(c.forger, ctx, d.chances())
		for answer, n := range answers {
			for range n {
				c.tally.answered(string(k) + ": " + answer)
			}
		}
		return err
	}
}

// answered keeps for which activity a forged answer was taken.
func answered(k Kind, act func(*forgery.Forger, context.Context, *rand.Rand) (string, error)) disturber {
	return func(c *campaign, ctx context.Context, d Disturbance) error {
		activity, err := act(c.forger, ctx, d.chances())
		if err == nil {
			c.tally.answered(string(k) + ": " + activity)
		}
		return err
	}
}
