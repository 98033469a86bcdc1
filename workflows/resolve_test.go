package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"interlock/activities/orders"
	"interlock/internal/trade"
)

// doubtful is a bench whose order is of unknown fate from the first second on.
func doubtful(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.placings = []trade.AttemptResult{{Reply: trade.Unknown, Code: "109", Message: "the connection broke"}}
	b.findings = []trade.Finding{{Result: b.placings[0], Wait: time.Hour}}
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	return b
}

func TestAPersonIsToldWhatBecameOfTheirWord(t *testing.T) {
	for name, c := range map[string]struct {
		word     ResolveRequest
		prepare  func(b *bench)
		accepted bool
		problem  string
		status   trade.Status
	}{
		"the order it is": {ResolveRequest{OrderID: "order-1"}, nil, true, "", trade.Executed},
		"there is none":   {ResolveRequest{Absent: true}, nil, true, "", trade.Failed},
		"neither":         {ResolveRequest{}, nil, false, "either orderId or absent", trade.Unresolved},
		"both":            {ResolveRequest{OrderID: "order-1", Absent: true}, nil, false, "either orderId or absent", trade.Unresolved},
		"an order that the exchange does not show": {ResolveRequest{OrderID: "order-9"}, func(b *bench) {
			b.readErr = temporal.NewApplicationError("errorCode 240: no such order", "")
		}, false, "could not be checked at the exchange: errorCode 240", trade.Unresolved},
		"what the records deny": {ResolveRequest{OrderID: "order-1"}, func(b *bench) { b.problem = "not in the market, side and amount" },
			false, "market, side and amount", trade.Unresolved},
	} {
		t.Run(name, func(t *testing.T) {
			b := doubtful(t)
			if c.prepare != nil {
				c.prepare(b)
			}
			var a *answer
			b.at(time.Minute, func() { a = b.resolve("r1", c.word) })
			b.at(2*time.Minute, func() {
				require.NotNil(t, a.resolved)
				require.Equal(t, c.accepted, a.resolved.Accepted)
				require.Contains(t, a.resolved.Problem, c.problem)
				require.Equal(t, c.status, a.resolved.Status)
				said := b.state().Word
				require.Equal(t, "olga", said.Actor)
				require.True(t, said.Weighed)
				require.Equal(t, c.accepted, said.Accepted)
				require.Equal(t, a.resolved.Problem, said.Problem)
				b.readErr, b.problem = nil, ""
				b.findings = []trade.Finding{{Concluded: true, Result: accepted(filled)}}
			})
			b.run()
			require.Equal(t, 1, b.calls[orders.PlaceOrder])
		})
	}
}

func TestARefusedWordIsKeptInTheAudit(t *testing.T) {
	b := doubtful(t)
	b.readErr = temporal.NewApplicationError("503", "")
	b.at(time.Minute, func() {
		b.env.SignalWorkflow(ResolveName, ResolveRequest{OrderID: "order-9", Actor: "olga", Reason: "seen"})
	})
	b.at(2*time.Minute, func() {
		require.Contains(t, b.resolved[0].Problem, "503")
		require.Equal(t, "olga", b.resolved[0].Actor)
		require.Contains(t, b.state().Word.Problem, "503", "whoever sent a signal can see it too")
		b.findings = []trade.Finding{{Concluded: true, Result: accepted(filled)}}
	})
	require.Equal(t, trade.Executed, b.run().Status)
}

