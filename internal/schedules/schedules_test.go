package schedules

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"interlock/internal/devstack/devtest"
	"interlock/internal/scan"
	"interlock/internal/trade"
	"interlock/workflows"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// rows are the jobs of one account, in memory.
type rows struct {
	jobs    []scan.Job
	deleted []string
	dropped [2]int64 // new ones: skipped, missed
}

func (r *rows) ScanJobs(context.Context, string) ([]scan.Job, error)      { return r.jobs, nil }
func (r *rows) DeletedScanJobs(context.Context, string) ([]string, error) { return r.deleted, nil }
func (r *rows) RecordDropped(context.Context, scan.Job, int64, int64) (int64, int64, error) {
	skipped, missed := r.dropped[0], r.dropped[1]
	r.dropped = [2]int64{}
	return skipped, missed, nil
}

func (r *rows) PauseScanJob(_ context.Context, j scan.Job, paused bool, note, _ string) error {
	for i := range r.jobs {
		if r.jobs[i].ID == j.ID {
			r.jobs[i].Paused, r.jobs[i].Note = paused, note
		}
	}
	return nil
}

func job(id string) scan.Job {
	j := scan.Job{ID: id, UserID: "anna", AccountID: "paper", Revision: 1, Spec: scan.Defaults()}
	j.Markets, j.Every, j.Model = []trade.Market{"BTC-EUR"}, trade.Duration(time.Hour), "m"
	return j
}

func TestSchedulesAreMadeWhatTheRowsSayAndDriftIsReportedOnce(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), devtest.Namespace(t, workflows.SearchAttributes()).Client(t)
	cron := job("cron")
	cron.Every, cron.Cron = 0, "0 8 * * MON-FRI"
	r := &rows{jobs: []scan.Job{job("plain"), cron}}
	k := Keeper{Temporal: c, Jobs: r, Account: "paper"}
	keep := func() []Drift {
		t.Helper()
		drifts, err := k.Keep(ctx)
		require.NoError(t, err)
		return drifts
	}
	require.Len(t, keep(), 2, "both were missing")
	require.Empty(t, keep(), "again changes nothing")

	handle := c.ScheduleClient().GetHandle(ctx, "scan-plain")
	require.NoError(t, handle.Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		in.Description.Schedule.Spec.Intervals[0].Every = time.Minute
		return &client.ScheduleUpdate{Schedule: &in.Description.Schedule}, nil
	}}))
	require.Equal(t, []Drift{{"plain", "when it is due"}}, keep())
	require.Empty(t, keep())

	r.jobs[0].Revision, r.jobs[0].Every = 2, trade.Duration(2*time.Hour)
	require.Equal(t, []Drift{{"plain", "what it starts, when it is due"}}, keep())
	require.NoError(t, handle.Delete(ctx))
	require.Equal(t, []Drift{{"plain", "the schedule was missing"}}, keep())
}

func TestAPauseInTemporalIsKeptAndTheRowLearnsOfIt(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), devtest.Namespace(t, workflows.SearchAttributes()).Client(t)
	r := &rows{jobs: []scan.Job{job("plain")}}
	k := Keeper{Temporal: c, Jobs: r, Account: "paper"}
	_, err := k.Keep(ctx)
	require.NoError(t, err)
	handle := c.ScheduleClient().GetHandle(ctx, "scan-plain")
	require.NoError(t, handle.Pause(ctx, client.SchedulePauseOptions{Note: "stop it"}))
	drifts, err := k.Keep(ctx)
	require.NoError(t, err)
	require.Equal(t, []Drift{{"plain", "it was paused in Temporal"}}, drifts)
	require.True(t, r.jobs[0].Paused)
	require.Equal(t, "stop it", r.jobs[0].Note)

	r.deleted, r.jobs = []string{"plain"}, nil
	_, err = k.Keep(ctx)
	require.NoError(t, err)
	_, err = handle.Describe(ctx)
	require.Error(t, err, "a deleted job's schedule is removed")
	_, err = k.Keep(ctx)
	require.NoError(t, err, "and again")
}

func TestWhatAScheduleDroppedIsCountedOnceByItsCode(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), devtest.Namespace(t, workflows.SearchAttributes()).Client(t)
	counted := map[scan.Code]int64{}
	r := &rows{jobs: []scan.Job{job("plain")}}
	k := Keeper{Temporal: c, Jobs: r, Account: "paper", Dropped: func(code scan.Code, times int64) { counted[code] += times }}
	for range 3 {
		_, err := k.Keep(ctx) // the first one makes the schedule
		require.NoError(t, err)
		if len(counted) == 0 {
			r.dropped = [2]int64{2, 3}
		}
	}
	require.Equal(t, map[scan.Code]int64{scan.Skipped: 2, scan.Missed: 3}, counted)
}
