package workflows

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/orders"
	"interlock/internal/trade"
)

var unknownReply = trade.AttemptResult{Reply: trade.Unknown}

func inDoubt(wait time.Duration) trade.Finding {
	return trade.Finding{Result: unknownReply, Wait: wait}
}

func TestExecutePlacesOneOrderAndRecordsIt(t *testing.T) {
	b := newBench(t)
	var a *answer
	b.at(time.Second, func() { a = b.execute("u1", ExecuteRequest{}) })
	s := b.run()
	require.Equal(t, trade.Executed, s.Status)
	require.Equal(t, 1, b.calls[orders.PlaceOrder])
	require.Equal(t, "order-1", b.recorded.OrderID)
	require.NoError(t, a.err)
	require.True(t, a.result.Claimed)
	require.Equal(t, trade.Executed, a.result.Status)
	require.Equal(t, "0.001", a.result.Order.FilledAmount)
}

func TestBlockedExecuteListsEveryBlockAndStaysPending(t *testing.T) {
	b := newBench(t)
	b.block = trade.CooldownBlocked
	var a *answer
	b.at(time.Second, func() { a = b.execute("u1", ExecuteRequest{}) })
	s := b.run()
	require.Equal(t, trade.Expired, s.Status, "nothing happens until its time is over")
	require.Equal(t, trade.Pending, a.result.Status)
	require.False(t, a.result.Claimed)
	require.Equal(t, []trade.Block{{Code: trade.CooldownBlocked, Message: "no"}}, a.result.Blocks)
	require.Zero(t, b.calls[orders.PlaceOrder])
}

func TestManyExecutesAtOnceClaimOnce(t *testing.T) {
	b := newBench(t)
	var answers []*answer
	b.at(time.Second, func() {
		for _, id := range []string{"a", "b", "c", "d", "e"} {
			answers = append(answers, b.execute(id, ExecuteRequest{}))
		}
	})
	b.run()
	claimed := 0
	for _, a := range answers {
		require.NoError(t, a.err)
		if a.result.Claimed {
			claimed++
		}
	}
	require.Equal(t, 1, claimed)
	require.Equal(t, 1, b.calls[orders.PlaceOrder])
	require.Equal(t, 1, b.calls["Preflight"])
}

func TestRequestWithoutActorOrReasonNeverEntersHistory(t *testing.T) {
	b := newBench(t)
	var noReason *answer
	b.at(time.Second, func() { noReason = b.execute("u1", ExecuteRequest{OverrideCooldown: true}) })
	b.run()
	var refusal *temporal.ApplicationError
	require.ErrorAs(t, noReason.rejected, &refusal)
	require.Equal(t, ReasonRequiredType, refusal.Type())
	require.Zero(t, b.calls["Preflight"])
	require.Error(t, checkExecute(ExecuteRequest{}))
}

func TestUnknownReplyIsLookedForAndNeverSentAgain(t *testing.T) {
	b := newBench(t)
	b.placings = []trade.AttemptResult{unknownReply}
	b.findings = []trade.Finding{inDoubt(40 * time.Second), inDoubt(38 * time.Second), {Concluded: true, Result: accepted(filled)}}
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	s := b.run()
	require.Equal(t, trade.Executed, s.Status)
	require.Equal(t, 1, b.calls[orders.PlaceOrder])
	require.Equal(t, 2, b.calls[orders.FindOrder])
}

func TestLostPlaceOrderActivityIsLookedForAndNeverRepeated(t *testing.T) {
	b := newBench(t)
	b.placeErr = errors.New("the worker was lost")
	b.findings = []trade.Finding{inDoubt(time.Second), {Concluded: true, Result: accepted(filled)}}
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	require.Equal(t, trade.Executed, b.run().Status)
	require.Equal(t, 1, b.calls[orders.PlaceOrder])
}

