package verify

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ReadRecords reads everything in one snapshot of the database at databaseURL.
// The login must be allowed to read every table, the audit included.
func ReadRecords(ctx context.Context, databaseURL string) (Records, error) {
	var r Records
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return r, fmt.Errorf("records: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, conn, snapshot, func(tx pgx.Tx) error { return r.read(ctx, tx) })
	if err != nil {
		return Records{}, fmt.Errorf("records: %w", err)
	}
	return r, nil
}

func (r *Records) read(ctx context.Context, tx pgx.Tx) error {
	err := tx.QueryRow(ctx, `SELECT clock_timestamp(), coalesce((SELECT max(began_at) FROM interlock.database_lives), created_at), id::text
		FROM interlock.installation`).Scan(&r.Now, &r.Life, &r.Installation)
	if err != nil {
		return fmt.Errorf("installation: %w", err)
	}
	for _, table := range []func() error{
		rows(ctx, tx, &r.Accounts, `SELECT id, read_lag FROM interlock.accounts ORDER BY id`),
		rows(ctx, tx, &r.Controls, `SELECT scope, state, actor FROM interlock.trading_controls ORDER BY scope`),
		rows(ctx, tx, &r.Policies, `SELECT user_id, account_id, version, body::text AS body FROM interlock.trading_policies ORDER BY 1, 2, 3`),
		rows(ctx, tx, &r.Proposals, `SELECT id, user_id, account_id, market, side, order_type, amount, amount_quote, price, confidence,
			status, expires_at, cancel_actor FROM interlock.trade_proposals ORDER BY id`),
		rows(ctx, tx, &r.Executions, `SELECT id, user_id, proposal_id, account_id, market, side, client_order_id::text AS client_order_id,
			status, plan::text AS plan, worst_quote, policy_version, request_id, claimed_at, ended_at, order_id, order_status,
			filled_amount, filled_quote, fee_paid, fee_currency FROM interlock.trade_executions ORDER BY id`),
		rows(ctx, tx, &r.Attempts, `SELECT execution_id, number, request_id, deadline, begun_at, begun_by, verdict, order_id, concluded_at
			FROM interlock.order_attempts ORDER BY 1, 2`),
		rows(ctx, tx, &r.Looks, `SELECT execution_id, number, sighting, exchange_time FROM interlock.order_looks ORDER BY id`),
		rows(ctx, tx, &r.Fills, `SELECT account_id, market, fill_id, execution_id, order_id, amount, price, fee, fee_currency, taker, filled_at
			FROM interlock.order_fills ORDER BY 1, 2, 3`),
		rows(ctx, tx, &r.Trades, `SELECT id, user_id, account_id, proposal_id, execution_id, market, asset, side, amount, amount_quote,
			fee, fee_currency, executed_at, recorded_at FROM interlock.trade_history ORDER BY id`),
		rows(ctx, tx, &r.Overrides, `SELECT id, proposal_id, cooldown, anti_flip, stored_at, expires_at, consumed_by, verified
			FROM interlock.overrides ORDER BY proposal_id, id`),
		rows(ctx, tx, &r.Verdicts, `SELECT request_id, proposal_id, claimed, body::text AS body FROM interlock.verdicts ORDER BY proposal_id, request_id`),
		rows(ctx, tx, &r.Reconciliations, `SELECT account_id, differences FROM interlock.reconciliations ORDER BY id`),
		rows(ctx, tx, &r.Differences, `SELECT account_id, market, order_id, kind FROM interlock.exchange_differences ORDER BY 1, 2, 3, 4`),
		rows(ctx, tx, &r.Audit, `SELECT chain, seq, at, kind, user_id, proposal_id, actor, body::text AS body, prev_hash, hash
			FROM interlock.audit_events ORDER BY chain COLLATE "C", seq`),
		rows(ctx, tx, &r.Heads, `SELECT chain, seq, hash FROM interlock.audit_heads ORDER BY chain`),
	} {
		if err := table(); err != nil {
			return err
		}
	}
	return nil
}

// rows reads a query into a list of structs, by column name; a null where none
// may be is an error.
func rows[T any](ctx context.Context, tx pgx.Tx, into *[]T, sql string) func() error {
	return func() error {
		found, err := tx.Query(ctx, sql)
		if err == nil {
			*into, err = pgx.CollectRows(found, pgx.RowToStructByName[T])
		}
		if err != nil {
			return fmt.Errorf("%T: %w", *into, err)
		}
		return nil
	}
}
