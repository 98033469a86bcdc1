package outbox

import (
	"time"

	"interlock/internal/secret"
)

// Rule says who is told of what, without the secrets of how.
type Rule struct {
	ID        string     `json:"id"`
	AccountID string     `json:"accountId"`        // *: all
	UserID    string     `json:"userId,omitempty"` // empty: everybody's
	Kinds     []Kind     `json:"kinds"`            // empty: all
	Service   string     `json:"service"`
	Shown     string     `json:"address"` // as people may see it
	CreatedBy string     `json:"createdBy"`
	CreatedAt time.Time  `json:"createdAt"`
	RemovedAt *time.Time `json:"removedAt,omitempty"`
}

// Target is how a rule's service is reached.
type Target struct {
	Service    string
	Address    secret.Text // a URL
	SigningKey secret.Text // of a webhook
}

// Delivery is one try to tell one rule of one event.
type Delivery struct {
	Event
	Target

	RuleID  string
	Attempt int // from 1
}
