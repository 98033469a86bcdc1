package trade

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// Override permits one execution of one proposal in spite of cooldown or
// anti-flip. It is a fact: bound to the policy version and the price that it
// was given under, and it looks past the trades known when it was stored, and
// no later.
type Override struct {
	ID             string           `json:"id"`
	ProposalID     string           `json:"proposalId"`
	Cooldown       bool             `json:"cooldown"`
	AntiFlip       bool             `json:"antiFlip"`
	Checks         []Code           `json:"checks,omitempty"` // the same by name; others cannot be overridden
	Actor          string           `json:"actor"`
	Verified       bool             `json:"verified"`           // the actor proved who they are
	Identity       string           `json:"identity,omitempty"` // who was proved; empty when nobody was
	ConfirmedBy    []string         `json:"confirmedBy,omitempty"`
	Reason         string           `json:"reason"`
	RequestID      string           `json:"requestId,omitempty"`      // of the only request that may use it; empty: any
	PolicyVersion  int              `json:"policyVersion,omitempty"`  // in force when it was given
	ReferencePrice *decimal.Decimal `json:"referencePrice,omitempty"` // market price when it was given
	StoredAt       time.Time        `json:"storedAt"`
	ExpiresAt      time.Time        `json:"expiresAt"`

	own bool // the request that is judged brings it itself
}

// Named is o with the checks that it names by code.
func (o Override) Named() Override {
	o.Cooldown = o.Cooldown || slices.Contains(o.Checks, CooldownBlocked)
	o.AntiFlip = o.AntiFlip || slices.Contains(o.Checks, AntiFlipBlocked)
	return o
}

// Problem says why o cannot be stored; empty when it can.
func (o Override) Problem() string {
	for _, code := range o.Checks {
		if code != CooldownBlocked && code != AntiFlipBlocked {
			return fmt.Sprintf("checks: %q cannot be overridden; only %s and %s can", clip(string(code)), CooldownBlocked, AntiFlipBlocked)
		}
	}
	if o.ID != "" {
		if err := CheckID("id", o.ID); err != nil {
			return err.Error()
		}
	}
	switch {
	case !o.Cooldown && !o.AntiFlip:
		return "an override must name cooldown or antiFlip"
	case strings.TrimSpace(o.Actor) == "":
		return "an override needs an actor"
	case strings.TrimSpace(o.Reason) == "":
		return "an override needs a reason"
	}
	if err := errors.Join(checkText("actor", o.Actor, 100), checkText("reason", o.Reason, 500)); err != nil {
		return err.Error()
	}
	return ""
}

// overrideSpace separates override IDs from every other use of UUIDv5.
var overrideSpace = uuid.MustParse("0b7f6f57-7d3e-5a43-9a53-2f3a4f0f2b61")

// DerivedID names an override that was given without an ID after its proposal
// and content, so that the same override sent twice is one.
func (o Override) DerivedID() string {
	text := fmt.Sprintf("%q %t %t %q %q %s", o.ProposalID, o.Cooldown, o.AntiFlip, o.Actor, o.Reason, stamp(o.ExpiresAt))
	return uuid.NewSHA1(overrideSpace, []byte(text)).String()
}

// Same reports whether b gives the same permission as o, by the same person.
func (o Override) Same(b Override) bool {
	return o.ProposalID == b.ProposalID && o.Cooldown == b.Cooldown && o.AntiFlip == b.AntiFlip &&
		o.Actor == b.Actor && o.Identity == b.Identity && o.Reason == b.Reason && o.RequestID == b.RequestID
}

// OverrideFacts is what an override is given under.
type OverrideFacts struct {
	Now           time.Time // database clock
	Policy        *Policy   // nil: the user has none
	PolicyVersion int
	Price         *PriceFact // nil: none
}

// CheckOverrideExpiry refuses a time that is over, or further away than
// anybody can mean; none at all is right. The error names the field, the value
// and the fix.
func CheckOverrideExpiry(at, now time.Time) error {
	const most = 366 * 24 * time.Hour
	if !at.IsZero() && (!at.After(now) || at.After(now.Add(most))) {
		return fmt.Errorf("expiresAt: %s must be after now, which is %s, and at most a year from it", stamp(at), stamp(now))
	}
	return nil
}

