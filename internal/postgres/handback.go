package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/handover"
)

const doneSQL = `
	SELECT e.user_id, e.proposal_id, e.market, e.side, e.filled_amount AS amount, e.filled_quote AS amount_quote, e.fee_paid AS fee,
		e.fee_currency, coalesce(e.order_id, '') AS order_id, h.executed_at
	FROM interlock.trade_executions e LEFT JOIN interlock.trade_history h ON h.execution_id = e.id
	WHERE e.account_id = @account AND e.status = 'EXECUTED' AND e.ended_at >= @since
	ORDER BY e.ended_at, e.id`

// Done lists what was executed on an account since an instant, for the system
// that goes on. ErrConflict, naming them, while executions are open: what
// becomes of them is not known yet.
func (s *Store) Done(ctx context.Context, account string, since time.Time) (done []handover.Done, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		var open []string
		const openSQL = `SELECT coalesce(array_agg(proposal_id || ' (' || status || ')' ORDER BY claimed_at), '{}') FROM interlock.trade_executions
			WHERE account_id = @account AND ended_at IS NULL`
		if err := tx.QueryRow(ctx, openSQL, pgx.StrictNamedArgs{"account": account}).Scan(&open); err != nil {
			return err
		}
		if len(open) > 0 {
			return fmt.Errorf("%w: %d executions are open: %v", ErrConflict, len(open), open[:min(len(open), 5)])
		}
		done, err = all[handover.Done](ctx, tx, doneSQL, pgx.StrictNamedArgs{"account": account, "since": since})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("executions of %s: %w", account, err)
	}
	return done, nil
}
