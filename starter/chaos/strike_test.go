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

func TestWhatHasNotStruckIsArmedOnceAndForSureWithBansLast(t *testing.T) {
	t.Parallel()
	c := &campaign{plan: NewPlan(small), tally: newTally()}
	require.Len(t, c.missing(), len(c.plan.Faults)+1, "and the double delivery")
	struck := map[string]int{deliveredTwice: 1}
	for _, f := range c.plan.Faults[1:] {
		struck[f.Name] = 1
	}
	struck["banned"] = 0
	c.tally.thisEpoch(struck)
	left := c.missing()
	require.Len(t, left, 2)
	require.Equal(t, c.plan.Faults[0].Name, left[0].Name)
	require.Equal(t, "banned", left[1].Name)
	for _, f := range left {
		require.Equal(t, 1, f.Count)
		require.Zero(t, f.Chance, "no chance is for sure")
	}
	require.Error(t, c.stillMissing())
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
