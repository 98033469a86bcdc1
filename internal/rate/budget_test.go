package rate

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// handClock moves only when somebody sleeps, or by hand.
type handClock struct{ now time.Time }

func (c *handClock) Now() time.Time { return c.now }

func (c *handClock) Sleep(_ context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	return nil
}

// script is a Ledger that answers as told.
type script struct {
	answer func(r Request) (Grant, error)
	asked  []Request
	heeded []Notice
}

func (s *script) TakeRequest(_ context.Context, _ string, r Request) (Grant, error) {
	s.asked = append(s.asked, r)
	return s.answer(r)
}

func (s *script) HeedExchange(_ context.Context, _ string, n Notice) error {
	s.heeded = append(s.heeded, n)
	return nil
}

func newBudget(rps float64, answer func(r Request) (Grant, error)) (*Budget, *script, *handClock) {
	s, c := &script{answer: answer}, &handClock{now: time.Unix(1_800_000_000, 0)}
	return New(Config{Ledger: s, Account: "a", RPS: rps, Clock: c}), s, c
}

func granting(Request) (Grant, error) { return Grant{Granted: true}, nil }

func TestALaterClassNeverUsesTheShareOfAnEarlierOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rps := rapid.Float64Range(4, 1000).Draw(t, "rps")
		s := SharesOf(rps)
		require.LessOrEqual(t, float64(s.Of(Urgent)), rps)
		require.Less(t, s.Of(Placement), s.Of(Urgent))
		require.Less(t, s.Of(Bulk), s.Of(Placement))
		require.Positive(t, s.Of(Bulk))
		require.Less(t, floor(Urgent), floor(Placement))
		require.Less(t, floor(Placement), floor(Bulk))
		needed := time.Duration(float64(time.Second) / s.Orders())
		require.Positive(t, needed)
	})
}

func TestWorkersCutOffFromTheLedgerStayWithinTheLimitTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rps := rapid.IntRange(5, 200).Draw(t, "rps")
		var turns []time.Time
		for range cutOff {
			b, _, clock := newBudget(float64(rps), func(Request) (Grant, error) { return Grant{}, errors.New("gone") })
			clock.now = clock.now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "apart")) * time.Millisecond)
			began := clock.now
			for range 2 * rps {
				require.NoError(t, b.Take(As(context.Background(), Urgent)))
				require.GreaterOrEqual(t, clock.now.Sub(began), Window, "what the Ledger granted last still counts")
				turns = append(turns, clock.now)
			}
		}
		slices.SortFunc(turns, time.Time.Compare)
		for i := range turns[rps:] {
			require.GreaterOrEqual(t, turns[i+rps].Sub(turns[i]), Window)
		}
	})
}

func TestOnlyUrgentRequestsGoOnWithoutTheLedger(t *testing.T) {
	b, _, _ := newBudget(5, func(Request) (Grant, error) { return Grant{}, errors.New("gone") })
	require.NoError(t, b.Take(As(context.Background(), Urgent)))
	require.ErrorIs(t, b.Take(As(context.Background(), Placement)), ErrNoTurn)
	require.ErrorIs(t, b.Take(As(context.Background(), Bulk)), ErrNoTurn)
	require.ErrorIs(t, b.Take(context.Background()), ErrNoTurn, "unmarked comes last")
}

func TestLedgerThatIsBackIsToldWhatWasSentWithoutIt(t *testing.T) {
	gone := true
	b, s, clock := newBudget(50, func(Request) (Grant, error) {
		if gone {
			return Grant{}, errors.New("gone")
		}
		return Grant{Granted: true}, nil
	})
	for range 3 {
		require.NoError(t, b.Take(As(context.Background(), Urgent)))
	}
	gone, clock.now = false, clock.now.Add(askAgain)
	for range 2 {
		require.NoError(t, b.Take(As(context.Background(), Urgent)))
	}
	require.Equal(t, 2, s.asked[len(s.asked)-2].Spent, "the first is longer ago than the Window")
	require.Zero(t, s.asked[len(s.asked)-1].Spent, "once")
}

func TestWaitLongerThanPatienceIsRefusedAtOnce(t *testing.T) {
	b, _, clock := newBudget(5, func(Request) (Grant, error) { return Grant{Wait: patience + 1, Reason: "busy"}, nil })
	began := clock.now
	require.ErrorIs(t, b.Take(context.Background()), ErrNoTurn)
	require.Equal(t, began, clock.now)
}

func TestWaitEndsWithItsContext(t *testing.T) {
	b, _, _ := newBudget(5, granting)
	b.gates[Bulk] <- struct{}{} // somebody else's turn to ask
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, b.Take(ctx), context.Canceled)
}

func TestGrantThatAFrozenProcessFindsLateIsNotUsed(t *testing.T) {
	var clock *handClock
	calls := 0
	var b *Budget
	var s *script
	b, s, clock = newBudget(5, func(Request) (Grant, error) {
		if calls++; calls == 1 {
			clock.now = clock.now.Add(stale)
		}
		return Grant{Granted: true}, nil
	})
	require.NoError(t, b.Take(context.Background()))
	require.Len(t, s.asked, 2)
}

func TestBanIsKnownAtOnceAlsoWithoutTheLedger(t *testing.T) {
	b, s, clock := newBudget(5, granting)
	b.Heed(context.Background(), Notice{Ban: time.Minute})
	b.Heed(context.Background(), Notice{Ban: time.Second})
	require.ErrorIs(t, b.Take(As(context.Background(), Urgent)), ErrNoTurn)
	require.Empty(t, s.asked)
	require.Len(t, s.heeded, 2)
	clock.now = clock.now.Add(time.Minute)
	require.NoError(t, b.Take(As(context.Background(), Urgent)))
}

func TestWeightThatHoldsNobodyUpCostsNoStatement(t *testing.T) {
	b, s, _ := newBudget(5, granting)
	b.Heed(context.Background(), Notice{Limit: 1000, Left: 500})
	b.Heed(context.Background(), Notice{})
	require.Empty(t, s.heeded)
	b.Heed(context.Background(), Notice{Limit: 1000, Left: 499})
	require.Len(t, s.heeded, 1)
}
