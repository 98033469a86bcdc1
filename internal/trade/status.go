package trade

// Status is where a proposal is in its life.
type Status string

// The states of a proposal.
const (
	Pending    Status = "PENDING"
	Executing  Status = "EXECUTING"
	Executed   Status = "EXECUTED"
	Failed     Status = "FAILED"
	Unresolved Status = "UNRESOLVED"
	Expired    Status = "EXPIRED"
	Cancelled  Status = "CANCELLED"
)

// transitions is a proposal's life. A blocked preflight changes nothing, so it
// is no transition.
//
//	PENDING ────> EXECUTING | EXPIRED | CANCELLED
//	EXECUTING ──> EXECUTED | FAILED | UNRESOLVED | CANCELLED (given up, and nothing was placed)
//	UNRESOLVED ─> EXECUTING (its order was found, and is followed) | EXECUTED | FAILED | CANCELLED (as above)
//	FAILED ─────> EXECUTING (another try) | EXPIRED | CANCELLED
var transitions = map[Status][]Status{
	Pending:    {Executing, Expired, Cancelled},
	Executing:  {Executed, Failed, Unresolved, Cancelled},
	Unresolved: {Executing, Executed, Failed, Cancelled},
	Failed:     {Executing, Expired, Cancelled},
	Executed:   nil,
	Expired:    nil,
	Cancelled:  nil,
}

// Statuses lists every state, in the order of a life.
func Statuses() []Status {
	return []Status{Pending, Executing, Unresolved, Executed, Failed, Expired, Cancelled}
}

// May reports whether a proposal in state s may become next.
func (s Status) May(next Status) bool {
	for _, allowed := range transitions[s] {
		if allowed == next {
			return true
		}
	}
	return false
}

// Executable reports whether a proposal in state s may still be claimed.
// An unresolved one may not: its order may exist.
func (s Status) Executable() bool { return s.May(Executing) && s != Unresolved }

// Claimed reports whether an execution of it is under way.
func (s Status) Claimed() bool { return s == Executing || s == Unresolved }

// Closed reports whether nothing can change s any more.
func (s Status) Closed() bool {
	next, known := transitions[s]
	return known && len(next) == 0
}

// TradingState says what an account may do.
type TradingState string

// The trading states.
const (
	Active   TradingState = "ACTIVE"
	Reducing TradingState = "REDUCING" // only sells of what is held
	Halted   TradingState = "HALTED"
)

// Stricter returns the more restrictive of two states. An unknown one counts
// as HALTED.
func (s TradingState) Stricter(other TradingState) TradingState {
	rank := map[TradingState]int{Active: 1, Reducing: 2}
	switch {
	case rank[s] == 0 || rank[other] == 0:
		return Halted
	case rank[s] > rank[other]:
		return s
	}
	return other
}
