package postgres

import (
	"context"
	"errors"
	"fmt"
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

// followedOpenSQL passes over an execution that somebody holds: it is followed.
const followedOpenSQL = `
	SELECT id, followed_at, told_at, told, clock_timestamp() AS now FROM interlock.trade_executions
	WHERE proposal_id = @id AND ended_at IS NULL FOR NO KEY UPDATE SKIP LOCKED`

type followedRow struct {
	ID         int64      `db:"id"`
	FollowedAt time.Time  `db:"followed_at"`
	ToldAt     *time.Time `db:"told_at"`
	Told       int        `db:"told"`
	Now        time.Time  `db:"now"`
}

func (r followedRow) followed() trade.Followed {
	f := trade.Followed{At: r.FollowedAt, Told: r.Told}
	if r.ToldAt != nil {
		f.ToldAt = *r.ToldAt
	}
	return f
}

const toldSQL = `UPDATE interlock.trade_executions SET told_at = @now, told = @told WHERE id = @id`

// MayTell reports whether the run of an open execution should be told to read
// the truth again, and counts it as told: whoever asks, and however often, may
// tell it only as often as the rows say.
func (s *Store) MayTell(ctx context.Context, proposalID string) (tell bool, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		row, err := one[followedRow](ctx, tx, followedOpenSQL, pgx.StrictNamedArgs{"id": proposalID})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		var told int
		if tell, told = row.followed().Tell(row.Now); !tell {
			return nil
		}
		_, err = tx.Exec(ctx, toldSQL, pgx.StrictNamedArgs{"id": row.ID, "now": row.Now, "told": told})
		return err
	})
	if err != nil {
		return false, fmt.Errorf("may tell %s: %w", proposalID, err)
	}
	return tell, nil
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
