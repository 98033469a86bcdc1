package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"

	"interlock/internal/budget"
	"interlock/internal/scan"
	"interlock/internal/trade"
)

// Call is one model call that somebody wants to make.
type Call = scan.Call

// budgetTurnSQL makes reservations of one user queue: usage that is read after
// it cannot grow before the reservation is written.
const budgetTurnSQL = `SELECT pg_advisory_xact_lock(hashtextextended('interlock model budget ' || @user, 0))`

// usageSQL counts facts as they are, and reservations at their worst. What was
// released never happened; what was cleared no longer counts.
const usageSQL = `
	SELECT count(*) FILTER (WHERE created_at >= @day) AS calls_today,
		count(*) FILTER (WHERE created_at > @hour) AS calls_last_hour,
		coalesce(sum(CASE state WHEN 'reserved' THEN reserved_tokens ELSE tokens END) FILTER (WHERE created_at >= @day), 0)::bigint AS tokens_today,
		coalesce(sum(CASE state WHEN 'reserved' THEN reserved_cost ELSE cost END) FILTER (WHERE created_at >= @day), 0) AS cost_today
	FROM interlock.gpt_usage_log
	WHERE user_id = @user AND state <> 'released' AND created_at > least(@day, @hour) - interval '1 second'
		AND created_at > coalesce((SELECT max(cleared_at) FROM interlock.budget_clearances WHERE user_id = @user), '-infinity')`

const reserveSQL = `
	INSERT INTO interlock.gpt_usage_log (id, user_id, snapshot_id, purpose, model, state, reserved_tokens, reserved_cost, created_at)
	VALUES (@id, @user, @snapshot, @purpose, @model, 'reserved', @tokens, @cost, @now)`

const reservedSQL = `SELECT count(*) > 0 FROM interlock.gpt_usage_log WHERE id = @id AND user_id = @user`

// ReserveCall reserves c at its worst, or lists every allowance that does not
// admit it. The same ID again is the same reservation. ErrNotFound without a
// policy: nobody allowed anything.
func (s *Store) ReserveCall(ctx context.Context, c Call) (no []budget.Exhausted, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) (err error) {
		no, err = reserveCall(ctx, tx, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reserve call %s: %w", c.ID, err)
	}
	return no, nil
}

func reserveCall(ctx context.Context, tx pgx.Tx, c Call) ([]budget.Exhausted, error) {
	if _, err := tx.Exec(ctx, budgetTurnSQL, pgx.StrictNamedArgs{"user": c.UserID}); err != nil {
		return nil, err
	}
	var there bool
	if err := tx.QueryRow(ctx, reservedSQL, pgx.StrictNamedArgs{"id": c.ID, "user": c.UserID}).Scan(&there); err != nil || there {
		return nil, err
	}
	policy, used, now, err := usage(ctx, tx, c.UserID, c.AccountID)
	if err != nil {
		return nil, err
	}
	if no := budget.Check(policy.ModelBudget, used, c.Ask); len(no) > 0 {
		return no, nil
	}
	if _, err := tx.Exec(ctx, reserveSQL, pgx.StrictNamedArgs{
		"id": c.ID, "user": c.UserID, "snapshot": c.Snapshot, "purpose": c.Purpose, "model": c.Model,
		"tokens": c.Ask.Tokens, "cost": c.Ask.Cost, "now": now,
	}); err != nil {
		return nil, err
	}
	return nil, appendAudit(ctx, tx, event{
		Chain: c.AccountID, Kind: "budget.reserved", User: c.UserID, Actor: c.Purpose, Body: map[string]any{"call": c, "used": used},
	})
}

// usage reads what counts now, by the clock of the database.
func usage(ctx context.Context, q querier, user, account string) (policy trade.Policy, used budget.Usage, now time.Time, err error) {
	_, body, err := currentPolicy(ctx, q, user, account)
	if err != nil {
		return policy, used, now, err
	}
	if policy, err = trade.ParsePolicy(body); err != nil {
		return policy, used, now, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := q.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return policy, used, now, err
	}
	type row struct {
		CallsToday    int             `db:"calls_today"`
		CallsLastHour int             `db:"calls_last_hour"`
		TokensToday   int64           `db:"tokens_today"`
		CostToday     decimal.Decimal `db:"cost_today"`
	}
	r, err := one[row](ctx, q, usageSQL, pgx.StrictNamedArgs{
		"user": user, "day": budget.Day(policy.TimeZone, now), "hour": budget.Hour(now),
	})
	return policy, budget.Usage(r), now, err
}

