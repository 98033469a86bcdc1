package trade

import "time"

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

// Placing is the result of one attempt.
type Placing struct {
	Reply   Reply  `json:"reply"`
	Code    string `json:"code,omitempty"`    // the exchange's errorCode, or one of ours
	Message string `json:"message,omitempty"` // for people
	Order   *Order `json:"order,omitempty"`   // set when accepted
}

// Conclusion is the verdict a transaction has given an attempt. The empty one
// is an attempt still in doubt.
type Conclusion string

// The conclusions. Void is an attempt that was closed before it began, Absent
// one that the exchange was seen not to have.
const (
	ConcludedAccepted Conclusion = "accepted"
	ConcludedRefused  Conclusion = "refused"
	ConcludedNotSent  Conclusion = "not_sent"
	ConcludedAbsent   Conclusion = "absent"
	ConcludedVoid     Conclusion = "void"
)

// Conclusive turns a sure reply into its conclusion. Unknown has none, nor has
// an acceptance that does not say which order it accepted.
func (p Placing) Conclusive() Conclusion {
	switch {
	case p.Reply == Accepted && p.Order != nil && p.Order.OrderID != "":
		return ConcludedAccepted
	case p.Reply == Refused:
		return ConcludedRefused
	case p.Reply == NotSent:
		return ConcludedNotSent
	}
	return ""
}

// Sighting is what a look for an order at the exchange showed.
type Sighting string

// The sightings. Inconclusive is the default: an answer that does not surely
// say "here" or "nowhere" says nothing.
const (
	Found        Sighting = "found"
	NotThere     Sighting = "not_there"
	Inconclusive Sighting = "inconclusive"
)

// Look is one look for the order of an execution: by client order ID, and
// cross-checked with open orders, orders and trades.
type Look struct {
	Sighting     Sighting  `json:"sighting"`
	Orders       []Order   `json:"orders,omitempty"` // found; more than one is an alarm
	ExchangeTime time.Time `json:"exchangeTime"`     // the exchange's own clock, read before the look
	Detail       string    `json:"detail,omitempty"` // for people: what was asked, why it is inconclusive
}

// shows reports whether the look saw an order. A find without one shows
// nothing.
func (l Look) shows() bool { return l.Sighting == Found && len(l.Orders) > 0 }

// Failure is why an execution ended without an order.
type Failure struct {
	Code         Code   `json:"code"`
	ExchangeCode string `json:"exchangeCode,omitempty"` // the exchange's errorCode, when it refused
	Message      string `json:"message,omitempty"`
}

// rateLimited are the exchange's codes for "too often": nothing was placed,
// and later it may be.
var rateLimited = map[string]bool{"103": true, "104": true, "105": true, "110": true, "112": true}

// RateLimited reports whether the exchange refused for its rate limit alone.
func (p Placing) RateLimited() bool { return p.Reply == NotSent && rateLimited[p.Code] }

// Failure says what an attempt that placed nothing means for its execution.
func (p Placing) Failure() Failure {
	f := Failure{Code: Code(p.Code), Message: p.Message}
	switch {
	case p.Reply == Refused:
		f.Code, f.ExchangeCode = ExchangeRefused, p.Code
	case p.RateLimited():
		f.Code, f.ExchangeCode = ExchangeUnavailable, p.Code
	case p.Code == "" || p.Code[0] >= '0' && p.Code[0] <= '9':
		f.Code, f.ExchangeCode = OrderAbsent, p.Code
	}
	return f
}
