package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

// What role proposals writes: outcomes of attempts, and the end of executions.
// It believes rows only, whatever its caller says.

// Conclude gives attempt number of a claim its outcome if the lookups so far
// allow one, as trade.Execution.Conclude says. ErrNotFound when the claim is
// not in force in this database, or has no such attempt and could not begin it.
func (s *Store) Conclude(ctx context.Context, c trade.ClaimRef, number int) (trade.Finding, error) {
	var f trade.Finding
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		e, err := lockClaim(ctx, tx, c)
		if err != nil {
			return err
		}
		facts, err := e.facts(ctx)
		if err != nil {
			return err
		}
		lookups, err := readLooks(ctx, tx, e.ID, number)
		if err != nil {
			return err
		}
		if e.Foreign(number) {
			return fmt.Errorf("attempt %d of execution %d: %w", number, e.ID, ErrNotFound)
		}
		var changes trade.Changes
		changes, f = e.Conclude(number, lookups, facts)
		if err := e.conclude(ctx, changes); err != nil {
			return err
		}
		return e.auditFinding(ctx, number, changes, f)
	})
	if err != nil {
		return trade.Finding{}, fmt.Errorf("conclude %s/%d: %w", c.ProposalID, number, err)
	}
	return f, nil
}

// auditFinding tells a new outcome, and a doubt once.
func (e locked) auditFinding(ctx context.Context, number int, c trade.Changes, f trade.Finding) error {
	switch {
	case f.Concluded && (c.Concluded != nil || c.Begun != nil):
		return e.audit(ctx, "attempt.concluded", "", map[string]any{"number": number, "finding": f})
	case c.Status == trade.Unresolved && e.Status != trade.Unresolved:
		body := map[string]any{"number": number, "deadline": nil, "replyCode": f.Result.Code, "replyDetail": f.Result.Message}
		if deadline := e.Deadline(number, c); !deadline.IsZero() {
			body["deadline"] = deadline
		}
		return e.audit(ctx, "execution.unresolved", "", body)
	}
	return nil
}

const latestReadingSQL = `
	SELECT r.order_id, r.body, r.exchange_time, r.problem, r.read_at,
		coalesce((SELECT e.proposal_id FROM interlock.order_attempts a JOIN interlock.trade_executions e ON e.id = a.execution_id
			WHERE a.account_id = @account AND a.market = @market AND a.order_id = r.order_id AND a.execution_id <> @execution), '') AS taken_by
	FROM interlock.order_readings r
	WHERE r.execution_id = @execution AND r.request_id = @request AND r.order_id = @order ORDER BY r.id DESC LIMIT 1`

type readingRow struct {
	OrderID      string          `db:"order_id"`
	Body         json.RawMessage `db:"body"`
	ExchangeTime *time.Time      `db:"exchange_time"`
	Problem      string          `db:"problem"`
	ReadAt       time.Time       `db:"read_at"`
	TakenBy      string          `db:"taken_by"`
}

// reading is the last one that role orders made for a wish about this order;
// nil when there is none.
func (e locked) reading(ctx context.Context, orderID string) (*trade.Reading, error) {
	row, err := one[readingRow](ctx, e.tx, latestReadingSQL, pgx.StrictNamedArgs{
		"account": e.AccountID, "market": string(e.Plan.Market), "execution": e.ID, "request": e.RequestID, "order": orderID,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	r := &trade.Reading{OrderID: row.OrderID, Problem: row.Problem, ReadAt: row.ReadAt, TakenBy: row.TakenBy}
	if row.ExchangeTime != nil {
		r.ExchangeTime = *row.ExchangeTime
	}
	if err == nil && row.Body != nil {
		err = json.Unmarshal(row.Body, &r.Order)
	}
	return r, err
}

// Resolve takes a person's resolution about an unresolved order, as
// trade.Execution.Resolve says; the problem is what stood against it, and the
// audit keeps both. ErrNotFound when the claim is not in force in this database.
func (s *Store) Resolve(ctx context.Context, c trade.ClaimRef, number int, w trade.Resolution) (problem string, err error) {
	w.OrderID, w.Actor, w.Reason, w.Problem = shorten(w.OrderID), shorten(w.Actor), shorten(w.Reason), shorten(w.Problem)
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		e, err := lockClaim(ctx, tx, c)
		if err != nil {
			return err
		}
		facts, err := e.facts(ctx)
		if err != nil {
			return err
		}
		reading, err := e.reading(ctx, w.OrderID)
		if err != nil {
			return err
		}
		if err := errors.Join(e.readSaidOver(ctx), e.readFinal(ctx)); err != nil {
			return err
		}
		var changes trade.Changes
		changes, problem = e.Resolve(number, w, reading, facts)
		if problem == "" && changes.Concluded == nil && changes.SaidOver == "" {
			return nil // taken before: that is in the audit
		}
		if err := errors.Join(e.conclude(ctx, changes), e.writeSaidOver(ctx, changes, w)); err != nil {
			return err
		}
		return e.audit(ctx, "execution.resolve", w.Actor, map[string]any{
			"number": number, "order": orderWished(w, reading), "reason": w.Reason, "problem": problem,
		})
	})
	if err != nil {
		return "", fmt.Errorf("resolve %s: %w", c.ProposalID, err)
	}
	return problem, nil
}

