package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

// comparisonStartSQL begins where the last comparison by this very database
// did, or, when it made none, where the account does: before that this
// installation cannot have placed anything.
const comparisonStartSQL = `
	SELECT clock_timestamp(), coalesce((
		SELECT max(started_at) FROM interlock.reconciliations
		WHERE account_id = @account AND database_id = interlock.database_id()
	), created_at) - @overlap::interval - read_lag
	FROM interlock.accounts WHERE id = @account`

// StartComparison reads the database's clock, and from when on the exchange's
// history must be read. It dates this life of the database: what an earlier one
// sent is awaited from here on. ErrNotFound when there is no such account.
func (s *Store) StartComparison(ctx context.Context, account string, overlap time.Duration) (now, since time.Time, err error) {
	if err := beginLife(ctx, s.pool); err != nil {
		return now, since, fmt.Errorf("start comparison %s: %w", account, classify(err))
	}
	row := s.pool.QueryRow(ctx, comparisonStartSQL, pgx.StrictNamedArgs{"account": account, "overlap": overlap})
	if err := row.Scan(&now, &since); err != nil {
		return now, since, fmt.Errorf("start comparison %s: %w", account, classify(err))
	}
	return now, since, nil
}

// tradedMarketsSQL is where orders of ours can be: what any policy allows now,
// and what was ever claimed.
const tradedMarketsSQL = `
	SELECT DISTINCT market FROM interlock.trade_executions WHERE account_id = @account
	UNION
	SELECT replace(m, '/', '-') FROM (
		SELECT DISTINCT ON (user_id) body FROM interlock.trading_policies
		WHERE account_id = @account ORDER BY user_id, version DESC
	) p, json_array_elements_text(p.body->'allowlist') m
	ORDER BY 1`

// Markets lists the markets in which an account's orders can be.
func (s *Store) Markets(ctx context.Context, account string) ([]string, error) {
	return s.ids(ctx, tradedMarketsSQL, pgx.StrictNamedArgs{"account": account})
}

// Compare holds what the exchange shows against our records, and notes every
// difference and the comparison itself. It adopts nothing. A contradiction that
// was not known raises an alarm in the same transaction: the account is halted
// and the audit says why. The result says whether the comparison counts yet.
func (s *Store) Compare(ctx context.Context, c trade.Comparison) (trade.Compared, error) {
	var result trade.Compared
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		found, fresh, err := noteDifferences(ctx, tx, c)
		if err != nil {
			return err
		}
		result = trade.Compared{Differences: found, Contradictions: len(fresh)}
		if err := storeComparison(ctx, tx, c, found); err != nil {
			return err
		}
		if result.Wait, err = untilComparable(ctx, tx, c); err != nil {
			return err
		}
		if err := alarm(ctx, tx, c.AccountID, fresh); err != nil {
			return err
		}
		return auditComparison(ctx, tx, c, result)
	})
	if err != nil {
		return trade.Compared{}, fmt.Errorf("compare %s: %w", c.AccountID, err)
	}
	return result, nil
}

// noteDifferences counts what differs, and lists the contradictions that were
// not known before.
func noteDifferences(ctx context.Context, tx pgx.Tx, c trade.Comparison) (found int, fresh []differenceRow, err error) {
	for _, o := range c.Orders {
		d, err := compareOrder(ctx, tx, c.AccountID, o)
		if err != nil {
			return 0, nil, err
		}
		if d == nil {
			continue
		}
		found++
		isNew, err := noteDifference(ctx, tx, c.AccountID, *d)
		if err != nil {
			return 0, nil, err
		}
		if isNew && d.kind == contradiction {
			fresh = append(fresh, *d)
		}
	}
	return found, fresh, nil
}

const storeComparisonSQL = `
	INSERT INTO interlock.reconciliations (account_id, database_id, started_at, orders_seen, trades_seen, differences, balances)
	VALUES (@account, interlock.database_id(), @started, @orders, @trades, @differences, @balances)`

func storeComparison(ctx context.Context, tx pgx.Tx, c trade.Comparison, differences int) error {
	balances, err := json.Marshal(c.Holdings)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, storeComparisonSQL, pgx.StrictNamedArgs{
		"account": c.AccountID, "started": c.StartedAt, "orders": len(c.Orders), "trades": c.TradesSeen,
		"differences": differences, "balances": string(balances),
	})
	return err
}

const untilComparableSQL = `
	SELECT CASE WHEN @started::timestamptz < interlock.comparable_from(@account, @window)
		THEN greatest(interlock.comparable_from(@account, @window) - clock_timestamp(), interval '1 ms') ELSE '0' END`

// untilComparable is zero when c counts, else how long until one would.
func untilComparable(ctx context.Context, tx pgx.Tx, c trade.Comparison) (wait time.Duration, err error) {
	err = tx.QueryRow(ctx, untilComparableSQL, pgx.StrictNamedArgs{
		"account": c.AccountID, "started": c.StartedAt, "window": trade.AccessWindow,
	}).Scan(&wait)
	return wait, err
}

func auditComparison(ctx context.Context, tx pgx.Tx, c trade.Comparison, r trade.Compared) error {
	if r.Differences == 0 {
		return nil
	}
	return appendAudit(ctx, tx, event{
		Chain: c.AccountID, Kind: "reconcile.differs",
		Body: map[string]any{"differences": r.Differences, "orders": len(c.Orders), "trades": c.TradesSeen},
	})
}
