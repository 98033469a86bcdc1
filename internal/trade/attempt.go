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
	OutOfTurn       bool // another number is next
	Plan            Plan
	Price           *PriceFact
}

// MayAttempt says whether an attempt may begin now; if not, the code says why.
// A refused attempt sends nothing and leaves no row.
func MayAttempt(f AttemptFacts) (Code, bool) {
	switch {
	case f.Status != Executing, !f.SameClaim, f.EarlierInDoubt, f.OutOfTurn:
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
func Judge(d Doubt, looks []Lookup) (verdict Outcome, nextLook time.Time) {
	if slices.ContainsFunc(looks, Lookup.shows) {
		return OutcomeAccepted, time.Time{}
	}
	if d.Deadline.IsZero() {
		return "", time.Time{}
	}
	if d.ReplyCode == CodeInsufficientBalance || d.ReplyCode == CodeOutsideWindow {
		return d.judgeRefusal(looks)
	}
	return d.judgeAbsence(looks)
}

func (d Doubt) judgeRefusal(looks []Lookup) (Outcome, time.Time) {
	for _, look := range looks {
		if look.Result == NotThere && look.ExchangeTime.After(d.Visible()) {
			return OutcomeRefused, time.Time{}
		}
	}
	return "", d.Visible()
}

// Visible is when, by the exchange's clock, every order of the attempt is shown
// to its owner. Before it, not seeing one says nothing, to a person neither.
func (d Doubt) Visible() time.Time { return d.Deadline.Add(d.lag()) }

func (d Doubt) lag() time.Duration {
	if d.ReadLag <= 0 {
		return DefaultReadLag
	}
	return d.ReadLag
}

func (d Doubt) judgeAbsence(looks []Lookup) (Outcome, time.Time) {
	lag, bound := d.lag(), d.Visible()
	var first time.Time
	for _, look := range looks {
		switch {
		case look.Result != NotThere, !look.ExchangeTime.After(bound):
			continue
		case first.IsZero():
			first = look.ExchangeTime
		case look.ExchangeTime.Sub(first).Abs() >= lag:
			return OutcomeAbsent, time.Time{}
		}
	}
	if first.IsZero() {
		return "", bound
	}
	return "", first.Add(lag)
}

// Objection says what stands against a person's word on d, by the exchange's
// clock: the order that it is, as the exchange showed it, or nil for none. It
// is empty when nothing does. That there is none can be said only once it would
// be seen: else the proposal could be executed again beside a hidden order.
func (d Doubt) Objection(plan Plan, word *Order, exchangeNow time.Time) string {
	switch {
	case d.Deadline.IsZero() || !exchangeNow.After(d.Deadline):
		return "the order may still be placed until " + d.Deadline.Format(time.RFC3339)
	case word == nil && !exchangeNow.After(d.Visible()):
		return "the exchange may not show the order before " + d.Visible().Format(time.RFC3339) + "; look again then"
	case word != nil && !plan.Matches(*word):
		return "order " + word.OrderID + " is not in the market, side and amount of this proposal"
	}
	return ""
}

// Exchange error codes that are a refusal only after a look.
const (
	CodeInsufficientBalance = "216"
	CodeOutsideWindow       = "304"
)

// Finding is what is known of an attempt after a conclusion was tried.
type Finding struct {
	Concluded bool          `json:"concluded"`
	Outcome   Outcome       `json:"verdict,omitempty"`
	Result    AttemptResult `json:"placing"`
	Wait      time.Duration `json:"wait,omitempty"` // in doubt: before the next look can help
}

// doubt is what an attempt without an outcome is judged by. Of one that an
// earlier life of the database began, a lost future may have begun another:
// absence is not believed before that one's time is over as well.
func (a Attempt) doubt(f ExecutionFacts) Doubt {
	d := Doubt{Deadline: a.Deadline, ReplyCode: a.Code, ReadLag: f.ReadLag}
	if f.Life.MayHaveLost(a.BegunAt) {
		if until := f.Life.began(f.Now).Add(LostWindow); until.After(d.Deadline) {
			d.Deadline = until
		}
	}
	return d
}
