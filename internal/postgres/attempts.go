package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

// What role orders writes: attempts, replies, lookups, readings, the end of an
// order. It concludes nothing.

// BeginAttempt opens attempt number of a claim before its first byte may
// leave. The deadline is an instant of the exchange's clock and never moves.
//
// It returns what to send when the caller now owns the attempt and must send or
// conclude it. Otherwise the answer is what the caller must answer instead.
// After an error the attempt may or may not exist, so the answer is unknown.
func (s *Store) BeginAttempt(ctx context.Context, c trade.ClaimRef, number int, deadline time.Time, worker string) (trade.Sending, *trade.AttemptResult, error) {
	var sending trade.Sending
	var answer *trade.AttemptResult
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		control, err := lockTradingState(ctx, tx, c.AccountID)
		if err != nil {
			return err
		}
		e, err := lockExecution(ctx, tx, c)
		if err != nil {
			return err
		}
		facts, err := e.attemptFacts(ctx, control)
		if err != nil {
			return err
		}
		changes, instead := e.Begin(c.RequestID, number, deadline, worker, facts)
		if answer = instead; answer != nil {
			return nil
		}
		sending, err = e.begin(ctx, *changes.Begun)
		return err
	})
	if err != nil {
		return sending, nil, fmt.Errorf("begin attempt %s/%d: %w", c.ProposalID, number, err)
	}
	return sending, answer, nil
}

func (e locked) begin(ctx context.Context, a trade.Attempt) (trade.Sending, error) {
	if err := e.insertAttempt(ctx, a); err != nil {
		return trade.Sending{}, err
	}
	search, err := e.search(ctx)
	if err != nil {
		return trade.Sending{}, err
	}
	return trade.Sending{Plan: e.Plan, Search: search}, e.audit(ctx, "attempt.begun", a.BegunBy, map[string]any{
		"number": a.Number, "deadline": a.Deadline, "clientOrderId": e.ClientOrderID, "plan": e.Plan,
	})
}

const othersOrdersSQL = `
	SELECT coalesce(array_agg(order_id), '{}') FROM interlock.order_attempts
	WHERE account_id = $1 AND market = $2 AND order_id IS NOT NULL AND execution_id <> $3 AND begun_at > $4`

// search is what a lookup searches, and which orders it shall not take for ours.
func (e locked) search(ctx context.Context) (trade.Search, error) {
	search := e.Search()
	err := e.tx.QueryRow(ctx, othersOrdersSQL, e.AccountID, string(e.Plan.Market), e.ID, search.Since).Scan(&search.Known)
	return search, err
}

// LookupOf returns what to search for an attempt in doubt; nil when it is not
// in doubt. ErrNotFound when the claim is not in force in this database.
func (s *Store) LookupOf(ctx context.Context, c trade.ClaimRef, number int) (*trade.Search, error) {
	var search *trade.Search
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		e, err := readClaim(ctx, tx, c)
		if err != nil || !e.InDoubt(number) {
			return err
		}
		found, err := e.search(ctx)
		search = &found
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lookup of %s/%d: %w", c.ProposalID, number, err)
	}
	return search, nil
}

const recordReplySQL = `
	UPDATE interlock.order_attempts SET reply = @reply, reply_code = @code, reply_detail = @detail, order_id = @order
	WHERE execution_id = @execution AND number = @number AND verdict IS NULL`

// RecordReply writes down what the exchange answered to an attempt, and the
// order's end when the answer shows it. A sure answer concludes the attempt; an
// unknown one leaves it in doubt. ErrConflict when the attempt has an outcome
// already: then that one stands. ErrNotFound when the claim is not in force.
func (s *Store) RecordReply(ctx context.Context, c trade.ClaimRef, number int, p trade.AttemptResult, worker string) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		e, err := lockClaim(ctx, tx, c)
		if err != nil {
			return err
		}
		changes, err := e.Reply(number, p)
		if err != nil {
			return err
		}
		if err := e.writeReply(ctx, p.Reply, *changes.Concluded); err != nil {
			return err
		}
		if err := e.writeFinal(ctx, changes.Final, worker); err != nil {
			return err
		}
		return e.audit(ctx, "attempt.replied", "", map[string]any{"number": number, "placing": p})
	})
	if err != nil {
		return fmt.Errorf("record reply %s/%d: %w", c.ProposalID, number, err)
	}
	return nil
}

func (e locked) writeReply(ctx context.Context, reply trade.Reply, a trade.Attempt) error {
	tag, err := e.tx.Exec(ctx, recordReplySQL, pgx.StrictNamedArgs{
		"execution": e.ID, "number": a.Number, "reply": string(reply), "code": a.Code, "detail": shorten(a.Message), "order": textOrNull(a.OrderID),
	})
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("%w: attempt %d has an outcome", ErrConflict, a.Number)
	}
	return err
}

const insertFinalSQL = `
	INSERT INTO interlock.final_orders (execution_id, order_id, body, seen_by) VALUES (@execution, @order, @body, @worker)`

// insertFillSQL refuses a fill that is there already: another execution's is a
// contradiction, and this one's end is written once.
const insertFillSQL = `
	INSERT INTO interlock.order_fills
		(account_id, market, fill_id, execution_id, order_id, amount, price, fee, fee_currency, taker, filled_at)
	VALUES (@account, @market, @fill, @execution, @order, @amount, @price, @fee, @currency, @taker, @at)`

