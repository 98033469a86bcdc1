package trade

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// CancelOpen is the wish, committed with a halt, that every open order of an
// account be cancelled.
type CancelOpen struct {
	ID        int64
	AccountID string
	ReadLag   time.Duration // L of the account
	Began     time.Time     // database clock: when this look at it began
}

// CancelResult is what became of one order under a cancel-open.
type CancelResult string

// The results. An order that is open is asked to end again and again; a foreign
// one is shown and left alone.
const (
	CancelOpenStill     CancelResult = "open"
	CancelOpenCancelled CancelResult = "cancelled"
	CancelOpenOver      CancelResult = "over"
	CancelOpenForeign   CancelResult = "foreign"
)

// CancelledOrder is an order under a cancel-open, as it was last seen.
type CancelledOrder struct {
	Market        Market          `json:"market"`
	OrderID       string          `json:"orderId"`
	ClientOrderID string          `json:"clientOrderId,omitempty"`
	ProposalID    string          `json:"proposalId,omitempty"`
	Result        CancelResult    `json:"result"`
	Status        OrderStatus     `json:"status,omitempty"`
	FilledAmount  decimal.Decimal `json:"filledAmount"`
	Detail        string          `json:"detail,omitempty"`
}

// Ending says what became of an order that was asked to end. What the exchange
// has not shown to be final is open, whatever it answered to the cancel.
func Ending(o Order) CancelResult {
	switch {
	case !o.Status.Final():
		return CancelOpenStill
	case o.Status == "canceled":
		return CancelOpenCancelled
	}
	return CancelOpenOver
}

// SentAttempt is an attempt whose request may have left, and may have an order.
type SentAttempt struct {
	ProposalID    string
	Market        Market
	ClientOrderID uuid.UUID
	Deadline      time.Time // exchange clock
	Since         time.Time // when the first attempt of its proposal began
	Side          Side
	OrderID       string // empty while the attempt is in doubt
	Ended         bool   // its order is recorded as final
}

// Visible is when, by the exchange's clock, no order of the attempt can appear
// any more that was not there: its last request has acted, and is shown.
func (a SentAttempt) Visible(lag time.Duration) time.Time {
	return Doubt{Deadline: a.Deadline, ReadLag: lag}.Visible()
}

// Search is what a lookup for the attempt's order searches.
func (a SentAttempt) Search() Search {
	return Search{Market: a.Market, Side: a.Side, ClientOrderID: a.ClientOrderID, Since: a.Since.Add(-lookBack)}
}

// Obstacle is why a cancel-open is not complete.
type Obstacle struct {
	ProposalID string    `json:"proposalId,omitempty"`
	OrderID    string    `json:"orderId,omitempty"`
	Until      time.Time `json:"until,omitzero"` // exchange clock; zero: nobody can tell
	Why        string    `json:"why"`
}

// CancelSight is what one look at an account saw, after its halt.
type CancelSight struct {
	ExchangeNow time.Time // read before everything below
	ReadLag     time.Duration
	Sent        []SentAttempt
	Orders      []CancelledOrder // dealt with, by this look and earlier ones
	Doubts      []string         // proposals whose order could not be looked for
}

// Obstacles lists what stands between a cancel-open and being complete; none
// means that no order of ours is open and none can appear. An accepted order
// does not excuse its attempt from waiting: until its deadline the exchange may
// carry the same request out once more.
func (s CancelSight) Obstacles() []Obstacle {
	var list []Obstacle
	ended := map[string]bool{}
	for _, o := range s.Orders {
		if o.Result == CancelOpenStill {
			list = append(list, Obstacle{ProposalID: o.ProposalID, OrderID: o.OrderID, Why: "the order has not ended: " + o.Detail})
			continue
		}
		ended[string(o.Market)+" "+o.OrderID] = true
	}
	for _, a := range s.Sent {
		if bound := a.Visible(s.ReadLag); !s.ExchangeNow.After(bound) {
			list = append(list, Obstacle{ProposalID: a.ProposalID, Until: bound, Why: "what was sent for it before the halt may still appear"})
			continue
		}
		if a.OrderID != "" && !a.Ended && !ended[string(a.Market)+" "+a.OrderID] {
			list = append(list, Obstacle{ProposalID: a.ProposalID, OrderID: a.OrderID, Why: "nobody has seen the order end"})
		}
	}
	for _, proposal := range s.Doubts {
		list = append(list, Obstacle{ProposalID: proposal, Why: "its order could not be looked for"})
	}
	return list
}

// String says the obstacle in one line.
func (o Obstacle) String() string {
	text := o.Why
	if o.OrderID != "" {
		text = "order " + o.OrderID + ": " + text
	}
	if o.ProposalID != "" {
		text = "proposal " + o.ProposalID + ": " + text
	}
	if !o.Until.IsZero() {
		text += fmt.Sprintf(", until %s", o.Until.UTC().Format(time.TimeOnly))
	}
	return text
}
