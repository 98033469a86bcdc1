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

// Conclude gives attempt number of a claim its verdict if the looks so far
// allow one. An attempt without a row is closed as void, so that a worker who
// wakes up late cannot use it. Otherwise the execution is UNRESOLVED and the
// result says how long to wait before the next look can help.
func (s *Store) Conclude(ctx context.Context, c trade.Claim, number int) (trade.Finding, error) {
	var f trade.Finding
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		f, err = conclude(ctx, tx, c, number)
		return err
	})
	if err != nil {
		return trade.Finding{}, fmt.Errorf("conclude %s/%d: %w", c.ProposalID, number, err)
	}
	return f, nil
}

const attemptSQL = `
	SELECT number, request_id, deadline, reply_code, reply_detail, verdict, order_id
	FROM interlock.order_attempts WHERE execution_id = @execution AND number = @number`

func conclude(ctx context.Context, tx pgx.Tx, c trade.Claim, number int) (trade.Finding, error) {
	execution, err := lockExecution(ctx, tx, c.ExecutionID)
	if err != nil {
		return trade.Finding{}, err
	}
	attempt, err := one[attemptRow](ctx, tx, attemptSQL, pgx.StrictNamedArgs{"execution": execution.ID, "number": number})
	if errors.Is(err, pgx.ErrNoRows) {
		return voidAttempt(ctx, tx, execution, number)
	}
	if err != nil {
		return trade.Finding{}, err
	}
	if attempt.Verdict != nil {
		return trade.Finding{Concluded: true, Placing: attempt.placing(), Verdict: trade.Conclusion(*attempt.Verdict)}, nil
	}
	return judge(ctx, tx, execution, attempt)
}

const voidAttemptSQL = `
	INSERT INTO interlock.order_attempts (execution_id, number, request_id, verdict, concluded_at)
	VALUES (@execution, @number, @request, 'void', clock_timestamp())`

func voidAttempt(ctx context.Context, tx pgx.Tx, e executionRow, number int) (trade.Finding, error) {
	f := trade.Finding{Concluded: true, Verdict: trade.ConcludedVoid, Placing: neverBegan}
	_, err := tx.Exec(ctx, voidAttemptSQL, pgx.StrictNamedArgs{"execution": e.ID, "number": number, "request": e.RequestID})
	if err != nil {
		return f, err
	}
	return f, auditConclusion(ctx, tx, e, number, f)
}

type lookRow struct {
	Sighting     string          `db:"sighting"`
	ExchangeTime *time.Time      `db:"exchange_time"`
	Orders       json.RawMessage `db:"orders"`
}

const looksSQL = `
	SELECT sighting, exchange_time, orders FROM interlock.order_looks
	WHERE execution_id = @execution AND number = @number ORDER BY exchange_time, id`

func readLooks(ctx context.Context, tx pgx.Tx, execution int64, number int) ([]trade.Look, error) {
	rows, err := all[lookRow](ctx, tx, looksSQL, pgx.StrictNamedArgs{"execution": execution, "number": number})
	if err != nil {
		return nil, err
	}
	looks := make([]trade.Look, len(rows))
	for i, r := range rows {
		looks[i].Sighting = trade.Sighting(r.Sighting)
		if r.ExchangeTime != nil {
			looks[i].ExchangeTime = *r.ExchangeTime
		}
		if err := json.Unmarshal(r.Orders, &looks[i].Orders); err != nil {
			return nil, err
		}
	}
	return looks, nil
}

func judge(ctx context.Context, tx pgx.Tx, e executionRow, a attemptRow) (trade.Finding, error) {
	looks, err := readLooks(ctx, tx, e.ID, a.Number)
	if err != nil {
		return trade.Finding{}, err
	}
	doubt, now, err := readDoubt(ctx, tx, e, a)
	if err != nil {
		return trade.Finding{}, err
	}
	verdict, next := trade.Judge(doubt, looks)
	if verdict == "" {
		return markUnresolved(ctx, tx, e, a, max(next.Sub(now), 0))
	}
	return giveVerdict(ctx, tx, e, a, verdict, foundOrders(looks))
}

// readDoubt describes an attempt without a verdict, and reads the clock.
func readDoubt(ctx context.Context, tx pgx.Tx, e executionRow, a attemptRow) (trade.Doubt, time.Time, error) {
	d := trade.Doubt{Deadline: *a.Deadline, ReplyCode: a.ReplyCode}
	var now time.Time
	err := tx.QueryRow(ctx, `SELECT read_lag, clock_timestamp() FROM interlock.accounts WHERE id = $1`, e.AccountID).Scan(&d.ReadLag, &now)
	return d, now, err
}

const setStatusSQL = `
	WITH execution AS (
		UPDATE interlock.trade_executions SET status = @status, followed_at = clock_timestamp()
		WHERE id = @execution AND status IN ('EXECUTING', 'UNRESOLVED') RETURNING proposal_id
	)
	UPDATE interlock.trade_proposals p SET status = @status, updated_at = clock_timestamp()
	FROM execution WHERE p.id = execution.proposal_id`

func setStatus(ctx context.Context, tx pgx.Tx, execution int64, status trade.Status) error {
	_, err := tx.Exec(ctx, setStatusSQL, pgx.StrictNamedArgs{"execution": execution, "status": string(status)})
	return err
}

