package proposals

import "context"

// StartProposal is the name under which the activity is registered.
const StartProposal = "StartProposal"

// Starter lets stored proposals live.
type Starter interface {
	// Ensure makes sure that a proposal's workflow runs.
	Ensure(ctx context.Context, proposalID string) (started bool, err error)
	// Execute asks it to execute, once: asked again it is the same request.
	Execute(ctx context.Context, proposalID, actor string) error
}

// Births starts what scans have stored.
type Births struct {
	Lives Starter
	Open  interface {
		SeenWorkflow(ctx context.Context, proposalID string) error
		// ExecutedByScan names the scan that wrote a proposal which its user's
		// policy lets execute without a person; else it is empty.
		ExecutedByScan(ctx context.Context, proposalID string) (string, error)
	}
}

// StartInput names a stored proposal, and says whether it shall execute without
// a person.
type StartInput struct {
	ProposalID string `json:"proposalId"`
	Execute    bool   `json:"execute"`
}

// StartProposal starts a proposal's workflow, which outlives whoever asks. One
// that runs already is left alone, but for the request to execute, which is made
// only if the rows say that a scan may make it. Anybody may call it.
func (b *Births) StartProposal(ctx context.Context, in StartInput) error {
	actor, err := "", error(nil)
	if in.Execute {
		actor, err = b.Open.ExecutedByScan(ctx, in.ProposalID)
	}
	switch {
	case err != nil:
		return err
	case actor != "":
		err = b.Lives.Execute(ctx, in.ProposalID, actor)
	default:
		_, err = b.Lives.Ensure(ctx, in.ProposalID)
	}
	if err != nil {
		return err
	}
	return b.Open.SeenWorkflow(ctx, in.ProposalID)
}
