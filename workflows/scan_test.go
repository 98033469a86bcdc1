package workflows

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"interlock/activities/proposals"
	"interlock/activities/scans"
	"interlock/internal/scan"
	"interlock/internal/trade"
)

// scene is a Scan workflow whose steps can be made to misbehave.
type scene struct {
	seen     scans.Seen
	seenErr  error
	reserved []scans.Reserved // of each ReserveCall; the last one repeats
	answers  []scan.Answer    // of each Propose; the last one repeats
	lost     int              // so many first calls of Propose are lost with their worker
	kept     scans.Kept

	calls   map[string]int
	numbers []int
	settled []scan.Answer
	started []proposals.StartInput
	ends    []scans.EndInput
}

func newScene() *scene {
	job := scan.Job{ID: "hourly", UserID: "anna", AccountID: "paper", Revision: 1, Spec: scan.Defaults()}
	job.Markets, job.Every, job.Model = []trade.Market{"BTC-EUR"}, trade.Duration(time.Hour), "m"
	return &scene{
		seen: scans.Seen{Job: job, Snapshot: "digest"}, reserved: []scans.Reserved{{Call: scan.Call{ID: "call"}}},
		answers: []scan.Answer{{Content: "{}", UsageKnown: true}}, kept: scans.Kept{Stored: scan.Stored{Proposals: []string{"p-1", "p-2"}}},
		calls: map[string]int{},
	}
}

// steps are the scene's activities, by name.
func (s *scene) steps() map[string]any {
	return map[string]any{
		scans.ReadMarket: func(context.Context, scans.Run) (scans.Seen, error) {
			s.calls[scans.ReadMarket]++
			return s.seen, s.seenErr
		},
		scans.ReserveCall: func(_ context.Context, in scans.CallInput) (scans.Reserved, error) {
			s.calls[scans.ReserveCall]++
			s.numbers = append(s.numbers, in.Number)
			return nth(s.reserved, s.calls[scans.ReserveCall]), nil
		},
		scans.Propose: func(context.Context, scans.ProposeInput) (scan.Answer, error) {
			s.calls[scans.Propose]++
			if s.calls[scans.Propose] <= s.lost {
				return scan.Answer{}, errors.New("the worker died")
			}
			return nth(s.answers, s.calls[scans.Propose]), nil
		},
		scans.SettleCall: func(_ context.Context, in scans.SettleInput) error {
			s.settled = append(s.settled, in.Answer)
			return nil
		},
		scans.StoreIdeas: func(context.Context, scans.StoreInput) (scans.Kept, error) { return s.kept, nil },
		scans.EndScan: func(_ context.Context, in scans.EndInput) error {
			s.ends = append(s.ends, in)
			return nil
		},
	}
}

func (s *scene) birth(_ context.Context, in proposals.StartInput) error {
	s.started = append(s.started, in)
	return nil
}

