package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"interlock/internal/trade"
)

// settleTimeout bounds the calm in which everything must come to its end. The
// longest waits for a look that was put off while nobody could look, as during a
// ban.
const settleTimeout = 10 * time.Minute

// rounds is how often everything that is free is asked for in the calm. What
// limits block stays free after any number.
const rounds = 2

// settle disarms everything, asks again for all that is free, waits until
// nothing is being carried out, lets our records be compared with the
// exchange's once more, and waits until the service has been told. That something is still open at the end is no error
// here: the checker says whether it had to be.
func (c *campaign) settle(ctx context.Context) error {
	if err := c.calm(ctx); err != nil {
		return err
	}
	c.sayf("calm; everything may come to its end")
	close(c.asking.over)
	c.asking.people.Wait()
	bound, stop := context.WithTimeout(ctx, settleTimeout)
	defer stop()
	waiting := c.eventually(bound, settleTimeout, c.quiet)
	for range rounds {
		c.askFree(bound)
		waiting = c.eventually(bound, settleTimeout, c.quiet)
	}
	if waiting != nil && ctx.Err() == nil {
		c.sayf("not settled: %v", waiting)
	}
	if err := c.compared(ctx); err != nil {
		return err
	}
	if err := c.eventually(ctx, settleTimeout, c.told); err != nil {
		if ctx.Err() != nil {
			return err
		}
		c.sayf("not everything is told: %v", err)
	}
	return nil
}

// calm ends what disturbs and keeps what has been counted.
func (c *campaign) calm(ctx context.Context) error {
	return c.eventually(ctx, persistence, func(ctx context.Context) error {
		c.arming.mu.Lock()
		defer c.arming.mu.Unlock()
		if err := c.exchange.disarm(ctx); err != nil {
			return err
		}
		return errors.Join(c.count(ctx), c.resume(ctx))
	})
}

// askFree asks once for everything that is free, at the campaign's pace: what
// failed under faults is tried again where there are none.
func (c *campaign) askFree(ctx context.Context) {
	var asked sync.WaitGroup
	for _, p := range c.plan.Proposals {
		if !c.board.free(p) {
			continue
		}
		select {
		case <-c.asking.pace.C:
		case <-ctx.Done():
			return
		}
		asked.Go(func() { c.ask(ctx, p, ByHTTP) })
	}
	asked.Wait()
}

// quiet reports whether nothing is being carried out any more.
func (c *campaign) quiet(ctx context.Context) error {
	if err := c.look(ctx); err != nil {
		return err
	}
	if ids := c.board.claimed(); len(ids) > 0 {
		return fmt.Errorf("%d are still being carried out, %s among them", len(ids), ids[0])
	}
	return nil
}

const comparedSQL = `SELECT EXISTS (SELECT FROM interlock.reconciliations WHERE account_id = $1 AND started_at > $2)`

const nowSQL = `SELECT clock_timestamp()`

// compared waits for a comparison that began after everything had settled.
func (c *campaign) compared(ctx context.Context) error {
	// A worker that thawed has until its window's end to send what it was about
	// to; only then has the exchange's ledger its last order.
	if err := pause(ctx, trade.AccessWindow+time.Second); err != nil {
		return err
	}
	return c.comparedSince(ctx)
}

// comparedSince waits for a comparison that begins after it was called.
func (c *campaign) comparedSince(ctx context.Context) error {
	var now time.Time
	err := c.eventually(ctx, persistence, func(ctx context.Context) error { return c.database.QueryRow(ctx, nowSQL).Scan(&now) })
	if err != nil {
		return err
	}
	return c.eventually(ctx, persistence, func(ctx context.Context) error {
		var done bool
		err := c.database.QueryRow(ctx, comparedSQL, c.Account, now).Scan(&done)
		if err == nil && !done {
			err = errors.Join(errors.New("not compared with the exchange yet"), c.compare(ctx))
		}
		return err
	})
}
