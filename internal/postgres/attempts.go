package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

// BeginAttempt opens attempt number of a claim before its first byte may
// leave. The deadline is an instant of the exchange's clock and never moves.
//
// It returns nil when the caller now owns the attempt and must send or
// conclude it. Otherwise it returns what the caller must answer instead: the
// recorded outcome of an attempt that already exists, or why none may begin;
// Unknown when an earlier life of this database may have begun it.
// After an error the attempt may or may not exist, so the answer is unknown.
func (s *Store) BeginAttempt(ctx context.Context, c trade.Claim, number int, deadline time.Time, worker string) (*trade.Placing, error) {
	var answer *trade.Placing
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		answer, err = beginAttempt(ctx, tx, c, number, deadline, worker)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("begin attempt %s/%d: %w", c.ProposalID, number, err)
	}
	return answer, nil
}

// beginAttempt takes the trading state's share lock first: a halt that has
// committed admits no attempt, and a halt that comes now waits for this one.
func beginAttempt(ctx context.Context, tx pgx.Tx, c trade.Claim, number int, deadline time.Time, worker string) (*trade.Placing, error) {
	var control trade.TradingState
	if err := tx.QueryRow(ctx, `SELECT interlock.lock_trading_state($1)`, c.AccountID).Scan(&control); err != nil {
		return nil, err
	}
	execution, err := lockExecution(ctx, tx, c)
	if err != nil {
		return nil, err
	}
	attempts, err := all[attemptRow](ctx, tx, attemptsSQL, pgx.StrictNamedArgs{"execution": execution.ID})
	if err != nil {
		return nil, err
	}
	facts, recorded := attemptFacts(execution, attempts, number)
	if recorded != nil {
		return recorded, nil
	}
	facts.Control, facts.SameClaim = control, execution.RequestID == c.RequestID
	if err := readAttemptFacts(ctx, tx, execution, &facts); err != nil {
		return nil, err
	}
	lost, err := mayHaveLost(ctx, tx, execution.AccountID, execution.ClaimedAt)
	if err != nil {
		return nil, err
	}
	if lost {
		return &trade.Placing{Reply: trade.Unknown, Code: string(trade.ReconcileStale), Message: "this database may be a copy that lacks an attempt of the claim"}, nil
	}
	if code, ok := trade.MayAttempt(facts); !ok {
		return &trade.Placing{Reply: trade.NotSent, Code: string(code), Message: "the attempt was not allowed to begin"}, nil
	}
	return nil, insertAttempt(ctx, tx, execution, number, deadline, worker)
}

// attemptFacts reads the attempts that exist. One with this number answers for
// itself: whoever meets it sends nothing.
func attemptFacts(e executionRow, attempts []attemptRow, number int) (trade.AttemptFacts, *trade.Placing) {
	f := trade.AttemptFacts{Status: trade.Status(e.Status), ClaimedAt: e.ClaimedAt}
	for _, a := range attempts {
		switch {
		case a.Number == number:
			p := a.placing()
			return f, &p
		case a.Number > number:
			f.LaterExists = true
		case a.Verdict == nil || a.accepted():
			f.EarlierInDoubt = true
		}
	}
	return f, nil
}

const attemptFactsSQL = `
	SELECT clock_timestamp(), expires_at, cancel_actor IS NOT NULL FROM interlock.trade_proposals WHERE id = @proposal`

func readAttemptFacts(ctx context.Context, tx pgx.Tx, e executionRow, f *trade.AttemptFacts) (err error) {
	row := tx.QueryRow(ctx, attemptFactsSQL, pgx.StrictNamedArgs{"proposal": e.ProposalID})
	if err := row.Scan(&f.Now, &f.ExpiresAt, &f.CancelRequested); err != nil {
		return err
	}
	if f.Plan, err = e.plan(); err != nil {
		return err
	}
	f.Price, _, err = marketFact(ctx, tx, e.AccountID, trade.Market(e.Market))
	return err
}

// insertAttemptSQL relies on two constraints: the number is unique, and at
// most one attempt of an execution is in doubt or accepted.
const insertAttemptSQL = `
	INSERT INTO interlock.order_attempts (execution_id, number, request_id, deadline, begun_by)
	VALUES (@execution, @number, @request, @deadline, @worker)`

func insertAttempt(ctx context.Context, tx pgx.Tx, e executionRow, number int, deadline time.Time, worker string) error {
	_, err := tx.Exec(ctx, insertAttemptSQL, pgx.StrictNamedArgs{
		"execution": e.ID, "number": number, "request": e.RequestID, "deadline": deadline, "worker": worker,
	})
	if err != nil {
		return err
	}
	return appendAudit(ctx, tx, event{
		Chain: e.AccountID, Kind: "attempt.begun", User: e.UserID, Proposal: e.ProposalID, Actor: worker,
		Body: map[string]any{"execution": e.ID, "number": number, "deadline": deadline, "clientOrderId": e.ClientOrderID, "plan": e.Plan},
	})
}

const recordReplySQL = `
	UPDATE interlock.order_attempts SET reply_code = @code, reply_detail = @detail, verdict = @verdict, order_id = @order,
		concluded_at = CASE WHEN @verdict::text IS NULL THEN NULL ELSE clock_timestamp() END
	WHERE execution_id = @execution AND number = @number AND verdict IS NULL`

// RecordReply writes down what the exchange answered to an attempt. A sure
// answer concludes it; an unknown one leaves it in doubt. ErrConflict when the
// attempt has a verdict already: then that one stands. ErrNotFound when the
// claim is not in force in this database.
func (s *Store) RecordReply(ctx context.Context, c trade.Claim, number int, p trade.Placing) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		execution, err := lockClaim(ctx, tx, c)
		if err != nil {
			return err
		}
		if err := recordReply(ctx, tx, execution.ID, number, p); err != nil {
			return err
		}
		return appendAudit(ctx, tx, event{
			Chain: execution.AccountID, Kind: "attempt.replied", User: execution.UserID, Proposal: execution.ProposalID,
			Body: map[string]any{"execution": execution.ID, "number": number, "placing": p},
		})
	})
	if err != nil {
		return fmt.Errorf("record reply %s/%d: %w", c.ProposalID, number, err)
	}
	return nil
}

func recordReply(ctx context.Context, tx pgx.Tx, execution int64, number int, p trade.Placing) error {
	var verdict, order *string
	if v := string(p.Conclusive()); v != "" {
		verdict = &v
	}
	if p.Reply == trade.Accepted {
		if p.Order == nil || p.Order.OrderID == "" {
			return errors.New("an accepted order without an ID")
		}
		order = &p.Order.OrderID
	}
	tag, err := tx.Exec(ctx, recordReplySQL, pgx.StrictNamedArgs{
		"execution": execution, "number": number, "code": p.Code, "detail": shorten(p.Message), "verdict": verdict, "order": order,
	})
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("%w: the attempt has a verdict", ErrConflict)
	}
	return err
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
