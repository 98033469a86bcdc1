package view

import "time"

// ScanRun is one due time of a job, or several that the schedule dropped.
type ScanRun struct {
	ID        string     `db:"id" json:"id"`
	Snapshot  string     `db:"snapshot" json:"snapshot,omitempty"`
	Code      string     `db:"code" json:"code,omitempty"` // empty while it runs
	Detail    string     `db:"detail" json:"detail,omitempty"`
	DueTimes  int64      `db:"due_times" json:"dueTimes"`
	StartedAt time.Time  `db:"started_at" json:"startedAt"`
	EndedAt   *time.Time `db:"ended_at" json:"endedAt,omitempty"`
	Ideas     []ScanIdea `db:"-" json:"ideas"`
}

// ScanIdea is one thing a model wrote, and what became of it.
type ScanIdea struct {
	Number     int       `db:"number" json:"number"`
	Outcome    string    `db:"outcome" json:"outcome"`
	ProposalID string    `db:"proposal_id" json:"proposalId,omitempty"`
	Status     string    `db:"status" json:"status,omitempty"` // of the proposal
	Reason     string    `db:"reason" json:"reason,omitempty"`
	Body       string    `db:"body" json:"body"`
	StoredAt   time.Time `db:"stored_at" json:"storedAt"`
}