func markUnresolved(ctx context.Context, tx pgx.Tx, e executionRow, a attemptRow, wait time.Duration) (trade.Finding, error) {
	f := trade.Finding{Placing: a.placing(), Wait: wait}
	if err := setStatus(ctx, tx, e.ID, trade.Unresolved); err != nil || e.Status == string(trade.Unresolved) {
		return f, err
	}
	return f, appendAudit(ctx, tx, event{
		Chain: e.AccountID, Kind: "execution.unresolved", User: e.UserID, Proposal: e.ProposalID,
		Body: map[string]any{"execution": e.ID, "number": a.Number, "deadline": a.Deadline, "replyCode": a.ReplyCode, "replyDetail": a.ReplyDetail},
	})
}

// foundOrders lists the different orders that were seen under our ID.
func foundOrders(looks []trade.Look) []trade.Order {
	var orders []trade.Order
	seen := map[string]bool{}
	for _, look := range looks {
		for _, o := range look.Orders {
			if !seen[o.OrderID] {
				seen[o.OrderID] = true
				orders = append(orders, o)
			}
		}
	}
	return orders
}

func giveVerdict(ctx context.Context, tx pgx.Tx, e executionRow, a attemptRow, verdict trade.Conclusion, orders []trade.Order) (trade.Finding, error) {
	f := trade.Finding{Concluded: true, Verdict: verdict, Placing: trade.Placing{Code: a.ReplyCode, Message: a.ReplyDetail}}
	switch verdict {
	case trade.ConcludedAccepted:
		f.Placing = trade.Placing{Reply: trade.Accepted, Order: &orders[0]}
	case trade.ConcludedRefused:
		f.Placing.Reply = trade.Refused
	default:
		f.Placing = absent(a)
	}
	if err := concludeAttempt(ctx, tx, e, a.Number, verdict, f.Placing.Order); err != nil {
		return f, err
	}
	if err := setStatus(ctx, tx, e.ID, trade.Executing); err != nil {
		return f, err
	}
	if len(orders) > 1 {
		if err := alarmTwoOrders(ctx, tx, e, orders[1:]); err != nil {
			return f, err
		}
	}
	return f, auditConclusion(ctx, tx, e, a.Number, f)
}

const concludeAttemptSQL = `
	UPDATE interlock.order_attempts SET verdict = @verdict, order_id = @order, concluded_at = clock_timestamp()
	WHERE execution_id = @execution AND number = @number`

func concludeAttempt(ctx context.Context, tx pgx.Tx, e executionRow, number int, verdict trade.Conclusion, order *trade.Order) error {
	var orderID *string
	if order != nil {
		orderID = &order.OrderID
	}
	_, err := tx.Exec(ctx, concludeAttemptSQL, pgx.StrictNamedArgs{
		"execution": e.ID, "number": number, "verdict": string(verdict), "order": orderID,
	})
	return err
}

func auditConclusion(ctx context.Context, tx pgx.Tx, e executionRow, number int, f trade.Finding) error {
	return appendAudit(ctx, tx, event{
		Chain: e.AccountID, Kind: "attempt.concluded", User: e.UserID, Proposal: e.ProposalID,
		Body: map[string]any{"execution": e.ID, "number": number, "finding": f},
	})
}

// alarmTwoOrders stops the account: two orders under one ID should be
// impossible, so nothing we believe about it is safe to act on.
func alarmTwoOrders(ctx context.Context, tx pgx.Tx, e executionRow, others []trade.Order) error {
	for _, o := range others {
		if err := noteDifference(ctx, tx, e.AccountID, difference("contradiction", o, "a second order under the client order ID of proposal "+e.ProposalID)); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `SELECT interlock.raise_halt($1, 'interlock', $2)`, e.AccountID, "two orders under one ID: proposal "+e.ProposalID)
	return err
}

const insertLookSQL = `
	INSERT INTO interlock.order_looks (execution_id, number, sighting, exchange_time, orders, detail)
	VALUES (@execution, @number, @sighting, @at, @orders, @detail)`

// RecordLook writes down one look for the order of an attempt.
func (s *Store) RecordLook(ctx context.Context, c trade.Claim, number int, look trade.Look) error {
	orders, err := json.Marshal(look.Orders)
	if err != nil {
		return err
	}
	var at *time.Time
	if !look.ExchangeTime.IsZero() {
		at = &look.ExchangeTime
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, insertLookSQL, pgx.StrictNamedArgs{
			"execution": c.ExecutionID, "number": number, "sighting": string(look.Sighting), "at": at,
			"orders": string(orders), "detail": shorten(look.Detail),
		})
		if err != nil {
			return err
		}
		if err := touch(ctx, tx, c.ExecutionID); err != nil {
			return err
		}
		return appendAudit(ctx, tx, event{
			Chain: c.AccountID, Kind: "order.looked", Proposal: c.ProposalID,
			Body: map[string]any{"execution": c.ExecutionID, "number": number, "look": look},
		})
	})
	if err != nil {
		return fmt.Errorf("record look %s/%d: %w", c.ProposalID, number, err)
	}
	return nil
}

// Followed notes that somebody is looking after an open execution.
func (s *Store) Followed(ctx context.Context, executionID int64) error {
	return classify(touch(ctx, s.pool, executionID))
}

func touch(ctx context.Context, q querier, executionID int64) error {
	_, err := q.Exec(ctx, `UPDATE interlock.trade_executions SET followed_at = clock_timestamp() WHERE id = $1`, executionID)
	return err
}
