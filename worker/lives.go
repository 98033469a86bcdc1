package main

import (
	"context"
	"errors"
	"time"

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
	if err := workflows.CheckProposal(ctx, l.temporal, proposalID); err != nil {
		return err
	}
	return l.temporal.SignalWorkflow(ctx, proposalID, "", workflows.RefreshSignal, struct{}{})
}

// Execute asks a proposal's workflow to execute it, on behalf of the scan that
// wrote it: one request, however often it is asked. It does not wait for the
// answer, which the workflow keeps.
func (l lives) Execute(ctx context.Context, proposalID, actor string) error {
	_, err := l.temporal.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: l.temporal.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
			ID: proposalID, TaskQueue: workflows.ProposalsQueue,
			WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
			WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		}, workflows.ProposalType, workflows.ProposalInput{}),
		UpdateOptions: client.UpdateWorkflowOptions{
			WorkflowID: proposalID, UpdateID: "scan", UpdateName: workflows.ExecuteUpdate,
			Args:         []any{workflows.ExecuteRequest{Actor: actor, NotAfter: time.Now().Add(executeWithin)}},
			WaitForStage: client.WorkflowUpdateStageAccepted,
		},
	})
	return err
}

// executeWithin keeps a request that got stuck on the way from trading later.
const executeWithin = 30 * time.Second
