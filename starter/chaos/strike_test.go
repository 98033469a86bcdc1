package chaos

import (
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

func TestStrikesOfAKilledExchangeStayCounted(t *testing.T) {
	t.Parallel()
	tally := newTally()
	tally.thisEpoch(map[string]int{"a": 1})
	tally.thisEpoch(map[string]int{"a": 2})
	tally.closeEpoch()
	tally.thisEpoch(map[string]int{"a": 1, "b": 1})
	require.Equal(t, map[string]int{"a": 3, "b": 1}, tally.faultCounts())
}

func TestWhatHasNotStruckIsArmedOnceAndForSureAndBansByThemselves(t *testing.T) {
	t.Parallel()
	c := &campaign{plan: NewPlan(small), tally: newTally()}
	rounds := c.plan.strikes()
	require.Equal(t, len(c.plan.Faults)+1, len(rounds[0])+len(rounds[1]), "all, and the double delivery")
	require.NotEmpty(t, rounds[1])
	for _, f := range rounds[0] {
		require.NotEqual(t, "105", f.Kind, "nothing else strikes while a ban holds")
	}
	require.Len(t, c.missing(rounds[0]), len(rounds[0]))
	struck := map[string]int{}
	for _, f := range rounds[0][2:] {
		struck[f.Name] = 1
	}
	c.tally.thisEpoch(struck)
	left := c.missing(rounds[0])
	require.Len(t, left, 2)
	for _, f := range left {
		require.Equal(t, 1, f.Count)
		require.Zero(t, f.Chance, "no chance is for sure")
	}
}

func TestNobodyAsksAgainForWhatIsHeldBlockedOrOver(t *testing.T) {
	t.Parallel()
	b := newBoard()
	b.take([]standing{
		{"held", "A-EUR", trade.Pending}, {"unknown", "A-EUR", trade.Unresolved}, {"failed", "B-EUR", trade.Failed},
		{"done", "B-EUR", trade.Executed}, {"limited", "B-EUR", trade.Pending}, {"cooling", "B-EUR", trade.Pending},
	})
	b.note("limited", string(trade.DailyLimitReached))
	b.note("limited", string(trade.OrderUnresolved))
	b.note("cooling", string(trade.CooldownBlocked))
	free := func(id, market string) bool { return b.free(Proposal{ID: id, Market: market}) }
	require.False(t, free("held", "A-EUR"))
	require.True(t, free("failed", "B-EUR"), "what failed is tried again")
	require.True(t, free("cooling", "B-EUR"))
	require.False(t, free("limited", "B-EUR"))
	require.False(t, free("done", "B-EUR"))
	require.True(t, b.hopeless("limited"))
	require.True(t, b.hopeless("done"))
	require.False(t, b.hopeless("held"))
	require.Equal(t, []string{"unknown"}, b.claimed())
}
