package devstack_test

import (
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"interlock/internal/devstack"
	"interlock/internal/devstack/devtest"
)

func dial(t *testing.T, s *devstack.Temporal) client.Client {
	t.Helper()
	return devtest.Server{Address: s.Address(), Namespace: s.Namespace()}.Client(t)
}

func startWorkflow(t *testing.T, s *devstack.Temporal, id string, attributes ...sdktemporal.SearchAttributeUpdate) {
	t.Helper()
	_, err := dial(t, s).ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: id, TaskQueue: "nobody-listens", TypedSearchAttributes: sdktemporal.NewSearchAttributes(attributes...),
	}, "Proposal")
	require.NoError(t, err)
}

func requireRunning(t *testing.T, s *devstack.Temporal, id string) {
	t.Helper()
	found, err := dial(t, s).DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_RUNNING, found.GetWorkflowExecutionInfo().GetStatus())
}

func TestTemporalKeepsWorkflowsOverStopAndKill(t *testing.T) {
	t.Parallel()
	s := devtest.PrivateTemporal(t, devstack.TemporalConfig{})
	address := s.Address()
	startWorkflow(t, s, "prop-1")
	require.NoError(t, s.Restart(t.Context()))
	require.Equal(t, address, s.Address())
	requireRunning(t, s, "prop-1")

	startWorkflow(t, s, "prop-2")
	ended := s.Done()
	require.NoError(t, s.Kill())
	<-ended
	require.NoError(t, s.Restart(t.Context()))
	requireRunning(t, s, "prop-1")
	requireRunning(t, s, "prop-2")
}

func TestTemporalsRestartWaitsForEachPortThatOthersKnow(t *testing.T) {
	t.Parallel()
	progress := &lines{}
	s, err := devstack.StartTemporal(t.Context(), devstack.TemporalConfig{
		Path: devtest.TemporalPath(t), Log: filepath.Join(t.TempDir(), "log"), Progress: progress,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	address, ui := s.Address(), s.UIURL()
	comesBack(t, progress, address, s)
	comesBack(t, progress, strings.TrimPrefix(ui, "http://"), s)
	require.Equal(t, address, s.Address())
	require.Equal(t, ui, s.UIURL())
}

func TestSearchAttributeInventedLaterIsUsable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state", "temporal.db")
	first := devtest.PrivateTemporal(t, devstack.TemporalConfig{
		DBFile: file, SearchAttributes: map[string]string{"Market": "Keyword"},
	})
	startWorkflow(t, first, "prop-1", sdktemporal.NewSearchAttributeKeyKeyword("Market").ValueSet("BTC-EUR"))
	require.NoError(t, first.Stop())

	second := devtest.PrivateTemporal(t, devstack.TemporalConfig{
		DBFile: file, SearchAttributes: map[string]string{"Market": "Keyword", "BlockedBy": "KeywordList"},
	})
	startWorkflow(t, second, "prop-2", sdktemporal.NewSearchAttributeKeyKeywordList("BlockedBy").ValueSet([]string{"COOLDOWN_BLOCKED"}))
	require.NoError(t, second.Stop())
}

func TestSearchAttributeOfAnotherTypeIsRefused(t *testing.T) {
	t.Parallel()
	s := devtest.Namespace(t, map[string]string{"Market": "Keyword"})
	c := s.Client(t)
	err := devstack.RegisterSearchAttributes(t.Context(), c, s.Namespace, map[string]string{"Market": "Int"})
	require.ErrorContains(t, err, "search attribute Market is Keyword in Temporal, and Int here")
	err = devstack.RegisterSearchAttributes(t.Context(), c, s.Namespace, map[string]string{"Side": "Colour"})
	require.ErrorContains(t, err, `search attribute Side: no type "Colour"`)
}

func TestTemporalServesItsWebUI(t *testing.T) {
	t.Parallel()
	s, err := devstack.StartTemporal(t.Context(), devstack.TemporalConfig{
		Path: devtest.TemporalPath(t), Namespace: "trading", Log: filepath.Join(t.TempDir(), "log"),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	startWorkflow(t, s, "prop-1")
	answer, err := http.Get(s.UIURL())
	require.NoError(t, err, "it is there from the start")
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.NoError(t, s.Stop())
	requireGone(t, s.Pid())
}

func TestTakenTemporalPortsAreNamed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	for want, cfg := range map[string]devstack.TemporalConfig{
		"for Temporal is taken":            {Port: port, UIPort: devstack.Headless},
		"for the Temporal Web UI is taken": {UIPort: port},
	} {
		cfg.Path, cfg.Log = devtest.TemporalPath(t), filepath.Join(t.TempDir(), "log")
		_, err := devstack.StartTemporal(t.Context(), cfg)
		require.ErrorContains(t, err, want)
	}
}

func TestTemporalThatEndsEarlyLeavesItsLastWords(t *testing.T) {
	t.Parallel()
	_, err := devstack.StartTemporal(t.Context(), devstack.TemporalConfig{
		Path: devtest.TemporalPath(t), UIPort: devstack.Headless, Log: filepath.Join(t.TempDir(), "log"),
		SearchAttributes: map[string]string{"Market": "Colour"},
	})
	require.ErrorContains(t, err, "ended while starting")
	require.ErrorContains(t, err, "Colour")
}

func TestKilledProcessLeavesNoTemporal(t *testing.T) {
	t.Parallel()
	parent, pid := startHelper(t, "temporal", t.TempDir(), nil)
	killHelper(t, parent)
	requireGone(t, pid)
}

func TestManyRivalsMayWaitForOneWorkflow(t *testing.T) {
	t.Parallel()
	const rivals = 40 // the server's own limit is 10
	s := devtest.Temporal(t, nil)
	c, queue := s.Client(t), devtest.TaskQueue(t)
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflowWithOptions(crowd, workflow.RegisterOptions{Name: "Crowd"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: queue}, "Crowd", rivals)
	require.NoError(t, err)
	for range rivals {
		_, err := c.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
			WorkflowID: run.GetID(), UpdateName: "wait", WaitForStage: client.WorkflowUpdateStageAccepted,
		})
		require.NoError(t, err)
	}
	require.NoError(t, run.Get(t.Context(), nil))
}

// crowd lets nobody go before all have come.
func crowd(ctx workflow.Context, rivals int) error {
	came := 0
	all := func() bool { return came == rivals }
	err := workflow.SetUpdateHandler(ctx, "wait", func(ctx workflow.Context) error {
		came++
		return workflow.Await(ctx, all)
	})
	if err != nil {
		return err
	}
	return workflow.Await(ctx, func() bool { return all() && workflow.AllHandlersFinished(ctx) })
}