// writeFinal writes the end of an order with its fills; nothing for nil.
func (e locked) writeFinal(ctx context.Context, o *trade.Order, worker string) error {
	if o == nil {
		return nil
	}
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	args := pgx.StrictNamedArgs{"execution": e.ID, "order": o.OrderID, "body": storable(string(body)), "worker": worker}
	if _, err := e.tx.Exec(ctx, insertFinalSQL, args); err != nil {
		return err
	}
	for _, f := range o.Fills {
		_, err := e.tx.Exec(ctx, insertFillSQL, pgx.StrictNamedArgs{
			"account": e.AccountID, "market": string(e.Plan.Market), "fill": f.ID, "execution": e.ID, "order": o.OrderID,
			"amount": f.Amount, "price": f.Price, "fee": f.Fee, "currency": f.FeeCurrency, "taker": f.Taker, "at": f.At,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const followedSQL = `UPDATE interlock.trade_executions SET followed_at = clock_timestamp() WHERE id = $1 RETURNING followed_at`

// AcceptedOrder returns the market and ID of the order that was accepted for a
// claim, and why it may be cancelled now; an empty ID when none was accepted.
// ErrNotFound when the claim is not in force in this database.
func (s *Store) AcceptedOrder(ctx context.Context, c trade.ClaimRef) (o trade.AcceptedOrder, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		e, err := readClaim(ctx, tx, c)
		if err != nil {
			return err
		}
		facts, err := e.facts(ctx)
		o = trade.AcceptedOrder{Market: e.Plan.Market, OrderID: e.Accepted(), MayCancel: e.MayCancel(facts)}
		return err
	})
	if err != nil {
		return o, fmt.Errorf("order of %s: %w", c.ProposalID, err)
	}
	return o, nil
}

// Followed notes that somebody is looking after an open execution, and writes
// the end of its order when the exchange shows it: then it returns that end.
// ErrNotFound when the claim is not in force in this database.
func (s *Store) Followed(ctx context.Context, c trade.ClaimRef, seen trade.Sight, worker string) (final *trade.Order, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		e, err := lockClaim(ctx, tx, c)
		if err != nil {
			return err
		}
		if err := e.readFinal(ctx); err != nil {
			return err
		}
		var now time.Time
		if err := tx.QueryRow(ctx, followedSQL, e.ID).Scan(&now); err != nil {
			return err
		}
		if !seen.Order.Status.Known() {
			if err := e.readSaidOver(ctx); err != nil {
				return err
			}
		}
		changes, over := e.Follow(seen, now)
		if over {
			if final = changes.Final; final == nil {
				final = e.Final
			}
		}
		if err := e.writeFinal(ctx, changes.Final, worker); err != nil {
			return err
		}
		return e.alarmUnclear(ctx, changes.Unclear)
	})
	if err != nil {
		return nil, fmt.Errorf("followed %s: %w", c.ProposalID, err)
	}
	return final, nil
}

const insertReadingSQL = `
	INSERT INTO interlock.order_readings (execution_id, request_id, order_id, body, exchange_time, problem)
	VALUES (@execution, @request, @order, @body, @at, @problem)`

// RecordReading writes down what was read for a person's resolution. ErrNotFound when
// the claim is not in force in this database.
func (s *Store) RecordReading(ctx context.Context, c trade.ClaimRef, r trade.Reading) error {
	var body *string
	if r.Order != nil {
		text, err := json.Marshal(r.Order)
		if err != nil {
			return err
		}
		kept := storable(string(text))
		body = &kept
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		e, err := readClaim(ctx, tx, c)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, insertReadingSQL, pgx.StrictNamedArgs{
			"execution": e.ID, "request": e.RequestID, "order": shorten(r.OrderID), "body": body,
			"at": orNull(r.ExchangeTime), "problem": shorten(r.Problem),
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("record reading of %s: %w", c.ProposalID, err)
	}
	return nil
}

const insertLookSQL = `
	INSERT INTO interlock.order_looks (execution_id, number, sighting, exchange_time, orders, detail)
	VALUES (@execution, @number, @sighting, @at, @orders, @detail)`

// RecordLookup writes down one lookup of an attempt's order. ErrNotFound when the
// claim is not in force in this database.
func (s *Store) RecordLookup(ctx context.Context, c trade.ClaimRef, number int, look trade.Lookup) error {
	orders, err := json.Marshal(look.Orders)
	if err != nil {
		return err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		e, err := lockClaim(ctx, tx, c)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, insertLookSQL, pgx.StrictNamedArgs{
			"execution": e.ID, "number": number, "sighting": string(look.Result), "at": orNull(look.ExchangeTime),
			"orders": string(orders), "detail": shorten(look.Detail),
		})
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, followedSQL, e.ID); err != nil {
			return err
		}
		return e.audit(ctx, "order.looked", "", map[string]any{"number": number, "look": look})
	})
	if err != nil {
		return fmt.Errorf("record look %s/%d: %w", c.ProposalID, number, err)
	}
	return nil
}

// shorten keeps what strangers say from filling the database.
func shorten(text string) string {
	const most = 500
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most])
	}
	return storable(text)
}

// storable is foreign text as PostgreSQL can keep it. A text that it refuses
// would be tried again for ever.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
}
