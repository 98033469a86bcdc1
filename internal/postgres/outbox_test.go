package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/outbox"
	"interlock/internal/trade"
)

// told are an account's events so far, all of them or a user's.
func (d desk) told(user string) []outbox.Event {
	d.t.Helper()
	list, err := d.as(APIRole).Events(ctx, account, user, 0, 1000)
	require.NoError(d.t, err)
	return list
}

func kindsOf(events []outbox.Event) []outbox.Kind {
	kinds := []outbox.Kind{}
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func TestEveryFactOfAProposalIsToldOnceAndInItsOrder(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, deadline := d.inDoubt("p")
	d.conclude(c, 1)
	d.conclude(c, 1) // still unresolved: nothing new
	d.look(c, trade.NotThere, deadline.Add(31*time.Second))
	d.look(c, trade.NotThere, deadline.Add(62*time.Second))
	require.Equal(t, trade.OutcomeAbsent, d.conclude(c, 1).Outcome)
	require.Equal(t, trade.Failed, d.fail(c))
	require.Equal(t, trade.Failed, d.fail(c))
	require.NoError(t, d.SetTradingState(ctx, account, trade.Halted, "olga", "odd"))
	require.NoError(t, d.SetTradingState(ctx, account, trade.Halted, "olga", "still odd"))
	require.NotEmpty(t, d.ask("p").Verdict.Blocks())
	require.NoError(t, d.SetTradingState(ctx, account, trade.Active, "olga", "fine"))

	events := d.told("anna")
	require.Equal(t, []outbox.Kind{outbox.Unresolved, outbox.Failed, outbox.Halted, outbox.Blocked, outbox.Resumed}, kindsOf(events))
	require.Equal(t, "p", events[0].ProposalID)
	require.Contains(t, events[1].Text(), "proposal p failed with ORDER_ABSENT and placed nothing: the exchange has no such order.")
	require.Contains(t, events[2].Text(), `trading is halted. olga did it, because "odd".`)
	require.Contains(t, events[3].Text(), "TRADING_HALTED")
	require.Contains(t, events[4].Text(), fmt.Sprintf("(event %d)", events[4].ID))
	require.Equal(t, []outbox.Kind{outbox.Halted, outbox.Resumed}, kindsOf(d.told("bert")), "another's proposal is nobody else's business")
}

func TestWhatWasExecutedIsToldWithWhatWasFilled(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.executed("p")
	events := d.told("anna")
	require.Equal(t, []outbox.Kind{outbox.Executed}, kindsOf(events))
	require.Contains(t, events[0].Text(), "proposal p was executed: bought 0.001 BTC for ")
}

func TestOnlyWhatNobodyExecutesByItselfWaitsForAPerson(t *testing.T) {
	t.Parallel()
	for _, auto := range []bool{false, true} {
		d, j, _ := scanning(t, func(p *trade.Policy) { p.AutoExecute = trade.Switch(auto) })
		_, err := d.as(ScansRole).StoreIdeas(ctx, "run", j, []trade.Proposal{idea("run", 1, "BTC-EUR", trade.Buy)}, []string{"a"}, nil)
		require.NoError(t, err)
		_, _, err = d.InsertProposal(ctx, proposalOf("own"), "anna")
		require.NoError(t, err)
		if auto {
			require.Empty(t, d.told("anna"))
			continue
		}
		events := d.told("anna")
		require.Equal(t, []outbox.Kind{outbox.Waiting}, kindsOf(events), "what a person proposed waits for nobody")
		require.Equal(t, "run-1", events[0].ProposalID)
		require.Contains(t, events[0].Text(), "waits for a person until")
	}
}

func proposalOf(id string) trade.Proposal {
	p := idea("x", 1, "ETH-EUR", trade.Buy)
	p.ID, p.ExpiresAt = id, time.Now().Add(time.Hour)
	return p
}

func TestAnOverrideThatNeedsASecondPersonIsTold(t *testing.T) {
	t.Parallel()
	d := cooled(t, fourEyes("10"))
	require.Empty(t, d.overrideByAPI(given("o1", "p", "anna")))
	events := d.told("anna")
	require.Equal(t, []outbox.Kind{outbox.Waiting}, kindsOf(events))
	require.Contains(t, events[0].Text(), "Confirm override o1")

	small := cooled(t, fourEyes("10000"))
	require.Empty(t, small.overrideByAPI(given("o1", "p", "anna")))
	require.Empty(t, small.told("anna"), "one person is enough below the policy's value")
}

func TestADifferenceAndWhatItStoppedAreToldOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.concludedAbsent("p", false)
	before := len(d.told(""))
	late := orderOf(c, "o-late", "new")
	d.show(d.as(OrdersRole), late)
	d.show(d.as(OrdersRole), late)
	events := d.told("")[before:]
	require.ElementsMatch(t, []outbox.Kind{outbox.Difference, outbox.Halted}, kindsOf(events))
	for _, e := range events {
		if e.Kind == outbox.Difference {
			require.Equal(t, "p", e.ProposalID)
			require.Contains(t, e.Text(), "ALARM: order o-late")
		}
	}
}