// A result that lacks what it speaks of was written by nobody of ours, and must
// not stop the run that has to find the order.
func TestResultsWithoutTheirOrderOrClaimAreFoundOutAndStopNobody(t *testing.T) {
	for name, lie := range map[string]func(*bench){
		"accepted, and no order":        func(b *bench) { b.placings = []trade.AttemptResult{{Reply: trade.Accepted}} },
		"accepted, an order without ID": func(b *bench) { b.placings = []trade.AttemptResult{{Reply: trade.Accepted, Order: &trade.Order{}}} },
		"concluded, and no order": func(b *bench) {
			b.placings = []trade.AttemptResult{unknownReply}
			b.findings = append([]trade.Finding{{Concluded: true, Result: trade.AttemptResult{Reply: trade.Accepted}}}, b.findings...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.findings = []trade.Finding{inDoubt(time.Second), {Concluded: true, Result: accepted(filled)}}
			lie(b)
			b.won = func(c *trade.Claim) { b.life.Claim, b.life.Proposal.Status, b.life.InDoubt = c, trade.Unresolved, 1 }
			b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
			require.Equal(t, trade.Executed, b.run().Status)
			require.Equal(t, 1, b.calls[orders.PlaceOrder])
		})
	}
}

func TestAClaimThatNobodyNamesIsReadAgain(t *testing.T) {
	b := newBench(t)
	claim := *b.claim()
	claim.NextAttempt, claim.Untried = 2, false
	b.life.Proposal.Status, b.life.InDoubt = trade.Unresolved, 1
	b.findings = []trade.Finding{{Concluded: true, Result: accepted(filled)}}
	b.at(time.Second, func() { b.life.Claim = &claim })
	require.Equal(t, trade.Executed, b.run().Status)
	require.Zero(t, b.calls[orders.PlaceOrder])
}

func TestAbsentOrderFailsWithoutASecondOrder(t *testing.T) {
	b := newBench(t)
	b.placings = []trade.AttemptResult{unknownReply}
	b.findings = []trade.Finding{inDoubt(time.Minute), {Concluded: true, Outcome: trade.OutcomeAbsent, Result: trade.AttemptResult{Reply: trade.NotSent, Code: string(trade.OrderAbsent)}}}
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	b.run()
	require.Equal(t, 1, b.calls[orders.PlaceOrder])
	require.Equal(t, 1, b.failed)
}

func TestExecuteIsAnsweredWithinTenSecondsThoughTheOrderIsUnknown(t *testing.T) {
	b := newBench(t)
	b.placings = []trade.AttemptResult{unknownReply}
	for range 5 {
		b.findings = append(b.findings, inDoubt(time.Minute))
	}
	b.findings = append(b.findings, trade.Finding{Concluded: true, Result: accepted(filled)})
	var a *answer
	b.at(time.Second, func() { a = b.execute("u1", ExecuteRequest{}) })
	b.at(12*time.Second, func() {
		require.NotNil(t, a.result)
		require.Equal(t, trade.Unresolved, a.result.Status)
		require.True(t, a.result.Claimed)
	})
	b.run()
}

func TestSurelyUnsentIsAttemptedAgainInTimeAndThenFails(t *testing.T) {
	b := newBench(t)
	b.placings = []trade.AttemptResult{{Reply: trade.NotSent, Code: string(trade.ExchangeUnavailable)}}
	var began time.Time
	b.at(time.Second, func() { began = b.env.Now(); b.execute("u1", ExecuteRequest{}) })
	b.at(trade.SendWithin+5*time.Second, func() { require.Equal(t, 1, b.failed) })
	b.run()
	require.Greater(t, b.calls[orders.PlaceOrder], 5)
	require.Equal(t, 1, b.failed)
	require.False(t, began.IsZero())
}

func TestRefusalFailsAtOnceWithTheExchangesCode(t *testing.T) {
	b := newBench(t)
	b.placings = []trade.AttemptResult{{Reply: trade.Refused, Code: "217", Message: "too small"}}
	var a *answer
	b.at(time.Second, func() { a = b.execute("u1", ExecuteRequest{}) })
	b.run()
	require.Equal(t, 1, b.calls[orders.PlaceOrder])
	require.Equal(t, &FailureView{Code: trade.ExchangeRefused, ExchangeCode: "217", Message: "too small"}, a.result.Failure)
}

