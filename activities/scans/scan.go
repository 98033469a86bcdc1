package scans

import (
	"context"
	"errors"
	"fmt"

	"github.com/shopspring/decimal"
	"go.temporal.io/sdk/temporal"

	"interlock/activities/heartbeat"
	"interlock/internal/budget"
	"interlock/internal/prompt"
	"interlock/internal/scan"
	"interlock/internal/trade"
)

// Names under which the activities are registered.
const (
	ReadMarket  = "ReadMarket"
	ReserveCall = "ReserveCall"
	Propose     = "Propose"
	SettleCall  = "SettleCall"
	StoreIdeas  = "StoreIdeas"
	EndScan     = "EndScan"
)

// Types of the errors that asking again cannot cure.
const (
	NotFoundType = "NotFound"
	BugType      = "Bug"
)

// Records is where jobs, runs, usage and ideas are kept.
type Records interface {
	ScanJob(ctx context.Context, id string) (scan.Job, error)
	BeginScan(ctx context.Context, runID string, j scan.Job) (snapshot string, ended scan.Code, err error)
	PutSnapshot(ctx context.Context, runID string, seen prompt.Snapshot) (digest string, err error)
	Snapshot(ctx context.Context, digest string) (prompt.Snapshot, error)
	EndScan(ctx context.Context, runID, jobID, code, detail string) error
	StoreIdeas(ctx context.Context, runID string, j scan.Job, proposals []trade.Proposal, bodies []string, refused []prompt.Refused) (scan.Stored, error)
}

// Books is where model calls are reserved and settled.
type Books interface {
	ReserveCall(ctx context.Context, c scan.Call) ([]budget.Exhausted, error)
	BeginCall(ctx context.Context, id string) (bool, error)
	SettleCall(ctx context.Context, c scan.Call, a scan.Answer, cost decimal.Decimal) error
}

// Model is asked once per call.
type Model interface {
	Ask(ctx context.Context, q scan.Question) scan.Answer
}

// Counter counts what happened, for the metrics. A nil one counts nothing.
type Counter interface {
	Scan(code string, times int64)
}

// Activities are the steps of a scan.
type Activities struct {
	Exchange Exchange
	Records  Records
	Books    Books
	Model    Model
	Counter  Counter
}

// End is how a scan ended, or empty while it may go on.
type End struct {
	Code   string `json:"code,omitempty"`
	Detail string `json:"detail,omitempty"`
}

func ends(code scan.Code, detail string) End { return End{Code: string(code), Detail: detail} }

// Run names one run of one job.
type Run struct {
	ID    string `json:"id"` // workflow ID
	JobID string `json:"jobId"`
}

// Seen is what a run found: the job, and the digest of what it saw.
type Seen struct {
	End

	Ended    bool     `json:"ended"` // by an earlier execution of the same run
	Job      scan.Job `json:"job"`
	Snapshot string   `json:"snapshot,omitempty"`
}

// ReadMarket begins a run, looks at the market once and keeps what it saw. A
// run that looked before goes on with that. What keeps it from going on is its
// end; an error means that the database did not answer.
func (a *Activities) ReadMarket(ctx context.Context, r Run) (Seen, error) {
	defer heartbeat.Keep(ctx)()
	job, err := a.Records.ScanJob(ctx, r.JobID)
	switch {
	case errors.Is(err, trade.ErrNotFound):
		return Seen{End: ends(scan.JobDeleted, "the job was deleted")}, nil
	case err != nil:
		return Seen{}, final(err)
	}
	digest, ended, err := a.Records.BeginScan(ctx, r.ID, job)
	switch {
	case err != nil:
		return Seen{}, final(err)
	case ended != "":
		return Seen{End: ends(ended, ""), Ended: true, Job: job}, nil
	case job.Paused:
		return Seen{End: ends(scan.JobPaused, job.Note), Job: job}, nil
	case digest != "":
		return Seen{Job: job, Snapshot: digest}, nil
	}
	seen, end := a.look(ctx, job)
	if end.Code != "" {
		return Seen{End: end, Job: job}, nil
	}
	digest, err = a.Records.PutSnapshot(ctx, r.ID, seen)
	return Seen{Job: job, Snapshot: digest}, final(err)
}

// CallInput names the n-th call of a run.
type CallInput struct {
	Run      Run      `json:"run"`
	Job      scan.Job `json:"job"`
	Snapshot string   `json:"snapshot"`
	Number   int      `json:"number"`
}

// Reserved is a reservation, or why there is none.
type Reserved struct {
	End

	Call scan.Call `json:"call"`
}

// ReserveCall reserves the worst that a call can use. The same call again is
// the same reservation.
func (a *Activities) ReserveCall(ctx context.Context, in CallInput) (Reserved, error) {
	request, err := a.request(ctx, in.Job, in.Snapshot)
	if err != nil {
		return Reserved{}, err
	}
	call := scan.Call{
		ID: scan.CallID(in.Run.ID, in.Number), UserID: in.Job.UserID, AccountID: in.Job.AccountID, Snapshot: in.Snapshot,
		Purpose: in.Job.Purpose(), Model: in.Job.Model, Ask: in.Job.Prices.Worst(request.Bytes(), int64(in.Job.MaxReply)),
	}
	no, err := a.Books.ReserveCall(ctx, call)
	switch {
	case errors.Is(err, trade.ErrNotFound):
		return Reserved{End: ends(scan.PolicyMissing, "user "+call.UserID+" has no policy for account "+call.AccountID)}, nil
	case err != nil:
		return Reserved{}, final(err)
	case len(no) > 0:
		return Reserved{End: End{Code: budget.Codes(no), Detail: no[0].Message}}, nil
	}
	return Reserved{Call: call}, nil
}