// BudgetState is a user's budget and what of it is used.
type BudgetState struct {
	UserID    string            `json:"userId"`
	AccountID string            `json:"accountId"`
	Limits    trade.ModelBudget `json:"limits"`
	Used      budget.Usage      `json:"used"`
	DaySince  time.Time         `json:"daySince"`
}

// Budget shows a user's budget under the policy for an account. ErrNotFound
// without one.
func (s *Store) Budget(ctx context.Context, user, account string) (BudgetState, error) {
	policy, used, now, err := usage(ctx, s.pool, user, account)
	if err != nil {
		return BudgetState{}, fmt.Errorf("budget of %s on %s: %w", user, account, classify(err))
	}
	return BudgetState{user, account, policy.ModelBudget, used, budget.Day(policy.TimeZone, now)}, nil
}

const clearBudgetSQL = `INSERT INTO interlock.budget_clearances (user_id, actor, reason) VALUES (@user, @actor, @reason)`

// ClearBudget lets what was used until now no longer count. The facts stay.
// ErrInvalid without actor or reason.
func (s *Store) ClearBudget(ctx context.Context, user, actor, reason string) error {
	if user == "" || actor == "" || reason == "" {
		return fmt.Errorf("clear budget: %w: user, actor and reason are required", ErrInvalid)
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, budgetTurnSQL, pgx.StrictNamedArgs{"user": user}); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, clearBudgetSQL, pgx.StrictNamedArgs{"user": user, "actor": actor, "reason": reason}); err != nil {
			return err
		}
		return appendAudit(ctx, tx, event{
			Chain: globalChain, Kind: "budget.cleared", User: user, Actor: actor, Body: map[string]any{"reason": reason},
		})
	})
	if err != nil {
		return fmt.Errorf("clear budget of %s: %w", user, err)
	}
	return nil
}

const beginCallSQL = `
	UPDATE interlock.gpt_usage_log SET begun_at = clock_timestamp()
	WHERE id = @id AND state = 'reserved' AND begun_at IS NULL`

// BeginCall marks a reservation as possibly sent. It succeeds once: whoever
// gets false must not send.
func (s *Store) BeginCall(ctx context.Context, id string) (bool, error) {
	tag, err := s.pool.Exec(ctx, beginCallSQL, pgx.StrictNamedArgs{"id": id})
	if err != nil {
		return false, fmt.Errorf("begin call %s: %w", id, classify(err))
	}
	return tag.RowsAffected() == 1, nil
}

const settleSQL = `
	UPDATE interlock.gpt_usage_log SET
		state = CASE WHEN @left THEN 'settled' ELSE 'released' END,
		tokens = CASE WHEN NOT @left THEN 0 WHEN @known THEN @tokens ELSE reserved_tokens END,
		cost = CASE WHEN NOT @left THEN 0 WHEN @known THEN @cost ELSE reserved_cost END,
		success = @success, detail = @detail, request_digest = @request, reply_digest = @replyDigest, reply = @reply,
		ended_at = clock_timestamp()
	WHERE id = @id AND state = 'reserved'`

// SettleCall turns a reservation into what is known of the call: its facts, its
// worst when they are not known, or nothing when it surely did not leave. Asked
// again it changes nothing.
func (s *Store) SettleCall(ctx context.Context, c Call, a scan.Answer, cost decimal.Decimal) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, settleSQL, pgx.StrictNamedArgs{
			"id": c.ID, "left": a.Left(), "known": a.UsageKnown, "tokens": a.InputTokens + a.OutputTokens, "cost": cost,
			"success": a.Code == "", "detail": joined(string(a.Code), a.Detail), "request": a.RequestDigest,
			"replyDigest": a.ReplyDigest, "reply": printable(a.Content),
		})
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		kind := "budget.settled"
		if !a.Left() {
			kind = "budget.released"
		}
		return appendAudit(ctx, tx, event{Chain: c.AccountID, Kind: kind, User: c.UserID, Actor: c.Purpose, Body: map[string]any{
			"call": c.ID, "code": a.Code, "tokens": a.InputTokens + a.OutputTokens, "usageKnown": a.UsageKnown, "cost": cost,
			"request": a.RequestDigest, "reply": a.ReplyDigest,
		}})
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("settle call %s: %w", c.ID, err)
	}
	return nil
}