func TestFailedProposalMayBeExecutedAgain(t *testing.T) {
	b := newBench(t)
	b.placings = []trade.AttemptResult{{Reply: trade.Refused, Code: "217"}}
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	b.at(time.Minute, func() {
		require.Equal(t, trade.Failed, b.life.Proposal.Status)
		b.placings = []trade.AttemptResult{accepted(filled)}
		b.calls[orders.PlaceOrder] = 0
		b.execute("u2", ExecuteRequest{})
	})
	require.Equal(t, trade.Executed, b.run().Status)
}

func TestResumedClaimIsFinishedByLookingNeverBySending(t *testing.T) {
	for name, resumed := range map[string]struct {
		claim    trade.Claim
		doubt    int
		accepted string
		want     trade.Status
	}{
		"nothing began":      {claim: trade.Claim{NextAttempt: 1, Untried: true}, want: trade.Expired},
		"attempt in doubt":   {claim: trade.Claim{NextAttempt: 2}, doubt: 1, want: trade.Expired},
		"attempt was unsent": {claim: trade.Claim{NextAttempt: 2}, want: trade.Expired},
		"order was accepted": {claim: trade.Claim{NextAttempt: 2}, accepted: "order-1", want: trade.Executed},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			claim := *b.claim()
			claim.NextAttempt, claim.Untried = resumed.claim.NextAttempt, resumed.claim.Untried
			b.life.Claim, b.life.InDoubt, b.life.AcceptedOrder = &claim, resumed.doubt, resumed.accepted
			b.life.Proposal.Status = trade.Executing
			require.Equal(t, resumed.want, b.run().Status)
			require.Zero(t, b.calls[orders.PlaceOrder])
		})
	}
}

func TestResetRunDoesNotAttemptAClaimThatWasTried(t *testing.T) {
	b := newBench(t)
	b.won = func(c *trade.Claim) { c.NextAttempt, c.Untried, b.life.InDoubt = 2, false, 1 }
	b.findings = []trade.Finding{{Concluded: true, Result: accepted(filled)}}
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	require.Equal(t, trade.Executed, b.run().Status)
	require.Zero(t, b.calls[orders.PlaceOrder])
}

func TestProposalExpiresByItself(t *testing.T) {
	b := newBench(t)
	start := b.env.Now()
	require.Equal(t, trade.Expired, b.run().Status)
	require.GreaterOrEqual(t, b.env.Now().Sub(start), time.Hour)
}

func TestUnknownProposalFailsTheRunAndTellsWhoAsked(t *testing.T) {
	b := newBench(t)
	b.life.Proposal.Status = ""
	b.env.ExecuteWorkflow(Proposal, ProposalInput{})
	require.ErrorContains(t, b.env.GetWorkflowError(), "not found")
}

func TestCancelBeforeTheClaimCloses(t *testing.T) {
	b := newBench(t)
	b.at(time.Second, func() { b.env.SignalWorkflow(CancelSignal, CancelRequest{Actor: "anna", Reason: "news"}) })
	require.Equal(t, trade.Cancelled, b.run().Status)
}

// What a person asked for must survive a database that is away for longer than
// one call may take.
func TestCancelOutlastsALongOutageOfTheDatabase(t *testing.T) {
	b := newBench(t)
	b.outage = b.env.Now().Add(5 * time.Minute)
	b.at(time.Second, func() { b.env.SignalWorkflow(CancelSignal, CancelRequest{Actor: "anna", Reason: "second thoughts"}) })
	require.Equal(t, trade.Cancelled, b.run().Status)
	require.Greater(t, b.calls["Cancel"], 3)
}

func TestCancelledWorkflowCancelsAnUnclaimedProposal(t *testing.T) {
	b := newBench(t)
	b.at(time.Second, func() { b.env.CancelWorkflow() })
	require.Equal(t, trade.Cancelled, b.run().Status)
}

