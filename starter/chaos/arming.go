package chaos

import (
	"context"
	"slices"
	"sync"
	"time"
)

// arming is what the exchange was told last. It forgets all of it when it is
// killed, so it is told again.
type arming struct {
	mu     sync.Mutex
	epoch  uint64 // makes each schedule's chances its own
	faults []Fault
	extra  []Fault // added after the schedule
	offset time.Duration
	guard  bool // client order IDs are unique for ever
}

// tellAll brings a freshly started exchange to where the last one was.
func (c *campaign) tellAll(ctx context.Context) error {
	a := &c.arming
	a.epoch++
	if err := c.exchange.option(ctx, "repeatOrderIds", true); err != nil {
		return err
	}
	if err := c.exchange.option(ctx, "clientOrderIdForever", a.guard); err != nil {
		return err
	}
	if err := c.exchange.offset(ctx, a.offset); err != nil {
		return err
	}
	if err := c.exchange.arm(ctx, c.plan.Seed<<8+a.epoch, a.faults); err != nil {
		return err
	}
	for _, f := range a.extra {
		if err := c.exchange.add(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// rearm replaces the schedule and keeps the count of what it replaces. The
// exchange is guarded while a double delivery is part of it.
func (c *campaign) rearm(ctx context.Context, faults []Fault) error {
	c.arming.mu.Lock()
	defer c.arming.mu.Unlock()
	if err := c.count(ctx); err != nil {
		return err
	}
	c.arming.faults, c.arming.extra = faults, nil
	c.arming.guard = slices.ContainsFunc(faults, twiceFault().same)
	c.tally.closeEpoch()
	return c.tellAll(ctx)
}

// count reads how often each fault has struck since the schedule was set.
func (c *campaign) count(ctx context.Context) error {
	list, err := c.exchange.faults(ctx)
	if err != nil {
		return err
	}
	struck := map[string]int{}
	for _, f := range list {
		struck[c.nameOf(f.Fault)] += f.Struck
	}
	c.tally.thisEpoch(struck)
	return nil
}

// nameOf finds the name of a fault that the exchange lists.
func (c *campaign) nameOf(f Fault) string {
	for _, known := range append(c.plan.Faults, twiceFault()) {
		if known.same(f) {
			return known.Name
		}
	}
	return "unplanned " + f.Kind
}

// same compares what a fault does, whatever its chances. The exchange fills in
// a code where none was given.
func (f Fault) same(other Fault) bool {
	return f.Kind == other.Kind && f.Method == other.Method && f.Path == other.Path && (f.Code == 0 || f.Code == other.Code) &&
		f.Placed == other.Placed && f.NoExpiry == other.NoExpiry &&
		f.DelayMs == other.DelayMs && f.AfterMs == other.AfterMs && f.ForMs == other.ForMs
}
