package trade

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// What role orders is told to do, and what it brings back. Each is a row, or is
// read from one.

// Resolution is a person's word on an order of unknown fate: the order it is, or
// that there is none.
type Resolution struct {
	OrderID string // empty: there is none
	Actor   string
	Reason  string
	Problem string // what stood against it before the rows were asked
}

// Reading is what role orders read at the exchange for a resolution.
type Reading struct {
	OrderID      string // that was asked for; empty: only the clock was
	Order        *Order
	ExchangeTime time.Time // read before the order
	Problem      string
	ReadAt       time.Time // database clock
	TakenBy      string    // another proposal whose order it is
}

// maxReadingAge is how long after a reading a wish may be judged by it.
const maxReadingAge = time.Minute

// fits reports whether r was made just now, for this resolution.
func (r *Reading) fits(w Resolution, now time.Time) bool {
	return r != nil && r.OrderID == w.OrderID && now.Sub(r.ReadAt) <= maxReadingAge
}

// Sight is an order as the exchange shows it.
type Sight struct {
	Order        Order
	ExchangeTime time.Time // only read when it decides
	Gone         bool      // the exchange cancels it no more, and lists it no more as open
}

// Sending is an attempt that its caller now owns: exactly what is sent, and what
// is searched for before.
type Sending struct {
	Plan   Plan
	Search Search
}

// Instead says what to answer instead of sending, after a lookup: what is there
// already is adopted, and where looking up fails nothing is sent; nil sends.
func (s Sending) Instead(l Lookup) *AttemptResult {
	switch {
	case l.Result == Found && len(l.Orders) == 1 && s.Plan.Matches(l.Orders[0]):
		return &AttemptResult{Reply: Accepted, Message: "was there already", Order: &l.Orders[0]}
	case l.Result == Found:
		return &AttemptResult{Reply: Unknown, Message: fmt.Sprintf("the exchange has %d orders under this ID, not as planned", len(l.Orders))}
	case l.Result != NotThere:
		return &AttemptResult{Reply: NotSent, Code: string(ExchangeUnavailable), Message: "looking first: " + l.Detail}
	}
	return nil
}

// AcceptedOrder is the order that was accepted for a claim.
type AcceptedOrder struct {
	Market    Market
	OrderID   string // empty: none was accepted
	MayCancel string // why it may be cancelled now; empty: it may not
}

// Search names what a lookup searches for.
type Search struct {
	Market        Market
	Side          Side
	ClientOrderID uuid.UUID
	Since         time.Time // lists begin here
	Known         []string  // order IDs of other proposals in the market
}
