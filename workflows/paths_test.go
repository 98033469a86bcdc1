package workflows

import (
	"errors"
	"testing"
	"time"

	"interlock/activities/orders"
	"interlock/internal/trade"
	"interlock/internal/waittest"
)

// turnedPaths are the ways through Proposal on which something else than the
// plain course happens: a claim is lost, taken over, or carried over.
var turnedPaths = []path{
	{"worker-lost-then-executed", func(b *bench) { b.lost = 1 }, executes},
	{"worker-lost-then-found", func(b *bench) {
		b.lost, b.findings = 1, []trade.Finding{inDoubt(time.Second), {Concluded: true, Result: accepted(filled)}}
	}, executes},
	{"rested-then-filled", func(b *bench) {
		b.placings, b.orders = []trade.AttemptResult{accepted(openOrder)}, []trade.Order{filled}
		b.won = func(c *trade.Claim) { c.Plan.TimeInForce, c.Plan.TimeToLive = "GTC", trade.Duration(time.Hour) }
	}, executes},
	{"refused-then-executed", func(b *bench) {
		b.placings = []trade.AttemptResult{{Reply: trade.Refused, Code: "217"}, accepted(filled)}
		b.won = func(c *trade.Claim) { c.NextAttempt = b.calls[orders.PlaceOrder] + 1 }
	}, func(t *testing.T, l live) { executes(t, l); executes(t, l) }},
	{"unsent-too-late", func(b *bench) {
		b.lives(5 * time.Second)
		b.placings = []trade.AttemptResult{{Reply: trade.NotSent, Code: "105"}}
		b.won = func(c *trade.Claim) { c.ClaimedAt = time.Now().Add(-trade.SendWithin) }
	}, executes},
	{"override-by-update-executed", nil, func(t *testing.T, l live) {
		l.update(t, OverrideName, OverrideRequest{Cooldown: true, Actor: "anna", Reason: "news", Execute: true})
	}},
	{"override-refused", func(b *bench) { b.problem = "it has expired"; b.lives(3 * time.Second) }, func(t *testing.T, l live) {
		l.update(t, OverrideName, OverrideRequest{Cooldown: true, Actor: "anna", Reason: "news", Execute: true})
	}},
	{"signals-refused", func(b *bench) { b.lives(3 * time.Second) }, func(t *testing.T, l live) {
		for _, name := range []string{CancelSignal, OverrideName, ResolveName} {
			l.signal(t, name, map[string]any{"actor": "anna", "unknown": 1})
			l.signal(t, name, map[string]any{})
		}
	}},
	{"resolve-refused", func(b *bench) {
		inDoubtForLong(b)
		b.problem = "the order may still be placed"
	}, func(t *testing.T, l live) {
		l.begin(t, ExecuteRequest{Actor: "anna"})
		l.update(t, ResolveName, ResolveRequest{Absent: true, Actor: "olga", Reason: "looked"})
		l.update(t, ResolveName, ResolveRequest{Actor: "olga", Reason: "looked"})
		l.bench.problem = ""
		l.update(t, ResolveName, ResolveRequest{OrderID: "order-1", Actor: "olga", Reason: "looked"})
	}},
	{"cancelled-while-unresolved", inDoubtForLong, func(t *testing.T, l live) {
		l.begin(t, ExecuteRequest{Actor: "anna"})
		l.signal(t, CancelSignal, CancelRequest{Actor: "anna", Reason: "news"})
		l.update(t, ResolveName, ResolveRequest{Absent: true, Actor: "olga", Reason: "looked"})
	}},
	{"taken-over-untried", func(b *bench) {
		b.life.Claim, b.life.Proposal.Status = b.claim(), trade.Executing
		b.lives(3 * time.Second)
	}, rests},
	{"taken-over-accepted", func(b *bench) {
		claim := *b.claim()
		claim.NextAttempt, claim.Untried = 2, false
		b.life.Claim, b.life.AcceptedOrder, b.life.Attempts, b.life.Proposal.Status = &claim, "order-1", 1, trade.Executing
	}, rests},
	{"taken-over-refused", func(b *bench) {
		claim := *b.claim()
		claim.NextAttempt, claim.Untried = 2, false
		b.life.Claim, b.life.Attempts, b.life.Proposal.Status = &claim, 1, trade.Executing
		b.findings = []trade.Finding{{Concluded: true, Result: trade.AttemptResult{Reply: trade.Refused, Code: "217"}}}
		b.lives(3 * time.Second)
	}, rests},
	{"claim-lost", func(b *bench) {
		b.lives(6 * time.Second)
		b.placings = []trade.AttemptResult{accepted(openOrder)}
		b.won = func(*trade.Claim) { b.restore() }
	}, executes},
	{"claim-lost-in-doubt", func(b *bench) {
		b.lives(6 * time.Second)
		b.placings = []trade.AttemptResult{unknownReply}
		b.won = func(*trade.Claim) { b.restore() }
	}, executes},
	{"refreshed-with-a-claim", nil, func(t *testing.T, l live) {
		l.whenRead(t)
		l.bench.life.Claim, l.bench.life.Proposal.Status = l.bench.claim(), trade.Executing
		l.bench.findings = []trade.Finding{inDoubt(time.Second), {Concluded: true, Result: accepted(filled)}}
		l.signal(t, RefreshSignal, struct{}{})
	}},
	{"renewed-while-unresolved", func(b *bench) {
		b.short = true
		b.placings = []trade.AttemptResult{unknownReply}
		for range 14 { // longer than whoever asked is kept waiting
			b.findings = append(b.findings, inDoubt(time.Second))
		}
		b.findings = append(b.findings, trade.Finding{Concluded: true, Result: accepted(filled)})
	}, func(t *testing.T, l live) { l.begin(t, ExecuteRequest{Actor: "anna"}) }},
	{"renewed-while-waiting", func(b *bench) { b.short = true; b.lives(10 * time.Second) }, func(t *testing.T, l live) {
		for range 10 {
			l.signal(t, RefreshSignal, struct{}{})
		}
	}},
	{"signals-refused-and-kept", func(b *bench) { b.lives(3 * time.Second) }, func(t *testing.T, l live) {
		for _, name := range []string{CancelSignal, OverrideName, ResolveName} {
			l.signal(t, name, map[string]any{"actor": "anna", "unknown": 1})
			l.signal(t, name, map[string]any{})
		}
	}},
	{"looked-up-until-found", func(b *bench) {
		b.placings = []trade.AttemptResult{unknownReply}
		b.findings = []trade.Finding{inDoubt(time.Second), inDoubt(time.Second), {Concluded: true, Result: accepted(filled)}}
	}, executes},
	{"lookup-ended-by-a-resolution", func(b *bench) {
		inDoubtForLong(b)
		b.silent = func() bool { return true }
	}, func(t *testing.T, l live) {
		l.begin(t, ExecuteRequest{Actor: "anna"})
		waittest.Until(t, "a lookup", func() error { return waittest.Is(l.bench.count(orders.FindOrder) > 0, "there was none") })
		l.update(t, ResolveName, ResolveRequest{Absent: true, Actor: "olga", Reason: "looked"})
	}},
	{"renewed-while-following", func(b *bench) {
		b.short = true
		b.placings, b.orders = []trade.AttemptResult{accepted(openOrder)}, []trade.Order{openOrder, openOrder, openOrder, filled}
		b.won = func(c *trade.Claim) {
			c.Plan.TimeInForce, c.Plan.TimeToLive = "GTC", trade.Duration(time.Second)
			b.life.AcceptedOrder = "order-1"
		}
	}, func(t *testing.T, l live) { l.begin(t, ExecuteRequest{Actor: "anna"}) }},
	{"accepted-order-resolved", func(b *bench) {
		b.placings, b.orders = []trade.AttemptResult{accepted(openOrder)}, []trade.Order{openOrder, filled}
		b.won = func(c *trade.Claim) {
			c.Plan.TimeInForce, c.Plan.TimeToLive = "GTC", trade.Duration(5*time.Second)
			b.life.AcceptedOrder = "order-1"
		}
	}, func(t *testing.T, l live) {
		l.begin(t, ExecuteRequest{Actor: "anna"})
		waittest.Until(t, "somebody follows", func() error { return waittest.Is(l.bench.count(orders.FollowOrder) > 0, "nobody did") })
		l.update(t, ResolveName, ResolveRequest{OrderID: "order-1", Actor: "olga", Reason: "looked"})
	}},
	{"end-that-no-row-has", func(b *bench) { b.unended = 1 }, executes},
	{"failure-that-the-rows-deny", func(b *bench) {
		b.placings, b.alive = []trade.AttemptResult{{Reply: trade.Refused, Code: "217"}}, trade.Unresolved
		b.won = func(*trade.Claim) { b.life.InDoubt = 1 }
		b.findings = []trade.Finding{inDoubt(time.Second), {Concluded: true, Result: accepted(filled)}}
	}, executes},
	{"continued-in-doubt", func(b *bench) {
		claim := *b.claim()
		claim.NextAttempt, claim.Untried = 2, false
		b.life.Claim, b.life.InDoubt, b.life.Proposal.Status = &claim, 1, trade.Unresolved
		b.input = ProposalInput{Looks: 1, Taken: &ResolveRequest{Absent: true, Actor: "olga", Reason: "looked"}}
		b.findings = []trade.Finding{inDoubt(time.Second), {Concluded: true, Result: accepted(filled)}}
	}, rests},
}

func executes(t *testing.T, l live) { t.Helper(); l.execute(t, ExecuteRequest{Actor: "anna"}) }

func rests(*testing.T, live) {}

// whenRead waits until the run has read the records for the first time.
func (l live) whenRead(t *testing.T) {
	t.Helper()
	waittest.Until(t, "a run that has read the records", func() error {
		value, err := l.QueryWorkflow(t.Context(), l.id, "", StateQuery)
		if err != nil {
			return err
		}
		var s State
		return errors.Join(value.Get(&s), waittest.Is(s.Status == trade.Pending, "it is %q", s.Status))
	})
}
