package postgres

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

// show compares once, as role orders does, with these orders at the exchange.
func (d desk) show(s *Store, orders ...trade.Order) trade.Compared {
	d.t.Helper()
	found, err := s.Compare(ctx, trade.Comparison{AccountID: account, StartedAt: time.Now(), Orders: orders})
	require.NoError(d.t, err)
	return found
}

func (d desk) halted() bool {
	d.t.Helper()
	return d.count(`SELECT count(*) FROM interlock.trading_controls WHERE scope = 'paper' AND state = 'HALTED'`) == 1
}

// concludedAbsent is a claim whose order two late looks, or a person, said the
// exchange does not have.
func (d desk) concludedAbsent(id string, byPerson bool) trade.Claim {
	d.t.Helper()
	c, deadline := d.inDoubt(id)
	d.conclude(c, 1)
	if byPerson {
		require.Empty(d.t, d.wish(c, nil, deadline.Add(31*time.Second), "olga"))
	} else {
		d.look(c, trade.NotThere, deadline.Add(31*time.Second))
		d.look(c, trade.NotThere, deadline.Add(62*time.Second))
		require.Equal(d.t, trade.OutcomeAbsent, d.conclude(c, 1).Outcome)
	}
	require.Equal(d.t, trade.Failed, d.fail(c))
	return c
}

func TestAnOrderThatShowsUpAfterItWasDeniedRaisesAnAlarm(t *testing.T) {
	t.Parallel()
	for name, byPerson := range map[string]bool{"after two late looks": false, "after a person's word": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			orders := d.as(OrdersRole)
			c := d.concludedAbsent("p", byPerson)
			require.Equal(t, trade.Compared{}, d.show(orders))
			require.False(t, d.halted())

			late := orderOf(c, "o-late", "new")
			require.Equal(t, trade.Compared{Differences: 1, Contradictions: 1}, d.show(orders, late))
			require.True(t, d.halted())
			require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events
				WHERE kind = 'order.contradicts' AND proposal_id = 'p' AND user_id = 'anna' AND body->'order'->>'orderId' = 'o-late'`))
			require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.trading_controls WHERE scope = 'paper' AND reason LIKE '%o-late%proposal p%'`))
			require.Equal(t, []trade.Code{trade.TradingHalted, trade.OrderUnresolved}, codes(d.ask("p").Verdict))

			require.NoError(t, d.SetTradingState(ctx, account, trade.Active, "olga", "looked at"))
			require.Equal(t, trade.Compared{Differences: 1}, d.show(orders, late))
			require.False(t, d.halted(), "an alarm is raised once, so that a person can resume")
			require.Equal(t, []trade.Code{trade.OrderUnresolved}, codes(d.ask("p").Verdict), "its own proposal stays blocked")
		})
	}
}

func TestASecondOrderOfAnExecutedProposalRaisesAnAlarm(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.executed("p")
	require.Equal(t, 1, d.show(d.Store, orderOf(c, "o-second", "filled")).Contradictions)
	require.True(t, d.halted())
}

func TestAnUnknownOrderIsShownAndHaltsNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.propose("p", trade.Buy)
	stranger := trade.Order{OrderID: "o-1", Market: "BTC-EUR", Side: trade.Buy, Status: "filled", Amount: dec("0.5"), FilledAmount: dec("0.5")}
	require.Equal(t, trade.Compared{Differences: 1}, d.show(d.Store, stranger))
	require.False(t, d.halted())
	require.NotNil(t, d.ask("p").Claim)
}

func TestWhatDiffersIsFollowedUntilItEnds(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	orders := d.as(OrdersRole)
	c := d.concludedAbsent("p", false)
	d.show(orders, orderOf(c, "o-late", "new"))
	tracked, err := orders.Tracked(ctx, account)
	require.NoError(t, err)
	require.Equal(t, []trade.Order{{OrderID: "o-late", Market: "BTC-EUR", Status: "new"}}, tracked)

	d.show(orders, orderOf(c, "o-late", "filled"))
	tracked, err = orders.Tracked(ctx, account)
	require.NoError(t, err)
	require.Empty(t, tracked)
	list, err := d.as(OperatorRole).Differences(ctx, account)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, []any{"p", "contradiction", "0.001"}, []any{list[0].ProposalID, list[0].Kind, list[0].Order.FilledAmount.String()}, "as it was last seen")
}