// Bound is o bound to what it was given under, and why it is refused at once;
// the problem is empty when it may be kept. One that only its own request may
// use is judged with that request.
func (o Override) Bound(p Proposal, f OverrideFacts) (bound Override, problem string) {
	o = o.Named()
	o.PolicyVersion = f.PolicyVersion
	if f.Price != nil {
		o.ReferencePrice = &f.Price.Price
	}
	if problem := o.Problem(); problem != "" || o.RequestID != "" {
		return o, problem
	}
	if err := CheckOverrideExpiry(o.ExpiresAt, f.Now); err != nil {
		return o, err.Error()
	}
	switch {
	case f.Policy == nil:
		return o, "there is no policy, so nothing to override"
	case bool(f.Policy.VerifiedOverridesOnly) && !o.Verified:
		return o, "the policy takes overrides of verified people only: give it through the HTTP API"
	case f.Price == nil || !fresh(f.Now, f.Price.ObservedAt, f.Policy.PriceMaxAge.Std()):
		return o, "there is no fresh market price to bind it to"
	}
	for _, price := range []*decimal.Decimal{p.Price, p.ExpectedPrice} {
		if price != nil && !inCollar(*price, f.Price.Price, f.Policy.PriceCollar) {
			return o, fmt.Sprintf("the price has left the collar: %s was proposed and the market is at %s", price, f.Price.Price)
		}
	}
	return o, ""
}

// inCollar reports whether price is within the collar around reference.
func inCollar(price, reference decimal.Decimal, collar Fraction) bool {
	return price.Sub(reference).Abs().LessThanOrEqual(reference.Mul(collar.Decimal))
}

// knows reports whether t was there to be seen when o was given: the request's
// own override is given now, and whatever is seen now is known.
func (o Override) knows(t PastTrade) bool { return o.own || slices.Contains(t.KnownTo, o.ID) }

// people are the different verified identities behind o.
func (o Override) people() int {
	list := slices.Clone(o.ConfirmedBy)
	if o.Verified {
		list = append(list, o.Identity)
	}
	slices.Sort(list)
	list = slices.DeleteFunc(slices.Compact(list), func(who string) bool { return who == "" })
	return len(list)
}

// objection says why o, which is in force, does not hold for this case; empty
// when it does.
func (c preflightCase) objection(o Override) string {
	switch {
	case o.own && slices.Contains(c.facts.OverrideIDs, o.ID):
		return "another override of this proposal bears the ID of this request; ask again under another ID"
	case o.PolicyVersion != c.facts.PolicyVersion:
		return fmt.Sprintf("it was given under policy version %d, and %d is in force", o.PolicyVersion, c.facts.PolicyVersion)
	case c.facts.Price == nil || o.ReferencePrice == nil || !inCollar(c.facts.Price.Price, *o.ReferencePrice, c.policy.PriceCollar):
		return "the price has left the collar around the one that it was given at"
	case bool(c.policy.VerifiedOverridesOnly) && !o.Verified:
		return "the policy takes overrides of verified people only"
	case c.needsFourEyes() && o.people() < 2:
		return fmt.Sprintf("above %s %s it needs two verified people, and has %d", c.policy.FourEyes, c.proposal.Market.Quote(), o.people())
	}
	return ""
}

// AwaitsSecond reports whether o, just given for p, will not hold before a
// second person has confirmed it.
func (o Override) AwaitsSecond(p Proposal, f Facts) bool {
	return f.Policy != nil && newCase(p, Request{}, f).needsFourEyes() && o.people() < 2
}

// needsFourEyes reports whether the order is larger than one person may
// override for. An order that cannot be computed is.
func (c preflightCase) needsFourEyes() bool {
	limit := c.policy.FourEyes
	return limit != nil && (c.plan == nil || !limit.within(c.plan.WorstQuote))
}
