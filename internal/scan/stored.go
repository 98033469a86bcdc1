package scan

import "fmt"

// Stored is what became of the ideas of a run.
type Stored struct {
	Proposals  []string `json:"proposals"` // stored ones, by ID
	Duplicates int      `json:"duplicates"`
	Refused    int      `json:"refused"`
	Execute    bool     `json:"execute"` // the policy lets them execute without a person
}

// Written is how many ideas the model wrote that were kept.
func (s Stored) Written() int { return len(s.Proposals) + s.Duplicates + s.Refused }

// String says it in one line.
func (s Stored) String() string {
	return fmt.Sprintf("%d proposed, %d duplicates, %d refused", len(s.Proposals), s.Duplicates, s.Refused)
}
