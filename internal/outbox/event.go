// Package outbox says what Interlock tells the world: kinds, the shape that
// webhooks and streams carry, and a plain sentence for each. It owns that
// contract; it refuses to know how an event is written, and who is told how.
package outbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind is what happened. Kinds are contract.
type Kind string

// The kinds. Test is sent to one rule by whoever wants to see it arrive.
const (
	Waiting         Kind = "waiting" // for a person: to execute a proposal, or to confirm an override
	Executed        Kind = "executed"
	Failed          Kind = "failed" // placed nothing
	Blocked         Kind = "blocked"
	Unresolved      Kind = "unresolved" // an order's fate is unknown
	Halted          Kind = "halted"     // or reduced
	Resumed         Kind = "resumed"
	BudgetExhausted Kind = "budget_exhausted"
	Difference      Kind = "difference" // between the exchange and our records
	FailureRate     Kind = "failure_rate"
	Test            Kind = "test"
)

// Kinds lists every kind that a rule can name.
func Kinds() []Kind {
	return []Kind{Waiting, Executed, Failed, Blocked, Unresolved, Halted, Resumed, BudgetExhausted, Difference, FailureRate}
}

// Event is one fact. IDs grow in the order in which facts became visible, so
// that the last one seen says where to go on.
type Event struct {
	ID         int64           `json:"id" db:"id" doc:"Grows from event to event; the same event always has the same" example:"42"`
	At         time.Time       `json:"at" db:"at"`
	Kind       Kind            `json:"kind" db:"kind" example:"executed"`
	AccountID  string          `json:"accountId" db:"account_id" doc:"* concerns every account"`
	UserID     string          `json:"userId,omitempty" db:"user_id"`
	ProposalID string          `json:"proposalId,omitempty" db:"proposal_id"`
	Body       json.RawMessage `json:"body" db:"body" doc:"What this kind has to say; fields are only ever added"`
}

// Wire is e as webhooks and streams carry it: with the sentence.
func (e Event) Wire() ([]byte, error) {
	type plain Event
	return json.Marshal(struct {
		plain

		Text string `json:"text"`
	}{plain(e), e.Text()})
}

// ParseKinds reads a list of kinds; none means all.
func ParseKinds(names []string) ([]Kind, error) {
	var kinds []Kind
	for _, name := range names {
		kind := Kind(strings.ReplaceAll(strings.TrimSpace(name), "-", "_"))
		if !slices.Contains(Kinds(), kind) {
			return nil, fmt.Errorf("%q is no kind; they are %s", name, Names(Kinds()))
		}
		kinds = append(kinds, kind)
	}
	return kinds, nil
}

// Names joins kinds for people.
func Names(kinds []Kind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}
