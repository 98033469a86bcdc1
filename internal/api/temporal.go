package api

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"interlock/internal/scan"
	"interlock/internal/schedules"
	"interlock/workflows"
)

// Executor asks a proposal's workflow to execute it. An error means that the
// answer is not known, not that nothing happened; a *Rejection means that
// nothing did.
type Executor interface {
	Execute(ctx context.Context, proposalID, updateID string, req workflows.ExecuteRequest) (workflows.ExecuteResult, error)
}

// Rejection is a request that the workflow refused before it entered history.
type Rejection struct {
	Code    string
	Message string
}

// Error is the workflow's own message.
func (r *Rejection) Error() string { return r.Message }

// Workflows reaches the workflows of proposals. Every call starts the workflow
// when it does not run: it reads the stored truth first, so that is always
// safe.
type Workflows struct {
	client client.Client
}

var _ Temporal = (*Workflows)(nil)

// NewExecutor reaches workflows through c, which may be lazy.
func NewExecutor(c client.Client) *Workflows { return &Workflows{client: c} }

// startOptions let whoever comes second meet the run that is there.
func startOptions(proposalID string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: proposalID, TaskQueue: workflows.ProposalsQueue,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}
}

// Execute asks for the proposal to be executed and waits for the answer, which
// the workflow gives within trade.ExecuteAnswer. The same updateID again gets
// the same answer.
func (w *Workflows) Execute(ctx context.Context, proposalID, updateID string, req workflows.ExecuteRequest) (workflows.ExecuteResult, error) {
	var result workflows.ExecuteResult
	err := w.update(ctx, proposalID, workflows.ExecuteUpdate, updateID, req, &result)
	return result, err
}

func (w *Workflows) update(ctx context.Context, proposalID, name, updateID string, arg, result any) error {
	start := w.client.NewWithStartWorkflowOperation(startOptions(proposalID), workflows.ProposalType, workflows.ProposalInput{})
	handle, err := w.client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: start,
		UpdateOptions: client.UpdateWorkflowOptions{
			WorkflowID: proposalID, UpdateID: updateID, UpdateName: name, Args: []any{arg},
			WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err == nil {
		err = handle.Get(ctx, result)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", name, proposalID, rejection(err))
	}
	return nil
}

// rejection recognises what the update's validator said.
func rejection(err error) error {
	var refused *temporal.ApplicationError
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Type() {
	case workflows.ReasonRequiredType, workflows.ActorRequiredType, workflows.InvalidRequestType:
		return &Rejection{Code: refused.Type(), Message: refused.Message()}
	}
	return err
}

// Cancel gives a proposal up. It is a signal: what became of it, the records
// say.
func (w *Workflows) Cancel(ctx context.Context, proposalID string, req workflows.CancelRequest) error {
	return w.signal(ctx, proposalID, workflows.CancelSignal, req)
}

// Resolve passes on a person's word on an unresolved order, and waits until it
// was weighed. The same updateID again gets the same answer.
func (w *Workflows) Resolve(ctx context.Context, proposalID, updateID string, req workflows.ResolveRequest) (workflows.ResolveResult, error) {
	var result workflows.ResolveResult
	err := w.update(ctx, proposalID, workflows.ResolveName, updateID, req, &result)
	return result, err
}

func (w *Workflows) signal(ctx context.Context, proposalID, name string, arg any) error {
	if err := workflows.CheckProposal(ctx, w.client, proposalID); err != nil {
		return fmt.Errorf("%s %s: %w", name, proposalID, err)
	}
	_, err := w.client.SignalWithStartWorkflow(ctx, proposalID, name, arg, startOptions(proposalID),
		workflows.ProposalType, workflows.ProposalInput{})
	if err != nil {
		return fmt.Errorf("%s %s: %w", name, proposalID, err)
	}
	return nil
}

// Start lets a stored proposal live, unless it does already.
func (w *Workflows) Start(ctx context.Context, proposalID string) error {
	_, err := w.client.ExecuteWorkflow(ctx, startOptions(proposalID), workflows.ProposalType, workflows.ProposalInput{})
	if err != nil {
		return fmt.Errorf("start %s: %w", proposalID, err)
	}
	return nil
}

// Ping reports whether Temporal answers.
func (w *Workflows) Ping(ctx context.Context) error {
	_, err := w.client.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err
}

// PutSchedule makes a job's schedule what the job says.
func (w *Workflows) PutSchedule(ctx context.Context, j scan.Job) error {
	_, err := schedules.Put(ctx, w.client, j)
	return err
}

// PauseSchedule pauses a job's schedule, or lets it go on, as j says.
func (w *Workflows) PauseSchedule(ctx context.Context, j scan.Job) error {
	return schedules.Pause(ctx, w.client, j)
}

// TriggerSchedule lets a job come due now; a running scan of it is not joined
// by a second.
func (w *Workflows) TriggerSchedule(ctx context.Context, jobID string) error {
	return schedules.Trigger(ctx, w.client, jobID)
}

// DeleteSchedule removes a job's schedule, if it is there.
func (w *Workflows) DeleteSchedule(ctx context.Context, jobID string) error {
	return schedules.Delete(ctx, w.client, jobID)
}