func (s *scene) run(t *testing.T, prepare ...func(*testsuite.TestWorkflowEnvironment)) ScanResult {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := newEnv(&suite)
	for name, fn := range s.steps() {
		env.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
	env.RegisterActivityWithOptions(s.birth, activity.RegisterOptions{Name: proposals.StartProposal})
	for _, p := range prepare {
		p(env)
	}
	env.ExecuteWorkflow(Scan, ScanInput{JobID: "hourly", Account: "paper", Revision: 1})
	require.True(t, env.IsWorkflowCompleted())
	require.NoError(t, env.GetWorkflowError())
	var r ScanResult
	require.NoError(t, env.GetWorkflowResult(&r))
	if !s.seen.Ended {
		require.Len(t, s.ends, 1, "every exit leaves one record")
		require.Equal(t, r.Code, s.ends[0].Code)
	}
	require.Len(t, s.settled, len(s.numbers)-s.refusals(), "every reservation is settled")
	return r
}

func (s *scene) refusals() int {
	n := 0
	for i := range s.numbers {
		if nth(s.reserved, i+1).Code != "" {
			n++
		}
	}
	return n
}

func ended(code scan.Code) scans.End { return scans.End{Code: string(code), Detail: "why"} }

func TestScanStartsAProposalPerIdea(t *testing.T) {
	s := newScene()
	s.kept.Execute = true
	r := s.run(t)
	require.Equal(t, ScanResult{Code: "SCANNED", Detail: "2 proposed, 0 duplicates, 0 refused", Proposals: []string{"p-1", "p-2"}, Calls: 1}, r)
	require.Equal(t, []proposals.StartInput{{ProposalID: "p-1", Execute: true}, {ProposalID: "p-2", Execute: true}}, s.started)
}

func TestAScanThatCannotSeeTheMarketAsksNobody(t *testing.T) {
	for _, code := range []scan.Code{scan.MarketUnavailable, scan.MarketStale, scan.MarketMissing, scan.JobPaused, scan.JobDeleted} {
		s := newScene()
		s.seen.End = ended(code)
		require.Equal(t, string(code), s.run(t).Code)
		require.Zero(t, s.calls[scans.ReserveCall]+s.calls[scans.Propose])
	}
}

func TestARunThatHasEndedIsNotRepeated(t *testing.T) {
	s := newScene()
	s.seen.End, s.seen.Ended = ended(scan.Scanned), true
	require.Equal(t, "SCANNED", s.run(t).Code)
	require.Empty(t, s.ends)
	require.Zero(t, s.calls[scans.ReserveCall])
}

func TestAnExhaustedBudgetMakesNoCall(t *testing.T) {
	s := newScene()
	s.reserved = []scans.Reserved{{End: scans.End{Code: "DAILY_BUDGET_EXHAUSTED,HOURLY_BUDGET_EXHAUSTED"}}}
	r := s.run(t)
	require.Equal(t, "DAILY_BUDGET_EXHAUSTED,HOURLY_BUDGET_EXHAUSTED", r.Code)
	require.Zero(t, r.Calls)
	require.Zero(t, s.calls[scans.Propose])
}

func TestABusyServerIsAskedOnceMoreAfterItsTimeAndEachCallIsReserved(t *testing.T) {
	s := newScene()
	s.answers = []scan.Answer{{Code: scan.ModelBusy, RetryAfter: 7 * time.Second}, {Content: "{}"}}
	r := s.run(t)
	require.Equal(t, "SCANNED", r.Code)
	require.Equal(t, []int{1, 2}, s.numbers)

	s = newScene()
	s.answers = []scan.Answer{{Code: scan.ModelBusy, RetryAfter: 7 * time.Second}}
	require.Equal(t, "MODEL_BUSY", s.run(t).Code)
	require.Equal(t, 2, s.calls[scans.Propose])
}

func TestAServerThatWantsToBeLeftAloneIs(t *testing.T) {
	s := newScene()
	s.answers = []scan.Answer{{Code: scan.ModelBusy, RetryAfter: time.Hour}}
	var took time.Duration
	r := s.run(t, func(env *testsuite.TestWorkflowEnvironment) {
		env.SetOnTimerScheduledListener(func(_ string, d time.Duration) { took += d })
	})
	require.Equal(t, "MODEL_BUSY", r.Code)
	require.Equal(t, 1, s.calls[scans.Propose])
	require.Equal(t, time.Hour, took, "the schedule skips this job meanwhile")
}

func TestACallThatNeverLeftIsGivenBackAndNotRepeated(t *testing.T) {
	s := newScene()
	s.answers = []scan.Answer{{Code: scan.ModelUnreachable, Detail: "refused", UsageKnown: true}}
	r := s.run(t)
	require.Equal(t, "MODEL_UNREACHABLE", r.Code)
	require.Equal(t, 1, s.calls[scans.Propose])
	require.False(t, s.settled[0].Left())
}

func TestALostWorkersCallCountsAtItsWorst(t *testing.T) {
	s := newScene()
	s.lost = 1
	r := s.run(t)
	require.Equal(t, "SCANNED", r.Code)
	require.Equal(t, scan.ModelUnknown, s.settled[0].Code)
	require.False(t, s.settled[0].UsageKnown)
	require.Equal(t, 2, r.Calls, "and the second is one of its own")
}

func TestUnusableAnswersEndTheScanWithTheirCode(t *testing.T) {
	for _, code := range []scan.Code{scan.ModelRefused, scan.ReplyCutOff, scan.ReplyInvalid} {
		s := newScene()
		s.answers = []scan.Answer{{Code: code, UsageKnown: true}}
		require.Equal(t, string(code), s.run(t).Code)
		require.Equal(t, 1, s.calls[scans.Propose])
	}
	s := newScene()
	s.kept = scans.Kept{End: ended(scan.ReplyInvalid)}
	require.Equal(t, "REPLY_INVALID", s.run(t).Code)
	require.Empty(t, s.started)
}

func TestAScanThatNobodyTakesIsRecorded(t *testing.T) {
	s := newScene()
	s.seenErr = temporal.NewNonRetryableApplicationError("broken", scans.BugType, nil)
	require.Equal(t, "SCANS_UNAVAILABLE", s.run(t).Code)
}

func TestACancelledScanSettlesAndIsRecorded(t *testing.T) {
	s := newScene()
	s.answers = []scan.Answer{{Code: scan.ModelBusy, RetryAfter: time.Minute}}
	r := s.run(t, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(env.CancelWorkflow, 10*time.Second)
	})
	require.Equal(t, "SCAN_CANCELLED", r.Code)
	require.Len(t, s.settled, 1)
}
