package chaos

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// strikePatience bounds the time in which the faults that chance has spared are
// struck on purpose. A fault that cannot strike in it makes the run invalid.
const strikePatience = 100 * time.Second

// morePatience is how long spares are given before more of them are tried.
const morePatience = 10 * time.Second

// missing lists the faults that have not struck yet, the double delivery among
// them. Bans come last: nothing else is asked while they hold.
func (c *campaign) missing() []Fault {
	struck := c.tally.faultCounts()
	var list []Fault
	for _, f := range append(slices.Clone(c.plan.Faults), twiceFault()) {
		if struck[f.Name] == 0 {
			f.Chance, f.Count = 0, 1
			list = append(list, f)
		}
	}
	slices.SortStableFunc(list, func(a, b Fault) int { return banLast(a) - banLast(b) })
	return list
}

func banLast(f Fault) int {
	if f.Kind == "105" {
		return 1
	}
	return 0
}

// strikeMissing arms what has not struck, for sure and once each, and lets
// spare proposals run into it.
func (c *campaign) strikeMissing(ctx context.Context) error {
	list := c.missing()
	if len(list) == 0 {
		return nil
	}
	c.sayf("%d faults have not struck yet; striking them on purpose", len(list))
	if err := c.eventually(ctx, time.Minute, func(ctx context.Context) error { return c.rearm(ctx, list) }); err != nil {
		return err
	}
	bound, stop := context.WithTimeout(ctx, strikePatience)
	defer stop()
	var running sync.WaitGroup
	// Together, before the first of them is in doubt and holds its asset; and a
	// few more, for orders are filled, and cancels need ones that rest.
	for i := 0; i < len(c.plan.Spares) && c.stillMissing() != nil && bound.Err() == nil; {
		for end := min(i+len(c.missing())+3, len(c.plan.Spares)); i < end; i++ {
			c.spares++
			p := c.plan.Spares[i]
			running.Go(func() { c.spare(bound, p) })
		}
		_ = c.eventually(bound, morePatience, func(context.Context) error { return c.stillMissing() }) // then there are more
	}
	_ = c.eventually(bound, strikePatience, func(context.Context) error { return c.stillMissing() }) // the report says so
	stop()
	running.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if c.tally.disturbedCounts()[DeliverTwice] == 0 && c.tally.faultCounts()[deliveredTwice] > 0 {
		c.tally.disturbed(DeliverTwice)
	}
	return c.eventually(ctx, time.Minute, func(ctx context.Context) error { return c.rearm(ctx, nil) })
}

// spare lets one spare proposal ask until everything has struck.
func (c *campaign) spare(ctx context.Context, p Proposal) {
	if !c.propose(ctx, p) {
		return
	}
	for len(c.missing()) > 0 {
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

func (c *campaign) stillMissing() error {
	if list := c.missing(); len(list) > 0 {
		return fmt.Errorf("%d faults have not struck", len(list))
	}
	return nil
}
