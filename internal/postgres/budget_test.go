package postgres

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/budget"
	"interlock/internal/scan"
	"interlock/internal/trade"
)

func limited(day, hour int) func(*trade.Policy) {
	return func(p *trade.Policy) {
		p.ModelBudget.CallsPerDay, p.ModelBudget.CallsPerHour = trade.CountLimit{Value: day}, trade.CountLimit{Value: hour}
		p.ModelBudget.TokensPerDay, p.ModelBudget.CostPerDay = trade.CountLimit{Unlimited: true}, trade.AmountLimit{Unlimited: true}
	}
}

func call(id string) Call {
	return Call{
		ID: id, UserID: "anna", AccountID: account, Purpose: "scan:test", Model: "m",
		Ask: budget.Ask{Tokens: 1000, Cost: dec("0.10")},
	}
}

func (d desk) reserve(id string) string {
	d.t.Helper()
	no, err := d.ReserveCall(ctx, call(id))
	require.NoError(d.t, err)
	return budget.Codes(no)
}

func (d desk) used() budget.Usage {
	d.t.Helper()
	b, err := d.Budget(ctx, "anna", account)
	require.NoError(d.t, err)
	return b.Used
}

// log writes a fact as another program does: it knows user, tokens, success
// and time only.
func (d desk) log(tokens int, ago time.Duration) {
	d.t.Helper()
	d.exec(`INSERT INTO interlock.gpt_usage_log (user_id, tokens, success, created_at) VALUES ('anna', $1, true, now() - $2::interval)`, tokens, ago)
}

func TestTwoHundredRacingForFiveCallsMakeExactlyFive(t *testing.T) {
	t.Parallel()
	d := newDesk(t, limited(5, 1000))
	scans := d.as(ScansRole)
	var granted, begun atomic.Int32
	rivals(200, func(i int) {
		c := call(fmt.Sprintf("call-%d", i))
		var no []budget.Exhausted
		may := false
		err := outwait(func() (err error) { no, err = scans.ReserveCall(ctx, c); return err })
		if err != nil || len(no) > 0 {
			return
		}
		granted.Add(1)
		err = outwait(func() (err error) { may, err = scans.BeginCall(ctx, c.ID); return err })
		if err == nil && may {
			begun.Add(1)
		}
	})
	require.EqualValues(t, 5, granted.Load())
	require.EqualValues(t, 5, begun.Load())
	require.Equal(t, 5, d.used().CallsToday)
}

// The earlier system's test 6.
func TestTheSixthCallOfFiveIsRefusedDailyFirst(t *testing.T) {
	t.Parallel()
	d := newDesk(t, limited(5, 2))
	for range 5 {
		d.log(100, time.Millisecond)
	}
	no, err := d.ReserveCall(ctx, call("sixth"))
	require.NoError(t, err)
	require.Equal(t, budget.DailyExhausted, no[0].Code)
	require.Equal(t, "DAILY_BUDGET_EXHAUSTED,HOURLY_BUDGET_EXHAUSTED", budget.Codes(no))
	require.NoError(t, d.ClearBudget(ctx, "anna", "olga", "test"))
	require.Empty(t, d.reserve("sixth"))
}

func TestTheHourRollsAndTheDayIsThePolicysZone(t *testing.T) {
	t.Parallel()
	d := newDesk(t, limited(1000, 2))
	d.log(1, 61*time.Minute)
	d.log(1, 59*time.Minute)
	require.Empty(t, d.reserve("a"))
	require.Equal(t, "HOURLY_BUDGET_EXHAUSTED", d.reserve("b"))
	b, err := d.Budget(ctx, "anna", account)
	require.NoError(t, err)
	policy, _, err := d.Policy(ctx, "anna", account)
	require.NoError(t, err)
	now, err := d.Now(ctx)
	require.NoError(t, err)
	require.True(t, b.DaySince.Equal(policy.TimeZone.DayStart(now)))
	d.exec(`INSERT INTO interlock.gpt_usage_log (user_id, tokens, created_at) VALUES ('anna', 7, $1), ('anna', 70, $2)`, b.DaySince, b.DaySince.Add(-time.Microsecond))
	after := d.used()
	require.Equal(t, b.Used.TokensToday+7, after.TokensToday, "the first instant of the day counts, the last before it does not")
}