func (a *Activities) request(ctx context.Context, j scan.Job, digest string) (prompt.Request, error) {
	seen, err := a.Records.Snapshot(ctx, digest)
	if err != nil {
		return prompt.Request{}, final(err)
	}
	request, err := prompt.Render(j.Ask(), seen)
	if err != nil {
		return request, temporal.NewNonRetryableApplicationError(err.Error(), BugType, err)
	}
	return request, nil
}

// ProposeInput is a reserved call.
type ProposeInput struct {
	Call scan.Call `json:"call"`
	Job  scan.Job  `json:"job"`
}

// mostContent bounds what of a reply goes through Temporal and the books.
const mostContent = 64 << 10

// Propose asks the model once. A reservation that was begun or settled by
// another is not used again: a worker that wakes up late sends nothing.
func (a *Activities) Propose(ctx context.Context, in ProposeInput) (scan.Answer, error) {
	defer heartbeat.Keep(ctx)()
	request, err := a.request(ctx, in.Job, in.Call.Snapshot)
	if err != nil {
		return unsent(err.Error()), nil
	}
	begun, err := a.Books.BeginCall(ctx, in.Call.ID)
	switch {
	case err != nil:
		return unsent(err.Error()), nil
	case !begun:
		return scan.Answer{Code: scan.ModelUnknown, Detail: "this call was begun before"}, nil
	}
	answer := a.Model.Ask(ctx, scan.Question{Model: in.Job.Model, Request: request, MaxReply: in.Job.MaxReply})
	if len(answer.Content) > mostContent {
		answer.Code, answer.Detail = scan.ReplyInvalid, fmt.Sprintf("the reply has %d bytes", len(answer.Content))
		answer.Content = ""
	}
	return answer, nil
}

func unsent(why string) scan.Answer {
	return scan.Answer{Code: scan.ModelUnreachable, Detail: "not sent: " + why, UsageKnown: true}
}

// SettleInput is a call and what became of it.
type SettleInput struct {
	Call   scan.Call   `json:"call"`
	Job    scan.Job    `json:"job"`
	Answer scan.Answer `json:"answer"`
}

// SettleCall books what a call used. Again it changes nothing.
func (a *Activities) SettleCall(ctx context.Context, in SettleInput) error {
	cost := in.Job.Prices.Cost(in.Answer.InputTokens, in.Answer.OutputTokens)
	return final(a.Books.SettleCall(ctx, in.Call, in.Answer, cost))
}

// StoreInput is what a model wrote for a run.
type StoreInput struct {
	Run      Run      `json:"run"`
	Job      scan.Job `json:"job"`
	Snapshot string   `json:"snapshot"`
	Content  string   `json:"content"`
}

// Kept is what was stored of a reply, or why nothing was.
type Kept struct {
	End
	scan.Stored
}

// StoreIdeas reads the reply, which nobody trusts, and stores ideas, duplicates
// and refusals. Again it stores nothing twice.
func (a *Activities) StoreIdeas(ctx context.Context, in StoreInput) (Kept, error) {
	ideas, refused, err := prompt.Parse(in.Content, in.Job.Ask())
	if err != nil {
		return Kept{End: ends(scan.ReplyInvalid, err.Error())}, nil
	}
	seen, err := a.Records.Snapshot(ctx, in.Snapshot)
	if err != nil {
		return Kept{}, final(err)
	}
	proposals, bodies := make([]trade.Proposal, len(ideas)), make([]string, len(ideas))
	for i, idea := range ideas {
		proposals[i], bodies[i] = proposal(in, idea, seen), idea.Body
	}
	stored, err := a.Records.StoreIdeas(ctx, in.Run.ID, in.Job, proposals, bodies, refused)
	return Kept{Stored: stored}, final(err)
}

// proposal takes market, side, amount, confidence and rationale from the model,
// and everything else from the job and the exchange.
func proposal(in StoreInput, idea prompt.Idea, seen prompt.Snapshot) trade.Proposal {
	p := trade.Proposal{
		ID: scan.ProposalID(in.Run.ID, idea.Number), UserID: in.Job.UserID, AccountID: in.Job.AccountID,
		Market: idea.Market, Side: idea.Side, OrderType: trade.MarketOrder, AmountQuote: &idea.AmountQuote,
		Confidence: &idea.Confidence, Rationale: idea.Rationale, Source: in.Job.Purpose() + " " + in.Job.Model,
		ExpiresAt: seen.At.Add(in.Job.ProposalLife.Std()),
	}
	if last, known := seen.Last(idea.Market); known {
		p.ExpectedPrice = &last
	}
	return p
}

// EndInput is the end of a run.
type EndInput struct {
	End

	Run Run `json:"run"`
}

// EndScan records how a run ended, once.
func (a *Activities) EndScan(ctx context.Context, in EndInput) error {
	if err := a.Records.EndScan(ctx, in.Run.ID, in.Run.JobID, in.Code, in.Detail); err != nil {
		return final(err)
	}
	if a.Counter != nil {
		a.Counter.Scan(in.Code, 1)
	}
	return nil
}

// final marks the answers of a healthy store, so that only a broken one is
// asked again.
func final(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, trade.ErrNotFound):
		return temporal.NewNonRetryableApplicationError(err.Error(), NotFoundType, err)
	case errors.Is(err, trade.ErrConflict), errors.Is(err, trade.ErrInvalid):
		return temporal.NewNonRetryableApplicationError(err.Error(), BugType, err)
	}
	return err
}
