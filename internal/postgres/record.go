package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

// RecordOrder writes the end of an accepted order: its fills, the trade, the
// execution and the proposal, in one transaction. Doing it again changes
// nothing. ErrInvalid when the order is not the one that was accepted, ErrNotFound
// when the claim is not in force in this database.
func (s *Store) RecordOrder(ctx context.Context, c trade.Claim, o trade.Order) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		execution, err := lockClaim(ctx, tx, c)
		if err != nil {
			return err
		}
		if execution.Status == string(trade.Executed) && execution.OrderID != nil && *execution.OrderID == o.OrderID {
			return nil
		}
		return recordOrder(ctx, tx, execution, o)
	})
	if err != nil {
		return fmt.Errorf("record order %s of %s: %w", o.OrderID, c.ProposalID, err)
	}
	return nil
}

const acceptedAttemptSQL = `
	SELECT count(*) FROM interlock.order_attempts WHERE execution_id = @execution AND verdict = 'accepted' AND order_id = @order`

func recordOrder(ctx context.Context, tx pgx.Tx, e executionRow, o trade.Order) error {
	var accepted int
	if err := tx.QueryRow(ctx, acceptedAttemptSQL, pgx.StrictNamedArgs{"execution": e.ID, "order": o.OrderID}).Scan(&accepted); err != nil {
		return err
	}
	if accepted != 1 {
		return fmt.Errorf("%w: order %s was not accepted for execution %d", ErrInvalid, o.OrderID, e.ID)
	}
	for _, step := range []func(context.Context, pgx.Tx, executionRow, trade.Order) error{
		insertFills, insertTrade, endExecution, endProposal,
	} {
		if err := step(ctx, tx, e, o); err != nil {
			return err
		}
	}
	return appendAudit(ctx, tx, event{
		Chain: e.AccountID, Kind: "execution.recorded", User: e.UserID, Proposal: e.ProposalID,
		Body: map[string]any{"execution": e.ID, "order": o},
	})
}

// insertFillSQL meets a fill that is there already only when it is this
// execution's own; another's is a contradiction and stops the transaction.
const insertFillSQL = `
	INSERT INTO interlock.order_fills
		(account_id, market, fill_id, execution_id, order_id, amount, price, fee, fee_currency, taker, filled_at)
	VALUES (@account, @market, @fill, @execution, @order, @amount, @price, @fee, @currency, @taker, @at)`

