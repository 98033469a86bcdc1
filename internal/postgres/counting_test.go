package postgres

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

// filledAt carries a proposal through to a fill with a stamp of the exchange's.
func (d desk) filledAt(id string, stamp func(claimed time.Time) time.Time) trade.Claim {
	d.t.Helper()
	c := d.claimed(id)
	require.Nil(d.t, d.begin(c, 1))
	o := orderOf(c, "order-"+id, "filled")
	o.Fills[0].At = stamp(c.ClaimedAt)
	o.UpdatedAt = o.Fills[0].At
	require.NoError(d.t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Accepted, Order: &o}, "test"))
	d.record(c, o)
	return c
}

// counted is when the only trade counts from, and what the exchange said of it.
func (d desk) counted() (from, said, recorded time.Time) {
	d.t.Helper()
	require.NoError(d.t, d.pool.QueryRow(ctx, `SELECT counts_from, executed_at, recorded_at FROM interlock.trade_history`).Scan(&from, &said, &recorded))
	return from, said, recorded
}

func TestATradeNeverCountsFromBeforeItsOwnClaimWhateverItsStamp(t *testing.T) {
	t.Parallel()
	for name, stamp := range map[string]func(claimed time.Time) time.Time{
		"a clock that is 1.9 s behind":    func(at time.Time) time.Time { return at.Add(-1900 * time.Millisecond) },
		"seconds taken for milliseconds":  func(at time.Time) time.Time { return time.UnixMilli(at.Unix()) },
		"no time at all":                  func(time.Time) time.Time { return time.Time{} },
		"the day before":                  func(at time.Time) time.Time { return at.Add(-24 * time.Hour) },
		"an hour before, to the cooldown": func(at time.Time) time.Time { return at.Add(-time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, cooling, func(p *trade.Policy) {
				p.TradesPerDay, p.TradesPerHour = trade.CountLimit{Value: 1}, trade.CountLimit{Value: 1}
			})
			c := d.filledAt("first", stamp)
			from, said, _ := d.counted()
			require.Equal(t, c.ClaimedAt.UnixMicro(), from.UnixMicro())
			if s := stamp(c.ClaimedAt); !s.IsZero() {
				require.Equal(t, s.UnixMicro(), said.UnixMicro(), "it is kept as the exchange said it")
			}
			d.propose("p", trade.Buy)
			require.Equal(t, []trade.Code{trade.CooldownBlocked, trade.DailyLimitReached, trade.HourlyLimitReached}, codes(d.ask("p").Verdict))
		})
	}
}

func TestATradeNeverCountsFromAfterItWasRecorded(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(desk){
		"ours, a clock ahead":   func(d desk) { d.filledAt("first", func(at time.Time) time.Time { return at.Add(time.Minute) }) },
		"ours, a century ahead": func(d desk) { d.filledAt("first", func(at time.Time) time.Time { return at.AddDate(100, 0, 0) }) },
		"another program's": func(d desk) {
			d.exec(`INSERT INTO interlock.trade_history (user_id, asset, side, executed_at) VALUES ('anna', 'BTC', 'buy', now() + interval '100 years')`)
		},
		"another program's, corrected": func(d desk) {
			d.exec(foreignTradeSQL)
			d.exec(`UPDATE interlock.trade_history SET executed_at = now() + interval '100 years'`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, cooling)
			put(d)
			from, said, recorded := d.counted()
			require.Equal(t, recorded, from)
			require.True(t, said.After(recorded), "it is kept as it was said")
			d.propose("p", trade.Buy)
			require.Equal(t, []trade.Code{trade.CooldownBlocked}, codes(d.ask("p").Verdict))
			d.exec(`UPDATE interlock.trade_history SET recorded_at = recorded_at - interval '61 min'`)
			require.NotNil(t, d.ask("p").Claim, "the cooldown ends")
		})
	}
}

func TestAnotherProgramsTradeCountsFromItsOwnTime(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cooling)
	d.exec(`INSERT INTO interlock.trade_history (user_id, asset, side, executed_at, counts_from) VALUES ('anna', 'BTC', 'buy', now() - interval '2 h', now())`)
	from, said, _ := d.counted()
	require.Equal(t, said, from, "nobody chooses from when on a trade counts")
	d.propose("p", trade.Buy)
	require.NotNil(t, d.ask("p").Claim)
}
