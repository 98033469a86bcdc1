package workflows

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"interlock/activities/notify"
	"interlock/internal/devstack/devtest"
)

const notifyHistory = "notify-busy-and-failing.json"

func TestNotifyIsRecorded(t *testing.T) {
	file := filepath.Join(historyDir, notifyHistory)
	if !missing(t, file) {
		return
	}
	require.True(t, *record, "%s is not recorded: run make history", file)
	store(t, file, liveNotify(t))
}

// liveNotify tells two rules, one of which is slow and one of which fails at
// first, on a real server, until the run has told enough.
func liveNotify(t *testing.T) *history.History {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	c := devtest.Namespace(t, SearchAttributes()).Client(t)
	main, tell := worker.New(c, ProposalsQueue, worker.Options{}), worker.New(c, NotifyQueue, worker.Options{})
	registerAll(main)
	var looks, tries atomic.Int64
	tell.RegisterActivityWithOptions(func(ctx context.Context, busy []string) ([]string, error) {
		switch n := looks.Add(1); {
		case n == 1:
			return []string{"slow", "failing"}, nil
		case n == 3 && len(busy) < 2:
			return []string{"failing"}, nil
		}
		return nil, pauseFor(ctx, 15*time.Second)
	}, activity.RegisterOptions{Name: notify.DueRules})
	tell.RegisterActivityWithOptions(func(ctx context.Context, rule string) (notify.Report, error) {
		if rule == "slow" {
			return notify.Report{Delivered: 1}, pauseFor(ctx, 3*time.Second)
		}
		if tries.Add(1) == 1 {
			return notify.Report{}, temporal.NewApplicationError("the database is away", "Away")
		}
		return notify.Report{Failed: 1}, nil
	}, activity.RegisterOptions{Name: notify.Deliver})
	for _, w := range []worker.Worker{main, tell} {
		require.NoError(t, w.Start())
		defer w.Stop()
	}
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: NotifyID, TaskQueue: ProposalsQueue}, NotifyType)
	require.NoError(t, err)
	var h history.History
	for events := c.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), true, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		require.NoError(t, err)
		h.Events = append(h.Events, event)
	}
	require.Equal(t, enums.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW, h.Events[len(h.Events)-1].GetEventType())
	return &h
}

func pauseFor(ctx context.Context, d time.Duration) error {
	for ends := time.After(d); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ends:
			return nil
		case <-time.After(time.Second):
			activity.RecordHeartbeat(ctx)
		}
	}
}
