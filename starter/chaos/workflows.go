package chaos

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

var triggerOptions = client.ScheduleTriggerOptions{Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP}

// meddle is how long an act of a Temporal operator may take.
const meddle = 30 * time.Second

var errNothingRuns = errors.New("nothing is being carried out")

// victim picks a proposal that is being carried out and whose workflow runs.
func (c *campaign) victim(ctx context.Context, d Disturbance) (*common.WorkflowExecution, error) {
	ids := c.board.claimed()
	if len(ids) == 0 {
		return nil, errNothingRuns
	}
	id := ids[d.Pick%uint64(len(ids))]
	described, err := c.temporal.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return nil, err
	}
	info := described.GetWorkflowExecutionInfo()
	if info.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return nil, errNothingRuns
	}
	return info.GetExecution(), nil
}

// resetWorkflow lets a run live again from one of its steps.
func (c *campaign) resetWorkflow(ctx context.Context, d Disturbance) error {
	ctx, cancel := context.WithTimeout(ctx, meddle)
	defer cancel()
	run, err := c.victim(ctx, d)
	if err != nil {
		return err
	}
	steps, err := c.steps(ctx, run)
	if err != nil {
		return err
	}
	_, err = c.temporal.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: c.Namespace, WorkflowExecution: run, Reason: actor, RequestId: uuid.NewString(),
		WorkflowTaskFinishEventId: steps[d.Pick%uint64(len(steps))],
	})
	return err
}

// steps are the completed workflow tasks of a run, to each of which it can be
// reset.
func (c *campaign) steps(ctx context.Context, run *common.WorkflowExecution) ([]int64, error) {
	var ids []int64
	for events := c.temporal.GetWorkflowHistory(ctx, run.GetWorkflowId(), run.GetRunId(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		e, err := events.Next()
		if err != nil {
			return nil, err
		}
		if e.GetEventType() == enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			ids = append(ids, e.GetEventId())
		}
	}
	if len(ids) == 0 {
		return nil, errNothingRuns
	}
	return ids, nil
}

func (c *campaign) endWorkflow(ctx context.Context, d Disturbance) error {
	ctx, cancel := context.WithTimeout(ctx, meddle)
	defer cancel()
	run, err := c.victim(ctx, d)
	if err != nil {
		return err
	}
	return c.temporal.TerminateWorkflow(ctx, run.GetWorkflowId(), run.GetRunId(), actor)
}

func (c *campaign) deleteWorkflow(ctx context.Context, d Disturbance) error {
	ctx, cancel := context.WithTimeout(ctx, meddle)
	defer cancel()
	run, err := c.victim(ctx, d)
	if err != nil {
		return err
	}
	_, err = c.temporal.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: c.Namespace, WorkflowExecution: run,
	})
	return err
}
