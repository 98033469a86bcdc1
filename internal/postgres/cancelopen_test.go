package postgres

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

const lease = time.Hour // until a test ends it

// haltedAndCancelling is a desk whose account is to be emptied.
func haltedAndCancelling(t *testing.T) (desk, trade.CancelOpen) {
	t.Helper()
	d := newDesk(t)
	require.NoError(t, d.as(OperatorRole).HaltAndCancel(ctx, account, "olga", "fear"))
	return d, d.take("w1")
}

func (d desk) take(worker string) trade.CancelOpen {
	d.t.Helper()
	c, err := d.as(OrdersRole).TakeCancelOpen(ctx, account, worker, lease)
	require.NoError(d.t, err)
	require.NotNil(d.t, c, "nobody may have it")
	return *c
}

func (d desk) cancelOpen() CancelOpenView {
	d.t.Helper()
	views, err := d.as(OperatorRole).CancelOpens(ctx, AllAccounts)
	require.NoError(d.t, err)
	require.Len(d.t, views, 1)
	return views[0]
}

func TestAHaltAndItsWishAreOneFact(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	require.ErrorIs(t, d.HaltAndCancel(ctx, "nowhere", "olga", "fear"), ErrNotFound)
	require.ErrorIs(t, d.HaltAndCancel(ctx, account, "olga", ""), ErrInvalid)
	none, err := d.as(OrdersRole).TakeCancelOpen(ctx, account, "w1", lease)
	require.NoError(t, err)
	require.Nil(t, none, "nobody asked")

	require.NoError(t, d.as(OperatorRole).HaltAndCancel(ctx, AllAccounts, "olga", "fear"))
	require.Equal(t, trade.Halted, d.control(AllAccounts).State)
	wish := d.take("w1")
	require.Equal(t, account, wish.AccountID)
	require.Equal(t, 30*time.Second, wish.ReadLag)
	require.NoError(t, d.as(OperatorRole).HaltAndCancel(ctx, account, "olga", "still"))
	require.Equal(t, wish.ID, d.take("w1").ID, "asked twice, it is one")
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE chain = '*' AND kind = 'trading.state' AND body->>'cancelOpen' = 'true'`))
}

func TestOneWorkerHasItUntilItsLeaseIsOver(t *testing.T) {
	t.Parallel()
	d, wish := haltedAndCancelling(t)
	rival, err := d.TakeCancelOpen(ctx, account, "w2", lease)
	require.NoError(t, err)
	require.Nil(t, rival)
	d.exec(`UPDATE interlock.cancel_opens SET leased_until = clock_timestamp()`)
	require.Equal(t, wish.ID, d.take("w2").ID, "of a killed worker it is taken over")
	again, err := d.TakeCancelOpen(ctx, account, "w1", lease)
	require.NoError(t, err)
	require.Nil(t, again)
}

func TestAttemptsThatMayHaveAnOrderAreListedUntilNoneCanAppear(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	inDoubt, accepted, refused, recorded := d.claimed("doubt"), d.claimed("accepted"), d.claimed("refused"), d.executed("recorded")
	d.claimed("never-begun")
	deadline := time.Now().Add(trade.AccessWindow).UTC().Truncate(time.Microsecond)
	for _, c := range []trade.Claim{inDoubt, accepted, refused} {
		_, answer, err := d.BeginAttempt(ctx, c.Ref(), 1, deadline, "test")
		require.NoError(t, err)
		require.Nil(t, answer)
	}
	o := orderOf(accepted, "o-open", "new")
	require.NoError(t, d.RecordReply(ctx, accepted.Ref(), 1, trade.AttemptResult{Reply: trade.Accepted, Order: &o}, "test"))
	require.NoError(t, d.RecordReply(ctx, refused.Ref(), 1, trade.AttemptResult{Reply: trade.Refused, Code: "217"}, "test"))
	require.NoError(t, d.HaltAndCancel(ctx, account, "olga", "fear"))
	wish, s := d.take("w1"), d.as(OrdersRole)

	list := func(at time.Time) map[string]trade.SentAttempt {
		sent, err := s.SentAttempts(ctx, wish, at)
		require.NoError(t, err)
		named := map[string]trade.SentAttempt{}
		for _, a := range sent {
			named[a.ProposalID] = a
		}
		return named
	}
	now := list(deadline)
	require.Len(t, now, 3)
	require.WithinDuration(t, inDoubt.ClaimedAt, now["doubt"].Since, 10*time.Second)
	require.Equal(t, trade.SentAttempt{
		ProposalID: "doubt", Market: "BTC-EUR", Side: trade.Buy, ClientOrderID: inDoubt.ClientOrderID, Deadline: deadline, Since: now["doubt"].Since.UTC(),
	}, utc(now["doubt"]))
	require.Equal(t, "o-open", now["accepted"].OrderID)
	require.False(t, now["accepted"].Ended)
	require.True(t, now["recorded"].Ended)
	require.Equal(t, recorded.ClientOrderID, now["recorded"].ClientOrderID)

	later := list(deadline.Add(time.Minute))
	require.Len(t, later, 2, "what is recorded as ended cannot appear again")
	require.NotContains(t, later, "recorded")
}

func utc(a trade.SentAttempt) trade.SentAttempt {
	a.Deadline, a.Since = a.Deadline.UTC(), a.Since.UTC()
	return a
}

func TestAnOrderIsOursByItsClientOrderID(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.claimed("p")
	for client, want := range map[string]string{c.ClientOrderID.String(): "p", "8d5bd4e3-5d0c-4ba4-bf8e-2a6ad30a1f0e": "", "not an ID": "", "": ""} {
		id, err := d.as(OrdersRole).ProposalOf(ctx, account, trade.Order{ClientOrderID: client})
		require.NoError(t, err)
		require.Equal(t, want, id, client)
	}
}

func TestAnEndIsToldOnceAndStands(t *testing.T) {
	t.Parallel()
	d, wish := haltedAndCancelling(t)
	s := d.as(OrdersRole)
	o := trade.CancelledOrder{Market: "BTC-EUR", OrderID: "o", ProposalID: "p", Result: trade.CancelOpenStill, Status: "new", Detail: "503"}
	foreign := trade.CancelledOrder{Market: "BTC-EUR", OrderID: "by hand", Result: trade.CancelOpenForeign, Status: "new"}
	require.NoError(t, s.NoteCancelled(ctx, wish, o))
	require.NoError(t, s.NoteCancelled(ctx, wish, foreign))
	require.NoError(t, s.NoteCancelled(ctx, wish, o))
	ended := o
	ended.Result, ended.Status, ended.FilledAmount, ended.Detail = trade.CancelOpenCancelled, "canceled", dec("0.0005"), ""
	for range 3 {
		require.NoError(t, s.NoteCancelled(ctx, wish, ended))
		require.NoError(t, s.NoteCancelled(ctx, wish, foreign))
	}
	require.NoError(t, s.NoteCancelled(ctx, wish, o))
	list, err := s.CancelledOrders(ctx, wish.ID)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, ended.Result, list[0].Result)
	require.Equal(t, "0.0005", list[0].FilledAmount.String())
	require.Equal(t, 3, d.count(`SELECT tries FROM interlock.cancel_open_orders WHERE order_id = 'o'`))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'halt.order' AND proposal_id = 'p'`))
	require.Equal(t, 2, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'halt.order'`))
}

func TestItIsCompleteOnlyWithoutObstacles(t *testing.T) {
	t.Parallel()
	d, wish := haltedAndCancelling(t)
	s := d.as(OrdersRole)
	left, err := s.ConcludeCancelOpen(ctx, wish, []trade.Obstacle{{ProposalID: "p", Why: "it may appear"}})
	require.NoError(t, err)
	require.Len(t, left, 1)
	view := d.cancelOpen()
	require.True(t, view.UnderWay())
	require.Equal(t, left, view.Obstacles)
	require.Equal(t, "w1", view.Worker)

	left, err = s.ConcludeCancelOpen(ctx, wish, nil)
	require.NoError(t, err)
	require.Empty(t, left)
	require.NotNil(t, d.cancelOpen().CompletedAt)
	require.Empty(t, d.cancelOpen().Obstacles)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE chain = 'paper' AND kind = 'halt.complete'`))
	_, err = s.ConcludeCancelOpen(ctx, wish, nil)
	require.ErrorIs(t, err, ErrConflict, "a zombie changes nothing any more")
	none, err := s.TakeCancelOpen(ctx, account, "w1", lease)
	require.NoError(t, err)
	require.Nil(t, none)
	_, err = d.pool.Exec(ctx, `UPDATE interlock.cancel_opens SET completed_at = NULL`)
	require.ErrorContains(t, err, "is over")
}

