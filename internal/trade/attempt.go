package trade

import (
	"slices"
	"time"
)

// AttemptFacts is everything that decides whether an attempt may begin, read
// under the trading state's share lock and the execution's row lock.
type AttemptFacts struct {
	Now             time.Time // database clock, after the locks
	Control         TradingState
	Status          Status // of the execution
	SameClaim       bool   // the attempt belongs to the claim in force
	ClaimedAt       time.Time
	ExpiresAt       time.Time
	CancelRequested bool
	EarlierInDoubt  bool // an earlier attempt has no verdict, or was accepted
	LaterExists     bool
	Plan            Plan
	Price           *PriceFact
}

// MayAttempt says whether an attempt may begin now; if not, the code says why.
// A refused attempt sends nothing and leaves no row.
func MayAttempt(f AttemptFacts) (Code, bool) {
	switch {
	case f.Status != Executing, !f.SameClaim, f.EarlierInDoubt, f.LaterExists:
		return ProposalClosed, false
	case f.CancelRequested:
		return CancelRequested, false
	case !f.Now.Before(f.ExpiresAt):
		return ProposalExpired, false
	case f.Now.Sub(f.ClaimedAt) > SendWithin:
		return ExchangeUnavailable, false
	case f.Control == Reducing && f.Plan.Reduces:
	case f.Control != Active:
		return TradingHalted, false
	}
	switch {
	case f.Price == nil, !f.Price.Price.IsPositive(), !fresh(f.Now, f.Price.ObservedAt, f.Plan.PriceMaxAge.Std()):
		return PriceStale, false
	case !f.Plan.WithinCollar(f.Price.Price):
		return PriceOutsideCollar, false
	}
	return "", true
}

// Doubt is an attempt without a verdict.
type Doubt struct {
	Deadline  time.Time     // exchange clock: no request of it can act after this
	ReplyCode string        // what the exchange said, if it said anything
	ReadLag   time.Duration // L of the account
}

// Judge concludes a doubt from the looks for its order, or says at which
// instant of the exchange's clock the next look can help.
//
// One find settles it, whatever other looks said. Absence takes two looks at
// least L apart, both later than deadline + L, when whatever was sent must have
// acted and be visible. A refusal that a late duplicate could also have caused
// (216, 304) takes one such look: its first copy may have acted, and not be
// visible yet. A doubt without a deadline is never concluded by not finding
// anything.
func Judge(d Doubt, looks []Look) (verdict Conclusion, nextLook time.Time) {
	if slices.ContainsFunc(looks, Look.shows) {
		return ConcludedAccepted, time.Time{}
	}
	if d.Deadline.IsZero() {
		return "", time.Time{}
	}
	if d.ReplyCode == CodeInsufficientBalance || d.ReplyCode == CodeOutsideWindow {
		return d.judgeRefusal(looks)
	}
	return d.judgeAbsence(looks)
}

func (d Doubt) judgeRefusal(looks []Look) (Conclusion, time.Time) {
	for _, look := range looks {
		if look.Sighting == NotThere && look.ExchangeTime.After(d.visible()) {
			return ConcludedRefused, time.Time{}
		}
	}
	return "", d.visible()
}

// visible is when every order of the attempt is shown to its owner.
func (d Doubt) visible() time.Time { return d.Deadline.Add(d.lag()) }

func (d Doubt) lag() time.Duration {
	if d.ReadLag <= 0 {
		return DefaultReadLag
	}
	return d.ReadLag
}

func (d Doubt) judgeAbsence(looks []Look) (Conclusion, time.Time) {
	lag, bound := d.lag(), d.visible()
	var first time.Time
	for _, look := range looks {
		switch {
		case look.Sighting != NotThere, !look.ExchangeTime.After(bound):
			continue
		case first.IsZero():
			first = look.ExchangeTime
		case look.ExchangeTime.Sub(first).Abs() >= lag:
			return ConcludedAbsent, time.Time{}
		}
	}
	if first.IsZero() {
		return "", bound
	}
	return "", first.Add(lag)
}

// Exchange error codes that are a refusal only after a look.
const (
	CodeInsufficientBalance = "216"
	CodeOutsideWindow       = "304"
)

// Finding is what is known of an attempt after a conclusion was tried.
type Finding struct {
	Concluded bool          `json:"concluded"`
	Verdict   Conclusion    `json:"verdict,omitempty"`
	Placing   Placing       `json:"placing"`
	Wait      time.Duration `json:"wait,omitempty"` // in doubt: before the next look can help
}