const insertSaidOverSQL = `
	INSERT INTO interlock.order_resolutions (execution_id, order_id, actor, reason) VALUES (@execution, @order, @actor, @reason)`

// writeSaidOver writes which order a person says is over; nothing for none.
func (e locked) writeSaidOver(ctx context.Context, c trade.Changes, w trade.Resolution) error {
	if c.SaidOver == "" {
		return nil
	}
	_, err := e.tx.Exec(ctx, insertSaidOverSQL, pgx.StrictNamedArgs{
		"execution": e.ID, "order": c.SaidOver, "actor": w.Actor, "reason": w.Reason,
	})
	return err
}

// orderWished is the order that a person named, as it was read if it was.
func orderWished(w trade.Resolution, r *trade.Reading) *trade.Order {
	switch {
	case w.OrderID == "":
		return nil
	case r != nil && r.Order != nil:
		return r.Order
	}
	return &trade.Order{OrderID: w.OrderID}
}

type lookRow struct {
	Sighting     string          `db:"sighting"`
	ExchangeTime *time.Time      `db:"exchange_time"`
	Orders       json.RawMessage `db:"orders"`
}

const looksSQL = `
	SELECT sighting, exchange_time, orders FROM interlock.order_looks
	WHERE execution_id = @execution AND number = @number ORDER BY exchange_time, id`

func readLooks(ctx context.Context, tx pgx.Tx, execution int64, number int) ([]trade.Lookup, error) {
	rows, err := all[lookRow](ctx, tx, looksSQL, pgx.StrictNamedArgs{"execution": execution, "number": number})
	if err != nil {
		return nil, err
	}
	looks := make([]trade.Lookup, len(rows))
	for i, r := range rows {
		if looks[i], err = r.look(); err != nil {
			return nil, err
		}
	}
	return looks, nil
}

func (r lookRow) look() (trade.Lookup, error) {
	look := trade.Lookup{Result: trade.LookupResult(r.Sighting)}
	if r.ExchangeTime != nil {
		look.ExchangeTime = *r.ExchangeTime
	}
	return look, json.Unmarshal(r.Orders, &look.Orders)
}

// shownTries is how many attempts, and how many looks, people are shown.
const shownTries = 20

const lastLooksSQL = `
	SELECT number, looked_at, sighting, exchange_time, orders, detail FROM (
		SELECT * FROM interlock.order_looks WHERE execution_id = @execution ORDER BY id DESC LIMIT @most) l
	ORDER BY id`

func lastLooks(ctx context.Context, q querier, execution int64) ([]trade.PastLookup, error) {
	type row struct {
		lookRow

		Number   int       `db:"number"`
		LookedAt time.Time `db:"looked_at"`
		Detail   string    `db:"detail"`
	}
	rows, err := all[row](ctx, q, lastLooksSQL, pgx.StrictNamedArgs{"execution": execution, "most": shownTries})
	if err != nil {
		return nil, err
	}
	var looks []trade.PastLookup
	for _, r := range rows {
		look, err := r.look()
		if err != nil {
			return nil, err
		}
		look.Detail = r.Detail
		looks = append(looks, trade.PastLookup{Number: r.Number, At: r.LookedAt, Lookup: look})
	}
	return looks, nil
}