func TestCancelAfterTheClaimCancelsTheOpenOrder(t *testing.T) {
	b := newBench(t)
	b.placings = []trade.AttemptResult{accepted(openOrder)}
	ended := filled
	ended.Status = "canceled"
	b.orders = []trade.Order{openOrder, ended}
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	b.at(3*time.Second, func() { b.env.SignalWorkflow(CancelSignal, CancelRequest{Actor: "anna", Reason: "news"}) })
	require.Equal(t, trade.Executed, b.run().Status)
	require.Equal(t, 1, b.calls[orders.CancelOrder])
	require.Equal(t, trade.OrderStatus("canceled"), b.recorded.Status, "the final status counts, not the wish")
}

func TestClaimGivenUpBeforeAnythingWasPlacedEndsCancelled(t *testing.T) {
	b := newBench(t)
	givenUpBeforeSent(b)
	b.life.Proposal.ExpiresAt = b.env.Now().Add(time.Hour)
	var asked *answer
	b.at(time.Second, func() { asked = b.execute("u1", ExecuteRequest{}) })
	b.at(2*time.Second, func() { b.env.SignalWorkflow(CancelSignal, CancelRequest{Actor: "anna", Reason: "news"}) })
	end := b.run()
	require.Equal(t, trade.Cancelled, end.Status)
	require.Equal(t, trade.CancelRequested, end.Failure.Code)
	require.NoError(t, asked.err)
	require.Equal(t, trade.Cancelled, asked.result.Status)
}

// TestACancelDoesNotAnswerBeforeTheFillsAreKnown was found by the simulation:
// the records held the order's end, this run had not heard of it, and a cancel
// that met it answered EXECUTED with nothing filled.
func TestACancelDoesNotAnswerBeforeTheFillsAreKnown(t *testing.T) {
	b := newBench(t)
	b.placings = []trade.AttemptResult{accepted(openOrder)}
	b.orders = []trade.Order{openOrder, filled}
	var a *answer
	b.at(time.Second, func() { a = b.execute("u1", ExecuteRequest{}) })
	b.at(3*time.Second, func() {
		b.life.Proposal.Status = trade.Executed
		b.env.SignalWorkflow(CancelSignal, CancelRequest{Actor: "anna", Reason: "news"})
	})
	require.Equal(t, trade.Executed, b.run().Status)
	require.Equal(t, trade.Executed, a.result.Status)
	require.Equal(t, "0.001", a.result.Order.FilledAmount)
}

func TestARunThatFindsTheProposalExecutedAnswersWithItsOrder(t *testing.T) {
	b := newBench(t)
	b.at(time.Second, func() {
		b.life.Proposal.Status, b.life.Order = trade.Executed, &filled
		b.env.SignalWorkflow(CancelSignal, CancelRequest{Actor: "anna", Reason: "news"})
	})
	s := b.run()
	require.Equal(t, trade.Executed, s.Status)
	require.Equal(t, "0.001", s.Order.FilledAmount)
}

// TestARequestAskedAgainOfALaterRunStillHasItsClaim: a client whose run was
// terminated asks the next one, under the same ID.
func TestARequestAskedAgainOfALaterRunStillHasItsClaim(t *testing.T) {
	b := newBench(t)
	b.life.Claim, b.life.Proposal.Status, b.life.AcceptedOrder = b.claim(), trade.Executing, "order-1"
	b.life.Claim.Untried, b.life.Claim.RequestID = false, "u1"
	b.orders = []trade.Order{openOrder, filled}
	var mine, others *answer
	b.at(time.Second, func() { mine, others = b.execute("u1", ExecuteRequest{}), b.execute("u2", ExecuteRequest{}) })
	b.at(2*time.Second, func() { b.env.SignalWorkflow(CancelSignal, CancelRequest{Actor: "anna", Reason: "news"}) })
	require.Equal(t, trade.Executed, b.run().Status)
	require.True(t, mine.result.Claimed)
	require.Equal(t, trade.Executed, mine.result.Status, "it waits for its order")
	require.False(t, others.result.Claimed)
}

