package view

import (
	"time"

	"interlock/internal/trade"
)

// CancelOpen is the wish that every open order of an account be cancelled, and
// what has become of it.
type CancelOpen struct {
	ID          int64                  `json:"id"`
	AccountID   string                 `json:"accountId"`
	Actor       string                 `json:"actor"`
	Reason      string                 `json:"reason"`
	RequestedAt time.Time              `json:"requestedAt"`
	Worker      string                 `json:"worker,omitempty"` // empty: none has taken it
	LookedAt    *time.Time             `json:"lookedAt,omitempty"`
	CompletedAt *time.Time             `json:"completedAt,omitempty"`
	GivenUpAt   *time.Time             `json:"givenUpAt,omitempty"`
	GivenUpBy   string                 `json:"givenUpBy,omitempty"`
	Orders      []trade.CancelledOrder `json:"orders"`
	Obstacles   []trade.Obstacle       `json:"obstacles"` // after the last look
}

// UnderWay reports whether it is neither complete nor given up.
func (c CancelOpen) UnderWay() bool { return c.CompletedAt == nil && c.GivenUpAt == nil }