func TestAWordCountsOnlyWhileTheOrderIsInDoubt(t *testing.T) {
	b := newBench(t)
	var before, after *answer
	b.placings, b.orders = []trade.AttemptResult{accepted(openOrder)}, []trade.Order{openOrder, filled}
	b.at(time.Second, func() { before = b.resolve("r1", ResolveRequest{Absent: true}) })
	b.at(2*time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	b.at(4*time.Second, func() { after = b.resolve("r2", ResolveRequest{Absent: true}) })
	require.Equal(t, trade.Executed, b.run().Status)
	require.Equal(t, "the proposal is PENDING, not UNRESOLVED", before.resolved.Problem)
	require.Equal(t, "its order is known: order-1", after.resolved.Problem)
	require.Empty(t, b.resolved)
}

func TestASecondWordWaitsForNobody(t *testing.T) {
	b := doubtful(t)
	var first, second *answer
	b.at(time.Minute, func() {
		first = b.resolve("r1", ResolveRequest{OrderID: "order-1"})
		second = b.resolve("r2", ResolveRequest{Absent: true})
	})
	require.Equal(t, trade.Executed, b.run().Status)
	require.True(t, first.resolved.Accepted)
	require.Equal(t, "another wish is being decided upon", second.resolved.Problem)
}

func TestAWordThatWasTakenIsAnsweredTheSameWhenItIsSaidAgain(t *testing.T) {
	b := doubtful(t)
	var first, early, again, other, later *answer
	b.at(time.Minute, func() {
		first = b.resolve("r1", ResolveRequest{Absent: true})
		early = b.resolve("r0", ResolveRequest{Absent: true})
	})
	b.at(2*time.Minute, func() { again = b.resolve("r2", ResolveRequest{Absent: true}) })
	b.at(3*time.Minute, func() { other = b.resolve("r3", ResolveRequest{OrderID: "order-1"}) })
	b.at(4*time.Minute, func() { later = b.resolve("r4", ResolveRequest{Absent: true}) })
	require.Equal(t, trade.Expired, b.run().Status)
	require.True(t, first.resolved.Accepted)
	require.Equal(t, "another wish is being decided upon", early.resolved.Problem, "and what is refused between changes nothing")
	require.Equal(t, first.resolved, again.resolved)
	require.Equal(t, "the proposal is FAILED, not UNRESOLVED", other.resolved.Problem)
	require.Equal(t, first.resolved, later.resolved)
	require.Len(t, b.resolved, 1, "taken once")
}

// Said of another doubt, the same words are a word of their own.
func TestAWordOnALaterDoubtIsWeighedAnew(t *testing.T) {
	b := doubtful(t)
	var again *answer
	b.at(time.Minute, func() { b.resolve("r1", ResolveRequest{Absent: true}) })
	b.at(2*time.Minute, func() {
		b.placings = []trade.AttemptResult{unknownReply}
		b.findings = []trade.Finding{inDoubt(time.Hour)}
		b.won = func(c *trade.Claim) { c.NextAttempt = 2 }
		b.execute("u2", ExecuteRequest{})
	})
	b.at(3*time.Minute, func() {
		require.Equal(t, trade.Unresolved, b.state().Status)
		again = b.resolve("r2", ResolveRequest{Absent: true})
	})
	require.Equal(t, trade.Expired, b.run().Status)
	require.True(t, again.resolved.Accepted)
	require.Len(t, b.resolved, 2)
}

func TestAWordSaidWhileTheRunIsAboutToEndIsNotLost(t *testing.T) {
	b := doubtful(t)
	began := b.env.Now()
	b.looking = func() {
		if b.env.Now().Sub(began) < 2*trade.ExecuteAnswer {
			return // an execute request is still being answered, which keeps the run as well
		}
		b.env.SetContinueAsNewSuggested(true)
		b.env.SignalWorkflow(ResolveName, ResolveRequest{OrderID: "order-1", Actor: "olga", Reason: "seen"})
	}
	require.Equal(t, trade.Executed, b.run().Status)
	require.Equal(t, "olga", b.resolved[0].Actor)
}

func TestStateShowsWhatWasTriedAndWhenTheNextLookIs(t *testing.T) {
	b := doubtful(t)
	b.at(20*time.Second, func() {
		s := b.state()
		require.Equal(t, trade.Unresolved, s.Status)
		require.Len(t, s.Tried, 1)
		require.Equal(t, AttemptView{Number: 1, At: s.Tried[0].At, Reply: trade.Unknown, Code: "109", Message: "the connection broke"}, s.Tried[0])
		require.Equal(t, s.Looks, len(s.Looked))
		require.Greater(t, s.Looks, 2)
		require.Equal(t, trade.NotThere, s.Looked[0].Saw)
		require.Equal(t, 1, s.Looked[0].Attempt)
		require.True(t, s.Looked[1].At.After(s.Looked[0].At))
		require.True(t, s.NextLook.After(b.env.Now()))
		b.findings = []trade.Finding{{Concluded: true, Result: accepted(filled)}}
	})
	s := b.run()
	require.Equal(t, trade.Accepted, s.Tried[0].Reply)
	require.Equal(t, "order-1", s.Tried[0].OrderID)
}

func TestAResumedRunShowsWhatEarlierRunsTried(t *testing.T) {
	b := newBench(t)
	b.life.Claim, b.life.InDoubt, b.life.Proposal.Status = b.claim(), 1, trade.Unresolved
	b.life.Tried = []trade.PastAttempt{{Number: 1, At: b.env.Now(), Result: unknownReply}}
	for range 30 {
		b.life.Looked = append(b.life.Looked, trade.PastLookup{Number: 1, Lookup: trade.Lookup{Result: trade.Found, Orders: []trade.Order{filled}}})
	}
	b.findings = []trade.Finding{inDoubt(time.Second), {Concluded: true, Result: accepted(filled)}}
	s := b.run()
	require.Len(t, s.Tried, 1)
	require.Len(t, s.Looked, shown, "not without end")
	require.Equal(t, []string{"order-1"}, s.Looked[0].Orders)
}

// Its status may be one that nobody knows: the records see whether a person may
// say that it is over.
func TestAResolutionOfTheAcceptedOrderIsPutToTheRecordsWhileItIsFollowed(t *testing.T) {
	b := newBench(t)
	b.placings, b.orders = []trade.AttemptResult{accepted(openOrder)}, []trade.Order{openOrder, filled}
	b.problem = "its fills are not settled"
	var refused, other, taken *answer
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	b.at(4*time.Second, func() { refused = b.resolve("r1", ResolveRequest{OrderID: "order-1"}) })
	b.at(6*time.Second, func() {
		b.problem = ""
		other = b.resolve("r2", ResolveRequest{OrderID: "order-2"})
		taken = b.resolve("r3", ResolveRequest{OrderID: "order-1"})
	})
	require.Equal(t, trade.Executed, b.run().Status)
	require.Equal(t, "its fills are not settled", refused.resolved.Problem)
	require.Equal(t, "its order is known: order-1", other.resolved.Problem)
	require.True(t, taken.resolved.Accepted)
	require.Len(t, b.resolved, 2)
	require.Equal(t, 1, b.calls[orders.PlaceOrder])
}
