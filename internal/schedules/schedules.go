// Package schedules keeps Temporal's schedules the same as the rows of scan
// jobs. The row is the truth, but for a pause: whoever paused a schedule in
// Temporal's own tools meant it, and the row learns of it. It decides what
// drift is, and refuses to know what a scan does.
package schedules

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	commonpb "go.temporal.io/api/common/v1"

	"interlock/internal/scan"
	"interlock/workflows"
)

// runTimeout is far more than a scan takes, waiting for a busy server included.
const runTimeout = 2 * time.Hour

// Jobs is where the rows are.
type Jobs interface {
	ScanJobs(ctx context.Context, account string) ([]scan.Job, error)
	DeletedScanJobs(ctx context.Context, account string) ([]string, error)
	PauseScanJob(ctx context.Context, j scan.Job, paused bool, note, actor string) error
	RecordDropped(ctx context.Context, j scan.Job, overlaps, missed int64) (skipped, late int64, err error)
}

// Keeper keeps the schedules of one account's jobs.
type Keeper struct {
	Temporal client.Client
	Jobs     Jobs
	Account  string
	Dropped  func(code scan.Code, times int64) // may be nil
}

func spec(j scan.Job) client.ScheduleSpec {
	s := client.ScheduleSpec{Jitter: j.Jitter.Std(), TimeZoneName: j.TimeZone.String()}
	if j.Cron != "" {
		s.CronExpressions = []string{j.Cron}
		return s
	}
	s.Intervals = []client.ScheduleIntervalSpec{{Every: j.Every.Std()}}
	return s
}

func action(j scan.Job) *client.ScheduleWorkflowAction {
	return &client.ScheduleWorkflowAction{
		ID: workflows.ScanID(j.ID), Workflow: workflows.ScanType, TaskQueue: workflows.ProposalsQueue,
		Args: []any{workflows.ScanInput{JobID: j.ID, Account: j.AccountID, Revision: j.Revision}}, WorkflowRunTimeout: runTimeout,
	}
}

// Put makes a job's schedule what its row says, and reports what was different.
// Put again changes nothing.
func Put(ctx context.Context, c client.Client, j scan.Job) (drift string, err error) {
	id := workflows.ScanID(j.ID)
	_, err = c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: id, Spec: spec(j), Action: action(j), Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: j.CatchUp.Std(), Paused: j.Paused, Note: j.Note,
	})
	switch {
	case err == nil:
		return "the schedule was missing", nil
	case !errors.Is(err, temporal.ErrScheduleAlreadyRunning):
		return "", fmt.Errorf("schedule %s: %w", id, err)
	}
	handle := c.ScheduleClient().GetHandle(ctx, id)
	there, err := handle.Describe(ctx)
	if err != nil {
		return "", fmt.Errorf("schedule %s: %w", id, err)
	}
	if drift = difference(there, j); drift == "" {
		return "", nil
	}
	err = handle.Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		wanted := in.Description.Schedule
		is := spec(j)
		wanted.Spec, wanted.Action = &is, action(j)
		wanted.Policy.Overlap, wanted.Policy.CatchupWindow = enums.SCHEDULE_OVERLAP_POLICY_SKIP, j.CatchUp.Std()
		wanted.State.Paused, wanted.State.Note = j.Paused, j.Note
		return &client.ScheduleUpdate{Schedule: &wanted}, nil
	}})
	if err != nil {
		return drift, fmt.Errorf("schedule %s: %w", id, err)
	}
	return drift, nil
}

// difference says in what a schedule is not what the row says. Temporal keeps
// a cron expression as something else, so its revision stands for it.
func difference(there *client.ScheduleDescription, j scan.Job) string {
	var is []string
	if !sameAction(there.Schedule.Action, j) {
		is = append(is, "what it starts")
	}
	if s := there.Schedule.Spec; j.Cron == "" && (s == nil || len(s.Intervals) != 1 || s.Intervals[0].Every != j.Every.Std() || len(s.Calendars) > 0) {
		is = append(is, "when it is due")
	}
	if p := there.Schedule.Policy; p == nil || p.Overlap != enums.SCHEDULE_OVERLAP_POLICY_SKIP || p.CatchupWindow != j.CatchUp.Std() {
		is = append(is, "what happens to late and overlapping runs")
	}
	if s := there.Schedule.State; s == nil || s.Paused != j.Paused {
		is = append(is, "whether it is paused")
	}
	return strings.Join(is, ", ")
}

