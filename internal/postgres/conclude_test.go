package postgres

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

func (d desk) conclude(c trade.Claim, number int) trade.Finding {
	d.t.Helper()
	f, err := d.Conclude(ctx, c.Ref(), number)
	require.NoError(d.t, err)
	return f
}

func (d desk) look(c trade.Claim, s trade.LookupResult, at time.Time, orders ...trade.Order) {
	d.t.Helper()
	require.NoError(d.t, d.RecordLookup(ctx, c.Ref(), 1, trade.Lookup{Result: s, ExchangeTime: at, Orders: orders}))
}

// inDoubt is a claim whose first attempt has a row and no answer.
func (d desk) inDoubt(id string) (trade.Claim, time.Time) {
	d.t.Helper()
	c := d.claimed(id)
	deadline := time.Now().Add(trade.AccessWindow).Truncate(time.Microsecond)
	_, placing, err := d.BeginAttempt(ctx, c.Ref(), 1, deadline, "test")
	require.NoError(d.t, err)
	require.Nil(d.t, placing)
	return c, deadline
}

func TestAttemptThatNeverBeganIsVoidAndAZombieCannotUseIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.claimed("p")
	f := d.conclude(c, 1)
	require.Equal(t, trade.OutcomeVoid, f.Outcome)
	require.Equal(t, trade.NotSent, f.Result.Reply)
	require.Equal(t, trade.NotSent, d.begin(c, 1).Reply, "the worker that wakes up finds its attempt closed")
	require.Equal(t, f.Outcome, d.conclude(c, 1).Outcome, "concluding again says the same")
}

// A workflow that was told lies asks about attempts that no row has. Found by a
// campaign: rows were added out of their turn, beside one in doubt.
func TestAnAttemptThatCouldNotHaveBegunIsNotConcluded(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, _ := d.inDoubt("p")
	for _, number := range []int{2, 3, 99} {
		_, err := d.Conclude(ctx, c.Ref(), number)
		require.ErrorIs(t, err, ErrNotFound, number)
	}
	untried := d.claimed("q")
	_, err := d.Conclude(ctx, untried.Ref(), 2)
	require.ErrorIs(t, err, ErrNotFound)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.order_attempts`))
}

// A workflow that was set back asks about an attempt of an execution that has
// ended since. Found by a campaign: its row was added to what was over.
func TestAttemptOfAnExecutionThatIsOverIsVoidWithoutARow(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.claimed("p")
	require.Equal(t, trade.Failed, d.fail(c))
	f := d.conclude(c, 1)
	require.True(t, f.Concluded)
	require.Equal(t, trade.OutcomeVoid, f.Outcome)
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.order_attempts`))
	require.Equal(t, trade.NotSent, d.begin(c, 1).Reply, "nor can it begin")
}

func TestZombieAndConclusionRaceForOneAttempt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for i := range 20 {
		c := d.claimed(fmt.Sprintf("p%d", i))
		var owner bool
		var f trade.Finding
		rivals(2, func(i int) {
			if i == 0 {
				owner = d.begin(c, 1) == nil
			} else {
				f = d.conclude(c, 1)
			}
		})
		require.NotEqual(t, owner, f.Concluded, "either the attempt began and is in doubt, or it is void")
		d.exec(`UPDATE interlock.trade_executions SET asset = DEFAULT, status = 'EXECUTING' WHERE id = $1`, c.ExecutionID)
	}
}

