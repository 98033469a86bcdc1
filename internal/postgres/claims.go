package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

// claimedRowSQL is the execution of a claim and of no other. Its number alone
// is not enough: a restored database hands the same numbers out again, and a
// workflow that lived through the restore would act on another's execution.
const claimedRowSQL = `id = @id AND proposal_id = @proposal AND account_id = @account AND client_order_id = @client`

func claimArgs(c trade.Claim) pgx.StrictNamedArgs {
	return pgx.StrictNamedArgs{"id": c.ExecutionID, "proposal": c.ProposalID, "account": c.AccountID, "client": c.ClientOrderID}
}

// lockExecutionSQL serialises whoever begins, concludes or records an attempt.
// It does not stop foreign keys from pointing here.
const lockExecutionSQL = `
	SELECT ` + executionColumns + ` FROM interlock.trade_executions WHERE ` + claimedRowSQL + ` FOR NO KEY UPDATE`

// lockExecution locks the execution that c was a claim of, also when another
// request's claim is in force by now. ErrNotFound when this database has none.
func lockExecution(ctx context.Context, tx pgx.Tx, c trade.Claim) (executionRow, error) {
	row, err := one[executionRow](ctx, tx, lockExecutionSQL, claimArgs(c))
	if err != nil {
		return row, fmt.Errorf("execution %d of %s: %w", c.ExecutionID, c.ProposalID, err)
	}
	return row, nil
}

// lockClaim locks the execution of c while c is the claim in force. ErrNotFound
// otherwise: whoever holds c must read the truth again.
func lockClaim(ctx context.Context, tx pgx.Tx, c trade.Claim) (executionRow, error) {
	row, err := lockExecution(ctx, tx, c)
	if err == nil && row.RequestID != c.RequestID {
		err = fmt.Errorf("execution %d of %s: claim of request %s: %w", c.ExecutionID, c.ProposalID, c.RequestID, ErrNotFound)
	}
	return row, err
}

const followedSQL = `UPDATE interlock.trade_executions SET followed_at = clock_timestamp() WHERE id = $1`

// Followed notes that somebody is looking after an open execution. ErrNotFound
// when the claim is not in force in this database.
func (s *Store) Followed(ctx context.Context, c trade.Claim) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		row, err := lockClaim(ctx, tx, c)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, followedSQL, row.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("followed %s: %w", c.ProposalID, err)
	}
	return nil
}
