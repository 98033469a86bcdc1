package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

// RecordOrder writes the end of an accepted order, as role orders has seen it:
// the trade, the execution and the proposal, in one transaction. An execution
// that is not EXECUTED after it has no end yet. Doing it again changes nothing.
// ErrNotFound when the claim is not in force in this database.
func (s *Store) RecordOrder(ctx context.Context, c trade.ClaimRef) (r trade.Recorded, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		e, err := lockClaim(ctx, tx, c)
		if err != nil {
			return err
		}
		if err := e.readFinal(ctx); err != nil {
			return err
		}
		changes, err := e.Record()
		if err != nil {
			return err
		}
		if changes.Recorded != nil {
			r = trade.Recorded{Status: changes.Status, Order: changes.Recorded}
			return e.record(ctx, *changes.Recorded)
		}
		if r.Status = e.Status; r.Status == trade.Executed {
			r.Order = e.Final
		}
		return nil
	})
	if err != nil {
		return trade.Recorded{}, fmt.Errorf("record order of %s: %w", c.ProposalID, err)
	}
	return r, nil
}

func (e locked) record(ctx context.Context, o trade.Order) error {
	if err := e.insertTrade(ctx, o); err != nil {
		return err
	}
	if err := e.endExecution(ctx, o); err != nil {
		return err
	}
	if err := e.endProposal(ctx); err != nil {
		return err
	}
	return e.audit(ctx, "execution.recorded", "", map[string]any{"order": o})
}

const insertTradeSQL = `
	INSERT INTO interlock.trade_history
		(user_id, account_id, proposal_id, execution_id, market, asset, side, amount, amount_quote, fee, fee_currency, executed_at)
	VALUES (@user, @account, @proposal, @execution, @market, @asset, @side, @amount, @quote, @fee, @currency, @at)`

// insertTrade writes nothing for an order that filled nothing: no trade
// happened, so nothing cools down.
func (e locked) insertTrade(ctx context.Context, o trade.Order) error {
	if !o.FilledAmount.IsPositive() {
		return nil
	}
	_, err := e.tx.Exec(ctx, insertTradeSQL, pgx.StrictNamedArgs{
		"user": e.user, "account": e.AccountID, "proposal": e.ProposalID, "execution": e.ID,
		"market": string(e.Plan.Market), "asset": e.Plan.Market.Base(), "side": string(e.Plan.Side),
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

func (e locked) endExecution(ctx context.Context, o trade.Order) error {
	tag, err := e.tx.Exec(ctx, endExecutionSQL, pgx.StrictNamedArgs{
		"execution": e.ID, "order": o.OrderID, "status": string(o.Status), "amount": o.FilledAmount,
		"quote": o.FilledAmountQuote, "fee": o.FeePaid, "currency": o.FeeCurrency,
	})
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("%w: execution %d is %s", ErrConflict, e.ID, e.Status)
	}
	return err
}

func (e locked) endProposal(ctx context.Context) error {
	_, err := e.tx.Exec(ctx, `UPDATE interlock.trade_proposals SET status = 'EXECUTED', updated_at = clock_timestamp() WHERE id = $1`, e.ProposalID)
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
		status = @status
	FROM execution WHERE p.id = execution.proposal_id`

// FailExecution ends an execution that placed nothing, for what its rows say of
// attempt number, and returns what that made of its proposal. While an attempt is
// in doubt or accepted nothing changes, and the status says so. Doing it again
// changes nothing. ErrNotFound when the claim is not in force in this database.
func (s *Store) FailExecution(ctx context.Context, c trade.ClaimRef, number int) (status trade.Status, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		control, err := lockTradingState(ctx, tx, c.AccountID)
		if err != nil {
			return err
		}
		e, err := lockClaim(ctx, tx, c)
		if err != nil {
			return err
		}
		facts, err := e.attemptFacts(ctx, control)
		if err != nil {
			return err
		}
		changes := e.Fail(number, facts)
		if changes.Failure == nil {
			return tx.QueryRow(ctx, `SELECT status FROM interlock.trade_proposals WHERE id = $1`, e.ProposalID).Scan(&status)
		}
		status = changes.Status
		return e.fail(ctx, changes)
	})
	if err != nil {
		return "", fmt.Errorf("fail %s: %w", c.ProposalID, err)
	}
	return status, nil
}

func (e locked) fail(ctx context.Context, c trade.Changes) error {
	tag, err := e.tx.Exec(ctx, failExecutionSQL, pgx.StrictNamedArgs{
		"execution": e.ID, "status": string(c.Status), "code": string(c.Failure.Code),
		"exchange": c.Failure.ExchangeCode, "detail": shorten(c.Failure.Message),
	})
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("%w: execution %d is %s", ErrConflict, e.ID, e.Status)
	}
	if err != nil {
		return err
	}
	return e.audit(ctx, "execution.failed", "", map[string]any{"failure": c.Failure, "status": c.Status})
}
