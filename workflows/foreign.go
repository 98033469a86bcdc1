package workflows

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
)

// ErrForeign is that a proposal's ID is the workflow ID of something else.
var ErrForeign = errors.New("another workflow runs under this ID")

// Describer is what a Temporal client knows of a workflow.
type Describer interface {
	DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
}

// CheckProposal comes before a signal: it fails with ErrForeign when what runs
// under a proposal's ID is no Proposal, which would take the signal and drop it.
// What does not run is no hindrance.
func CheckProposal(ctx context.Context, c Describer, proposalID string) error {
	d, err := c.DescribeWorkflowExecution(ctx, proposalID, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return nil
	}
	if err != nil {
		return err
	}
	if kind := d.GetWorkflowExecutionInfo().GetType().GetName(); kind != ProposalType && d.GetWorkflowExecutionInfo().GetCloseTime() == nil {
		return fmt.Errorf("%w: %s is a workflow of type %q; propose the same under another ID", ErrForeign, proposalID, kind)
	}
	return nil
}