func TestABudgetThatIsUsedUpIsToldOnceAnHour(t *testing.T) {
	t.Parallel()
	d, _, _ := scanning(t)
	for _, run := range []string{"run", "later"} {
		require.NoError(t, d.as(ScansRole).EndScan(ctx, run, "job", "HOURLY_BUDGET_EXHAUSTED", "10 of 10 calls were made"))
	}
	events := d.told("anna")
	require.Equal(t, []outbox.Kind{outbox.BudgetExhausted}, kindsOf(events))
	require.Contains(t, events[0].Text(), "HOURLY_BUDGET_EXHAUSTED")
}

func TestMoreThanOneFailureInTenIsToldOnceAnHour(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	fail := func(id string) {
		require.Equal(t, trade.Failed, d.fail(d.claimed(id)))
	}
	rates := func() (n int) {
		for _, k := range kindsOf(d.told("")) {
			if k == outbox.FailureRate {
				n++
			}
		}
		return n
	}
	for i := range 9 {
		fail(fmt.Sprintf("f%d", i))
	}
	require.Zero(t, rates(), "nine say nothing")
	d.exec(`UPDATE interlock.trade_executions SET ended_at = now() - interval '2 hours'`)
	fail("g0")
	for i := range 9 {
		d.executed(fmt.Sprintf("e%d", i))
	}
	require.Zero(t, rates(), "one in ten is not more than one in ten")
	fail("g1")
	require.Equal(t, 1, rates())
	fail("g2")
	require.Equal(t, 1, rates())
}

func TestAFactThatIsRolledBackIsNotTold(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		if err := appendAudit(ctx, tx, event{Chain: account, Kind: "execution.unresolved", User: "anna", Proposal: "p", Body: map[string]any{}}); err != nil {
			return err
		}
		return context.Canceled
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, d.told(""))
}

// A receiver that remembers what it has seen would throw away the new event of
// an old number.
func TestARestoredDatabaseGivesNoEventANumberThatItsLostFutureUsed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	halt := func(state trade.TradingState) int64 {
		require.NoError(t, d.SetTradingState(ctx, account, state, "olga", "test"))
		events := d.told("")
		return events[len(events)-1].ID
	}
	first := halt(trade.Halted)
	require.Equal(t, first+1, halt(trade.Active))
	d.exec(`ALTER TABLE interlock.outbox DISABLE TRIGGER outbox_immutable`)
	d.exec(`UPDATE interlock.outbox SET life = 'the one that was backed up'`)
	restored := halt(trade.Halted)
	require.GreaterOrEqual(t, restored, first+1_000_000)
	require.Equal(t, restored+1, halt(trade.Active), "once in a life")
}

// Whoever has a number and has not committed holds up all later numbers: a
// reader that goes on after the last ID it saw has missed nothing.
func TestConcurrentCommittersLoseNoEvent(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.exec(`INSERT INTO interlock.accounts (id, venue, rest_url) VALUES ('second', 'paper', 'http://127.0.0.1:1')`)
	slow := d.held()
	require.NoError(t, setControl(ctx, slow, Control{Scope: account, State: trade.Halted, Actor: "olga", Reason: "slow"}, false))
	_, err := slow.Exec(ctx, `SET CONSTRAINTS ALL IMMEDIATE`) // numbered as at the commit, which is not over yet
	require.NoError(t, err)
	d.queue(slow, func() error { return d.SetTradingState(ctx, "second", trade.Halted, "anna", "quick") })
	events, err := d.Events(ctx, AllAccounts, "", 0, 50)
	require.NoError(t, err)
	require.Len(t, events, 2)
	require.Equal(t, []string{account, "second"}, []string{events[0].AccountID, events[1].AccountID})
}
