package demo

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"interlock/internal/trade"
)

var executedOnce = scenario{
	id: "idempotency", name: "Executed once, however often it is asked",
	did: "executed one proposal twice",
	try: func(ctx context.Context, k *kit) (string, bool, error) {
		u, id, err := k.oneProposal(ctx, "idempotency", nil)
		if err != nil {
			return "", false, err
		}
		first, err := u.execute(ctx, id, nil)
		if err != nil {
			return "", false, err
		}
		second, err := u.execute(ctx, id, nil)
		if err != nil {
			return "", false, err
		}
		n, err := u.ordersOf(ctx, id)
		return words(first.String(), second.String(), orders(n)), first.executed() && second.status == 409 && n == 1, err
	},
}

// oneProposal is a trader with one buy.
func (k *kit) oneProposal(ctx context.Context, name string, changes map[string]any) (*user, string, error) {
	u, err := k.trader(ctx, name, changes)
	if err != nil {
		return nil, "", err
	}
	id, err := u.propose(ctx, trade.Buy)
	return u, id, err
}

// together asks for n executions at the same moment; the n-th is of id(n).
func (u *user) together(ctx context.Context, n int, id func(int) string) (map[string]int, error) {
	var mu sync.Mutex
	var failed error
	counts, start := map[string]int{}, make(chan struct{})
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			<-start
			r, err := u.execute(ctx, id(i), nil)
			mu.Lock()
			defer mu.Unlock()
			counts[r.kind()]++
			if err != nil {
				failed = err
			}
		})
	}
	close(start)
	running.Wait()
	return counts, failed
}

var executedByFifty = scenario{
	id: "idempotency-concurrent", name: "Fifty at once place one order",
	did: "executed one proposal 50 times at the same moment, with an exchange that answers after 2 s",
	try: func(ctx context.Context, k *kit) (saw string, held bool, err error) {
		u, id, err := k.oneProposal(ctx, "fifty", nil)
		if err != nil {
			return "", false, err
		}
		if err := k.exchange.delay(ctx, 2*time.Second); err != nil {
			return "", false, err
		}
		defer func() { err = firstOf(err, k.exchange.repair(ctx)) }()
		counts, err := u.together(ctx, 50, func(int) string { return id })
		if err != nil {
			return "", false, err
		}
		if err := u.becomes(ctx, id, trade.Executed); err != nil {
			return "", false, err
		}
		n, err := u.ordersOf(ctx, id)
		won, lost := counts["200"], counts["409 PROPOSAL_CLOSED"]
		return fmt.Sprintf("%d won, %d times 409, %s", won, lost, orders(n)), won == 1 && lost == 49 && n == 1, err
	},
}

var limitedTogether = scenario{
	id: "concurrency-limit", name: "Limits hold under concurrency",
	did: "executed 40 proposals of one user at the same moment, with at most 3 trades an hour",
	try: func(ctx context.Context, k *kit) (string, bool, error) {
		const proposals, limit = 40, 3
		u, err := k.trader(ctx, "forty", map[string]any{"tradesPerHour": limit})
		if err != nil {
			return "", false, err
		}
		ids := make([]string, proposals)
		for i := range ids {
			if ids[i], err = u.propose(ctx, trade.Buy); err != nil {
				return "", false, err
			}
		}
		counts, err := u.together(ctx, proposals, func(i int) string { return ids[i] })
		if err != nil {
			return "", false, err
		}
		n, err := u.ordersOf(ctx, ids...)
		won, blocked := counts["200"], counts["400 HOURLY_LIMIT_REACHED"]
		return fmt.Sprintf("%d executed, %d times HOURLY_LIMIT_REACHED, %s", won, blocked, orders(n)),
			won == limit && blocked == proposals-limit && n == limit, err
	},
}

var forgottenByTemporal = scenario{
	id: "memory", name: "Executed stays executed when Temporal forgets",
	did: "executed a proposal, deleted its workflow with the temporal CLI, executed it again",
	try: func(ctx context.Context, k *kit) (string, bool, error) {
		u, id, err := k.oneProposal(ctx, "memory", nil)
		if err != nil {
			return "", false, err
		}
		once, err := u.execute(ctx, id, nil)
		if err != nil {
			return "", false, err
		}
		if err := k.temporal(ctx, "workflow", "delete", "--workflow-id", id); err != nil {
			return "", false, err
		}
		err = until(ctx, func() (string, error) {
			gone := k.temporal(ctx, "workflow", "describe", "--workflow-id", id) != nil
			return unless(gone, "Temporal still has workflow %s", id), nil
		})
		if err != nil {
			return "", false, err
		}
		again, err := u.execute(ctx, id, nil)
		if err != nil {
			return "", false, err
		}
		n, err := u.ordersOf(ctx, id)
		return words(once.String(), again.String(), orders(n)), once.executed() && again.status == http.StatusConflict && n == 1, err
	},
}

// firstOf is the first error that is one.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