func sameAction(a client.ScheduleAction, j scan.Job) bool {
	w, ok := a.(*client.ScheduleWorkflowAction)
	if !ok || w.TaskQueue != workflows.ProposalsQueue || w.ID != workflows.ScanID(j.ID) || w.Workflow != workflows.ScanType || len(w.Args) != 1 {
		return false
	}
	payload, ok := w.Args[0].(*commonpb.Payload)
	var in workflows.ScanInput
	return ok && converter.GetDefaultDataConverter().FromPayload(payload, &in) == nil &&
		in == (workflows.ScanInput{JobID: j.ID, Account: j.AccountID, Revision: j.Revision})
}

// Drift is what was different at one job, and was mended.
type Drift struct {
	JobID string `json:"jobId"`
	What  string `json:"what"`
}

// Keep makes all schedules of the account's jobs what the rows say, records
// what they dropped, and reports what was different. It mends all it can before
// it fails.
func (k *Keeper) Keep(ctx context.Context) (drifts []Drift, err error) {
	jobs, err := k.Jobs.ScanJobs(ctx, k.Account)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		what, failed := k.keep(ctx, j)
		if what != "" {
			drifts = append(drifts, Drift{j.ID, what})
		}
		err = errors.Join(err, failed)
	}
	return drifts, errors.Join(err, k.removeDeleted(ctx))
}

// removeDeleted removes the schedules of jobs whose deletion got no further
// than the row.
func (k *Keeper) removeDeleted(ctx context.Context) error {
	ids, err := k.Jobs.DeletedScanJobs(ctx, k.Account)
	for _, id := range ids {
		err = errors.Join(err, Delete(ctx, k.Temporal, id))
	}
	return err
}

func (k *Keeper) keep(ctx context.Context, j scan.Job) (drift string, err error) {
	handle := k.Temporal.ScheduleClient().GetHandle(ctx, workflows.ScanID(j.ID))
	there, err := handle.Describe(ctx)
	var missing *serviceerror.NotFound
	switch {
	case errors.As(err, &missing):
		return Put(ctx, k.Temporal, j)
	case err != nil:
		return "", fmt.Errorf("schedule %s: %w", workflows.ScanID(j.ID), err)
	}
	skipped, late, err := k.Jobs.RecordDropped(ctx, j, int64(there.Info.NumActionsSkippedOverlap), int64(there.Info.NumActionsMissedCatchupWindow))
	if err != nil {
		return "", err
	}
	k.count(scan.Skipped, skipped)
	k.count(scan.Missed, late)
	if s := there.Schedule.State; s != nil && s.Paused && !j.Paused {
		return "it was paused in Temporal", k.Jobs.PauseScanJob(ctx, j, true, s.Note, "paused in Temporal")
	}
	if difference(there, j) == "" {
		return "", nil
	}
	return Put(ctx, k.Temporal, j)
}

func (k *Keeper) count(code scan.Code, times int64) {
	if k.Dropped != nil && times > 0 {
		k.Dropped(code, times)
	}
}

// Pause pauses a job's schedule, or lets it go on.
func Pause(ctx context.Context, c client.Client, j scan.Job) error {
	handle := c.ScheduleClient().GetHandle(ctx, workflows.ScanID(j.ID))
	if j.Paused {
		return handle.Pause(ctx, client.SchedulePauseOptions{Note: j.Note})
	}
	return handle.Unpause(ctx, client.ScheduleUnpauseOptions{Note: j.Note})
}

// Trigger scans now, unless a scan of the job runs.
func Trigger(ctx context.Context, c client.Client, jobID string) error {
	return c.ScheduleClient().GetHandle(ctx, workflows.ScanID(jobID)).Trigger(ctx, client.ScheduleTriggerOptions{
		Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP,
	})
}

// Backfill scans once for each due time in [from, to], one after another. Each
// looks at the market of now, and counts in the budget of now; a due time that
// was scanned is not scanned again.
func Backfill(ctx context.Context, c client.Client, jobID string, from, to time.Time) error {
	return c.ScheduleClient().GetHandle(ctx, workflows.ScanID(jobID)).Backfill(ctx, client.ScheduleBackfillOptions{
		Backfill: []client.ScheduleBackfill{{Start: from, End: to, Overlap: enums.SCHEDULE_OVERLAP_POLICY_BUFFER_ALL}},
	})
}

// Delete removes a job's schedule. One that is not there is removed already.
func Delete(ctx context.Context, c client.Client, jobID string) error {
	err := c.ScheduleClient().GetHandle(ctx, workflows.ScanID(jobID)).Delete(ctx)
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return nil
	}
	return err
}
