package trade

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLifeGoesOnlyAlongTheTable(t *testing.T) {
	allowed := map[[2]Status]bool{
		{Pending, Executing}: true, {Pending, Expired}: true, {Pending, Cancelled}: true,
		{Executing, Executed}: true, {Executing, Failed}: true, {Executing, Unresolved}: true, {Executing, Cancelled}: true,
		{Unresolved, Executing}: true, {Unresolved, Executed}: true, {Unresolved, Failed}: true, {Unresolved, Cancelled}: true,
		{Failed, Executing}: true, {Failed, Expired}: true, {Failed, Cancelled}: true,
	}
	all := append(Statuses(), "", "pending", "DONE")
	for _, from := range all {
		for _, to := range all {
			require.Equal(t, allowed[[2]Status{from, to}], from.May(to), "%s to %s", from, to)
		}
	}
}

func TestUnresolvedNeitherExpiresNorIsSentAgain(t *testing.T) {
	require.False(t, Unresolved.May(Expired))
	require.False(t, Unresolved.Executable())
}

func TestEveryStatusIsReachable(t *testing.T) {
	require.Len(t, Statuses(), len(transitions))
	seen := map[Status]bool{}
	for next := []Status{Pending}; len(next) > 0; next = next[1:] {
		if seen[next[0]] {
			continue
		}
		seen[next[0]] = true
		next = append(next, transitions[next[0]]...)
	}
	for _, s := range Statuses() {
		require.True(t, seen[s], s)
	}
}

func TestWhatAStatusMeans(t *testing.T) {
	for s, want := range map[Status]struct{ executable, claimed, closed bool }{
		Pending: {true, false, false}, Failed: {true, false, false},
		Executing: {false, true, false}, Unresolved: {false, true, false},
		Executed: {false, false, true}, Expired: {false, false, true}, Cancelled: {false, false, true},
		"": {false, false, false}, "EXECUTING ": {false, false, false},
	} {
		require.Equal(t, want.executable, s.Executable(), s)
		require.Equal(t, want.claimed, s.Claimed(), s)
		require.Equal(t, want.closed, s.Closed(), s)
		if s.Closed() {
			require.Empty(t, transitions[s], "closed has no exit")
		}
	}
}

func TestTheStricterTradingStateCounts(t *testing.T) {
	order := []TradingState{Active, Reducing, Halted}
	for i, a := range order {
		for j, b := range order {
			require.Equal(t, order[max(i, j)], a.Stricter(b), "%s and %s", a, b)
		}
		for _, unknown := range []TradingState{"", "active", "OPEN"} {
			require.Equal(t, Halted, a.Stricter(unknown))
			require.Equal(t, Halted, unknown.Stricter(a))
		}
	}
}
