package scan

import (
	"fmt"

	"interlock/internal/budget"
)

// Call is one model call that is about to be made: reserved at its worst before
// anything leaves.
type Call struct {
	ID        string     `json:"id"` // CallID
	UserID    string     `json:"userId"`
	AccountID string     `json:"accountId"`
	Snapshot  string     `json:"snapshot"` // digest of what the model is shown
	Purpose   string     `json:"purpose"`
	Model     string     `json:"model"`
	Ask       budget.Ask `json:"ask"` // the most that it can use
}

// CallID names the n-th call of a run, so that a repeated step finds its own
// reservation.
func CallID(runID string, n int) string { return fmt.Sprintf("%s.call-%d", runID, n) }

// ProposalID names the proposal of an idea, so that a repeated run creates it
// once.
func ProposalID(runID string, number int) string { return fmt.Sprintf("%s-%d", runID, number) }

// Purpose is what a job's calls and proposals are booked under.
func (j Job) Purpose() string { return "scan:" + j.ID }