func TestNothingIsCompleteWhileTheAccountMayTrade(t *testing.T) {
	t.Parallel()
	d, wish := haltedAndCancelling(t)
	d.exec(`UPDATE interlock.trading_controls SET state = 'REDUCING'`) // past SetTradingState, which refuses
	left, err := d.ConcludeCancelOpen(ctx, wish, nil)
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.Contains(t, left[0].Why, "REDUCING")
	require.True(t, d.cancelOpen().UnderWay())
}

// What an earlier life of the database sent, and this one does not know, can
// appear for as long as a comparison does not count.
func TestARestartedDatabaseWaitsForWhatItMayHaveLost(t *testing.T) {
	t.Parallel()
	d, wish := haltedAndCancelling(t)
	d.exec(`UPDATE interlock.accounts SET created_in = 'an earlier life'`)
	left, err := d.ConcludeCancelOpen(ctx, wish, nil)
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.Contains(t, left[0].Why, "started anew")
	require.False(t, left[0].Until.IsZero())
	wish.Began = left[0].Until
	left, err = d.ConcludeCancelOpen(ctx, wish, nil)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestNobodyTradesBesideACancelOpenThatIsUnderWay(t *testing.T) {
	t.Parallel()
	d, _ := haltedAndCancelling(t)
	s := d.as(OperatorRole)
	for _, state := range []trade.TradingState{trade.Active, trade.Reducing} {
		require.ErrorIs(t, s.SetTradingState(ctx, account, state, "olga", "calm"), ErrConflict)
		require.ErrorIs(t, s.SetTradingState(ctx, AllAccounts, state, "olga", "calm"), ErrConflict)
	}
	require.NoError(t, s.SetTradingState(ctx, account, trade.Halted, "olga", "still"))
	require.ErrorIs(t, s.GiveUpCancelOpen(ctx, account, "", "calm"), ErrInvalid)
	require.NoError(t, s.GiveUpCancelOpen(ctx, account, "olga", "calm"))
	require.Equal(t, "olga", d.cancelOpen().GivenUpBy)
	require.Equal(t, trade.Halted, d.control(account).State, "giving up resumes nothing")
	require.NoError(t, s.SetTradingState(ctx, account, trade.Active, "olga", "calm"))
	require.NoError(t, s.GiveUpCancelOpen(ctx, account, "olga", "again"), "twice changes nothing")
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'halt.given_up'`))
	require.NoError(t, s.HaltAndCancel(ctx, account, "olga", "fear again"))
	require.True(t, d.cancelOpen().UnderWay(), "a later halt asks anew")
}
