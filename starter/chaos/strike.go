package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// strikeTimeout bounds the time in which the faults that chance has spared are
// struck on purpose. A fault that cannot strike in it makes the run invalid.
const strikeTimeout = 5 * time.Minute

// moreTimeout is how long spares are given before more of them are tried.
const moreTimeout = 10 * time.Second

// missing lists those of the faults that have not struck yet.
func (c *campaign) missing(of []Fault) []Fault {
	struck := c.tally.faultCounts()
	var list []Fault
	for _, f := range of {
		if struck[f.Name] == 0 {
			f.Chance, f.Count = 0, 1
			list = append(list, f)
		}
	}
	return list
}

// strikes are all faults, the double delivery among them, in the two rounds in
// which they are struck on purpose: nothing else can be while a ban holds.
func (p Plan) strikes() [2][]Fault {
	var rounds [2][]Fault
	for _, f := range append(slices.Clone(p.Faults), twiceFault()) {
		round := 0
		if f.Kind == "105" {
			round = 1
		}
		rounds[round] = append(rounds[round], f)
	}
	return rounds
}

// strikeMissing arms what has not struck, for sure and once each, and lets
// spare proposals run into it.
func (c *campaign) strikeMissing(ctx context.Context) error {
	rounds := c.plan.strikes()
	for i, round := range rounds {
		if err := c.strike(ctx, c.missing(round), len(c.plan.Spares)*(i+1)/len(rounds)); err != nil {
			return err
		}
	}
	if c.tally.disturbedCounts()[DeliverTwice] == 0 && c.tally.faultCounts()[deliveredTwice] > 0 {
		c.tally.disturbed(DeliverTwice)
	}
	return nil
}

// strike returns when all of list has struck, or cannot be made to with the
// spares up to most.
func (c *campaign) strike(ctx context.Context, list []Fault, most int) error {
	if len(list) == 0 {
		return nil
	}
	c.sayf("%d faults have not struck yet; striking them on purpose", len(list))
	// On a database that was started anew nothing trades before a comparison,
	// which needs more reads than would succeed among what is armed now.
	if err := errors.Join(c.arm(ctx, nil), c.comparedSince(ctx), c.arm(ctx, list)); err != nil {
		return err
	}
	bound, stop := context.WithTimeout(ctx, strikeTimeout)
	defer stop()
	left := func() int { return len(c.missing(list)) }
	struck := func(context.Context) error {
		if n := left(); n > 0 {
			return fmt.Errorf("%d faults have not struck", n)
		}
		return nil
	}
	var running sync.WaitGroup
	// Together, before the first of them is in doubt and holds its asset; and a
	// few more, for orders are filled, and cancels need ones that rest.
	for c.spares < most && left() > 0 && bound.Err() == nil {
		for end := min(c.spares+left()+3, most); c.spares < end; c.spares++ {
			p := c.plan.Spares[c.spares]
			running.Go(func() { c.spare(bound, p, left) })
		}
		_ = c.eventually(bound, moreTimeout, struck) // then there are more
	}
	_ = c.eventually(bound, strikeTimeout, struck) // the report says so
	stop()
	running.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return c.arm(ctx, nil)
}

func (c *campaign) arm(ctx context.Context, list []Fault) error {
	return c.eventually(ctx, persistence, func(ctx context.Context) error { return c.rearm(ctx, list) })
}

// spare lets one spare proposal ask until nothing is left to strike.
func (c *campaign) spare(ctx context.Context, p Proposal, left func() int) {
	if !c.propose(ctx, p) {
		return
	}
	for left() > 0 {
		if s := c.board.status(p.ID); s.Closed() {
			return
		} else if s == "" || s.Executable() {
			c.ask(ctx, p, ByHTTP)
		}
		if pause(ctx, 2*time.Second) != nil {
			return
		}
	}
}
