package demo

import (
	"context"
	"fmt"
	"time"

	"interlock/internal/trade"
	"interlock/starter/stack"
)

var replyLost = scenario{
	id: "lost-reply", name: "A lost reply is found out, never sent again",
	did: "let the exchange take the order and hang up, then waited",
	try: func(ctx context.Context, k *kit) (saw string, held bool, err error) {
		u, id, err := k.oneProposal(ctx, "lost", nil)
		if err != nil {
			return "", false, err
		}
		if err := k.exchange.loseReply(ctx); err != nil {
			return "", false, err
		}
		defer func() { err = firstOf(err, k.exchange.repair(ctx)) }()
		answer, err := u.execute(ctx, id, nil)
		if err != nil {
			return "", false, err
		}
		if err := u.becomes(ctx, id, trade.Executed); err != nil {
			return answer.String(), false, err
		}
		again, err := u.execute(ctx, id, nil)
		if err != nil {
			return "", false, err
		}
		n, err := u.ordersOf(ctx, id)
		return words(answer.String(), "found and EXECUTED", "again "+again.String(), orders(n)),
			answer.executed() && again.status == 409 && n == 1, err
	},
}

var workerKilled = scenario{
	id: "worker-killed", name: "A killed worker leaves one order",
	did: "killed the orders worker after the exchange took the order and before it answered, then waited",
	try: func(ctx context.Context, k *kit) (saw string, held bool, err error) {
		u, id, err := k.oneProposal(ctx, "killed", nil)
		if err != nil {
			return "", false, err
		}
		if err := k.exchange.delay(ctx, 3*time.Second); err != nil {
			return "", false, err
		}
		defer func() { err = firstOf(err, k.exchange.repair(ctx)) }()
		answered := make(chan reply, 1)
		go func() {
			r, _ := u.execute(ctx, id, nil) // a lost answer is no answer
			answered <- r
		}()
		if err := until(ctx, func() (string, error) {
			n, err := u.ordersOf(ctx, id)
			return unless(n > 0, "no order of %s at the exchange", id), err
		}); err != nil {
			return "", false, err
		}
		if err := k.Kill(stack.WorkerName("orders", 1)); err != nil {
			return "", false, err
		}
		answer := <-answered
		if err := u.becomes(ctx, id, trade.Executed); err != nil {
			return answer.String(), false, err
		}
		n, err := u.ordersOf(ctx, id)
		return words(answer.String()+" meanwhile", "found and EXECUTED", orders(n)), answer.executed() && n == 1, err
	},
}

var auditHolds = scenario{
	id: "audit", name: "Everything is in an audit that cannot be rewritten",
	did: "recomputed every hash of the audit after all of the above",
	try: func(ctx context.Context, k *kit) (string, bool, error) {
		chains, err := k.store.VerifyAudit(ctx)
		if err != nil {
			return "", false, err
		}
		rows, held := int64(0), len(chains) > 0
		for _, c := range chains {
			rows += c.Rows
			held = held && c.Holds()
		}
		return fmt.Sprintf("%d chains, %d events, sound: %v", len(chains), rows, held), held, nil
	},
}
