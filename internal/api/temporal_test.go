package api_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"interlock/internal/api"
	"interlock/internal/devstack/devtest"
	"interlock/internal/trade"
	"interlock/internal/waittest"
	"interlock/workflows"
)

// standIn listens as a proposal's workflow does, and ends when it is cancelled
// by signal.
func standIn(ctx workflow.Context, _ workflows.ProposalInput) (string, error) {
	executes := 0
	err := workflow.SetUpdateHandlerWithOptions(ctx, workflows.ExecuteUpdate,
		func(_ workflow.Context, req workflows.ExecuteRequest) (workflows.ExecuteResult, error) {
			executes++
			if req.Reason == "fail" {
				return workflows.ExecuteResult{}, sdktemporal.NewApplicationError("broken", "Bug")
			}
			return workflows.ExecuteResult{Status: trade.Executed, Claimed: true, PolicyVersion: executes}, nil
		},
		workflow.UpdateHandlerOptions{Validator: func(_ workflow.Context, req workflows.ExecuteRequest) error {
			if req.Actor == "" {
				return sdktemporal.NewNonRetryableApplicationError("actor: say who asks", workflows.ActorRequiredType, nil)
			}
			return nil
		}})
	if err != nil {
		return "", err
	}
	err = workflow.SetUpdateHandler(ctx, workflows.ResolveName, func(_ workflow.Context, req workflows.ResolveRequest) (workflows.ResolveResult, error) {
		return workflows.ResolveResult{Accepted: true, Status: trade.Executing, Problem: req.OrderID + " by " + req.Actor}, nil
	})
	if err != nil {
		return "", err
	}
	var over string
	selector := workflow.NewSelector(ctx)
	selector.AddReceive(workflow.GetSignalChannel(ctx, workflows.CancelSignal), func(c workflow.ReceiveChannel, _ bool) {
		var req workflows.CancelRequest
		c.Receive(ctx, &req)
		over = "cancelled by " + req.Actor
	})
	selector.Select(ctx)
	return over, workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
}

func startStandIn(t *testing.T) (*api.Workflows, client.Client) {
	t.Helper()
	c := devtest.Namespace(t, nil).Client(t)
	w := worker.New(c, workflows.ProposalsQueue, worker.Options{})
	w.RegisterWorkflowWithOptions(standIn, workflow.RegisterOptions{Name: workflows.ProposalType})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	return api.NewExecutor(c), c
}

func TestWorkflowIsStartedMetOrStartedAgain(t *testing.T) {
	t.Parallel()
	w, c := startStandIn(t)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	anna := workflows.ExecuteRequest{Actor: "anna", NotAfter: time.Now()}
	version := func(updateID string) int {
		t.Helper()
		r, err := w.Execute(ctx, "p", updateID, anna)
		require.NoError(t, err)
		require.True(t, r.Claimed)
		return r.PolicyVersion
	}
	first := uuid.NewString()
	require.Equal(t, 1, version(first), "started by the update")
	require.Equal(t, 1, version(first), "the same request has the same answer")
	require.Equal(t, 2, version(uuid.NewString()), "met where it runs")
	require.NoError(t, w.Start(ctx, "p"))
	require.Equal(t, 3, version(uuid.NewString()), "starting changed nothing")

	require.NoError(t, w.Cancel(ctx, "p", workflows.CancelRequest{Actor: "anna"}))
	var over string
	require.NoError(t, c.GetWorkflow(ctx, "p", "").Get(ctx, &over))
	require.Equal(t, "cancelled by anna", over)
	require.Equal(t, 1, version(uuid.NewString()), "a new run after the old one closed")

	r, err := w.Resolve(ctx, "q", uuid.NewString(), workflows.ResolveRequest{OrderID: "x", Actor: "olga"})
	require.NoError(t, err)
	require.Equal(t, workflows.ResolveResult{Accepted: true, Status: trade.Executing, Problem: "x by olga"}, r)
	require.NoError(t, w.Ping(ctx))
}

func TestOnlyTheValidatorsRefusalIsARejection(t *testing.T) {
	t.Parallel()
	w, _ := startStandIn(t)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	var rejected *api.Rejection
	_, err := w.Execute(ctx, "p", uuid.NewString(), workflows.ExecuteRequest{})
	require.ErrorAs(t, err, &rejected)
	require.Equal(t, workflows.ActorRequiredType, rejected.Code)
	require.Equal(t, "actor: say who asks", rejected.Message)
	_, err = w.Execute(ctx, "p", uuid.NewString(), workflows.ExecuteRequest{Actor: "anna", Reason: "fail"})
	require.Error(t, err)
	require.False(t, errors.As(err, &rejected))
}

func TestManyExecutesOfOneWorkflowAreAllAnswered(t *testing.T) {
	t.Parallel()
	w, _ := startStandIn(t)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	errs := make(chan error, 20)
	for range cap(errs) {
		go func() {
			_, err := w.Execute(ctx, "p", uuid.NewString(), workflows.ExecuteRequest{Actor: "anna"})
			errs <- err
		}()
	}
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
}

func TestWorkflowThatNobodyHostsIsAnErrorInTime(t *testing.T) {
	t.Parallel()
	c := devtest.Namespace(t, nil).Client(t)
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	answered := make(chan error, 1)
	go func() {
		_, err := api.NewExecutor(c).Execute(ctx, "p", uuid.NewString(), workflows.ExecuteRequest{Actor: "anna"})
		answered <- err
	}()
	var run *workflowservice.DescribeWorkflowExecutionResponse
	waittest.Until(t, "a run that waits for a worker", func() (err error) {
		run, err = c.DescribeWorkflowExecution(t.Context(), "p", "")
		return err
	})
	require.Empty(t, answered)
	giveUp()
	require.Error(t, <-answered)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_RUNNING, run.WorkflowExecutionInfo.Status)
}

func TestNothingIsSignalledButAProposal(t *testing.T) {
	t.Parallel()
	w, c := startStandIn(t)
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "sweep", TaskQueue: "of-nobody"}, workflows.SweepType)
	require.NoError(t, err)
	require.ErrorIs(t, w.Cancel(t.Context(), "sweep", workflows.CancelRequest{Actor: "anna", Reason: "news"}), workflows.ErrForeign)
	require.NoError(t, w.Cancel(t.Context(), "p", workflows.CancelRequest{Actor: "anna", Reason: "news"}), "started by the signal")
}