func TestAReservationCountsAtItsWorstUntilItIsSettledWithTheFacts(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(p *trade.Policy) {
		limited(100, 100)(p)
		p.ModelBudget.TokensPerDay = trade.CountLimit{Value: 1500}
		p.ModelBudget.CostPerDay = trade.AmountLimit{Value: dec("0.15")}
	})
	require.Empty(t, d.reserve("a"))
	require.Equal(t, budget.Usage{CallsToday: 1, CallsLastHour: 1, TokensToday: 1000, CostToday: d.used().CostToday}, d.used())
	require.Equal(t, "TOKEN_BUDGET_EXHAUSTED,COST_BUDGET_EXHAUSTED", d.reserve("b"))
	require.Empty(t, d.reserve("a"), "the same call again is the same reservation")
	require.Equal(t, 1, d.used().CallsToday)

	answer := scan.Answer{UsageKnown: true, InputTokens: 200, OutputTokens: 50, Content: "x\x00y", RequestDigest: "d"}
	require.NoError(t, d.SettleCall(ctx, call("a"), answer, dec("0.02")))
	used := d.used()
	require.EqualValues(t, 250, used.TokensToday)
	require.Equal(t, "0.02", used.CostToday.String())
	require.NoError(t, d.SettleCall(ctx, call("a"), scan.Answer{Code: scan.ModelUnreachable}, decimal.Decimal{}), "again changes nothing")
	require.Equal(t, used, d.used())
	require.Empty(t, d.reserve("b"))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.gpt_usage_log WHERE id = 'a' AND success AND state = 'settled' AND reply = 'x?y'`))
}

func TestOnlyACallThatSurelyDidNotLeaveIsReleased(t *testing.T) {
	t.Parallel()
	d := newDesk(t, limited(10, 10))
	for i, c := range []struct {
		answer scan.Answer
		calls  int
		tokens int64
	}{
		{scan.Answer{Code: scan.ModelUnreachable, UsageKnown: true}, 0, 0},
		{scan.Answer{Code: scan.ModelBusy, UsageKnown: true}, 1, 0},
		{scan.Answer{Code: scan.ModelUnknown}, 2, 1000},
		{scan.Answer{Code: scan.ModelFailed}, 3, 2000},
		{scan.Answer{Code: scan.ReplyInvalid, UsageKnown: true, InputTokens: 5, OutputTokens: 6}, 4, 2011},
	} {
		id := fmt.Sprintf("call-%d", i)
		require.Empty(t, d.reserve(id))
		require.NoError(t, d.SettleCall(ctx, call(id), c.answer, decimal.Decimal{}))
		require.Equal(t, c.calls, d.used().CallsToday, c.answer.Code)
		require.Equal(t, c.tokens, d.used().TokensToday, c.answer.Code)
	}
}

func TestAReservationIsBegunOnceAndNotAfterItsEnd(t *testing.T) {
	t.Parallel()
	d := newDesk(t, limited(10, 10))
	require.Empty(t, d.reserve("a"))
	var begun atomic.Int32
	rivals(20, func(int) {
		if may, err := d.BeginCall(ctx, "a"); err == nil && may {
			begun.Add(1)
		}
	})
	require.EqualValues(t, 1, begun.Load())

	require.Empty(t, d.reserve("b"))
	require.NoError(t, d.SettleCall(ctx, call("b"), scan.Answer{Code: scan.ModelUnreachable}, decimal.Decimal{}))
	may, err := d.BeginCall(ctx, "b")
	require.NoError(t, err)
	require.False(t, may, "a worker that wakes up after the release sends nothing")
	may, err = d.BeginCall(ctx, "never reserved")
	require.NoError(t, err)
	require.False(t, may)
}

func TestClearingNeedsAReasonIsAuditedAndKeepsTheFacts(t *testing.T) {
	t.Parallel()
	d := newDesk(t, limited(1, 1))
	d.log(100, time.Millisecond)
	require.ErrorIs(t, d.ClearBudget(ctx, "anna", "olga", ""), ErrInvalid)
	require.ErrorIs(t, d.ClearBudget(ctx, "anna", "", "why"), ErrInvalid)
	require.NoError(t, d.as(OperatorRole).ClearBudget(ctx, "anna", "olga", "test"))
	require.Zero(t, d.used().CallsToday)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.gpt_usage_log`))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'budget.cleared' AND actor = 'olga'`))
	_, err := d.pool.Exec(ctx, `DELETE FROM interlock.gpt_usage_log`)
	require.Error(t, err)
	_, err = d.pool.Exec(ctx, `UPDATE interlock.gpt_usage_log SET tokens = 0`)
	require.Error(t, err, "a fact stays one")
}

func TestWithoutAPolicyNothingIsReserved(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := call("a")
	c.UserID = "bert"
	_, err := d.ReserveCall(ctx, c)
	require.ErrorIs(t, err, ErrNotFound)
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.gpt_usage_log`))
}
