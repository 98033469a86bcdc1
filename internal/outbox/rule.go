package outbox

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Secret is text that no log, error or JSON may show.
type Secret string

const hidden = "(secret)"

// Reveal returns the content, for the few places that need it.
func (s Secret) Reveal() string { return string(s) }

// String hides the content.
func (Secret) String() string { return hidden }

// Format hides the content from every fmt verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides the content from structured logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the content from JSON and its like.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

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
	Address    Secret // a URL
	SigningKey Secret // of a webhook
}

// Delivery is one try to tell one rule of one event.
type Delivery struct {
	Event
	Target

	RuleID  string
	Attempt int // from 1
}
