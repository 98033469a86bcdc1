package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

const foreignTradeSQL = `INSERT INTO interlock.trade_history (user_id, asset, side, executed_at) VALUES ('anna', 'BTC', 'buy', now())`

// open begins a transaction of another program and leaves it open.
func (d desk) open(sql string) pgx.Tx {
	d.t.Helper()
	tx, err := d.pool.Begin(ctx)
	require.NoError(d.t, err)
	d.t.Cleanup(func() { _ = tx.Rollback(ctx) })
	_, err = tx.Exec(ctx, sql)
	require.NoError(d.t, err)
	return tx
}

func TestAnOverrideDoesNotLookPastATradeThatWasNotCommittedWhenItWasStored(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cooling)
	d.propose("p", trade.Buy)
	other := d.open(foreignTradeSQL)
	require.Empty(t, d.override(given("o1", "p", "")))
	require.NoError(t, other.Commit(ctx))
	require.Equal(t, []trade.Code{trade.CooldownBlocked}, codes(d.ask("p").Verdict), "nobody could know of it")
	require.Empty(t, d.override(given("o2", "p", "")))
	require.NotNil(t, d.ask("p").Claim, "given again it knows")
}

// A transaction number of one life says nothing in another: after a dump and a
// restore they begin anew.
func TestAnOverrideKnowsTheTradesOfItsOwnLifeOfTheDatabaseAndOfNoLaterOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change string
		holds  bool
	}{
		"both here":                      {`SELECT`, true},
		"a trade of an earlier life":     {`UPDATE interlock.trade_history SET written_in = 'earlier', written_by = '4000000000000'`, true},
		"a trade from before lives":      {`UPDATE interlock.trade_history SET written_in = NULL, written_by = NULL`, true},
		"an override of an earlier life": {`UPDATE interlock.overrides SET stored_in = 'earlier', saw = '4000000000000:4000000000000:'`, false},
		"an override from before lives":  {`UPDATE interlock.overrides SET stored_in = NULL, saw = NULL`, false},
		"both of one earlier life": {`UPDATE interlock.overrides SET stored_in = 'earlier', saw = '900:900:';
			UPDATE interlock.trade_history SET written_in = 'earlier', written_by = '899'`, true},
		"of one earlier life, and not seen": {`UPDATE interlock.overrides SET stored_in = 'earlier', saw = '900:902:900';
			UPDATE interlock.trade_history SET written_in = 'earlier', written_by = '900'`, false},
		"of two earlier lives": {`UPDATE interlock.overrides SET stored_in = 'earlier', saw = '900:900:';
			UPDATE interlock.trade_history SET written_in = 'earliest', written_by = '1'`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := cooled(t, cooling)
			require.Empty(t, d.override(given("o1", "p", "")))
			d.exec(c.change)
			require.Equal(t, c.holds, d.ask("p").Claim != nil)
		})
	}
}

func TestAnOverrideGivenWhileAnOrderWasOpenKnowsTheTradeThatItBecame(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cooling)
	c := d.claimed("first")
	d.propose("p", trade.Buy)
	require.Empty(t, d.override(given("o1", "p", "")))
	require.Nil(t, d.begin(c, 1))
	o := orderOf(c, "order-first", "filled")
	require.NoError(t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Accepted, Order: &o}, "test"))
	d.record(c, o)
	require.NotNil(t, d.ask("p").Claim)
}

// A clock that is set back makes a later claim look like an earlier one.
func TestAnOverrideDoesNotLookPastALaterClaimWhateverTheClockSays(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cooling)
	d.propose("p", trade.Buy)
	require.Empty(t, d.override(given("o1", "p", "")))
	d.executed("first")
	d.exec(`UPDATE interlock.overrides SET stored_at = clock_timestamp()`)
	require.Equal(t, []trade.Code{trade.CooldownBlocked}, codes(d.ask("p").Verdict))
}