// TestAFailureIsAnsweredAsTheRecordsEndIt was found by the simulation: the
// records knew of a cancel of which the run had not heard yet, closed the
// proposal with the failure, and the answer was that it may be executed again.
func TestAFailureIsAnsweredAsTheRecordsEndIt(t *testing.T) {
	b := newBench(t)
	b.placings = []trade.AttemptResult{{Reply: trade.NotSent, Code: string(trade.CancelRequested)}}
	b.won = func(*trade.Claim) { b.life.CancelledBy = "anna" } // by a cancel whose answer was lost
	var a *answer
	b.at(time.Second, func() { a = b.execute("u1", ExecuteRequest{}) })
	require.Equal(t, trade.Cancelled, b.run().Status)
	require.Equal(t, trade.Cancelled, a.result.Status)
	require.Equal(t, trade.CancelRequested, a.result.Failure.Code)
}

func TestLimitOrderIsCancelledAtItsTimeToLive(t *testing.T) {
	b := newBench(t)
	b.placings = []trade.AttemptResult{accepted(openOrder)}
	ended := openOrder
	ended.Status = "canceled"
	b.orders = []trade.Order{openOrder, ended}
	b.won = func(c *trade.Claim) { c.Plan.TimeInForce, c.Plan.TimeToLive = "GTC", trade.Duration(5*time.Minute) }
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	b.at(4*time.Minute, func() { require.Zero(t, b.calls[orders.CancelOrder]) })
	b.at(6*time.Minute, func() { require.Equal(t, 1, b.calls[orders.CancelOrder]) })
	require.Equal(t, trade.Executed, b.run().Status)
	require.True(t, b.recorded.FilledAmount.IsZero())
}

func TestCancellingTheWorkflowAfterTheClaimComesTooLate(t *testing.T) {
	b := newBench(t)
	b.placings = []trade.AttemptResult{unknownReply}
	b.findings = []trade.Finding{inDoubt(30 * time.Second), inDoubt(20 * time.Second), {Concluded: true, Result: accepted(filled)}}
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	b.at(2*time.Second, func() { b.env.CancelWorkflow() })
	require.Equal(t, trade.Executed, b.run().Status)
	require.NotNil(t, b.recorded)
}

func TestAPersonsWordEndsUnresolved(t *testing.T) {
	b := newBench(t)
	b.placings = []trade.AttemptResult{unknownReply}
	b.findings = []trade.Finding{inDoubt(time.Hour)}
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	b.at(time.Minute, func() {
		b.env.SignalWorkflow(ResolveName, ResolveRequest{OrderID: "order-1", Actor: "olga", Reason: "seen in the web page"})
	})
	require.Equal(t, trade.Executed, b.run().Status)
	require.Equal(t, "olga", b.resolved[0].Actor)
	require.Equal(t, 1, b.calls[orders.ReadOrder], "the order is read from the exchange, not believed")
}

func TestOverrideSignalExecutesAtOnce(t *testing.T) {
	b := newBench(t)
	b.at(time.Second, func() {
		b.env.SignalWorkflow(OverrideName, OverrideRequest{Cooldown: true, Actor: "anna", Reason: "news", Execute: true})
	})
	require.Equal(t, trade.Executed, b.run().Status)
	require.Len(t, b.stored, 1)
	require.NotEmpty(t, b.stored[0].ID)
	require.Equal(t, "signal", b.requests[0].Via)
}

func TestRefusedOverrideSignalExecutesNothing(t *testing.T) {
	b := newBench(t)
	b.problem = "an override needs an actor"
	b.at(time.Second, func() { b.env.SignalWorkflow(OverrideName, OverrideRequest{Cooldown: true, Execute: true}) })
	require.Equal(t, trade.Expired, b.run().Status)
	require.Zero(t, b.calls["Preflight"])
}

func TestSignalsThatDoNotDecodeChangeNothing(t *testing.T) {
	b := newBench(t)
	b.at(time.Second, func() {
		b.env.SignalWorkflow(OverrideName, "rubbish")
		b.env.SignalWorkflow(CancelSignal, []int{1, 2})
		b.env.SignalWorkflow(ResolveName, 7)
	})
	require.Equal(t, trade.Expired, b.run().Status)
	require.Empty(t, b.stored)
}

