package devtest

import (
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"interlock/internal/waittest"
)

func TestTemporalThatEndsIsStartedAgainAndKnowsWhatItKnew(t *testing.T) {
	t.Parallel()
	k, err := keepTemporal(folder(t, "temporal"))
	require.NoError(t, err)
	c, err := client.NewLazyClient(client.Options{HostPort: k.server.Address(), Logger: quiet{}})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "waits", TaskQueue: "nobody"}, "Waits")
	require.NoError(t, err)

	pid := k.server.Pid()
	require.NoError(t, k.server.Kill())
	waittest.Until(t, "the run after the restart", func() error {
		_, err := c.WorkflowService().GetWorkflowExecutionHistory(t.Context(), &workflowservice.GetWorkflowExecutionHistoryRequest{
			Namespace: k.server.Namespace(), Execution: &commonpb.WorkflowExecution{WorkflowId: "waits", RunId: run.GetRunID()},
		})
		return err
	})
	require.NotEqual(t, pid, k.server.Pid())
	require.NoError(t, k.stop())
	require.ErrorIs(t, k.restart(), errStopped)
}