func TestUnknownStaysUnresolvedUntilTwoLateLooksAgree(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, deadline := d.inDoubt("p")
	lag := 30 * time.Second

	f := d.conclude(c, 1)
	require.False(t, f.Concluded)
	require.Greater(t, f.Wait, lag, "nothing can be concluded before deadline + L")
	require.Equal(t, trade.Unresolved, d.life("p").Proposal.Status)

	d.look(c, trade.NotThere, deadline.Add(time.Second))
	d.look(c, trade.Inconclusive, deadline.Add(2*lag))
	d.look(c, trade.NotThere, deadline.Add(lag+time.Second))
	require.False(t, d.conclude(c, 1).Concluded, "one late look is not enough")
	d.look(c, trade.NotThere, deadline.Add(2*lag))
	require.False(t, d.conclude(c, 1).Concluded, "two late looks less than L apart are not enough")
	require.Equal(t, trade.Unresolved, d.fail(c), "unknown never decays to failed")

	d.look(c, trade.NotThere, deadline.Add(2*lag+time.Second))
	f = d.conclude(c, 1)
	require.Equal(t, trade.OutcomeAbsent, f.Outcome)
	require.Equal(t, trade.Failed, d.fail(c))
	require.Equal(t, trade.Failed, d.fail(c), "again changes nothing")
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'execution.failed'`))
	require.Equal(t, string(trade.OrderAbsent), d.life("p").Proposal.FailureCode)
}

func TestUnresolvedHoldsItsAsset(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, _ := d.inDoubt("p")
	d.conclude(c, 1)
	d.propose("q", trade.Sell)
	require.Contains(t, codes(d.ask("q").Verdict), trade.OrderUnresolved)
}

func TestAFindSettlesTheDoubt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, deadline := d.inDoubt("p")
	d.conclude(c, 1)
	d.look(c, trade.Found, deadline, orderOf(c, "o1", "new"))
	f := d.conclude(c, 1)
	require.Equal(t, trade.Accepted, f.Result.Reply)
	require.Equal(t, "o1", f.Result.Order.OrderID)
	require.Equal(t, trade.Executing, d.life("p").Proposal.Status)
	require.Equal(t, "o1", d.life("p").AcceptedOrder)
}

func TestTwoOrdersUnderOneIDHaltTheAccount(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, deadline := d.inDoubt("p")
	d.look(c, trade.Found, deadline, orderOf(c, "o1", "new"), orderOf(c, "o2", "new"))
	require.Equal(t, trade.Accepted, d.conclude(c, 1).Result.Reply)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.trading_controls WHERE scope = 'paper' AND state = 'HALTED'`))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.exchange_differences WHERE order_id = 'o2' AND kind = 'contradiction'`), "both are tracked")
}

func TestDoubtfulRefusalTakesOneLookPastDeadlineAndL(t *testing.T) {
	t.Parallel()
	for _, code := range []string{trade.CodeInsufficientBalance, trade.CodeOutsideWindow} {
		d := newDesk(t)
		c, deadline := d.inDoubt("p")
		require.NoError(t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Unknown, Code: code}, "test"))
		d.look(c, trade.NotThere, deadline.Add(29*time.Second))
		require.False(t, d.conclude(c, 1).Concluded)
		d.look(c, trade.NotThere, deadline.Add(31*time.Second))
		f := d.conclude(c, 1)
		require.Equal(t, trade.OutcomeRefused, f.Outcome)
		require.Equal(t, code, f.Result.Code)
	}
}

func TestRecordingAnOrderTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.executed("p")
	d.record(c, orderOf(c, "order-p", "filled"))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.trade_history`))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.order_fills`))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'execution.recorded'`))
	life := d.life("p")
	require.Equal(t, trade.Executed, life.Proposal.Status)
	require.Equal(t, "0.001", life.Order.FilledAmount.String())
}

func TestAnOrderThatWasNotAcceptedIsNotRecorded(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, _ := d.inDoubt("p")
	for _, o := range []trade.Order{orderOf(c, "foreign", "filled"), {}} {
		end, err := d.Followed(ctx, c.Ref(), trade.Sight{Order: o}, "test")
		require.NoError(t, err)
		require.Nil(t, end)
	}
	d.exec(`INSERT INTO interlock.final_orders (execution_id, order_id, body, seen_by) VALUES ($1, 'foreign', '{"orderId":"foreign","status":"filled"}', 'nobody')`, c.ExecutionID)
	_, err := d.RecordOrder(ctx, c.Ref())
	require.ErrorIs(t, err, ErrInvalid)
}

func TestOrderWithNothingFilledEndsExecutedWithoutATrade(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(p *trade.Policy) { p.Cooldown = trade.Duration(time.Hour) })
	c := d.claimed("p")
	require.Nil(t, d.begin(c, 1))
	o := orderOf(c, "o1", "canceledIOC")
	require.NoError(t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Accepted, Order: &o}, "test"))
	d.record(c, o)
	require.Equal(t, trade.Executed, d.life("p").Proposal.Status)
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.trade_history`))
	d.propose("q", trade.Buy)
	require.Empty(t, d.ask("q").Verdict.Blocks(), "no trade happened, so nothing cools down")
}

func TestFailedProposalIsClaimedAgainInTheSameRow(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.claimed("p")
	require.Nil(t, d.begin(c, 1))
	require.NoError(t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Refused, Code: "217"}, "test"))
	require.Equal(t, trade.Failed, d.fail(c))
	again := d.ask("p").Claim
	require.Equal(t, c.ExecutionID, again.ExecutionID)
	require.Equal(t, c.ClientOrderID, again.ClientOrderID, "one client order ID for ever")
	require.Equal(t, 2, again.NextAttempt)
	require.True(t, again.Untried)
	require.Equal(t, trade.NotSent, d.begin(c, 2).Reply, "the old claim may not use the new one's attempt")
}

func TestResolveCountsOnlyWhileUnresolvedAndPastTheDeadline(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, deadline := d.inDoubt("p")
	d.conclude(c, 1)
	resolve := func(o *trade.Order, at time.Time, actor string) string { return d.wish(c, o, at, actor) }
	o := orderOf(c, "o1", "filled")
	other := o
	other.Side = trade.Sell
	require.Contains(t, resolve(&o, deadline, "olga"), "may still be placed")
	require.Contains(t, resolve(&o, deadline.Add(time.Second), ""), "required")
	require.Contains(t, resolve(nil, deadline.Add(29*time.Second), "olga"), "may not show the order")
	require.Contains(t, resolve(&other, deadline.Add(time.Second), "olga"), "market, side and amount")
	require.Empty(t, resolve(&o, deadline.Add(time.Second), "olga"))
	require.Equal(t, "o1", d.life("p").AcceptedOrder)
	require.Contains(t, resolve(nil, deadline.Add(time.Second), "olga"), "not UNRESOLVED")
	require.Empty(t, resolve(&o, deadline.Add(time.Second), "olga"), "asked again because its answer was lost")
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'execution.resolve' AND body->>'problem' = ''`))
}