func TestLongDoubtContinuesAsNew(t *testing.T) {
	b := newBench(t)
	b.placings = []trade.AttemptResult{unknownReply}
	b.findings = []trade.Finding{inDoubt(time.Hour)}
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	b.at(time.Minute, func() { b.env.SetContinueAsNewSuggested(true) })
	b.env.ExecuteWorkflow(Proposal, ProposalInput{})
	require.True(t, workflow.IsContinueAsNewError(b.env.GetWorkflowError()))
	require.Equal(t, 1, b.calls[orders.PlaceOrder])
}

func TestARunThatContinuedPacesItsLooksAsTheEarlierOnesDid(t *testing.T) {
	b := newBench(t)
	b.life.Claim, b.life.InDoubt, b.life.Proposal.Status = b.claim(), 1, trade.Unresolved
	b.findings = []trade.Finding{inDoubt(time.Hour)}
	b.at(29*time.Second, func() {
		require.Zero(t, b.calls[orders.FindOrder], "it does not begin anew with a lookup per second")
	})
	b.at(40*time.Second, func() {
		require.Equal(t, 1, b.calls[orders.FindOrder])
		b.findings = []trade.Finding{{Concluded: true, Result: accepted(filled)}}
	})
	b.env.ExecuteWorkflow(Proposal, ProposalInput{Looks: 40})
	require.NoError(t, b.env.GetWorkflowError())
}

func TestARunThatShouldContinueAsNewFirstServesWhoAsked(t *testing.T) {
	b := newBench(t)
	b.placings = []trade.AttemptResult{unknownReply}
	b.findings = []trade.Finding{inDoubt(3 * time.Second), inDoubt(2 * time.Second), {Concluded: true, Result: accepted(filled)}}
	var a *answer
	b.at(time.Second, func() { a = b.execute("u1", ExecuteRequest{}) })
	b.at(1500*time.Millisecond, func() { b.env.SetContinueAsNewSuggested(true) })
	require.Equal(t, trade.Executed, b.run().Status)
	require.Equal(t, trade.Executed, a.result.Status)
	require.Equal(t, 1, b.calls[orders.PlaceOrder])
}

// What an activity answered is not believed where no row says it.
func TestAnEndThatNoRowHasIsFollowedAgain(t *testing.T) {
	b := newBench(t)
	b.unended = 2
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	require.Equal(t, trade.Executed, b.run().Status)
	require.Equal(t, 3, b.calls["RecordOrder"])
	require.Equal(t, 2, b.calls[orders.FollowOrder])
	require.Equal(t, 1, b.calls[orders.PlaceOrder])
}

func TestAFailureThatTheRowsDenyIsLookedInto(t *testing.T) {
	b := newBench(t)
	b.placings = []trade.AttemptResult{{Reply: trade.Refused, Code: "217"}}
	b.alive = trade.Unresolved
	b.won = func(*trade.Claim) { b.life.InDoubt = 1 }
	b.findings = []trade.Finding{inDoubt(time.Second), {Concluded: true, Result: accepted(filled)}}
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	require.Equal(t, trade.Executed, b.run().Status)
	require.Zero(t, b.failed)
	require.Equal(t, 1, b.calls[orders.PlaceOrder])
}

func TestAFollowingThatSomebodyElseEndsIsTakenUpAgain(t *testing.T) {
	b := newBench(t)
	b.placings, b.orders = []trade.AttemptResult{accepted(openOrder)}, []trade.Order{openOrder, filled}
	b.followErrs = []error{temporal.NewNonRetryableApplicationError("as a stranger says", "Anything", nil)}
	b.won = func(*trade.Claim) { b.life.AcceptedOrder = "order-1" }
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	require.Equal(t, trade.Executed, b.run().Status)
	require.Equal(t, 1, b.calls[orders.PlaceOrder])
}