func TestAnOrderOfALostFutureIsShownWithItsProposal(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, id := range []string{"other", "p"} {
		d.propose(id, trade.Buy)
	}
	tx, err := d.pool.Begin(ctx)
	require.NoError(t, err)
	client, err := clientOrderID(ctx, tx, d.life("p").Proposal)
	require.NoError(t, err)
	require.NoError(t, tx.Rollback(ctx))
	d.show(d.Store, trade.Order{OrderID: "o-lost", Market: "BTC-EUR", ClientOrderID: client.String(), Status: "filled"},
		trade.Order{OrderID: "o-strange", Market: "BTC-EUR", ClientOrderID: "8d5bd4e3-5d0c-4ba4-bf8e-2a6ad30a1f0e", Status: "filled"},
		trade.Order{OrderID: "o-manual", Market: "BTC-EUR", Status: "new"})
	list, err := d.Differences(ctx, "")
	require.NoError(t, err)
	named := map[string]string{}
	for _, v := range list {
		named[v.OrderID] = v.ProposalID
	}
	require.Equal(t, map[string]string{"o-lost": "p", "o-strange": "", "o-manual": ""}, named)
	list, err = d.Differences(ctx, "second")
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestUnresolvedCountsInFullAgainstEveryLimit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit func(p *trade.Policy)
		want  trade.Code
	}{
		"cooldown":                {cooling, trade.CooldownBlocked},
		"anti-flip":               {func(p *trade.Policy) { p.AntiFlip = trade.Duration(time.Hour) }, trade.AntiFlipBlocked},
		"day":                     {func(p *trade.Policy) { p.TradesPerDay = trade.CountLimit{Value: 1} }, trade.DailyLimitReached},
		"hour":                    {func(p *trade.Policy) { p.TradesPerHour = trade.CountLimit{Value: 1} }, trade.HourlyLimitReached},
		"exposure of the account": {func(p *trade.Policy) { p.ExposureAccount = trade.AmountLimit{Value: dec("90")} }, trade.ExposureLimitReached},
		"throttle": {func(p *trade.Policy) {
			p.RepeatThrottle = trade.Throttle{Executions: 1, Window: trade.Duration(time.Hour)}
		}, trade.RepeatThrottle},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, c.limit)
			claim, _ := d.inDoubt("p")
			d.conclude(claim, 1)
			require.Equal(t, trade.Unresolved, d.life("p").Proposal.Status)
			d.exec(`INSERT INTO interlock.trade_proposals (id, user_id, account_id, market, side, amount, confidence)
				VALUES ('same', 'anna', 'paper', 'BTC-EUR', $1, 0.001, 0.9), ('other', 'anna', 'paper', 'ETH-EUR', 'buy', 0.01, 0.9)`,
				map[bool]string{true: "sell", false: "buy"}[c.want == trade.AntiFlipBlocked])
			require.Contains(t, codes(d.ask("same").Verdict), trade.OrderUnresolved, "it holds its asset")
			require.Contains(t, codes(d.ask("same").Verdict), c.want)
			inOther := codes(d.ask("other").Verdict)
			require.NotContains(t, inOther, trade.OrderUnresolved, "and no other")
			if c.want != trade.CooldownBlocked && c.want != trade.AntiFlipBlocked {
				// A full throttle has also halted the account.
				inOther = slices.DeleteFunc(inOther, func(code trade.Code) bool { return c.want == trade.RepeatThrottle && code == trade.TradingHalted })
				require.Equal(t, []trade.Code{c.want}, inOther)
			}
		})
	}
}

func TestStateReadsWhatWasTriedAndSeen(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, deadline := d.inDoubt("p")
	require.NoError(t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Unknown, Code: "109", Message: "the connection broke"}, "test"))
	require.NoError(t, d.RecordLookup(ctx, c.Ref(), 1, trade.Lookup{Result: trade.Inconclusive, Detail: "503"}))
	d.look(c, trade.Found, deadline, orderOf(c, "o1", "new"))
	life := d.life("p")
	require.Equal(t, trade.AttemptResult{Reply: trade.Unknown, Code: "109", Message: "the connection broke"}, life.Tried[0].Result)
	require.Equal(t, "503", life.Looked[0].Lookup.Detail)
	require.Equal(t, trade.Found, life.Looked[1].Lookup.Result)
	require.Equal(t, "o1", life.Looked[1].Lookup.Orders[0].OrderID)
	for range 30 {
		d.look(c, trade.NotThere, deadline)
	}
	require.Len(t, d.life("p").Looked, shownTries, "the last ones")
	require.Equal(t, trade.NotThere, d.life("p").Looked[0].Lookup.Result)
}
