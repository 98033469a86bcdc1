package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

const dueSQL = `
	SELECT id FROM interlock.trade_proposals
	WHERE status IN ('PENDING', 'FAILED') AND expires_at <= clock_timestamp() ORDER BY expires_at LIMIT @most`

// DueProposals lists open proposals whose time is over.
func (s *Store) DueProposals(ctx context.Context, most int) ([]string, error) {
	return s.ids(ctx, dueSQL, pgx.StrictNamedArgs{"most": most})
}

const unfollowedSQL = `
	SELECT proposal_id FROM interlock.trade_executions
	WHERE ended_at IS NULL AND claimed_at < clock_timestamp() - @age::interval ORDER BY followed_at LIMIT @most`

// OpenExecutions lists the proposals claimed longer ago than age and not ended,
// the least recently followed first.
func (s *Store) OpenExecutions(ctx context.Context, age time.Duration, most int) ([]string, error) {
	return s.ids(ctx, unfollowedSQL, pgx.StrictNamedArgs{"age": age, "most": most})
}

// silentSQL also finds a claim that was never attempted although it may no
// longer be: its run has lost the answer of its preflight.
const silentSQL = `
	SELECT count(*) > 0 FROM interlock.trade_executions e
	WHERE proposal_id = @id AND ended_at IS NULL AND (
		followed_at < clock_timestamp() - @age::interval
		OR claimed_at < clock_timestamp() - 2 * @sendWithin::interval
			AND NOT EXISTS (SELECT FROM interlock.order_attempts a WHERE a.execution_id = e.id AND a.request_id = e.request_id)
	)`

// Silent reports whether nobody has followed an open execution for age, or
// nobody ever began to carry it out.
func (s *Store) Silent(ctx context.Context, proposalID string, age time.Duration) (bool, error) {
	var silent bool
	args := pgx.StrictNamedArgs{"id": proposalID, "age": age, "sendWithin": trade.SendWithin}
	err := s.pool.QueryRow(ctx, silentSQL, args).Scan(&silent)
	return silent, classify(err)
}

const unseenSQL = `
	SELECT id FROM interlock.trade_proposals
	WHERE status IN ('PENDING', 'FAILED') AND expires_at > clock_timestamp()
		AND (workflow_seen_at IS NULL OR workflow_seen_at < clock_timestamp() - @age::interval)
	ORDER BY workflow_seen_at NULLS FIRST, created_at LIMIT @most`

// UnseenProposals lists open proposals whose workflow was never seen, or not
// for age: those that other programs inserted, and those that Temporal lost.
func (s *Store) UnseenProposals(ctx context.Context, age time.Duration, most int) ([]string, error) {
	return s.ids(ctx, unseenSQL, pgx.StrictNamedArgs{"age": age, "most": most})
}

// SeenWorkflow notes that a proposal's workflow is known to run.
func (s *Store) SeenWorkflow(ctx context.Context, proposalID string) error {
	_, err := s.pool.Exec(ctx, `UPDATE interlock.trade_proposals SET workflow_seen_at = clock_timestamp() WHERE id = $1`, proposalID)
	return classify(err)
}

func (s *Store) ids(ctx context.Context, sql string, args pgx.StrictNamedArgs) ([]string, error) {
	rows, err := s.pool.Query(ctx, sql, args)
	if err != nil {
		return nil, classify(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return ids, classify(err)
}

// CountUnresolved is how many executions are of unknown outcome now.
func (s *Store) CountUnresolved(ctx context.Context) (int64, error) {
	var n int64
	err := s.pool.QueryRow(ctx, `SELECT count(*) FROM interlock.trade_executions WHERE status = 'UNRESOLVED'`).Scan(&n)
	return n, classify(err)
}

// ExecutedByScan names the scan that wrote a proposal which its user's policy
// lets execute without a person; it is empty for any other.
func (s *Store) ExecutedByScan(ctx context.Context, proposalID string) (actor string, err error) {
	err = s.pool.QueryRow(ctx, `SELECT interlock.executed_by_scan($1)`, proposalID).Scan(&actor)
	return actor, classify(err)
}
