package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/audit"
)

type originRow struct {
	Job      string    `db:"job_id"`
	Run      string    `db:"run_id"`
	Digest   string    `db:"snapshot"`
	Number   int       `db:"number"`
	Idea     string    `db:"body"`
	StoredAt time.Time `db:"stored_at"`
}

const originSQL = `
	SELECT r.job_id, i.run_id, coalesce(r.snapshot, '') AS snapshot, i.number, i.body, i.stored_at
	FROM interlock.scan_ideas i JOIN interlock.scan_runs r ON r.id = i.run_id
	WHERE i.proposal_id = @proposal AND i.outcome = 'proposed'`

const callsOfRunSQL = `
	SELECT id, model, state, tokens, cost, success, detail, created_at FROM interlock.gpt_usage_log
	WHERE starts_with(id, @run || '.call-') ORDER BY created_at, id`

// Origin says which scan made a proposal; nil when none did.
func (s *Store) Origin(ctx context.Context, proposalID string) (*audit.Origin, error) {
	row, err := one[originRow](ctx, s.pool, originSQL, pgx.StrictNamedArgs{"proposal": proposalID})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	o := audit.Origin{Job: row.Job, Run: row.Run, Digest: row.Digest, Number: row.Number, Idea: row.Idea, StoredAt: row.StoredAt}
	if err == nil {
		o.Calls, err = all[audit.Call](ctx, s.pool, callsOfRunSQL, pgx.StrictNamedArgs{"run": o.Run})
	}
	if err == nil {
		o.Seen, err = s.Snapshot(ctx, o.Digest)
	}
	if err != nil {
		return nil, fmt.Errorf("origin of %s: %w", proposalID, classify(err))
	}
	return &o, nil
}
