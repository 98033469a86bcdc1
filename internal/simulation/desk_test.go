package simulation

import (
	"context"
	"errors"
	"time"

	"interlock/internal/trade"
)

// desk is the records as one thread reaches them: every transaction may fail
// before its commit, or after it and before the caller hears, or take place
// long after the caller was given up.
type desk struct{ t *thread }

var errDatabase = errors.New("connection to the database lost")

// transact carries out one transaction, an atomic step, with its faults.
func (d desk) transact(ctx context.Context, do func(*records) error) error {
	w := d.t.w
	d.t.pause(w.between(time.Millisecond, 10*time.Millisecond))
	if err := ctx.Err(); err != nil {
		w.strike("context over")
		return err
	}
	if within(w.plan.databaseDown, w.time()) {
		w.strike("database down")
		return errDatabase
	}
	if w.chance(w.odds.database) {
		w.strike("database: lost before the commit")
		return errDatabase
	}
	err := do(w.records)
	d.t.pause(w.between(0, 2*time.Millisecond))
	if err == nil && w.chance(w.odds.database) {
		w.strike("database: lost after the commit")
		return errDatabase
	}
	return err
}

func ask[T any](ctx context.Context, d desk, do func(*records) (T, error)) (T, error) {
	var answer T
	err := d.transact(ctx, func(r *records) (err error) {
		answer, err = do(r)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return answer, nil
}

func (d desk) ReadState(ctx context.Context, id string) (trade.Life, error) {
	return ask(ctx, d, func(r *records) (trade.Life, error) { return r.ReadState(ctx, id) })
}

func (d desk) Preflight(ctx context.Context, req trade.Request) (trade.Decision, error) {
	return ask(ctx, d, func(r *records) (trade.Decision, error) { return r.Preflight(ctx, req) })
}

func (d desk) Conclude(ctx context.Context, c trade.ClaimRef, number int) (trade.Finding, error) {
	return ask(ctx, d, func(r *records) (trade.Finding, error) { return r.Conclude(ctx, c, number) })
}

func (d desk) RecordOrder(ctx context.Context, c trade.ClaimRef) (trade.Recorded, error) {
	return ask(ctx, d, func(r *records) (trade.Recorded, error) { return r.RecordOrder(ctx, c) })
}

func (d desk) FailExecution(ctx context.Context, c trade.ClaimRef, number int) (trade.Status, error) {
	return ask(ctx, d, func(r *records) (trade.Status, error) { return r.FailExecution(ctx, c, number) })
}

func (d desk) Expire(ctx context.Context, id string) (trade.Status, error) {
	return ask(ctx, d, func(r *records) (trade.Status, error) { return r.Expire(ctx, id) })
}

func (d desk) Cancel(ctx context.Context, id, actor, reason string) (trade.Status, error) {
	return ask(ctx, d, func(r *records) (trade.Status, error) { return r.Cancel(ctx, id, actor, reason) })
}

func (d desk) StoreOverride(ctx context.Context, o trade.Override, via string) (string, error) {
	return ask(ctx, d, func(r *records) (string, error) { return r.StoreOverride(ctx, o, via) })
}

func (d desk) Resolve(ctx context.Context, c trade.ClaimRef, number int, w trade.Resolution) (string, error) {
	return ask(ctx, d, func(r *records) (string, error) { return r.Resolve(ctx, c, number, w) })
}

func (d desk) NoteRefusal(ctx context.Context, _, _, _ string) error {
	return d.transact(ctx, func(*records) error { return nil })
}

// begun is what BeginAttempt returns.
type begun struct {
	sending trade.Sending
	answer  *trade.AttemptResult
}

func (d desk) BeginAttempt(ctx context.Context, c trade.ClaimRef, number int, deadline time.Time, _ string) (trade.Sending, *trade.AttemptResult, error) {
	control := d.t.w.records.control
	if d.t.w.locks.haltUnlocked {
		d.t.pause(d.t.w.between(0, 3*time.Second))
	}
	b, err := ask(ctx, d, func(r *records) (b begun, err error) {
		if !r.w.locks.haltUnlocked {
			control = r.control // read under its lock, so no older than the row
		}
		b.sending, b.answer, err = r.BeginAttempt(c, number, deadline, control)
		return b, err
	})
	return b.sending, b.answer, err
}

func (d desk) RecordReply(ctx context.Context, c trade.ClaimRef, number int, p trade.AttemptResult, _ string) error {
	return d.transact(ctx, func(r *records) error { return r.RecordReply(ctx, c, number, p) })
}

func (d desk) LookupOf(ctx context.Context, c trade.ClaimRef, number int) (*trade.Search, error) {
	return ask(ctx, d, func(r *records) (*trade.Search, error) { return r.LookupOf(c, number) })
}

func (d desk) RecordLookup(ctx context.Context, c trade.ClaimRef, number int, look trade.Lookup) error {
	return d.transact(ctx, func(r *records) error { return r.RecordLookup(ctx, c, number, look) })
}

func (d desk) AcceptedOrder(ctx context.Context, c trade.ClaimRef) (trade.AcceptedOrder, error) {
	return ask(ctx, d, func(r *records) (trade.AcceptedOrder, error) { return r.AcceptedOrder(c) })
}

func (d desk) Followed(ctx context.Context, c trade.ClaimRef, s trade.Sight, _ string) (*trade.Order, error) {
	return ask(ctx, d, func(r *records) (*trade.Order, error) { return r.Followed(c, s) })
}

func (d desk) RecordReading(ctx context.Context, c trade.ClaimRef, reading trade.Reading) error {
	return d.transact(ctx, func(r *records) error { return r.RecordReading(c, reading) })
}
