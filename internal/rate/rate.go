// Package rate shares one allowance of requests among all workers that hold an
// account's trade key. It decides who may send next and for how long nobody
// may; the count itself is kept by a Ledger that all workers share. It knows
// neither what is sent nor what becomes of it.
package rate

import (
	"context"
	"time"
)

// Class is how urgent a request is.
type Class string

// Classes, the most urgent first. A later one never uses the share that is
// kept for an earlier one.
const (
	Urgent    Class = "urgent"    // looks, cancels, following: they end doubts and risks
	Placement Class = "placement" // an order, and the look before it
	Bulk      Class = "bulk"      // comparing the whole account
)

type classKey struct{}

// As marks everything that is asked with the returned context as c.
func As(ctx context.Context, c Class) context.Context { return context.WithValue(ctx, classKey{}, c) }

// of is the class of ctx; one that nobody marked comes last.
func of(ctx context.Context) Class {
	if c, ok := ctx.Value(classKey{}).(Class); ok {
		return c
	}
	return Bulk
}

// Window is how far back grants are counted. It is longer than the second that
// is promised, for requests that take unequally long to arrive.
const Window = 1200 * time.Millisecond

// PlacementRequests is the most that one attempt usually sends: the clock, a
// look of up to six, the order.
const PlacementRequests = 8

// Shares says how many requests of the last Window may be of a class or a more
// urgent one.
type Shares struct{ most int }

// SharesOf divides requests per second; below one there is still one.
func SharesOf(rps float64) Shares { return Shares{max(1, int(rps))} }

// Of is the number that c may fill up to: all for Urgent, three fifths for
// Placement, two fifths for anything else.
func (s Shares) Of(c Class) int {
	switch c {
	case Urgent:
		return s.most
	case Placement:
		return max(1, s.most*3/5)
	}
	return max(1, s.most*2/5)
}

// Orders is how many attempts per second the placements' share carries.
func (s Shares) Orders() float64 {
	return float64(s.Of(Placement)) / Window.Seconds() / PlacementRequests
}

// floor is how much of the exchange's weight must be left for c, in thousandths.
func floor(c Class) int {
	switch c {
	case Urgent:
		return 25
	case Placement:
		return 150
	}
	return 300
}

// Notice is what the exchange said of its own budget in one reply.
type Notice struct {
	Limit, Left int           // weight; Limit 0: it did not say
	Reset       time.Duration // until it is whole again
	Ban         time.Duration // how long it answers nobody; 0: it does
}

// matters reports whether n can hold anybody up, now or soon.
func (n Notice) matters() bool { return n.Ban > 0 || n.Limit > 0 && n.Left*2 < n.Limit }

// Request asks for one grant.
type Request struct {
	Most  int // granted while fewer than this were, in the last Window
	Floor int // and the exchange has this many thousandths of its weight left
	Spent int // sent in the last Window without a grant of the Ledger
}

// Grant answers a Request. When it is not granted, Wait says how long to wait
// before asking again, and Reason why.
type Grant struct {
	Granted bool
	Wait    time.Duration
	Reason  string
}
