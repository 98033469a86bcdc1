package main

import (
	"context"
	"errors"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"interlock/workflows"
)

// lives starts and wakes Proposal workflows for the sweep.
type lives struct{ temporal client.Client }

// Ensure starts a proposal's workflow unless it runs.
func (l lives) Ensure(ctx context.Context, proposalID string) (bool, error) {
	_, err := l.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: proposalID, TaskQueue: workflows.ProposalsQueue,
		WorkflowIDReusePolicy:                    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, workflows.ProposalType, workflows.ProposalInput{})
	var running *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &running) {
		return false, nil
	}
	return err == nil, err
}

// Refresh tells a running workflow to read its truth again.
func (l lives) Refresh(ctx context.Context, proposalID string) error {
	return l.temporal.SignalWorkflow(ctx, proposalID, "", workflows.RefreshSignal, struct{}{})
}
