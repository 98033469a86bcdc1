package postgres

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

func TestExpiryAndClaimExcludeEachOther(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for i := range 20 {
		id := fmt.Sprintf("p%d", i)
		d.propose(id, trade.Buy)
		d.exec(`UPDATE interlock.trade_proposals SET expires_at = clock_timestamp() + interval '3 ms' WHERE id = $1`, id)
		var claimed bool
		rivals(2, func(i int) {
			if i == 0 {
				claimed = d.ask(id).Claim != nil
				return
			}
			for status := trade.Pending; status == trade.Pending; {
				require.NoError(t, outwait(func() (err error) { status, err = d.Expire(ctx, id); return err }))
			}
		})
		want := trade.Expired
		if claimed {
			want = trade.Executing
		}
		require.Equal(t, want, d.life(id).Proposal.Status)
	}
}

func TestCancelClosesBeforeTheClaimAndIsRememberedAfterIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.propose("early", trade.Buy)
	status, err := d.Cancel(ctx, "early", "anna", "news")
	require.NoError(t, err)
	require.Equal(t, trade.Cancelled, status)
	require.Nil(t, d.ask("early").Claim)

	c := d.claimed("late")
	status, err = d.Cancel(ctx, "late", "anna", "news")
	require.NoError(t, err)
	require.Equal(t, trade.Executing, status)
	require.Equal(t, "anna", d.life("late").CancelledBy)
	require.Equal(t, trade.NotSent, d.begin(c, 1).Reply)
	require.Equal(t, trade.Cancelled, d.fail(c))
	require.Equal(t, trade.Cancelled, d.life("late").Proposal.Status, "and that is its end once nothing was placed")
	require.Nil(t, d.ask("late").Claim)

	_, err = d.Cancel(ctx, "late", "", "")
	require.ErrorIs(t, err, ErrInvalid)
	_, err = d.Cancel(ctx, "nowhere", "anna", "news")
	require.ErrorIs(t, err, ErrNotFound)
}

// TestASecondCancelClosesWhatFailedAfterTheFirst was found by the simulation: a
// cancelled workflow asked again and again, without a pause, for ever.
func TestASecondCancelClosesWhatFailedAfterTheFirst(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.claimed("p")
	for range 2 {
		status, err := d.Cancel(ctx, "p", "anna", "news")
		require.NoError(t, err)
		require.Equal(t, trade.Executing, status)
	}
	require.Equal(t, trade.Cancelled, d.fail(c))
	status, err := d.Cancel(ctx, "p", "temporal", "the workflow was cancelled")
	require.NoError(t, err)
	require.Equal(t, trade.Cancelled, status)
}

func TestClosedProposalStaysClosedWhoeverWrites(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.executed("p")
	_, err := d.pool.Exec(ctx, `UPDATE interlock.trade_proposals SET status = 'PENDING'`)
	require.ErrorIs(t, classify(err), ErrInvalid)
	_, err = d.pool.Exec(ctx, `UPDATE interlock.trade_proposals SET amount = 2`)
	require.ErrorIs(t, classify(err), ErrInvalid)
}

func (d desk) override(o trade.Override) string {
	d.t.Helper()
	problem, err := d.StoreOverride(ctx, o, "signal")
	require.NoError(d.t, err)
	return problem
}

func cooling(p *trade.Policy) { p.Cooldown = trade.Duration(time.Hour) }

func TestOverrideLooksPastKnownTradesOnlyAndIsUsedOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cooling)
	d.exec(`INSERT INTO interlock.trade_history (user_id, asset, side, executed_at) VALUES ('anna', 'btc', 'BUY', now() - interval '30 min')`)
	d.propose("p", trade.Buy)
	require.Equal(t, []trade.Code{trade.CooldownBlocked}, codes(d.ask("p").Verdict), "a row of another program counts")

	o := trade.Override{ID: "o1", ProposalID: "p", Cooldown: true, Actor: "anna", Reason: "news"}
	require.Empty(t, d.override(o))
	require.Empty(t, d.override(o), "the same again is one")
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.overrides`))

	d.exec(`INSERT INTO interlock.trade_history (user_id, asset, side, executed_at) VALUES ('anna', 'BTC', 'buy', now() - interval '20 min')`)
	require.Equal(t, []trade.Code{trade.CooldownBlocked}, codes(d.ask("p").Verdict), "a trade that became known later still blocks")

	o.ID = "o2"
	require.Empty(t, d.override(o))
	require.NotNil(t, d.ask("p").Claim)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.overrides WHERE id = 'o2' AND consumed_by IS NOT NULL`))
}

