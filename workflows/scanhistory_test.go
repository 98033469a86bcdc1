package workflows

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"interlock/activities/proposals"
	"interlock/activities/scans"
	"interlock/internal/devstack/devtest"
	"interlock/internal/scan"
)

// scanPaths is every path through Scan, each with a stored history.
var scanPaths = map[string]func(*scene){
	"scanned":          func(*scene) {},
	"market-stale":     func(s *scene) { s.seen.End = ended(scan.MarketStale) },
	"ended-before":     func(s *scene) { s.seen.End, s.seen.Ended = ended(scan.Scanned), true },
	"budget-exhausted": func(s *scene) { s.reserved = []scans.Reserved{{End: scans.End{Code: "DAILY_BUDGET_EXHAUSTED"}}} },
	"busy-then-scanned": func(s *scene) {
		s.answers = []scan.Answer{{Code: scan.ModelBusy, RetryAfter: time.Second}, {Content: "{}"}}
	},
	"unreachable":       func(s *scene) { s.answers = []scan.Answer{{Code: scan.ModelUnreachable}} },
	"lost-then-scanned": func(s *scene) { s.lost = 1 },
	"reply-invalid":     func(s *scene) { s.kept = scans.Kept{End: ended(scan.ReplyInvalid)} },
}

func TestEveryScanPathIsRecorded(t *testing.T) {
	for name, prepare := range scanPaths {
		file := filepath.Join(historyDir, "scan-"+name+".json")
		if !missing(t, file) {
			continue
		}
		require.True(t, *record, "%s is not recorded: run make history", file)
		s := newScene()
		prepare(s)
		store(t, file, s.live(t))
	}
}

// live runs the scene on a real server and returns its history.
func (s *scene) live(t *testing.T) *history.History {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	c := devtest.Namespace(t, SearchAttributes()).Client(t)
	main, steps := worker.New(c, ProposalsQueue, worker.Options{}), worker.New(c, ScansQueueOf("paper"), worker.Options{})
	registerAll(main)
	main.RegisterActivityWithOptions(s.birth, activity.RegisterOptions{Name: proposals.StartProposal})
	for name, fn := range s.steps() {
		steps.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
	for _, w := range []worker.Worker{main, steps} {
		require.NoError(t, w.Start())
		defer w.Stop()
	}
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "scan-hourly-2026-03-01T12:00:00Z", TaskQueue: ProposalsQueue},
		ScanType, ScanInput{JobID: "hourly", Account: "paper", Revision: 1})
	require.NoError(t, err)
	require.NoError(t, run.Get(ctx, nil))
	var h history.History
	for events := c.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		require.NoError(t, err)
		h.Events = append(h.Events, event)
	}
	return &h
}