func TestASignalThatIsRefusedIsInTheAuditAndInTheState(t *testing.T) {
	b := newBench(t)
	b.at(time.Second, func() {
		b.env.SignalWorkflow(CancelSignal, map[string]any{})
		b.env.SignalWorkflow(CancelSignal, map[string]any{"actor": "anna", "reason": "news", "force": true})
		b.env.SignalWorkflow(ResolveName, map[string]any{"actor": 7})
	})
	b.at(2*time.Second, func() {
		refused := b.state().Refused
		require.Len(t, refused, 3)
		require.Equal(t, CancelSignal, refused[0].Signal)
		require.Contains(t, refused[0].Problem, "say who")
		require.Contains(t, refused[1].Problem, "force")
		require.Equal(t, ResolveName, refused[2].Signal)
		require.Equal(t, trade.Pending, b.state().Status)
	})
	require.Equal(t, trade.Expired, b.run().Status)
	require.Len(t, b.refusals, 3)
}

func TestRefusedSignalsWithoutEndDoNotFillTheAudit(t *testing.T) {
	b := newBench(t)
	b.at(time.Second, func() {
		for range 100 {
			b.env.SignalWorkflow(CancelSignal, map[string]any{})
		}
	})
	b.at(time.Minute, func() { require.Len(t, b.state().Refused, shown) })
	b.run()
	require.Len(t, b.refusals, maxRefusals)
}

func TestARecordThatIsTriedAgainIsShown(t *testing.T) {
	b := newBench(t)
	b.outage = b.env.Now().Add(3 * time.Minute)
	b.at(time.Minute, func() {
		b.env.SignalWorkflow(CancelSignal, CancelRequest{Actor: "anna", Reason: "news"})
	})
	b.at(2*time.Minute, func() {
		require.NotNil(t, b.state().Recording)
		require.Equal(t, "Cancel", b.state().Recording.Activity)
	})
	s := b.run()
	require.Equal(t, trade.Cancelled, s.Status)
	require.Nil(t, s.Recording)
}

func TestARunThatFollowsForLongContinuesAsNewAndGoesOnFollowing(t *testing.T) {
	b := newBench(t)
	b.placings, b.orders = []trade.AttemptResult{accepted(openOrder)}, []trade.Order{openOrder}
	b.at(time.Second, func() { b.execute("u1", ExecuteRequest{}) })
	b.at(5*time.Minute, func() { b.env.SetContinueAsNewSuggested(true) })
	b.env.ExecuteWorkflow(Proposal, ProposalInput{})
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, b.env.GetWorkflowError(), &again)
	require.Nil(t, b.recorded)

	b = newBench(t)
	b.life.Claim, b.life.AcceptedOrder, b.life.Proposal.Status = b.claim(), "order-1", trade.Executing
	require.Equal(t, trade.Executed, b.run().Status)
	require.Zero(t, b.calls[orders.PlaceOrder])
}

func TestAWishEndsALookupThatWaitsForTheExchange(t *testing.T) {
	b := doubtful(t)
	silent := 0
	b.silent = func() bool { silent++; return true }
	var a *answer
	b.at(20*time.Second, func() { a = b.resolve("r1", ResolveRequest{OrderID: "order-1"}) })
	require.Equal(t, trade.Executed, b.run().Status)
	require.True(t, a.resolved.Accepted)
	require.Positive(t, silent)
	require.Equal(t, 1, b.calls[orders.PlaceOrder])
}

func TestAStartWithMadeUpInputChangesNothing(t *testing.T) {
	b := doubtful(t)
	b.input = ProposalInput{Looks: -5, Taken: &ResolveRequest{Absent: true, Actor: "mallory", Reason: "because"}}
	b.at(30*time.Second, func() {
		require.Equal(t, trade.Unresolved, b.state().Status)
		b.findings = []trade.Finding{{Concluded: true, Result: accepted(filled)}}
	})
	b.env.ExecuteWorkflow(Proposal, b.input)
	require.NoError(t, b.env.GetWorkflowError())
	require.NotNil(t, b.recorded)
}
