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
	}
}

// StartInput is a stored proposal, and whether its user's policy lets it
// execute without a person.
type StartInput struct {
	ProposalID string `json:"proposalId"`
	Actor      string `json:"actor"`
	Execute    bool   `json:"execute"`
}

// StartProposal starts a proposal's workflow, which outlives whoever asks. One
// that runs already is left alone, but for the request to execute.
func (b *Births) StartProposal(ctx context.Context, in StartInput) error {
	if in.Execute {
		if err := b.Lives.Execute(ctx, in.ProposalID, in.Actor); err != nil {
			return err
		}
	} else if _, err := b.Lives.Ensure(ctx, in.ProposalID); err != nil {
		return err
	}
	return b.Open.SeenWorkflow(ctx, in.ProposalID)
}
