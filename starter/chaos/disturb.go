package chaos

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"interlock/internal/trade"
	"interlock/workflows"
)

// disturber carries out one kind. An error means that it did not strike, and may
// be tried again.
type disturber = func(*campaign, context.Context, Disturbance) error

var disturbers = withForgers(map[Kind]disturber{
	KillWorker:      (*campaign).killWorker,
	FreezeWorker:    (*campaign).freezeWorker,
	ResetWorkflow:   (*campaign).resetWorkflow,
	EndWorkflow:     (*campaign).endWorkflow,
	DeleteWorkflow:  (*campaign).deleteWorkflow,
	CutConnections:  (*campaign).cutConnections,
	CrashDatabase:   (*campaign).crashDatabase,
	KillTemporal:    (*campaign).killTemporal,
	RestoreTemporal: (*campaign).restoreTemporal,
	KillExchange:    (*campaign).killExchange,
	Halt:            (*campaign).halt,
	MoveClock:       (*campaign).moveClock,
	DeliverTwice:    (*campaign).deliverTwice,
})

// breakAll drives the proposals and disturbs everything as planned. It returns
// when every disturbance is over; proposals may still be asked for.
func (c *campaign) breakAll(ctx context.Context) error {
	c.asking.over, c.asking.pace = make(chan struct{}), time.NewTicker(time.Duration(float64(time.Second)/c.plan.Rate))
	c.sayf("%d proposals by %d users, %d faults of the exchange, %d disturbances, %v orders per second",
		len(c.plan.Proposals), len(c.plan.Users), len(c.plan.Faults), len(c.plan.Disturbances), c.plan.Rate)
	c.drive(ctx, c.plan.Proposals)
	var all sync.WaitGroup
	for _, d := range c.plan.Disturbances {
		all.Go(func() { c.disturb(ctx, d) })
	}
	err := pause(ctx, time.Until(c.began.Add(c.plan.Duration)))
	all.Wait()
	return err
}

// persistence is how long after its time a disturbance is tried: a workflow to
// reset must run first, a database to halt in must be up.
const persistence = 3 * time.Minute

// disturb carries one out, again and again until it has struck.
func (c *campaign) disturb(ctx context.Context, d Disturbance) {
	if pause(ctx, time.Until(c.began.Add(d.At))) != nil {
		return
	}
	last := time.Now().Add(persistence)
	for {
		err := disturbers[d.Kind](c, ctx, d)
		if err == nil {
			c.tally.disturbed(d.Kind)
			return
		}
		if ctx.Err() != nil {
			return
		}
		if time.Now().After(last) {
			c.sayf("%s did not strike: %v", d.Kind, err)
			return
		}
		if pause(ctx, 300*time.Millisecond) != nil {
			return
		}
	}
}

func (c *campaign) killWorker(_ context.Context, d Disturbance) error { return c.Kill(d.Target) }

// freezeWorker lets a process stand still past the timeouts of what it was
// doing, and go on as if nothing had happened.
func (c *campaign) freezeWorker(ctx context.Context, d Disturbance) error {
	if err := c.Signal(d.Target, syscall.SIGSTOP); err != nil {
		return err
	}
	err := pause(ctx, d.For)
	return errors.Join(err, c.Signal(d.Target, syscall.SIGCONT))
}

