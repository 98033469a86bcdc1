package trade

import (
	"slices"
	"strings"
	"time"
)

// Reply is what one attempt to place an order is known to have done.
type Reply string

// The four replies. Unknown is the default for whatever is not surely one of
// the others; it is never an error that somebody might retry.
const (
	Accepted Reply = "accepted"
	Refused  Reply = "refused"
	NotSent  Reply = "not_sent"
	Unknown  Reply = "unknown"
)

// AttemptResult is the result of one attempt.
type AttemptResult struct {
	Reply   Reply  `json:"reply"`
	Code    string `json:"code,omitempty"`    // the exchange's errorCode, or one of ours
	Message string `json:"message,omitempty"` // for people
	Order   *Order `json:"order,omitempty"`   // set when accepted
}

// Outcome is what became of an attempt, as a transaction has concluded. The
// empty one is an attempt still in doubt.
type Outcome string

// The outcomes. Void is an attempt that was closed before it began, Absent
// one that the exchange was seen not to have.
const (
	OutcomeAccepted Outcome = "accepted"
	OutcomeRefused  Outcome = "refused"
	OutcomeNotSent  Outcome = "not_sent"
	OutcomeAbsent   Outcome = "absent"
	OutcomeVoid     Outcome = "void"
)

// Outcome is that of a sure reply. Unknown has none, nor has
// an acceptance that does not say which order it accepted.
func (p AttemptResult) Outcome() Outcome {
	switch {
	case p.Reply == Accepted && p.Order != nil && p.Order.OrderID != "":
		return OutcomeAccepted
	case p.Reply == Refused:
		return OutcomeRefused
	case p.Reply == NotSent:
		return OutcomeNotSent
	}
	return ""
}

// LookupResult is what a lookup of an order at the exchange showed.
type LookupResult string

// The results of a lookup. Inconclusive is the default: an answer that does not surely
// say "here" or "nowhere" says nothing.
const (
	Found        LookupResult = "found"
	NotThere     LookupResult = "not_there"
	Inconclusive LookupResult = "inconclusive"
)

// Lookup is one search for the order of an execution: by client order ID, and
// cross-checked with open orders, orders and trades.
type Lookup struct {
	Result       LookupResult `json:"sighting"`
	Orders       []Order      `json:"orders,omitempty"` // found; more than one is an alarm
	ExchangeTime time.Time    `json:"exchangeTime"`     // the exchange's own clock, read before the search
	Detail       string       `json:"detail,omitempty"` // for people: what was asked, why it is inconclusive
}

// shows reports whether the look saw an order. A find without one shows
// nothing.
func (l Lookup) shows() bool { return l.Result == Found && len(l.Orders) > 0 }

// Failure is why an execution ended without an order.
type Failure struct {
	Code         Code   `json:"code"`
	ExchangeCode string `json:"exchangeCode,omitempty"` // the exchange's errorCode, when it refused
	Message      string `json:"message,omitempty"`
}

// CodeInvalidPlan is an order that could not even be written down for the
// exchange.
const CodeInvalidPlan = "INVALID_PLAN"

// settled are the codes of an attempt that was not sent and that a new attempt
// cannot help. Every other reason for not sending may pass: the exchange was
// not reached, was too busy, or too late for this attempt's deadline.
var settled = map[string]bool{
	string(ProposalClosed): true, string(CancelRequested): true, string(ProposalExpired): true,
	string(TradingHalted): true, string(PriceStale): true, string(PriceOutsideCollar): true,
	string(OrderAbsent): true, CodeInvalidPlan: true,
}

// MayPass reports whether a new attempt could still place what this one surely
// did not send.
func (p AttemptResult) MayPass() bool { return p.Reply == NotSent && !settled[p.Code] }

// Failure says what an attempt that placed nothing means for its execution.
func (p AttemptResult) Failure() Failure {
	switch {
	case p.Reply == Refused, p.Code == CodeInvalidPlan:
		return Failure{Code: ExchangeRefused, ExchangeCode: p.Code, Message: p.Message}
	case settled[p.Code]:
		return Failure{Code: Code(p.Code), Message: p.Message}
	}
	return Failure{Code: ExchangeUnavailable, ExchangeCode: p.Code, Message: p.Message}
}

// Attempt is one attempt to place the order. Its row is there before its first
// byte leaves.
type Attempt struct {
	Number    int
	RequestID string // of the claim it belongs to
	Deadline  time.Time
	BegunAt   time.Time
	BegunBy   string
	Code      string // what the exchange said
	Message   string
	Outcome   Outcome // empty: in doubt
	OrderID   string  // set when accepted
}

// Result is what is known of the attempt: unknown while it is in doubt.
func (a Attempt) Result() AttemptResult {
	p := AttemptResult{Reply: Unknown, Code: a.Code, Message: a.Message}
	switch a.Outcome {
	case OutcomeAccepted:
		p.Reply, p.Order = Accepted, &Order{OrderID: a.OrderID}
	case OutcomeRefused:
		p.Reply = Refused
	case OutcomeNotSent:
		p.Reply = NotSent
	case OutcomeVoid:
		p = AttemptResult{Reply: NotSent, Code: string(ExchangeUnavailable), Message: "the attempt never began"}
	case OutcomeAbsent:
		p = AttemptResult{Reply: NotSent, Code: string(OrderAbsent), Message: "the exchange has no such order"}
		if said := strings.TrimSpace(a.Code + " " + a.Message); said != "" {
			p.Message += "; it had said: " + said
		}
	}
	return p
}

// says reports whether the attempt's outcome is what a person wishes.
func (a Attempt) says(w Resolution) bool {
	if w.OrderID == "" {
		return a.Outcome == OutcomeAbsent
	}
	return a.Outcome == OutcomeAccepted && a.OrderID == w.OrderID
}

// ordersIn lists the different orders that were seen under our ID.
func ordersIn(lookups []Lookup) []Order {
	var orders []Order
	for _, l := range lookups {
		for _, o := range l.Orders {
			if !slices.ContainsFunc(orders, func(known Order) bool { return known.OrderID == o.OrderID }) {
				orders = append(orders, o)
			}
		}
	}
	return orders
}