func insertFills(ctx context.Context, tx pgx.Tx, e executionRow, o trade.Order) error {
	for _, f := range o.Fills {
		_, err := tx.Exec(ctx, insertFillSQL, pgx.StrictNamedArgs{
			"account": e.AccountID, "market": e.Market, "fill": f.ID, "execution": e.ID, "order": o.OrderID,
			"amount": f.Amount, "price": f.Price, "fee": f.Fee, "currency": f.FeeCurrency, "taker": f.Taker, "at": f.At,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const insertTradeSQL = `
	INSERT INTO interlock.trade_history
		(user_id, account_id, proposal_id, execution_id, market, asset, side, amount, amount_quote, fee, fee_currency, executed_at)
	VALUES (@user, @account, @proposal, @execution, @market, @asset, @side, @amount, @quote, @fee, @currency, @at)`

// insertTrade writes nothing for an order that filled nothing: no trade
// happened, so nothing cools down.
func insertTrade(ctx context.Context, tx pgx.Tx, e executionRow, o trade.Order) error {
	if !o.FilledAmount.IsPositive() {
		return nil
	}
	_, err := tx.Exec(ctx, insertTradeSQL, pgx.StrictNamedArgs{
		"user": e.UserID, "account": e.AccountID, "proposal": e.ProposalID, "execution": e.ID,
		"market": e.Market, "asset": trade.Market(e.Market).Base(), "side": e.Side,
		"amount": o.FilledAmount, "quote": o.FilledAmountQuote, "fee": o.FeePaid, "currency": o.FeeCurrency, "at": tradedAt(o),
	})
	return err
}

func tradedAt(o trade.Order) time.Time {
	if last := o.LastFill(); !last.IsZero() {
		return last
	}
	return o.UpdatedAt
}

const endExecutionSQL = `
	UPDATE interlock.trade_executions SET status = 'EXECUTED', ended_at = clock_timestamp(), followed_at = clock_timestamp(),
		order_id = @order, order_status = @status, filled_amount = @amount, filled_quote = @quote, fee_paid = @fee, fee_currency = @currency
	WHERE id = @execution AND status IN ('EXECUTING', 'UNRESOLVED')`

func endExecution(ctx context.Context, tx pgx.Tx, e executionRow, o trade.Order) error {
	tag, err := tx.Exec(ctx, endExecutionSQL, pgx.StrictNamedArgs{
		"execution": e.ID, "order": o.OrderID, "status": string(o.Status), "amount": o.FilledAmount,
		"quote": o.FilledAmountQuote, "fee": o.FeePaid, "currency": o.FeeCurrency,
	})
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("%w: execution %d is %s", ErrConflict, e.ID, e.Status)
	}
	return err
}

func endProposal(ctx context.Context, tx pgx.Tx, e executionRow, _ trade.Order) error {
	_, err := tx.Exec(ctx, `UPDATE interlock.trade_proposals SET status = 'EXECUTED', updated_at = clock_timestamp() WHERE id = $1`, e.ProposalID)
	return err
}

// failExecutionSQL leaves the proposal free to be claimed again, unless somebody
// gave it up while the claim was carried out: then that is its end.
const failExecutionSQL = `
	WITH execution AS (
		UPDATE interlock.trade_executions SET status = 'FAILED', ended_at = clock_timestamp()
		WHERE id = @execution AND status IN ('EXECUTING', 'UNRESOLVED') RETURNING proposal_id
	)
	UPDATE interlock.trade_proposals p SET failure_code = @code, exchange_code = @exchange,
		failure_detail = @detail, updated_at = clock_timestamp(),
		status = CASE WHEN cancel_actor IS NULL THEN 'FAILED' ELSE 'CANCELLED' END
	FROM execution WHERE p.id = execution.proposal_id`

const aliveAttemptsSQL = `
	SELECT count(*) FROM interlock.order_attempts
	WHERE execution_id = @execution AND (verdict IS NULL OR verdict = 'accepted')`

// FailExecution ends an execution that placed nothing. It refuses, with
// ErrConflict, while an attempt is in doubt or was accepted, and with ErrNotFound
// when the claim is not in force in this database. Doing it again changes
// nothing.
func (s *Store) FailExecution(ctx context.Context, c trade.Claim, failure trade.Failure) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		execution, err := lockClaim(ctx, tx, c)
		if err != nil || execution.Status == string(trade.Failed) {
			return err
		}
		return failExecution(ctx, tx, execution, failure)
	})
	if err != nil {
		return fmt.Errorf("fail %s: %w", c.ProposalID, err)
	}
	return nil
}

func failExecution(ctx context.Context, tx pgx.Tx, e executionRow, failure trade.Failure) error {
	var alive int
	if err := tx.QueryRow(ctx, aliveAttemptsSQL, pgx.StrictNamedArgs{"execution": e.ID}).Scan(&alive); err != nil {
		return err
	}
	if alive > 0 {
		return fmt.Errorf("%w: an attempt of execution %d is in doubt or accepted", ErrConflict, e.ID)
	}
	tag, err := tx.Exec(ctx, failExecutionSQL, pgx.StrictNamedArgs{
		"execution": e.ID, "code": string(failure.Code), "exchange": failure.ExchangeCode, "detail": shorten(failure.Message),
	})
	if err != nil {
		return err
	}
	if tag.RowsAffected() != 1 {
		return fmt.Errorf("%w: execution %d is %s", ErrConflict, e.ID, e.Status)
	}
	return appendAudit(ctx, tx, event{
		Chain: e.AccountID, Kind: "execution.failed", User: e.UserID, Proposal: e.ProposalID,
		Body: map[string]any{"execution": e.ID, "failure": failure},
	})
}