const cutSQL = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`

// cutConnections cuts everybody's but our own.
func (c *campaign) cutConnections(ctx context.Context, _ Disturbance) error {
	ctx, cancel := context.WithTimeout(ctx, meddle)
	defer cancel()
	var cut int
	err := c.database.QueryRow(ctx, cutSQL).Scan(&cut)
	if err == nil && cut == 0 {
		err = errors.New("nobody was connected")
	}
	return err
}

// crashDatabase waits until the database is back, and asks for the comparison
// without which nothing trades on a database that was started anew. An
// operator would do the same instead of waiting for the schedule.
func (c *campaign) crashDatabase(ctx context.Context, _ Disturbance) error {
	if err := c.CrashDatabase(); err != nil {
		return err
	}
	c.sayf("%s", CrashDatabase)
	if err := c.eventually(ctx, persistence, c.look); err != nil {
		return fmt.Errorf("the database is not back: %w", err)
	}
	return c.eventually(ctx, persistence, c.compare)
}

// compare asks for a comparison with the exchange.
func (c *campaign) compare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, meddle)
	defer cancel()
	return c.temporal.ScheduleClient().GetHandle(ctx, workflows.ReconcileID(c.Account)).Trigger(ctx, triggerOptions)
}

// killTemporal keeps a copy of the database while the server is down.
func (c *campaign) killTemporal(ctx context.Context, _ Disturbance) error {
	c.sayf("%s", KillTemporal)
	if err := c.CopyTemporal(ctx, c.temporalCopy()); err != nil {
		return err
	}
	close(c.copied)
	return nil
}

func (c *campaign) temporalCopy() string { return filepath.Join(c.Dir, "temporal-copy") }

func (c *campaign) restoreTemporal(ctx context.Context, _ Disturbance) error {
	select {
	case <-c.copied:
	case <-ctx.Done():
		return ctx.Err()
	}
	c.sayf("%s", RestoreTemporal)
	return c.RestoreTemporal(ctx, c.temporalCopy())
}

// killExchange tells the exchange that comes back what the killed one knew of
// its faults. Its orders it keeps itself.
func (c *campaign) killExchange(ctx context.Context, _ Disturbance) error {
	c.arming.mu.Lock()
	defer c.arming.mu.Unlock()
	if err := c.count(ctx); err != nil {
		return err
	}
	if err := c.Kill("exchange"); err != nil {
		return err
	}
	c.sayf("%s", KillExchange)
	c.tally.closeEpoch()
	return c.eventually(ctx, persistence, c.tellAll)
}

// halt stops trading, and always resumes.
func (c *campaign) halt(ctx context.Context, d Disturbance) error {
	if err := c.store.SetTradingState(ctx, c.Account, trade.Halted, actor, "campaign"); err != nil {
		return err
	}
	err := pause(ctx, d.For)
	return errors.Join(err, c.resume(ctx))
}

func (c *campaign) resume(ctx context.Context) error {
	return c.eventually(ctx, persistence, func(ctx context.Context) error {
		return c.store.SetTradingState(ctx, c.Account, trade.Active, actor, "campaign")
	})
}

func (c *campaign) moveClock(ctx context.Context, d Disturbance) error {
	c.arming.mu.Lock()
	defer c.arming.mu.Unlock()
	if err := c.exchange.offset(ctx, d.For); err != nil {
		return err
	}
	c.arming.offset = d.For
	return nil
}

// deliverTwice guards the exchange, lets it deliver one order twice, and takes
// the guard away again. Why it is guarded, deliveredTwice says.
func (c *campaign) deliverTwice(ctx context.Context, _ Disturbance) error {
	if err := c.guard(ctx, true); err != nil {
		return err
	}
	before := c.tally.faultCounts()[deliveredTwice]
	struck := c.eventually(ctx, twiceTimeout, func(context.Context) error {
		if c.tally.faultCounts()[deliveredTwice] == before {
			return errors.New("no order was delivered twice")
		}
		return nil
	})
	return errors.Join(struck, c.eventually(ctx, persistence, func(ctx context.Context) error { return c.guard(ctx, false) }))
}

// twiceTimeout is how long the guard stays when no order comes.
const twiceTimeout = 8 * time.Second

// guard turns the guard on with the fault armed, or the fault off with the
// guard. The fault is never armed without it.
func (c *campaign) guard(ctx context.Context, on bool) error {
	c.arming.mu.Lock()
	defer c.arming.mu.Unlock()
	if on {
		if err := c.exchange.option(ctx, "clientOrderIdForever", true); err != nil {
			return err
		}
		c.arming.guard, c.arming.extra = true, []Fault{twiceFault()}
		return c.exchange.add(ctx, twiceFault())
	}
	if err := c.count(ctx); err != nil {
		return err
	}
	c.tally.closeEpoch()
	c.arming.guard, c.arming.extra = false, nil
	return c.tellAll(ctx)
}

// eventually tries until it works, for at most timeout, and says what the last
// try that was not cut short had come to.
func (c *campaign) eventually(ctx context.Context, timeout time.Duration, try func(context.Context) error) error {
	bound, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var last error
	for {
		err := try(bound)
		if err == nil {
			return nil
		}
		if last == nil || bound.Err() == nil {
			last = err
		}
		if pause(bound, 200*time.Millisecond) == nil {
			continue
		}
		if ctx.Err() != nil {
			return last
		}
		return fmt.Errorf("not within %s: %w", timeout, last)
	}
}
