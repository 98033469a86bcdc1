package workflows

import (
	"errors"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/proposals"
	"interlock/activities/scans"
	"interlock/internal/scan"
)

// ScanInput names what a Scan workflow scans. Its workflow ID, which the
// schedule makes of the job and the due time, names the run: the same due time
// again is the same run.
type ScanInput struct {
	JobID    string `json:"jobId"`
	Account  string `json:"account"`
	Revision int    `json:"revision"`
}

// ScanResult is how a run ended.
type ScanResult struct {
	Code      string   `json:"code"`
	Detail    string   `json:"detail,omitempty"`
	Proposals []string `json:"proposals"`
	Calls     int      `json:"calls"` // reserved ones, given back or not
}

// Scan looks at the market, asks a model within the user's budget, stores what
// it proposes and lets the proposals live. Every exit leaves one record. It
// fails only when there never was such a job, or when the records contradict
// themselves.
func Scan(ctx workflow.Context, in ScanInput) (ScanResult, error) {
	s := &scanning{account: in.Account, run: scans.Run{ID: workflow.GetInfo(ctx).WorkflowExecution.ID, JobID: in.JobID}}
	end, err := s.scan(ctx)
	if err != nil {
		end = endOf(err)
	}
	result := ScanResult{Code: end.Code, Detail: end.Detail, Proposals: s.stored.Proposals, Calls: s.calls}
	if s.seen.Ended {
		return result, nil
	}
	recording, _ := workflow.NewDisconnectedContext(ctx)
	return result, workflow.ExecuteActivity(booking(recording, s.account), scans.EndScan, scans.EndInput{End: end, Run: s.run}).Get(recording, nil)
}

// scanning is one run of a job.
type scanning struct {
	account string
	run     scans.Run
	seen    scans.Seen
	stored  scan.Stored
	calls   int
}

func (s *scanning) scan(ctx workflow.Context) (scans.End, error) {
	if err := workflow.ExecuteActivity(looking(ctx, s.account), scans.ReadMarket, s.run).Get(ctx, &s.seen); err != nil || s.seen.Code != "" {
		return s.seen.End, err
	}
	answer, end, err := s.ask(ctx)
	if err != nil || end.Code != "" {
		return end, err
	}
	return s.propose(ctx, answer.Content)
}

const (
	// mostCalls is how often a run asks: once, and once more when the server had
	// no time or a worker was lost. Each call is reserved by itself.
	mostCalls = 2
	// askAgainWithin is how long what was seen is still worth asking about.
	askAgainWithin = 30 * time.Second
	askAgainAfter  = 2 * time.Second
)

// ask makes calls until one is answered, or nothing more may be asked. A server
// that wants to be left alone longer than the snapshot lasts is: meanwhile the
// schedule skips this job.
func (s *scanning) ask(ctx workflow.Context) (scan.Answer, scans.End, error) {
	for {
		answer, end, err := s.call(ctx)
		if err != nil || end.Code != "" || answer.Code == "" {
			return answer, end, err
		}
		end = scans.End{Code: string(answer.Code), Detail: answer.Detail}
		wait := max(answer.RetryAfter, askAgainAfter)
		again := mayAskAgain(answer) && s.calls < mostCalls && wait <= askAgainWithin
		if again || answer.RetryAfter > 0 {
			if err := workflow.Sleep(ctx, wait); err != nil {
				return answer, end, err
			}
		}
		if !again {
			return answer, end, nil
		}
	}
}

func mayAskAgain(a scan.Answer) bool {
	return a.Code == scan.ModelBusy || a.Code == scan.ModelUnknown || a.Code == scan.ModelFailed && !a.UsageKnown
}

// call reserves one call, makes it, and books what it used whatever happens.
func (s *scanning) call(ctx workflow.Context) (scan.Answer, scans.End, error) {
	s.calls++
	var reserved scans.Reserved
	err := workflow.ExecuteActivity(reserving(ctx, s.account), scans.ReserveCall, scans.CallInput{
		Run: s.run, Job: s.seen.Job, Snapshot: s.seen.Snapshot, Number: s.calls,
	}).Get(ctx, &reserved)
	if err != nil || reserved.Code != "" {
		s.calls--
		return scan.Answer{}, reserved.End, err
	}
	var answer scan.Answer
	if err := workflow.ExecuteActivity(asking(ctx, s.account), scans.Propose, scans.ProposeInput{Call: reserved.Call, Job: s.seen.Job}).Get(ctx, &answer); err != nil {
		answer = lostAnswer(err)
	}
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	return answer, scans.End{}, workflow.ExecuteActivity(booking(ctx, s.account), scans.SettleCall, scans.SettleInput{
		Call: reserved.Call, Job: s.seen.Job, Answer: answer,
	}).Get(ctx, nil)
}

// lostAnswer is what is known of a call whose worker did not answer: nothing,
// unless no worker ever took it.
func lostAnswer(err error) scan.Answer {
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) && timeout.TimeoutType() == enums.TIMEOUT_TYPE_SCHEDULE_TO_START {
		return scan.Answer{Code: scan.ModelUnreachable, Detail: "no worker took the call", UsageKnown: true}
	}
	return scan.Answer{Code: scan.ModelUnknown, Detail: "the worker that asked did not answer"}
}

// propose stores what the model wrote and lets its proposals live.
func (s *scanning) propose(ctx workflow.Context, content string) (scans.End, error) {
	var kept scans.Kept
	err := workflow.ExecuteActivity(booking(ctx, s.account), scans.StoreIdeas, scans.StoreInput{
		Run: s.run, Job: s.seen.Job, Snapshot: s.seen.Snapshot, Content: content,
	}).Get(ctx, &kept)
	if err != nil || kept.Code != "" {
		return kept.End, err
	}
	s.stored = kept.Stored
	for _, id := range kept.Proposals {
		err := workflow.ExecuteActivity(starting(ctx), proposals.StartProposal, proposals.StartInput{
			ProposalID: id, Execute: kept.Execute,
		}).Get(ctx, nil)
		if err != nil {
			// It is stored: the sweep starts it, and a person may execute it.
			workflow.GetLogger(ctx).Warn("proposal was not started", "proposal", id, "error", err)
		}
	}
	return scans.End{Code: string(scan.Scanned), Detail: kept.String()}, nil
}

// endOf says how a run ends that could not go on.
func endOf(err error) scans.End {
	if temporal.IsCanceledError(err) {
		return scans.End{Code: string(scan.Cancelled), Detail: "the workflow was cancelled"}
	}
	return scans.End{Code: string(scan.Unavailable), Detail: err.Error()}
}