func TestOverrideOfARequestIsStoredWhenItIsUsed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cooling)
	d.executed("first")
	d.propose("p", trade.Buy)
	req := request("p")
	req.OverrideCooldown = true
	decision, err := d.Preflight(ctx, req)
	require.NoError(t, err)
	require.Equal(t, []trade.Code{trade.CooldownBlocked}, codes(decision.Verdict), "an override without a reason is none")
	req.ID, req.Reason = "with-reason", "news"
	decision, err = d.Preflight(ctx, req)
	require.NoError(t, err)
	require.NotNil(t, decision.Claim)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.overrides WHERE id = 'with-reason' AND consumed_by = 'with-reason' AND reason = 'news'`))
}

func TestUnusableOverrideChangesNothingAndTheAuditSaysWhy(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.propose("p", trade.Buy)
	require.Contains(t, d.override(trade.Override{ID: "o", ProposalID: "p", Cooldown: true, Reason: "news"}), "actor")
	require.Contains(t, d.override(trade.Override{ID: "o", ProposalID: "p", Cooldown: true, Actor: "anna"}), "reason")
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.overrides`))
	require.Equal(t, 2, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'override.refused' AND body->>'problem' <> ''`))
}

func TestExposureCountsWhatIsHeldAndEveryOpenBuyInFull(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(p *trade.Policy) { p.ExposureMarket = trade.AmountLimit{Value: dec("250")} })
	d.executed("held") // 0.001 at 80000
	d.claimed("open")  // 0.001 at most 81600
	d.propose("p", trade.Buy)
	blocked := d.ask("p")
	require.Empty(t, blocked.Verdict.Blocks(), "80 + 81.6 + 81.6 is within 250")
	d.propose("q", trade.Buy)
	require.Equal(t, []trade.Code{trade.ExposureLimitReached}, codes(d.ask("q").Verdict))
	d.propose("s", trade.Sell)
	require.Empty(t, d.ask("s").Verdict.Blocks(), "a sell only shrinks what is held")
}

func TestReducingAdmitsOnlySellsOfWhatIsHeld(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.executed("held")
	d.exec(`UPDATE interlock.trading_controls SET state = 'REDUCING' WHERE scope = 'paper'`)
	d.propose("buy", trade.Buy)
	require.Equal(t, []trade.Code{trade.TradingHalted}, codes(d.ask("buy").Verdict))
	d.propose("sell", trade.Sell)
	c := d.ask("sell").Claim
	require.NotNil(t, c)
	require.Nil(t, d.begin(*c, 1))
	d.propose("again", trade.Sell)
	require.Equal(t, []trade.Code{trade.TradingHalted}, codes(d.ask("again").Verdict), "what an open sell takes is no longer held")
}

func TestReconcileShowsWhatIsUnknownAndAdoptsNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	done := d.executed("done")
	d.propose("lost", trade.Buy)
	lost := d.claimed("temporary")
	unknown := orderOf(lost, "o-unknown", "filled")
	unknown.ClientOrderID = "8d5bd4e3-5d0c-4ba4-bf8e-2a6ad30a1f0e"
	differs := orderOf(done, "order-done", "filled")
	differs.FilledAmount = dec("0.002")
	found, err := d.Compare(ctx, trade.Comparison{AccountID: account, StartedAt: time.Now(), Orders: []trade.Order{
		unknown, differs, orderOf(lost, "o-running", "new"), orderOf(done, "order-second", "filled"),
	}})
	require.NoError(t, err)
	require.Equal(t, 3, found.Differences, "the unknown one, the one whose amount differs, and a second order of one proposal; not the running one")
	require.Equal(t, 2, d.count(`SELECT count(*) FROM interlock.trade_executions`), "nothing is adopted")
}

func TestAnOrderThatBearsTheProposalsIDBlocksIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.propose("p", trade.Buy)
	tx, err := d.pool.Begin(ctx)
	require.NoError(t, err)
	id, err := clientOrderID(ctx, tx, d.life("p").Proposal)
	require.NoError(t, err)
	require.NoError(t, tx.Rollback(ctx))
	o := trade.Order{OrderID: "o-restored", Market: "BTC-EUR", Side: trade.Buy, ClientOrderID: id.String(), Status: "filled"}
	_, err = d.Compare(ctx, trade.Comparison{AccountID: account, StartedAt: time.Now(), Orders: []trade.Order{o}})
	require.NoError(t, err)
	require.Equal(t, []trade.Code{trade.OrderUnresolved}, codes(d.ask("p").Verdict))
}

func TestAComparisonByAnotherDatabaseDoesNotCount(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.exec(`UPDATE interlock.reconciliations SET database_id = 'the one that was backed up'`)
	d.propose("p", trade.Buy)
	require.Equal(t, []trade.Code{trade.ReconcileStale}, codes(d.ask("p").Verdict))
}

func TestSweepListsWhatNobodyLives(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.propose("foreign", trade.Buy)
	unseen, err := d.UnseenProposals(ctx, time.Minute, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"foreign"}, unseen)
	require.NoError(t, d.SeenWorkflow(ctx, "foreign"))
	unseen, err = d.UnseenProposals(ctx, time.Minute, 10)
	require.NoError(t, err)
	require.Empty(t, unseen)

	d.exec(`UPDATE interlock.trade_proposals SET expires_at = now() - interval '1 s' WHERE id = 'foreign'`)
	due, err := d.DueProposals(ctx, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"foreign"}, due)

	d.claimed("open")
	d.exec(`UPDATE interlock.trade_executions SET claimed_at = now() - interval '2 min'`)
	open, err := d.OpenExecutions(ctx, time.Minute, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"open"}, open)
	require.Zero(t, d.tells("open", 1), "it was claimed just now")
	d.exec(`UPDATE interlock.trade_executions SET followed_at = now() - interval '31 s'`)
	require.Equal(t, 1, d.tells("open", 2), "a claim that nobody follows")
}

// tells is how many of n sweeps may tell a run.
func (d desk) tells(id string, n int) (told int) {
	d.t.Helper()
	for range n {
		tell, err := d.as(ProposalsRole).MayTell(ctx, id)
		require.NoError(d.t, err)
		if tell {
			told++
		}
	}
	return told
}

func TestARunIsToldEverMoreSeldomWhoeverSweepsUntilSomebodyFollows(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.claimed("p")
	require.Zero(t, d.tells("p", 3), "it was just claimed")
	require.Zero(t, d.tells("unknown", 1))
	later := func(by string) {
		d.exec(`UPDATE interlock.trade_executions SET claimed_at = claimed_at - $1::interval, followed_at = followed_at - $1::interval, told_at = told_at - $1::interval`, by)
	}
	later("31 s")
	var told atomic.Int64
	rivals(8, func(int) {
		tell, err := d.MayTell(ctx, "p")
		require.NoError(t, err)
		if tell {
			told.Add(1)
		}
	})
	require.LessOrEqual(t, told.Load(), int64(1), "one of rivals")
	require.Equal(t, int64(1), told.Load()+int64(d.tells("p", 3)))
	for _, pause := range []string{"15 s", "30 s", "1 min", "2 min", "4 min", "8 min", "10 min", "10 min"} {
		require.Zero(t, d.tells("p", 1))
		later(pause)
		require.Equal(t, 1, d.tells("p", 3), pause)
	}
	open := orderOf(c, "o", "new")
	_, err := d.Followed(ctx, c.Ref(), trade.Sight{Order: open, ExchangeTime: time.Now()}, "test")
	require.NoError(t, err)
	require.Zero(t, d.tells("p", 1))
	require.Equal(t, 9, d.count(`SELECT told FROM interlock.trade_executions`))
	d.exec(`UPDATE interlock.trade_executions SET followed_at = followed_at - interval '31 s', told_at = told_at - interval '32 s'`)
	require.Equal(t, 1, d.tells("p", 3), "somebody followed, and stopped")
	require.Equal(t, 1, d.count(`SELECT told FROM interlock.trade_executions`))
	holder := d.open(`SELECT FROM interlock.trade_executions FOR UPDATE`)
	require.Zero(t, d.tells("p", 1), "who holds the execution follows it")
	require.NoError(t, holder.Rollback(ctx))
}

func TestAuditChainIsWholeAfterALife(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	rivals(10, func(i int) { d.executed(fmt.Sprintf("p%d", i)) })
	require.Equal(t, 0, d.count(`SELECT count(*) FROM interlock.audit_events e WHERE hash <> interlock.audit_hash(prev_hash, e)`))
	require.Equal(t, 0, d.count(`SELECT count(*) FROM interlock.audit_events e LEFT JOIN interlock.audit_events p ON p.chain = e.chain AND p.seq = e.seq - 1
		WHERE e.seq > 1 AND e.prev_hash IS DISTINCT FROM p.hash`))
	for _, sql := range []string{`UPDATE interlock.audit_events SET kind = 'x'`, `DELETE FROM interlock.audit_events`, `TRUNCATE interlock.audit_events`} {
		_, err := d.pool.Exec(ctx, sql)
		require.ErrorIs(t, classify(err), ErrInvalid)
	}
}
